"""How people, trading, money and systems stand: figures for staff, each with the way to its queue.

Each part is read by itself, in as many queries however much there is, and is at most ten seconds
old. What is far away (Valkey, custody) and does not answer is said to be unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from django.conf import settings
from django.db import connection
from django.urls import reverse
from redis.exceptions import RedisError

from apps.accounts.kyc.models import Verification
from apps.accounts.models import Letter
from apps.core import outbox
from apps.core.errors import DomainError
from apps.core.realtime.connections import client
from apps.markets.models import Instrument
from apps.matching import queries as matching
from apps.pages.desk.queues import SOURCES, Count
from apps.trades.surveillance import markets_now
from apps.wallets.assets import all_assets
from apps.wallets.custody.interface import NETWORKS, get_custody
from apps.wallets.liabilities.models import Reconciliation
from apps.wallets.liabilities.queries import published
from apps.wallets.presentation import AssetUnits, amount_text

Tone = Literal["", "good", "warning", "alarm"]

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)
# So many of the newest people are looked at: more do not sign up in a week.
NEWEST_PEOPLE: Final = 20_000
RATE_WINDOW: Final = timedelta(minutes=5)
LAG_SECONDS_GOOD: Final = 2.0
BACKLOG_GOOD: Final = 100
SNAPSHOT_GOOD: Final = timedelta(minutes=10)
RECONCILED_GOOD: Final = timedelta(hours=26)
CELERY_QUEUES: Final = ("default", "risk", "matching")
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what it is, how much, what more there is to say, and where it leads."""

    label: str
    value: str
    note: str = ""
    link: str = ""
    tone: Tone = ""


def people(now: datetime, queue: Callable[[str], Count]) -> list[Figure]:
    day, week, most = _signed_up(now)
    approved = Verification.objects.filter(
        status=Verification.Status.APPROVED, submitted_at__gte=now - 30 * DAY,
        decided_at__gte=now - WEEK,
    ).count()  # fmt: skip
    place = reverse("admin:accounts_user_changelist")
    return [
        Figure("New people, 24 h", f"{day}{'+' if day >= most else ''}", "", place),
        Figure("New people, 7 days", f"{week}{'+' if week >= most else ''}", "", place),
        Figure("Verified, 7 days", str(approved), "verifications approved",
               f"{reverse('admin:accounts_verification_changelist')}?standing=approved"),
        waiting("Verifications waiting", "verifications", queue, now, DAY),
    ]  # fmt: skip


def _signed_up(now: datetime) -> tuple[int, int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE date_joined >= %s), count(*)"
            " FILTER (WHERE date_joined >= %s)"
            " FROM (SELECT date_joined FROM accounts_user ORDER BY id DESC LIMIT %s) AS newest",
            [now - DAY, now - WEEK, NEWEST_PEOPLE],
        )
        day, week = cursor.fetchone()
    return day, week, NEWEST_PEOPLE


def waiting(
    label: str, key: str, queue: Callable[[str], Count], now: datetime, late_after: timedelta
) -> Figure:
    """Return a queue as a figure; it warns where the oldest in it waits for too long."""
    source = next(source for source in SOURCES if source.key == key)
    found = queue(key)
    if not found.number:
        return Figure(label, "0", "nothing waits", source.link, "good")
    if found.oldest is None:
        return Figure(label, found.words, "", source.link)
    late = now - found.oldest > late_after
    note = f"oldest {age(now - found.oldest)}"
    return Figure(label, found.words, note, source.link, "warning" if late else "")


def trading(now: datetime) -> list[Figure]:
    glance = reverse("admin:trades_overview")
    markets = markets_now(now=now)
    rate = matching.command_rate(now=now, window=RATE_WINDOW)
    refusals = matching.recent_refusals(now=now, window=RATE_WINDOW)
    seconds = RATE_WINDOW // timedelta(seconds=1)
    reasons = ", ".join(f"{count} {reason}" for reason, count in refusals.reasons)
    share = refusals.refused * 100 // refusals.commands if refusals.commands else 0
    return [
        Figure("Open interest", usdt(sum(each.value_minor for each in markets)),
               f"USDT in {sum(each.orders for each in markets)} orders of people", glance),
        Figure("Commands, 5 min", f"{rate.commands:,}",
               f"{rate.commands // seconds} a second, {rate.busiest} at most", glance),
        Figure("Refused, 5 min", f"{refusals.refused:,}",
               f"{share} % of {refusals.commands:,}{': ' if reasons else ''}{reasons}", glance,
               "warning" if share >= 20 else ""),
    ]  # fmt: skip


def money(now: datetime, queue: Callable[[str], Count]) -> list[Figure]:
    return [
        _deposits(now),
        waiting("Deposits in question", "deposits", queue, now, DAY),
        waiting("Withdrawals to decide", "withdrawals", queue, now, timedelta(hours=4)),
        *_under_way(now),
        _reconciled(now),
        *_liabilities(),
    ]


def _deposits(now: datetime) -> Figure:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE state = 'credited'),"
            " count(*) FILTER (WHERE state = 'pending') FROM"
            " (SELECT state, seen_at FROM wallets_chaindeposit ORDER BY id DESC LIMIT %s) AS newest"
            " WHERE seen_at >= %s",
            [NEWEST_PEOPLE, now - DAY],
        )
        credited, pending = cursor.fetchone()
    place = reverse("admin:wallets_chaindeposit_changelist")
    return Figure("Deposits, 24 h", str(credited), f"credited; {pending} on their way", place)


def _under_way(now: datetime) -> list[Figure]:
    """Return what is to leave, and for each asset of it whether the hot wallet has enough."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT asset_id, count(*), sum(amount_minor), min(requested_at)"
            " FROM wallets_withdrawal WHERE state IN ('confirmed', 'approved', 'risk_review')"
            " AND marked_at IS NULL GROUP BY asset_id"
        )
        wanted = {row[0]: row[1:] for row in cursor.fetchall()}
    place = reverse("admin:wallets_withdrawal_changelist")
    count = sum(row[0] for row in wanted.values())
    oldest = min((row[2] for row in wanted.values()), default=None)
    note = "" if oldest is None else f"oldest {age(now - oldest)}"
    leaving = Figure("Withdrawals under way", str(count), note, place)
    return [leaving, *_hot_wallet({asset_id: int(row[1]) for asset_id, row in wanted.items()})]


def _hot_wallet(needs: dict[int, int]) -> list[Figure]:
    place = reverse("admin:wallets_chainvault_changelist")
    found = []
    known = all_assets()
    for network in NETWORKS:
        for code in network.assets:
            if code not in known:
                continue
            asset = known[code]
            need = needs.get(asset.id, 0)
            try:
                spendable = get_custody().spendable_minor(chain=network.name, asset=code)
            except DomainError:
                found.append(Figure(f"Hot wallet, {code}", UNKNOWN, "", place, "warning"))
                continue
            tone: Tone = "alarm" if need > spendable else "good" if need else ""
            note = f"{grouped(need, asset)} needed" if need else "nothing needed now"
            label = f"Hot wallet, {code}"
            found.append(Figure(label, grouped(spendable, asset), note, place, tone))
    return found


def _reconciled(now: datetime) -> Figure:
    newest = Reconciliation.objects.order_by("-id").values_list("made_at", flat=True).first()
    place = reverse("admin:wallets_chaindeposit_changelist")
    if newest is None:
        return Figure("Reconciliation", "never", "chains and ledger", place, "warning")
    rows = Reconciliation.objects.filter(made_at=newest).exclude(problem="")
    problems = list(rows.values_list("asset__code", "problem"))
    if problems:
        words = "; ".join(f"{code}: {problem}" for code, problem in problems)
        return Figure("Reconciliation", "differs", words, place, "alarm")
    late = now - newest > RECONCILED_GOOD
    note = f"chains and ledger agree, {age(now - newest)} ago"
    return Figure("Reconciliation", "agrees", note, place, "warning" if late else "good")


def _liabilities() -> list[Figure]:
    place = reverse("admin:wallets_ledgerentry_changelist")
    return [
        Figure(f"Owed, {tree.asset.code}", grouped(int(tree.total_minor), tree.asset),
               f"to {tree.leaves} accounts, {tree.made_at:%Y-%m-%d %H:%M}", place)
        for tree in published()
    ]  # fmt: skip


def system(now: datetime) -> list[Figure]:
    return [
        _engine(),
        _projector(),
        _outbox(now),
        *_celery(),
        _snapshot(now),
        _letters(now),
        _halts(),
    ]


def _engine() -> Figure:
    glance = reverse("admin:trades_overview")
    try:
        health = matching.engine_health()
    except RedisError:
        return Figure("Engine", UNKNOWN, "Valkey does not answer", glance, "alarm")
    if not health["leading"]:
        return Figure("Engine", "nobody leads", "no orders are taken", glance, "alarm")
    note = f"epoch {health['epoch']}, seq {health['seq']}, {health['inbox_entries']} in the inbox"
    if health["alarm"]:
        return Figure("Engine", "alarm", health["alarm"], glance, "alarm")
    return Figure("Engine", "leads", note, glance, "good")


def _projector() -> Figure:
    lag = matching.projector_lag()
    tone: Tone = "good" if lag.seconds <= LAG_SECONDS_GOOD else "warning"
    return Figure("Projector behind", f"{lag.seconds:.1f} s", f"{lag.commands} commands",
                  reverse("admin:trades_overview"), tone)  # fmt: skip


def _outbox(now: datetime) -> Figure:
    rows = outbox.waiting()
    failing = outbox.failing().count()
    count = sum(row.count for row in rows)
    oldest = min((row.oldest for row in rows), default=None)
    note = f"{failing} failing" + ("" if oldest is None else f", oldest {age(now - oldest)}")
    tone: Tone = "alarm" if failing else "warning" if count > BACKLOG_GOOD else "good"
    return Figure("Outbox", str(count), note, "", tone)


def _celery() -> list[Figure]:
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    found = []
    for name in CELERY_QUEUES:
        label = f"Tasks waiting, {name}"
        try:
            length = int(client().llen(f"{prefix}{name}"))
        except RedisError:
            found.append(Figure(label, UNKNOWN, "", "", "alarm"))
            continue
        found.append(Figure(label, str(length), "", "", "warning" if length > BACKLOG_GOOD else ""))
    return found


def _snapshot(now: datetime) -> Figure:
    newest = matching.newest_snapshot()
    if newest is None:
        return Figure("Last snapshot", "none", "recovery replays everything", "", "warning")
    seq, at = newest
    behind = matching.journaled_seq() - seq
    late = behind > 0 and now - at > SNAPSHOT_GOOD
    return Figure("Last snapshot", f"{age(now - at)} ago", f"{behind:,} commands since", "",
                  "warning" if late else "good")  # fmt: skip


def _letters(now: datetime) -> Figure:
    rows = Letter.objects.order_by("id").values_list("written_at", flat=True)
    times = list(rows[:1000])
    if not times:
        return Figure("Mail waiting", "0", "", "", "good")
    late = now - times[0] > timedelta(minutes=10)
    return Figure("Mail waiting", str(len(times)), f"oldest {age(now - times[0])}", "",
                  "warning" if late else "")  # fmt: skip


def _halts() -> Figure:
    place = reverse("admin:markets_instrument_changelist")
    stopped = Instrument.objects.exclude(
        state=Instrument.State.OPEN, phase=Instrument.Phase.TRADING
    )
    symbols = list(stopped.order_by("id").values_list("symbol", flat=True))
    if not symbols:
        return Figure("Markets that stand", "0", "all trade", place, "good")
    return Figure("Markets that stand", str(len(symbols)), ", ".join(symbols[:6]), place, "alarm")


def grouped(minor: int, asset: AssetUnits) -> str:
    """Return an amount exactly, with commas between thousands."""
    whole, _, decimals = amount_text(minor, asset).partition(".")
    return f"{int(whole):,}.{decimals}" if decimals else f"{int(whole):,}"


def age(passed: timedelta) -> str:
    """Return how long in the largest unit that fits: 45 s, 12 min, 3 h, 2 days."""
    seconds = max(0, int(passed.total_seconds()))
    for size, unit in ((172_800, "days"), (7_200, "h"), (120, "min")):
        if seconds >= size:
            return f"{seconds // {'days': 86_400, 'h': 3_600, 'min': 60}[unit]} {unit}"
    return f"{seconds} s"


def usdt(minor: int) -> str:
    """Return an amount of the value asset in whole units, cut."""
    return f"{minor // 10**8:,}"
