"""What staff do to withdrawals: agree, refuse, hold, let go on.

Two that agree are two: nobody agrees twice, nor to his own withdrawal, and who is no longer staff
when the last one agrees counts no more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from apps.accounts.models import User
from apps.core.audit import because
from apps.core.errors import Conflict, Invalid, NotAllowed, NotFound
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalApproval
from apps.wallets.withdrawals.moving import (
    REASON_LENGTH_MAX,
    State,
    begin_end,
    end,
    locked,
    move,
    require_state,
)

REVIEW: Final = "wallets.change_withdrawal"


def approve_withdrawal(
    *, actor: User, withdrawal_id: int, reason: str, now: datetime
) -> Withdrawal:
    """Agree to a withdrawal; with the last one it needs, it goes out."""
    check_reviewer(actor)
    words = _reason(reason)
    with transaction.atomic(), because(words):
        withdrawal = _locked(withdrawal_id)
        _require_other(actor, withdrawal)
        if withdrawal.approvals.filter(staff=actor).exists():
            raise Conflict("already_approved", "You have agreed to this withdrawal already.")
        require_state(withdrawal, State.RISK_REVIEW)
        WithdrawalApproval.objects.create(withdrawal=withdrawal, staff=actor, reason=words, at=now)
        given = withdrawal.approvals.filter(staff__is_active=True, staff__is_staff=True).count()
        if given >= withdrawal.approvals_needed:
            withdrawal.approved_at = now
            move(withdrawal, State.APPROVED, now=now, actor=actor, reason=words)
    return withdrawal


def refuse_withdrawal(*, actor: User, withdrawal_id: int, reason: str, now: datetime) -> Withdrawal:
    """Refuse it: the money goes back to its owner."""
    check_reviewer(actor)
    words = _reason(reason)
    with transaction.atomic(), because(words):
        withdrawal = _locked(withdrawal_id)
        _require_other(actor, withdrawal)
        require_state(withdrawal, State.RISK_REVIEW, State.HELD, State.APPROVED)
        begin_end(withdrawal, State.FAILED, reason=words, now=now, actor=actor)
    return end(withdrawal_id, now=now)


def hold_withdrawal(*, actor: User, withdrawal_id: int, reason: str, now: datetime) -> Withdrawal:
    """Stop it where it is; what was agreed to before counts no more."""
    check_reviewer(actor)
    words = _reason(reason)
    with transaction.atomic(), because(words):
        withdrawal = _locked(withdrawal_id)
        require_state(withdrawal, State.CONFIRMED, State.RISK_REVIEW, State.APPROVED)
        withdrawal.approvals.all().delete()
        move(withdrawal, State.HELD, now=now, actor=actor, reason=words)
    return withdrawal


def let_go_on(*, actor: User, withdrawal_id: int, reason: str, now: datetime) -> Withdrawal:
    """Put a held one back before the reviewers, of whom at least one has to agree."""
    check_reviewer(actor)
    words = _reason(reason)
    with transaction.atomic(), because(words):
        withdrawal = _locked(withdrawal_id)
        _require_other(actor, withdrawal)
        require_state(withdrawal, State.HELD)
        withdrawal.approvals_needed = max(1, withdrawal.approvals_needed)
        move(withdrawal, State.RISK_REVIEW, now=now, actor=actor, reason=words)
    return withdrawal


def check_reviewer(actor: User) -> None:
    """Refuse who is no staff, or has not got this right."""
    if not (actor.is_active and actor.is_staff and actor.has_perm(REVIEW)):
        raise NotAllowed("staff_only", "Only staff who may decide about withdrawals can do this.")


def _require_other(actor: User, withdrawal: Withdrawal) -> None:
    if withdrawal.owner_id == actor.pk:
        raise NotAllowed("four_eyes", "Nobody decides about a withdrawal of his own.")


def _locked(withdrawal_id: int) -> Withdrawal:
    if not Withdrawal.objects.filter(pk=withdrawal_id).exclude(state=State.NEW).exists():
        raise NotFound("unknown_withdrawal", "There is no such withdrawal.")
    return locked(withdrawal_id)


def _reason(text: str) -> str:
    words = text.strip()
    if not 1 <= len(words) <= REASON_LENGTH_MAX:
        raise Invalid(
            "reason_required", f"Say why, in up to {REASON_LENGTH_MAX} characters.", field="reason"
        )
    return words
