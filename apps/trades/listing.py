"""What a list of orders or fills shows, as its address says it.

Days are those of the zone that the address names, which is where the reader's clock is; UTC where
it names none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from apps.core.errors import Invalid
from apps.markets.queries import instrument_by_symbol
from apps.trades.queries import Wanted

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2199, 12, 31)
ZONE_LENGTH_MAX: Final = 64
_NAMES: Final = {
    "orders": ("market", "side", "type", "status", "from", "to"),
    "fills": ("market", "side", "role", "from", "to"),
}


@dataclass(frozen=True, slots=True)
class Listing:
    """``filters`` holds what is chosen, empty where nothing is; ``zone`` matters with days only."""

    show: str
    filters: Mapping[str, str]
    zone: str
    wanted: Wanted

    @property
    def filtered(self) -> bool:
        return any(self.filters.values())

    @property
    def query(self) -> str:
        """The filters as an address carries them, without which list it is."""
        chosen = {name: value for name, value in self.filters.items() if value}
        if self.zone and ("from" in chosen or "to" in chosen):
            chosen["zone"] = self.zone
        return urlencode(chosen)


def listing_of(given: Mapping[str, str], show: str) -> Listing:
    """Return what the address asks for; refuse what is none of the choices."""
    filters = {name: given.get(name, "") for name in _NAMES[show]}
    if filters["market"]:
        filters["market"] = instrument_by_symbol(filters["market"]).symbol
    zone = given.get("zone", "")
    clock = _zone(zone)
    first, last = (_day(filters[name]) for name in ("from", "to"))
    wanted = Wanted(
        market=filters["market"] or None,
        side=filters["side"] or None,
        type=filters.get("type") or None,
        status=filters.get("status") or None,
        role=filters.get("role") or None,
        start=_begins(first, clock) if first else None,
        end=_begins(last + timedelta(days=1), clock) if last else None,
    )
    return Listing(show, filters, zone, wanted)


def _begins(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not FIRST_DAY <= day <= LAST_DAY:
        raise Invalid("invalid_date", 'Write a day like "2026-01-31".')
    return day


def _zone(name: str) -> tzinfo:
    if not name or len(name) > ZONE_LENGTH_MAX:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # A zone that nobody here has heard of: days are those of UTC then.
        return UTC
