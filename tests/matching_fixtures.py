"""Fixtures of the matching app, loaded by conftest as a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.matching import gateway
from apps.matching.gateway import Gateway


@pytest.fixture
def engine_gateway(settings: Any, db: None) -> Iterator[Gateway]:
    """The engine, empty, in this process: commands are projected when ``submit`` returns.

    Live publishing waits for the commit, as everywhere: to see it, use ``transactional_db`` or
    ``django_capture_on_commit_callbacks(execute=True)``.
    """
    settings.MATCHING_GATEWAY = "inprocess"
    gateway.forget()
    yield gateway.get_gateway()
    gateway.forget()
