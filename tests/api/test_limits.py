"""How much one may ask: by person, key and address; weights; what is told, who is refused."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.core import endpoint
from tests.accounts.key_client import key_for
from tests.api.conftest import LIMIT, Person, code_of

pytestmark = pytest.mark.django_db
ME = "/api/v1/me"
TICKERS = "/api/v1/tickers"


@pytest.fixture(autouse=True)
def small(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty at once, and then next to nothing."""
    settings.API_BURST, settings.API_PER_SECOND = 20, 0.001
    # Another test may have left that Valkey is not to be asked for a moment.
    monkeypatch.setattr(endpoint, "_unmetered_until", 0.0)


def statuses(ask: Any, times: int) -> list[int]:
    return [ask().status_code for _ in range(times)]


def test_a_person_has_one_share_wherever_he_asks_from(ada: Person, bob: Person) -> None:
    asked = iter(range(100))

    found = statuses(lambda: ada.client.get(ME, REMOTE_ADDR=f"203.0.113.{next(asked)}"), 22)

    assert found == [200] * 20 + [429] * 2
    assert bob.client.get(ME).status_code == 200


def test_who_is_nobody_is_counted_by_address_and_cannot_invent_one(anybody: APIClient) -> None:
    asked = iter(range(100))

    found = statuses(
        lambda: anybody.get(TICKERS, headers={"X-Forwarded-For": f"203.0.113.{next(asked)}"}), 22
    )

    assert found == [200] * 20 + [429] * 2
    assert anybody.get(TICKERS, REMOTE_ADDR="203.0.113.1").status_code == 200


def test_a_key_uses_half_and_leaves_its_owner_the_rest(ada: Person) -> None:
    robot = key_for(ada.user)

    found = statuses(lambda: robot.send("GET", ME), 12)

    assert found == [200] * 10 + [429] * 2
    # The two that were refused have counted, too.
    assert statuses(lambda: ada.client.get(ME), 9) == [200] * 8 + [429]


def test_two_keys_share_what_their_owner_has(ada: Person) -> None:
    robots = [key_for(ada.user), key_for(ada.user), key_for(ada.user)]

    found = [robot.send("GET", ME).status_code for robot in robots for _ in range(8)]

    assert found == [200] * 20 + [429] * 4


def test_what_is_heavy_counts_for_more(ada: Person, markets: None) -> None:
    batch = {"orders": [LIMIT]}

    answers = [ada.client.post("/api/v1/orders/batch", batch) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["10", "0", "0"]


def test_the_headers_say_where_one_stands_and_a_refusal_when_to_come_back(ada: Person) -> None:
    first = ada.client.get(ME)
    statuses(lambda: ada.client.get(ME), 19)

    refused = ada.client.get(ME)

    assert (first["X-RateLimit-Limit"], first["X-RateLimit-Remaining"]) == ("20", "19")
    assert code_of(refused) == (429, "rate_limited")
    assert 990 <= int(refused["Retry-After"]) <= 1000
    assert refused["X-RateLimit-Remaining"] == "0"


def test_row_53_looking_things_up_one_after_the_other_comes_to_an_end(anybody: APIClient) -> None:
    found = statuses(lambda: anybody.get("/api/v1/markets/NO-SUCH"), 30)

    assert found == [404] * 20 + [429] * 10


def test_row_35_a_hundred_wrong_passwords_from_a_hundred_addresses(
    ada: Person, anybody: APIClient
) -> None:
    asked = iter(range(1000))

    def guess() -> Any:
        number = next(asked)
        return anybody.post(
            "/api/v1/auth/token",
            {"email": "ada@example.com", "password": f"a wrong password {number}"},
            REMOTE_ADDR=f"203.0.113.{number}",
        )

    found = statuses(guess, 100)

    assert found == [401] * 10 + [429] * 90


@pytest.mark.usefixtures("without_valkey")
def test_without_valkey_reading_goes_on_and_signing_in_does_not(
    ada: Person, anybody: APIClient
) -> None:
    given = {"email": "ada@example.com", "password": "a-long-enough-password"}

    assert ada.client.get(ME).status_code == 200
    assert anybody.post("/api/v1/auth/token", given).status_code == 503
