"""How log records are written: one line each, whatever somebody outside has put into them."""

from __future__ import annotations

import logging


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
