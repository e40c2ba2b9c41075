"""What a request says about where it comes from and what it rests on."""

from __future__ import annotations

import uuid

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest

from apps.accounts import sessions
from apps.accounts.models import User
from apps.core.web import client_address


def visit_of(request: HttpRequest) -> sessions.Visit:
    """Return from where somebody comes to the site."""
    return sessions.Visit.of(
        client=request.headers.get("User-Agent", ""),
        address=client_address(request),
        way=sessions.SITE,
    )


def key_of(request: HttpRequest) -> str:
    """Return the key of the request's session; one that is new gets one."""
    if not request.session.session_key:
        request.session.save()
    return request.session.session_key or ""


def sign_in_of(request: HttpRequest) -> uuid.UUID | None:
    """Return the sign-in that the request's session is."""
    return sessions.sign_in_of_session(session_key=request.session.session_key or "")


def keep_session(request: HttpRequest, person: User) -> None:
    """Let this session go on where everything that rested on the same has just ended."""
    before = request.session.session_key or ""
    update_session_auth_hash(request, person)
    sessions.follow_session(old_key=before, new_key=key_of(request))
