"""One refusal is the same on every face: API, socket and the site's own form."""

from __future__ import annotations

from typing import Any, Final

import pytest
from django.test import Client

from apps.core.errors import DomainError
from apps.core.web import socket_error
from apps.matching.actions import set_venue
from apps.trades.models import Order
from apps.trades.realtime import place
from tests.api.conftest import LIMIT, Person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
# What is asked, status and code, where the form shows it; and after how long to come back.
CASES: Final[list[tuple[dict[str, str], int, str, str, int | None]]] = [
    ({"quantity": "-1"}, 400, "invalid_amount", "quantity", None),
    ({"quantity": "0.000000001"}, 400, "precision", "quantity", None),
    ({"quantity": "0.000001"}, 400, "lot_size", "quantity", None),
    ({"price": "60000.001"}, 400, "tick_size", "price", None),
    ({"quantity": "0.00001"}, 400, "notional", "quantity", None),
    ({"quantity": "1000", "price": "46116860184.00"}, 400, "notional", "quantity", None),
    ({"quantity": "100"}, 422, "insufficient_funds", "quantity", None),
    ({"quantity": "1000"}, 422, "max_notional", "quantity", None),
    ({}, 503, "trading_halted", "form", 10),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "code", "field", "wait"), CASES)
def test_a_refusal_is_the_same_on_every_face(
    ada: Person, changes: dict[str, str], status: int, code: str, field: str, wait: int | None
) -> None:
    if code == "trading_halted":
        set_venue(state="halted")
    asked = {**LIMIT, **changes}

    answer = ada.client.post("/api/v1/orders", asked)
    with pytest.raises(DomainError) as refused:
        place(ada.user, asked)
    frame = socket_error(refused.value)
    page = _by_form(ada, asked)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers.get("Retry-After") == (None if wait is None else str(wait))
    assert (frame["code"], frame.get("retry_after_seconds")) == (code, wait)
    assert page.status_code == status
    assert page.headers.get("Retry-After") == (None if wait is None else str(wait))
    assert page.context["errors"] == {field: frame["message"]}
    assert str(frame["message"]).endswith("Nothing was ordered.")
    if code != "invalid_amount":
        assert answer.json()["detail"] == frame["message"]
        assert answer.json().get("field") == frame.get("field")
    assert not Order.objects.exists()


def _by_form(person: Person, asked: dict[str, Any]) -> Any:
    client = Client()
    client.force_login(person.user)
    posted = {
        "side": asked["side"], "type": asked["type"], "amount": asked["quantity"], "unit": "base",
        "price": asked["price"], "time_in_force": "gtc", "self_trade_prevention": "expire_taker",
    }  # fmt: skip
    return client.post("/trade/BTC-USDT/orders", posted)
