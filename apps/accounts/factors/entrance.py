"""The second step of logging in on the site, and logging in with a passkey alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from allauth.account.internal.decorators import login_stage_required
from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.account.utils import get_next_redirect_url
from allauth.mfa.stages import AuthenticateStage
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.accounts import sessions
from apps.accounts.factors import ceremony, queries
from apps.accounts.factors.actions import Given, check_second_factor, find_passkey_owner
from apps.accounts.factors.passkeys import host_name
from apps.accounts.models import User
from apps.accounts.visits import visit_of
from apps.core import clock
from apps.core.errors import DomainError


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code from your app",
        required=False,
        max_length=20,
        help_text="Or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True}),
    )
    passkey = ceremony.PasskeyField(required=False)


@login_stage_required(stage=AuthenticateStage.key, redirect_urlname="account_login")
@require_http_methods(["GET", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    """Ask for the second factor of who has given the right password."""
    stage = request._login_stage  # type: ignore[attr-defined]
    person: User = stage.login.user
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            given = _given(request, form.cleaned_data)
            check_second_factor(person=person, given=given, now=clock.now())
        except DomainError as refusal:
            sessions.note_try(
                person=person, outcome=sessions.WRONG_FACTOR, visit=visit_of(request),
                now=clock.now(),
            )  # fmt: skip
            form.add_error("code", refusal.message)
        else:
            record_authentication(request, person, "mfa")
            response: HttpResponse = stage.exit()
            return response
    methods = queries.methods_of(person=person)
    options = ceremony.begin(request, person) if "passkey" in methods else None
    return render(request, "account/second_step.html", {"form": form, "options": options})


@require_http_methods(["GET", "POST"])
def passkey(request: HttpRequest) -> HttpResponse:
    """Log in with a passkey alone: GET begins, POST brings the answer."""
    if request.method == "GET":
        return JsonResponse(ceremony.begin_alone(request))
    try:
        answer = ceremony.PasskeyField().clean(request.POST.get("passkey"))
        person = find_passkey_owner(
            answer=answer, state=ceremony.take_state(request),
            host=host_name(request.get_host()), now=clock.now(),
        )  # fmt: skip
    except (DomainError, forms.ValidationError):
        messages.error(request, "This passkey did not work. Log in with your password.")
        return redirect("account_login")
    record_authentication(request, person, "mfa", type="webauthn", passwordless=True)
    response: HttpResponse = perform_login(
        request, Login(user=person, redirect_url=get_next_redirect_url(request))
    )
    return response


def _given(request: HttpRequest, data: Mapping[str, Any]) -> Given:
    """Return what a form gives as second factor; a passkey's answer goes before a code."""
    if data["passkey"] is None:
        return Given(code=data["code"])
    host = host_name(request.get_host())
    return Given(passkey=data["passkey"], state=ceremony.take_state(request), host=host)
