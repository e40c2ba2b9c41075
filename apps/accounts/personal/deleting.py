"""Deleting a person: asked for with the address typed, two weeks to think again, then done.

What the law has us keep stays under a name that says nothing: ledger, orders, what was decided
about documents. What lets somebody in or tells who it was goes, in the audit trail too.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.core.mail import send_mail
from django.db import transaction

from apps.accounts import security, sessions, step_up
from apps.accounts.keys.models import ApiKey
from apps.accounts.kyc.models import Verification
from apps.accounts.models import DELETED_HOST, Letter, SignIn, SignInRecord, User
from apps.accounts.personal import obstacles
from apps.accounts.personal.actions import forget_exports_of
from apps.accounts.personal.models import Deletion
from apps.accounts.personal.queries import deletion_of
from apps.core import clock, outbox
from apps.core.audit import because, replace_in_trail
from apps.core.errors import Conflict, Invalid, NotFound, Refused

logger = logging.getLogger(__name__)

# The person is closed, and everything of theirs in the engine with them.
CLOSED: Final = "person_closed"
OPENED_AGAIN: Final = "person_opened_again"
TIME_TO_THINK: Final = timedelta(days=14)
# Between closing and ending: what was under way has arrived in the tables by then.
SETTLING: Final = timedelta(minutes=10)
DELETED_NAME: Final = "Deleted person"
_GOODBYE: Final = """\
Hello,

your account of SUM+1 is deleted, as you asked, so this is our last letter. Your sign-ins, keys,
devices and notices are gone, and your name and address with them. What the law has us keep of your
orders and money movements stays without them.
"""


def register() -> None:
    """Name what stands in this app's own way."""
    obstacles.register_obstacle(
        "staff_account",
        "Members of staff cannot delete their account: have your rights taken away first.",
        lambda person: person.is_staff or person.is_superuser,
    )
    obstacles.register_obstacle(
        "verification_open",
        "A verification of yours is being decided on. Wait for that first.",
        _is_being_verified,
    )
    obstacles.register_obstacle(
        "account_frozen",
        "Your account is frozen. Unfreeze it first.",
        lambda person: User.objects.filter(pk=person.pk, frozen_at__isnull=False).exists(),
    )


def ask_for_deletion(
    *, actor: User, confirmation: str, proved_at: datetime | None, now: datetime
) -> Deletion:
    """Have the actor deleted in two weeks; ``confirmation`` is their address, typed again."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    if confirmation.strip().lower() != actor.email:
        raise Invalid(
            "confirmation_wrong", "This is not the address of your account. Nothing was changed."
        )
    with transaction.atomic():
        # Of two who ask at once, the second sees that the first has asked.
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        if deletion_of(viewer=actor) is not None:
            raise Conflict("deletion_asked", "You have asked for that already.")
        _refuse_where_something_stands(actor)
        deletion = Deletion.objects.create(person=actor, asked_at=now, due_at=now + TIME_TO_THINK)
        due = f"{deletion.due_at:%Y-%m-%d %H:%M}"
        security.tell(person=actor, kind="deletion_asked", now=now, due=due)
    return deletion


def take_back(*, actor: User, now: datetime) -> None:
    """Let everything be as if the actor had not asked."""
    with transaction.atomic():
        mine = Deletion.objects.filter(
            person=actor, taken_back_at=None, done_at=None, closed_at=None
        )
        if not mine.update(taken_back_at=now):
            raise NotFound("deletion_not_found", "Nobody has asked for your account to be deleted.")
        security.tell(person=actor, kind="deletion_taken_back", now=now)


def delete_people(*, now: datetime) -> int:
    """Close who is due and end who was closed; return how many are gone. It may be repeated."""
    count = 0
    due = Deletion.objects.filter(taken_back_at=None, done_at=None, due_at__lte=now)
    for pk in list(due.order_by("due_at").values_list("pk", flat=True)):
        try:
            with transaction.atomic(), because("The person asked to be deleted."):
                count += _go_on(pk, now)
        except Exception:
            # Whatever it is, it must not keep the others waiting; the next pass tries again.
            logger.exception("The deletion %s could not go on.", pk)
    return count


def _go_on(pk: Any, now: datetime) -> bool:
    """Take the next step; return whether it was the last one."""
    free = Deletion.objects.select_for_update(skip_locked=True, of=("self",))
    deletion = free.filter(pk=pk, taken_back_at=None, done_at=None).first()
    if deletion is None:
        return False
    person = User.objects.select_for_update(no_key=True).get(pk=deletion.person_id)
    if deletion.closed_at is not None and now - deletion.closed_at < SETTLING:
        return False
    if deletion.closed_at is None and not person.is_active:
        # Staff have switched the account off: what they look at comes first.
        return False
    found = obstacles.obstacles_of(person)
    if found:
        _hold_up(deletion, person, found[0], now)
        return False
    deletion.held_up_by = ""
    if deletion.closed_at is None:
        _close(person, now)
        deletion.closed_at = now
        deletion.save(update_fields=["held_up_by", "closed_at"])
        return False
    _end(person, now)
    deletion.done_at = now
    deletion.save(update_fields=["held_up_by", "done_at"])
    return True


def _close(person: User, now: datetime) -> None:
    """Let nobody in any more: what moves from now on was under way."""
    sessions.end_others(actor=person, kept=None, reason="deletion", now=now)
    person.is_active = False
    person.save(update_fields=["is_active"])
    _emit(CLOSED, person, now)


def _hold_up(deletion: Deletion, person: User, found: obstacles.Obstacle, now: datetime) -> None:
    """Wait, let the person in again, and tell them what for."""
    if deletion.closed_at is not None:
        person.is_active = True
        person.save(update_fields=["is_active"])
        if person.frozen_at is None:
            # A freeze ends by its own event.
            _emit(OPENED_AGAIN, person, now)
    if deletion.held_up_by != found.code:
        security.tell(person=person, kind="deletion_held_up", now=now, why=found.words)
    deletion.held_up_by, deletion.closed_at = found.code, None
    deletion.save(update_fields=["held_up_by", "closed_at"])


def _end(person: User, now: datetime) -> None:
    old_address = person.email
    _forget_ways_in(person, now)
    forget_exports_of(person=person)
    obstacles.forget_elsewhere(person, now)
    person.email = f"{person.public_id.hex}@{DELETED_HOST}"
    person.display_name = DELETED_NAME
    person.is_active, person.last_login = False, None
    person.set_unusable_password()
    person.save(update_fields=["email", "display_name", "is_active", "last_login", "password"])
    _forget_in_trail(person)
    transaction.on_commit(partial(_say_goodbye, old_address))


def _forget_ways_in(person: User, now: datetime) -> None:
    sessions.end_others(actor=person, kept=None, reason="deletion", now=now)
    SignIn.objects.filter(user=person).delete()
    SignInRecord.objects.filter(user=person).delete()
    Authenticator.objects.filter(user=person).delete()
    ApiKey.objects.filter(person=person).delete()
    EmailAddress.objects.filter(user=person).delete()
    SocialAccount.objects.filter(user=person).delete()
    Letter.objects.filter(person=person).delete()


def _forget_in_trail(person: User) -> None:
    """That something changed, when and by whom stays on record; who it was does not."""
    known: Any = apps.get_model("accounts", "UserEvent")
    replace_in_trail(
        known.objects.filter(pgh_obj_id=person.pk),
        email=person.email, display_name=person.display_name,
    )  # fmt: skip
    keys: Any = apps.get_model("accounts", "ApiKeyEvent")
    replace_in_trail(keys.objects.filter(person_id=person.pk), name="", networks=[])


def _say_goodbye(address: str) -> None:
    try:
        send_mail("SUM+1: Your account is deleted", _GOODBYE, None, [address])
    except OSError as failure:
        # Nothing is left that could try it again, and that is as it should be.
        logger.warning("A last letter was not sent: %s", type(failure).__name__)


def _refuse_where_something_stands(person: User) -> None:
    found = obstacles.obstacles_of(person)
    if found:
        raise Refused(
            found[0].code,
            f"{found[0].words} Nothing was deleted.",
            obstacles=[each.code for each in found],
        )


def _is_being_verified(person: User) -> bool:
    undecided = (Verification.Status.WAITING, Verification.Status.PROPOSED)
    return Verification.objects.filter(person=person, status__in=undecided).exists()


def _emit(topic: str, person: User, now: datetime) -> None:
    key = f"{topic}:{person.pk}:{clock.iso(now)}"
    outbox.emit(topic, {"person_id": person.pk}, key=key, now=now)
