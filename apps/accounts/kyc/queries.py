"""Reads of verifications: by their person, or by staff who may decide on them."""

from __future__ import annotations

import json
import uuid
from datetime import datetime

from django.db.models import QuerySet

from apps.accounts.kyc import files, rules
from apps.accounts.kyc.models import Document, Verification
from apps.accounts.models import User
from apps.core import crypto
from apps.core.errors import NotAllowed, NotFound

MAY_REVIEW = "accounts.review_verification"


def tier_of(*, person_id: int, now: datetime) -> int:
    """Return the highest tier that the person's verifications are good for."""
    good = Verification.objects.filter(
        person_id=person_id, status=Verification.Status.APPROVED, expires_at__gt=now
    )
    return good.order_by("-tier").values_list("tier", flat=True).first() or 0


def verifications_of(*, viewer: User) -> QuerySet[Verification]:
    """Return the viewer's own verifications, newest first."""
    return Verification.objects.filter(person=viewer).order_by("-began_at", "-tier")


def undecided_of(*, viewer: User) -> Verification | None:
    """Return the one that the viewer is filling in, or that waits for a decision."""
    return verifications_of(viewer=viewer).filter(status__in=Verification.UNDECIDED).first()


def approved_of(*, viewer: User, now: datetime) -> Verification | None:
    """Return the verification that the viewer's tier rests on."""
    good = verifications_of(viewer=viewer).filter(
        status=Verification.Status.APPROVED, expires_at__gt=now
    )
    return good.order_by("-tier").first()


def next_tier(*, viewer: User, now: datetime) -> int | None:
    """Return the tier that the viewer can ask for: the next, or anew the one that ends soon."""
    current = approved_of(viewer=viewer, now=now)
    tier = User.objects.values_list("kyc_tier", flat=True).get(pk=viewer.pk)
    ends_soon = (
        current is not None
        and current.tier == tier
        and current.expires_at is not None
        and current.expires_at - rules.WARNED_BEFORE <= now
    )
    if ends_soon:
        return int(tier)
    return int(tier) + 1 if tier < rules.TIER_MAX else None


def verification_by_id(*, viewer: User, verification_id: uuid.UUID) -> Verification:
    """Return any verification, for staff who may decide on it."""
    check_reviewer(viewer)
    found = Verification.objects.filter(pk=verification_id).select_related("person").first()
    if found is None:
        raise NotFound("verification_not_found", "There is no such verification.")
    return found


def document_by_id(*, viewer: User, document_id: uuid.UUID) -> Document:
    """Return a document of the viewer's own, or any for staff who may decide on it."""
    rows = Document.objects.select_related("verification__person")
    if not viewer.has_perm(MAY_REVIEW):
        rows = rows.filter(verification__person=viewer)
    found = rows.filter(pk=document_id).first()
    if found is None:
        raise NotFound("document_not_found", "There is no such document.")
    return found


def picture_of(document: Document) -> bytes:
    """Return what a document shows."""
    return files.read(document, person_id=document.verification.person_id)


def details_of(verification: Verification) -> dict[str, str]:
    """Return what the person said; whoever asks has been let in already."""
    if verification.details is None:
        return {}
    opened = crypto.open_sealed(
        verification.details,
        table="accounts_verification",
        row=verification.pk,
        field="details",
        person_id=verification.person_id,
    )
    found: dict[str, str] = json.loads(opened)
    return found


def check_reviewer(actor: User) -> None:
    """Refuse who may not decide on verifications."""
    if not (actor.is_active and actor.is_staff and actor.has_perm(MAY_REVIEW)):
        raise NotAllowed("not_reviewer", "Only staff of compliance may do this.")
