"""Names of what an order can be, on the outside and in the engine. Decides nothing else."""

from __future__ import annotations

import re
from typing import Final

from apps.engine import messages

SIDES: Final = {"buy": messages.BUY, "sell": messages.SELL}
ORDER_TYPES: Final = {
    "limit": messages.LIMIT,
    "market": messages.MARKET,
    "stop": messages.STOP,
    "stop_limit": messages.STOP_LIMIT,
}
TIMES_IN_FORCE: Final = {
    "gtc": messages.GTC,
    "ioc": messages.IOC,
    "fok": messages.FOK,
    "gtd": messages.GTD,
}
SELF_TRADES: Final = {
    "expire_taker": messages.EXPIRE_TAKER,
    "expire_maker": messages.EXPIRE_MAKER,
    "expire_both": messages.EXPIRE_BOTH,
}
SIDE_NAMES: Final = {value: name for name, value in SIDES.items()}
ORDER_TYPE_NAMES: Final = {value: name for name, value in ORDER_TYPES.items()}
TIME_IN_FORCE_NAMES: Final = {value: name for name, value in TIMES_IN_FORCE.items()}
SELF_TRADE_NAMES: Final = {value: name for name, value in SELF_TRADES.items()}

CLIENT_ORDER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
