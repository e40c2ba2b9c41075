"""Alive and ready: what supervisors and probes are told."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import Client

from apps.matching import wire


def test_alive_asks_nobody(client: Client, without_valkey: None) -> None:
    response = client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})
    refused = client.post("/healthz")
    assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
    assert refused["Allow"] == "GET, HEAD"


@pytest.mark.django_db
def test_ready_where_everything_is_there(client: Client, valkey: redis.Redis) -> None:
    valkey.set(wire.leader_key(0), b"1:1:0:0")

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "valkey": "ok", "engine": "ok", "projector": "ok"},
    }
    assert response["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_not_ready_without_a_leader(client: Client, valkey: redis.Redis) -> None:
    response = client.get("/readyz")

    assert response.status_code == 503
    assert response["Retry-After"] == "1"
    assert response.json()["checks"]["engine"] == "no leader"


@pytest.mark.django_db
def test_not_ready_without_valkey(client: Client, without_valkey: None) -> None:
    response = client.get("/readyz")

    assert response.status_code == 503
    body = response.json()
    assert body["status"] == "unavailable"
    assert body["checks"]["database"] == "ok"
    assert body["checks"]["valkey"] == "ConnectionError"
    assert "127.0.0.1" not in response.content.decode()


@pytest.mark.django_db
def test_not_ready_while_the_projector_is_behind(
    client: Client, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.matching.queries import ProjectorLag

    valkey.set(wire.leader_key(0), b"1:1:0:0")
    monkeypatch.setattr("apps.pages.health.projector_lag", lambda: ProjectorLag(900, 10.1))

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["checks"]["projector"] == "behind"


@pytest.mark.django_db
def test_not_ready_without_the_database(
    client: Client, valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError, connection

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("no")

    valkey.set(wire.leader_key(0), b"1:1:0:0")
    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", refuse)
        response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "OperationalError"
