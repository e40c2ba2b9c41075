"""The order form as the site sends it, turned into the terms of an order.

It knows the form's fields and nothing of markets: every rule about prices and amounts is the
action's. Empty fields and fields that the kind of order does not have are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.core import clock
from apps.core.errors import DomainError, Invalid
from apps.trades.rules import CLIENT_ORDER_ID

TEXT_MAX: Final = 40
# The places of the form where a refusal can be said; "form" is for what fits none of them.
FIELDS: Final = {
    "price", "stop_price", "stop_limit_price", "trail", "quantity", "display_quantity",
    "expires_at", "take_profit_price", "stop_loss_price", "stop_loss_limit_price",
}  # fmt: skip
# The form's own name for two orders of which one fills.
PAIR: Final = "oco"
_SAME_FIELD: Final = {
    "quote_amount": "quantity", "trail_amount": "trail", "trail_percent": "trail",
}  # fmt: skip
# Purchases of these kinds can sell by themselves what they have bought.
_PROTECTED: Final = ("limit", "market", "stop", "stop_limit")
_STOPPED: Final = ("stop", "stop_limit", "take_profit", "take_profit_limit", "trailing_stop")
_LIMITED: Final = ("limit", "stop_limit", "take_profit_limit")


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands in the form, as typed."""

    side: str = "buy"
    type: str = "limit"
    amount: str = ""
    unit: str = "base"
    price: str = ""
    stop_price: str = ""
    stop_limit_price: str = ""
    bracket: bool = False
    take_profit_price: str = ""
    stop_loss_price: str = ""
    stop_loss_limit_price: str = ""
    trail: str = ""
    trail_unit: str = "percent"
    display_quantity: str = ""
    time_in_force: str = "gtc"
    expires_at: str = ""
    post_only: bool = False
    self_trade_prevention: str = "expire_taker"
    client_order_id: str = ""

    @property
    def advanced(self) -> bool:
        """Whether something is chosen that the folded part of the form would hide."""
        return (
            self.time_in_force != "gtc"
            or self.post_only
            or self.display_quantity != ""
            or self.stop_limit_price != ""
            or self.stop_loss_limit_price != ""
            or self.self_trade_prevention != "expire_taker"
        )

    def terms(self) -> dict[str, Any]:
        """Return the arguments of ``place_order`` that the form decides."""
        limited = self.type in _LIMITED
        # A trailing stop that begins at once has none.
        stopped = self.type in _STOPPED and (self.stop_price or self.type != "trailing_stop")
        trail = (self.trail or None) if self.type == "trailing_stop" else None
        by_percent = self.trail_unit != "quote"
        by_quote = self.unit == "quote"
        if by_quote and ((self.type, self.side) != ("market", "buy") or self._bracketed):
            raise _not_by_quote()
        return {
            "side": self.side,
            "order_type": self.type,
            "quantity": None if by_quote else self.amount,
            "quote_amount": self.amount if by_quote else None,
            "price": self.price if limited else None,
            "stop_price": self.stop_price if stopped else None,
            "trail_amount": None if by_percent else trail,
            "trail_percent": trail if by_percent else None,
            "display_quantity": (self.display_quantity or None) if self._shown else None,
            **self._exits(),
            "time_in_force": self.time_in_force if limited else _forced(self.type),
            "expires_at": _moment(self.expires_at) if self._dated else None,
            "post_only": self.post_only and self.type == "limit",
            "self_trade_prevention": self.self_trade_prevention,
            "client_order_id": self.client_order_id or None,
        }

    def pair_terms(self) -> dict[str, Any]:
        """Return the arguments of ``place_pair`` that the form decides."""
        if self.unit == "quote":
            raise _not_by_quote()
        return {
            "side": self.side,
            "quantity": self.amount,
            "price": self.price,
            "stop_price": self.stop_price,
            "stop_limit_price": self.stop_limit_price or None,
            "self_trade_prevention": self.self_trade_prevention,
            "client_order_id": self.client_order_id or None,
        }

    def _exits(self) -> dict[str, str | None]:
        names = ("take_profit_price", "stop_loss_price", "stop_loss_limit_price")
        return {name: (getattr(self, name) or None) if self._bracketed else None for name in names}

    @property
    def _bracketed(self) -> bool:
        return self.bracket and self.side == "buy" and self.type in _PROTECTED

    @property
    def _shown(self) -> bool:
        """Whether it rests in the book, where less than all of it may be shown."""
        rests = self.type == "limit" and self.time_in_force in ("gtc", "gtd")
        return rests and not self._bracketed

    @property
    def _dated(self) -> bool:
        return self.time_in_force == "gtd" and self.type in _LIMITED


def entry_of(posted: Mapping[str, str]) -> Entry:
    """Return the form's fields; what is longer than any number could be is cut, to be refused."""
    defaults = Entry()

    def text(name: str) -> str:
        return posted.get(name, getattr(defaults, name)).strip()[:TEXT_MAX]

    client_order_id = posted.get("client_order_id", "")
    return Entry(
        side=text("side"),
        type=text("type"),
        amount=text("amount"),
        unit=text("unit"),
        price=text("price"),
        stop_price=text("stop_price"),
        stop_limit_price=text("stop_limit_price"),
        bracket=posted.get("bracket") == "1",
        take_profit_price=text("take_profit_price"),
        stop_loss_price=text("stop_loss_price"),
        stop_loss_limit_price=text("stop_loss_limit_price"),
        trail=text("trail"),
        trail_unit=text("trail_unit"),
        display_quantity=text("display_quantity"),
        time_in_force=text("time_in_force"),
        expires_at=text("expires_at"),
        post_only=posted.get("post_only") == "1",
        self_trade_prevention=text("self_trade_prevention"),
        client_order_id=client_order_id if CLIENT_ORDER_ID.fullmatch(client_order_id) else "",
    )


def field_of(error: DomainError) -> str:
    """Return where in the form a refusal belongs."""
    named = str(error.data.get("field", ""))
    named = _SAME_FIELD.get(named, named)
    return named if named in FIELDS else "form"


def _not_by_quote() -> Invalid:
    return Invalid(
        "invalid_quantity",
        "Only a market buy without exits can be given in the quote asset here."
        " Nothing was ordered.",
        field="quantity",
    )


def _forced(order_type: str) -> str:
    """Market orders do not rest; a stop waits for its trigger first."""
    return "ioc" if order_type == "market" else "gtc"


def _moment(typed: str) -> str:
    """Return what a date field without an offset sends, as UTC."""
    try:
        return clock.iso(clock.parse_iso(f"{typed}Z" if typed[-1:].isdigit() else typed))
    except Invalid:
        raise Invalid(
            "invalid_time", "Choose a day and a time. Nothing was ordered.", field="expires_at"
        ) from None
