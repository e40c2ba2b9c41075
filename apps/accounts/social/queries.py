"""Reads of the sites that vouch for people here, and which of them know a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings

from apps.accounts.models import User
from apps.core.errors import NotFound

CONNECTIONS_MAX: Final = 10
_GONE: Final = "another site"


@dataclass(frozen=True, slots=True)
class Site:
    """A site by which one can sign in on this installation."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Connection:
    """That a site vouches for a person; ``works`` as long as this installation has the site."""

    id: int
    site: str
    known_as: str
    since: datetime
    used_at: datetime
    works: bool


def sites() -> list[Site]:
    """Return the sites by which one can sign in; none where nothing is configured."""
    return [Site(app["provider_id"], app["name"]) for app in settings.SOCIAL_APPS]


def site_of(site_id: str) -> Site:
    """Return the site of this name."""
    for site in sites():
        if site.id == site_id:
            return site
    raise NotFound("unknown_site", "One cannot sign in by this site here.")


def connections_of(*, viewer: User) -> list[Connection]:
    """Return the sites that vouch for the viewer, oldest first."""
    names = {site.id: site.name for site in sites()}
    return [
        Connection(
            id=row.pk,
            site=names.get(row.provider, _GONE),
            known_as=str(row.extra_data.get("known_as", "")),
            since=row.date_joined,
            used_at=row.last_login,
            works=row.provider in names,
        )
        for row in SocialAccount.objects.filter(user=viewer).order_by("pk")
    ]


def sites_of(*, person: User) -> list[Site]:
    """Return the sites of this installation that vouch for the person."""
    known = set(SocialAccount.objects.filter(user=person).values_list("provider", flat=True))
    return [site for site in sites() if site.id in known]


def has_way_in(
    *, person: User, but_connection: int | None = None, but_factor: int | None = None
) -> bool:
    """Whether the person gets in by something else: a password, a passkey, a site that vouches."""
    if person.has_usable_password():
        return True
    passkeys = Authenticator.objects.filter(user=person, type=Authenticator.Type.WEBAUTHN)
    if passkeys.exclude(pk=but_factor).exists():
        return True
    known = SocialAccount.objects.filter(user=person, provider__in=[site.id for site in sites()])
    return bool(known.exclude(pk=but_connection).exists())
