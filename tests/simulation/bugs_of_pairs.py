"""Planted bugs of orders that belong together: pairs, and purchases with their exits."""

from __future__ import annotations

import types

from apps.engine import amend, brackets, entry, matching, pairs, snapshot

OF_PAIRS: dict[str, tuple[types.ModuleType, str, str]] = {
    "what fills of a pair stays on its stop": (
        pairs,
        "shrink(other, lots, lots, PAIR, events)",
        "pass",
    ),
    "a filled order leaves the other of its pair alive": (
        pairs,
        "self._end_tied(self.ties.pop(order_id), book, events)",
        "self.ties.pop(order_id)",
    ),
    "a stop takes over no hold": (
        pairs,
        "            stop.hold_minor = hold_minor",
        "            stop.hold_minor = 0",
    ),
    "a purchase goes on without protection": (
        pairs,
        "self.unprotected[ties.entry_id] = book",
        "pass",
    ),
    "the market need not be between the orders of a pair": (
        pairs,
        "price_ticks < stop_ticks if limit_terms.side == BUY else price_ticks > stop_ticks",
        "price_ticks > 0",
    ),
    "a pair holds for its limit order alone": (
        entry,
        "hold_minor = max(needed_minor, stop_needed_minor)",
        "hold_minor = needed_minor",
    ),
    "a fill gives back what the stop of its pair needs": (
        matching,
        "worst = self.pair_hold_minor(buyer, worst)",
        "pass",
    ),
    "an amended stop of a pair is not paid for": (
        amend,
        "state.matcher.balance_hold(order, events)",
        "pass",
    ),
    "exits do not grow": (
        brackets,
        "enumerate(ties.exit_ids)",
        "enumerate(ties.exit_ids[:0])",
    ),
    "a purchase sees its exits before its last fill": (
        brackets,
        "        if entry.order_id not in self.orders:\n            del self.ties[entry.order_id]",
        "        del self.ties[entry.order_id]",
    ),
    "an exit that is crossed already waits on": (
        matching,
        "                    watch.add(stop)",
        "                    pass",
    ),
    "the other order of a pair lost in the snapshot": (
        snapshot,
        "Ties(found.pair_order_id, found.parent_order_id)",
        "Ties(0, found.parent_order_id)",
    ),
    "the exits of a purchase lost in the snapshot": (
        snapshot,
        "ties[found.parent_order_id].exit_ids.append(order.order_id)",
        "pass",
    ),
}
