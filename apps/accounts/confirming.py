"""The page that asks a person to prove anew who they are, and the way there and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode

from apps.accounts import actions, step_up
from apps.accounts.factors import ceremony, queries
from apps.accounts.factors.actions import Given, find_passkey_owner
from apps.accounts.factors.passkeys import host_name
from apps.accounts.models import User
from apps.accounts.social.queries import sites_of
from apps.core import clock
from apps.core.errors import DomainError, NotAllowed, NotSignedIn
from apps.core.web import JSON_PATHS

_NEXT: Final = "next"


class ConfirmForm(forms.Form):
    """Password and code, or a passkey alone."""

    password = forms.CharField(
        label="Password",
        required=False,
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label="Code from your app",
        required=False,
        max_length=20,
        help_text="Or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}),
    )
    passkey = ceremony.PasskeyField(required=False)


@login_required
def confirm(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    form = ConfirmForm(request.POST or None)
    methods = queries.methods_of(person=person)
    if not set(methods) & {"totp", "recovery_code"}:
        del form.fields["code"]
    if not person.has_usable_password():
        # A code is a second factor, and no way in by itself.
        del form.fields["password"]
        form.fields.pop("code", None)
    if request.method == "POST" and form.is_valid():
        try:
            _prove(request, person, form)
        except DomainError as refusal:
            form.add_error(None, refusal.message)
        else:
            step_up.record(request, now=clock.now())
            return redirect(_safe(request, request.POST.get(_NEXT, "")))
    shown = {
        "form": form,
        "next": _safe(request, request.POST.get(_NEXT) or request.GET.get(_NEXT, "")),
        "methods": methods,
        "options": ceremony.begin(request, person) if "passkey" in methods else None,
        "sites": [] if person.has_usable_password() else sites_of(person=person),
    }
    return render(request, "account/confirm.html", shown)


def _prove(request: HttpRequest, person: User, form: ConfirmForm) -> None:
    now, data = clock.now(), form.cleaned_data
    given = None
    if data["passkey"] is not None:
        # A passkey that has asked for finger, face or PIN is two things at once.
        host, state = host_name(request.get_host()), ceremony.take_state(request)
        if not data.get("password"):
            owner = find_passkey_owner(answer=data["passkey"], state=state, host=host, now=now)
            if owner != person:
                raise NotSignedIn("invalid_second_factor", "This passkey is not yours.")
            return
        given = Given(passkey=data["passkey"], state=state, host=host)
    elif data.get("code"):
        given = Given(code=data["code"])
    actions.prove_again(actor=person, password=data.get("password", ""), given=given, now=now)


class AskAgain:
    """Middleware: where a page needs a fresh proof, it is asked for, and one comes back here."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, failure: Exception) -> HttpResponse | None:
        if not isinstance(failure, NotAllowed) or failure.code != "step_up_required":
            return None
        if request.path.startswith(JSON_PATHS):
            return None
        back = request.get_full_path() if request.method == "GET" else _came_from(request)
        target = f"{reverse('accounts:confirm')}?{urlencode({_NEXT: back})}"
        if request.headers.get("HX-Request"):
            return HttpResponse(status=204, headers={"HX-Redirect": target})
        return HttpResponseRedirect(target)


def _came_from(request: HttpRequest) -> str:
    """Return the page with the form, which has to be sent again: what was typed is not kept."""
    referer = urlsplit(request.headers.get("Referer", ""))
    if referer.netloc != request.get_host():
        return reverse("accounts:security")
    return f"{referer.path}?{referer.query}" if referer.query else referer.path


def _safe(request: HttpRequest, target: str) -> str:
    """Return the address where it is one of this site."""
    if url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return reverse("accounts:security")
