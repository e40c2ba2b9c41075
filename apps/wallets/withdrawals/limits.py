"""How much a person can withdraw: reads what was sent and which limit holds."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Q

from apps.accounts.models import User
from apps.accounts.queries import tier_of
from apps.core.errors import Refused
from apps.core.money import format_minor
from apps.wallets.assets import Asset, asset_by_code
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalLimit
from apps.wallets.withdrawals.rules import (
    DAY,
    Limit,
    Room,
    Sent,
    limit_that_holds,
    month_start,
    room_of,
)
from apps.wallets.worth import VALUE_ASSET

# What was called off, or has come back, counts no more; what is only being written down not yet.
_UNCOUNTED: Final = (Withdrawal.State.NEW, Withdrawal.State.FAILED, Withdrawal.State.CANCELLED)


def room_for(*, person: User, asset: Asset, now: datetime) -> Room:
    """Return the limit that holds for the person and the asset, and what is used of it."""
    tier = tier_of(person_id=person.pk)
    rows = WithdrawalLimit.objects.filter(
        Q(person=person) | Q(tier=tier), Q(asset_id=asset.id) | Q(asset=None)
    )
    limits = [
        Limit(row.tier, row.person_id, row.asset_id, row.day_minor, row.month_minor) for row in rows
    ]
    holds = limit_that_holds(
        limits, tier=tier, person_id=person.pk, asset_id=asset.id,
        value_scale=asset_by_code(VALUE_ASSET).scale,
    )  # fmt: skip
    return room_of(holds, sent_by(person, now), asset_id=asset.id, now=now)


def sent_by(person: User, now: datetime) -> list[Sent]:
    """Return what the person has asked to withdraw lately, as far as it counts."""
    since = min(now - DAY, month_start(now))
    rows = Withdrawal.objects.filter(
        owner=person, requested_at__gte=since, ends_as__in=("", "settled")
    )
    counted = rows.exclude(state__in=_UNCOUNTED)
    return [
        Sent(*row)
        for row in counted.values_list("requested_at", "asset_id", "amount_minor", "worth_minor")
    ]


def check_room(
    *, person: User, asset: Asset, amount_minor: int, worth_minor: int | None, now: datetime
) -> None:
    """Refuse what is more than may leave. What has no price is looked at by staff instead."""
    room = room_for(person=person, asset=asset, now=now)
    wanted = amount_minor if room.asset_id is not None else worth_minor
    if wanted is None or wanted <= room.left_minor:
        return
    unit = asset if room.asset_id is not None else asset_by_code(VALUE_ASSET)
    left = format_minor(room.left_minor, unit.scale, min_decimals=unit.display_decimals)
    raise Refused(
        "withdrawal_limit",
        f"That is more than you can withdraw now: {left} {unit.code} are left of your limit."
        " Nothing moved. A higher level of verification raises it.",
        field="amount",
        left=left,
        left_asset=unit.code,
    )
