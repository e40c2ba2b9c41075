"""The watch over accounts: every second their figures, limits that were breached, what is due.

One pass reads all accounts with open risk by one query for every ``ACCOUNTS_PER_QUERY`` of them.
A pass that comes while another is at work goes home: nobody is judged twice, and nothing piles up.
What was found is written before the engine is told, so that a pass that dies is finished by the
next one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F

from apps.core.errors import DomainError, Unavailable
from apps.engine.messages import BUY
from apps.trades.positions import FIGURE_MAX_MINOR, VALUE_ASSET_ID
from apps.trades.risk import events
from apps.trades.risk.actions import (
    apply_account,
    lift_restriction,
    loosen_in_time,
    restrict_for_breach,
    take_watch,
)
from apps.trades.risk.marks import Mark, look_at_marks
from apps.trades.risk.models import Restriction, RiskLimits, RiskState
from apps.trades.risk.rules import (
    Breach,
    Figures,
    LimitSet,
    Memory,
    advance,
    breaches,
)

logger = logging.getLogger(__name__)

ACCOUNTS_PER_QUERY: Final = 10_000
# What is due is done so many at a time; the rest a second later.
DUE_PER_PASS: Final = 500
# Somebody whose position is flat is looked at for so long after it moved last.
FLAT_FOR: Final = timedelta(seconds=60)

# What a purchase in a block reserves is in escrow, and still its owner's: his open orders say it.
# They are only read while there is any escrow at all.
_FIGURES: Final = f"""
    SELECT held.account_id,
        held.value_minor + least(coalesce(cash.available_minor, 0)
            + greatest(coalesce(cash.held_minor, 0), coalesce(ordered.minor, 0)),
            {FIGURE_MAX_MINOR})::bigint,
        held.profit_minor, held.is_priced,
        state.day, state.day_profit_minor, state.peak_profit_minor, state.paid_in_minor,
        house.max_daily_loss_minor, house.max_drawdown_bps, house.breach_action,
        own.max_daily_loss_minor, own.max_drawdown_bps, own.breach_action
    FROM (
        SELECT position.account_id,
            least(sum(coalesce(worth.minor, cost_minor)), {FIGURE_MAX_MINOR})::bigint
                AS value_minor,
            least(greatest(
                sum(coalesce(worth.minor, cost_minor) - cost_minor + realised_minor - fees_minor),
                -{FIGURE_MAX_MINOR}), {FIGURE_MAX_MINOR})::bigint AS profit_minor,
            bool_or(mark.fresh) FILTER (WHERE quantity_minor > 0) IS NOT FALSE AS is_priced
        FROM trades_position AS position
        LEFT JOIN unnest(
            %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[], %s::boolean[]
        ) AS mark (asset_id, price_ticks, tick_lot_minor, lot_minor, fresh)
            ON mark.asset_id = position.asset_id
        CROSS JOIN LATERAL (
            SELECT div(quantity_minor::numeric * price_ticks * tick_lot_minor, lot_minor) AS minor
        ) AS worth
        WHERE position.account_id > %s AND (%s::bigint IS NULL OR position.account_id = %s)
        GROUP BY position.account_id
        HAVING bool_or(quantity_minor > 0) OR max(position.at) > %s
        ORDER BY position.account_id LIMIT %s
    ) AS held
    LEFT JOIN wallets_balance AS cash
        ON cash.account_id = held.account_id AND cash.asset_id = %s
    LEFT JOIN LATERAL (
        SELECT sum(orders.held_minor) AS minor FROM trades_order AS orders
        JOIN markets_instrument AS market ON market.id = orders.instrument_id
        WHERE (SELECT EXISTS (
                SELECT FROM wallets_balance AS escrow WHERE escrow.account_id < 0
                    AND escrow.asset_id = {VALUE_ASSET_ID}
                    AND escrow.available_minor + escrow.held_minor > 0))
            AND orders.account_id = held.account_id AND orders.side = {BUY}
            AND orders.status IN ('open', 'partially_filled')
            AND market.quote_id = {VALUE_ASSET_ID}
    ) AS ordered ON true
    LEFT JOIN trades_riskstate AS state ON state.account_id = held.account_id
    LEFT JOIN trades_risklimits AS house
        ON house.account_id = held.account_id AND house.source = 'house'
    LEFT JOIN trades_risklimits AS own
        ON own.account_id = held.account_id AND own.source = 'own'
    ORDER BY held.account_id
"""  # nosec B608  # a whole number of ours
_REMEMBER: Final = """
    INSERT INTO trades_riskstate (account_id, day, day_profit_minor, peak_profit_minor,
        paid_in_minor, wanted_version, applied_version, wanted_state)
    SELECT found.*, 0, 0, 0 FROM unnest(
        %s::bigint[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[]
    ) AS found
    ON CONFLICT (account_id) DO UPDATE SET day = excluded.day,
        day_profit_minor = excluded.day_profit_minor,
        peak_profit_minor = excluded.peak_profit_minor, paid_in_minor = excluded.paid_in_minor
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """An account with open risk. Without a fresh mark it is valued, but not judged."""

    account_id: int
    figures: Figures
    is_priced: bool
    day: date | None
    day_profit_minor: int
    peak_profit_minor: int | None
    paid_in_minor: int
    house: LimitSet
    own: LimitSet

    def memory(self, today: date) -> Memory | None:
        """Return what is remembered; what was forgotten on purpose begins with the figures."""
        if self.day is None and self.peak_profit_minor is None:
            return None
        profit = self.figures.profit_minor
        forgot_day, forgot_peak = self.day is None, self.peak_profit_minor is None
        return Memory(
            today if forgot_day else self.day or today,
            profit if forgot_day else self.day_profit_minor,
            profit if forgot_peak else self.peak_profit_minor or 0,
            self.paid_in_minor,
        )


def look_once(*, now: datetime) -> int:
    """Do one pass; return how many accounts were looked at, -1 where another pass is at work."""
    _do_what_is_due(now)
    marks = look_at_marks(now=now)
    after, count = 0, 0
    while True:
        with transaction.atomic():
            if not take_watch(wait=False):
                return -1
            accounts = watched(marks, now=now, after=after)
            stopped = _judge(accounts, now)
        for restriction in stopped:
            _stop(restriction, now)
        count += len(accounts)
        if len(accounts) < ACCOUNTS_PER_QUERY:
            return count
        after = accounts[-1].account_id


def watched(
    marks: Sequence[Mark], *, now: datetime, after: int = 0, only: int | None = None
) -> list[Watched]:
    """Return accounts with open risk, those after one by number, or only one, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(
            _FIGURES,
            [
                [mark.instrument.base_id for mark in marks],
                [mark.price_ticks for mark in marks],
                [mark.instrument.tick_lot_minor for mark in marks],
                [mark.instrument.lot_minor for mark in marks],
                [mark.fresh for mark in marks],
                after, only, only, now - FLAT_FOR, ACCOUNTS_PER_QUERY, VALUE_ASSET_ID,
            ],
        )  # fmt: skip
        return [_watched(row) for row in cursor.fetchall()]


def _watched(row: Sequence[Any]) -> Watched:
    account_id, equity, profit, is_priced, day, began, peak, paid_in, *limits = row
    return Watched(
        account_id,
        Figures(equity, profit),
        is_priced,
        day,
        began or 0,
        peak,
        paid_in or 0,
        _judged_by(*limits[:3]),
        _judged_by(*limits[3:]),
    )


def _judged_by(loss_minor: int | None, drawdown_bps: int | None, action: int | None) -> LimitSet:
    return LimitSet(
        max_daily_loss_minor=loss_minor, max_drawdown_bps=drawdown_bps, breach_action=action
    )


def _judge(accounts: Iterable[Watched], now: datetime) -> list[Restriction]:
    """Remember what the figures come to; write down and return who has lost more than he may."""
    changed: list[tuple[int, Memory]] = []
    found: list[tuple[int, Breach]] = []
    today = now.date()
    for account in accounts:
        if not account.is_priced:
            continue
        before = account.memory(today)
        memory = advance(before, account.figures, today)
        if memory != before or account.day is None or account.peak_profit_minor is None:
            changed.append((account.account_id, memory))
        for breach in breaches(memory, account.figures, house=account.house, own=account.own):
            found.append((account.account_id, breach))
    if changed:
        _remember(changed)
    stopped = _stopped([account_id for account_id, _ in found])
    placed = [
        restrict_for_breach(account_id=account_id, breach=breach, now=now)
        for account_id, breach in found
        if (account_id, breach.cause, breach.own_limit) not in stopped
    ]
    return [restriction for restriction in placed if restriction is not None]


def _stopped(account_ids: list[int]) -> set[tuple[int, str, bool]]:
    """Return what is written down already; whom the house has stopped his own limit does not."""
    if not account_ids:
        return set()
    rows = Restriction.objects.filter(account_id__in=account_ids, lifted_at=None)
    found = set(rows.values_list("account_id", "cause", "own_limit"))
    return found | {(account_id, cause, True) for account_id, cause, _ in found}


def _stop(restriction: Restriction, now: datetime) -> None:
    logger.warning(
        "Account %s is %s: %s of %s, limit %s.",
        restriction.account_id, restriction.get_state_display(), restriction.cause,
        restriction.measured, restriction.limit,
    )  # fmt: skip
    account_id = restriction.account_id
    _try(partial(apply_account, account_id=account_id, now=now), account_id)
    events.restricted(restriction)


def _remember(changed: Sequence[tuple[int, Memory]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _REMEMBER,
            [
                [account_id for account_id, _ in changed],
                [memory.day for _, memory in changed],
                [memory.day_profit_minor for _, memory in changed],
                [memory.peak_profit_minor for _, memory in changed],
                [memory.paid_in_minor for _, memory in changed],
            ],
        )


def _do_what_is_due(now: datetime) -> None:
    """End restrictions and loosen limits whose time has come; tell the engine what it missed."""
    over = Restriction.objects.filter(lifted_at=None, until__lte=now).order_by("until")
    for restriction in over[:DUE_PER_PASS]:
        _try(partial(_end, restriction, now), restriction.account_id)
    later = RiskLimits.objects.filter(source=RiskLimits.Source.OWN_LATER, in_force_at__lte=now)
    due = later.order_by("in_force_at").values_list("account_id", flat=True)
    for account_id in due[:DUE_PER_PASS]:
        _try(partial(loosen_in_time, account_id=account_id, now=now), account_id)
    untold = RiskState.objects.filter(wanted_version__gt=F("applied_version"))
    waiting = untold.order_by("account_id").values_list("account_id", flat=True)
    for account_id in waiting[:DUE_PER_PASS]:
        if not _try(partial(apply_account, account_id=account_id, now=now), account_id):
            # An engine that is away would be waited for once for each of them.
            return


def _end(restriction: Restriction, now: datetime) -> None:
    lift_restriction(actor=None, restriction=restriction, reason="Its time is over.", now=now)


def _try(step: Callable[[], None], account_id: int) -> bool:
    """Do a step that the next pass would do again; False says that the engine is away."""
    try:
        step()
    except Unavailable as failure:
        logger.warning("Account %s waits: %s.", account_id, failure.code)
        return False
    except DomainError as failure:
        # Another pass, or staff, was faster; or the engine does not know the account yet.
        logger.warning("Account %s: %s.", account_id, failure.code)
    return True
