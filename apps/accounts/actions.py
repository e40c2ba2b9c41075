"""Writes of people: signing up, proving who one is, and the life of API sign-ins.

Refresh tokens rotate: each is good once, by one guarded UPDATE. Its successor is computed from it
with a secret, so that a client that lost the answer gets the very same successor for ten seconds,
while nothing but hashes is stored. A used token that comes back later ends the whole sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from apps.accounts import access, addresses, notices, password_rules, security
from apps.accounts.events import person_arrived
from apps.accounts.factors.actions import Given, check_second_factor
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.models import RefreshToken, SignIn, User
from apps.accounts.queries import is_frozen, person_by_email
from apps.accounts.sessions import (
    API,
    OPENED,
    WRONG_PASSWORD,
    Visit,
    end_others,
    note_try,
)
from apps.accounts.step_up import require_fresh
from apps.core import ratelimit
from apps.core.errors import Conflict, Invalid, NotAllowed, NotSignedIn, TooMany

REFRESH_LIFETIME: Final = timedelta(days=30)
REFRESH_GRACE: Final = timedelta(seconds=10)
# Ten wrong passwords at once, then one try every 90 seconds, per address that is tried.
ATTEMPTS: Final = ratelimit.Bucket(capacity=10, per_second=10 / 900)
# After so many in a row, however slowly, no password is right until there is a new one.
WRONG_PASSWORDS_MAX: Final = 100
NAME_LENGTH_MIN: Final = 2
_TOKEN_LENGTH: Final = 43
_OF_PASSWORD: Final = ("password", "password_is_short", "wrong_passwords", "wrong_codes")


@dataclass(frozen=True, slots=True)
class TokenPair:
    """``expires_in`` is the life of the access token in seconds."""

    access: str
    refresh: str
    expires_in: int


def register_person(
    *,
    email: str,
    password: str,
    display_name: str,
    now: datetime,
    is_staff: bool = False,
    is_superuser: bool = False,
    kyc_tier: int = 0,
) -> User:
    """Make a person and have the apps above welcome them."""
    user = User(
        email=email.lower(),
        display_name=display_name,
        is_staff=is_staff,
        is_superuser=is_superuser,
        kyc_tier=kyc_tier,
    )
    user.set_password(password)
    _save_new(user)
    addresses.mark_verified(person=user)
    person_arrived(user, now)
    return user


def sign_up(*, email: str, password: str, display_name: str, now: datetime) -> User | None:
    """Make an account; None where the address has one, after the same work."""
    name = " ".join(display_name.split())
    person = User(email=email.lower(), display_name=name)
    if len(name) < NAME_LENGTH_MIN or not name.isprintable():
        raise Invalid("invalid_name", "Use a name of two letters or more that can be seen.")
    check_password_is_good(person=person, password=password)
    person.set_password(password)
    try:
        _save_new(person)
    except Conflict:
        return None
    person_arrived(person, now)
    return person


def fill_in_person(*, user: User, email: str, password: str, display_name: str) -> User:
    """Complete and keep the person whom the sign-up form has begun."""
    user.email = email.lower()
    user.display_name = display_name
    user.set_password(password)
    _save_new(user)
    return user


def check_credentials(
    *, email: str, password: str, now: datetime, visit: Visit | None = None
) -> User:
    """Return the person. Unknown address and wrong password get one answer in one time.

    Tries per address are limited; those that succeed do not count. Without Valkey nobody can be
    counted, so nobody gets in. A password that was guessed at too often is as wrong as any other:
    only its owner is told, by letter.
    """
    tried = f"login:{hashlib.sha256(email.lower().encode()).hexdigest()[:32]}"
    verdict = ratelimit.take(tried, ATTEMPTS)
    if not verdict.allowed:
        raise TooMany(
            "too_many_attempts",
            "Too many attempts to sign in. Wait a little, then try again.",
            retry_after_seconds=verdict.retry_after_seconds,
        )
    # Counted before it is looked at, so that tries at the same time cannot exceed the limit.
    counted = User.objects.filter(
        email=email.lower(), wrong_passwords__lt=WRONG_PASSWORDS_MAX
    ).update(wrong_passwords=F("wrong_passwords") + 1)
    user = person_by_email(email=email)
    if user is None:
        make_password(password)
    if user is None or not user.check_password(password) or not user.is_active or not counted:
        if user is not None and counted and user.wrong_passwords == WRONG_PASSWORDS_MAX:
            notices.tell_of_locked_password(user=user, now=now)
        if user is not None and visit is not None:
            note_try(person=user, outcome=WRONG_PASSWORD, visit=visit, now=now)
        raise NotSignedIn("invalid_credentials", "The e-mail address or the password is wrong.")
    User.objects.filter(pk=user.pk).update(wrong_passwords=0)
    ratelimit.give_back(tried, ATTEMPTS)
    return user


def prove_again(*, actor: User, password: str, given: Given | None, now: datetime) -> None:
    """Return where the actor has proved anew who they are; refuse what is wrong or missing."""
    person = check_credentials(email=actor.email, password=password, now=now)
    if person != actor:
        raise NotSignedIn("invalid_credentials", "The e-mail address or the password is wrong.")
    if has_second_factor(person=actor):
        if given is None:
            raise NotSignedIn("second_factor_required", "Give your second factor, too.")
        check_second_factor(person=actor, given=given, now=now)


def note_proof(*, sign_in_id: uuid.UUID, now: datetime) -> None:
    """Note that who holds a sign-in has just proved to be its person."""
    SignIn.objects.filter(pk=sign_in_id).update(proved_at=now)


def open_sign_in(*, actor: User, client: str, address: str, now: datetime) -> TokenPair:
    """Begin a sign-in through the API."""
    check_may_enter(person=actor)
    visit = Visit.of(client=client, address=address, way=API)
    refresh = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    with transaction.atomic():
        sign_in = SignIn.objects.create(
            user=actor, client=visit.client, address=visit.address, created_at=now,
            proved_at=now,
        )  # fmt: skip
        _keep(refresh, sign_in, now)
        note_try(person=actor, outcome=OPENED, visit=visit, now=now)
    person_arrived(actor, now)
    return _pair(actor.public_id, sign_in.pk, refresh)


def rotate_refresh(*, refresh: str, now: datetime) -> TokenPair:
    """Use up a refresh token and return its successor, or end the sign-in it was stolen from."""
    if len(refresh) != _TOKEN_LENGTH or not refresh.isascii():
        raise _refusal()
    successor = _successor(refresh)
    with transaction.atomic():
        # No join here: of several that come at once, PostgreSQL must judge the row itself anew.
        used = RefreshToken.objects.filter(
            token_hash=_hash(refresh), used_at=None, expires_at__gt=now
        ).update(used_at=now)
        token = (
            RefreshToken.objects.select_related("sign_in__user")
            .filter(token_hash=_hash(refresh))
            .first()
        )
        if token is None or token.sign_in.ended_at or not token.sign_in.user.is_active:
            raise _refusal()
        if used:
            _keep(successor, token.sign_in, now)
        if used or _may_repeat(token, successor, now):
            return _pair(token.sign_in.user.public_id, token.sign_in_id, successor)
        if token.used_at is not None and _end(token.sign_in_id, "reuse", now):
            notices.tell_of_stolen_sign_in(sign_in=token.sign_in, now=now)
    raise _refusal()


def end_sign_in(*, sign_in_id: uuid.UUID, now: datetime) -> None:
    """End one sign-in: its tokens, access tokens too, stop at once."""
    _end(sign_in_id, "logout", now)


def end_sign_in_of_refresh(*, refresh: str, now: datetime) -> None:
    """End the sign-in that a refresh token belongs to; an unknown token is as good as ended."""
    token = RefreshToken.objects.filter(token_hash=_hash(refresh)).first()
    if token is not None:
        _end(token.sign_in_id, "logout", now)


def check_may_enter(*, person: User) -> None:
    """Refuse who has had the account frozen, or has not proved their address where they must."""
    addresses.require_verified(person=person)
    if is_frozen(person_id=person.pk):
        raise NotAllowed(
            "account_frozen",
            "You have frozen your account, so nobody gets in. Log in on the site to have the "
            "letter sent that unfreezes it.",
        )


def change_password(
    *, actor: User, password: str, kept: uuid.UUID | None, proved_at: datetime | None, now: datetime
) -> None:
    """Give the actor another password; every sign-in but the one that is kept ends."""
    require_fresh(person=actor, proved_at=proved_at, now=now)
    check_password_is_good(person=actor, password=password)
    replace_password(person=actor, password=password, kept=kept, now=now)


def check_password_is_good(*, person: User | None, password: str) -> None:
    """Refuse a password that our rules refuse."""
    beside = person is not None and person.pk is not None and has_second_factor(person=person)
    try:
        password_rules.check(password, person=person, has_second_factor=beside)
    except ValidationError as refusal:
        raise Invalid(refusal.code or "password_blocked", refusal.messages[0]) from None


def replace_password(*, person: User, password: str, kept: uuid.UUID | None, now: datetime) -> None:
    """Set a password that was found good, tell its owner, and end what rested on the old one."""
    with transaction.atomic():
        person.set_password(password)
        person.save(update_fields=_OF_PASSWORD)
        end_others(actor=person, kept=kept, reason="password", now=now)
        security.changed(person=person, kind="password_changed", now=now)


def forget_old_tokens(*, now: datetime) -> int:
    """Drop sign-ins without a token that could still be used; return how many rows."""
    RefreshToken.objects.filter(expires_at__lt=now).delete()
    return SignIn.objects.filter(refresh_tokens=None, session_key="").delete()[0]


def _save_new(user: User) -> None:
    """Keep a new person; of two who take one address at once, the second is refused."""
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:
        raise Conflict("email_taken", "There is an account with this address already.") from None


def _end(sign_in_id: uuid.UUID, reason: str, now: datetime) -> bool:
    """End the sign-in; return whether it had not ended before."""
    lasting = SignIn.objects.filter(pk=sign_in_id, ended_at=None)
    return lasting.update(ended_at=now, end_reason=reason) == 1


def _may_repeat(token: RefreshToken, successor: str, now: datetime) -> bool:
    """Whether the answer may have been lost: used just now, and its successor not used yet."""
    if token.used_at is None or now - token.used_at > REFRESH_GRACE:
        return False
    return RefreshToken.objects.filter(token_hash=_hash(successor), used_at=None).exists()


def _keep(refresh: str, sign_in: SignIn, now: datetime) -> None:
    RefreshToken.objects.create(
        sign_in=sign_in, token_hash=_hash(refresh), issued_at=now,
        expires_at=now + REFRESH_LIFETIME,
    )  # fmt: skip


def _pair(person: uuid.UUID, sign_in_id: uuid.UUID, refresh: str) -> TokenPair:
    token = access.issue(access.Claims(person, sign_in_id))
    return TokenPair(token, refresh, int(access.LIFETIME.total_seconds()))


def _successor(refresh: str) -> str:
    secret = b"sum1 refresh token\n" + settings.SECRET_KEY.encode()
    digest = hmac.new(secret, refresh.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash(refresh: str) -> bytes:
    return hashlib.sha256(refresh.encode()).digest()


def _refusal() -> NotSignedIn:
    return NotSignedIn("token_invalid", "The token is not valid, or no longer.")
