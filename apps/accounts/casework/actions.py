"""What staff do about a person: write notes, freeze the account, and open it again."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction

from apps.accounts import freezing
from apps.accounts.casework.models import (
    NOTE_LENGTH_MAX,
    REASON_LENGTH_MAX,
    StaffFreeze,
    StaffNote,
)
from apps.accounts.models import User
from apps.core.audit import because
from apps.core.errors import Conflict, Invalid, NotAllowed

MAY_FREEZE: Final = "accounts.change_user"


def add_note(*, actor: User, person: User, text: str, now: datetime) -> StaffNote:
    """Keep a note of a member of staff; nobody can change it afterwards."""
    if not (actor.is_staff and actor.is_active):
        raise NotAllowed("permission_denied", "Only members of staff write notes.")
    kept = text.strip().replace("\r\n", "\n")
    if not kept or len(kept) > NOTE_LENGTH_MAX or "\x00" in kept:
        raise Invalid("invalid_note", f"A note has 1 to {NOTE_LENGTH_MAX} characters.")
    return StaffNote.objects.create(person=person, author=actor, text=kept, written_at=now)


def freeze_person(*, actor: User, person: User, reason: str, now: datetime) -> StaffFreeze:
    """Freeze somebody's account: they are signed out, nothing trades or leaves until it is lifted.

    One member of staff is enough to stop somebody; the owner cannot lift it by himself.
    """
    check_may_freeze(actor, person)
    words = _reason(reason)
    with transaction.atomic(), because(words):
        locked = User.objects.select_for_update().get(pk=person.pk)
        if StaffFreeze.objects.filter(person=locked, lifted_at=None).exists():
            raise Conflict("already_frozen", "Staff have frozen this account already.")
        made = StaffFreeze.objects.create(
            person=locked, frozen_by=actor, frozen_at=now, reason=words,
            was_frozen=locked.frozen_at is not None,
        )  # fmt: skip
        freezing.close(
            person=locked, now=now, words="Frozen by staff.", kind="account_frozen_by_staff"
        )
    return made


def lift_freeze(*, actor: User, person: User, reason: str, now: datetime) -> StaffFreeze:
    """Take back what staff froze; where its owner had frozen the account before, it stays so."""
    check_may_freeze(actor, person)
    words = _reason(reason)
    with transaction.atomic(), because(words):
        locked = User.objects.select_for_update().get(pk=person.pk)
        standing = StaffFreeze.objects.filter(person=locked, lifted_at=None).first()
        if standing is None:
            raise Conflict("not_frozen", "Staff have not frozen this account.")
        standing.lifted_by, standing.lifted_at, standing.lift_reason = actor, now, words
        standing.save(update_fields=["lifted_by", "lifted_at", "lift_reason"])
        if not standing.was_frozen:
            freezing.open_again(person=locked, now=now)
    return standing


def check_may_freeze(actor: User, person: User) -> None:
    """Refuse who may not freeze this person, or open the account again."""
    if not may_freeze(actor, person):
        raise NotAllowed("staff_only", "You may not freeze this account. Nothing has changed.")


def may_freeze(actor: User, person: User) -> bool:
    """Whether it is his right; staff are frozen by superusers only, and nobody by himself."""
    allowed = actor.is_active and actor.is_staff and actor.has_perm(MAY_FREEZE)
    return allowed and actor.pk != person.pk and (actor.is_superuser or not person.is_staff)


def _reason(text: str) -> str:
    words = text.strip()
    if not 1 <= len(words) <= REASON_LENGTH_MAX or "\x00" in words:
        raise Invalid(
            "reason_required", f"Say why, in up to {REASON_LENGTH_MAX} characters: it is kept."
        )
    return words
