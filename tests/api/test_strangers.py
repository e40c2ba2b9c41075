"""What belongs to somebody else looks exactly like what does not exist, for every endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from apps.wallets.models import TradingAccount
from tests.api.conftest import LIMIT, Person, code_of
from tests.api.test_hostile_orders import ledger_hash

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
ABSENT_ACCOUNT = "00000000-0000-4000-8000-000000000000"


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return [
        (path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]


def test_every_address_with_an_id_answers_a_stranger_as_if_it_were_absent(
    ada: Person, bob: Person
) -> None:
    theirs = bob.client.post("/api/v1/orders", LIMIT).json()["id"]
    before, asked = ledger_hash(), []

    for path, method, _ in _operations():
        names = {"order_id": theirs}
        if "{symbol}" in path or not any(f"{{{name}}}" in path for name in names):
            continue
        asked.append(f"{method} {path}")
        body = {"post": LIMIT, "patch": {"quantity": "0.001"}}.get(method)
        foreign = getattr(ada.client, method)(path.format(order_id=theirs), body)
        absent = getattr(ada.client, method)(path.format(order_id="999999999999"), body)
        assert code_of(foreign) == (404, "order_not_found"), path
        assert foreign.content == absent.content, path
        assert sorted(foreign.headers) == sorted(absent.headers), path

    assert asked == [
        "post /api/v1/orders/{order_id}/replace",
        "get /api/v1/orders/{order_id}",
        "patch /api/v1/orders/{order_id}",
        "delete /api/v1/orders/{order_id}",
    ]
    assert ledger_hash() == before


def test_every_account_parameter_answers_a_stranger_as_if_it_were_absent(
    ada: Person, bob: Person
) -> None:
    bob.client.post("/api/v1/orders", LIMIT)
    theirs = str(TradingAccount.objects.get(owner=bob.user).public_id)
    house = str(TradingAccount.objects.create(
        id=2, kind="house", name="Fees", trade_group=-2, created_at=bob.user.date_joined
    ).public_id)  # fmt: skip
    before, asked = ledger_hash(), 0

    for path, method, operation in _operations():
        if not any(parameter["name"] == "account" for parameter in operation.get("parameters", [])):
            continue
        asked += 1
        absent = getattr(ada.client, method)(f"{path}?account={ABSENT_ACCOUNT}")
        assert code_of(absent) == (404, "unknown_account"), path
        for account in (theirs, house):
            foreign = getattr(ada.client, method)(f"{path}?account={account}")
            assert foreign.content == absent.content, path

    assert asked == 15
    assert ledger_hash() == before


def test_nobody_sets_anothers_switch(ada: Person, bob: Person) -> None:
    theirs = str(TradingAccount.objects.get(owner=bob.user).public_id)
    path = "/api/v1/orders/cancel-after"

    foreign = ada.client.put(path, {"timeout_seconds": 5, "account": theirs})
    absent = ada.client.put(path, {"timeout_seconds": 5, "account": ABSENT_ACCOUNT})

    assert code_of(foreign) == (404, "unknown_account")
    assert foreign.content == absent.content


@pytest.mark.parametrize("path", ["/api/v1/orders", "/api/v1/orders/batch"])
def test_nobody_orders_from_anothers_account(ada: Person, bob: Person, path: str) -> None:
    theirs = str(TradingAccount.objects.get(owner=bob.user).public_id)
    before = ledger_hash()
    order: dict[str, Any] = {"orders": [LIMIT]} if path.endswith("batch") else LIMIT

    foreign = ada.client.post(path, {**order, "account": theirs})
    absent = ada.client.post(path, {**order, "account": ABSENT_ACCOUNT})

    assert code_of(foreign) == (404, "unknown_account")
    assert foreign.content == absent.content
    assert ledger_hash() == before


def test_lists_hold_nothing_of_others(ada: Person, bob: Person) -> None:
    bob.client.post("/api/v1/orders", {**LIMIT, "side": "sell", "quantity": "0.004"})
    ada.client.post("/api/v1/orders", LIMIT)
    mine, theirs = (
        {row["id"] for row in person.client.get("/api/v1/orders").json()["items"]}
        for person in (ada, bob)
    )
    assert len(mine) == len(theirs) == 1
    assert not mine & theirs

    for path in ("fills", "ledger"):
        ids = [
            {row["id"] for row in person.client.get(f"/api/v1/{path}").json()["items"]}
            for person in (ada, bob)
        ]
        assert ids[0]
        assert ids[1]
        assert not ids[0] & ids[1], path
    for word in (bob.user.email, str(bob.user.public_id)):
        for path in ("me", "orders", "fills", "ledger", "balances"):
            assert word not in ada.client.get(f"/api/v1/{path}").content.decode()


def test_staff_rights_open_nothing_in_the_api(ada: Person, bob: Person) -> None:
    theirs = bob.client.post("/api/v1/orders", LIMIT).json()["id"]
    ada.user.is_staff = ada.user.is_superuser = True
    ada.user.save()

    assert code_of(ada.client.get(f"/api/v1/orders/{theirs}")) == (404, "order_not_found")
    assert code_of(ada.client.delete(f"/api/v1/orders/{theirs}")) == (404, "order_not_found")


def test_who_is_no_staff_has_no_business_in_the_admin(ada: Person, bob: Person) -> None:
    from django.test import Client

    nobody, person = Client(), Client()
    person.force_login(ada.user)
    paths = ["/admin/", "/admin/login/", "/admin/accounts/user/",
             f"/admin/accounts/user/{bob.user.pk}/change/", "/admin/none/"]  # fmt: skip

    for path in paths:
        response = nobody.get(path)
        assert response.status_code == 302, path
        assert "/login/" in response["Location"], path
        response = person.get(path, follow=True)
        assert response.status_code in (403, 404), path
        assert bob.user.email not in response.content.decode()
