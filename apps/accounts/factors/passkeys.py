"""Passkeys: what a browser is asked (WebAuthn) and whether what it answers is true.

A ceremony has two halves. The first returns what the browser needs and a state that the caller
keeps; the second takes the state and the browser's answer. The keys belong to one host name.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http.request import split_domain_port
from fido2.server import Fido2Server
from fido2.utils import websafe_decode, websafe_encode
from fido2.webauthn import (
    AttestedCredentialData,
    AuthenticationResponse,
    PublicKeyCredentialRpEntity,
    PublicKeyCredentialUserEntity,
    RegistrationResponse,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from apps.accounts.factors import totp
from apps.core.errors import Invalid

# Everything that junk in place of an answer has been seen to raise inside the library.
_JUNK: Final = (ValueError, TypeError, KeyError, AttributeError, IndexError)
Options = dict[str, Any]
State = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Registered:
    """A new passkey: what is kept of it."""

    credential: str
    count: int


@dataclass(frozen=True, slots=True)
class Asserted:
    """A right answer of a passkey, and whether it has asked its owner for finger, face or PIN."""

    credential: str
    count: int
    verified: bool


def host_name(host: str) -> str:
    """Return the name that passkeys belong to, of a host as requests name it."""
    return split_domain_port(host)[0]


def is_possible(host: str) -> bool:
    """Say whether browsers allow passkeys at this host: they need a name, not an address."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False


def begin_registration(
    *, host: str, person_key: bytes, email: str, name: str, known: Iterable[str]
) -> tuple[Options, State]:
    """Return what the browser needs to make a passkey; those it has already are left out."""
    options, state = _server(host).register_begin(
        user=PublicKeyCredentialUserEntity(id=person_key, name=email, display_name=name),
        credentials=_credentials(known),
        resident_key_requirement=ResidentKeyRequirement.PREFERRED,
        user_verification=UserVerificationRequirement.PREFERRED,
    )
    return dict(options), dict(state)


def finish_registration(*, host: str, state: State, answer: Mapping[str, Any]) -> Registered:
    """Return the new passkey, or refuse the answer."""
    try:
        data = _server(host).register_complete(state, RegistrationResponse.from_dict(answer))
    except _JUNK:
        raise _refusal() from None
    if data.credential_data is None:
        raise _refusal()
    return Registered(websafe_encode(bytes(data.credential_data)), data.counter)


def begin(*, host: str, known: Iterable[str], alone: bool) -> tuple[Options, State]:
    """Return what the browser needs to answer; ``alone`` where there is no password beside it."""
    verification = UserVerificationRequirement.PREFERRED
    if alone:
        verification = UserVerificationRequirement.REQUIRED
    options, state = _server(host).authenticate_begin(
        credentials=_credentials(known) or None, user_verification=verification
    )
    return dict(options), dict(state)


def finish(*, host: str, state: State, answer: Mapping[str, Any], known: Iterable[str]) -> Asserted:
    """Return whose answer it is, or refuse it."""
    try:
        given = AuthenticationResponse.from_dict(answer)
        credential = _server(host).authenticate_complete(state, _credentials(known), given)
    except _JUNK:
        raise _refusal() from None
    data = given.response.authenticator_data
    return Asserted(websafe_encode(bytes(credential)), data.counter, data.is_user_verified())


def owner_key(answer: Mapping[str, Any]) -> bytes:
    """Return which person an answer says it comes from; nothing is proved by that."""
    try:
        return AuthenticationResponse.from_dict(answer).response.user_handle or b""
    except _JUNK:
        raise _refusal() from None


def _server(host: str) -> Fido2Server:
    return Fido2Server(PublicKeyCredentialRpEntity(name=totp.ISSUER, id=host))


def _credentials(known: Iterable[str]) -> list[AttestedCredentialData]:
    return [AttestedCredentialData(websafe_decode(each)) for each in known]


def _refusal() -> Invalid:
    return Invalid("invalid_passkey", "The passkey's answer cannot be used. Try it again.")
