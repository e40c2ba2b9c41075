"""What this app itself holds about a person, as their copy of it has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.apps import apps
from django.db.models import QuerySet

from apps.accounts import addresses
from apps.accounts.casework.models import StaffFreeze, StaffNote
from apps.accounts.factors.queries import factors_of
from apps.accounts.keys.models import ApiKey
from apps.accounts.kyc.models import Verification
from apps.accounts.kyc.queries import details_of, verifications_of
from apps.accounts.models import SignIn, SignInRecord, User
from apps.accounts.personal.models import DataExport
from apps.accounts.personal.parts import register_part
from apps.core.clock import iso

_PROFILE = (
    "public_id", "email", "display_name", "is_active", "is_staff", "date_joined", "last_login",
    "security_changed_at", "frozen_at", "kyc_tier",
)  # fmt: skip
_CHANGES = ("at", "email", "display_name", "is_active", "is_staff", "kyc_tier", "frozen_at")
_SIGN_INS = ("since", "client", "address", "ended_at", "end_reason")
_TRIES = ("at", "outcome", "way", "client", "address", "is_new_device")
_KEYS = (
    "id", "name", "algorithm", "scopes", "networks", "created_at", "expires_at", "last_used_at",
    "last_used_address", "revoked_at", "revoke_reason",
)  # fmt: skip


def register() -> None:
    """Name the parts that this app has."""
    register_part("profile", _profile, about="your account")
    register_part(
        "profile_changes", _changes, about="how your account has changed", columns=_CHANGES
    )
    register_part("places", _sign_ins, about="where you are signed in, or were", columns=_SIGN_INS)
    register_part("sign_ins", _tries, about="tries to sign in, of 90 days", columns=_TRIES)
    register_part(
        "second_factors", _factors, about="your second factors",
        columns=("kind", "name", "created_at", "used_at"),
    )  # fmt: skip
    register_part(
        "connections", _connections, about="other sites that let you in",
        columns=("site", "uid", "known_as", "since", "used_at"),
    )  # fmt: skip
    register_part("api_keys", _keys, about="your API keys, without what signs", columns=_KEYS)
    register_part(
        "verifications", _verifications,
        about="what you have shown of yourself, and what was decided; the pictures themselves are "
        "on the page where you sent them",
    )  # fmt: skip
    register_part(
        "staff_notes", _notes, about="what our staff wrote down about you",
        columns=("written_at", "text"),
    )  # fmt: skip
    register_part(
        "staff_freezes", _freezes, about="when our staff had your account frozen, and why",
        columns=("frozen_at", "reason", "lifted_at", "lift_reason"),
    )  # fmt: skip
    register_part(
        "copies_of_data", _exports, about="copies like this one",
        columns=("asked_at", "ready_at", "state"),
    )  # fmt: skip


def _profile(person: User) -> Iterator[Mapping[str, object]]:
    (row,) = User.objects.filter(pk=person.pk).values(*_PROFILE)
    yield {**row, "email_is_verified": addresses.is_verified(person=person)}


def _changes(person: User) -> Iterator[Mapping[str, object]]:
    """Yield each state of the account that the audit trail remembers, the oldest first."""
    events: Any = apps.get_model("accounts", "UserEvent")
    kept = events.objects.filter(pgh_obj_id=person.pk).order_by("pgh_id")
    for row in kept.values("pgh_created_at", *_CHANGES[1:]).iterator():
        yield _plain({"at": row.pop("pgh_created_at"), **row})


def _sign_ins(person: User) -> Iterator[Mapping[str, object]]:
    rows = SignIn.objects.filter(user=person).order_by("created_at")
    for row in _values(rows, "created_at", *_SIGN_INS[1:]):
        yield {"since": row["created_at"], **row}


def _tries(person: User) -> Iterator[Mapping[str, object]]:
    return _values(SignInRecord.objects.filter(user=person).order_by("at", "id"), *_TRIES)


def _factors(person: User) -> Iterator[Mapping[str, object]]:
    for factor in factors_of(viewer=person):
        yield _plain(
            {
                "kind": "passkey" if factor.is_passkey else "authenticator app",
                "name": factor.name,
                "created_at": factor.created_at,
                "used_at": factor.used_at,
            }
        )


def _connections(person: User) -> Iterator[Mapping[str, object]]:
    for row in SocialAccount.objects.filter(user=person).order_by("pk"):
        yield _plain(
            {
                "site": row.provider,
                "uid": row.uid,
                "known_as": row.extra_data.get("known_as"),
                "since": row.date_joined,
                "used_at": row.last_login,
            }
        )


def _keys(person: User) -> Iterator[Mapping[str, object]]:
    for row in _values(ApiKey.objects.filter(person=person).order_by("created_at"), *_KEYS):
        yield {
            **row,
            "scopes": " ".join(row["scopes"]),
            "networks": " ".join(row["networks"]),
        }


def _verifications(person: User) -> Iterator[Mapping[str, object]]:
    rows = verifications_of(viewer=person).order_by("began_at")
    for row in rows.prefetch_related("documents", "events"):
        yield _verification(row)


def _verification(row: Verification) -> Mapping[str, object]:
    return {
        "tier": row.tier,
        "status": row.status,
        "said": details_of(row),
        "began_at": row.began_at,
        "submitted_at": row.submitted_at,
        "decided_at": row.decided_at,
        "reason": row.reason,
        "expires_at": row.expires_at,
        "documents": [
            {
                "kind": each.kind, "uploaded_at": each.uploaded_at, "size_bytes": each.size_bytes,
                "width": each.width, "height": each.height,
            }
            for each in row.documents.all()
        ],
        "steps": [{"at": each.at, "what": each.what} for each in row.events.all()],
    }  # fmt: skip


def _notes(person: User) -> Iterator[Mapping[str, object]]:
    return _values(StaffNote.objects.filter(person=person).order_by("id"), "written_at", "text")


def _freezes(person: User) -> Iterator[Mapping[str, object]]:
    rows = StaffFreeze.objects.filter(person=person).order_by("id")
    return _values(rows, "frozen_at", "reason", "lifted_at", "lift_reason")


def _exports(person: User) -> Iterator[Mapping[str, object]]:
    rows = DataExport.objects.filter(person=person).order_by("asked_at")
    return _values(rows, "asked_at", "ready_at", "state")


def _values(rows: QuerySet[Any], *columns: str) -> Iterator[dict[str, Any]]:
    return map(_plain, rows.values(*columns).iterator())


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its times as text."""
    return {name: iso(each) if hasattr(each, "tzinfo") else each for name, each in row.items()}
