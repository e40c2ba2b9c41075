"""Sending live data: the text of a message is made here, once, and never again on its way.

A message carries ``seq`` and ``prev``, the ``seq`` of the message before it on its topic, so that
whoever reads it notices a gap. It is published and, where the topic has a stored snapshot, stored
in one step. Losing a message is allowed (the next one shows the gap); passing one off as complete
is not. While Valkey is away nothing is sent and nothing is raised: readers are told by their hub.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson
import redis

from apps.core.realtime.connections import client, key

logger = logging.getLogger(__name__)

CHANNEL_PREFIX: Final = "live:"
SNAPSHOT_PREFIX: Final = "live:snap:"
SOURCE_PREFIX: Final = "live:source:"
PAUSE_AFTER_FAILURE_SECONDS: Final = 1.0

# KEYS: [fence]. ARGV: the fence's token or "", then channel, text, snapshot key or "", snapshot.
_SCRIPT: Final = """
if ARGV[1] ~= '' and redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 4 do
  if ARGV[i + 2] ~= '' then redis.call('SET', ARGV[i + 2], ARGV[i + 3]) end
  redis.call('PUBLISH', ARGV[i], ARGV[i + 1])
end
return 1
"""


@dataclass(frozen=True)
class Message:
    """One message for a topic. Without ``prev`` it starts the topic anew and is a snapshot."""

    topic: str
    seq: int
    prev: int | None
    data: object
    snapshot: object = None


def channel(topic: str) -> str:
    return key(CHANNEL_PREFIX + topic)


def snapshot_key(topic: str) -> str:
    return key(SNAPSHOT_PREFIX + topic)


def delta_text(topic: str, seq: int, prev: int, data: object) -> str:
    """Return the frame of a change. The hub reads its head, so the order of the fields is fixed."""
    body = orjson.dumps(data).decode()
    return f'{{"topic":"{topic}","type":"delta","seq":{seq},"prev":{prev},"data":{body}}}'


def snapshot_text(topic: str, seq: int, data: object) -> str:
    """Return the frame of a whole state."""
    body = orjson.dumps(data).decode()
    return f'{{"topic":"{topic}","type":"snapshot","seq":{seq},"data":{body}}}'


def publish(topic: str, seq: int, prev: int, data: object, snapshot: object = None) -> bool:
    """Send a change, and store the state after it where ``snapshot`` is given."""
    return publish_all([Message(topic, seq, prev, data, snapshot)])


class _Breaker:
    """Keeps a Valkey that does not answer from holding up whoever publishes."""

    def __init__(self) -> None:
        self.closed_until = 0.0
        self.failing = False

    def failed(self, error: Exception) -> None:
        if not self.failing:
            logger.warning("Live data is not being sent: %s", error)
        self.failing = True
        self.closed_until = time.monotonic() + PAUSE_AFTER_FAILURE_SECONDS

    def succeeded(self) -> None:
        if self.failing:
            logger.warning("Live data is being sent again.")
        self.failing = False


_breaker = _Breaker()


def publish_all(messages: Sequence[Message], fence: tuple[str, str] | None = None) -> bool:
    """Send messages in one step; say whether they were sent.

    With ``fence`` (the name of a key and what it must hold) nothing is sent once another process
    holds the key, however long this one was asleep.
    """
    if not messages:
        return True
    if _breaker.failing and time.monotonic() < _breaker.closed_until:
        return False
    name, token = fence or ("", "")
    arguments: list[str] = [token]
    for message in messages:
        arguments += _arguments(message)
    try:
        sent = client().eval(_SCRIPT, 1, name, *arguments)
    except redis.RedisError as error:
        _breaker.failed(error)
        return False
    _breaker.succeeded()
    return bool(sent)


def _arguments(message: Message) -> list[str]:
    topic, seq = message.topic, message.seq
    if message.prev is None:
        text = snapshot_text(topic, seq, message.data)
        return [channel(topic), text, snapshot_key(topic), text]
    text = delta_text(topic, seq, message.prev, message.data)
    if message.snapshot is None:
        return [channel(topic), text, "", ""]
    return [channel(topic), text, snapshot_key(topic), snapshot_text(topic, seq, message.snapshot)]


class Chain:
    """Gives ``prev`` for a publisher of many topics whose snapshots come from the database.

    ``after_seq`` is where this process began. What came before it may or may not have been sent,
    so a topic that is not remembered names the highest sequence number it could have had: readers
    that are behind it fetch a snapshot, and nobody misses a change unnoticed.
    """

    def __init__(self, after_seq: int, topics_max: int = 100_000) -> None:
        self._floor = after_seq
        self._topics_max = topics_max
        self._last: OrderedDict[str, int] = OrderedDict()

    def advance(self, topic: str, seq: int) -> int:
        """Return the ``prev`` of a topic's next message and remember its ``seq``."""
        prev = self._last.pop(topic, self._floor)
        self._last[topic] = seq
        if len(self._last) > self._topics_max:
            _, dropped = self._last.popitem(last=False)
            self._floor = max(self._floor, dropped)
        return prev
