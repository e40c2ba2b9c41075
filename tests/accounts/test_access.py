"""Access tokens: one algorithm, one issuer, one audience, one purpose; all else is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import timedelta
from io import StringIO
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import call_command
from rest_framework.test import APIClient

from apps.accounts import access, signing_keys
from apps.accounts.models import SigningKey
from apps.core import clock, crypto
from apps.core.errors import NotSignedIn

PERSON, SIGN_IN = uuid.uuid4(), uuid.uuid4()


pytestmark = pytest.mark.django_db


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "token_type": "access", "exp": now + 600, "iat": now, "jti": uuid.uuid4().hex,
        "sub": str(PERSON), "sid": str(SIGN_IN), "aud": access.AUDIENCE, "iss": access.ISSUER,
        **changes,
    }  # fmt: skip
    return {name: value for name, value in claims.items() if value is not None}


def _signed(headers: dict[str, Any] | None = None, **changes: Any) -> str:
    signer = signing_keys.signer()
    header = {"kid": signer.name, **(headers or {})}
    return jwt.encode(_claims(**changes), signer.key, algorithm="EdDSA", headers=header)


def _public_pem() -> bytes:
    return (
        signing_keys.signer()
        .key.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )


def _part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _refused(token: str) -> bool:
    with pytest.raises(NotSignedIn) as refusal:
        access.read(token)
    return refusal.value.code == "token_invalid" and refusal.value.data == {}


def test_what_was_issued_is_read() -> None:
    claims = access.Claims(PERSON, SIGN_IN)

    assert access.read(access.issue(claims)) == claims
    assert access.read(_signed()) == claims


CHANGES: list[dict[str, Any]] = [
    {"exp": int(time.time()) - 31},
    {"exp": None},
    {"nbf": int(time.time()) + 3600},
    {"iat": int(time.time()) + 3600},
    {"aud": "other"},
    {"aud": None},
    {"iss": "other"},
    {"iss": None},
    {"token_type": "refresh"},
    {"token_type": None},
    {"jti": None},
    {"sub": None},
    {"sid": None},
    {"sub": "1"},
    {"sid": "1' OR 1=1"},
    {"exp": "never"},
]


# Named by claim and place: times differ between the processes that collect the tests.
@pytest.mark.parametrize(
    "changes", CHANGES, ids=[f"{next(iter(each))}-{place}" for place, each in enumerate(CHANGES)]
)
def test_a_signature_alone_is_not_enough(changes: dict[str, Any]) -> None:
    assert _refused(_signed(**changes))


def test_another_algorithm_is_refused() -> None:
    none = f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(_claims())}."
    assert _refused(none)
    assert _refused(none.replace(_part({"alg": "none", "typ": "JWT"}), _part({"alg": "None"})))
    name = {"kid": signing_keys.signer().name}
    for algorithm in ("HS256", "HS384", "HS512"):
        assert _refused(jwt.encode(_claims(), "k" * 64, algorithm=algorithm, headers=name))


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    head = _part({"alg": "HS256", "typ": "JWT", "kid": signing_keys.signer().name})
    body = f"{head}.{_part(_claims())}"
    for secret in (_public_pem(), signing_keys.signer().key.public_key().public_bytes_raw()):
        digest = hmac.new(secret, body.encode(), hashlib.sha256).digest()
        signature = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        assert _refused(f"{body}.{signature}")


def test_another_key_is_refused_whatever_its_header_points_at() -> None:
    theirs = Ed25519PrivateKey.generate()
    ours = {"kid": signing_keys.signer().name}
    for header in (
        ours,
        {},
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "0" * 16},
        {"kid": ["a"]},
        {**ours, "jku": "http://127.0.0.1:9/keys"},
        {**ours, "x5u": "http://127.0.0.1:9/cert"},
        {**ours, "jwk": {"kty": "oct", "k": "YWJj"}},
    ):
        head = _part({"alg": "EdDSA", "typ": "JWT", **header})
        body = f"{head}.{_part(_claims())}"
        signature = base64.urlsafe_b64encode(theirs.sign(body.encode())).rstrip(b"=").decode()
        assert _refused(f"{body}.{signature}")


def test_a_changed_payload_is_refused() -> None:
    head, _, signature = _signed().split(".")

    assert _refused(f"{head}.{_part(_claims(sub=str(uuid.uuid4())))}.{signature}")
    assert _refused(f"{head}.{_part(_claims(is_staff=True))}.{signature}")


@pytest.mark.parametrize(
    "token", ["", "x", "a.b", "a.b.c", "....", "é.é.é", "\x00", "a" * 100_000, "null.null.null"],
    ids=lambda token: token[:9],
)  # fmt: skip
def test_junk_is_refused(token: str) -> None:
    assert _refused(token)


def test_a_token_that_was_good_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    token = _signed(exp=int(time.time()) - 25)
    assert access.read(token) == access.Claims(PERSON, SIGN_IN)

    later = time.time() + 6
    monkeypatch.setattr(time, "time", lambda: later)

    assert _refused(token)


def test_tokens_of_a_replaced_key_are_good_until_they_have_run_out() -> None:
    old = access.issue(access.Claims(PERSON, SIGN_IN))
    now = clock.now()

    signing_keys.rotate(now=now)

    new = access.issue(access.Claims(PERSON, SIGN_IN))
    assert access.read(old) == access.read(new) == access.Claims(PERSON, SIGN_IN)
    assert len(signing_keys.published(now=now + timedelta(minutes=10, seconds=59))) == 2
    (left,) = signing_keys.published(now=now + timedelta(minutes=11))
    assert left["kid"] == jwt.get_unverified_header(new)["kid"]
    signing_keys.rotate(now=now + timedelta(minutes=12))
    assert SigningKey.objects.count() == 2


def test_tokens_of_a_stolen_key_end_at_once() -> None:
    old = access.issue(access.Claims(PERSON, SIGN_IN))
    assert access.read(old) == access.Claims(PERSON, SIGN_IN)

    call_command("rotate_token_keys", at_once=True, stdout=StringIO())

    assert _refused(old)
    assert SigningKey.objects.count() == 1


def test_a_key_of_another_process_is_found() -> None:
    access.issue(access.Claims(PERSON, SIGN_IN))
    ring = signing_keys._current()
    signing_keys.rotate(now=clock.now())
    token = access.issue(access.Claims(PERSON, SIGN_IN))

    signing_keys._ring = ring

    assert access.read(token) == access.Claims(PERSON, SIGN_IN)


def test_the_private_half_is_sealed() -> None:
    raw = signing_keys.signer().key.private_bytes_raw()

    row = SigningKey.objects.get()

    assert raw not in bytes(row.private)
    assert crypto.key_id_of(row.private) == crypto.newest_key_id()


def test_everybody_can_verify_with_what_is_published() -> None:
    token = access.issue(access.Claims(PERSON, SIGN_IN))

    answer = APIClient().get("/api/v1/auth/jwks")

    (key,) = answer.json()["keys"]
    assert set(key) == {"kty", "crv", "alg", "use", "kid", "x"}
    claims = jwt.decode(
        token, jwt.PyJWK(key), algorithms=["EdDSA"], audience="sum1-api", issuer="sum1"
    )
    assert claims["sub"] == str(PERSON)
