"""Placing and looking up through the API, for tests of orders that belong together."""

from __future__ import annotations

from typing import Any

from tests.api.conftest import Person

ORDERS = "/api/v1/orders"


def posted(person: Person, path: str, body: dict[str, Any], **headers: Any) -> dict[str, Any]:
    response = person.client.post(path, body, **headers)
    assert response.status_code == 201, response.content
    answer: dict[str, Any] = response.json()
    return answer


def placed(person: Person, **order: Any) -> dict[str, Any]:
    return posted(person, ORDERS, order)


def now_of(person: Person, order: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = person.client.get(f"{ORDERS}/{order['id']}").json()
    return answer


def open_of(person: Person) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = person.client.get(f"{ORDERS}?status=open").json()["items"]
    return sorted(items, key=lambda order: int(order["id"]))


def held_of(person: Person, asset: str) -> str:
    items = person.client.get("/api/v1/balances").json()["items"]
    held: str = next(row["held"] for row in items if row["asset"] == asset)
    return held
