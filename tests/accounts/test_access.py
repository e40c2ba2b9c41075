"""Access tokens: one algorithm, one issuer, one audience, one purpose; all else is refused."""

from __future__ import annotations

import base64
import json
import time
import uuid
from typing import Any

import jwt
import pytest

from apps.accounts import access
from apps.core.errors import NotSignedIn

PERSON, SIGN_IN = uuid.uuid4(), uuid.uuid4()


def _key() -> str:
    return str(access.AccessToken().get_token_backend().signing_key)


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    claims = {
        "token_type": "access", "exp": now + 600, "iat": now, "jti": uuid.uuid4().hex,
        "sub": str(PERSON), "sid": str(SIGN_IN), "aud": access.AUDIENCE, "iss": access.ISSUER,
        **changes,
    }  # fmt: skip
    return {name: value for name, value in claims.items() if value is not None}


def _signed(headers: dict[str, Any] | None = None, **changes: Any) -> str:
    return jwt.encode(_claims(**changes), _key(), algorithm="HS256", headers=headers)


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
    assert _refused(jwt.encode(_claims(), _key() * 2, algorithm="HS512"))
    assert _refused(jwt.encode(_claims(), _key() * 2, algorithm="HS384"))


def test_another_key_is_refused_whatever_its_header_points_at() -> None:
    for header in (
        {"kid": "../../dev/null"},
        {"jku": "http://127.0.0.1:9/keys"},
        {"x5u": "http://127.0.0.1:9/cert"},
        {"jwk": {"kty": "oct", "k": "YWJj"}},
    ):
        assert _refused(jwt.encode(_claims(), "k" * 64, algorithm="HS256", headers=header))


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


def test_a_token_that_was_good_is_not_under_another_secret(settings: Any) -> None:
    token = _signed()
    assert access.read(token) == access.Claims(PERSON, SIGN_IN)

    settings.SECRET_KEY = "another" * 10

    assert _refused(token)
