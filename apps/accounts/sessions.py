"""Where a person is signed in, on the site and through the API: opening, listing, ending.

Both kinds are rows of one table, so one list shows them and one action ends either. Every try is
noted for its person to see, and one from where they never came from is told to them.
"""

from __future__ import annotations

import ipaddress
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import F, Max

from apps.accounts import security
from apps.accounts.models import SignIn, SignInRecord, User
from apps.core.errors import NotFound

SITE: Final = "site"
API: Final = "api"
OPENED: Final = "opened"
WRONG_PASSWORD: Final = "wrong_password"
WRONG_FACTOR: Final = "wrong_factor"
HISTORY_KEPT: Final = timedelta(days=90)
HISTORY_SHOWN: Final = 50
# So much of an address names whom it comes from; the rest changes with the weather.
_NETWORK_BITS: Final = {4: 16, 6: 32}


@dataclass(frozen=True, slots=True)
class Visit:
    """From where somebody comes: what the client calls itself, and its address."""

    client: str
    address: str
    way: str

    @classmethod
    def of(cls, *, client: str, address: str, way: str) -> Visit:
        """Return the visit as it can be kept."""
        printable = "".join(character for character in client if character.isprintable())
        return cls(printable[:200], address[:45], way)


@dataclass(frozen=True, slots=True)
class Place:
    """One place where a person is signed in."""

    id: uuid.UUID
    way: str
    client: str
    address: str
    since: datetime
    seen_at: datetime
    is_this: bool


def note_try(*, person: User, outcome: str, visit: Visit, now: datetime) -> None:
    """Write a try into the history; tell the person where one that succeeded is from afar."""
    is_new = outcome == OPENED and _is_new_device(person, visit, now)
    SignInRecord.objects.create(
        user=person, at=now, outcome=outcome, way=visit.way, client=visit.client,
        address=visit.address, is_new_device=is_new,
    )  # fmt: skip
    if is_new:
        security.tell(
            person=person, kind="sign_in_new_device", now=now,
            client=visit.client or "an app", address=visit.address,
        )  # fmt: skip


def open_on_site(*, actor: User, session_key: str, visit: Visit, now: datetime) -> None:
    """Note that a session of the site is a person's from now on."""
    with transaction.atomic():
        SignIn.objects.filter(session_key=session_key, ended_at=None).delete()
        SignIn.objects.create(
            user=actor, client=visit.client, address=visit.address, created_at=now,
            proved_at=now, session_key=session_key,
        )  # fmt: skip
        note_try(person=actor, outcome=OPENED, visit=visit, now=now)


def end_on_site(*, session_key: str, now: datetime) -> None:
    """Note that a session of the site was left."""
    SignIn.objects.filter(session_key=session_key, ended_at=None).update(
        ended_at=now, end_reason="logout"
    )


def places_of(
    *, viewer: User, now: datetime, session_key: str = "", sign_in_id: uuid.UUID | None = None
) -> list[Place]:
    """Return where the viewer is signed in, this place first and then the latest ones."""
    rows = SignIn.objects.filter(user=viewer, ended_at=None).annotate(
        refreshed_at=Max("refresh_tokens__issued_at")
    )
    lasting = set(
        Session.objects.filter(
            session_key__in=[row.session_key for row in rows if row.session_key],
            expire_date__gt=now,
        ).values_list("session_key", flat=True)
    )
    places = [
        Place(
            id=row.pk,
            way=SITE if row.session_key else API,
            client=row.client,
            address=row.address,
            since=row.created_at,
            seen_at=row.refreshed_at or row.created_at,
            is_this=row.pk == sign_in_id or bool(session_key and row.session_key == session_key),
        )
        for row in rows
        if not row.session_key or row.session_key in lasting
    ]
    return sorted(places, key=lambda place: (not place.is_this, -place.seen_at.timestamp()))


def history_of(*, viewer: User) -> list[SignInRecord]:
    """Return the viewer's latest tries to sign in, newest first."""
    return list(SignInRecord.objects.filter(user=viewer).order_by("-at", "-id")[:HISTORY_SHOWN])


def end_place(*, actor: User, place_id: uuid.UUID, now: datetime) -> None:
    """Sign the actor out at one place; its tokens, session and sockets end at once."""
    with transaction.atomic():
        row = SignIn.objects.filter(user=actor, pk=place_id, ended_at=None).first()
        if row is None:
            raise NotFound("not_found", "There is no such sign-in, or no longer.")
        _end([row], "revoked", now)


def end_others(*, actor: User, kept: uuid.UUID | None, reason: str, now: datetime) -> int:
    """Sign a person out everywhere but at one place; return how many places that were.

    Sessions that are on no list end too: the epoch that all of them rest on goes up, so the
    caller has the one that is kept rest on the new one.
    """
    with transaction.atomic():
        User.objects.filter(pk=actor.pk).update(sessions_epoch=F("sessions_epoch") + 1)
        actor.refresh_from_db(fields=["sessions_epoch"])
        rows = SignIn.objects.filter(user=actor, ended_at=None)
        return _end([row for row in rows if row.pk != kept], reason, now)


def sign_in_of_session(*, session_key: str) -> uuid.UUID | None:
    """Return the sign-in that a session of the site is."""
    rows = SignIn.objects.filter(session_key=session_key, ended_at=None)
    return rows.values_list("pk", flat=True).first() if session_key else None


def follow_session(*, old_key: str, new_key: str) -> None:
    """Note that a session of the site goes on under another key."""
    SignIn.objects.filter(session_key=old_key, ended_at=None).update(session_key=new_key)


def forget_old(*, now: datetime) -> int:
    """Drop history that is too old, and sessions that ended by themselves; return how many."""
    old = SignInRecord.objects.filter(at__lt=now - HISTORY_KEPT).delete()[0]
    lasting = Session.objects.filter(expire_date__gt=now).values("session_key")
    gone = SignIn.objects.exclude(session_key="").exclude(session_key__in=lasting)
    return old + gone.filter(created_at__lt=now - timedelta(minutes=5)).delete()[0]


def _end(rows: list[SignIn], reason: str, now: datetime) -> int:
    keys = [row.session_key for row in rows if row.session_key]
    Session.objects.filter(session_key__in=keys).delete()
    ended = SignIn.objects.filter(pk__in=[row.pk for row in rows], ended_at=None)
    return ended.update(ended_at=now, end_reason=reason)


def _is_new_device(person: User, visit: Visit, now: datetime) -> bool:
    """Whether the person came before, but never with this client or never from near there."""
    known = SignInRecord.objects.filter(user=person, outcome=OPENED, at__gt=now - HISTORY_KEPT)
    seen = list(known.order_by("-at").values_list("client", "address")[:500])
    if not seen:
        return False
    networks = {_network(address) for _, address in seen}
    return visit.client not in {client for client, _ in seen} or (
        _network(visit.address) not in networks
    )


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    bits = _NETWORK_BITS[found.version]
    return str(ipaddress.ip_network((found, bits), strict=False))
