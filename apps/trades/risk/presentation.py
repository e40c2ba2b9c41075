"""Limits, standing and losses as plain dictionaries: one shape for API, socket and pages."""

from __future__ import annotations

from typing import Final

from apps.core.clock import iso
from apps.core.money import format_minor
from apps.engine.messages import BLOCKED, NORMAL, REDUCE_ONLY
from apps.trades.risk.entry import ACTION_OF, PERCENT_SCALE, VALUE_SCALE
from apps.trades.risk.models import Restriction
from apps.trades.risk.queries import LimitsOf, Losses, Standing
from apps.trades.risk.rules import LimitSet

VALUE_DECIMALS: Final = 2
ACTION_WORDS: Final[dict[int | None, str]] = {action: word for word, action in ACTION_OF.items()}
STATE_WORDS: Final = {NORMAL: "normal", REDUCE_ONLY: "reduce_only", BLOCKED: "blocked"}


def limits_json(limits: LimitSet) -> dict[str, object]:
    return {
        "max_open_orders": limits.max_open_orders,
        "orders_per_second": limits.orders_per_second,
        "repeated_orders_per_second": limits.repeated_orders_per_second,
        "max_order_value": _value(limits.max_order_value_minor),
        "max_daily_loss": _value(limits.max_daily_loss_minor),
        "max_drawdown_percent": _percent(limits.max_drawdown_bps),
        "on_breach": ACTION_WORDS.get(limits.breach_action),
    }


def limits_of_json(found: LimitsOf) -> dict[str, object]:
    """Return all sets of an account; ``later`` is what the owner has asked to have loosened."""
    later = None
    if found.later is not None and found.later_at is not None:
        later = {**limits_json(found.later), "in_force_at": iso(found.later_at)}
    return {
        "house": limits_json(found.house),
        "own": limits_json(found.own),
        "later": later,
        "effective": limits_json(found.effective),
    }


def standing_json(standing: Standing) -> dict[str, object]:
    return {
        "state": STATE_WORDS[standing.state],
        "restrictions": [restriction_json(each) for each in standing.restrictions],
    }


def restriction_json(restriction: Restriction) -> dict[str, object]:
    """Return why, since when, until when, and what ends it."""
    return {
        "id": str(restriction.pk),
        "state": STATE_WORDS[restriction.state],
        "cause": restriction.cause,
        "own_limit": restriction.own_limit,
        "measured": _measured(restriction, restriction.measured),
        "limit": _measured(restriction, restriction.limit),
        "since": iso(restriction.since),
        "until": iso(restriction.until) if restriction.until else None,
        "lifted_at": iso(restriction.lifted_at) if restriction.lifted_at else None,
        "words": words_of(restriction),
    }


def words_of(restriction: Restriction) -> str:
    """Return the restriction in a sentence or two, for whom it is about."""
    whose = "your own limit" if restriction.own_limit else "the limit of your account"
    measured = _measured(restriction, restriction.measured)
    limit = _measured(restriction, restriction.limit)
    may = "buy"
    if restriction.state == Restriction.State.BLOCKED:
        may = "trade"
    match restriction.cause:
        case Restriction.Cause.DAILY_LOSS:
            return (
                f"You lost {measured} USDT today, and {whose} is {limit} USDT."
                f" You can {may} again when the day (UTC) is over."
            )
        case Restriction.Cause.DRAWDOWN if restriction.own_limit:
            return (
                f"Your account fell {measured} % below its highest value, and {whose} is"
                f" {limit} %. You can {may} again a day after it did."
            )
        case Restriction.Cause.DRAWDOWN:
            return (
                f"Your account fell {measured} % below its highest value, and {whose} is"
                f" {limit} %. Staff look at it with you before you can {may} again."
            )
        case Restriction.Cause.OWNER:
            return "You have frozen your account. The link in our letter opens it again."
        case _:
            return f"Staff have restricted your account: {restriction.reason}. Ask support."


def losses_json(losses: Losses) -> dict[str, object]:
    return {
        "equity": _value(losses.equity_minor),
        "day": losses.day.isoformat(),
        "day_result": _value(losses.day_result_minor),
        "day_loss": _value(losses.day_loss_minor),
        "drawdown_percent": _percent(losses.drawdown_bps),
        "judged": losses.judged,
    }


def _measured(restriction: Restriction, number: int) -> str | None:
    match restriction.cause:
        case Restriction.Cause.DAILY_LOSS:
            return _value(number)
        case Restriction.Cause.DRAWDOWN:
            return _percent(number)
        case _:
            return None


def _value(minor: int | None) -> str | None:
    return None if minor is None else format_minor(minor, VALUE_SCALE, min_decimals=VALUE_DECIMALS)


def _percent(bps: int | None) -> str | None:
    return None if bps is None else format_minor(bps, PERCENT_SCALE, min_decimals=2)
