"""Limits as people and programs write them, turned into whole units; each refusal names its field.

What is absent or empty limits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from apps.core.errors import DomainError, Invalid
from apps.core.money import parse_positive
from apps.trades.risk.models import DRAWDOWN_BPS_MAX, OPEN_ORDERS_MAX, PER_SECOND_MAX
from apps.trades.risk.rules import KILL, ONLY_SELL, OUTSIDE_NAMES, LimitSet

VALUE_SCALE: Final = 8
PERCENT_SCALE: Final = 2
ACTION_OF: Final = {"reduce_only": ONLY_SELL, "kill": KILL}
_COUNTS: Final = {
    "max_open_orders": OPEN_ORDERS_MAX,
    "orders_per_second": PER_SECOND_MAX,
    "repeated_orders_per_second": PER_SECOND_MAX,
}


def limits_asked(asked: Mapping[str, Any]) -> LimitSet:
    """Return limits of the API's body: counts are numbers already, amounts are decimal text."""
    return LimitSet(
        max_open_orders=asked.get("max_open_orders"),
        orders_per_second=asked.get("orders_per_second"),
        repeated_orders_per_second=asked.get("repeated_orders_per_second"),
        max_order_value_minor=_units(asked, "max_order_value", VALUE_SCALE),
        max_daily_loss_minor=_units(asked, "max_daily_loss", VALUE_SCALE),
        max_drawdown_bps=_units(asked, "max_drawdown_percent", PERCENT_SCALE, DRAWDOWN_BPS_MAX),
        breach_action=_action(asked.get("on_breach")),
    )


def limits_typed(form: Mapping[str, str]) -> LimitSet:
    """Return limits of a form, where everything is text."""
    typed: dict[str, Any] = {name: text.strip() for name, text in form.items()}
    counts = {name: _units(typed, name, 0, high) for name, high in _COUNTS.items()}
    return limits_asked({**typed, **counts})


def texts_of(form: Mapping[str, str]) -> dict[str, str]:
    """Return what stands in the form's fields, to be shown again."""
    return {name: form.get(name, "")[:40] for name in OUTSIDE_NAMES.values()}


def _action(word: str | None) -> int | None:
    if not word:
        return None
    if word not in ACTION_OF:
        known = ", ".join(ACTION_OF)
        raise Invalid("invalid_choice", f"Choose one of: {known}.", field="on_breach")
    return ACTION_OF[word]


def _units(asked: Mapping[str, Any], name: str, scale: int, high: int | None = None) -> int | None:
    text = asked.get(name)
    if text is None or text == "":
        return None
    try:
        units = parse_positive(text, scale)
    except DomainError as error:
        raise Invalid(error.code, error.message, field=name) from None
    if high is not None and units > high:
        most = high if scale == 0 else high // 10**scale
        raise Invalid("invalid_limit", f"At most {most} is possible here.", field=name)
    return units
