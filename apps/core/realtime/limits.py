"""How much one connection, person and address may use. Everything has a limit."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True)
class Limits:
    """The limits of live data; tests make them small."""

    frame_bytes: int = 65_536
    messages_per_second: int = 100
    messages_burst: int = 200
    subscriptions: int = 100
    calls_at_once: int = 16
    sockets_per_user: int = 20
    sockets_per_address: int = 200
    # A socket that has asked for nothing so long after it was opened is closed.
    idle_seconds: float = 5.0
    queue_frames: int = 64
    heartbeat_seconds: int = 15
    recheck_seconds: float = 3.0
    # What a topic keeps, so that who was away for a moment gets only what he missed.
    ring_messages: int = 256
    ring_bytes: int = 524_288
    linger_seconds: float = 30.0


def default_limits() -> Limits:
    return Limits(sockets_per_address=settings.LIVE_SOCKETS_PER_ADDRESS)
