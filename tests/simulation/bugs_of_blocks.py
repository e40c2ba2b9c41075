"""Bugs to plant in what the engine does with blocks: module, sound piece, planted piece."""

from __future__ import annotations

import types
from typing import Final, TypeAlias

from apps.engine import allotting, block_entry, block_snapshot, blocks, control, escrow

Bugs: TypeAlias = dict[str, tuple[types.ModuleType, str, str]]

# Where blocks meet the throttle, limits and ids of other orders, in a world with all of that.
AMONG_ORDERS: Final[Bugs] = {
    "a block counts as one order": (
        block_entry,
        "min(BLOCK_WEIGHT, account.placed_orders_max)",
        "1",
    ),
    "open buys left out of a leg's position": (
        block_entry,
        "risk.position_lots(account, instrument, state.orders)",
        "account.leg_lots.get(instrument.market_id, 0)",
    ),
    "the leader's own id is free while his block lives": (
        block_entry,
        "leader.account.client_ids[command.client_order_id] = entry",
        "pass",
    ),
    "the leader's own id lost in the snapshot": (
        block_snapshot,
        "account.client_ids[found.client_order_id] = entry",
        "pass",
    ),
    "a block that was put aside is asked for again": (
        control,
        "state.allotting.pop(command.block_id, None)",
        "pass",
    ),
}

# In a world of little else.
OF_BLOCKS: Final[Bugs] = {
    "a leg's lots rounded up": (
        allotting,
        "share = pool * wanted // rest if wanted else 0\n",
        "share = min(wanted, -(-pool * wanted // rest)) if wanted else 0\n",
    ),
    "leftover lots by size, not by deficit": (
        allotting,
        "deficit = member.lots * filled - (member.given_lots + share) * size",
        "deficit = member.lots * filled",
    ),
    "the leader takes leftover lots first": (
        allotting,
        "if index or deficit >= size:",
        "if True:",
    ),
    "odd units to whoever comes first": (
        allotting,
        "for key in self.keys[:left]:",
        "for key in self.keys[::-1][:left]:",
    ),
    "made money is not split by remainders": (
        allotting,
        "made_keys.append(over * count + turn)",
        "made_keys.append(turn)",
    ),
    "a leg pays its fee on each slice anew": (
        escrow,
        "fee = self._charged_minor(member) - charged",
        "fee = fee_minor(quote, instrument.taker_fee_ppm)",
    ),
    "the reserve of a leg is not released with its fills": (
        escrow,
        "keep = min(left, self.reserve_minor(coming, leads=leads))",
        "keep = left",
    ),
    "who leaves keeps nothing of what has filled": (
        escrow,
        "owed = pool * wanted // (outside + pool) if wanted else 0",
        "owed = 0",
    ),
    "a copier trades with his own block": (
        escrow,
        "if maker.account.trade_group in coming.groups:",
        "if maker.account.trade_group in ():",
    ),
    "a copier's order meets the resting block": (
        escrow,
        "return resting is not None and taker.account.trade_group in resting.groups",
        "return False",
    ),
    "a slice is due too late": (
        blocks,
        "pause_ns = max(SLICE_NS_MIN, SLICE_NS_PER_LEG * block.live_legs)",
        "pause_ns = SLICE_NS_MIN + SLICE_NS_PER_LEG * block.live_legs",
    ),
    "a fraction of what is free, not of the holding": (
        block_entry,
        "holding_minor = balance.available_minor + balance.held_minor",
        "holding_minor = balance.available_minor",
    ),
}
