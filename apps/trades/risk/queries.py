"""Reads of what an account may risk, what it has lost, and why it may not buy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from apps.accounts.models import User
from apps.engine.messages import NORMAL
from apps.trades.queries import owned_account
from apps.trades.risk.actions import house_limits, limit_sets, limits_in
from apps.trades.risk.marks import known_marks
from apps.trades.risk.models import Restriction, RiskLimits, RiskState
from apps.trades.risk.rules import (
    LimitSet,
    advance,
    day_loss_minor,
    drawdown_bps,
    narrower,
)
from apps.trades.risk.watch import watched
from apps.wallets.models import TradingAccount

PAST_RESTRICTIONS = 20


@dataclass(frozen=True, slots=True)
class LimitsOf:
    """The limits of an account by who set them, and those that hold: always the narrower."""

    house: LimitSet
    own: LimitSet
    later: LimitSet | None
    later_at: datetime | None
    effective: LimitSet


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account may do at present, and what keeps it from the rest.

    ``applied`` is false while the engine has yet to hear of the last change.
    """

    state: int
    restrictions: list[Restriction]
    applied: bool


@dataclass(frozen=True, slots=True)
class Losses:
    """Where an account is, measured as its limits are. ``judged`` is false while prices are old."""

    equity_minor: int
    day: date
    day_result_minor: int
    day_loss_minor: int
    drawdown_bps: int
    judged: bool


def limits_of(*, viewer: User | None, account: TradingAccount | None = None) -> LimitsOf:
    return limits_as_set(owned_account(viewer, account).id)


def limits_as_set(account_id: int) -> LimitsOf:
    """Return the limits of an account, for its owner's pages and for staff."""
    sets = limit_sets(account_id)
    house, own = house_limits(sets), limits_in(sets.get(RiskLimits.Source.OWN))
    later = sets.get(RiskLimits.Source.OWN_LATER)
    return LimitsOf(
        house,
        own,
        None if later is None else limits_in(later),
        None if later is None else later.in_force_at,
        narrower(house, own),
    )


def standing_of(*, viewer: User | None, account: TradingAccount | None = None) -> Standing:
    return standing_as_decided(owned_account(viewer, account).id)


def standing_as_decided(account_id: int) -> Standing:
    """Return the standing of an account, for its owner's pages and for staff."""
    active = list(
        Restriction.objects.filter(account_id=account_id, lifted_at=None).order_by("-state", "id")
    )
    kept = RiskState.objects.filter(account_id=account_id).first()
    state = active[0].state if active else NORMAL
    return Standing(state, active, kept is None or kept.applied_version >= kept.wanted_version)


def past_restrictions(
    *, viewer: User | None, account: TradingAccount | None = None
) -> list[Restriction]:
    """Return what was lifted already, newest first."""
    owned = owned_account(viewer, account)
    rows = Restriction.objects.filter(account=owned, lifted_at__isnull=False)
    return list(rows.order_by("-id")[:PAST_RESTRICTIONS])


def losses_of(
    *, viewer: User | None, account: TradingAccount | None = None, now: datetime
) -> Losses | None:
    """Return today's result and the drawdown; None for an account without open risk."""
    return losses_as_measured(owned_account(viewer, account).id, now=now)


def losses_as_measured(account_id: int, *, now: datetime) -> Losses | None:
    """Return them as the watch would find them now, for the owner's pages and for staff."""
    found = watched(known_marks(now=now), now=now, only=account_id)
    if not found:
        return None
    account, today = found[0], now.date()
    memory = advance(account.memory(today), account.figures, today)
    return Losses(
        account.figures.equity_minor,
        today,
        account.figures.profit_minor - memory.day_profit_minor,
        day_loss_minor(memory, account.figures),
        drawdown_bps(memory, account.figures),
        account.is_priced,
    )
