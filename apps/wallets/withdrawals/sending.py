"""What happens to withdrawals by itself: they are sent, followed and ended.

A payment is marked before it is asked for, and asked for under the withdrawal's own id, for which
the custody pays once. Who dies in between asks the custody what became of that id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from apps.accounts.queries import is_frozen, security_changed_at
from apps.core.errors import DomainError
from apps.matching import failpoints
from apps.wallets.custody.interface import get_custody, network_by_name
from apps.wallets.withdrawals.actions import HOLD_VALID_SECONDS, SECURITY_FREEZE
from apps.wallets.withdrawals.models import Withdrawal
from apps.wallets.withdrawals.moving import OVER, State, begin_end, end, locked, move

logger = logging.getLogger(__name__)

MARKED: Final = "withdrawal-marked"
SENT: Final = "withdrawal-sent"
# What nobody has confirmed by then is called off.
CONFIRMED_WITHIN: Final = timedelta(hours=24)
# A row that is still new then was left behind, and no command of it can come late any more.
LEFT_BEHIND_AFTER: Final = timedelta(seconds=2 * HOLD_VALID_SECONDS)
# How soon the hot wallet is filled up, as people are told.
FILLED_WITHIN: Final = timedelta(hours=4)
PER_ROUND: Final = 200


def advance_all(*, now: datetime) -> None:
    """Go through all open withdrawals once. One that fails leaves the others alone."""
    _each(_ids(state=State.NEW, requested_at__lt=now - LEFT_BEHIND_AFTER), _drop, now)
    _each(_ids(state=State.REQUESTED, requested_at__lt=now - CONFIRMED_WITHIN), _expire, now)
    _each(_ids(state=State.APPROVED), _send, now)
    _each(_ids(state=State.BROADCAST), _follow, now)
    _each(_ending(), end, now)


def send_approved(withdrawal_id: int, *, now: datetime) -> None:
    """Send one withdrawal, where it may be sent."""
    _send(withdrawal_id, now=now)


def _ids(**wanted: object) -> list[int]:
    rows = Withdrawal.objects.filter(ends_as="", **wanted).order_by("id")
    return list(rows.values_list("pk", flat=True)[:PER_ROUND])


def _ending() -> list[int]:
    rows = Withdrawal.objects.exclude(ends_as="").exclude(state__in=OVER).order_by("id")
    return list(rows.values_list("pk", flat=True)[:PER_ROUND])


def _each(ids: list[int], work: Callable[..., object], now: datetime) -> None:
    for withdrawal_id in ids:
        try:
            work(withdrawal_id, now=now)
        except DomainError as failure:
            logger.warning("Withdrawal %s waits: %s", withdrawal_id, failure.code)


def _drop(withdrawal_id: int, *, now: datetime) -> None:
    with transaction.atomic():
        withdrawal = locked(withdrawal_id)
        is_old = withdrawal.requested_at < now - LEFT_BEHIND_AFTER
        if withdrawal.state == State.NEW and not withdrawal.ends_as and is_old:
            begin_end(withdrawal, State.FAILED, reason="left behind", now=now)
    end(withdrawal_id, now=now)


def _expire(withdrawal_id: int, *, now: datetime) -> None:
    with transaction.atomic():
        withdrawal = locked(withdrawal_id)
        if withdrawal.state == State.REQUESTED and not withdrawal.ends_as:
            begin_end(withdrawal, State.CANCELLED, reason="not confirmed in 24 hours", now=now)
    end(withdrawal_id, now=now)


def _send(withdrawal_id: int, *, now: datetime) -> None:
    if not _mark(withdrawal_id, now):
        return
    failpoints.reach(MARKED)
    _broadcast(withdrawal_id, now)


def _mark(withdrawal_id: int, now: datetime) -> bool:
    """Mark the withdrawal as sent, where it may be; from then on it may have left."""
    with transaction.atomic():
        withdrawal = locked(withdrawal_id)
        if withdrawal.state != State.APPROVED or withdrawal.ends_as:
            return False
        held = _why_held(withdrawal, now)
        if held:
            withdrawal.approvals.all().delete()
            move(withdrawal, State.HELD, now=now, reason=held)
            return False
        spendable = get_custody().spendable_minor(
            chain=withdrawal.chain, asset=withdrawal.asset.code
        )
        if spendable < withdrawal.amount_minor:
            _note_shortage(withdrawal, now)
            return False
        withdrawal.marked_at, withdrawal.short_since = now, None
        move(withdrawal, State.BROADCAST, now=now)
        return True


def _why_held(withdrawal: Withdrawal, now: datetime) -> str:
    """Whoever may have got into the account after it was approved gets nothing out of it."""
    if is_frozen(person_id=withdrawal.owner_id):
        return "the account is frozen"
    changed_at = security_changed_at(person_id=withdrawal.owner_id)
    if changed_at is not None and now < changed_at + SECURITY_FREEZE:
        return "password or second factor changed"
    return ""


def _note_shortage(withdrawal: Withdrawal, now: datetime) -> None:
    if withdrawal.short_since is None:
        withdrawal.short_since = now
        withdrawal.save(update_fields=["short_since"])
        logger.error(
            "The hot wallet has too little %s for withdrawal %s.", withdrawal.asset.code,
            withdrawal.pk,
        )  # fmt: skip


def _broadcast(withdrawal_id: int, now: datetime) -> None:
    """Ask the custody to pay. It pays once for this id, so that asking again is safe."""
    withdrawal = Withdrawal.objects.select_related("asset").get(pk=withdrawal_id)
    txid = get_custody().broadcast(
        own_id=str(withdrawal.public_id), chain=withdrawal.chain, asset=withdrawal.asset.code,
        address=withdrawal.address, amount_minor=withdrawal.amount_minor,
    )  # fmt: skip
    failpoints.reach(SENT)
    Withdrawal.objects.filter(pk=withdrawal_id, txid="").update(txid=txid)


def _follow(withdrawal_id: int, *, now: datetime) -> None:
    """Take note of what the chain says, and end what is final."""
    withdrawal = Withdrawal.objects.get(pk=withdrawal_id)
    found = get_custody().status(own_id=str(withdrawal.public_id))
    if found is None:
        # Marked and never asked for: whoever marked it has died.
        _broadcast(withdrawal_id, now)
        return
    with transaction.atomic():
        withdrawal = locked(withdrawal_id)
        if withdrawal.state != State.BROADCAST or withdrawal.ends_as:
            return
        if (withdrawal.txid, withdrawal.confirmations) != (found.txid, found.confirmations):
            withdrawal.txid, withdrawal.confirmations = found.txid, found.confirmations
            withdrawal.save(update_fields=["txid", "confirmations"])
        if found.has_failed:
            begin_end(withdrawal, State.FAILED, reason="it failed on the chain", now=now)
        elif found.confirmations >= network_by_name(withdrawal.chain).confirmations:
            begin_end(withdrawal, State.SETTLED, now=now)
