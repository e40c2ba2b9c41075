"""A kept connection to the database: lost ones are noticed, sound ones cost no question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import Error, connection, connections

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept() -> Iterator[Any]:
    """A connection of its own, as a thread keeps one from request to request."""
    found = connections.create_connection("default")
    found.connect()
    yield found
    found.close()


def _process_of(kept: Any) -> int:
    with kept.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _asked_last(process: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE pid = %s", [process])
        return str(cursor.fetchone()[0])


def test_a_connection_that_holds_is_not_asked(kept: Any) -> None:
    process = _process_of(kept)

    kept.close_if_unusable_or_obsolete()
    kept.close_if_health_check_failed()

    assert _asked_last(process) == "SELECT pg_backend_pid()"
    assert _process_of(kept) == process


def test_a_connection_is_asked_after_a_failure(kept: Any) -> None:
    process = _process_of(kept)
    with pytest.raises(Error), kept.cursor() as cursor:
        cursor.execute("SELECT nothing_that_is_there")

    kept.close_if_unusable_or_obsolete()

    assert _asked_last(process) == "SELECT 1"
    assert _process_of(kept) == process


def test_a_connection_that_the_server_ended_is_replaced(kept: Any) -> None:
    process = _process_of(kept)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        assert cursor.fetchone() == (True,)

    kept.close_if_unusable_or_obsolete()

    assert _process_of(kept) != process
