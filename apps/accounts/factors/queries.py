"""Reads of second factors: what a person has, and which ways there are to prove it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allauth.mfa.models import Authenticator

from apps.accounts.factors import passkeys
from apps.accounts.models import User

TOTP: Final = Authenticator.Type.TOTP
PASSKEY: Final = Authenticator.Type.WEBAUTHN
RECOVERY: Final = Authenticator.Type.RECOVERY_CODES
FACTORS: Final = (TOTP, PASSKEY)


@dataclass(frozen=True, slots=True)
class Factor:
    """A second factor as its owner sees it."""

    id: int
    is_passkey: bool
    name: str
    created_at: datetime
    used_at: datetime | None


def has_second_factor(*, person: User) -> bool:
    """Return whether a password alone does not let the person in."""
    return bool(Authenticator.objects.filter(user=person, type__in=FACTORS).exists())


def factors_of(*, viewer: User) -> list[Factor]:
    """Return the viewer's own second factors, oldest first."""
    return [
        Factor(
            id=row.pk,
            is_passkey=row.type == PASSKEY,
            name=row.data["name"] if row.type == PASSKEY else "Authenticator app",
            created_at=row.created_at,
            used_at=row.last_used_at,
        )
        for row in Authenticator.objects.filter(user=viewer, type__in=FACTORS).order_by("id")
    ]


def methods_of(*, person: User) -> list[str]:
    """Return by which names a second factor can be given: the API and the pages offer these."""
    kinds = set(Authenticator.objects.filter(user=person).values_list("type", flat=True))
    names = ((TOTP, "totp"), (PASSKEY, "passkey"), (RECOVERY, "recovery_code"))
    return [name for kind, name in names if kind in kinds] if kinds & set(FACTORS) else []


def recovery_codes_left(*, viewer: User) -> int:
    """Return how many unused recovery codes the viewer has."""
    row = Authenticator.objects.filter(user=viewer, type=RECOVERY).first()
    return 0 if row is None else len(row.data["hashes"])


def credentials_of(*, person: User) -> list[str]:
    """Return the person's passkeys as the ceremonies take them."""
    rows = Authenticator.objects.filter(user=person, type=PASSKEY).order_by("id")
    return [row.data["credential"] for row in rows]


def begin_passkey(*, person: User, host: str) -> tuple[passkeys.Options, passkeys.State] | None:
    """Return the first half of a ceremony; None where the person has no passkey."""
    known = credentials_of(person=person)
    return passkeys.begin(host=host, known=known, alone=False) if known else None
