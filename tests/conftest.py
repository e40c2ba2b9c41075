"""Fixtures of every test: the servers, the worker's own database, a clean Valkey."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connections
from django.test import TransactionTestCase
from xdist.scheduler import LoadScopeScheduling

from tests import services as test_services
from tests.services import Services, this_run

WHOLE_COPIES = ("tests/browser/", "tests/crash/", "tests/local/test_up.py")

pytest_plugins = ["tests.matching_fixtures", "tests.ledger_fixtures"]


def _start_over(_case: TransactionTestCase) -> None:
    """Clone the template again: it takes 0.05 s, and append-only tables cannot be flushed."""
    connections.close_all()
    this_run().fresh_database()


TransactionTestCase._fixture_teardown = _start_over  # type: ignore[attr-defined]


class Scheduling(LoadScopeScheduling):
    """Deals out test by test, but whole copies of SUM+1 run one after the other, on one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return "whole copies" if nodeid.startswith(WHOLE_COPIES) else nodeid


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if settings.COMPILED_ENGINE:
        reason = pytest.mark.skip(reason="the engine is compiled: its Python is not what runs")
        for item in items:
            if item.get_closest_marker("needs_source"):
                item.add_marker(reason)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    return Scheduling(config, log)


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


@pytest.fixture(autouse=True)
def _no_recent_instruments() -> Iterator[None]:
    """No test finds markets as another had them."""
    from apps.markets.queries import forget_instruments

    yield
    forget_instruments()


@pytest.fixture(autouse=True)
def _no_known_token_keys() -> Iterator[None]:
    """No test finds the keys of tokens that another has made."""
    from apps.accounts import access, signing_keys

    yield
    signing_keys.forget()
    access.forget_tokens()


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """An empty folder that the user of an embedded server can reach."""
    with test_services.server_folder() as folder:
        yield folder


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives ports that no other test run of this machine uses."""
    return test_services.free_port
