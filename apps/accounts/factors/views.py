"""Pages on which people add and remove their second factors."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import wraps
from io import BytesIO
from typing import Any, Final

import qrcode
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST
from qrcode.image.svg import SvgPathImage

from apps.accounts import step_up
from apps.accounts.factors import actions, ceremony, passkeys, totp
from apps.core import clock, crypto
from apps.core.errors import DomainError

View = Callable[..., HttpResponseBase]
_SECRET_KEY: Final = "totp_secret"


class TotpForm(forms.Form):
    code = forms.CharField(
        label="Code that the app shows now",
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class PasskeyForm(forms.Form):
    name = forms.CharField(
        label="Name",
        max_length=actions.NAME_LENGTH_MAX,
        required=False,
        help_text="So that you know it again: “Telephone”, “Blue key”.",
    )
    passkey = ceremony.PasskeyField(required=False)


def freshly_proved(view: View) -> View:
    """For pages behind a login that show or take what is sensitive: ask before, not after."""

    @login_required
    @wraps(view)
    def asked_first(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        person: Any = request.user
        step_up.require_fresh(person=person, proved_at=step_up.proved_at(request), now=clock.now())
        return view(request, *args, **kwargs)

    return asked_first


@freshly_proved
def add_totp(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    form = TotpForm(request.POST or None)
    secret = _pending_secret(request)
    if request.method == "POST" and form.is_valid():
        try:
            codes = actions.add_totp(
                actor=person, secret=secret, code=form.cleaned_data["code"],
                proved_at=step_up.proved_at(request), now=clock.now(),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error("code", refusal.message)
        else:
            del request.session[_SECRET_KEY]
            messages.success(request, "Your authenticator app is set up.")
            return _with_codes(request, codes)
    shown = {
        "form": form,
        "picture": _picture(totp.address(secret, person.email)),
        "groups": [secret[at : at + 4] for at in range(0, len(secret), 4)],
    }
    return render(request, "account/totp.html", shown)


@freshly_proved
def add_passkey(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    host = passkeys.host_name(request.get_host())
    form = PasskeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            codes = actions.add_passkey(
                actor=person, name=form.cleaned_data["name"],
                answer=form.cleaned_data["passkey"] or {}, state=ceremony.take_state(request),
                host=host, proved_at=step_up.proved_at(request), now=clock.now(),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Your passkey is set up.")
            return _with_codes(request, codes)
    shown = {
        "form": form,
        "possible": passkeys.is_possible(host),
        "options": ceremony.begin_registration(request, person),
    }
    return render(request, "account/passkey.html", shown)


@freshly_proved
@require_POST
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    person: Any = request.user
    try:
        actions.remove_factor(
            actor=person, factor_id=factor_id,
            proved_at=step_up.proved_at(request), now=clock.now(),
        )  # fmt: skip
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "It is removed. Withdrawals wait for a day now.")
    return redirect("accounts:security")


@freshly_proved
@require_POST
def renew_codes(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    codes = actions.renew_recovery_codes(
        actor=person, proved_at=step_up.proved_at(request), now=clock.now()
    )
    return _with_codes(request, codes)


def _with_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """Show recovery codes this once, where there are new ones."""
    if not codes:
        return redirect("accounts:security")
    text = "\n".join(["Recovery codes for SUM+1. Each works once.", "", *codes, ""])
    held = base64.b64encode(text.encode()).decode()
    shown = {"codes": codes, "file": f"data:text/plain;base64,{held}"}
    return render(request, "account/recovery_codes.html", shown)


def _pending_secret(request: HttpRequest) -> str:
    """Return the secret that is being set up; the session keeps it sealed."""
    place: dict[str, Any] = {
        "table": "session", "row": "", "field": _SECRET_KEY, "person_id": request.user.pk,
    }  # fmt: skip
    held = request.session.get(_SECRET_KEY)
    if held is None:
        secret = totp.new_secret()
        sealed = crypto.seal(secret.encode(), **place)
        request.session[_SECRET_KEY] = base64.b64encode(sealed).decode()
        return secret
    return crypto.open_sealed(base64.b64decode(held), **place).decode()


def _picture(text: str) -> str:
    """Return the QR code as an address of a picture, dark on light as cameras want it."""
    drawn = BytesIO()
    qrcode.make(text, image_factory=SvgPathImage, border=3).save(drawn)
    return f"data:image/svg+xml;base64,{base64.b64encode(drawn.getvalue()).decode()}"
