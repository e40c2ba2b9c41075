"""Pages of the admin that span apps."""

from __future__ import annotations

import logging
from typing import cast
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.casework.actions import (
    add_note,
    freeze_person,
    lift_freeze,
    may_freeze,
)
from apps.accounts.casework.models import NOTE_LENGTH_MAX, REASON_LENGTH_MAX
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, NotAllowed, NotFound
from apps.pages.desk.queues import queues as queues_of
from apps.pages.person_file import MAY_SEE, person_file

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One person: who they are, what they have and did, how they get in; notes, and a freeze."""
    staff = cast("User", request.user)
    if not staff.has_perm(MAY_SEE):
        raise PermissionDenied
    try:
        found = person_file(public_id=public_id, has_right=staff.has_perm, now=clock.now())
    except NotFound:
        raise Http404 from None
    if request.method == "POST" and _act(request, staff, found.person):
        return redirect("person_file", public_id=public_id)
    # Whoever looks at somebody's affairs is on record.
    logger.info("Staff %s looks at the file of person %s.", staff.pk, found.person.pk)
    context = {
        **admin.site.each_context(request),
        "title": str(found.person),
        "file": found,
        "text": request.POST.get("text", ""),
        "note_length_max": NOTE_LENGTH_MAX,
        "reason_max": REASON_LENGTH_MAX,
        "may_freeze": may_freeze(staff, found.person),
    }
    return render(request, "admin/people/person.html", context)


def _act(request: HttpRequest, staff: User, person: User) -> bool:
    """Carry out what a form of the file asks for; False shows it again, with what was typed."""
    act, reason, now = request.POST.get("act", "note"), request.POST.get("reason", ""), clock.now()
    try:
        if act == "note":
            add_note(actor=staff, person=person, text=request.POST.get("text", ""), now=now)
            words = "The note is kept."
        elif act == "freeze":
            freeze_person(actor=staff, person=person, reason=reason, now=now)
            words = "The account is frozen: signed out everywhere, its orders are being cancelled."
        elif act == "lift":
            lift_freeze(actor=staff, person=person, reason=reason, now=now)
            words = "What staff froze is lifted."
        else:
            raise PermissionDenied
    except NotAllowed:
        raise PermissionDenied from None
    except DomainError as refusal:
        messages.error(request, refusal.message)
        return False
    messages.success(request, words)
    return True


@require_safe
def queues(request: HttpRequest) -> HttpResponse:
    """All that waits for whoever looks, what waits longest first."""
    staff = cast("User", request.user)
    context = {
        **admin.site.each_context(request),
        "title": "All that waits",
        "queues": queues_of(has_right=staff.has_perm, now=clock.now()),
        "now": clock.now(),
    }
    return render(request, "admin/queues.html", context)
