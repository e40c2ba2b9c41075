"""Moving value inside the venue: one command of the engine, all of it or nothing.

The row comes first. The engine knows its command for ten minutes; what was left behind is looked
up in the ledger, by the transfer's own reference, before anything is said of it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.queries import is_frozen, person_by_email
from apps.accounts.step_up import require_fresh
from apps.core import outbox, ratelimit
from apps.core.errors import NotAllowed, NotFound, Refused, TooMany
from apps.core.money import format_minor, parse_positive
from apps.engine.messages import Leg, Transfer
from apps.matching.gateway import derived_command_id, get_gateway, valid_until_ns
from apps.wallets.assets import asset_by_code
from apps.wallets.models import LedgerEntry, TradingAccount
from apps.wallets.transfers.models import InternalTransfer
from apps.wallets.welcome import account_of
from apps.wallets.withdrawals.actions import check_may_withdraw, refusal_of

VALID_SECONDS: Final = 30
# Long after no command of it can come late, and long before the engine forgets it.
LEFT_BEHIND_AFTER: Final = timedelta(minutes=2)
# Whoever tries addresses finds few.
TRIES: Final = ratelimit.Bucket(60, 0.1)
_State: Final = InternalTransfer.State


def send_to_person(
    *,
    actor: User,
    to: str,
    asset: str,
    amount: str,
    proved_at: datetime | None,
    now: datetime,
    account: object = None,
    effect_id: str = "",
) -> InternalTransfer:
    """Send an amount to the person of an e-mail address or public id, at once and for good."""
    _hold_back(actor)
    check_may_withdraw(actor, now)
    # A withdrawal is confirmed before it leaves; this leaves at once, so it is proved before.
    require_fresh(person=actor, proved_at=proved_at, now=now)
    found, mine = asset_by_code(asset), account_of(viewer=actor, public_id=account)
    amount_minor = parse_positive(amount, found.scale)
    receiver, theirs = _receiver(actor, to)
    row = InternalTransfer(
        sender=actor, receiver=receiver, from_account=mine, to_account=theirs, asset_id=found.id,
        amount_minor=amount_minor, written_to=to, effect_id=effect_id or None, at=now,
    )  # fmt: skip
    return _send(row, now)


def move_between_own(
    *,
    actor: User,
    to_account: object,
    asset: str,
    amount: str,
    now: datetime,
    account: object = None,
    effect_id: str = "",
) -> InternalTransfer:
    """Move an amount from one of the actor's accounts to another of them."""
    _hold_back(actor)
    if is_frozen(person_id=actor.pk):
        raise NotAllowed("account_frozen", "Your account is frozen. Nothing moved.")
    found, mine = asset_by_code(asset), account_of(viewer=actor, public_id=account)
    amount_minor = parse_positive(amount, found.scale)
    other = account_of(viewer=actor, public_id=to_account)
    if other.pk == mine.pk:
        raise Refused("same_account", "Choose two different accounts. Nothing moved.",
                      field="to_account")  # fmt: skip
    row = InternalTransfer(
        sender=actor, receiver=actor, from_account=mine, to_account=other, asset_id=found.id,
        amount_minor=amount_minor, effect_id=effect_id or None, at=now,
    )  # fmt: skip
    return _send(row, now)


def look_up_left_behind(*, now: datetime) -> None:
    """Find out what became of transfers whose sender has died."""
    rows = InternalTransfer.objects.filter(state=_State.NEW, at__lt=now - LEFT_BEHIND_AFTER)
    for pk in list(rows.values_list("pk", flat=True)[:100]):
        _look_up(pk, now)


def reference_of(row: InternalTransfer) -> str:
    """Return what the ledger calls the transfer."""
    return f"transfer:{row.public_id}"


def _hold_back(actor: User) -> None:
    verdict = ratelimit.take(f"transfer:{actor.pk}", TRIES)
    if not verdict.allowed:
        raise TooMany(
            "rate_limited", "Too many transfers. Wait a little. Nothing moved.",
            retry_after_seconds=verdict.retry_after_seconds,
        )  # fmt: skip


def _receiver(actor: User, to: str) -> tuple[User, TradingAccount]:
    """Return who is meant. Who is not there, and who cannot receive, look the same."""
    person = person_by_email(email=to) if "@" in to else _by_public_id(to)
    theirs = None
    if person is not None and person.is_active:
        theirs = TradingAccount.objects.filter(owner=person, kind=TradingAccount.Kind.MAIN).first()
    if person is None or theirs is None:
        raise NotFound(
            "unknown_receiver", "Nobody here can receive by this name. Nothing moved.", field="to"
        )
    if person.pk == actor.pk:
        raise Refused("own_account", "That is yourself. Nothing moved.", field="to")
    return person, theirs


def _by_public_id(text: str) -> User | None:
    try:
        return User.objects.filter(public_id=UUID(text)).first()
    except ValueError:
        return None


def _send(row: InternalTransfer, now: datetime) -> InternalTransfer:
    """Write the row, or find the one of the same effect, and carry it out."""
    if row.effect_id:
        InternalTransfer.objects.bulk_create([row], ignore_conflicts=True)
        row = InternalTransfer.objects.get(effect_id=row.effect_id)
    else:
        row.save()
    if row.state == _State.NEW and now - row.at < LEFT_BEHIND_AFTER:
        _carry_out(row, now)
    elif row.state == _State.NEW:
        row = _look_up(row.pk, now)
    if row.state == _State.REFUSED:
        raise refusal_of(row.reason)
    return row


def _carry_out(row: InternalTransfer, now: datetime) -> None:
    with transaction.atomic():
        locked = InternalTransfer.objects.select_for_update().get(pk=row.pk)
        row.state, row.reason = locked.state, locked.reason
        if locked.state != _State.NEW:
            return
        legs = (
            Leg(row.from_account_id, row.asset_id, -row.amount_minor),
            Leg(row.to_account_id, row.asset_id, row.amount_minor),
        )
        reply = get_gateway().submit(
            Transfer(
                derived_command_id("transfer", str(row.public_id)),
                valid_until_ns(VALID_SECONDS),
                legs,
                reference_of(row),
            )
        )
        _end(row, "" if reply.rejected is None else reply.rejected.reason, now)


def _look_up(pk: int, now: datetime) -> InternalTransfer:
    with transaction.atomic():
        row = InternalTransfer.objects.select_for_update().get(pk=pk)
        if row.state == _State.NEW:
            moved = LedgerEntry.objects.filter(
                account_id=row.from_account_id, asset_id=row.asset_id,
                kind=LedgerEntry.Kind.TRANSFER, reference=reference_of(row),
            )  # fmt: skip
            _end(row, "" if moved.exists() else "never_decided", now)
    return row


def _end(row: InternalTransfer, reason: str, now: datetime) -> None:
    """Say what became of it, and tell the receiver where that is somebody else."""
    row.state, row.reason = _State.REFUSED if reason else _State.DONE, reason
    row.save(update_fields=["state", "reason"])
    if reason or row.receiver_id == row.sender_id:
        return
    data = {
        "amount": format_minor(row.amount_minor, row.asset.scale),
        "asset": row.asset.code,
        # An e-mail address is the sender's to give away, not ours.
        "sender": row.sender.display_name or "somebody",
    }
    notice = {"person_id": row.receiver_id, "kind": "transfer_received", "data": data}
    outbox.emit("notice", notice, key=f"transfer_received:{row.pk}", now=now)
