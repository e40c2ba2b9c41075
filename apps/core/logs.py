"""How log records are written: one line each, whatever somebody outside has put into them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.http import HttpRequest

_TOLD: Final = "sum1.told"


class Line(logging.Formatter):
    """Writes line breaks in a message as ``\\n``, so that no text can pass for another record.

    Tracebacks, which are ours, keep their lines.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")


class Plain(logging.Filter):
    """Drops the traceback: that a request was refused says nothing about our code."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        record.exc_text = None
        return True


class Untold(logging.Filter):
    """Drops what Django says of a request of which we have said more already."""

    def filter(self, record: logging.LogRecord) -> bool:
        # A WebSocket's record has no such request.
        about = getattr(getattr(record, "request", None), "META", {})
        return _TOLD not in about


def mark_as_told(request: HttpRequest) -> None:
    """What is wrong with this request stands in the log, or is not worth a line."""
    request.META[_TOLD] = True
