"""One order per key and per client order id, however often and from how many sides it is sent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from apps.core.errors import Unavailable
from apps.matching.gateway import Gateway
from apps.trades.models import Order
from tests.api.conftest import LIMIT, Person, code_of

ORDERS = "/api/v1/orders"


def _post(person: Person, key: str | None, path: str = ORDERS, **changes: Any) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"orders": [{**LIMIT, **changes}]} if path.endswith("batch") else {**LIMIT, **changes}
    return person.client.post(path, body, headers=headers)


def _at_once(count: int, work: Callable[[int], str]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    barrier, lock = threading.Barrier(count), threading.Lock()

    def run(index: int) -> None:
        barrier.wait()
        try:
            outcome = work(index)
        finally:
            connection.close()
        with lock:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.django_db
@pytest.mark.parametrize("path", [ORDERS, f"{ORDERS}/batch"])
def test_the_same_request_again_gets_the_same_answer(ada: Person, markets: None, path: str) -> None:
    first = _post(ada, "key-1", path)
    again = _post(ada, "key-1", path)

    assert first.status_code == again.status_code
    assert first.status_code in (200, 201)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1


@pytest.mark.django_db
def test_another_request_under_the_same_key_is_refused(ada: Person, markets: None) -> None:
    _post(ada, "key-1")

    assert code_of(_post(ada, "key-1", quantity="0.02")) == (409, "idempotency_mismatch")
    assert code_of(_post(ada, "key-1", f"{ORDERS}/batch")) == (409, "idempotency_mismatch")
    assert Order.objects.count() == 1


@pytest.mark.django_db
def test_a_key_belongs_to_one_person(ada: Person, bob: Person, markets: None) -> None:
    assert _post(ada, "key-1").status_code == 201
    assert _post(bob, "key-1", quantity="0.02").status_code == 201

    assert Order.objects.count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["x" * 256, "a b", "é", "\x01"])
def test_what_cannot_be_a_key_is_refused(ada: Person, markets: None, key: str) -> None:
    assert code_of(_post(ada, key)) == (400, "invalid_idempotency_key")
    assert not Order.objects.exists()


@pytest.mark.django_db
def test_a_refusal_is_repeated_too_even_when_it_would_work_now(ada: Person, markets: None) -> None:
    ada.client.post(ORDERS, {**LIMIT, "quantity": "1.6"})
    first = _post(ada, "key-1", quantity="1.6")
    ada.client.delete(ORDERS)

    again = _post(ada, "key-1", quantity="1.6")

    assert code_of(first) == code_of(again)
    assert first.json() == again.json()


@pytest.mark.django_db
def test_a_body_that_is_wrong_uses_no_key_up(ada: Person, markets: None) -> None:
    assert code_of(_post(ada, "key-1", quantity="1e5")) == (400, "invalid_amount")

    assert _post(ada, "key-1").status_code == 201


@pytest.mark.django_db
def test_a_lost_outcome_is_found_by_sending_the_same_again(
    ada: Person, engine_gateway: Gateway, markets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Losing:
        """Carries everything out and loses the answer."""

        def submit_many(self, commands: Any, timeout_seconds: float = 2.0) -> None:
            engine_gateway.submit_many(commands)
            raise Unavailable("outcome_unknown", "No answer.", retry_after_seconds=1)

    with monkeypatch.context() as patch:
        patch.setattr("apps.trades.actions.get_gateway", Losing)
        lost = _post(ada, "key-1")
    assert code_of(lost) == (503, "outcome_unknown")
    assert lost["Retry-After"] == "1"
    assert Order.objects.count() == 1

    found = _post(ada, "key-1")

    assert found.status_code == 201
    assert Order.objects.count() == 1
    assert found.json()["id"] == str(Order.objects.get().id)


@pytest.mark.django_db
def test_a_client_order_id_is_as_good_as_a_key(ada: Person, markets: None) -> None:
    first = _post(ada, None, client_order_id="mine")
    again = _post(ada, None, client_order_id="mine")
    other = _post(ada, None, client_order_id="mine", quantity="0.02")

    assert first.json() == again.json()
    assert code_of(other) == (409, "id_reused")
    assert Order.objects.count() == 1


@pytest.mark.django_db
def test_without_either_each_request_is_an_order_of_its_own(ada: Person, markets: None) -> None:
    assert _post(ada, None).json()["id"] != _post(ada, None).json()["id"]


@pytest.mark.django_db(transaction=True)
def test_thirty_at_once_with_one_key_have_one_effect(ada: Person, markets: None) -> None:
    def post(index: int) -> str:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {ada.tokens.access}")
        response = client.post(ORDERS, LIMIT, headers={"Idempotency-Key": "key-1"})
        body = response.json()
        return str(body.get("id") or code_of(response))

    outcomes = _at_once(30, post)

    assert Order.objects.count() == 1
    assert set(outcomes) <= {str(Order.objects.get().id), "(409, 'in_progress')"}


@pytest.mark.django_db(transaction=True)
def test_thirty_at_once_with_the_whole_balance_hold_it_once(ada: Person, markets: None) -> None:
    order = {**LIMIT, "side": "sell", "quantity": "1"}

    def post(index: int) -> str:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {ada.tokens.access}")
        price = f"{60_000 + index}.00"
        response = client.post(ORDERS, {**order, "price": price})
        return "placed" if response.status_code == 201 else str(code_of(response))

    outcomes = _at_once(30, post)

    assert outcomes == {"placed": 1, "(422, 'insufficient_funds')": 29}
    (btc,) = [
        row for row in ada.client.get("/api/v1/balances").json()["items"] if row["asset"] == "BTC"
    ]
    assert (btc["available"], btc["held"]) == ("0.00000000", "1.00000000")
