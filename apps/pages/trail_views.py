"""The page of the audit trail, inside the admin."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.core.errors import DomainError
from apps.pages.trail import (
    FIELDS,
    MAY_SEE,
    TEXT_LENGTH_MAX,
    Trail,
    tables_seen,
    trail_page,
)


@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """Everything that is kept, by who did it, by what it was done to, and by when."""
    staff = cast("User", request.user)
    if not staff.has_perm(MAY_SEE):
        raise PermissionDenied
    texts = {name: request.GET.get(name, "").strip()[:TEXT_LENGTH_MAX] for name in FIELDS}
    before = request.GET.get("before", "")[:TEXT_LENGTH_MAX]
    found = Trail([], None)
    try:
        found = trail_page(has_right=staff.has_perm, texts=texts, before=before)
    except DomainError as refusal:
        messages.error(request, refusal.message)
    asked = {name: text for name, text in texts.items() if text}
    context = {
        **admin.site.each_context(request),
        "title": "Audit trail",
        "typed": texts,
        "tables": tables_seen(staff.has_perm),
        "rows": found.rows,
        "older": urlencode({**asked, "before": found.next}) if found.next else "",
    }
    return render(request, "admin/trail.html", context)
