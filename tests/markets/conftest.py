"""Every test here has an empty engine in its own process, and a database."""

from __future__ import annotations

import pytest

from apps.matching.gateway import Gateway


@pytest.fixture(autouse=True)
def _engine(engine_gateway: Gateway) -> None:
    """Have the engine; nothing more."""
