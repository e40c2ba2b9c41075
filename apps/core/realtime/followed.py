"""One topic that this process follows, and who gets what of it.

Everything here happens between two awaits, so there are no races to think of; whoever awaits
something (the hub, for a snapshot) remembers ``generation`` and starts again when it has changed.
It owns the rule that nobody gets a message twice, out of order or with one missing in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from apps.core.realtime.frames import Published, stale_frame
from apps.core.realtime.limits import Limits
from apps.core.realtime.outlet import Outlet
from apps.core.realtime.topics import Match, TopicKind


class Followed:
    """State of one topic: its readers, its recent messages and how far it has come."""

    def __init__(self, name: str, kind: TopicKind, match: Match, limits: Limits) -> None:
        self.name = name
        self.kind = kind
        self.match = match
        self._limits = limits
        # Readers who get every message; those whose snapshot is ahead of the stream, with its seq;
        # those who wait for a snapshot.
        self.live: set[Outlet] = set()
        self.ahead: dict[Outlet, int] = {}
        self.waiting: set[Outlet] = set()
        self.last_seq: int | None = None
        self.generation = 0
        # Everybody needs a new snapshot, not only who is waiting.
        self.reload = False
        self.stale = False
        self.idle_since: float | None = None
        self._ring: deque[Published] = deque()
        self._ring_bytes = 0
        self._stale_frame = stale_frame(name)

    @property
    def readers(self) -> set[Outlet]:
        return self.live | self.ahead.keys() | self.waiting

    @property
    def has_readers(self) -> bool:
        return bool(self.live or self.ahead or self.waiting)

    def remove(self, outlet: Outlet) -> None:
        self.live.discard(outlet)
        self.ahead.pop(outlet, None)
        self.waiting.discard(outlet)

    def join(self, outlet: Outlet, since: int | None) -> None:
        """Give what was missed since a message, or wait for a snapshot.

        Who missed nothing gets a snapshot as well, so that he knows it. So does who missed so much
        that it would fill his queue, for which he would be closed as too slow.
        """
        self.remove(outlet)
        missed = None if since is None or self.reload or self.stale else self.after(since)
        if not missed or len(missed) > self._limits.queue_frames // 2:
            self.waiting.add(outlet)
            return
        for message in missed:
            outlet.offer(message.frame)
        self.live.add(outlet)

    def after(self, seq: int) -> list[Published] | None:
        """Return the messages after a state; None where one is missing between them and it."""
        missed = [message for message in self._ring if message.seq > seq]
        if missed:
            prev = missed[0].prev
            return missed if prev is not None and prev <= seq else None
        return None if self.last_seq is not None and self.last_seq > seq else []

    def receive(self, message: Published) -> bool:
        """Take a message in and pass it on; False says that one before it is missing."""
        if message.prev is None:
            self._start_anew(message)
            return True
        if self.last_seq is not None and message.seq <= self.last_seq:
            return True
        whole = self.last_seq is None or message.prev <= self.last_seq
        if not whole:
            self.lose()
        self._remember(message)
        if self.reload:
            return whole
        for outlet in tuple(self.live):
            outlet.offer(message.frame)
        for outlet, seq in tuple(self.ahead.items()):
            if message.seq > seq:
                del self.ahead[outlet]
                self.live.add(outlet)
                outlet.offer(message.frame)
        return True

    def lose(self) -> None:
        """Something was missed: what readers have cannot be continued without a new snapshot."""
        self.generation += 1
        self.reload = True
        self._forget_kept()
        self.last_seq = None

    def go_stale(self) -> None:
        """Tell readers that what they show may be old."""
        self.stale = True
        self.tell_stale(self.readers)

    def tell_stale(self, outlets: Iterable[Outlet]) -> None:
        for outlet in tuple(outlets):
            outlet.offer(self._stale_frame)

    def deliver(self, snapshot: Published) -> bool:
        """Give a snapshot to who needs one; False where the messages since do not reach it."""
        missed = self.after(snapshot.seq)
        if missed is None:
            return False
        outlets = self.readers if self.reload else set(self.waiting)
        is_ahead = self.last_seq is None or snapshot.seq > self.last_seq
        if self.reload or self.last_seq is None:
            # Everybody will be where the snapshot is, so the stream is as well. What is kept from
            # before it would be followed by a hole: what lies between is not taken in any more.
            if is_ahead:
                self._forget_kept()
            self.last_seq = missed[-1].seq if missed else snapshot.seq
            is_ahead = False
        self.reload = False
        for outlet in outlets:
            self.remove(outlet)
            outlet.offer(snapshot.frame)
            for message in missed:
                outlet.offer(message.frame)
            if is_ahead:
                self.ahead[outlet] = snapshot.seq
            else:
                self.live.add(outlet)
        if self.stale:
            self.tell_stale(outlets)
        return True

    def _start_anew(self, message: Published) -> None:
        self.lose()
        self.reload = False
        self.stale = False
        self.last_seq = message.seq
        outlets = self.readers
        self.ahead.clear()
        self.waiting.clear()
        self.live = outlets
        for outlet in tuple(outlets):
            outlet.offer(message.frame)

    def _remember(self, message: Published) -> None:
        self.last_seq = message.seq
        self._ring.append(message)
        self._ring_bytes += len(message.frame.payload)
        while (
            len(self._ring) > self._limits.ring_messages
            or self._ring_bytes > self._limits.ring_bytes
        ):
            self._ring_bytes -= len(self._ring.popleft().frame.payload)

    def _forget_kept(self) -> None:
        self._ring.clear()
        self._ring_bytes = 0
