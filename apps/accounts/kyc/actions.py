"""Writes of verifications: filling one in, deciding on it, and ending it when its time is over.

A person has at most one that is undecided. Tier 1 is decided by the rules; the others by a vendor
or by staff, the highest by two. Nobody decides on his own. Each step is noted for good.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from apps.accounts import notices
from apps.accounts.kyc import files, pictures, queries, rules, vendors
from apps.accounts.kyc.models import Document, VendorMessage, Verification, VerificationEvent
from apps.accounts.models import User
from apps.core import crypto, outbox
from apps.core.errors import Conflict, Invalid, NotAllowed, NotFound, Refused

_Status = Verification.Status
SUBMITTED_TOPIC: Final = "kyc_submitted"
REASON_MAX: Final = 200
DUE_PER_ROUND: Final = 200


def begin(*, actor: User, details: Mapping[str, object], now: datetime) -> Verification:
    """Begin the actor's next verification, or say anew what he says of himself in it."""
    with transaction.atomic():
        tier = _tier_asked_for(actor, now)
        said = rules.details_of(
            tier, details, today=now.date(), refused_countries=settings.KYC_COUNTRIES_REFUSED
        )
        found = queries.undecided_of(viewer=actor)
        if found is not None and (found.status != _Status.OPEN or found.tier != tier):
            raise _waiting()
        row = found or Verification(person=actor, tier=tier, began_at=now)
        row.details = _sealed(row, said) if said else None
        row.save()
        if found is None:
            _note(row, "began", actor, now)
    return row


def add_document(*, actor: User, kind: str, data: bytes, now: datetime) -> Document:
    """Keep a picture, drawn anew, in the verification that the actor fills in.

    One of a kind that is there already takes its place.
    """
    row = _open_of(actor)
    if kind not in (*rules.NEEDED[row.tier], *rules.OPTIONAL[row.tier]):
        raise Invalid("invalid_kind", f"Level {row.tier} does not ask for that.", field="kind")
    picture = pictures.redraw(data)
    document_id = uuid.uuid4()
    kept = files.put(picture.data, document_id=document_id, person_id=actor.pk)
    with transaction.atomic():
        row = _locked(row.pk)
        if row.status != _Status.OPEN:
            files.remove(kept.name)
            raise _waiting()
        for old in row.documents.filter(kind=kind):
            _forget(old)
        document = Document.objects.create(
            id=document_id, verification=row, kind=kind, file=kept.name, key=kept.key,
            sha256=hashlib.sha256(data).digest(), size_bytes=len(picture.data),
            width=picture.width, height=picture.height, uploaded_at=now,
        )  # fmt: skip
        _note(row, "document", actor, now, kind)
    return document


def submit(*, actor: User, now: datetime) -> Verification:
    """Hand the verification in. What the actor only declares is decided at once."""
    with transaction.atomic():
        _take_turn(actor)
        row = _locked(_open_of(actor).pk)
        if row.status != _Status.OPEN:
            raise _waiting()
        there = set(row.documents.values_list("kind", flat=True))
        missing = [kind for kind in rules.NEEDED[row.tier] if kind not in there]
        if missing or (rules.DETAILS[row.tier] and row.details is None):
            raise Refused(
                "verification_incomplete",
                "Something is missing, so nothing was sent.",
                missing=missing,
            )
        row.status, row.submitted_at, row.vendor = _Status.WAITING, now, settings.KYC_VENDOR
        row.save(update_fields=["status", "submitted_at", "vendor"])
        _note(row, "submitted", actor, now)
        if row.tier == rules.DECLARED_TIER:
            _approve(row, None, "Declared", now)
        else:
            outbox.emit(SUBMITTED_TOPIC, {"id": str(row.pk)}, key=str(row.pk), now=now)
    return row


def hand_over(data: dict[str, Any], now: datetime) -> None:
    """Give what was submitted to its vendor: the outbox's handler."""
    row = Verification.objects.select_for_update().filter(pk=data["id"]).first()
    if row is None:
        # The person has been deleted since.
        return
    if row.status == _Status.WAITING and not row.vendor_reference:
        row.vendor_reference = vendors.vendor_named(row.vendor).begin(row, now)
        row.save(update_fields=["vendor_reference"])


def approve(*, actor: User, verification_id: uuid.UUID, now: datetime) -> Verification:
    """Approve; of what takes two, the first proposes and another one decides."""
    with transaction.atomic():
        row = _undecided(actor, verification_id)
        takes_two = row.tier >= rules.TWO_DECIDE_FROM
        if takes_two and row.status == _Status.WAITING:
            row.status, row.proposed_by = _Status.PROPOSED, actor
            row.save(update_fields=["status", "proposed_by"])
            _note(row, "proposed", actor, now)
            return row
        if row.proposed_by_id == actor.pk:
            raise NotAllowed("four_eyes", "You have approved it already: it takes a second person.")
        _approve(row, actor, "", now)
    return row


def refuse(*, actor: User, verification_id: uuid.UUID, reason: str, now: datetime) -> Verification:
    """Refuse, with a reason that the person reads. One is enough for that."""
    reason = " ".join(reason.split())
    if not 1 <= len(reason) <= REASON_MAX:
        raise Invalid("reason_required", "Say why: the person reads it.", field="reason")
    with transaction.atomic():
        row = _undecided(actor, verification_id)
        if row.proposed_by_id == actor.pk:
            row.proposed_by = None
        _refuse(row, actor, reason, now)
    return row


def note_view(*, actor: User, document: Document, now: datetime) -> None:
    """Note that staff has looked at somebody's document."""
    if document.verification.person_id != actor.pk:
        _note(document.verification, "viewed", actor, now, document.kind)


def hear_vendor(
    *, vendor: str, message_id: str, reference: str, outcome: str, reason: str, now: datetime
) -> bool:
    """Carry out what a vendor has found; False where the message was there before, or is late.

    What takes two is only proposed by it: one of our own decides.
    """
    with transaction.atomic():
        found = Verification.objects.select_for_update().filter(
            vendor=vendor, vendor_reference=reference
        )
        row = found.first()
        if row is None or not reference:
            raise NotFound("verification_not_found", "There is no such verification.")
        _, is_new = VendorMessage.objects.get_or_create(
            vendor=vendor, message_id=message_id, defaults={"received_at": now}
        )
        if not is_new or row.status != _Status.WAITING:
            return False
        if outcome == vendors.REFUSED:
            _refuse(row, None, reason[:REASON_MAX] or "The documents were not accepted", now)
        elif row.tier >= rules.TWO_DECIDE_FROM:
            row.status = _Status.PROPOSED
            row.save(update_fields=["status"])
            _note(row, "proposed", None, now, vendor)
        else:
            _approve(row, None, vendor, now)
    return True


def recheck(*, now: datetime) -> int:
    """Warn of verifications that end soon, and end those whose time is over; return how many."""
    good = Verification.objects.filter(status=_Status.APPROVED)
    soon = good.filter(expires_at__lte=now + rules.WARNED_BEFORE, warned_at=None)
    over = good.filter(expires_at__lte=now)
    due = [*over.order_by("expires_at")[:DUE_PER_ROUND]]
    due += [*soon.filter(expires_at__gt=now).order_by("expires_at")[:DUE_PER_ROUND]]
    for row in due:
        _recheck(row.pk, now)
    return len(due)


def _recheck(verification_id: uuid.UUID, now: datetime) -> None:
    with transaction.atomic():
        row = _locked(verification_id)
        if row.status != _Status.APPROVED or row.expires_at is None:
            return
        if row.expires_at <= now:
            row.status = _Status.EXPIRED
            row.save(update_fields=["status"])
            _note(row, "expired", None, now)
            _lower_tier(row, now)
        elif row.warned_at is None:
            row.warned_at = now
            row.save(update_fields=["warned_at"])
            _tell(row, "kyc_expires", now, until=f"{row.expires_at:%Y-%m-%d}")


def _lower_tier(row: Verification, now: datetime) -> None:
    """The person is as well known as the rest of his verifications say."""
    tier = queries.tier_of(person_id=row.person_id, now=now)
    if User.objects.filter(pk=row.person_id, kyc_tier__gt=tier).update(kyc_tier=tier):
        _tell(row, "kyc_expired", now, now_tier=str(tier))


def _approve(row: Verification, actor: User | None, words: str, now: datetime) -> None:
    # The one before it ends: a renewal must not be undone when the old one's time is over.
    Verification.objects.filter(
        person_id=row.person_id, tier=row.tier, status=_Status.APPROVED
    ).update(status=_Status.EXPIRED, reason="Renewed")
    row.status, row.decided_by, row.decided_at = _Status.APPROVED, actor, now
    row.expires_at = now + rules.VALID_FOR[row.tier]
    row.save(update_fields=["status", "decided_by", "decided_at", "expires_at"])
    User.objects.filter(pk=row.person_id, kyc_tier__lt=row.tier).update(kyc_tier=row.tier)
    _note(row, "approved", actor, now, words)
    _tell(row, "kyc_approved", now)


def _refuse(row: Verification, actor: User | None, reason: str, now: datetime) -> None:
    row.status, row.decided_by, row.decided_at = _Status.REFUSED, actor, now
    row.reason = reason
    row.save(update_fields=["status", "proposed_by", "decided_by", "decided_at", "reason"])
    _note(row, "refused", actor, now, reason)
    _tell(row, "kyc_refused", now, reason=reason)


def _tier_asked_for(actor: User, now: datetime) -> int:
    _take_turn(actor)
    tier = queries.next_tier(viewer=actor, now=now)
    if tier is None:
        raise Conflict("tier_reached", "You are verified at the highest level already.")
    return tier


def _take_turn(actor: User) -> None:
    """Have whoever does two things at the same time wait for himself.

    The person's row comes before those of verifications, so that nobody waits in a circle.
    """
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)


def _open_of(actor: User) -> Verification:
    row = queries.undecided_of(viewer=actor)
    if row is None:
        raise NotFound("verification_not_found", "Begin a verification first.")
    if row.status != _Status.OPEN:
        raise _waiting()
    return row


def _undecided(actor: User, verification_id: uuid.UUID) -> Verification:
    """Return a verification that the actor may decide on, locked."""
    queries.check_reviewer(actor)
    row = _locked(verification_id)
    if row.person_id == actor.pk:
        raise NotAllowed("own_verification", "Nobody decides on his own verification.")
    if row.status not in (_Status.WAITING, _Status.PROPOSED):
        raise Conflict("verification_decided", "This verification does not wait for a decision.")
    return row


def _locked(verification_id: uuid.UUID) -> Verification:
    row = Verification.objects.select_for_update().filter(pk=verification_id).first()
    if row is None:
        raise NotFound("verification_not_found", "There is no such verification.")
    return row


def _forget(document: Document) -> None:
    name = document.file
    document.delete()
    transaction.on_commit(lambda: files.remove(name))


def _sealed(row: Verification, said: dict[str, str]) -> bytes:
    return crypto.seal(
        json.dumps(said).encode(),
        table="accounts_verification",
        row=row.pk,
        field="details",
        person_id=row.person_id,
    )


def _note(row: Verification, what: str, actor: User | None, now: datetime, words: str = "") -> None:
    VerificationEvent.objects.create(
        verification=row, at=now, actor=actor, what=what, words=words[:200]
    )


def _tell(row: Verification, kind: str, now: datetime, **data: str) -> None:
    notices.tell(
        person_id=row.person_id,
        kind=kind,
        data={"tier": str(row.tier), **data},
        key=str(row.pk),
        now=now,
    )


def _waiting() -> Conflict:
    return Conflict("verification_waiting", "Your verification waits for a decision already.")
