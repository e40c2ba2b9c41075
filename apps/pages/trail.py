"""The audit trail as one list: what was written, by whom and why, whichever table it is about.

One query over all tables that are kept; each answers by its own indexes, and none more than a page.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection
from pghistory.core import event_models

from apps.accounts.models import User
from apps.accounts.queries import person_by_email
from apps.core.errors import Invalid, NotFound

MAY_SEE: Final = "core.view_auditedrow"
ROWS_SHOWN: Final = 50
FIELDS: Final = ("actor", "table", "row", "since", "until")
TEXT_LENGTH_MAX: Final = 120
_YEARS: Final = (2000, 2200)

_EVENTS: Final = """
    SELECT {place} AS place, e.pgh_id AS id, e.pgh_created_at AS at, e.pgh_label AS label,
        '{subject}' AS subject, {row_id}::text AS row_id, to_jsonb(e) AS row, c.metadata AS told
    FROM {table} AS e LEFT JOIN pghistory_context AS c ON c.id = e.pgh_context_id
    WHERE (e.pgh_created_at, {place}, e.pgh_id) < (%(at)s, %(place)s, %(id)s)
        {actor} {row} {since}
    ORDER BY e.pgh_created_at DESC, e.pgh_id DESC LIMIT %(limit)s
"""
_ROWS: Final = """
    SELECT 0 AS place, e.id, e.at, e.label, e.table_name AS subject,
        coalesce(e.row->>'id', e.row->>'account_id') AS row_id, e.row, c.metadata AS told
    FROM core_auditedrow AS e LEFT JOIN pghistory_context AS c ON c.id = e.pgh_context_id
    WHERE (e.at, 0, e.id) < (%(at)s, %(place)s, %(id)s) {actor} {row} {since} {subject}
    ORDER BY e.at DESC, e.id DESC LIMIT %(limit)s
"""
_ACTOR: Final = "AND c.metadata->>'user' = %(actor)s"


@dataclass(frozen=True, slots=True)
class TrailRow:
    """One write. ``told`` is what its request said of itself, and why."""

    place: int
    id: int
    at: datetime
    label: str
    subject: str
    row_id: str | None
    row: dict[str, Any]
    told: dict[str, Any]
    who: str

    @property
    def cursor(self) -> str:
        return f"{self.at.isoformat()}|{self.place}|{self.id}"

    @property
    def held(self) -> list[tuple[str, Any]]:
        """What the row held after it, without what the trail says of itself."""
        return [
            (name, value)
            for name, value in self.row.items()
            if not name.startswith("pgh_") and value not in (None, "")
        ]


@dataclass(frozen=True, slots=True)
class Trail:
    rows: list[TrailRow]
    next: str | None


def tables_seen(has_right: Callable[[str], bool]) -> list[str]:
    """Return the tables whose trail may be seen by who has these rights."""
    if not has_right(MAY_SEE):
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT table_name FROM core_auditedrow")
        named = [name for (name,) in cursor.fetchall()]
    mine = [model.pgh_tracked_model._meta.db_table for model in _models(has_right)]
    return sorted({*named, *mine})


def trail_page(
    *, has_right: Callable[[str], bool], texts: Mapping[str, str], before: str = ""
) -> Trail:
    """Return the newest writes that are wanted, of the tables that may be seen."""
    if not has_right(MAY_SEE):
        raise NotFound("not_found", "There is nothing here.")
    given, conditions = _wanted(texts, before)
    table = texts["table"]
    parts = []
    for number, model in enumerate(_models(has_right), start=1):
        tracked = model.pgh_tracked_model._meta.db_table
        if table not in ("", tracked):
            continue
        names = {field.name for field in model._meta.concrete_fields}
        row_id = "e.pgh_obj_id" if "pgh_obj" in names else "NULL"
        about = f"AND {row_id}::text = %(row)s" if texts["row"] else ""
        since = conditions["since"].replace("e.at", "e.pgh_created_at")
        parts.append(
            _EVENTS.format(
                place=number,
                subject=tracked,
                row_id=row_id,
                table=model._meta.db_table,
                actor=conditions["actor"],
                row=about,
                since=since,
            )  # fmt: skip
        )
    about = "AND coalesce(e.row->>'id', e.row->>'account_id') = %(row)s" if texts["row"] else ""
    subject = "AND e.table_name = %(table)s" if table else ""
    parts.append(_ROWS.format(row=about, subject=subject, **conditions))
    union = " UNION ALL ".join(f"({part})" for part in parts)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT * FROM ({union}) AS kept ORDER BY at DESC, place DESC, id DESC"  # nosec B608
            " LIMIT %(limit)s",  # The parts are ours; what is asked for is among the values.
            given,
        )
        found = cursor.fetchall()
    rows = _with_names(found[:ROWS_SHOWN])
    return Trail(rows, rows[-1].cursor if len(found) > ROWS_SHOWN else None)


def _models(has_right: Callable[[str], bool]) -> list[Any]:
    models: list[Any] = sorted(event_models(), key=lambda model: str(model._meta.db_table))
    return [
        model
        for model in models
        if has_right(f"{model._meta.app_label}.view_{model._meta.model_name}")
    ]


def _wanted(texts: Mapping[str, str], before: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values of the query, and the conditions that are asked for."""
    if any("\x00" in text for text in (*texts.values(), before)):
        raise Invalid("invalid_text", "This text cannot be looked for.")
    until = _moment(texts["until"])
    at, place, number = until or datetime(_YEARS[1], 1, 1, tzinfo=UTC), 0, 0
    if before:
        moment, _, rest = before.partition("|")
        places, _, numbers = rest.partition("|")
        if not (_is_number(places) and _is_number(numbers)):
            raise Invalid("invalid_cursor", "This cursor did not come from a page of this list.")
        at, place, number = _moment(moment) or at, int(places), int(numbers)
    given: dict[str, Any] = {
        "at": at, "place": place, "id": number, "limit": ROWS_SHOWN + 1, "row": texts["row"],
        "table": texts["table"], "since": _moment(texts["since"]),
        "actor": _number_of(texts["actor"]) if texts["actor"] else "",
    }  # fmt: skip
    return given, {
        "actor": _ACTOR if texts["actor"] else "",
        "since": "AND e.at >= %(since)s" if texts["since"] else "",
    }


def _number_of(text: str) -> str:
    """Return the number of the person, as the trail has it, by number or e-mail address."""
    if _is_number(text):
        return str(int(text))
    found = person_by_email(email=text)
    if found is None:
        raise NotFound("unknown_person", "There is no such person.")
    return str(found.pk)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = datetime(1, 1, 1, tzinfo=UTC)
    if not _YEARS[0] <= at.year <= _YEARS[1]:
        raise Invalid("invalid_moment", "Write a moment as 2026-11-22 or 2026-11-22 14:30, in UTC.")
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _with_names(found: list[Any]) -> list[TrailRow]:
    # A cursor of our own leaves JSON as text.
    told: list[dict[str, Any]] = [json.loads(row[7] or "{}") for row in found]
    numbers = {each["user"] for each in told if each.get("user") is not None}
    names = dict(User.objects.filter(pk__in=numbers).values_list("pk", "email"))
    return [
        TrailRow(
            place=place, id=number, at=at, label=label, subject=subject, row_id=row_id,
            row=json.loads(row), told=said, who=names.get(int(said.get("user") or 0), ""),
        )
        for (place, number, at, label, subject, row_id, row, _), said in zip(
            found, told, strict=True
        )
    ]  # fmt: skip
