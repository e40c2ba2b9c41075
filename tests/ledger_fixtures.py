"""The ledger's own laws, checked after every test that had a database and left anything in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from apps.wallets.projections import ledger_differences


@pytest.fixture(autouse=True)
def _ledger_holds(request: pytest.FixtureRequest) -> Iterator[None]:
    """Per asset all accounts sum to zero, and each balance is the sum of its entries.

    A test that breaks the tables on purpose says ``@pytest.mark.breaks_ledger``.
    """
    names = {"db", "transactional_db", "django_db_setup"} & set(request.fixturenames)
    marked = request.node.get_closest_marker("django_db")
    if (not names and marked is None) or request.node.get_closest_marker("breaks_ledger"):
        yield
        return
    # Asked for here, so that this fixture ends before the test's transaction is rolled back.
    transactional = marked is not None and marked.kwargs.get("transaction")
    request.getfixturevalue(
        "transactional_db" if transactional or "transactional_db" in names else "db"
    )
    yield
    if not connection.needs_rollback and connection.connection is not None:
        with connection.cursor() as cursor:
            assert ledger_differences(cursor) == []
