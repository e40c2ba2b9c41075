"""Pictures, and people on their way to a tier, for the tests of verification."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Final

from django.contrib.auth.models import Permission
from PIL import Image

from apps.accounts.kyc import actions, rules
from apps.accounts.kyc.models import Verification
from apps.accounts.models import User
from tests.factories import person, staff

NOON: Final = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADA: Final = {"legal_name": "Ada  Lovelace", "birth_date": "1990-05-17", "country": "GB"}
HOME: Final = {"address": "1 Main Street, London", "source_of_funds": "Salary"}


def picture(kind: str = "JPEG", size: tuple[int, int] = (64, 48), **options: object) -> bytes:
    into = io.BytesIO()
    Image.new("RGB", size, (20, 90, 160)).save(into, kind, **options)
    return into.getvalue()


def reviewer(email: str = "") -> User:
    """Staff who may decide on verifications."""
    who = staff(email)
    who.user_permissions.add(Permission.objects.get(codename="review_verification"))
    return User.objects.get(pk=who.pk)


def known(email: str = "", tier: int = 1) -> User:
    """A person who has reached a tier."""
    who = person(email)
    for _ in range(tier):
        row = handed_in(who)
        if row.status != Verification.Status.APPROVED:
            for _ in range(2 if row.tier >= rules.TWO_DECIDE_FROM else 1):
                actions.approve(actor=reviewer(), verification_id=row.pk, now=NOON)
    return User.objects.get(pk=who.pk)


def handed_in(who: User, now: datetime = NOON) -> Verification:
    """Their next verification, filled in and sent."""
    who = User.objects.get(pk=who.pk)
    details = {0: ADA, 1: {}, 2: HOME}[who.kyc_tier]
    row = actions.begin(actor=who, details=details, now=now)
    for kind in rules.NEEDED[row.tier]:
        actions.add_document(actor=who, kind=kind, data=picture(), now=now)
    return actions.submit(actor=who, now=now)
