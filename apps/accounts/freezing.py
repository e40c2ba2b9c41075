"""Freezing an account by its owner: nobody trades, withdraws or gets in until it is unfrozen.

Freezing asks for nothing but being signed in: it is for somebody in a hurry. Unfreezing takes a
link that was sent by mail, the password, and the second factor where there is one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.core import signing
from django.db import transaction

from apps.accounts import letters, security, sessions
from apps.accounts.actions import prove_again
from apps.accounts.casework.queries import is_frozen_by_staff
from apps.accounts.factors.actions import Given
from apps.accounts.models import User
from apps.core import clock, outbox, ratelimit
from apps.core.errors import NotFound

LINK_LIFETIME: Final = timedelta(hours=1)
FROZEN: Final = "person_frozen"
UNFROZEN: Final = "person_unfrozen"
# One letter at once, then one in five minutes: whoever asks again has not waited for the first.
LETTERS: Final = ratelimit.Bucket(capacity=1, per_second=1 / 300)
_SALT: Final = "sum1 unfreeze"
_TEXT: Final = """\
Hello {name},

your account is frozen: nobody can trade, withdraw or log in. If you want to use it again, open this
link within an hour. It asks for your password{factor}.

{link}

If you did not ask for this letter, somebody else knows your password. Leave the account frozen, and
choose a new password first: "Forgot your password?" on the page where you log in.
"""


def freeze(*, actor: User, now: datetime) -> None:
    """Freeze the actor's own account, and sign them out everywhere, here too."""
    close(person=actor, now=now, words="Frozen by its owner.", kind="account_frozen")


def close(*, person: User, now: datetime, words: str, kind: str) -> None:
    """Freeze an account for whom the words name, and tell its owner by a notice of that kind."""
    with transaction.atomic():
        if not User.objects.filter(pk=person.pk, frozen_at=None).update(frozen_at=now):
            return
        sessions.end_others(actor=person, kept=None, reason="frozen", now=now)
        _emit(FROZEN, person, now, words)
        security.changed(person=person, kind=kind, now=now)


def send_link(*, person: User, link: str, has_second_factor: bool, now: datetime) -> bool:
    """Have the letter sent that unfreezes; return whether, since not every try is worth one."""
    if not ratelimit.take(f"unfreeze:{person.pk}", LETTERS).allowed:
        return False
    factor = " and your second factor" if has_second_factor else ""
    text = _TEXT.format(name=person, factor=factor, link=link)
    letters.write(person=person, subject="Unfreeze your account", text=text, now=now)
    return True


def token_for(person: User) -> str:
    """Return what the link in the letter carries; it is good for this freeze only."""
    at = User.objects.values_list("frozen_at", flat=True).get(pk=person.pk)
    held = {"person": str(person.public_id), "at": clock.iso(at) if at else ""}
    return signing.dumps(held, salt=_SALT)


def person_of(*, token: str) -> User:
    """Return whose account a link unfreezes; refuse one that is too old or was used."""
    try:
        held = signing.loads(token, salt=_SALT, max_age=LINK_LIFETIME)
    except signing.BadSignature:
        raise _refusal() from None
    person = User.objects.filter(public_id=held["person"], is_active=True).first()
    if person is None or person.frozen_at is None or clock.iso(person.frozen_at) != held["at"]:
        raise _refusal()
    if is_frozen_by_staff(person_id=person.pk):
        raise NotFound(
            "frozen_by_staff",
            "Our staff have frozen this account, and no link opens it. Write to our support.",
        )
    return person


def unfreeze(*, token: str, password: str, given: Given | None, now: datetime) -> User:
    """Open a frozen account again for who has its mail, its password and its second factor."""
    person = person_of(token=token)
    prove_again(actor=person, password=password, given=given, now=now)
    open_again(person=person, now=now)
    return person


def open_again(*, person: User, now: datetime) -> None:
    """End the freeze that the person's row tells of; another one since then stays."""
    with transaction.atomic():
        if User.objects.filter(pk=person.pk, frozen_at=person.frozen_at).update(frozen_at=None):
            _emit(UNFROZEN, person, now, "Unfrozen.")
            security.changed(person=person, kind="account_unfrozen", now=now)


def _emit(topic: str, person: User, now: datetime, words: str) -> None:
    key = f"{topic}:{person.pk}:{clock.iso(now)}"
    outbox.emit(topic, {"person_id": person.pk, "words": words}, key=key, now=now)


def _refusal() -> NotFound:
    return NotFound("link_invalid", "This link is too old, or was used. Log in to get another.")
