"""Whether a confirmed withdrawal goes out by itself or is looked at first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings

from apps.accounts.models import User
from apps.wallets.assets import asset_by_code
from apps.wallets.withdrawals.models import Withdrawal
from apps.wallets.withdrawals.moving import State, move
from apps.wallets.withdrawals.rules import FLAG_WORDS, approvals_needed, flags_of
from apps.wallets.worth import VALUE_ASSET

HOUR: Final = timedelta(hours=1)


def judge(withdrawal: Withdrawal, *, actor: User, now: datetime) -> None:
    """Confirm the withdrawal, whose row the caller holds, and decide who has to look at it."""
    move(withdrawal, State.CONFIRMED, now=now, actor=actor)
    below = settings.WITHDRAWAL_AUTOMATIC_BELOW * 10 ** asset_by_code(VALUE_ASSET).scale
    recent = Withdrawal.objects.filter(
        owner_id=withdrawal.owner_id, requested_at__gt=now - HOUR
    ).exclude(state__in=(State.NEW, State.CANCELLED, State.FAILED))
    flags = flags_of(
        worth_minor=withdrawal.worth_minor,
        automatic_below_minor=below,
        in_last_hour=recent.count(),
        in_book=withdrawal.in_book,
    )
    withdrawal.approvals_needed = approvals_needed(flags)
    if flags:
        words = ", ".join(FLAG_WORDS[flag] for flag in flags)
        move(withdrawal, State.RISK_REVIEW, now=now, reason=words)
    else:
        withdrawal.approved_at = now
        move(withdrawal, State.APPROVED, now=now)
