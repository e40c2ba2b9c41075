"""Verifications as they leave, and links to documents that work for one person for five minutes."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Final

from django.core import signing
from django.urls import reverse

from apps.accounts.kyc import queries, rules
from apps.accounts.kyc.models import Document, Verification
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import NotAllowed, NotFound

LINK_LIFE: Final = timedelta(minutes=5)
_SIGNER: Final = "sum1 document link"


def status_json(*, viewer: User, now: datetime) -> dict[str, Any]:
    """Return where the viewer stands, and what the next tier takes."""
    tier = queries.next_tier(viewer=viewer, now=now)
    current = queries.approved_of(viewer=viewer, now=now)
    shown = queries.undecided_of(viewer=viewer) or queries.verifications_of(viewer=viewer).first()
    return {
        "tier": User.objects.values_list("kyc_tier", flat=True).get(pk=viewer.pk),
        "expires_at": clock.iso(current.expires_at) if current and current.expires_at else None,
        "next": None if tier is None else needs_json(tier),
        "verification": None if shown is None else verification_json(shown),
    }


def needs_json(tier: int) -> dict[str, Any]:
    """Return what a tier takes."""
    return {
        "tier": tier,
        "details": list(rules.DETAILS[tier]),
        "documents": list(rules.NEEDED[tier]),
        "optional_documents": list(rules.OPTIONAL[tier]),
    }


def verification_json(row: Verification) -> dict[str, Any]:
    """Return a verification as its person sees it; whether one of two has approved is not said."""
    is_proposed = row.status == Verification.Status.PROPOSED
    return {
        "id": str(row.pk),
        "tier": row.tier,
        "status": Verification.Status.WAITING.value if is_proposed else row.status,
        "submitted_at": clock.iso(row.submitted_at) if row.submitted_at else None,
        "decided_at": clock.iso(row.decided_at) if row.decided_at else None,
        "expires_at": clock.iso(row.expires_at) if row.expires_at else None,
        "reason": row.reason,
        "documents": [document_json(each) for each in row.documents.order_by("uploaded_at")],
    }


def document_json(document: Document) -> dict[str, Any]:
    """Return what there is to say of a document without showing it."""
    return {
        "id": str(document.pk),
        "kind": document.kind,
        "width": document.width,
        "height": document.height,
        "uploaded_at": clock.iso(document.uploaded_at),
    }


def link_to(document: Document, *, viewer: User) -> str:
    """Return an address of the document that this viewer can open for five minutes."""
    link = signing.TimestampSigner(salt=_SIGNER).sign(f"{document.pk}:{viewer.pk}")
    return f"{reverse('kyc:document', args=[document.pk])}?link={link}"


def document_by_link(*, viewer: User, document_id: uuid.UUID, link: str) -> Document:
    """Return the document that a link opens; a guessed or another's link opens nothing."""
    signer = signing.TimestampSigner(salt=_SIGNER)
    try:
        if signer.unsign(link) != f"{document_id}:{viewer.pk}":
            raise signing.BadSignature
        document = queries.document_by_id(viewer=viewer, document_id=document_id)
        signer.unsign(link, max_age=LINK_LIFE)
    except signing.SignatureExpired:
        raise NotAllowed("link_expired", "This link has ended. Load its page again.") from None
    except signing.BadSignature:
        raise NotFound("document_not_found", "There is no such document.") from None
    return document
