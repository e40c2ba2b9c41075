"""What others may ask about the journal and its projections. Belongs to no viewer."""

from __future__ import annotations

import time

from django.conf import settings
from django.db import connection


def projected_seq() -> int:
    """Return the last command that the projections have seen."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT seq FROM matching_projection_offset WHERE shard = %s",
            (settings.MATCHING_SHARD,),
        )
        row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def wait_for_seq(seq: int, timeout_seconds: float = 2.0) -> bool:
    """Wait, bounded, until what ``seq`` did can be read; return whether it can."""
    give_up_at = time.monotonic() + timeout_seconds
    pause_seconds = 0.002
    while projected_seq() < seq:
        left_seconds = give_up_at - time.monotonic()
        if left_seconds <= 0:
            return False
        time.sleep(min(pause_seconds, left_seconds))
        pause_seconds = min(pause_seconds * 2, 0.025)
    return True
