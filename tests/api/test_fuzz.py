"""Whatever is sent, the answer is one that the schema knows, and never a failure of ours."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any, Final

import pytest
from drf_spectacular.generators import SchemaGenerator

from apps.matching.gateway import Gateway
from tests.api.conftest import LIMIT, Person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("markets")]
SEED: Final = 20261121
ROUNDS: Final = 20
VALUES: Final[list[Any]] = [
    None, True, False, 0, 1, -1, 2**31, 2**63, 2**70, 0.5, -0.0, 1e300, "", " ", "0", "1", "-1",
    "0.01", "60000.00", "1e5", "NaN", "null", "true", "buy", "sell", "limit", "market", "stop",
    "stop_limit", "gtc", "ioc", "fok", "gtd", "BTC-USDT", "ETH-USDT", "btc-usdt", "2100-01-01",
    "2100-01-01T00:00:00Z", "2000-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "x" * 300, "é😀",
    "\u202e", "'; --", "%s%n", "{{1}}", "../..", "٣", "a\tb", [], [1], ["x"] * 50, {}, {"a": {}},
    [[[[]]]], "00000000-0000-4000-8000-000000000000", "expire_both", "99999999999999999.99999999",
    "0.00000001", "46116860184.27387904", "1.5.5", "Infinity", "🚀" * 20, "a:b.c_d-e",
]  # fmt: skip


def _operations() -> list[tuple[str, str, dict[str, Any]]]:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return [
        (path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        # Signing out ends the sign-in that all the others need.
        if method in {"get", "post", "delete"} and not path.endswith("logout")
    ]


def _body(draw: random.Random) -> Any:
    if draw.random() < 0.1:
        return draw.choice(VALUES)
    body: dict[str, Any] = dict(LIMIT)
    names = [*LIMIT, "quote_amount", "stop_price", "time_in_force", "expires_at", "post_only",
             "self_trade_prevention", "client_order_id", "account", "email", "password", "cookie",
             "refresh", "orders", "other"]  # fmt: skip
    for name in draw.sample(names, draw.randint(0, 3)):
        body[name] = draw.choice(VALUES)
    if draw.random() < 0.3:
        return {"orders": [body] * draw.randint(1, 3)}
    return body


def test_nothing_that_is_sent_makes_it_fail(
    ada: Person, engine_gateway: Gateway, settings: Any
) -> None:
    settings.API_BURST = 10**6
    settings.SIGN_IN_RATE_PER_ADDRESS = "1000000/m"
    draw = random.Random(SEED)
    asked: set[tuple[str, int]] = set()

    for path, method, operation in _operations():
        for _ in range(ROUNDS):
            known = {
                "symbol": draw.choice(["BTC-USDT", "NONE", "é", "%00", "x" * 99]),
                "asset": draw.choice(["BTC", "x", "é", "%00", "x" * 99]),
            }
            some_id = draw.choice(["1", "x", "9" * 40, "é", "%00"])
            url = path.format_map(defaultdict(some_id.__str__, known))
            names = [parameter["name"] for parameter in operation.get("parameters", [])
                     if parameter["in"] == "query"]  # fmt: skip
            query = {name: str(draw.choice(VALUES)) for name in names if draw.random() < 0.4}
            if "min_seq" in query:
                query["min_seq"] = draw.choice(["1", "-1", "x", "0"])
            body = _body(draw) if method == "post" else None
            if method == "post":
                response = ada.client.post(url, body)
            else:
                response = getattr(ada.client, method)(url, query_params=query)
            content = response.getvalue()
            where = (method, url, query, body, content[:300])
            assert response.status_code < 500 or response.status_code == 503, where
            assert str(response.status_code) in operation["responses"] or (
                response.status_code == 404 and "not_found" in content.decode()
            ), where
            asked.add((path, response.status_code))

    assert len(asked) > 30
