"""Writes of second factors: adding and removing them, and judging what somebody gives as one.

Site and API come here, so they share one limit on tries: ten at once, then one every 90 seconds,
and after fifty wrong ones in a row none is right until there is a new password.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models import F

from apps.accounts import security, step_up
from apps.accounts.factors import passkeys, queries, recovery, totp
from apps.accounts.models import User
from apps.accounts.social.queries import has_way_in
from apps.core import crypto, ratelimit
from apps.core.errors import Conflict, Invalid, NotFound, NotSignedIn, Refused, TooMany

TRIES: Final = ratelimit.Bucket(capacity=10, per_second=10 / 900)
# Whoever tries codes knows the password: so many in a row, and it is not to be trusted any more.
WRONG_CODES_MAX: Final = 50
FACTORS_MAX: Final = 10
NAME_LENGTH_MAX: Final = 40
_TABLE: Final = "mfa_authenticator"


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody gives as a second factor: a code, or a passkey's answer with its state."""

    code: str = ""
    passkey: Mapping[str, Any] | None = None
    state: passkeys.State | None = None
    host: str = ""


def add_totp(
    *, actor: User, secret: str, code: str, proved_at: datetime | None, now: datetime
) -> list[str]:
    """Add an authenticator app; return recovery codes where the actor had none yet."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    step = totp.step_of(secret, _digits(code), at_seconds=now.timestamp(), after_step=0)
    if step is None:
        raise Invalid("invalid_second_factor", "The code is wrong. Look at the app's newest one.")
    with transaction.atomic():
        _lock(actor)
        if Authenticator.objects.filter(user=actor, type=queries.TOTP).exists():
            raise Conflict("factor_exists", "You have an authenticator app already.")
        sealed = crypto.seal(secret.encode(), **_place(actor))
        data = {"sealed": base64.b64encode(sealed).decode(), "last_step": step}
        return _add(actor, queries.TOTP, data, "an authenticator app", now)


def add_passkey(
    *,
    actor: User,
    name: str,
    answer: Mapping[str, Any],
    state: passkeys.State,
    host: str,
    proved_at: datetime | None,
    now: datetime,
) -> list[str]:
    """Add a passkey; return recovery codes where the actor had none yet."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    made = passkeys.finish_registration(host=host, state=state, answer=answer)
    name = " ".join(name.split())[:NAME_LENGTH_MAX] or "Passkey"
    with transaction.atomic():
        _lock(actor)
        if Authenticator.objects.filter(user=actor).count() >= FACTORS_MAX:
            raise Refused("too_many_factors", "You have as many passkeys as are possible.")
        data = {"name": name, "credential": made.credential, "count": made.count}
        return _add(actor, queries.PASSKEY, data, f"the passkey {name}", now)


def remove_factor(
    *, actor: User, factor_id: int, proved_at: datetime | None, now: datetime
) -> None:
    """Remove a second factor; recovery codes go with the last one."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    with transaction.atomic():
        _lock(actor)
        mine = Authenticator.objects.filter(user=actor, type__in=queries.FACTORS)
        factor = mine.filter(pk=factor_id).first()
        if factor is None:
            raise NotFound("not_found", "There is no such second factor.")
        last = mine.count() == 1
        if last and User.objects.filter(pk=actor.pk, password_is_short=True).exists():
            raise Refused(
                "password_too_short",
                "Your password is only long enough beside a second factor. Choose one of at least "
                "15 characters first; nothing was removed.",
            )
        is_passkey = factor.type == queries.PASSKEY
        if is_passkey and not has_way_in(person=actor, but_factor=factor.pk):
            raise Refused(
                "only_way_in",
                "Nothing else lets you in. Choose a password first; nothing was removed.",
            )
        words = factor.data["name"] if is_passkey else "the authenticator app"
        factor.delete()
        if last:
            Authenticator.objects.filter(user=actor, type=queries.RECOVERY).delete()
        security.changed(person=actor, kind="second_factor_removed", now=now, name=words)


def renew_recovery_codes(*, actor: User, proved_at: datetime | None, now: datetime) -> list[str]:
    """Return fresh recovery codes; the old ones are worth nothing from now on."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    with transaction.atomic():
        _lock(actor)
        if not queries.has_second_factor(person=actor):
            raise Refused("no_second_factor", "Add a second factor first.")
        Authenticator.objects.filter(user=actor, type=queries.RECOVERY).delete()
        codes = _add_recovery_codes(actor)
        security.changed(
            person=actor, kind="second_factor_added", now=now, name="new recovery codes"
        )
        return codes


def check_second_factor(*, person: User, given: Given, now: datetime) -> None:
    """Return where it is right; every wrong one gets one answer, and is counted before it."""
    tried = f"second-factor:{person.pk}"
    verdict = ratelimit.take(tried, TRIES)
    if not verdict.allowed:
        raise TooMany(
            "too_many_attempts",
            "Too many attempts with a second factor. Wait a little, then try again.",
            retry_after_seconds=verdict.retry_after_seconds,
        )
    counted = User.objects.filter(pk=person.pk, wrong_codes__lt=WRONG_CODES_MAX).update(
        wrong_codes=F("wrong_codes") + 1
    )
    with transaction.atomic():
        right = bool(counted) and _is_right(person, given, now)
        if right:
            User.objects.filter(pk=person.pk).update(wrong_codes=0)
    if not right:
        if counted and _wrong_codes(person) == WRONG_CODES_MAX:
            security.tell(person=person, kind="codes_locked", now=now, tries=str(WRONG_CODES_MAX))
        raise NotSignedIn("invalid_second_factor", "The code is wrong, or was used already.")
    ratelimit.give_back(tried, TRIES)


def find_passkey_owner(
    *, answer: Mapping[str, Any], state: passkeys.State, host: str, now: datetime
) -> User:
    """Return who signs in with a passkey alone, which has to have asked its owner for more."""
    handle = passkeys.owner_key(answer)
    person = User.objects.filter(public_id__in=_ids(handle), is_active=True).first()
    given = Given(passkey=answer, state=state, host=host)
    if person is None or not _passkey_is_right(person, given, now, alone=True):
        raise NotSignedIn("invalid_second_factor", "This passkey is not known here.")
    return person


def _is_right(person: User, given: Given, now: datetime) -> bool:
    if given.passkey is not None:
        return _passkey_is_right(person, given, now, alone=False)
    digits = _digits(given.code)
    if len(digits) == totp.DIGITS:
        return _totp_is_right(person, digits, now)
    if recovery.looks_like_one(given.code):
        return _recovery_code_is_right(person, given.code, now)
    return False


def _totp_is_right(person: User, code: str, now: datetime) -> bool:
    row = _locked(person, queries.TOTP).first()
    if row is None:
        return False
    secret = crypto.open_sealed(base64.b64decode(row.data["sealed"]), **_place(person)).decode()
    after = int(row.data["last_step"])
    step = totp.step_of(secret, code, at_seconds=now.timestamp(), after_step=after)
    if step is None:
        return False
    _note_use(row, now, last_step=step)
    return True


def _recovery_code_is_right(person: User, code: str, now: datetime) -> bool:
    row = _locked(person, queries.RECOVERY).first()
    digest = recovery.digest(code, person_id=person.pk, secret=settings.SECRET_KEY)
    if row is None or digest not in row.data["hashes"]:
        return False
    left = [each for each in row.data["hashes"] if each != digest]
    _note_use(row, now, hashes=left)
    security.tell(person=person, kind="recovery_codes_used", now=now, left=str(len(left)))
    return True


def _passkey_is_right(person: User, given: Given, now: datetime, *, alone: bool) -> bool:
    if given.state is None or given.passkey is None:
        return False
    with transaction.atomic():
        rows = {row.data["credential"]: row for row in _locked(person, queries.PASSKEY)}
        try:
            shown = passkeys.finish(
                host=given.host, state=given.state, answer=given.passkey, known=rows
            )
        except Invalid:
            return False
        row = rows[shown.credential]
        # A count that does not grow is that of a copy; some authenticators never count.
        if shown.count <= row.data["count"] and (shown.count or row.data["count"]):
            return False
        if alone and not shown.verified:
            return False
        _note_use(row, now, count=shown.count)
        return True


def _add(actor: User, kind: str, data: dict[str, Any], words: str, now: datetime) -> list[str]:
    Authenticator.objects.create(user=actor, type=kind, data=data, created_at=now)
    codes: list[str] = []
    if not Authenticator.objects.filter(user=actor, type=queries.RECOVERY).exists():
        codes = _add_recovery_codes(actor)
    security.changed(person=actor, kind="second_factor_added", now=now, name=words)
    return codes


def _add_recovery_codes(actor: User) -> list[str]:
    codes = recovery.new_codes()
    hashes = [
        recovery.digest(code, person_id=actor.pk, secret=settings.SECRET_KEY) for code in codes
    ]
    Authenticator.objects.create(user=actor, type=queries.RECOVERY, data={"hashes": hashes})
    return codes


def _lock(person: User) -> None:
    """Keep two changes to one person's factors from crossing."""
    User.objects.select_for_update(no_key=True).get(pk=person.pk)


def _locked(person: User, kind: str) -> Any:
    return Authenticator.objects.select_for_update().filter(user=person, type=kind).order_by("id")


def _note_use(row: Authenticator, now: datetime, **changes: object) -> None:
    row.data = {**row.data, **changes}
    row.last_used_at = now
    row.save(update_fields=["data", "last_used_at"])


def _wrong_codes(person: User) -> int:
    return User.objects.values_list("wrong_codes", flat=True).get(pk=person.pk)


def _place(person: User) -> dict[str, Any]:
    return {
        "table": _TABLE, "row": str(person.public_id), "field": "totp", "person_id": person.pk,
    }  # fmt: skip


def _digits(code: str) -> str:
    """Return the code without the space that apps put into its middle."""
    code = code.replace(" ", "")
    return code if code.isascii() and code.isdecimal() else ""


def _ids(handle: bytes) -> list[str]:
    """Return the person's id that a passkey keeps, where it is one at all."""
    return [handle.hex()] if len(handle) == 16 else []
