"""From an order as it was written to the terms that the engine takes, or to what is wrong with it.

Every refusal names the ``field`` it is about. What only the state of a market or an account can
decide (balance, band, minimums) is the engine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard, TypeVar

from apps.core import clock
from apps.core.errors import DomainError, Invalid, NotFound
from apps.core.money import parse_positive
from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    DECREMENT,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Special,
    Terms,
)
from apps.markets.models import Instrument
from apps.markets.rules import parse_price, parse_quantity
from apps.trades.rules import (
    CLIENT_ORDER_ID,
    ORDER_TYPES,
    PERCENT_DECIMALS,
    PRICED_TYPES,
    SELF_TRADES,
    SIDES,
    TIMES_IN_FORCE,
    TIMES_IN_FORCE_BY_TYPE,
)

NOTHING: Final = "Nothing was ordered."
CLIENT_ORDER_ID_MAX: Final = 64
# What follows from an order has its id with a word behind it: "-stop", "-tp", "-sl".
LINKED_ORDER_ID_MAX: Final = 58
TRAIL_BPS_MAX: Final = 5_000
ICEBERG_PARTS_MAX: Final = 100
_WITH_STOP: Final = (STOP, STOP_LIMIT, TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP)
# Purchases of these kinds can sell by themselves what they have bought.
_PROTECTED: Final = (LIMIT, MARKET, STOP, STOP_LIMIT)
_EXITS: Final = ("take_profit_price", "stop_loss_price", "stop_loss_limit_price")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An order as it was written. Amounts are decimal text; None means that it was left out."""

    market: str
    side: str
    order_type: str
    quantity: str | None = None
    quote_amount: str | None = None
    price: str | None = None
    stop_price: str | None = None
    display_quantity: str | None = None
    trail_amount: str | None = None
    trail_percent: str | None = None
    take_profit_price: str | None = None
    stop_loss_price: str | None = None
    stop_loss_limit_price: str | None = None
    time_in_force: str | None = None
    expires_at: str | datetime | None = None
    post_only: bool = False
    self_trade_prevention: str = "expire_taker"
    client_order_id: str | None = None


_FIELDS: Final = {
    "market": "market",
    "side": "side",
    "type": "order_type",
    "quantity": "quantity",
    "quote_amount": "quote_amount",
    "price": "price",
    "stop_price": "stop_price",
    "display_quantity": "display_quantity",
    "trail_amount": "trail_amount",
    "trail_percent": "trail_percent",
    "take_profit_price": "take_profit_price",
    "stop_loss_price": "stop_loss_price",
    "stop_loss_limit_price": "stop_loss_limit_price",
    "time_in_force": "time_in_force",
    "expires_at": "expires_at",
    "post_only": "post_only",
    "self_trade_prevention": "self_trade_prevention",
    "client_order_id": "client_order_id",
}


def asked_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``place_order`` from the fields of the API; no other is let pass."""
    for name in fields:
        if name not in _FIELDS:
            raise _invalid("unknown_field", name, f"An order has no field {name[:40]!r}.")
    for name in ("market", "side", "type"):
        if fields.get(name) is None:
            raise _invalid("missing_field", name, f"The {name} of the order is missing.")
    given = {_FIELDS[name]: value for name, value in fields.items() if value is not None}
    # By these two the order is looked up before the rest of it is read.
    if not isinstance(given["market"], str):
        raise NotFound("unknown_market", "There is no such market here.", field="market")
    if "client_order_id" in given:
        check_client_order_id(given["client_order_id"])
    return given


def is_client_order_id(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and CLIENT_ORDER_ID.fullmatch(text) is not None


def check_client_order_id(text: object, length_max: int = CLIENT_ORDER_ID_MAX) -> str:
    """Return the owner's own id of an order; refuse what would not survive a URL."""
    if not is_client_order_id(text) or len(text) > length_max:
        raise _invalid(
            "invalid_client_order_id",
            "client_order_id",
            f"A client order id has 1 to {length_max} of the characters A-Z a-z 0-9 _ and -"
            f"{'.' if length_max == CLIENT_ORDER_ID_MAX else ', where further orders follow.'}",
        )
    return text


def terms_of(asked: Asked, instrument: Instrument, now: datetime) -> Terms:
    """Return the terms in ticks, lots and minor units."""
    side = _choice(asked.side, SIDES, "side", "invalid_side")
    order_type = _choice(asked.order_type, ORDER_TYPES, "type", "invalid_type")
    time_in_force = _time_in_force(asked, order_type)
    quantity_lots, quote_minor = _size(asked, instrument, order_type, side, time_in_force)
    price_ticks, stop_ticks = _prices(asked, instrument, order_type)
    _check_notional(quantity_lots * (price_ticks or stop_ticks) * instrument.tick_lot_minor)
    special = Special(
        _display_lots(asked, instrument, order_type, time_in_force, quantity_lots),
        *_trail(asked, instrument, order_type),
        *_exits(asked, instrument, order_type, side),
    )
    return Terms(
        market_id=instrument.id,
        side=side,
        order_type=order_type,
        time_in_force=time_in_force,
        quantity_lots=quantity_lots,
        quote_minor=quote_minor,
        price_ticks=price_ticks,
        stop_ticks=stop_ticks,
        expires_at_ns=_expiry_ns(asked, time_in_force, now),
        post_only=_post_only(asked, order_type, time_in_force),
        self_trade=_self_trade(asked),
        special=special if special != Special() else None,
    )


def has_exits(terms: Terms) -> bool:
    """Whether the order, once it fills, is followed by others that sell what it has bought."""
    special = terms.special
    return special is not None and bool(special.take_profit_ticks or special.stop_loss_ticks)


def _time_in_force(asked: Asked, order_type: int) -> int:
    allowed = TIMES_IN_FORCE_BY_TYPE[order_type]
    if asked.time_in_force is None:
        return IOC if order_type == MARKET else GTC
    wanted = _choice(asked.time_in_force, TIMES_IN_FORCE, "time_in_force", "invalid_time_in_force")
    if wanted not in allowed:
        names = " or ".join(name for name, value in TIMES_IN_FORCE.items() if value in allowed)
        raise _invalid(
            "invalid_time_in_force",
            "time_in_force",
            f"A {_type_words(order_type)} order is {names}, not {asked.time_in_force}.",
        )
    return wanted


def _size(
    asked: Asked, instrument: Instrument, order_type: int, side: int, time_in_force: int
) -> tuple[int, int]:
    """Return lots and quote budget; exactly one of them is not zero."""
    if (asked.quantity is None) == (asked.quote_amount is None):
        raise _invalid(
            "quantity_or_quote_amount", "quantity", "Give either a quantity or a quote amount."
        )
    if asked.quantity is not None:
        with About("quantity"):
            return parse_quantity(asked.quantity, instrument), 0
    if order_type != MARKET or side != BUY or time_in_force != IOC:
        raise _invalid(
            "quote_amount_not_allowed",
            "quote_amount",
            "Only a market order that buys, and is ioc, can be given by quote amount."
            " Give a quantity.",
        )
    with About("quote_amount"):
        return 0, parse_positive(asked.quote_amount, instrument.quote.scale)


def _prices(asked: Asked, instrument: Instrument, order_type: int) -> tuple[int, int]:
    """Return limit and stop price in ticks; zero where the kind of order has none."""
    found = []
    for name, text, types in (
        ("price", asked.price, PRICED_TYPES),
        ("stop_price", asked.stop_price, _WITH_STOP),
    ):
        words = "price" if name == "price" else "stop price"
        if order_type not in types:
            if text is not None:
                raise _invalid(
                    f"{name}_not_allowed",
                    name,
                    f"A {_type_words(order_type)} order has no {words}.",
                )
            found.append(0)
            continue
        if text is None and order_type == TRAILING_STOP:
            # It is active at once.
            found.append(0)
            continue
        if text is None:
            raise _invalid(
                f"{name}_required", name, f"A {_type_words(order_type)} order needs a {words}."
            )
        with About(name):
            found.append(parse_price(text, instrument))
    return found[0], found[1]


def _trail(asked: Asked, instrument: Instrument, order_type: int) -> tuple[int, int]:
    """Return how far a trailing stop stays behind, in ticks or in basis points."""
    given = [name for name in ("trail_amount", "trail_percent") if getattr(asked, name) is not None]
    if order_type != TRAILING_STOP:
        for name in given:
            raise _invalid(
                "trail_not_allowed", name, "Only a trailing stop has a distance to trail at."
            )
        return 0, 0
    if len(given) != 1:
        raise _invalid(
            "trail_required",
            "trail_amount",
            "Give the distance of a trailing stop either as an amount or in percent.",
        )
    with About(given[0]):
        if asked.trail_amount is not None:
            return parse_price(asked.trail_amount, instrument), 0
        trail_bps = parse_positive(asked.trail_percent, PERCENT_DECIMALS)
    if trail_bps > TRAIL_BPS_MAX:
        raise _invalid(
            "invalid_trail", "trail_percent", "A trailing stop is at most 50 percent behind."
        )
    return 0, trail_bps


def _exits(
    asked: Asked, instrument: Instrument, order_type: int, side: int
) -> tuple[int, int, int]:
    """Return the prices at which a purchase sells what it has bought; zero for those not given."""
    given = [name for name in _EXITS if getattr(asked, name) is not None]
    if not given:
        return 0, 0, 0
    if side != BUY:
        raise _invalid(
            "bracket_needs_buy",
            given[0],
            "Take-profit and stop-loss protect a purchase. Only an order to buy has them.",
        )
    if (
        order_type not in _PROTECTED
        or asked.quote_amount is not None
        or asked.display_quantity is not None
    ):
        raise _invalid(
            "bracket_not_allowed",
            given[0],
            "Only a limit, market, stop or stop-limit order by quantity, shown whole, can sell by"
            " itself what it has bought.",
        )
    if "stop_loss_limit_price" in given and "stop_loss_price" not in given:
        raise _invalid(
            "stop_loss_price_required",
            "stop_loss_price",
            "A worst price of the stop-loss needs a price at which the stop-loss wakes.",
        )
    found = dict.fromkeys(_EXITS, 0)
    for name in given:
        with About(name):
            found[name] = parse_price(getattr(asked, name), instrument)
    return found["take_profit_price"], found["stop_loss_price"], found["stop_loss_limit_price"]


def _display_lots(
    asked: Asked, instrument: Instrument, order_type: int, time_in_force: int, quantity_lots: int
) -> int:
    """Return the part that the book is to show, where it is not to show all."""
    if asked.display_quantity is None:
        return 0
    if order_type != LIMIT or time_in_force not in (GTC, GTD):
        raise _invalid(
            "display_quantity_not_allowed",
            "display_quantity",
            "Only a limit order that may rest (gtc or gtd) can show a part of itself.",
        )
    with About("display_quantity"):
        display_lots = parse_quantity(asked.display_quantity, instrument)
    if not display_lots < quantity_lots <= display_lots * ICEBERG_PARTS_MAX:
        raise _invalid(
            "invalid_display_quantity",
            "display_quantity",
            "The shown part is less than the quantity, and at least a hundredth of it.",
        )
    return display_lots


def _self_trade(asked: Asked) -> int:
    mode = _choice(
        asked.self_trade_prevention,
        SELF_TRADES,
        "self_trade_prevention",
        "invalid_self_trade_prevention",
    )
    if mode == DECREMENT and asked.quote_amount is not None:
        raise _invalid(
            "invalid_self_trade_prevention",
            "self_trade_prevention",
            "An order by quote amount has no quantity that decrement could lessen.",
        )
    return mode


def _check_notional(notional_minor: int) -> None:
    """Refuse what no balance could ever pay; the market's own maximum is the engine's to check."""
    if notional_minor > AMOUNT_MAX:
        raise _invalid(
            "notional", "quantity", "Price times quantity is larger than anything here. Order less."
        )


def _expiry_ns(asked: Asked, time_in_force: int, now: datetime) -> int:
    if asked.expires_at is None:
        if time_in_force == GTD:
            raise _invalid(
                "expires_at_required", "expires_at", "An order good till a date needs that date."
            )
        return 0
    if time_in_force != GTD:
        raise _invalid(
            "expires_at_not_allowed",
            "expires_at",
            "Only an order with time in force gtd has an end.",
        )
    given = asked.expires_at
    with About("expires_at"):
        expires_at = given if isinstance(given, datetime) else clock.parse_iso(given)
    if expires_at <= now:
        raise _invalid("expires_at_past", "expires_at", "The order would have ended already.")
    return clock.to_ns(expires_at)


def _post_only(asked: Asked, order_type: int, time_in_force: int) -> bool:
    if not isinstance(asked.post_only, bool):
        raise _invalid("invalid_post_only", "post_only", "Post-only is true or false.")
    if asked.post_only and (order_type != LIMIT or time_in_force not in (GTC, GTD)):
        raise _invalid(
            "post_only_not_allowed",
            "post_only",
            "Only a limit order that may rest (gtc or gtd) can be post-only.",
        )
    return asked.post_only


def _choice(text: object, choices: Mapping[str, _T], field: str, code: str) -> _T:
    if not isinstance(text, str) or text not in choices:
        words = field.replace("_", " ")
        raise _invalid(code, field, f"The {words} is one of {', '.join(choices)}.")
    return choices[text]


def _type_words(order_type: int) -> str:
    return next(name for name, value in ORDER_TYPES.items() if value == order_type).replace(
        "_", "-"
    )


def _invalid(code: str, field: str, words: str) -> Invalid:
    return Invalid(code, f"{words} {NOTHING}", field=field)


class About:
    """Says which field a refusal of the parsers inside is about, and that nothing was done."""

    def __init__(self, field: str, nothing: str = NOTHING) -> None:
        self._field = field
        self._nothing = nothing

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        if isinstance(failure, DomainError):
            words = f"{failure.message} {self._nothing}"
            raise type(failure)(
                failure.code, words, **{**failure.data, "field": self._field}
            ) from None
