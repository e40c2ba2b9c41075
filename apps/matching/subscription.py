"""A Valkey channel that one may listen to for ever: it comes back when Valkey does.

What is published while it is away is missed, so whoever listens must also look into the journal;
``missed`` says when. Never the only way to learn of something.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

import redis

from apps.matching import servers

logger = logging.getLogger(__name__)

RECONNECT_SECONDS: Final = 1.0
SILENCE_SECONDS: Final = 5.0


class Subscription:
    """One channel, for one thread."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._client = servers.valkey()
        self._pubsub: Any = None
        self._connect_at = 0.0
        self._heard_at = 0.0
        self._said = False

    def close(self) -> None:
        """Stop listening."""
        self._drop()
        self._client.close()

    def next(self, timeout_seconds: float) -> bytes | None:
        """Return the next message, or None after that long at the latest."""
        give_up_at = time.monotonic() + timeout_seconds
        while True:
            left_seconds = give_up_at - time.monotonic()
            if left_seconds <= 0 and timeout_seconds > 0:
                return None
            message = self._receive(max(0.0, left_seconds))
            if message is not None and message["type"] == "message":
                data: bytes = message["data"]
                return data
            if message is None:
                return None

    def drain(self) -> None:
        """Throw away what has been said so far."""
        while self.next(0) is not None:
            continue

    def _receive(self, timeout_seconds: float) -> Any:
        try:
            if self._pubsub is None and not self._connect():
                time.sleep(timeout_seconds)
                return None
            message = self._pubsub.get_message(timeout=timeout_seconds)
            self._check_alive(message)
            return message
        except (redis.RedisError, OSError) as error:
            if not self._said:
                logger.warning("Valkey cannot be heard (%s): looking into the journal.", error)
                self._said = True
            self._drop()
            return None

    def _connect(self) -> bool:
        if time.monotonic() < self._connect_at:
            return False
        self._connect_at = time.monotonic() + RECONNECT_SECONDS
        self._pubsub = self._client.pubsub()
        self._pubsub.subscribe(self._channel)
        self._heard_at = time.monotonic()
        self._said = False
        return True

    def _check_alive(self, message: Any) -> None:
        now = time.monotonic()
        if message is not None:
            self._heard_at = now
        elif now - self._heard_at > 2 * SILENCE_SECONDS:
            raise redis.ConnectionError("silence")
        elif now - self._heard_at > SILENCE_SECONDS:
            self._pubsub.ping()

    def _drop(self) -> None:
        if self._pubsub is not None:
            self._pubsub.close()
        self._pubsub = None
