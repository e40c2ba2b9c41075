"""Writes of what other sites vouch for: connecting one to a person, and taking it away.

Nobody is ever connected because of an e-mail address: only who is signed in, and has just proved
it, connects.
"""

from __future__ import annotations

from datetime import datetime

from allauth.socialaccount.models import SocialAccount
from django.db import IntegrityError, transaction

from apps.accounts import security, step_up
from apps.accounts.models import User
from apps.accounts.social.queries import CONNECTIONS_MAX, has_way_in, site_of, sites
from apps.core.errors import Conflict, NotFound, Refused


def connect(
    *,
    actor: User,
    site_id: str,
    uid: str,
    known_as: str,
    proved_at: datetime | None,
    now: datetime,
) -> bool:
    """Let a site vouch for the actor from now on; return whether it did not before."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    site = site_of(site_id)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        known = SocialAccount.objects.filter(provider=site.id, uid=uid).first()
        if known is None:
            known = _add(actor, site.id, uid, known_as)
        elif known.user_id == actor.pk:
            return False
        if known is None or known.user_id != actor.pk:
            raise Conflict(
                "connected_elsewhere",
                f"This account of {site.name} belongs to somebody else here. Nothing was changed.",
            )
        security.changed(person=actor, kind="connection_added", now=now, name=site.name)
    return True


def disconnect(
    *, actor: User, connection_id: int, proved_at: datetime | None, now: datetime
) -> None:
    """Let a site vouch for the actor no more, unless nothing else would let them in."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    with transaction.atomic():
        person = User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        row = SocialAccount.objects.filter(user=person, pk=connection_id).first()
        if row is None:
            raise NotFound("not_found", "There is no such connection, or no longer.")
        if not has_way_in(person=person, but_connection=row.pk):
            raise Refused(
                "only_way_in",
                "Nothing else lets you in. Choose a password or add a passkey first; nothing was "
                "changed.",
            )
        names = {site.id: site.name for site in sites()}
        row.delete()
        security.changed(
            person=person, kind="connection_removed", now=now,
            name=names.get(row.provider, row.provider),
        )  # fmt: skip


def _add(person: User, site_id: str, uid: str, known_as: str) -> SocialAccount | None:
    """Return the new row; None where somebody else was connected in this moment."""
    if SocialAccount.objects.filter(user=person).count() >= CONNECTIONS_MAX:
        raise Conflict("too_many_connections", "Take a connection away first.")
    try:
        with transaction.atomic():
            return SocialAccount.objects.create(
                user=person, provider=site_id, uid=uid, extra_data={"known_as": known_as}
            )
    except IntegrityError:
        return None
