"""Token buckets in Valkey: how much somebody may still do now, decided in one atomic step.

A bucket holds ``capacity`` tokens and fills up evenly. Time is Valkey's own, so that the clocks of
several web processes do not matter. Whether to go on when Valkey is away is the caller's choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import redis
from redis.commands.core import Script

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
    arguments = [bucket.capacity, bucket.per_second, cost]
    answer = _script(connections.client())(keys=[connections.key(f"rate:{name}")], args=arguments)
    return int(answer[0]), int(answer[1])


@lru_cache(maxsize=4)
def _script(client: redis.Redis) -> Script:
    return client.register_script(_TAKE)
