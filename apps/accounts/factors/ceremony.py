"""A passkey's two halves on the site: the session keeps the state between them."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.http import HttpRequest

from apps.accounts.factors import passkeys, queries
from apps.accounts.models import User
from apps.core.errors import Invalid

_STATE_KEY: Final = "passkey_state"


class PasskeyField(forms.JSONField):
    """The browser's answer as JSON, put there by a script."""

    widget = forms.HiddenInput

    def clean(self, value: Any) -> Any:
        answer = super().clean(value)
        if answer is not None and not isinstance(answer, dict):
            raise forms.ValidationError("The passkey's answer cannot be used.")
        return answer


def begin(request: HttpRequest, person: User) -> passkeys.Options | None:
    """Begin a ceremony for a person's own passkeys; None where there is none."""
    host = passkeys.host_name(request.get_host())
    begun = queries.begin_passkey(person=person, host=host)
    if begun is None:
        return None
    options, request.session[_STATE_KEY] = begun
    return options


def begin_alone(request: HttpRequest) -> passkeys.Options:
    """Begin a ceremony for whoever it turns out to be."""
    options, state = passkeys.begin(
        host=passkeys.host_name(request.get_host()), known=(), alone=True
    )
    request.session[_STATE_KEY] = state
    return options


def begin_registration(request: HttpRequest, person: User) -> passkeys.Options:
    """Begin to make a passkey for a person."""
    options, state = passkeys.begin_registration(
        host=passkeys.host_name(request.get_host()),
        person_key=person.public_id.bytes,
        email=person.email,
        name=str(person),
        known=queries.credentials_of(person=person),
    )
    request.session[_STATE_KEY] = state
    return options


def take_state(request: HttpRequest) -> passkeys.State:
    """Return the state of the ceremony; it is good for one answer."""
    state: passkeys.State | None = request.session.pop(_STATE_KEY, None)
    if state is None:
        raise Invalid("invalid_passkey", "Too late: begin again.")
    return state
