"""The live data of one web process: one subscription to Valkey, every local socket, nothing twice.

It subscribes first, then fetches a snapshot, and joins the two by sequence number. It trusts no
stream that shows a gap: everybody on that topic gets a new snapshot. While Valkey, or the publisher
of a topic, is away, readers are told that what they see may be old.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any, Final

import redis

from apps.core import web
from apps.core.errors import DomainError, TooMany, Unavailable
from apps.core.realtime import identity, threads
from apps.core.realtime.connections import asyncio_client, key
from apps.core.realtime.feed import Feed, cancel_all
from apps.core.realtime.followed import Followed
from apps.core.realtime.frames import Frame, Published, frame, read_head
from apps.core.realtime.identity import Identity
from apps.core.realtime.limits import Limits
from apps.core.realtime.outlet import Outlet
from apps.core.realtime.publish import (
    CHANNEL_PREFIX,
    SOURCE_PREFIX,
    snapshot_key,
    snapshot_text,
)
from apps.core.realtime.topics import Match, TopicKind

logger = logging.getLogger(__name__)

CLOSE_SIGNED_OUT: Final = 4401
CLOSE_LIMITED: Final = 4429
RETRY_FIRST_SECONDS: Final = 0.02
RETRY_MAX_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 1.0


class Hub:
    """Belongs to one event loop. ``start`` it once, ``close`` it at the end."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.gaps = 0
        self._prefix = key(CHANNEL_PREFIX)
        self._client = asyncio_client()
        self._feed = Feed(
            self._client,
            on_message=self._on_message,
            on_followed=self._on_followed,
            on_lost=self._on_lost,
        )
        self._topics: dict[str, Followed] = {}
        self._confirmed: set[str] = set()
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._outlets: dict[Outlet, Identity | None] = {}
        self._people: Counter[int] = Counter()
        self._addresses: Counter[str] = Counter()

    def start(self) -> None:
        self._spawn(self._feed.run())
        self._spawn(self._sweep())
        self._spawn(self._recheck())

    async def close(self) -> None:
        for outlet in tuple(self._outlets):
            outlet.close(1012, "restart")
        await cancel_all([*self._tasks, *self._loads.values()])
        await self._client.aclose()

    # Sockets.

    def enter(self, outlet: Outlet, address: str) -> bool:
        """Take a socket in; False says that its address has too many already."""
        self._outlets[outlet] = None
        self._addresses[address] += 1
        return self._addresses[address] <= self.limits.sockets_per_address

    def identify(self, outlet: Outlet, who: Identity) -> None:
        """Say whose socket it is. One too many of a person is refused."""
        if self._people[who.user.pk] >= self.limits.sockets_per_user:
            raise TooMany("too_many_sockets", "You have too many connections open.")
        self._people[who.user.pk] += 1
        self._outlets[outlet] = who

    def leave(self, outlet: Outlet, address: str, topics: Iterable[str]) -> None:
        who = self._outlets.pop(outlet, None)
        if who is not None:
            _count_down(self._people, who.user.pk)
        _count_down(self._addresses, address)
        for topic in topics:
            self.unsubscribe(outlet, topic)

    @property
    def sockets(self) -> int:
        return len(self._outlets)

    # Topics.

    def is_followed(self, topic: str) -> bool:
        return topic in self._topics

    def subscribe(
        self, outlet: Outlet, topic: str, kind: TopicKind, match: Match, since: int | None
    ) -> None:
        """Give a topic to a socket that may read it."""
        followed = self._topics.get(topic)
        if followed is None:
            followed = self._topics[topic] = Followed(topic, kind, match, self.limits)
            self._feed.follow(self._prefix + topic)
        followed.idle_since = None
        followed.join(outlet, since)
        if followed.stale:
            followed.tell_stale([outlet])
        self._load(followed)

    def unsubscribe(self, outlet: Outlet, topic: str) -> None:
        if topic in self._topics:
            self._topics[topic].remove(outlet)

    def _on_message(self, channel: str, payload: bytes) -> None:
        message = read_head(payload)
        followed = self._topics.get(channel.removeprefix(self._prefix))
        if followed is None:
            return
        if message is None or message.topic != followed.name:
            logger.error("Not a live message on %s: %r", channel, payload[:80])
            return
        if not followed.receive(message):
            self.gaps += 1
            logger.warning("A live message is missing on %s before %d.", channel, message.seq)
            self._load(followed)

    def _on_followed(self, channel: str) -> None:
        topic = channel.removeprefix(self._prefix)
        followed = self._topics.get(topic)
        if followed is None:
            return
        self._confirmed.add(topic)
        if followed.stale:
            self._renew(followed)
        self._load(followed)

    def _on_lost(self) -> None:
        self._confirmed.clear()
        for followed in self._topics.values():
            followed.lose()
            followed.go_stale()

    def _renew(self, followed: Followed) -> None:
        """The data can be believed again; give everybody a new snapshot."""
        followed.stale = False
        followed.lose()
        self._load(followed)

    # Snapshots.

    def _load(self, followed: Followed) -> None:
        """See that whoever needs a snapshot gets one. One task per topic, whoever asks."""
        if followed.name in self._loads or not self._can_load(followed):
            return
        task = asyncio.create_task(self._run_load(followed))
        self._loads[followed.name] = task
        task.add_done_callback(lambda _: self._loaded(followed.name))

    def _loaded(self, topic: str) -> None:
        del self._loads[topic]
        if topic in self._topics:
            self._load(self._topics[topic])

    def _can_load(self, followed: Followed) -> bool:
        is_needed = followed.waiting or (followed.reload and followed.has_readers)
        return bool(is_needed) and followed.name in self._confirmed

    async def _run_load(self, followed: Followed) -> None:
        pause_seconds = RETRY_FIRST_SECONDS
        told: set[Outlet] = set()
        while self._can_load(followed):
            generation = followed.generation
            try:
                snapshot = await self._fetch(followed)
            except Unavailable:
                snapshot = None
            except DomainError as error:
                self._refuse(followed, error)
                return
            except Exception:
                # Whatever broke (database, Valkey, the app's own code): the readers keep what they
                # have, are told that it is old, and it is tried again.
                logger.exception("No snapshot of %s", followed.name)
                snapshot = None
            if generation != followed.generation:
                continue
            if snapshot is None:
                untold = (followed.readers if followed.reload else followed.waiting) - told
                followed.tell_stale(untold)
                told |= untold
            elif followed.deliver(snapshot):
                pause_seconds = RETRY_FIRST_SECONDS
                continue
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(RETRY_MAX_SECONDS, pause_seconds * 2)

    async def _fetch(self, followed: Followed) -> Published | None:
        if followed.kind.snapshot is None:
            stored = await self._client.get(snapshot_key(followed.name))
            return read_head(stored) if isinstance(stored, bytes) else None
        seq, data = await threads.reads.run(followed.kind.snapshot, followed.match)
        text = snapshot_text(followed.name, seq, data)
        return Published(followed.name, seq, None, Frame(text.encode()))

    def _refuse(self, followed: Followed, error: DomainError) -> None:
        refusal = frame({"op": "error", "topic": followed.name, **web.socket_error(error)})
        followed.reload = False
        for outlet in followed.readers:
            followed.remove(outlet)
            outlet.offer(refusal)

    # What is looked after regularly.

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._drop_idle_topics()
            if not self._feed.connected:
                # Those who came while Valkey was away have not been told yet.
                for followed in self._topics.values():
                    if not followed.stale:
                        followed.go_stale()
                continue
            try:
                await self._watch_sources()
            except redis.RedisError as error:
                logger.debug("Publishers cannot be watched: %s", error)

    def _drop_idle_topics(self) -> None:
        now = time.monotonic()
        for followed in tuple(self._topics.values()):
            if followed.has_readers:
                followed.idle_since = None
            elif followed.idle_since is None:
                followed.idle_since = now
            elif now - followed.idle_since > self.limits.linger_seconds:
                del self._topics[followed.name]
                self._confirmed.discard(followed.name)
                self._feed.unfollow(self._prefix + followed.name)

    async def _watch_sources(self) -> None:
        """Topics whose publisher has no heartbeat are stale, however fresh they look."""
        sources = sorted({topic.kind.source for topic in self._topics.values()} - {""})
        if not sources:
            return
        beats = await self._client.mget([key(SOURCE_PREFIX + source) for source in sources])
        alive = {source for source, beat in zip(sources, beats, strict=True) if beat is not None}
        for followed in tuple(self._topics.values()):
            if followed.kind.source not in sources or followed.name not in self._confirmed:
                continue
            if followed.kind.source not in alive and not followed.stale:
                followed.go_stale()
            elif followed.kind.source in alive and followed.stale:
                self._renew(followed)

    async def _recheck(self) -> None:
        """Close the sockets of sessions that have ended."""
        while True:
            await asyncio.sleep(self.limits.recheck_seconds)
            known = {who: outlet for outlet, who in self._outlets.items() if who is not None}
            if not known:
                continue
            try:
                ended = await threads.reads.run(identity.ended, known)
            except Exception:
                # Without the database nobody can be asked about. Sockets stay; calls fail anyway.
                logger.exception("Sessions cannot be checked.")
                continue
            for who in ended:
                known[who].close(CLOSE_SIGNED_OUT, "signed out")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.critical("A task of the hub has failed.", exc_info=task.exception())


def _count_down(counter: Counter[Any], name: object) -> None:
    counter[name] -= 1
    if counter[name] <= 0:
        del counter[name]


_current: tuple[asyncio.AbstractEventLoop, Hub] | None = None


def hub_of_this_loop(limits: Limits) -> Hub:
    """Return the hub of the running event loop, started with its first socket."""
    global _current
    loop = asyncio.get_running_loop()
    if _current is None or _current[0] is not loop:
        hub = Hub(limits)
        hub.start()
        _current = (loop, hub)
    return _current[1]


async def close_hub() -> None:
    """Close every socket of this process and let go of Valkey."""
    global _current
    if _current is not None:
        _, hub = _current
        _current = None
        await hub.close()
