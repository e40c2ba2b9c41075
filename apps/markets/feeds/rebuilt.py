"""A book rebuilt from snapshots, diffs and best-price messages, by their update ids.

Diffs name the updates they cover, so a missing one shows as a gap. After a gap nothing older is
believed: the book starts again from the next best-price message or snapshot, whichever is first,
and holds only what was said since. It decides nothing about time.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from typing import Final

from apps.markets.feeds.base import Level, Levels
from apps.markets.feeds.capture import Diff, Snapshot, Top

# A snapshot is fetched beside the stream and arrives late: diffs are kept to catch it up (20 s).
RECENT_DIFFS_MAX: Final = 200


class _Side:
    """Levels of one side. Keys are prices whose sign makes the best one the smallest."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._keys: list[int] = []
        self._lots: dict[int, int] = {}

    def put(self, level: Level) -> None:
        price_ticks, lots = level
        key = self._sign * price_ticks
        if lots:
            if key not in self._lots:
                insort(self._keys, key)
            self._lots[key] = lots
        elif key in self._lots:
            del self._lots[key]
            del self._keys[bisect_left(self._keys, key)]

    def clear(self) -> None:
        self._keys.clear()
        self._lots.clear()

    def cut_better(self, price_ticks: int) -> None:
        """Drop every level better than the price."""
        cut = bisect_left(self._keys, self._sign * price_ticks)
        for key in self._keys[:cut]:
            del self._lots[key]
        del self._keys[:cut]

    def best(self, count: int) -> Levels:
        return tuple((self._sign * key, self._lots[key]) for key in self._keys[:count])

    def best_under(self, top: Level, count: int) -> Levels:
        """Return the levels with ``top`` as the best one, whatever stands at or before it."""
        key = self._sign * top[0]
        start = bisect_left(self._keys, key)
        if start < len(self._keys) and self._keys[start] == key:
            start += 1
        rest = self._keys[start : start + count - 1]
        return (top, *((self._sign * key, self._lots[key]) for key in rest))


class RebuiltBook:
    """The book of one market. ``counters`` tell what was dropped and why."""

    def __init__(self, counters: Counter[str]) -> None:
        self._bids, self._asks = _Side(-1), _Side(1)
        self._recent: deque[Diff] = deque(maxlen=RECENT_DIFFS_MAX)
        self._counters = counters
        self._top: Top | None = None
        self.last_id = 0
        self.anchored = False
        self.gaps = 0

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """Start again from the snapshot and the diffs after it; one too old is left alone."""
        later = [diff for diff in self._recent if diff.last_id > snapshot.update_id]
        behind = not later and snapshot.update_id < self.last_id
        if behind or (later and later[0].first_id > snapshot.update_id + 1):
            self._counters["snapshots_too_old"] += 1
            return
        self._bids.clear()
        self._asks.clear()
        self.last_id = snapshot.update_id
        self._put_levels(snapshot.bids, snapshot.asks)
        for diff in later:
            self._put_levels(diff.bids, diff.asks)
            self.last_id = diff.last_id
        self.anchored = True
        self._counters["snapshots"] += 1
        self._refuse_crossed()

    def put_diff(self, diff: Diff) -> None:
        """Apply the diff if it continues the book; a gap empties the book first."""
        if diff.last_id <= self.last_id:
            self._counters["diffs_old"] += 1
            return
        if self.last_id and diff.first_id > self.last_id + 1:
            self._lose(diff.last_id)
        self._recent.append(diff)
        self._put_levels(diff.bids, diff.asks)
        self.last_id = diff.last_id
        self._counters["diffs"] += 1
        self._refuse_crossed()

    def put_top(self, top: Top) -> None:
        """Take the best bid and offer; they are ahead of the diffs most of the time."""
        if self._top is not None and top.update_id <= self._top.update_id:
            self._counters["tops_old"] += 1
            return
        self._counters["tops"] += 1
        if not self.anchored:
            if self._top is None:
                self._counters["resyncs_from_top"] += 1
            self._believe(top)
        self._top = top

    @property
    def ready(self) -> bool:
        """Whether the best bid and offer are known."""
        return self.anchored or self._top is not None

    def levels(self, depth: int) -> tuple[Levels, Levels]:
        """Return bids and asks, best first; nothing while the book is not ready."""
        if not self.ready:
            return (), ()
        top = self._top
        if top is not None and top.update_id > self.last_id:
            return self._bids.best_under(top.bid, depth), self._asks.best_under(top.ask, depth)
        return self._bids.best(depth), self._asks.best(depth)

    def _put_levels(self, bids: Levels, asks: Levels) -> None:
        for level in bids:
            self._bids.put(level)
        for level in asks:
            self._asks.put(level)

    def _refuse_crossed(self) -> None:
        bids, asks = self.levels(1)
        if bids and asks and bids[0][0] >= asks[0][0]:
            self._counters["crossed"] += 1
            self._lose(self.last_id)

    def _believe(self, top: Top) -> None:
        """Write best bid and offer into the book itself: no diff names them until they change."""
        self._bids.cut_better(top.bid[0])
        self._asks.cut_better(top.ask[0])
        self._put_levels((top.bid,), (top.ask,))

    def _lose(self, up_to_id: int) -> None:
        """Forget all that is not known to hold after ``up_to_id``."""
        self._bids.clear()
        self._asks.clear()
        self._recent.clear()
        if self._top is not None:
            if self._top.update_id > up_to_id:
                self._believe(self._top)
            else:
                self._top = None
        self.anchored = False
        self.gaps += 1
        self._counters["gaps"] += 1
