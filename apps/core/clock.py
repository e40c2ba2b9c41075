"""The clock of the faces, and time as text. The engine never looks here: its time is journaled."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from apps.core.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What lies outside is a slip of the pen; arithmetic near the ends of the calendar would fail.
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def now_ns() -> int:
    """Return the present moment in nanoseconds since 1970."""
    return time.time_ns()


def from_ns(at_ns: int) -> datetime:
    """Return the moment in UTC; what is below a microsecond is cut off."""
    return _EPOCH + timedelta(microseconds=at_ns // 1_000)


def to_ns(at: datetime) -> int:
    """Return the moment in nanoseconds since 1970, exactly."""
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000


def iso(at: datetime) -> str:
    """Return the moment as ISO 8601 text in UTC, for example ``2026-01-31T12:00:00.500000Z``."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_iso(text: object) -> datetime:
    """Return the moment that ISO 8601 text names; the text must say its offset."""
    if not isinstance(text, str) or len(text) > 40 or not text.isascii():
        raise Invalid("invalid_time", 'Write the time like "2026-01-31T12:00:00Z".')
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("invalid_time", 'Write the time like "2026-01-31T12:00:00Z".') from None
    if at.tzinfo is None:
        raise Invalid("invalid_time", "The time must say its offset, for example with a final Z.")
    if not _EARLIEST <= at <= _LATEST:
        raise Invalid("invalid_time", "The time is out of range.")
    return at.astimezone(UTC)
