"""Orders and fills in words, from the dictionaries that API and sockets send too.

The same rules are in static/js/order-words.js, so that a row reads the same whoever drew it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from django import template

from apps.core.money import format_minor

register = template.Library()

Row = Mapping[str, object]

_SCALE: Final = 18
_TYPES: Final = {
    "limit": "Limit",
    "market": "Market",
    "stop": "Stop",
    "stop_limit": "Stop-limit",
    "take_profit": "Take-profit",
    "take_profit_limit": "Take-profit-limit",
    "trailing_stop": "Trailing stop",
}
_TRIGGERS: Final = {"trailing_stop": "from", "take_profit": "at", "take_profit_limit": "at"}
_EXITS: Final = {"take_profit_price": "profit", "stop_loss_price": "loss"}
_FORCES: Final = {
    "ioc": "at once",
    "fok": "all or nothing",
    "gtd": "until a date",
}
_STATUSES: Final = {
    "open": "Open",
    "partially_filled": "Partly filled",
    "filled": "Filled",
    "cancelled": "Cancelled",
    "rejected": "Refused",
    "expired": "Expired",
}
# Cancel, and what ends with it: whether it is one of two, and its purchase is still open.
_CANCELLED_WITH: Final = {
    (False, False): ("", " this order"),
    (True, False): (" both", " orders"),
    (False, True): (" both", ": the exit and the rest of its purchase"),
    (True, True): (" all 3", ": both exits and the rest of their purchase"),
}
# Why an order ended before it was filled, as its owner would say it.
_REASONS: Final = {
    "user": "by you",
    "cancel_all": "by you",
    "kill": "by the exchange",
    "reduce_only": "you can only sell now",
    "ioc": "rest not filled at once",
    "fok": "not all at once",
    "gtd": "date reached",
    "self_trade": "own order in the way",
    "band": "price too far away",
    "budget": "amount used up",
    "no_liquidity": "nobody left to trade with",
    "leg_removed": "taken out of the block",
    "block_amended": "less was asked for",
    "not_submitted": "never sent to the market",
    "pair": "a linked order ended",
}


@register.filter
def brief(text: object) -> str:
    """At a glance: four decimals above one, eight below; cut, with at least two."""
    if not text:
        return "–"
    whole, _, decimals = str(text).partition(".")
    decimals = decimals[: 8 if whole == "0" else 4].rstrip("0").ljust(2, "0")
    return f"{int(whole):,}.{decimals}"


@register.filter
def order_type(order: Row) -> str:
    if not order:
        return ""
    parts = [_TYPES.get(str(order["type"]), str(order["type"]))]
    if order["display_quantity"]:
        parts.append(f"shows {_grouped(order['display_quantity'])}")
    if order["trail_amount"]:
        parts.append(f"{_grouped(order['trail_amount'])} behind")
    if order["trail_percent"]:
        parts.append(f"{order['trail_percent']}% behind")
    if order["stop_price"]:
        parts.append(f"{_trigger_word(order)} {_grouped(order['stop_price'])}")
    if order["post_only"] and not order["pair_order_id"]:
        parts.append("post-only")
    if order["block_id"]:
        parts.append(f"in block {order['block_id']}")
    parts += [f"{word} at {_grouped(order[name])}" for name, word in _EXITS.items() if order[name]]
    if order["time_in_force"] != "gtc" and order["type"] != "market":
        parts.append(_FORCES[str(order["time_in_force"])])
    return " · ".join(parts)


@register.filter
def order_link(order: Row) -> str:
    """What an order is besides itself: an exit of a purchase, one of two of which one fills."""
    if not order:
        return ""
    parts = []
    if order["parent_order_id"]:
        parts.append("exit")
    if order["pair_order_id"]:
        parts.append("one of two")
    return ", ".join(parts)


@register.filter
def cancel_words(order: Row, open_purchases: Collection[object]) -> str:
    """What the button says: an exit takes the other with it, and what is left of its purchase."""
    return f"Cancel{_CANCELLED_WITH[_ending(order, open_purchases)][0]}"


@register.filter
def cancel_label(order: Row, open_purchases: Collection[object]) -> str:
    """The same in full, for those who do not see what the button stands next to."""
    button, what = _CANCELLED_WITH[_ending(order, open_purchases)]
    return f"Cancel{button}{what}"


def _ending(order: Row, open_purchases: Collection[object]) -> tuple[bool, bool]:
    if not order:
        return False, False
    return bool(order["pair_order_id"]), order["parent_order_id"] in (open_purchases or ())


def _trigger_word(order: Row) -> str:
    return _TRIGGERS.get(str(order["type"]), "stop")


@register.filter
def type_name(name: str) -> str:
    return _TYPES.get(name, name)


@register.filter
def order_price(order: Row) -> str:
    if not order:
        return ""
    return _grouped(order["price"]) if order["price"] else "Market"


@register.filter
def filled_share(order: Row) -> str:
    """How much of an order is filled, in whole percent, cut off."""
    if not order:
        return ""
    part, whole = order["filled_quantity"], order["quantity"]
    if not whole:
        part, whole = order["filled_quote"], order["quote_amount"]
    if not whole:
        return "–"
    return f"{_units(part) * 100 // _units(whole)}%"


@register.filter
def order_value(order: Row) -> str:
    """What an open order is worth at its price."""
    if not order:
        return ""
    if order["quote_amount"]:
        return brief(order["quote_amount"])
    price = order["price"] or order["stop_price"]
    if not price or not order["quantity"]:
        return "–"
    product = _units(price) * _units(order["quantity"]) // 10**_SCALE
    return brief(format_minor(product, _SCALE, min_decimals=2))


@register.filter
def filled_of(order: Row) -> str:
    if not order:
        return ""
    whole = f" / {_grouped(order['quantity'])}" if order["quantity"] else ""
    return f"{_grouped(order['filled_quantity'])}{whole}"


@register.filter
def filled_value(order: Row) -> str:
    if not order:
        return ""
    return brief(order["filled_quote"]) if _units(order["filled_quote"]) else "–"


@register.filter
def order_fee(order: Row) -> str:
    if not order:
        return ""
    return f"{brief(order['fee'])} {order['fee_asset']}" if _units(order["fee"]) else "–"


@register.filter
def fill_fee(fill: Row) -> str:
    return f"{brief(fill['fee'])} {fill['fee_asset']}" if fill else ""


@register.filter
def status_words(order: Row) -> str:
    if not order:
        return ""
    words = _STATUSES.get(str(order["status"]), str(order["status"]))
    reason = _REASONS.get(str(order["reason"] or ""), "")
    return f"{words}, {reason}" if reason and order["status"] != "filled" else words


def _units(text: object) -> int:
    """Return an amount of ours in units of 10**-18, exactly: products never lose a digit."""
    whole, _, decimals = str(text).partition(".")
    return int(whole + decimals.ljust(_SCALE, "0"))


def _grouped(text: object) -> str:
    whole, point, decimals = str(text).partition(".")
    return f"{int(whole):,}{point}{decimals}"


@register.filter
def usdt(minor: int) -> str:
    """An amount of the value asset in minor units, as staff's tables show it: cut to cents."""
    return f"{minor // 10**8:,}.{minor // 10**6 % 100:02}"
