"""Which limit holds, what counts against it, and who has to look at a withdrawal. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

DAY: Final = timedelta(hours=24)
# Whole units of the value asset, by tier: in 24 hours, in a calendar month.
TIER_LIMITS: Final = {
    0: (1_000, 5_000),
    1: (10_000, 50_000),
    2: (50_000, 500_000),
    3: (500_000, 5_000_000),
}
# So many in an hour, the new one included, are looked at by somebody.
MANY_IN_AN_HOUR: Final = 5

MANY: Final = "many"
UNKNOWN_WORTH: Final = "unknown_worth"
NEW_ADDRESS: Final = "new_address"
LARGE: Final = "large"
FLAG_WORDS: Final = {
    MANY: "many withdrawals within an hour",
    UNKNOWN_WORTH: "its worth is not known",
    NEW_ADDRESS: "the address is not in the address book",
    LARGE: "it is large",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """One rule, for a tier or a person. Amounts are of the asset, or of the value asset."""

    tier: int | None
    person_id: int | None
    asset_id: int | None
    day_minor: int
    month_minor: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A withdrawal that counts: asked for, and not called off."""

    at: datetime
    asset_id: int
    amount_minor: int
    worth_minor: int | None


@dataclass(frozen=True, slots=True)
class Room:
    """A limit and what is used of it. ``asset_id`` None means worth in the value asset."""

    asset_id: int | None
    day_minor: int
    day_used_minor: int
    month_minor: int
    month_used_minor: int

    @property
    def left_minor(self) -> int:
        day = self.day_minor - self.day_used_minor
        return max(0, min(day, self.month_minor - self.month_used_minor))


def limit_that_holds(
    limits: Iterable[Limit], *, tier: int, person_id: int, asset_id: int, value_scale: int
) -> Limit:
    """Return the most exact rule: a person's before his tier's, an asset's before any asset's.

    Who it is for weighs more than what: a rule for a person and any asset goes before one for his
    tier and this asset. Every tier has a rule of the house's for any asset.
    """
    day, month = TIER_LIMITS[tier]
    unit = 10**value_scale
    house = Limit(tier, None, None, day * unit, month * unit)
    fitting = [
        limit
        for limit in limits
        if (limit.person_id == person_id or (limit.person_id is None and limit.tier == tier))
        and limit.asset_id in (None, asset_id)
    ]
    return max(fitting, key=_exactness, default=house)


def _exactness(limit: Limit) -> tuple[bool, bool]:
    return limit.person_id is not None, limit.asset_id is not None


def room_of(limit: Limit, sent: Iterable[Sent], *, asset_id: int, now: datetime) -> Room:
    """Return what is used of a limit: in the last 24 hours, and since the first of the month."""
    day = month = 0
    begins = month_start(now)
    for each in sent:
        if limit.asset_id is None:
            amount = each.worth_minor or 0
        else:
            amount = each.amount_minor if each.asset_id == asset_id else 0
        day += amount if each.at > now - DAY else 0
        month += amount if each.at >= begins else 0
    return Room(limit.asset_id, limit.day_minor, day, limit.month_minor, month)


def month_start(now: datetime) -> datetime:
    """Return the first moment of the calendar month, in UTC."""
    at = now.astimezone(UTC)
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def flags_of(
    *, worth_minor: int | None, automatic_below_minor: int, in_last_hour: int, in_book: bool
) -> list[str]:
    """Return why somebody has to look at a withdrawal; nothing means that nobody has to."""
    found = []
    if worth_minor is None:
        found.append(UNKNOWN_WORTH)
    elif worth_minor >= automatic_below_minor:
        found.append(LARGE)
    if in_last_hour >= MANY_IN_AN_HOUR:
        found.append(MANY)
    if not in_book:
        found.append(NEW_ADDRESS)
    return found


def approvals_needed(flags: Iterable[str]) -> int:
    """Return how many members of staff must agree: two where it is large or may be."""
    found = set(flags)
    if found & {LARGE, UNKNOWN_WORTH}:
        return 2
    return 1 if found else 0
