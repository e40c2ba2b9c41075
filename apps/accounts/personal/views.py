"""The page of a person's data: copies of it, and having all of it deleted."""

from __future__ import annotations

import uuid
from typing import cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from apps.accounts import step_up
from apps.accounts.factors.views import freshly_proved
from apps.accounts.models import User
from apps.accounts.personal import actions, deleting, queries
from apps.accounts.personal.models import DataExport
from apps.accounts.personal.obstacles import obstacles_of
from apps.core import clock
from apps.core.errors import DomainError, Invalid, TooMany


class DeletionForm(forms.Form):
    """The address typed again: nobody does that by mistake."""

    confirmation = forms.CharField(
        label="Type your e-mail address to confirm",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )


@login_required
@require_safe
def personal(request: HttpRequest) -> HttpResponse:
    return _page(request, DeletionForm())


def _page(request: HttpRequest, form: DeletionForm) -> HttpResponse:
    viewer, now = _viewer(request), clock.now()
    exports = queries.exports_of(viewer=viewer)
    shown = {
        "exports": exports,
        "is_waiting": any(each.state == DataExport.State.WAITING for each in exports),
        "possible_at": queries.next_export_at(viewer=viewer, now=now),
        "deletion": queries.deletion_of(viewer=viewer),
        "obstacles": obstacles_of(viewer),
        "form": form,
        "now": now,
    }
    return render(request, "account/personal.html", shown)


@freshly_proved
@require_POST
def ask_for_export(request: HttpRequest) -> HttpResponse:
    try:
        actions.ask_for_export(
            actor=_viewer(request), proved_at=step_up.proved_at(request), now=clock.now()
        )
    except TooMany as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Your copy is being made. You get a notice when it is ready.")
    return redirect("accounts:personal")


@freshly_proved
@require_safe
def download(request: HttpRequest, export_id: uuid.UUID) -> HttpResponseBase:
    export, pieces = actions.open_export(
        actor=_viewer(request), export_id=export_id, proved_at=step_up.proved_at(request),
        now=clock.now(),
    )  # fmt: skip
    response = StreamingHttpResponse(pieces, content_type="application/zip")
    response["Content-Length"] = str(export.size_bytes)
    response["Content-Disposition"] = (
        f'attachment; filename="sum1-data-{export.asked_at:%Y-%m-%d}.zip"'
    )
    response["Cache-Control"] = "no-store"
    return response


@freshly_proved
@require_POST
def ask_for_deletion(request: HttpRequest) -> HttpResponse:
    form = DeletionForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    try:
        deleting.ask_for_deletion(
            actor=_viewer(request), confirmation=form.cleaned_data["confirmation"],
            proved_at=step_up.proved_at(request), now=clock.now(),
        )  # fmt: skip
    except Invalid as refusal:
        form.add_error("confirmation", refusal.message)
        return _page(request, form)
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Your account will be deleted in 14 days.")
    return redirect("accounts:personal")


@login_required
@require_POST
def take_back(request: HttpRequest) -> HttpResponse:
    try:
        deleting.take_back(actor=_viewer(request), now=clock.now())
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Your account stays.")
    return redirect("accounts:personal")


def _viewer(request: HttpRequest) -> User:
    return cast(User, request.user)
