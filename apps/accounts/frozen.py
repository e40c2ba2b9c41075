"""Pages of a frozen account: freezing it, being told that it is closed, and opening it again."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.accounts import freezing
from apps.accounts.factors import queries
from apps.accounts.factors.actions import Given
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, NotFound


class UnfreezeForm(forms.Form):
    password = forms.CharField(
        label="Password",
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


@login_required
@require_POST
def freeze(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    freezing.freeze(actor=person, now=clock.now())
    logout(request)
    return redirect("accounts:frozen")


def frozen(request: HttpRequest) -> HttpResponse:
    """Say that an account is closed; what is shown is the same for everybody."""
    return render(request, "account/frozen.html")


def closed(request: HttpRequest, person: User) -> HttpResponse:
    """Turn away from the login page, and have the letter sent that opens the account again."""
    path = reverse("accounts:unfreeze", args=[freezing.token_for(person)])
    freezing.send_link(
        person=person,
        link=request.build_absolute_uri(path),
        has_second_factor=queries.has_second_factor(person=person),
        now=clock.now(),
    )
    return redirect("accounts:frozen")


def unfreeze(request: HttpRequest, token: str) -> HttpResponse:
    try:
        person = freezing.person_of(token=token)
    except NotFound as refusal:
        return render(request, "account/unfreeze.html", {"refused": refusal.message}, status=404)
    form = UnfreezeForm(request.POST or None)
    if not queries.has_second_factor(person=person):
        del form.fields["code"]
    if request.method == "POST" and form.is_valid():
        code = form.cleaned_data.get("code")
        try:
            freezing.unfreeze(
                token=token, password=form.cleaned_data["password"],
                given=Given(code=code) if code else None, now=clock.now(),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, refusal.message)
        else:
            return render(request, "account/unfreeze.html", {"done": True})
    return render(request, "account/unfreeze.html", {"form": form})
