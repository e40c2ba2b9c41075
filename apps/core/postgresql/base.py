"""Django's PostgreSQL, with a cheaper look at whether a kept connection still holds.

Django asks the server for the number one before each request. A server that stopped, restarted or
ended the session has closed its end or left a last word, and both can be seen from here. One that
vanished without a trace cannot, but it would not answer Django's question either.
"""

from __future__ import annotations

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Asks the server only after a failure, or where its end of the connection is not silent."""

    def is_usable(self) -> bool:
        if self.connection is None or self.errors_occurred or not _is_silent(self.connection):
            return super().is_usable()
        return True


def _is_silent(connection: psycopg.Connection[Any]) -> bool:
    """Whether nothing has come from the server since it answered last, not even an end."""
    if connection.closed:
        return False
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)
