"""How a withdrawal goes from one state to the next, and how it ends.

Whatever changes a withdrawal holds its row. An ending is written down first (``ends_as``), then the
engine ends the hold, then the state changes: who reads that a withdrawal failed finds the money
back, and nothing is ever both settled and released.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from apps.accounts.models import User
from apps.core import outbox
from apps.core.errors import Conflict, Refused
from apps.core.money import format_minor
from apps.engine.messages import Release, Settle
from apps.matching.gateway import derived_command_id, get_gateway, valid_until_ns
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalStep

VALID_SECONDS: Final = 30
REASON_LENGTH_MAX: Final = 200
State: Final = Withdrawal.State
# What has not come to hold anything yet is nobody's to see.
SHOWN_STATES: Final = [(each.value, each.label) for each in State if each != State.NEW]
OVER: Final = (State.SETTLED, State.FAILED, State.CANCELLED)
# As long as nothing may have left, its owner can call it off; what staff hold stays.
CANCELLABLE: Final = (State.REQUESTED, State.CONFIRMED, State.RISK_REVIEW, State.APPROVED)
_TOLD: Final = {
    State.SETTLED: "withdrawal_settled",
    State.FAILED: "withdrawal_failed",
    State.CANCELLED: "withdrawal_cancelled",
}


def locked(withdrawal_id: int) -> Withdrawal:
    """Return the withdrawal and hold its row until the end of the transaction."""
    rows = Withdrawal.objects.select_for_update(of=("self",)).select_related("asset", "owner")
    return rows.get(pk=withdrawal_id)


def require_state(withdrawal: Withdrawal, *states: str) -> None:
    """Refuse what is not possible in the withdrawal's state, or while it ends."""
    if withdrawal.state not in states or withdrawal.ends_as:
        words = State(withdrawal.ends_as or withdrawal.state).label.lower()
        raise Conflict(
            "withdrawal_state",
            f"This is not possible any more, or not yet: the withdrawal is {words}.",
            state=withdrawal.ends_as or withdrawal.state,
        )


def move(
    withdrawal: Withdrawal,
    state: str,
    *,
    now: datetime,
    actor: User | None = None,
    reason: str = "",
) -> None:
    """Put the withdrawal, whose row the caller holds, into another state and note the step."""
    withdrawal.state, withdrawal.reason = state, reason[:REASON_LENGTH_MAX]
    withdrawal.save()
    WithdrawalStep.objects.create(
        withdrawal=withdrawal, at=now, state=state, actor=actor, reason=withdrawal.reason
    )


def begin_end(
    withdrawal: Withdrawal,
    ends_as: str,
    *,
    reason: str = "",
    now: datetime,
    actor: User | None = None,
) -> None:
    """Write down how the withdrawal, whose row the caller holds, is going to end."""
    withdrawal.ends_as, withdrawal.reason = ends_as, reason[:REASON_LENGTH_MAX]
    withdrawal.save(update_fields=["ends_as", "reason"])
    # The step says who did it, which the end itself no longer knows.
    WithdrawalStep.objects.create(
        withdrawal=withdrawal, at=now, state=ends_as, actor=actor, reason=withdrawal.reason
    )


def end(withdrawal_id: int, *, now: datetime) -> Withdrawal:
    """Have the engine end the hold, and say so; done again, it changes nothing."""
    with transaction.atomic():
        withdrawal = locked(withdrawal_id)
        if not withdrawal.ends_as or withdrawal.state in OVER:
            return withdrawal
        _end_hold(withdrawal)
        was_new = withdrawal.state == State.NEW
        withdrawal.state, withdrawal.ended_at = withdrawal.ends_as, now
        withdrawal.save(update_fields=["state", "ended_at"])
        if not was_new:
            tell(withdrawal, _TOLD[State(withdrawal.state)], now)
    return withdrawal


def _end_hold(withdrawal: Withdrawal) -> None:
    settles = withdrawal.ends_as == State.SETTLED
    command = Settle if settles else Release
    name = "settle" if settles else "release"
    reply = get_gateway().submit(
        command(
            derived_command_id("withdrawal", name, str(withdrawal.pk)),
            valid_until_ns(VALID_SECONDS),
            withdrawal.pk,
        )
    )
    # A hold that is not there was ended by an earlier try, or was never placed. Only this one
    # way of ending it is ever asked for, so there is nothing else that can have happened to it.
    if reply.rejected is not None and reply.rejected.reason != "unknown_hold":
        raise Refused(reply.rejected.reason, "The engine refused to end the hold.")


def tell(withdrawal: Withdrawal, kind: str, now: datetime) -> None:
    """Tell its owner, in the caller's transaction."""
    data = {
        "amount": format_minor(withdrawal.amount_minor, withdrawal.asset.scale),
        "asset": withdrawal.asset.code,
        "address": withdrawal.address,
        "reason": withdrawal.reason,
        "txid": withdrawal.txid,
    }
    notice = {"person_id": withdrawal.owner_id, "kind": kind, "data": data}
    outbox.emit("notice", notice, key=f"{kind}:{withdrawal.pk}", now=now)
