"""Which nonces were seen: each is good once. Valkey remembers them as long as they could be reused.

Should Valkey lose its memory, what was signed before is taken no more: otherwise it could be sent
a second time.
"""

from __future__ import annotations

import enum
import hashlib
import uuid
from typing import Final

from apps.accounts.keys.rules import TIMESTAMP_LEEWAY_MS
from apps.core.realtime import connections

# KEYS: since when Valkey remembers, the nonce. ARGV: the request's timestamp, how long to remember.
_USE: Final = """
local since = redis.call('GET', KEYS[1])
if not since then
  local clock = redis.call('TIME')
  since = string.format('%.0f', clock[1] * 1000 + math.floor(clock[2] / 1000))
  redis.call('SET', KEYS[1], since)
end
if redis.call('SET', KEYS[2], 1, 'NX', 'PX', ARGV[2]) == false then return 0 end
if tonumber(ARGV[1]) < tonumber(since) then return 2 end
return 1
"""
# From the moment a timestamp may first be used until it may no more, and a bit.
_KEPT_MS: Final = 2 * TIMESTAMP_LEEWAY_MS + 5_000


class Use(enum.Enum):
    """What became of a nonce."""

    REPEATED = 0
    FIRST = 1
    # First as far as Valkey knows, but it knows nothing of the time when this was signed.
    UNKNOWN = 2


def begin() -> None:
    """Have Valkey remember from now on at the latest."""
    clock_seconds, clock_micros = connections.client().time()
    since_ms = clock_seconds * 1000 + clock_micros // 1000
    connections.client().set(connections.key("nonces:since"), since_ms, nx=True)


def use(*, key_id: uuid.UUID, nonce: str, timestamp_ms: int) -> Use:
    """Use up a nonce of a key."""
    # Hashed, so that its length in Valkey does not depend on what clients invent.
    name = hashlib.sha256(f"{key_id} {nonce}".encode()).hexdigest()[:32]
    found = connections.client().eval(
        _USE,
        2,
        connections.key("nonces:since"),
        connections.key(f"nonce:{name}"),
        timestamp_ms,
        _KEPT_MS,
    )
    return Use(int(found))
