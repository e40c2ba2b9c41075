"""The page about the API names every address and every code that it can answer with."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.urls import get_resolver

from apps.core import web
from apps.trades.refusals import REFUSALS
from tests.api.test_schema import UNDESCRIBED, _routes

PAGE = Path(settings.BASE_DIR, "docs", "api.md").read_text()


def test_every_address_is_named() -> None:
    for route, _ in _routes(get_resolver().url_patterns, "/"):
        if route.startswith("/api/v1/") and route not in UNDESCRIBED:
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route).removeprefix("/api/v1")
            last = f"/{path.rsplit('/', 1)[1]}"
            assert path in PAGE or f"`{last}" in PAGE, path


def test_every_code_is_named() -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))
    known = {code for _, _, code, _ in web._KNOWN} | {row.code for row in REFUSALS.values()}

    assert known - named == set()


def test_a_code_of_the_engine_stands_beside_its_status() -> None:
    rows = dict(re.findall(r"^\| (\d{3}) \| (.*) \|$", PAGE, re.M))

    assert set(rows) >= {"400", "401", "403", "404", "409", "422", "429", "500", "503"}
    for row in REFUSALS.values():
        status = web.describe(row.family(row.code, "")).status
        assert f"`{row.code}`" in rows[str(status)], row.code
