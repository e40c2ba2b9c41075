"""Bugs of halts and auctions that the net has to catch: where, what is sound, what is planted."""

from __future__ import annotations

from apps.engine import amend, auction, blocks, halts, matching, risk, snapshot

BUGS_OF_AUCTIONS = {
    "a limit state that no trade ends": (
        halts,
        "if book.phase == PHASE_LIMIT and book.traded_inside:",
        "if book.phase == PHASE_LIMIT and not book.instrument:",
    ),
    "liquidity back inside is looked for on the wrong side": (
        halts,
        "(book.asks if buys else book.bids)",
        "(book.bids if buys else book.asks)",
    ),
    "an auction prices anywhere": (
        halts,
        "book.lower_ticks <= price <= book.upper_ticks",
        "price",
    ),
    "an auction leaves as much over as it likes": (
        auction,
        "for price in (low - 1, low):",
        "for price in (low,):",
    ),
    "the highest of equal prices": (
        auction,
        "min(reference_ticks, last, highest)",
        "min(last, highest)",
    ),
    "an auction charges takers": (
        matching,
        "taker_fee_ppm=entered.maker_fee_ppm",
        "taker_fee_ppm=entered.taker_fee_ppm",
    ),
    "the older order expires in an auction": (
        auction,
        "(bid, ask) if bid.age < ask.age else (ask, bid)",
        "(ask, bid) if bid.age < ask.age else (bid, ask)",
    ),
    "a repriced order keeps its age in an auction": (
        amend,
        "order.arrived_after, order.arrived_seq = state.matcher.next_order_id - 1, state.seq",
        "pass",
    ),
    "bids do not look again when an ask has left the auction": (
        auction,
        "row and bids.end(",
        "False and bids.end(",
    ),
    "an auction in steps takes orders": (
        risk,
        'return "auction_uncrossing" if book.uncross_ticks else ""',
        'return ""',
    ),
    "an auction in steps loses its price": (
        halts,
        "PARTING if meeting.is_last else price",
        "PARTING",
    ),
    "an auction opens while the rest could trade": (
        halts,
        "if meeting.is_last and not is_crossed(book):",
        "if meeting.is_last:",
    ),
    "what an auction would trade is told once": (
        halts,
        "if indicated != book.indicated:",
        "if indicated != book.indicated and not book.indicated[0]:",
    ),
    "an auction in steps lost in the snapshot": (
        snapshot,
        "book.uncross_ticks, book.uncrossed_lots,",
        "0, book.uncrossed_lots,",
    ),
    "an auction counts only what icebergs show": (
        auction,
        "[order.remaining_lots + order.hidden_lots for",
        "[order.remaining_lots for",
    ),
    "an iceberg shows all of itself after an auction": (
        matching,
        "if order.remaining_lots > hidden_lots:\n            order.remaining_lots -= hidden_lots",
        "if order.remaining_lots > hidden_lots:\n            hidden_lots = 0",
    ),
    "copiers meet their block in an auction": (
        auction,
        "if not is_own and not (self.blocks and share_copiers(self.blocks, bid, ask)):",
        "if not is_own:",
    ),
    "a leg that leaves in an auction is counted": (
        auction,
        "lots_without(gone)",
        "lots_without([])",
    ),
    "an auction ends a block": (
        auction,
        "older if resting is None else newer)",
        "newer)",
    ),
    "a block pays as a taker in an auction": (
        blocks,
        "made = event.taker_remaining_lots, auction_trades > 0",
        "made = event.taker_remaining_lots, False",
    ),
    "a call phase lost in the snapshot": (
        snapshot,
        "if found.phase is not None:",
        "if found.phase == ():",
    ),
}
