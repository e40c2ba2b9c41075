"""Correcting a balance: one member of staff asks, another agrees, the engine moves the value once.

Nothing else changes a balance by hand. Whose account it is has no say in it, be he staff or not.
A transfer of the engine carries it out, under an id that is made of the row's own: agreed to twice
at once, sent twice, or never answered, it moves value once. The engine refuses what would leave
anybody below zero, and the row says so.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from apps.accounts.models import User
from apps.core import outbox
from apps.core.audit import because
from apps.core.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound
from apps.core.money import format_minor, parse_positive
from apps.engine.messages import Transfer
from apps.matching.gateway import derived_command_id, get_gateway, valid_until_ns
from apps.matching.queries import journaled_seq, wait_for_seq
from apps.wallets.adjustments.models import Adjustment
from apps.wallets.adjustments.rules import CATEGORIES, VALID_FOR, legs_of, reference_of
from apps.wallets.assets import asset_by_code
from apps.wallets.models import LedgerEntry, TradingAccount

logger = logging.getLogger(__name__)

MAY_SEE: Final = "wallets.view_adjustment"
MAY_ASK: Final = "wallets.add_adjustment"
MAY_DECIDE: Final = "wallets.change_adjustment"
REASON_LENGTH_MAX: Final = 200
CASE_LENGTH_MAX: Final = 64
VALID_SECONDS: Final = 30
# Who was carrying it out has had his answer by then, or never will.
LEFT_BEHIND_AFTER: Final = timedelta(seconds=10)
# The engine knows a command's id for ten minutes; well within them the same one is simply sent
# again, and after them the ledger is asked first.
REMEMBERED_FOR: Final = timedelta(minutes=5)
PER_ROUND: Final = 100
_State: Final = Adjustment.State


def request_adjustment(
    *,
    actor: User,
    account_id: int,
    category: str,
    asset: str,
    amount: str,
    reason: str,
    case: str,
    now: datetime,
    effect_id: str = "",
) -> Adjustment:
    """Ask for a correction of somebody's balance. The same effect id is one request."""
    _check_right(actor, MAY_ASK)
    if category not in CATEGORIES:
        raise Invalid("invalid_category", "There is no such kind of correction.", field="category")
    account = TradingAccount.objects.filter(pk=account_id, owner__isnull=False).first()
    if account is None:
        raise NotFound("unknown_account", "No person has this account.")
    _check_other(actor, account)
    found = asset_by_code(asset)
    row = Adjustment(
        account=account, asset_id=found.id, category=category,
        amount_minor=parse_positive(amount, found.scale),
        reason=_text(reason, "reason", REASON_LENGTH_MAX),
        case=_text(case, "case", CASE_LENGTH_MAX),
        requested_by=actor, requested_at=now, expires_at=now + VALID_FOR,
        effect_id=effect_id or None,
    )  # fmt: skip
    with because(row.reason):
        if not effect_id:
            row.save()
            return row
        Adjustment.objects.bulk_create([row], ignore_conflicts=True)
    return Adjustment.objects.get(effect_id=effect_id)


def approve_adjustment(
    *, actor: User, adjustment_id: int, reason: str, now: datetime
) -> Adjustment:
    """Agree to another's request and have the engine carry it out."""
    _check_right(actor, MAY_DECIDE)
    words = _text(reason, "reason", REASON_LENGTH_MAX)
    with because(words):
        with transaction.atomic():
            row = _undecided(adjustment_id, now)
            _check_two(actor, row)
            _decide(row, _State.APPROVED, actor, words, now)
            row.sent_at = now
            row.save()
        return carry_out(adjustment_id, now=now)


def refuse_adjustment(*, actor: User, adjustment_id: int, reason: str, now: datetime) -> Adjustment:
    """Refuse a request; who asked takes it back so. Nobody refuses one about his own account."""
    _check_right(actor, MAY_DECIDE)
    words = _text(reason, "reason", REASON_LENGTH_MAX)
    with transaction.atomic(), because(words):
        row = _undecided(adjustment_id, now)
        _check_other(actor, row.account)
        _decide(row, _State.REFUSED, actor, words, now)
        row.ended_at = now
        row.save()
    return row


def carry_out(adjustment_id: int, *, now: datetime) -> Adjustment:
    """Have the engine move the value of one that is agreed to; again, it changes nothing."""
    with transaction.atomic():
        row = _locked(adjustment_id)
        if row.state == _State.APPROVED:
            _send(row, now)
    return row


def go_on(*, now: datetime) -> None:
    """End what nobody decided in time, and finish what somebody left behind."""
    for pk in _ids(state=_State.REQUESTED, expires_at__lte=now):
        _expire(pk, now)
    for pk in _ids(state=_State.APPROVED, sent_at__lt=now - LEFT_BEHIND_AFTER):
        try:
            _finish(pk, now)
        except DomainError as failure:
            logger.warning("Adjustment %s waits: %s", pk, failure.code)


def _ids(**wanted: object) -> list[int]:
    rows = Adjustment.objects.filter(**wanted).order_by("id")
    return list(rows.values_list("pk", flat=True)[:PER_ROUND])


def _finish(adjustment_id: int, now: datetime) -> None:
    with transaction.atomic():
        row = _locked(adjustment_id)
        if row.state != _State.APPROVED or row.sent_at is None:
            return
        if now - row.sent_at <= REMEMBERED_FOR:
            _send(row, now)
            return
        # All that the engine has decided has to be in the ledger before the ledger is believed.
        if not wait_for_seq(journaled_seq()):
            return
        entry = LedgerEntry.objects.filter(
            account_id=row.account_id, asset_id=row.asset_id,
            kind=LedgerEntry.Kind.ADJUSTMENT, reference=_reference(row),
        ).first()  # fmt: skip
        if entry is not None:
            _end(row, _State.DONE, now, seq=entry.seq)
        else:
            # Committed before it is sent anew, by the next round.
            row.sent_at = now
            row.save(update_fields=["sent_at"])


def _send(row: Adjustment, now: datetime) -> None:
    legs = legs_of(
        row.category, account_id=row.account_id, asset_id=row.asset_id,
        amount_minor=row.amount_minor,
    )  # fmt: skip
    reply = get_gateway().submit(
        Transfer(
            derived_command_id("adjustment", row.public_id.hex),
            valid_until_ns(VALID_SECONDS),
            legs,
            _reference(row),
        )
    )
    if reply.rejected is None:
        _end(row, _State.DONE, now, seq=reply.seq)
    else:
        _end(row, _State.FAILED, now, problem=reply.rejected.reason)


def _end(
    row: Adjustment, state: str, now: datetime, *, seq: int | None = None, problem: str = ""
) -> None:
    row.state, row.ended_at, row.seq, row.problem = state, now, seq, problem
    row.save(update_fields=["state", "ended_at", "seq", "problem"])
    if state != _State.DONE:
        return
    category = CATEGORIES[row.category]
    kind = "balance_added" if category.gives else "balance_taken"
    data = {
        "amount": format_minor(row.amount_minor, row.asset.scale),
        "asset": row.asset.code,
        "words": category.words,
    }
    notice = {"person_id": row.account.owner_id, "kind": kind, "data": data}
    outbox.emit("notice", notice, key=f"{kind}:{row.pk}", now=now)


def _expire(adjustment_id: int, now: datetime) -> None:
    with transaction.atomic(), because("nobody decided in time"):
        row = _locked(adjustment_id)
        if row.state == _State.REQUESTED and row.expires_at <= now:
            _end(row, _State.EXPIRED, now)


def _reference(row: Adjustment) -> str:
    return reference_of(row.category, row.public_id.hex)


def _undecided(adjustment_id: int, now: datetime) -> Adjustment:
    row = _locked(adjustment_id)
    if row.state != _State.REQUESTED:
        raise Conflict(
            "adjustment_decided",
            f"This is not possible any more: {row.get_state_display().lower()}.",
        )
    if row.expires_at <= now:
        raise Conflict("adjustment_expired", "This request is too old. Ask for it anew.")
    return row


def _locked(adjustment_id: int) -> Adjustment:
    rows = Adjustment.objects.select_for_update(of=("self",))
    row = rows.select_related("account", "asset", "requested_by").filter(pk=adjustment_id).first()
    if row is None:
        raise NotFound("unknown_adjustment", "There is no such correction.")
    return row


def _decide(row: Adjustment, state: str, actor: User, words: str, now: datetime) -> None:
    row.state, row.decided_by, row.decided_at, row.decision = state, actor, now, words


def _check_two(actor: User, row: Adjustment) -> None:
    """Refuse unless who asked may still ask, and who agrees is somebody else."""
    asker = row.requested_by
    if asker.pk == actor.pk:
        raise NotAllowed("four_eyes", "You asked for this: somebody else has to agree to it.")
    _check_other(actor, row.account)
    if not (asker.is_active and asker.is_staff and asker.has_perm(MAY_ASK)):
        raise Conflict(
            "asker_not_staff",
            "Who asked for this may not ask for it any more. Refuse it, and ask anew.",
        )


def _check_right(actor: User, right: str) -> None:
    if not (actor.is_active and actor.is_staff and actor.has_perm(right)):
        raise NotAllowed("staff_only", "Only staff who may correct balances can do this.")


def _check_other(actor: User, account: TradingAccount) -> None:
    if account.owner_id == actor.pk:
        raise NotAllowed("four_eyes", "Nobody has a say in what is corrected on his own account.")


def _text(text: str, field: str, length_max: int) -> str:
    words = " ".join(text.split())
    if not 1 <= len(words) <= length_max or "\x00" in words:
        what = "Say why" if field == "reason" else "Name the ticket, transaction or trade"
        raise Invalid(f"{field}_required", f"{what}, in up to {length_max} characters.",
                      field=field)  # fmt: skip
    return words
