"""The page of an account's security: how one gets in, from where, and what to do about it."""

from __future__ import annotations

import uuid
from typing import Any

from allauth.account.internal.flows.email_verification import send_verification_email_for_user
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.accounts import actions, addresses, password_rules, sessions, step_up
from apps.accounts.devices import name_of
from apps.accounts.factors import queries as factors
from apps.accounts.factors.views import freshly_proved
from apps.accounts.social import queries as social
from apps.accounts.visits import keep_session, sign_in_of
from apps.core import clock
from apps.core.errors import DomainError

OUTCOMES = {
    sessions.OPENED: "Signed in",
    sessions.WRONG_PASSWORD: "Wrong password",
    sessions.WRONG_FACTOR: "Wrong second factor",
}


class PasswordForm(forms.Form):
    password = forms.CharField(
        label="New password",
        max_length=password_rules.LENGTH_MAX,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class EmailForm(forms.Form):
    email = forms.EmailField(
        label="New e-mail address",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )


@login_required
def security(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    places = sessions.places_of(
        viewer=person, now=clock.now(), session_key=request.session.session_key or ""
    )
    history = [
        {"row": row, "words": OUTCOMES.get(row.outcome, row.outcome), "device": name_of(row.client)}
        for row in sessions.history_of(viewer=person)
    ]
    shown = {
        "person": person,
        "factors": factors.factors_of(viewer=person),
        "codes_left": factors.recovery_codes_left(viewer=person),
        "places": [{"place": place, "device": name_of(place.client)} for place in places],
        "history": history,
        "sites": social.sites(),
        "connections": social.connections_of(viewer=person),
        "is_verified": addresses.is_verified(person=person),
    }
    return render(request, "account/security.html", shown)


@login_required
@require_POST
def end_place(request: HttpRequest, place_id: uuid.UUID) -> HttpResponse:
    person: Any = request.user
    try:
        sessions.end_place(actor=person, place_id=place_id, now=clock.now())
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Signed out there.")
    return redirect("accounts:security")


@login_required
@require_POST
def end_others(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    sessions.end_others(actor=person, kept=sign_in_of(request), reason="revoked", now=clock.now())
    keep_session(request, person)
    messages.success(request, "Signed out everywhere else.")
    return redirect("accounts:security")


@freshly_proved
def password(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_password(
                actor=person, password=form.cleaned_data["password"], kept=sign_in_of(request),
                proved_at=step_up.proved_at(request), now=clock.now(),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error("password", refusal.message)
        else:
            keep_session(request, person)
            messages.success(request, "Your password is changed; every other sign-in has ended.")
            return redirect("accounts:security")
    beside = factors.has_second_factor(person=person)
    least = password_rules.LENGTH_BESIDE_A_FACTOR if beside else password_rules.LENGTH_ALONE
    return render(request, "account/password.html", {"form": form, "least": least})


@login_required
@require_POST
def send_verification(request: HttpRequest) -> HttpResponse:
    """Send the letter again that proves the address."""
    send_verification_email_for_user(request, request.user)
    messages.success(request, "A letter is on its way, if none was sent in the last minutes.")
    return redirect("accounts:security")


@freshly_proved
def email(request: HttpRequest) -> HttpResponse:
    person: Any = request.user
    form = EmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            token = addresses.token_for_change(
                actor=person, email=form.cleaned_data["email"],
                proved_at=step_up.proved_at(request), now=clock.now(),
            )  # fmt: skip
        except DomainError as refusal:
            form.add_error("email", refusal.message)
        else:
            link = request.build_absolute_uri(reverse("accounts:email-link", args=[token]))
            shown = {"person": person, "link": link}
            text = render_to_string("account/email/change_address.txt", shown)
            subject = "SUM+1: Confirm your new address"
            send_mail(subject, text, None, [form.cleaned_data["email"]])
            return render(request, "account/email.html", {"sent_to": form.cleaned_data["email"]})
    return render(request, "account/email.html", {"form": form})


def email_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask before the address is changed: programs that look at mail open links, too."""
    if request.method != "POST":
        return render(request, "account/email.html", {"asks": True})
    try:
        person, old = addresses.change_by_link(
            token=token, now=clock.now(), ends_others=request.POST.get("ends_others") == "1",
            kept=sign_in_of(request),
        )  # fmt: skip
    except DomainError as refusal:
        return render(request, "account/email.html", {"refused": refusal.message}, status=404)
    if request.user == person:
        # Where the others have ended, this browser stays.
        keep_session(request, person)
    text = render_to_string("account/email/address_changed.txt", {"person": person})
    send_mail("SUM+1: Your e-mail address was changed", text, None, [old])
    return render(request, "account/email.html", {"changed_to": person.email})
