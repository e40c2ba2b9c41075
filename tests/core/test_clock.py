"""Time as text and as nanoseconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from apps.core import clock
from apps.core.errors import Invalid


def test_nanoseconds_and_back() -> None:
    at = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)

    assert clock.to_ns(at) == 1769860800123456000
    assert clock.from_ns(1769860800123456789) == at


def test_time_is_written_in_utc() -> None:
    east = timezone(timedelta(hours=2))

    assert clock.iso(datetime(2026, 1, 31, 14, 0, tzinfo=east)) == "2026-01-31T12:00:00Z"
    assert (
        clock.iso(datetime(2026, 1, 1, 0, 0, 0, 500, tzinfo=UTC)) == "2026-01-01T00:00:00.000500Z"
    )


def test_time_is_read_with_its_offset() -> None:
    noon = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)

    assert clock.parse_iso("2026-01-31T12:00:00Z") == noon
    assert clock.parse_iso("2026-01-31T14:00:00+02:00") == noon


@pytest.mark.parametrize(
    "text",
    ["", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-13-01T00:00:00Z", "9" * 50, 5, None,
     "0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00", "1999-12-31T23:59:59Z",
     "２026-01-31T12:00:00Z"],
)  # fmt: skip
def test_time_without_offset_or_sense_is_refused(text: object) -> None:
    with pytest.raises(Invalid) as refusal:
        clock.parse_iso(text)

    assert refusal.value.code == "invalid_time"
