"""Bugs to plant in orders that wait for the last price: module, sound piece, planted piece."""

from __future__ import annotations

import types
from typing import Final

from apps.engine import rates, snapshot, trails, triggers

OF_TRIGGERS: Final[dict[str, tuple[types.ModuleType, str, str]]] = {
    "stops wake in no order": (
        triggers,
        "            heappush(self.due, order_id)\n",
        "            self.due.append(order_id)\n",
    ),
    "stops are not asked again after a trade": (
        triggers,
        "if book.last_ticks != self.last_ticks:",
        "if not self.last_ticks:",
    ),
    "stops at the very last price are left out": (
        triggers,
        "for order_id in side.between(key, gathered_key):",
        "for order_id in side.between(key + 1, gathered_key):",
    ),
    "take-profits wake as stops do": (
        triggers,
        "takes_profit = terms.order_type in (TAKE_PROFIT, TAKE_PROFIT_LIMIT, TRAILING_STOP)",
        "takes_profit = terms.order_type == TRAILING_STOP",
    ),
    "a trailing stop does not follow": (
        triggers,
        "        book.trailing_sells.see(last)\n",
        "",
    ),
    "a trailing stop forgets what it has seen when another one comes": (
        trails,
        "if not self.runs or self.runs[-1].key != key:",
        "if self.runs:\n            self.runs[-1].key = key\n        else:",
    ),
    "trailing stops whose best price becomes one lose each other": (
        trails,
        "        for entry in small.by_ticks:\n            heappush(large.by_ticks, entry)\n",
        "",
    ),
    "a better price leaves the nearest stop where it was": (
        trails,
        "        run.key = key\n        run.filed_key = NOT_FILED\n        self._file(run)\n",
        "        run.key = key\n        run.filed_key = AMOUNT_MAX\n        self._file(run)\n",
    ),
    "a trailing stop that the price has come back from is forgotten": (
        triggers,
        "                trails.wait(order.order_id, *_distance(order.terms))\n",
        "                pass\n",
    ),
    "a trailing stop trades anywhere": (
        triggers,
        "order.price_ticks = bound(order.price_ticks, worst)",
        "pass",
    ),
    "a distance in basis points is rounded up": (
        rates,
        "max(1, best_ticks * trail_bps // BPS)",
        "max(1, -(-best_ticks * trail_bps // BPS))",
    ),
    "a trailing stop's best price is lost in the snapshot": (
        snapshot,
        "0 if trails is None else trails.best_ticks(order.order_id),",
        "0 if trails is None else state.books[order.terms.market_id].last_ticks,",
    ),
}
