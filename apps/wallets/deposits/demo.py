"""A deposit from nowhere, so that a person can watch one come: on simulated chains only."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from apps.accounts.models import User
from apps.core import ratelimit
from apps.core.errors import Invalid, NotFound, TooMany
from apps.core.money import parse_positive
from apps.wallets.assets import asset_by_code
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import is_simulated
from apps.wallets.deposits.actions import address_for

# In whole units; play money must not drown the venue.
UNITS_MAX: Final = {"BTC": 1, "ETH": 10, "USDT": 10_000, "SOL": 500, "XRP": 10_000, "DOGE": 100_000}
SENDS: Final = ratelimit.Bucket(10, 1 / 600)


def send_demo_deposit(*, actor: User, asset: str, amount: str, now: datetime) -> str:
    """Have somebody outside send coins to the actor's address; return the transaction's id."""
    found = asset_by_code(asset)
    if not is_simulated() or found.code not in UNITS_MAX:
        raise NotFound("not_a_demo", "Coins come from outside only.")
    amount_minor = parse_positive(amount, found.scale)
    most = UNITS_MAX[found.code]
    if amount_minor > most * 10**found.scale:
        raise Invalid("amount_too_large", f"At most {most} {found.code} at once.", field="amount")
    if not ratelimit.take(f"demo deposit:{actor.pk}", SENDS).allowed:
        raise TooMany("too_many_deposits", "That is enough play money for now.",
                      retry_after_seconds=600)  # fmt: skip
    address = address_for(actor=actor, asset=found.code, now=now).address
    return simulated.pay_in(outputs=[(address, found.code, amount_minor)], now=now).txid
