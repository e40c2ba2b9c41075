"""What waits for staff, all in one place: how much, since when, and what it is.

Each queue is for those who may decide in it. Counts are cut off, so that they cost the same always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import F, QuerySet
from django.urls import reverse

from apps.accounts.casework.actions import MAY_FREEZE
from apps.accounts.kyc.models import Verification
from apps.accounts.kyc.queries import MAY_REVIEW
from apps.accounts.personal.models import Deletion
from apps.core import clock
from apps.markets.actions import RUN_MARKETS
from apps.markets.models import StaffRequest
from apps.pages.desk.kept import kept
from apps.wallets.adjustments.actions import MAY_DECIDE
from apps.wallets.adjustments.models import Adjustment
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.models import Withdrawal
from apps.wallets.presentation import amount_text
from apps.wallets.withdrawals.reviewing import REVIEW

ROWS_SHOWN: Final = 25
COUNTED_MAX: Final = 1000
HasRight = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that waits. ``words`` say what, ``link`` is where it is decided."""

    words: str
    since: datetime | None
    link: str
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a queue comes from; who has ``right`` may see it."""

    key: str
    title: str
    icon: str
    right: str
    page: str
    query: str
    waiting: Callable[[datetime], QuerySet[Any]]
    since: str
    row_of: Callable[[Any], Row]

    @property
    def link(self) -> str:
        return f"{reverse(self.page)}{self.query}"


@dataclass(frozen=True, slots=True)
class Count:
    """How many wait, and since when the oldest one has."""

    number: int
    oldest: datetime | None

    @property
    def words(self) -> str:
        return f"{COUNTED_MAX}+" if self.number >= COUNTED_MAX else str(self.number)


@dataclass(frozen=True, slots=True)
class Queue:
    source: Source
    count: Count
    rows: list[Row]


def queues(*, has_right: HasRight, now: datetime) -> list[Queue]:
    """Return each queue of whoever looks with what waits longest in it, as it is this moment."""
    found = []
    for source in _sources_of(has_right):
        waiting = source.waiting(now).order_by(F(source.since).asc(nulls_first=True))
        rows = [source.row_of(row) for row in waiting[:ROWS_SHOWN]]
        found.append(Queue(source, _count(source, now), rows))
    return found


def counts(*, has_right: HasRight) -> list[tuple[Source, Count]]:
    """Return how much waits in each queue of whoever looks; at most ten seconds old."""
    known = kept("queues", _all_counts)
    return [(source, known[source.key]) for source in _sources_of(has_right)]


def _sources_of(has_right: HasRight) -> list[Source]:
    return [source for source in SOURCES if has_right(source.right)]


def _all_counts() -> dict[str, Count]:
    now = clock.now()
    return {source.key: _count(source, now) for source in SOURCES}


def _count(source: Source, now: datetime) -> Count:
    """One query for both; the oldest is exact as long as the count is."""
    times = source.waiting(now).order_by().values_list(source.since, flat=True)[:COUNTED_MAX]
    found = list(times)
    return Count(len(found), min((at for at in found if at is not None), default=None))


def _verifications(now: datetime) -> QuerySet[Verification]:
    waits = (Verification.Status.WAITING, Verification.Status.PROPOSED)
    rows = Verification.objects.filter(status__in=waits)
    return rows.select_related("person", "proposed_by").defer("details")


def _verification(row: Verification) -> Row:
    link = reverse("admin:accounts_verification_change", args=[row.pk])
    words = f"Level {row.tier} of {row.person.email}"
    return Row(words, row.submitted_at, link, str(row.proposed_by or ""))


def _withdrawals(now: datetime) -> QuerySet[Withdrawal]:
    states = (Withdrawal.State.RISK_REVIEW, Withdrawal.State.HELD)
    return Withdrawal.objects.filter(state__in=states).select_related("owner", "asset")


def _withdrawal(row: Withdrawal) -> Row:
    link = reverse("admin:wallets_withdrawal_change", args=[row.pk])
    amount = f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"
    words = f"{amount} of {row.owner.email}: {row.get_state_display().replace('_', ' ')}"
    return Row(words, row.requested_at, link)


def _requests(now: datetime) -> QuerySet[StaffRequest]:
    rows = StaffRequest.objects.filter(status=StaffRequest.Status.PENDING, expires_at__gt=now)
    return rows.select_related("instrument", "asked_by")


def _request(row: StaffRequest) -> Row:
    link = reverse("admin:markets_staffrequest_change", args=[row.pk])
    words = f"{row.get_kind_display()} {row.instrument or ''}: {row.reason}"
    return Row(words, row.asked_at, link, str(row.asked_by))


def _deposits(now: datetime) -> QuerySet[ChainDeposit]:
    # One that was credited and has left its chain is in question, too.
    return ChainDeposit.objects.exclude(problem="").select_related("asset")


def _deposit(row: ChainDeposit) -> Row:
    link = reverse("admin:wallets_chaindeposit_change", args=[row.pk])
    amount = f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"
    return Row(f"{amount}: {row.problem}", row.seen_at, link)


def _adjustments(now: datetime) -> QuerySet[Adjustment]:
    rows = Adjustment.objects.filter(state=Adjustment.State.REQUESTED, expires_at__gt=now)
    return rows.select_related("account__owner", "asset", "requested_by")


def _adjustment(row: Adjustment) -> Row:
    link = reverse("admin:wallets_adjustment_change", args=[row.pk])
    amount = f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"
    words = f"{amount}, {row.get_category_display().lower()}, account of {row.account.owner}"
    return Row(words, row.requested_at, link, str(row.requested_by))


def _deletions(now: datetime) -> QuerySet[Deletion]:
    rows = Deletion.objects.filter(taken_back_at=None, done_at=None, due_at__lte=now)
    return rows.exclude(held_up_by="").select_related("person")


def _deletion(row: Deletion) -> Row:
    link = reverse("person_file", args=[row.person.public_id])
    why = row.held_up_by.replace("_", " ")
    return Row(f"{row.person.email} is to be deleted; in the way: {why}", row.due_at, link)


SOURCES: Final = (
    Source("verifications", "Verifications", "badge", MAY_REVIEW,
           "admin:accounts_verification_changelist", "", _verifications, "submitted_at",
           _verification),
    Source("withdrawals", "Withdrawals", "outbox", REVIEW, "admin:wallets_withdrawal_changelist",
           "", _withdrawals, "requested_at", _withdrawal),
    Source("adjustments", "Corrections of balances", "balance", MAY_DECIDE,
           "admin:wallets_adjustment_changelist", "", _adjustments, "requested_at", _adjustment),
    Source("requests", "Market requests", "approval", RUN_MARKETS,
           "admin:markets_staffrequest_changelist", "?status__exact=pending", _requests,
           "asked_at", _request),
    Source("deposits", "Deposits in question", "inbox", REVIEW,
           "admin:wallets_chaindeposit_changelist", "?trouble=yes", _deposits, "seen_at", _deposit),
    Source("deletions", "Deletions held up", "person_remove", MAY_FREEZE, "staff_queues",
           "#deletions", _deletions, "due_at", _deletion),
)  # fmt: skip
