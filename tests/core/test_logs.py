"""A record is one line, and a refused request is no traceback."""

from __future__ import annotations

import io
import logging
import logging.config
from typing import Any

import pytest
from django.test import Client

from apps.core.errors import Unavailable
from apps.markets import queries


@pytest.fixture
def written(settings: Any) -> Any:
    """What the handlers of the settings write, as text."""
    stream = io.StringIO()
    handlers = [
        handler
        for name in ("", "django.security")
        for handler in logging.getLogger(name).handlers
        if isinstance(handler, logging.StreamHandler) and type(handler.formatter).__name__ == "Line"
    ]
    assert len(handlers) == 2
    before = [handler.setStream(stream) for handler in handlers]
    yield stream
    for handler, old in zip(handlers, before, strict=True):
        if old is not None:
            handler.setStream(old)


def test_text_from_outside_makes_no_line_of_its_own(written: io.StringIO) -> None:
    forged = "x\r\n2026-11-21 00:00:00,000 CRITICAL apps.core: the vault is open"

    logging.getLogger("apps.test").warning("No such market: %s", forged)

    (line,) = written.getvalue().splitlines()
    assert line.endswith(
        "WARNING apps.test: No such market: x\\r\\n2026-11-21 00:00:00,000 CRITICAL apps.core:"
        " the vault is open"
    )


def test_a_traceback_of_ours_keeps_its_lines(written: io.StringIO) -> None:
    try:
        raise ZeroDivisionError("a bug")
    except ZeroDivisionError:
        logging.getLogger("apps.test").exception("It broke")

    lines = written.getvalue().splitlines()
    assert lines[0].endswith("ERROR apps.test: It broke")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-1] == "ZeroDivisionError: a bug"


@pytest.mark.django_db
def test_a_hostile_request_is_one_line(written: io.StringIO, client: Client) -> None:
    fields = "&".join(f"f{index}=1" for index in range(2_000))

    response = client.post(
        "/accounts/signup/", fields, content_type="application/x-www-form-urlencoded"
    )

    assert response.status_code == 400
    (line,) = written.getvalue().splitlines()
    assert "ERROR django.security.TooManyFieldsSent: " in line


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/tickers", "/markets"])
def test_what_cannot_be_had_is_one_line(
    written: io.StringIO, client: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def away(*asked: object) -> None:
        raise Unavailable("engine_unavailable", "The exchange cannot be reached.")

    monkeypatch.setattr(queries, "_tickers", away)

    response = client.get(path)

    assert response.status_code == 503
    (line,) = written.getvalue().splitlines()
    assert line.endswith(
        f"WARNING apps.core.web: Unavailable: engine_unavailable (Unavailable) {path}"
    )
