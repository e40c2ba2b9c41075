"""Writes of API keys: making, changing and revoking them, and noting that one was used.

Making and changing one takes a fresh proof of who asks. Revoking takes none: who fears for a key
must get rid of it at once.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q

from apps.accounts import step_up
from apps.accounts.keys import nonces, rules
from apps.accounts.keys.models import ApiKey
from apps.accounts.keys.queries import unknown_key, usable
from apps.accounts.models import User
from apps.core import clock, crypto, outbox
from apps.core.errors import Conflict, Invalid

KEYS_MAX: Final = 10
NAME_LENGTH_MAX: Final = 40
USE_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewKey:
    """``secret`` is known here and to who reads this answer, and then to nobody any more."""

    key: ApiKey
    secret: str | None


def create_key(
    *,
    actor: User,
    name: str,
    scopes: Sequence[str],
    networks: Sequence[str],
    expires_at: datetime | None,
    public_key: str | None,
    proved_at: datetime | None,
    now: datetime,
) -> NewKey:
    """Make a key: with a public key its signatures are Ed25519, otherwise HMAC-SHA256."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    places = rules.check_networks(networks)
    key = ApiKey(
        person=actor,
        name=_check_name(name),
        scopes=rules.check_scopes(scopes, places),
        networks=places,
        expires_at=_check_expiry(expires_at, now),
        created_at=now,
    )
    secret = None
    if public_key is not None:
        key.algorithm = ApiKey.Algorithm.ED25519
        key.public_key = rules.read_public_key(public_key)
    else:
        secret = secrets.token_urlsafe(32)
        key.algorithm = ApiKey.Algorithm.HMAC_SHA256
        key.secret = crypto.seal(
            secret.encode(), table="accounts_apikey", row=key.pk, field="secret", person_id=actor.pk
        )
    nonces.begin()
    with transaction.atomic():
        # Keys that are made at the same time count one after the other.
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        if usable(person=actor, now=now).count() >= KEYS_MAX:
            raise Conflict("too_many_keys", f"You have {KEYS_MAX} keys. Revoke one first.")
        key.save(force_insert=True)
        _tell("api_key_created", key, now)
    return NewKey(key, secret)


def change_key(
    *,
    actor: User,
    key_id: uuid.UUID,
    name: str | None = None,
    scopes: Sequence[str] | None = None,
    networks: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    proved_at: datetime | None,
    now: datetime,
) -> ApiKey:
    """Change what is given. Sockets that were opened with the key as it was end."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    with transaction.atomic():
        key = (
            ApiKey.objects.select_for_update()
            .filter(person=actor, revoked_at=None, pk=key_id)
            .first()
        )
        if key is None:
            raise unknown_key()
        if name is not None:
            key.name = _check_name(name)
        if expires_at is not None:
            key.expires_at = _check_expiry(expires_at, now)
        places = key.networks if networks is None else rules.check_networks(networks)
        key.scopes = rules.check_scopes(key.scopes if scopes is None else scopes, places)
        key.networks = places
        key.version += 1
        key.save(update_fields=["name", "expires_at", "networks", "scopes", "version"])
        _tell("api_key_changed", key, now)
    return key


def revoke_key(*, actor: User, key_id: uuid.UUID, now: datetime) -> None:
    """End a key: the next request signed with it is refused."""
    with transaction.atomic():
        ended = ApiKey.objects.filter(person=actor, revoked_at=None, pk=key_id).update(
            revoked_at=now, revoke_reason="owner", version=F("version") + 1
        )
        if not ended:
            raise unknown_key()
        _tell("api_key_revoked", ApiKey.objects.get(person=actor, pk=key_id), now)


def revoke_all_keys(*, person: User, reason: str, now: datetime) -> int:
    """End every key of a person, for whoever ends all there is; return how many that were."""
    with transaction.atomic():
        keys = list(
            ApiKey.objects.select_for_update().filter(person=person, revoked_at=None).order_by("pk")
        )
        for key in keys:
            key.revoked_at, key.revoke_reason, key.version = now, reason, key.version + 1
            key.save(update_fields=["revoked_at", "revoke_reason", "version"])
            _tell("api_key_revoked", key, now)
    return len(keys)


def note_use(*, key: ApiKey, address: str, now: datetime) -> None:
    """Note when and from where a key was used, at most once a minute."""
    long_ago = now - USE_NOTED_EVERY
    if key.last_used_at is not None and key.last_used_at > long_ago:
        return
    ApiKey.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lte=long_ago), pk=key.pk
    ).update(last_used_at=now, last_used_address=address[:45])  # fmt: skip


def _check_name(name: str) -> str:
    found = name.strip()
    if not found or len(found) > NAME_LENGTH_MAX or not found.isprintable():
        raise Invalid("invalid_name", f"Give the key a name of at most {NAME_LENGTH_MAX} letters.")
    return found


def _check_expiry(expires_at: datetime | None, now: datetime) -> datetime | None:
    if expires_at is not None and expires_at <= now:
        raise Invalid("invalid_time", "A key must end in the future.")
    return expires_at


def _tell(kind: str, key: ApiKey, now: datetime) -> None:
    data = {
        "key": str(key.pk),
        "name": key.name,
        "scopes": ", ".join(key.scopes),
        "at": clock.iso(now),
    }
    outbox.emit(
        "notice",
        {"person_id": key.person_id, "kind": kind, "data": data},
        key=f"{kind}:{key.pk}:{key.version}",
        now=now,
    )
