"""Receives the answers to one process's requests: one thread, one subscription.

Whoever waits holds a waiter; whoever has stopped waiting is forgotten, and a late answer falls on
the floor: it is in the journal all the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
import redis

from apps.matching import servers, wire

logger = logging.getLogger(__name__)

READY_SECONDS: Final = 0.5
POLL_SECONDS: Final = 1.0
RETRY_SECONDS_MAX: Final = 1.0


class Waiter:
    """One thread's wait for one answer."""

    def __init__(self) -> None:
        self._arrived = threading.Event()
        self._answer: wire.Answer | None = None

    def arrive(self, answer: wire.Answer) -> None:
        """Hand over the answer."""
        self._answer = answer
        self._arrived.set()

    def wait(self, timeout_seconds: float) -> wire.Answer | None:
        """Return the answer, or None when it has not come in time."""
        self._arrived.wait(timeout_seconds)
        return self._answer


class ReplyListener:
    """Keeps the subscription alive for as long as the process lives."""

    def __init__(self, gateway_id: str) -> None:
        self._channel = wire.reply_channel(gateway_id)
        self._waiters: dict[int, Waiter] = {}
        self._subscribed = threading.Event()
        self._start = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Stop listening; whoever still waits gets no answer."""
        self._closed.set()

    def ready(self) -> bool:
        """Return whether an answer sent from now on would be heard."""
        if self._thread is None:
            with self._start:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._listen_for_ever, name="matching-replies", daemon=True
                    )
                    self._thread.start()
        return self._subscribed.wait(READY_SECONDS)

    @contextmanager
    def expect(self, request: int) -> Iterator[Waiter]:
        """Register for the answer to a request that is about to be sent."""
        waiter = Waiter()
        self._waiters[request] = waiter
        try:
            yield waiter
        finally:
            self._waiters.pop(request, None)

    def _listen_for_ever(self) -> None:
        pause_seconds = 0.05
        while not self._closed.is_set():
            try:
                self._listen()
            except (redis.RedisError, OSError) as error:
                if self._subscribed.is_set() and not self._closed.is_set():
                    logger.warning("The exchange's answers cannot be heard: %s", error)
                    pause_seconds = 0.05
            except Exception:
                # Without this thread the process could not trade until it is started anew.
                logger.exception("Listening for the exchange's answers failed.")
            finally:
                self._subscribed.clear()
            self._closed.wait(pause_seconds)
            pause_seconds = min(pause_seconds * 2, RETRY_SECONDS_MAX)

    def _listen(self) -> None:
        client = servers.valkey()
        try:
            with client.pubsub() as subscription:
                subscription.subscribe(self._channel)
                silent_polls = 0
                while not self._closed.is_set():
                    message = subscription.get_message(timeout=POLL_SECONDS)
                    if message is None:
                        silent_polls = self._prove_alive(subscription, silent_polls)
                        continue
                    silent_polls = 0
                    if message["type"] == "subscribe":
                        self._subscribed.set()
                    elif message["type"] == "message":
                        self._hand_out(message["data"])
        finally:
            client.close()

    def _prove_alive(self, subscription: redis.client.PubSub, silent_polls: int) -> int:
        # A server that vanished without a word looks like one that has nothing to say.
        if silent_polls >= 3:
            raise redis.ConnectionError("Valkey does not answer a ping.")
        subscription.ping()
        return silent_polls + 1

    def _hand_out(self, data: bytes) -> None:
        try:
            answers = wire.answers.decode(data)
        except msgspec.MsgspecError:
            logger.exception("An answer of the exchange cannot be read.")
            return
        for answer in answers:
            waiter = self._waiters.get(answer.request)
            if waiter is not None:
                waiter.arrive(answer)
