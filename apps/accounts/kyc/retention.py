"""Documents that nobody may keep any longer are deleted, with what was said beside them.

``KYC_DOCUMENTS_KEPT_YEARS`` after somebody was refused, or has left for good, or has begun and
never come back. What was decided, by whom and when stays, and that they were deleted is noted.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from apps.accounts.kyc import files
from apps.accounts.kyc.models import Document, Verification, VerificationEvent

PER_ROUND: Final = 500
_Status = Verification.Status


def forget_old(*, now: datetime) -> int:
    """Delete what is too old and return of how many verifications; the rest comes next time."""
    before = _years_before(now, settings.KYC_DOCUMENTS_KEPT_YEARS)
    over = (
        Q(status=_Status.REFUSED, decided_at__lte=before)
        | Q(status=_Status.OPEN, began_at__lte=before)
        | Q(person__deletions__done_at__lte=before)
    )
    held = Q(details__isnull=False) | Exists(Document.objects.filter(verification=OuterRef("pk")))
    found = Verification.objects.filter(over).filter(held).order_by("pk").distinct()
    rows = list(found.values_list("pk", flat=True)[:PER_ROUND])
    for pk in rows:
        _forget(pk, now)
    return len(rows)


def _forget(verification_id: uuid.UUID, now: datetime) -> None:
    with transaction.atomic():
        row = Verification.objects.select_for_update().filter(pk=verification_id).first()
        if row is None:
            return
        names = list(row.documents.values_list("file", flat=True))
        # With its row goes the only key to a picture.
        row.documents.all().delete()
        row.details = None
        row.save(update_fields=["details"])
        years = settings.KYC_DOCUMENTS_KEPT_YEARS
        VerificationEvent.objects.create(
            verification=row, at=now, actor=None, what="forgotten",
            words=f"{len(names)} documents and what was said, after {years} years",
        )  # fmt: skip
        for name in names:
            transaction.on_commit(partial(files.remove, name))


def _years_before(now: datetime, years: int) -> datetime:
    try:
        return now.replace(year=now.year - years)
    except ValueError:
        # The 29th of February is there in some years only.
        return now.replace(year=now.year - years, day=28)
