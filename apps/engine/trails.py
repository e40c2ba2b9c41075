"""Active trailing stops of one side of a market: what each has seen, and whom a price crosses.

Each trails the best price since it became active. One that became active earlier has seen all that
a later one has seen, so its best price is at least as good: in the order in which they became
active the best prices only get worse. Those with the same best price make a run. A better price
joins the runs at the end into one, whatever the distances of their orders, and touches no order.
"""

from __future__ import annotations

from bisect import bisect_right
from heapq import heapify, heappop, heappush
from typing import Final

from apps.engine.messages import AMOUNT_MAX
from apps.engine.rates import trail_distance_ticks

# Below every key of a stop.
NOT_FILED: Final = -AMOUNT_MAX - 1
# How many entries that mean nothing any more may lie about before they are cleared away.
DEAD_MAX: Final = 16

Waiting = list[tuple[int, int]]


class Run:
    """Orders with the same best price. ``start`` is the number of the first of them.

    Keys are prices times the sign of the side. The nearest order comes first of those that keep a
    distance in ticks, and of those that keep one in basis points; the entries are (distance,
    number), and who has left is still among them. ``live`` counts who has not.
    """

    __slots__ = ("by_bps", "by_ticks", "filed_key", "key", "live", "start")

    def __init__(self, key: int, start: int) -> None:
        self.key = key
        self.start = start
        self.live = 0
        self.filed_key = NOT_FILED
        self.by_ticks: Waiting = []
        self.by_bps: Waiting = []

    def join(self, earlier: Run) -> Run:
        """Both as one, which costs no more than the smaller of them."""
        large, small = self, earlier
        if len(small.by_ticks) + len(small.by_bps) > len(large.by_ticks) + len(large.by_bps):
            large, small = small, large
        for entry in small.by_ticks:
            heappush(large.by_ticks, entry)
        for entry in small.by_bps:
            heappush(large.by_bps, entry)
        large.live += small.live
        large.start = earlier.start
        return large


class Trails:
    """``sign`` is 1 for sells, -1 for buys. ``runs`` begin with who has been active for longest.

    ``nearest`` finds the run whose stop is the first to be crossed: its entries are (negated key
    of that stop, start of the run), and one that its run does not answer to any more is passed
    over. Orders are known by the number in which they became active.
    """

    __slots__ = ("nearest", "next_number", "number_of", "order_id_of", "runs", "sign", "starts")

    def __init__(self, sign: int) -> None:
        self.sign = sign
        self.runs: list[Run] = []
        self.starts: list[int] = []
        self.nearest: Waiting = []
        self.next_number = 0
        self.number_of: dict[int, int] = {}
        self.order_id_of: dict[int, int] = {}

    def add(self, order_id: int, best_ticks: int, trail_ticks: int, trail_bps: int) -> None:
        """Whoever is here already has seen a price that is at least as good."""
        number = self.next_number
        self.next_number = number + 1
        self.number_of[order_id] = number
        self.order_id_of[number] = order_id
        key = best_ticks * self.sign
        if not self.runs or self.runs[-1].key != key:
            self.runs.append(Run(key, number))
            self.starts.append(number)
        self.runs[-1].live += 1
        self.wait(order_id, trail_ticks, trail_bps)

    def wait(self, order_id: int, trail_ticks: int, trail_bps: int) -> None:
        """Lets an order be found by ``crossed``, which finds it once."""
        number = self.number_of[order_id]
        run = self.runs[self._row(number)]
        if trail_ticks:
            heappush(run.by_ticks, (trail_ticks, number))
        else:
            heappush(run.by_bps, (trail_bps, number))
        self._file(run)

    def remove(self, order_id: int) -> None:
        number = self.number_of.pop(order_id)
        del self.order_id_of[number]
        row = self._row(number)
        run = self.runs[row]
        run.live -= 1
        if not run.live:
            del self.runs[row]
            del self.starts[row]
        elif len(run.by_ticks) + len(run.by_bps) > 2 * run.live + DEAD_MAX:
            run.by_ticks = self._still_here(run.by_ticks)
            run.by_bps = self._still_here(run.by_bps)

    def see(self, last_ticks: int) -> None:
        """The price that has just been traded at."""
        key = last_ticks * self.sign
        runs = self.runs
        if not runs or runs[-1].key >= key:
            return
        run = runs.pop()
        while runs and runs[-1].key <= key:
            run = run.join(runs.pop())
            self.starts.pop()
        self.starts[-1] = run.start
        runs.append(run)
        run.key = key
        run.filed_key = NOT_FILED
        self._file(run)

    def best_ticks(self, order_id: int) -> int:
        return self.runs[self._row(self.number_of[order_id])].key * self.sign

    def crossed(self, last_ticks: int) -> list[int]:
        """Ids of the orders whose stop a price has crossed, except who was found before."""
        key = last_ticks * self.sign
        nearest = self.nearest
        order_ids: list[int] = []
        while nearest and -nearest[0][0] >= key:
            negated_key, start = heappop(nearest)
            row = self._row(start)
            if row < 0 or self.starts[row] != start or self.runs[row].filed_key != -negated_key:
                continue
            run = self.runs[row]
            while run.by_ticks and run.key - run.by_ticks[0][0] >= key:
                self._take(run.by_ticks, order_ids)
            while run.by_bps and self._bps_stop_key(run) >= key:
                self._take(run.by_bps, order_ids)
            run.filed_key = NOT_FILED
            self._file(run)
        return order_ids

    def _row(self, number: int) -> int:
        return bisect_right(self.starts, number) - 1

    def _take(self, waiting: Waiting, order_ids: list[int]) -> None:
        order_id = self.order_id_of.get(heappop(waiting)[1])
        if order_id is not None:
            order_ids.append(order_id)

    def _still_here(self, waiting: Waiting) -> Waiting:
        here = [entry for entry in waiting if entry[1] in self.order_id_of]
        heapify(here)
        return here

    def _bps_stop_key(self, run: Run) -> int:
        return run.key - trail_distance_ticks(run.key * self.sign, 0, run.by_bps[0][0])

    def _file(self, run: Run) -> None:
        """Lets the nearest stop of a run be found. It is never nearer than it is filed."""
        stop_key = NOT_FILED
        if run.by_ticks:
            stop_key = run.key - run.by_ticks[0][0]
        if run.by_bps:
            stop_key = max(stop_key, self._bps_stop_key(run))
        if stop_key <= run.filed_key:
            return
        run.filed_key = stop_key
        heappush(self.nearest, (-stop_key, run.start))
        if len(self.nearest) > 2 * len(self.runs) + DEAD_MAX:
            self.nearest = [(-run.filed_key, run.start) for run in self.runs]
            heapify(self.nearest)
