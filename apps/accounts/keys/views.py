"""Pages of API keys: the list, a new one, a change, the end of one."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from apps.accounts import step_up
from apps.accounts.keys import actions, queries
from apps.accounts.keys.forms import SCOPE_WORDS, KeyForm, NewKeyForm
from apps.core import clock
from apps.core.errors import DomainError, NotAllowed, NotFound

_FIELDS = {
    "invalid_name": "name",
    "invalid_scopes": "scopes",
    "networks_required": "networks",
    "invalid_network": "networks",
    "too_many_networks": "networks",
    "invalid_public_key": "public_key",
}


@login_required
def keys(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    now = clock.now()
    rows = [
        {
            "key": key,
            "may": [SCOPE_WORDS[scope].partition(":")[0].lower() for scope in key.scopes],
            "is_over": key.expires_at is not None and key.expires_at <= now,
        }
        for key in queries.keys_of(viewer=person)
    ]
    left = actions.KEYS_MAX - sum(not row["is_over"] for row in rows)
    return render(request, "account/keys.html", {"rows": rows, "left": left})


@login_required
def new_key(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    now, proved_at = clock.now(), step_up.proved_at(request)
    # Asked before, so that nothing has been typed in vain.
    step_up.require_fresh(person=person, proved_at=proved_at, now=now)
    form = NewKeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = actions.create_key(
                actor=person,
                name=given["name"],
                scopes=given["scopes"],
                networks=given["networks"],
                expires_at=now + timedelta(days=given["days"]) if given["days"] else None,
                public_key=given["public_key"] or None,
                proved_at=proved_at,
                now=now,
            )
        except DomainError as refusal:
            _show_refusal(form, refusal)
        else:
            # Shown in this answer and never again: it is kept neither here nor in a session.
            return render(request, "account/key_made.html", {"made": made})
    return render(request, "account/key_form.html", {"form": form})


@login_required
def change_key(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    person: Any = request.user
    key = queries.key_of(viewer=person, key_id=key_id)
    now, proved_at = clock.now(), step_up.proved_at(request)
    step_up.require_fresh(person=person, proved_at=proved_at, now=now)
    shown = {"name": key.name, "scopes": key.scopes, "networks": "\n".join(key.networks)}
    form = KeyForm(request.POST or None, initial=shown)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_key(
                actor=person, key_id=key_id, proved_at=proved_at, now=now, **form.cleaned_data
            )
        except DomainError as refusal:
            _show_refusal(form, refusal)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is changed.")
            return redirect("accounts:keys")
    return render(request, "account/key_form.html", {"form": form, "key": key})


@login_required
@require_POST
def revoke_key(request: HttpRequest, key_id: uuid.UUID) -> HttpResponse:
    person: Any = request.user
    name = queries.key_of(viewer=person, key_id=key_id).name
    actions.revoke_key(actor=person, key_id=key_id, now=clock.now())
    messages.success(request, f"{name} is revoked: nothing can be done with it any more.")
    return redirect("accounts:keys")


def _show_refusal(form: KeyForm, refusal: DomainError) -> None:
    """Show a refusal where it belongs; what is no matter of the form goes on its way."""
    if isinstance(refusal, NotAllowed | NotFound):
        raise refusal
    field = _FIELDS.get(refusal.code)
    form.add_error(field if field in form.fields else None, refusal.message)
