"""What staff look at before they decide about a withdrawal: for staff, scoped to no viewer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Q

from apps.accounts.models import User
from apps.accounts.queries import is_frozen, security_changed_at, tier_of
from apps.wallets.assets import asset_by_code
from apps.wallets.custody.interface import get_custody
from apps.wallets.presentation import amount_text
from apps.wallets.withdrawals import reviewing
from apps.wallets.withdrawals.actions import SECURITY_FREEZE
from apps.wallets.withdrawals.limits import room_for
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalApproval
from apps.wallets.withdrawals.moving import OVER, State
from apps.wallets.withdrawals.presentation import room_json
from apps.wallets.worth import VALUE_ASSET

# What each state means to staff, and who goes on.
STATE_WORDS: Final = {
    State.REQUESTED: "Its owner has to confirm it. Nothing for us to do.",
    State.CONFIRMED: "Confirmed by its owner; the next pass goes on with it.",
    State.RISK_REVIEW: "It waits for us. It goes nowhere before somebody agrees.",
    State.HELD: "Stopped. Its owner cannot cancel it; only we go on with it.",
    State.APPROVED: "Agreed to. The next pass sends it, if the hot wallet has enough.",
    State.BROADCAST: "On its way. Nobody can call it back.",
    State.SETTLED: "It has arrived.",
    State.FAILED: "It has not gone out, and the money is back with its owner.",
    State.CANCELLED: "It was called off, and the money is back with its owner.",
}


@dataclass(frozen=True, slots=True)
class Desk:
    """One withdrawal, and all that speaks for or against it."""

    state_words: str
    approvals: list[WithdrawalApproval]
    given: int
    missing: int
    history: list[tuple[datetime, str, Any, str]]
    tier: int
    warnings: list[str]
    room: dict[str, object]
    sent_before: int
    sent_there_before: int
    others_there: int
    spendable: str
    is_short: bool
    may_approve: bool
    may_refuse: bool
    may_hold: bool
    may_let_go_on: bool


def desk_of(row: Withdrawal, *, actor: User, now: datetime) -> Desk:
    """Return what somebody of staff has to know about it; how many queries depends on nothing."""
    approvals = list(row.approvals.select_related("staff").order_by("id"))
    given = sum(each.staff.is_active and each.staff.is_staff for each in approvals)
    asset = asset_by_code(row.asset.code)
    spendable = get_custody().spendable_minor(chain=row.chain, asset=asset.code)
    earlier = _earlier(row)
    decides = actor.has_perm(reviewing.REVIEW) and not row.ends_as
    other = decides and actor.pk != row.owner_id
    has_agreed = any(each.staff_id == actor.pk for each in approvals)
    return Desk(
        state_words=STATE_WORDS.get(State(row.ends_as or row.state), ""),
        approvals=approvals,
        given=given,
        missing=max(0, row.approvals_needed - given) if row.state == State.RISK_REVIEW else 0,
        history=_history(row, approvals),
        tier=tier_of(person_id=row.owner_id),
        warnings=_warnings(row, earlier, now),
        room=room_json(room_for(person=row.owner, asset=asset, now=now), asset),
        sent_before=earlier["mine"],
        sent_there_before=earlier["there"],
        others_there=earlier["others"],
        spendable=amount_text(spendable, asset),
        is_short=row.state not in (*OVER, State.BROADCAST) and spendable < row.amount_minor,
        may_approve=other and row.state == State.RISK_REVIEW and not has_agreed,
        may_refuse=other and row.state in (State.RISK_REVIEW, State.HELD, State.APPROVED),
        may_hold=decides and row.state in (State.CONFIRMED, State.RISK_REVIEW, State.APPROVED),
        may_let_go_on=other and row.state == State.HELD,
    )


def worth_text(row: Withdrawal) -> str:
    if row.worth_minor is None:
        return "no price"
    value = asset_by_code(VALUE_ASSET)
    return f"{amount_text(row.worth_minor, value)} {value.code}"


def _earlier(row: Withdrawal) -> dict[str, int]:
    """Count what has settled before: of its owner, of it to this address, and of others to it."""
    settled = Withdrawal.objects.filter(
        Q(owner=row.owner_id) | Q(chain=row.chain, address=row.address), state=State.SETTLED
    ).exclude(pk=row.pk)
    mine, there = Q(owner=row.owner_id), Q(chain=row.chain, address=row.address)
    return settled.order_by().aggregate(
        mine=Count("pk", filter=mine),
        there=Count("pk", filter=mine & there),
        others=Count("owner", filter=there & ~mine, distinct=True),
    )


def _warnings(row: Withdrawal, earlier: dict[str, int], now: datetime) -> list[str]:
    found = []
    if is_frozen(person_id=row.owner_id):
        found.append("The account is frozen.")
    changed_at = security_changed_at(person_id=row.owner_id)
    if changed_at is not None and now < changed_at + SECURITY_FREEZE:
        found.append("Password or second factor changed within the last 24 hours.")
    if not row.owner.is_active:
        found.append("Its owner is switched off.")
    if not row.in_book:
        found.append("The address is not in the owner's address book.")
    if earlier["others"]:
        found.append(f"{earlier['others']} other people have withdrawn to this address.")
    if not earlier["there"]:
        found.append("Nothing of its owner's has gone to this address before.")
    return found


def _history(
    row: Withdrawal, approvals: list[WithdrawalApproval]
) -> list[tuple[datetime, str, Any, str]]:
    steps = row.steps.select_related("actor")
    lines: list[tuple[datetime, str, Any, str]] = [
        (step.at, State(step.state).label, step.actor or "by rule", step.reason) for step in steps
    ]
    lines += [(each.at, "Agreed", each.staff, each.reason) for each in approvals]
    return sorted(lines, key=lambda line: line[0])
