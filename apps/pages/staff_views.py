"""Pages of the admin that span apps."""

from __future__ import annotations

import logging
from typing import cast
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.accounts.casework.actions import add_note
from apps.accounts.casework.models import NOTE_LENGTH_MAX
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, NotFound
from apps.pages.person_file import MAY_SEE, person_file

logger = logging.getLogger(__name__)


@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One person: who they are, what they have and did, how they get in; and a note of it."""
    staff = cast("User", request.user)
    if not staff.has_perm(MAY_SEE):
        raise PermissionDenied
    try:
        found = person_file(public_id=public_id, has_right=staff.has_perm, now=clock.now())
    except NotFound:
        raise Http404 from None
    text = ""
    if request.method == "POST":
        text = request.POST.get("text", "")
        try:
            add_note(actor=staff, person=found.person, text=text, now=clock.now())
        except DomainError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, "The note is kept.")
            return redirect("person_file", public_id=public_id)
    # Whoever looks at somebody's affairs is on record.
    logger.info("Staff %s looks at the file of person %s.", staff.pk, found.person.pk)
    context = {
        **admin.site.each_context(request),
        "title": str(found.person),
        "file": found,
        "text": text,
        "note_length_max": NOTE_LENGTH_MAX,
    }
    return render(request, "admin/people/person.html", context)
