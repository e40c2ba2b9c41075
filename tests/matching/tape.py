"""A projection for tests: how many events each command had."""

from __future__ import annotations

from typing import Any

from django.db import connection

from apps.matching.journal import Batch
from apps.matching.projections import EngineView


class TapeProjection:
    """Fails when told to, in the middle of its work or after the commit."""

    name = "tape"
    version = 1
    tables = ("tape",)

    def __init__(self) -> None:
        self.fail_at_seq: int | None = None
        self.fail_to_tell = False
        self.told: list[tuple[int, int]] = []

    def apply(self, batch: Batch, cursor: Any) -> None:
        for entry in batch.entries:
            cursor.execute("INSERT INTO tape VALUES (%s, %s)", (entry.seq, len(entry.events)))
            if entry.seq == self.fail_at_seq:
                raise RuntimeError("told to fail")

    def committed(self, batch: Batch) -> None:
        self.told.append((batch.first_seq, batch.last_seq))
        if self.fail_to_tell:
            raise RuntimeError("told to fail")

    def check(self, view: EngineView) -> list[str]:
        rows = tape_rows()
        return [] if len(rows) == view.seq else [f"{len(rows)} rows at seq {view.seq}"]


def tape_rows() -> list[tuple[int, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, events FROM tape ORDER BY seq")
        return [(seq, events) for seq, events in cursor.fetchall()]
