"""The second step on the site and at the API, and proving oneself anew on both."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import actions as people
from apps.accounts.factors import actions, passkeys, queries, totp
from apps.accounts.models import SignIn, SignInRecord, User
from apps.core import clock
from tests.accounts.software_key import SoftwareKey
from tests.api.conftest import code_of
from tests.factories import PASSWORD, person

pytestmark = pytest.mark.django_db
TOKEN, SECOND, STEP_UP = (
    f"/api/v1/auth/{name}" for name in ("token", "token/second-factor", "step-up")
)
LOGIN, STEP, CONFIRM = "/accounts/login/", "/accounts/2fa/authenticate/", "/security/confirm"


@pytest.fixture
def ada() -> User:
    return person("ada@example.com")


@pytest.fixture
def secret(ada: User) -> str:
    """Ada's authenticator app, set up five minutes ago."""
    made, then = totp.new_secret(), clock.now() - timedelta(minutes=5)
    actions.add_totp(actor=ada, secret=made, code=_code(made, then), proved_at=then, now=then)
    return made


@pytest.fixture
def key(ada: User) -> SoftwareKey:
    """Ada's passkey."""
    made, now = SoftwareKey(), clock.now()
    options, state = passkeys.begin_registration(
        host="testserver", person_key=ada.public_id.bytes, email=ada.email, name="Ada", known=()
    )
    actions.add_passkey(
        actor=ada, name="Blue key", answer=made.register(options), state=state,
        host="testserver", proved_at=now, now=now,
    )  # fmt: skip
    return made


def _code(secret: str, at: datetime | None = None) -> str:
    return totp.code_at(secret, int((at or clock.now()).timestamp()) // 30)


def _api_password(client: APIClient) -> Any:
    return client.post(TOKEN, {"email": "ada@example.com", "password": PASSWORD})


def _site_password(client: Client, **more: str) -> Any:
    return client.post(LOGIN, {"login": "ada@example.com", "password": PASSWORD, **more})


def _options(page: Any) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', page.content.decode())
    assert found is not None
    options: dict[str, Any] = json.loads(found[1].replace("&quot;", '"'))
    return options


def test_the_api_asks_for_the_second_factor_and_takes_it(secret: str) -> None:
    client = APIClient()

    asked = _api_password(client)

    assert code_of(asked) == (401, "second_factor_required")
    assert asked.json()["methods"] == ["totp", "recovery_code"]
    assert asked.json()["expires_in"] == 300
    assert not SignIn.objects.exists()
    given = {"challenge": asked.json()["challenge"], "code": _code(secret)}
    answer = client.post(SECOND, given)
    assert answer.status_code == 200
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.json()['access']}")
    assert client.get("/api/v1/auth/ticket").status_code == 405


def test_a_challenge_is_good_for_one_sign_in(secret: str) -> None:
    client = APIClient()
    challenge = _api_password(client).json()["challenge"]
    assert client.post(SECOND, {"challenge": challenge, "code": _code(secret)}).status_code == 200

    later = _code(secret, clock.now() + timedelta(seconds=30))
    again = client.post(SECOND, {"challenge": challenge, "code": later})

    assert code_of(again) == (401, "challenge_invalid")
    assert SignIn.objects.count() == 1


@pytest.mark.parametrize("challenge", ["x", "x" * 43, "../../etc"])
def test_what_was_never_issued_is_no_challenge(secret: str, challenge: str) -> None:
    answer = APIClient().post(SECOND, {"challenge": challenge, "code": _code(secret)})

    assert code_of(answer) == (401, "challenge_invalid")


def test_a_challenge_ends_with_the_password(ada: User, secret: str) -> None:
    client = APIClient()
    challenge = _api_password(client).json()["challenge"]
    ada.set_password("another password of length")
    ada.save()

    answer = client.post(SECOND, {"challenge": challenge, "code": _code(secret)})

    assert code_of(answer) == (401, "challenge_invalid")


def test_a_wrong_code_gives_no_tokens_and_the_challenge_lives_on(secret: str) -> None:
    client = APIClient()
    challenge = _api_password(client).json()["challenge"]

    wrong = client.post(SECOND, {"challenge": challenge, "code": "abcde-fghij"})

    assert code_of(wrong) == (401, "invalid_second_factor")
    (tried,) = SignInRecord.objects.all()
    assert (tried.outcome, tried.way) == ("wrong_factor", "api")
    assert code_of(client.post(SECOND, {"challenge": challenge})) == (400, "missing_field")
    assert client.post(SECOND, {"challenge": challenge, "code": _code(secret)}).status_code == 200


def test_the_api_takes_a_passkey(key: SoftwareKey) -> None:
    client = APIClient()
    asked = _api_password(client).json()
    key.origin = "https://testserver"

    answer = client.post(
        SECOND, {"challenge": asked["challenge"], "passkey": key.answer(asked["passkey"])}
    )

    assert answer.status_code == 200, answer.content


def test_site_and_api_share_one_limit_on_tries(secret: str) -> None:
    site, client = Client(), APIClient()
    _site_password(site)
    for _ in range(5):
        assert "wrong" in site.post(STEP, {"code": "abcde-fghij"}).content.decode()
    challenge = _api_password(client).json()["challenge"]
    for _ in range(5):
        client.post(SECOND, {"challenge": challenge, "code": "abcde-fghij"})

    refused = client.post(SECOND, {"challenge": challenge, "code": _code(secret)})

    assert code_of(refused) == (429, "too_many_attempts")
    assert "Too many attempts" in site.post(STEP, {"code": _code(secret)}).content.decode()


def test_the_site_lets_nobody_in_before_the_second_step(secret: str) -> None:
    client = Client()

    response = _site_password(client, next="/orders")

    assert (response.status_code, response["Location"]) == (302, STEP)
    assert client.get("/portfolio")["Location"].startswith(LOGIN)
    response = client.post(STEP, {"code": _code(secret)})
    assert (response.status_code, response["Location"]) == (302, "/orders")
    assert client.get("/security").status_code == 200


def test_the_second_step_without_the_first_leads_to_the_beginning() -> None:
    client = Client()

    for response in (client.get(STEP), client.post(STEP, {"code": "123456"})):
        assert (response.status_code, response["Location"]) == (302, LOGIN)


def test_the_site_takes_a_passkey_as_second_step_and_alone(key: SoftwareKey) -> None:
    client = Client()
    _site_password(client)
    options = _options(client.get(STEP, secure=True))
    answer = json.dumps(key.answer(options))

    assert client.post(STEP, {"passkey": answer}, secure=True)["Location"] == "/"

    alone = Client()
    options = alone.get("/accounts/2fa/passkey/", secure=True).json()
    answer = json.dumps(key.answer(options))
    response = alone.post("/accounts/2fa/passkey/", {"passkey": answer}, secure=True)
    assert response["Location"] == "/"
    assert alone.get("/security", secure=True).status_code == 200


@pytest.mark.parametrize("answer", ["", "null", "[]", "{}", "x", '{"id": "a", "rawId": "b"}'])
def test_junk_is_no_passkey_on_the_site(key: SoftwareKey, answer: str) -> None:
    client = Client()
    client.get("/accounts/2fa/passkey/")

    response = client.post("/accounts/2fa/passkey/", {"passkey": answer})

    assert (response.status_code, response["Location"]) == (302, LOGIN)


def test_the_api_proves_a_sign_in_anew(ada: User) -> None:
    then = clock.now() - timedelta(minutes=20)
    tokens = people.open_sign_in(actor=ada, client="app", address="192.0.2.1", now=then)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")

    assert code_of(client.post(STEP_UP, {"password": "wrong"})) == (401, "invalid_credentials")
    assert SignIn.objects.get().proved_at == then
    answer = client.post(STEP_UP, {"password": PASSWORD})

    assert answer.status_code == 200
    proved_at = SignIn.objects.get().proved_at
    assert proved_at is not None
    assert proved_at > then
    assert answer.json() == {
        "proved_at": clock.iso(proved_at),
        "fresh_until": clock.iso(proved_at + timedelta(minutes=15)),
    }


def test_the_api_asks_for_the_second_factor_here_too(ada: User, secret: str) -> None:
    tokens = people.open_sign_in(actor=ada, client="a", address="192.0.2.1", now=clock.now())
    SignIn.objects.update(proved_at=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")

    asked = client.post(STEP_UP, {"password": PASSWORD})

    assert code_of(asked) == (401, "second_factor_required")
    assert SignIn.objects.get().proved_at is None
    given = {"challenge": asked.json()["challenge"], "code": _code(secret)}
    assert client.post(STEP_UP, given).status_code == 200
    assert SignIn.objects.get().proved_at is not None


def test_a_challenge_of_another_person_proves_nothing(ada: User, secret: str) -> None:
    challenge = _api_password(APIClient()).json()["challenge"]
    bob = person("bob@example.com")
    tokens = people.open_sign_in(actor=bob, client="a", address="192.0.2.1", now=clock.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.access}")

    answer = client.post(STEP_UP, {"challenge": challenge, "code": _code(secret)})

    assert code_of(answer) == (401, "challenge_invalid")


def test_what_is_sensitive_leads_to_the_question_and_back(ada: User) -> None:
    client = Client()
    _site_password(client)
    with time_machine.travel(clock.now() + timedelta(minutes=20)):
        asked = client.get("/security/app")
        assert (asked.status_code, asked["Location"]) == (302, f"{CONFIRM}?next=%2Fsecurity%2Fapp")

        wrong = client.post(CONFIRM, {"password": "wrong", "next": "/security/app"})
        assert "is wrong" in wrong.content.decode()
        assert client.get("/security/app").status_code == 302
        right = client.post(CONFIRM, {"password": PASSWORD, "next": "/security/app"})

        assert right["Location"] == "/security/app"
        assert client.get("/security/app").status_code == 200


def test_a_form_that_needs_a_proof_changes_nothing_before(ada: User, secret: str) -> None:
    client = Client()
    client.force_login(ada)
    factor = queries.factors_of(viewer=ada)[0]

    response = client.post(
        f"/security/factors/{factor.id}/remove", headers={"Referer": "http://testserver/security"}
    )

    assert response["Location"] == f"{CONFIRM}?next=%2Fsecurity"
    assert queries.has_second_factor(person=ada)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "javascript:alert(1)", "\\\\evil"]
)
def test_the_way_back_stays_on_this_site(ada: User, target: str) -> None:
    client = Client()
    client.force_login(ada)

    response = client.post(CONFIRM, {"password": PASSWORD, "next": target})

    assert response["Location"] == "/security"
    assert target not in client.get(CONFIRM, {"next": target}).content.decode()


def test_confirming_takes_the_second_factor_of_who_has_one(ada: User, secret: str) -> None:
    client = Client()
    client.force_login(ada)

    missing = client.post(CONFIRM, {"password": PASSWORD})
    assert "second factor" in missing.content.decode()
    response = client.post(CONFIRM, {"password": PASSWORD, "code": _code(secret)})

    assert response["Location"] == "/security"
    assert client.get("/security/passkeys/new").status_code == 200


def test_a_passkey_confirms_alone(ada: User, key: SoftwareKey) -> None:
    client = Client()
    client.force_login(ada)
    options = _options(client.get(CONFIRM, secure=True))

    response = client.post(CONFIRM, {"passkey": json.dumps(key.answer(options))}, secure=True)

    assert response["Location"] == "/security"
    assert client.get("/security/app", secure=True).status_code == 200


def test_an_app_is_set_up_on_the_site(ada: User) -> None:
    client = Client()
    _site_password(client)
    page = client.get("/security/app").content.decode()
    found = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
    assert found is not None
    secret = found[1].replace(" ", "")

    wrong = client.post("/security/app", {"code": "abcdef"})
    assert "The code is wrong" in wrong.content.decode()
    assert secret[:4] in wrong.content.decode()
    response = client.post("/security/app", {"code": _code(secret)})

    assert response.content.decode().count("<li><code>") == 10
    assert response["Cache-Control"] == "no-store"
    assert "totp_secret" not in client.session
    assert queries.has_second_factor(person=ada)


def test_a_passkey_is_set_up_on_the_site(ada: User) -> None:
    client, key = Client(), SoftwareKey()
    client.post(LOGIN, {"login": "ada@example.com", "password": PASSWORD}, secure=True)
    options = _options(client.get("/security/passkeys/new", secure=True))

    response = client.post(
        "/security/passkeys/new",
        {"name": "Telephone", "passkey": json.dumps(key.register(options))},
        secure=True,
    )

    assert "Keep these recovery codes" in response.content.decode()
    assert [factor.name for factor in queries.factors_of(viewer=ada)] == ["Telephone"]


def test_passkeys_are_not_offered_at_a_number(ada: User) -> None:
    client = Client(SERVER_NAME="127.0.0.1")
    _site_password(client)

    page = client.get("/security/passkeys/new").content.decode()

    assert "Open it as <strong>localhost</strong>" in page
