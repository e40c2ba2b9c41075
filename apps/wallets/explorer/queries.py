"""The ledger for staff: whole movements, each with all its legs, found without reading it all.

An account's movements are found by the table's key, a reference by its index or by whoever knows
its command. What names neither is looked for among so many commands at a time, and the answer says
how far back it looked. How many queries it takes has a bound that does not grow with the ledger.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from apps.accounts.models import User
from apps.core.errors import NotAllowed
from apps.matching.queries import projected_seq
from apps.wallets.adjustments.models import Adjustment
from apps.wallets.adjustments.rules import reference_of as adjustment_reference
from apps.wallets.deposits.actions import reference_of as deposit_reference
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.explorer import origins
from apps.wallets.rules import LEG_BITS
from apps.wallets.withdrawals.models import Withdrawal

MAY_SEE: Final = "wallets.view_ledgerentry"
MOVEMENTS_SHOWN: Final = 25
LEGS_SHOWN: Final = 12
# How many entries are read for a page, at most: those of one movement count once.
ENTRIES_READ: Final = 400
# How many commands are looked through at once where neither account nor reference is named.
COMMANDS_LOOKED_AT: Final = 100_000
COMMANDS_OF_REFERENCE_MAX: Final = 50
_INDEXED_KINDS: Final = ("deposit", "withdrawal", "transfer", "adjustment")
_ID_MAX: Final = 2**63 - 1
# What is looked at for the last entry before a moment, the shortest first.
_SPANS: Final = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(days=400))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which movements; what is None does not matter. ``until`` is the first moment not wanted."""

    account_id: int | None = None
    asset_id: int | None = None
    kind: str | None = None
    reference: str | None = None
    seq: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class LegRow:
    account_id: int
    asset_id: int
    amount_minor: int
    fee_minor: int
    kind: str


@dataclass(slots=True)
class MovementRow:
    """What one event moved. ``sums`` has each asset's sum over all legs, which is zero."""

    seq: int
    event_index: int
    at: datetime
    reference: str
    first_id: int = 0
    legs_in_all: int = 0
    sums: dict[int, int] = field(default_factory=dict)
    legs: list[LegRow] = field(default_factory=list)

    @property
    def is_balanced(self) -> bool:
        return not any(self.sums.values())

    @property
    def kind(self) -> str:
        """What it was, by its first leg that is no fee."""
        return next((leg.kind for leg in self.legs if leg.kind != "fee"), "fee")

    @property
    def legs_left_out(self) -> int:
        return self.legs_in_all - len(self.legs)


@dataclass(frozen=True, slots=True)
class Found:
    """``next`` goes on with what is older; ``looked_back_to`` is the command where a look ended."""

    movements: list[MovementRow]
    next: str | None
    looked_back_to: int | None


def movements_page(*, viewer: User, wanted: Wanted, before: int | None = None) -> Found:
    """Return movements that have a leg as it is wanted, newest first, each with all its legs."""
    if not (viewer.is_active and viewer.is_staff and viewer.has_perm(MAY_SEE)):
        raise NotAllowed("staff_only", "Only staff who may see the ledger can do this.")
    below = _ID_MAX if before is None else min(before, _ID_MAX)
    with connection.cursor() as cursor:
        seqs = _commands_wanted(wanted)
        if seqs is not None and not seqs:
            return Found([], None, None)
        bottom = 0
        if seqs is None and wanted.account_id is None:
            below, bottom = _window(cursor, wanted, below)
        rows = _entries(cursor, wanted, seqs, bottom, below)
        movements = _movements(rows)
        _add_legs(cursor, movements)
    if len(movements) == MOVEMENTS_SHOWN or len(rows) == ENTRIES_READ:
        return Found(movements, str(movements[-1].first_id), None)
    if bottom:
        return Found(movements, str(bottom), bottom >> LEG_BITS)
    return Found(movements, None, None)


def _commands_wanted(wanted: Wanted) -> list[int] | None:
    """Return the commands to look at; None where neither seq nor reference is named."""
    if wanted.seq is not None:
        return [wanted.seq]
    if wanted.reference is None:
        return None
    texts = _references_of(wanted.reference)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT seq FROM wallets_ledgerentry WHERE reference = ANY(%s)"
            " AND kind IN ('deposit', 'withdrawal', 'transfer', 'adjustment')"
            " ORDER BY seq DESC LIMIT %s",
            [texts, COMMANDS_OF_REFERENCE_MAX],
        )
        found = {int(seq) for (seq,) in cursor.fetchall()}
    found.update(origins.commands_of(wanted.reference))
    return sorted(found, reverse=True)[:COMMANDS_OF_REFERENCE_MAX]


def _references_of(text: str) -> list[str]:
    """Return what the ledger may call it: ids and transactions have names of their own there."""
    found = [text]
    try:
        public_id = uuid.UUID(text)
    except ValueError:
        withdrawals = Withdrawal.objects.filter(txid=text)
        for each in ChainDeposit.objects.filter(txid=text)[:COMMANDS_OF_REFERENCE_MAX]:
            found.append(deposit_reference(each.chain, each.txid, each.output_index))
    else:
        withdrawals = Withdrawal.objects.filter(public_id=public_id)
        found.append(f"transfer:{public_id}")
        categories = Adjustment.Category.values
        found += [adjustment_reference(each, public_id.hex) for each in categories]
    return [*found, *(str(row.pk) for row in withdrawals[:COMMANDS_OF_REFERENCE_MAX])]


def _window(cursor: Any, wanted: Wanted, below: int) -> tuple[int, int]:
    """Return between which ids to look: so many commands, and none before the wanted period."""
    if below == _ID_MAX:
        below = (projected_seq() + 1) << LEG_BITS
        if wanted.until is not None:
            below = min(below, _last_id_before(cursor, wanted.until) + 1)
    bottom = max(0, below - (COMMANDS_LOOKED_AT << LEG_BITS))
    if wanted.since is not None:
        begins = _last_id_before(cursor, wanted.since)
        bottom = 0 if begins >= bottom else bottom
    return below, bottom


def _last_id_before(cursor: Any, moment: datetime) -> int:
    """Return the id of the last entry before a moment; a busy venue's is found in its minute."""
    for span in _SPANS:
        cursor.execute(
            "SELECT max(id) FROM wallets_ledgerentry WHERE at < %s AND at >= %s",
            [moment, moment - span],
        )
        (found,) = cursor.fetchone()
        if found is not None:
            return int(found)
    return 0


def _entries(
    cursor: Any, wanted: Wanted, seqs: list[int] | None, bottom: int, below: int
) -> list[tuple[int, int, int, datetime, str]]:
    """Return id, seq, event, moment and reference of the newest entries that are wanted."""
    conditions, values = ["id < %s", "id >= %s"], [below, bottom]
    filters: list[tuple[str, Any]] = [
        ("account_id = %s", wanted.account_id), ("asset_id = %s", wanted.asset_id),
        ("kind = %s", wanted.kind), ("at >= %s", wanted.since), ("at < %s", wanted.until),
    ]  # fmt: skip
    for condition, value in filters:
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if seqs is not None:
        # Ranges of ids, because that is what is indexed.
        each = "(id >= %s AND id < %s)"
        conditions.append(f"({' OR '.join([each] * len(seqs))})")
        values += [bound for seq in seqs for bound in (seq << LEG_BITS, (seq + 1) << LEG_BITS)]
    cursor.execute(
        "SELECT id, seq, event_index, at, reference FROM wallets_ledgerentry"
        f" WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT %s",  # nosec B608  # ours
        [*values, ENTRIES_READ],
    )
    found: list[tuple[int, int, int, datetime, str]] = cursor.fetchall()
    return found


def _movements(rows: list[tuple[int, int, int, datetime, str]]) -> list[MovementRow]:
    found: dict[tuple[int, int], MovementRow] = {}
    for _, seq, event_index, at, reference in rows:
        key = (seq, event_index)
        if key in found:
            continue
        if len(found) == MOVEMENTS_SHOWN:
            break
        found[key] = MovementRow(seq, event_index, at, reference)
    return list(found.values())


# All legs of an event are written at the same moment, which names their partition.
_OF_MOVEMENTS: Final = """
    FROM unnest(%s::bigint[], %s::int[], %s::timestamptz[]) AS wanted (seq, event_index, at)
    CROSS JOIN LATERAL (
        SELECT * FROM wallets_ledgerentry AS entry
        WHERE entry.at = wanted.at AND entry.id >= wanted.seq << 20
            AND entry.id < (wanted.seq + 1) << 20 AND entry.event_index = wanted.event_index
        {limit}
    ) AS leg
"""


def _add_legs(cursor: Any, movements: list[MovementRow]) -> None:
    """Add the first legs of each movement, and the sums of all of them."""
    known = {(each.seq, each.event_index): each for each in movements}
    keys = (
        [each.seq for each in movements], [each.event_index for each in movements],
        [each.at for each in movements],
    )  # fmt: skip
    cursor.execute(
        "SELECT wanted.seq, wanted.event_index, leg.asset_id, sum(leg.amount_minor)::bigint,"
        f" count(*), min(leg.id) {_OF_MOVEMENTS.format(limit='')} GROUP BY 1, 2, 3",
        keys,
    )
    for seq, event_index, asset_id, total, count, first_id in cursor.fetchall():
        row = known[seq, event_index]
        row.sums[asset_id] = total
        row.legs_in_all += count
        row.first_id = min(row.first_id or first_id, first_id)
    limit = f"ORDER BY entry.id LIMIT {LEGS_SHOWN}"
    cursor.execute(
        "SELECT wanted.seq, wanted.event_index, leg.account_id, leg.asset_id, leg.amount_minor,"
        f" leg.fee_minor, leg.kind {_OF_MOVEMENTS.format(limit=limit)} ORDER BY leg.id",
        keys,
    )
    for seq, event_index, *leg in cursor.fetchall():
        known[seq, event_index].legs.append(LegRow(*leg))
