"""The description of the API: complete, without warnings, and true."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Final

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests.api.conftest import LIMIT, Person

METHODS: Final = {"get", "post", "put", "patch", "delete"}
# What describes the API is no part of it.
FILES: Final = {"csv": "text/csv", "pdf": "application/pdf"}
UNKNOWN: Final = "5f0c2c1e-8f43-4a1c-9d0f-0c6a5d1f7a11"
UNDESCRIBED: Final = {"/api/v1/schema", "/api/v1/docs"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """The schema, made without a single warning."""
    GENERATOR_STATS.reset()
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    if GENERATOR_STATS:
        GENERATOR_STATS.emit_summary()
    assert not GENERATOR_STATS
    return made


def _operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def _routes(patterns: list[URLPattern | URLResolver], prefix: str) -> list[tuple[str, Any]]:
    found = []
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += _routes(pattern.url_patterns, route)
        else:
            found.append((route, pattern.callback))
    return found


def test_every_tag_is_described(schema: dict[str, Any]) -> None:
    used = {tag for _, _, operation in _operations(schema) for tag in operation["tags"]}

    assert {tag["name"] for tag in schema["tags"]} == used


def test_every_route_and_method_is_described(schema: dict[str, Any]) -> None:
    expected = set()
    for route, view in _routes(get_resolver().url_patterns, "/"):
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route)
        if path.startswith("/api/") and path not in UNDESCRIBED:
            expected |= {(path, method) for method in METHODS if hasattr(view.cls, method)}

    assert {(path, method) for path, method, _ in _operations(schema)} == expected
    assert len(expected) >= 20


def test_every_operation_says_everything(schema: dict[str, Any]) -> None:
    ids = set()
    for path, method, operation in _operations(schema):
        where = f"{method} {path}"
        ids.add(operation["operationId"])
        assert operation["summary"], where
        assert operation["description"], where
        assert operation["tags"], where
        assert {"429", "503"} <= set(operation["responses"]), where
        for status, response in operation["responses"].items():
            if status in ("204", "304"):
                continue
            ((kind, content),) = response["content"].items()
            usual = FILES.get(path.rpartition(".")[2], "application/json")
            assert kind == (usual if status < "400" else "application/problem+json"), where
            assert content["examples"], f"{where} {status}"
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            assert content["examples"], where
            assert {"400", "413", "415"} <= set(operation["responses"]), where
    assert len(ids) == len(_operations(schema))


def test_what_needs_a_sign_in_says_so(schema: dict[str, Any], client: Client) -> None:
    assert set(schema["components"]["securitySchemes"]) == {"bearer", "signed", "session"}
    for path, method, operation in _operations(schema):
        security = operation.get("security", [{}])
        is_public = {} in security or security == []
        assert ("401" in operation["responses"]) or is_public, f"{method} {path}"


def test_every_example_of_an_answer_fits_its_shape(schema: dict[str, Any]) -> None:
    checked = 0
    for path, method, operation in _operations(schema):
        contents = [
            *(response.get("content", {}) for response in operation["responses"].values()),
            operation.get("requestBody", {}).get("content", {}),
        ]
        for content in contents:
            for described in content.values():
                for example in described.get("examples", {}).values():
                    _validate(schema, described["schema"], example["value"], f"{method} {path}")
                    checked += 1
    assert checked > 100


def _validate(schema: dict[str, Any], shape: dict[str, Any], value: Any, where: str) -> None:
    def plain(node: Any) -> Any:
        """Turn what OpenAPI 3.0 says its own way into JSON schema."""
        if isinstance(node, list):
            return [plain(item) for item in node]
        if not isinstance(node, dict):
            return node
        found = {name: plain(item) for name, item in node.items() if name != "nullable"}
        if node.get("nullable"):
            return {"anyOf": [found, {"type": "null"}]}
        if node.get("type") == "object" and "properties" in node:
            found["additionalProperties"] = "errors" in node["properties"]
        return found

    root = {**plain(shape), "components": plain(schema["components"])}
    try:
        jsonschema.Draft202012Validator(root).validate(value)
    except jsonschema.ValidationError as failure:
        raise AssertionError(f"{where}: {failure.message} in {value}") from failure


@pytest.mark.django_db
def test_answers_fit_their_description(
    schema: dict[str, Any], ada: Person, bob: Person, markets: None
) -> None:
    bob.client.post("/api/v1/orders", {**LIMIT, "side": "sell", "quantity": "0.004"})
    order = ada.client.post("/api/v1/orders", LIMIT).json()
    calls: list[tuple[str, str, Any]] = [
        ("get", "/api/v1/time", None),
        ("get", "/api/v1/markets", None),
        ("get", "/api/v1/markets/{symbol}", None),
        ("get", "/api/v1/markets/{symbol}/trades", None),
        ("get", "/api/v1/markets/{symbol}/candles", None),
        ("get", "/api/v1/markets/{symbol}/ticker", None),
        ("get", "/api/v1/tickers", None),
        ("get", "/api/v1/me", None),
        ("get", "/api/v1/balances", None),
        ("get", "/api/v1/ledger", None),
        ("get", "/api/v1/fills", None),
        ("get", "/api/v1/positions", None),
        ("get", "/api/v1/positions/{asset}/lots", None),
        ("get", "/api/v1/orders", None),
        ("get", "/api/v1/orders/{order_id}", None),
        ("post", "/api/v1/orders", LIMIT),
        ("post", "/api/v1/orders", {**LIMIT, "quantity": "x"}),
        ("post", "/api/v1/orders", {**LIMIT, "quantity": "100"}),
        ("post", "/api/v1/orders/batch", {"orders": [LIMIT, {**LIMIT, "quantity": "100"}]}),
        ("delete", "/api/v1/orders/{order_id}", None),
        ("delete", "/api/v1/orders/{order_id}", None),
        ("delete", "/api/v1/orders", None),
        ("post", "/api/v1/auth/ticket", None),
        ("post", "/api/v1/auth/token", {"email": "ada@example.com", "password": "wrong"}),
        ("post", "/api/v1/auth/token/refresh", {"refresh": ada.tokens.refresh}),
    ]

    for method, path, body in calls:
        url = path.format(symbol="BTC-USDT", order_id=order["id"], asset="BTC")
        response = getattr(ada.client, method)(url, body)
        described = schema["paths"][path][method]["responses"][str(response.status_code)]
        (shape,) = (content["schema"] for content in described["content"].values())
        _validate(schema, shape, response.json(), f"{method} {path} {response.status_code}")


@pytest.mark.django_db
def test_every_endpoint_refuses_who_is_not_signed_in_unless_it_is_public(
    schema: dict[str, Any], anybody: APIClient, markets: None
) -> None:
    for path, method, operation in _operations(schema):
        if {} in operation.get("security", []) or not operation.get("security"):
            continue
        known = {"symbol": "BTC-USDT", "asset": "BTC"}
        response = getattr(anybody, method)(path.format_map(defaultdict(lambda: UNKNOWN, known)))
        assert response.status_code == 401, f"{method} {path}"


def test_the_schema_and_its_page_need_nobody_and_no_network(client: Client) -> None:
    response = client.get("/api/v1/schema")
    page = client.get("/api/v1/docs")

    assert response.status_code == 200
    assert yaml.safe_load(response.content)["openapi"].startswith("3.")
    assert client.get("/api/v1/schema?format=json").json()["info"]["title"] == "SUM+1 API"
    assert page.status_code == 200
    text = page.content.decode()
    assert "swagger-ui-bundle" in text
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)
    assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    assert "<style" not in text
