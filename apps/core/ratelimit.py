"""Token buckets in Valkey: how much somebody may still do now, decided in one atomic step.

A bucket holds ``capacity`` tokens and fills up evenly. Time is Valkey's own, so that the clocks of
several web processes do not matter. Whether to go on when Valkey is away is the caller's choice.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any, Final

import redis.exceptions

from apps.core.realtime import connections

# KEYS[1] the bucket; ARGV: capacity, tokens per second, cost. A negative cost gives tokens back.
# Returns whether the tokens were there, and what is left in thousandths.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local capacity, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1]) or capacity
local at = tonumber(bucket[2]) or now
tokens = math.min(capacity, tokens + math.max(0, now - at) * rate / 1000)
local allowed = 0
if tokens >= cost then
  tokens = math.min(capacity, tokens - cost)
  allowed = 1
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', now)
redis.call('PEXPIRE', KEYS[1], math.ceil((capacity - tokens) / rate * 1000) + 1000)
return {allowed, math.floor(tokens * 1000)}
"""
_TAKE_SHA: Final = hashlib.sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class Bucket:
    """The size of a bucket: so many at once, so many per second in the long run."""

    capacity: int
    per_second: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one attempt to take tokens."""

    allowed: bool
    limit: int
    remaining: int
    retry_after_seconds: int
    reset_seconds: int


def take(name: str, bucket: Bucket, cost: int = 1) -> Verdict:
    """Take tokens from the bucket of this name, or none where there are too few."""
    allowed, left = _run(name, bucket, cost)
    tokens = left / 1000
    wait = 0 if allowed else max(1, math.ceil((cost - tokens) / bucket.per_second))
    full = math.ceil((bucket.capacity - tokens) / bucket.per_second)
    return Verdict(bool(allowed), bucket.capacity, int(tokens), wait, full)


def give_back(name: str, bucket: Bucket, cost: int = 1) -> None:
    """Return tokens that were taken for something that turned out not to count."""
    _run(name, bucket, -cost)


def _run(name: str, bucket: Bucket, cost: int) -> tuple[int, int]:
    arguments = (1, connections.key(f"rate:{name}"), bucket.capacity, bucket.per_second, cost)
    # Every request comes here: what the client does around a command takes longer than this one.
    pool = connections.client().connection_pool
    link: Any = pool.get_connection()
    try:
        link.send_command("EVALSHA", _TAKE_SHA, *arguments)
        try:
            answer = link.read_response()
        except redis.exceptions.NoScriptError:
            link.send_command("EVAL", _TAKE, *arguments)
            answer = link.read_response()
    finally:
        pool.release(link)
    return int(answer[0]), int(answer[1])
