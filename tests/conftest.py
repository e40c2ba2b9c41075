"""Fixtures of every test: the servers, the worker's own database, a clean Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connections
from django.test import TransactionTestCase

from tests import services as test_services
from tests.services import Services, this_run

pytest_plugins = ["tests.matching_fixtures", "tests.ledger_fixtures"]


def _start_over(_case: TransactionTestCase) -> None:
    """Clone the template again: it takes 0.05 s, and append-only tables cannot be flushed."""
    connections.close_all()
    this_run().fresh_database()


TransactionTestCase._fixture_teardown = _start_over  # type: ignore[attr-defined]


@pytest.hookimpl(tryfirst=True)  # Before xdist looks for groups.
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever runs a whole copy of SUM+1 does so one after the other, on one worker."""
    for item in items:
        if item.get_closest_marker("slow") or "browser" in item.path.parts:
            item.add_marker(pytest.mark.xdist_group("whole-copy"))


@pytest.fixture(scope="session")
def services() -> Services:
    """PostgreSQL and Valkey, running."""
    found = this_run()
    found.ensure_started()
    return found


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: Any, services: Services
) -> Iterator[None]:
    """Clone the worker's database, in place of Django's own making of test databases."""
    with django_db_blocker.unblock():
        services.make_template()
    services.fresh_database()
    yield
    with django_db_blocker.unblock():
        connections.close_all()


@pytest.fixture
def valkey(services: Services) -> Iterator[redis.Redis]:
    """A client of the worker's own Valkey database, empty before and after."""
    client = redis.Redis.from_url(services.valkey_url)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture(autouse=True)
def _empty_valkey() -> Iterator[None]:
    """No test finds what another left in Valkey: caches, rate limits, streams."""
    yield
    if this_run().started:
        with redis.Redis.from_url(this_run().valkey_url) as client:
            client.flushdb()


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """An empty folder that the user of an embedded server can reach."""
    with test_services.server_folder() as folder:
        yield folder


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives ports that no other test run of this machine uses."""
    return test_services.free_port
