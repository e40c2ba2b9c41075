"""The contract itself: what is on the wire stays readable, and postings are what events mean."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from apps.engine.messages import (
    BUY,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    SELL,
    Accepted,
    Amended,
    AnyCommand,
    AnyEvent,
    BlockLeg,
    Closed,
    Deposited,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    Instrument,
    Leg,
    LegEntered,
    LegFill,
    LegLeftOut,
    LegReleased,
    Limits,
    Rejected,
    Rested,
    Special,
    Terms,
    Trade,
    Transferred,
)
from apps.engine.postings import Posting, postings

# Fields are only ever appended and a tag is never used again: this list only grows.
COMMANDS = {
    1: "OpenAccount command_id valid_until_ns account_id trade_group limits",
    2: "SetAccount command_id valid_until_ns account_id state trade_group limits keeps_state",
    3: "ListInstrument command_id valid_until_ns instrument",
    4: "SetInstrument command_id valid_until_ns instrument",
    5: "Deposit command_id valid_until_ns account_id asset_id amount_minor reference",
    6: "Hold command_id valid_until_ns account_id asset_id amount_minor hold_id",
    7: "Settle command_id valid_until_ns hold_id",
    8: "Release command_id valid_until_ns hold_id",
    9: "Transfer command_id valid_until_ns legs reference",
    10: "Place command_id valid_until_ns account_id client_order_id terms",
    11: "Cancel command_id valid_until_ns account_id order_id client_order_id",
    12: "CancelAll command_id valid_until_ns account_id market_id side reduce_only",
    13: "Tick command_id valid_until_ns",
    14: "SetReference command_id valid_until_ns market_id price_ticks",
    15: "SetRules command_id valid_until_ns rules_version",
    16: "SetVenue command_id valid_until_ns state",
    17: "Malformed command_id valid_until_ns raw",
    18: "Quarantined command_id valid_until_ns raw error block_id",
    19: "PlacePair command_id valid_until_ns account_id client_order_id terms stop_terms",
    20: "Amend command_id valid_until_ns account_id order_id client_order_id quantity_lots"
    " price_ticks stop_ticks",
    21: "Replace command_id valid_until_ns account_id client_order_id terms replaced_id"
    " replaced_client_id",
    22: "Kill command_id valid_until_ns scope target_id",
    23: "CancelAllAfter command_id valid_until_ns account_id timeout_ms",
    24: "CallAuction command_id valid_until_ns market_id seconds step_orders",
    25: "ReopenMarket command_id valid_until_ns market_id",
    28: "OpenBlock command_id valid_until_ns block_id account_id client_order_id terms"
    " fraction_ppm cap_ticks",
    29: "AddLegs command_id valid_until_ns block_id legs",
    30: "SubmitBlock command_id valid_until_ns block_id",
    31: "Allot command_id valid_until_ns block_id legs",
    32: "RemoveLegs command_id valid_until_ns block_id account_ids reason",
    33: "AmendBlock command_id valid_until_ns block_id account_id quantity_lots price_ticks",
}
EVENTS = {
    1: "AccountOpened account_id trade_group limits",
    2: "AccountSet account_id state trade_group limits",
    3: "InstrumentListed instrument",
    4: "InstrumentSet instrument",
    5: "Deposited account_id asset_id amount_minor reference",
    6: "HoldPlaced hold_id account_id asset_id amount_minor",
    7: "HoldSettled hold_id account_id asset_id amount_minor",
    8: "HoldReleased hold_id account_id asset_id amount_minor",
    9: "Transferred legs reference",
    10: "Accepted order_id account_id client_order_id terms hold_asset_id hold_minor"
    " maker_fee_ppm taker_fee_ppm pair_order_id parent_order_id",
    11: "Rested order_id account_id market_id side price_ticks quantity_lots",
    12: "Triggered order_id account_id market_id hold_minor pair_order_id",
    13: "Trade trade_id market_id taker_side price_ticks quantity_lots base_minor quote_minor"
    " maker_order_id maker_account_id maker_fee_minor maker_hold_used_minor maker_remaining_lots"
    " taker_order_id taker_account_id taker_fee_minor taker_hold_used_minor taker_remaining_lots",
    14: "Closed order_id account_id market_id side status reason released_minor price_ticks"
    " book_lots",
    15: "Prevented market_id maker_order_id taker_order_id self_trade",
    16: "Rejected reason account_id client_order_id",
    17: "Duplicate original_seq order_id",
    18: "ReferenceSet market_id price_ticks",
    19: "RulesSet rules_version",
    20: "VenueSet state",
    21: "Amended order_id account_id market_id side terms price_ticks remaining_lots hold_minor"
    " hold_change_minor book_price_ticks book_lots reason",
    26: "CancelAfterSet account_id due_ns",
    27: "PhaseChanged market_id phase until_ns reason",
    28: "Uncrossed market_id price_ticks quantity_lots trade_count left auction_lots",
    29: "Indicated market_id price_ticks quantity_lots surplus_lots",
    32: "BlockOpened block_id account_id client_order_id terms worst_ticks maker_fee_ppm"
    " taker_fee_ppm",
    33: "LegsAdded block_id market_id side legs left_out client_order_id terms",
    34: "SliceCut block_id market_id slice_number lots quote_minor made_minor",
    35: "Allotted block_id market_id side slice_number first_trade_id fills tick_lot_minor",
    36: "LegsReleased block_id market_id side legs",
    37: "BlockEnded block_id market_id status reason",
    38: "BlockClosed block_id market_id",
}
PARTS = {
    Terms: "market_id side order_type time_in_force quantity_lots quote_minor price_ticks"
    " stop_ticks expires_at_ns post_only self_trade special",
    Special: "display_lots trail_ticks trail_bps take_profit_ticks stop_loss_ticks"
    " stop_loss_limit_ticks",
    Instrument: "market_id base_asset_id quote_asset_id lot_minor tick_lot_minor"
    " min_quantity_lots max_quantity_lots min_notional_minor max_notional_minor maker_fee_ppm"
    " taker_fee_ppm band_bps state max_position_lots symbol limit_state_seconds halt_seconds",
    BlockLeg: "account_id lots fraction_ppm cap_ticks",
    LegEntered: "order_id account_id lots hold_minor",
    LegLeftOut: "account_id reason",
    LegFill: "order_id account_id lots base_minor quote_minor made_minor fee_minor released_minor"
    " remaining_lots reserved_minor",
    LegReleased: "order_id account_id status reason released_minor owed_lots",
    Limits: "max_open_orders orders_per_second repeated_orders_per_second below_minimums"
    " max_order_notional_minor notional_asset_id",
    Leg: "account_id asset_id amount_minor",
}


@pytest.mark.parametrize(("union", "told"), [(AnyCommand, COMMANDS), (AnyEvent, EVENTS)])
def test_tags_and_fields_on_the_wire_only_grow(union: object, told: dict[int, str]) -> None:
    found = {
        kind.__struct_config__.tag: f"{kind.__name__} {' '.join(kind.__struct_fields__)}"
        for kind in get_args(union)
    }

    assert found == told


def test_parts_of_messages_only_grow() -> None:
    found = {part: " ".join(part.__struct_fields__) for part in PARTS}

    assert found == PARTS


def test_a_message_of_an_older_version_is_still_read() -> None:
    old_limits = msgspec.msgpack.encode([200, 50])
    old_rejection = msgspec.msgpack.encode([16, "rate_limit"])

    assert msgspec.msgpack.decode(old_limits, type=Limits) == Limits(200, 50, 10, False)
    assert msgspec.msgpack.decode(old_rejection, type=AnyEvent) == Rejected("rate_limit")


MARKET = Instrument(4, 2, 1, 10, 3, 1, 0, 0, 0, 0, 0, 1_000)
TERMS = Terms(4, BUY, 1, 1, 5, price_ticks=7)


def sale(taker_side: int) -> Trade:
    return Trade(1, 4, taker_side, 7, 5, 50, 105, 11, 1_000, 2, 108, 0, 12, 1_001, 3, 50, 0)


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Accepted(1, 1_000, "a", TERMS, 1, 108, 0, 0), [(1_000, 1, -108, 108)]),
        (Closed(1, 1_000, 4, BUY, 2, "user", 8, 7, 5), [(1_000, 1, 8, -8)]),
        (Closed(1, 1_000, 4, SELL, 2, "user", 8, 7, 5), [(1_000, 2, 8, -8)]),
        (Closed(1, 1_000, 4, SELL, 1, "budget", 0, 0, 0), []),
        (Amended(1, 1_000, 4, BUY, TERMS, 7, 5, 108, 8, 0, 0, "user"), [(1_000, 1, -8, 8)]),
        (Amended(1, 1_000, 4, SELL, TERMS, 7, 5, 40, -8, 7, 1, "user"), [(1_000, 2, 8, -8)]),
        (Amended(1, 1_000, 4, SELL, TERMS, 7, 5, 40, 0, 7, 1, "self_trade"), []),
        (
            Deposited(1_000, 1, 9, ""),
            [(1_000, 1, 9, 0), (EXTERNAL_ACCOUNT_ID, 1, -9, 0)],
        ),
        (HoldPlaced(3, 1_000, 1, 9), [(1_000, 1, -9, 9)]),
        (HoldReleased(3, 1_000, 1, 9), [(1_000, 1, 9, -9)]),
        (
            HoldSettled(3, 1_000, 1, 9),
            [(1_000, 1, 0, -9), (EXTERNAL_ACCOUNT_ID, 1, 9, 0)],
        ),
        (
            Transferred((Leg(1_000, 1, -4), Leg(1_001, 1, 4)), ""),
            [(1_000, 1, -4, 0), (1_001, 1, 4, 0)],
        ),
        (Rested(1, 1_000, 4, BUY, 7, 5), []),
        (
            # The seller takes; the maker bought and had reserved 108 for 105 and a fee of 2.
            sale(SELL),
            [
                (1_000, 1, 1, -108),
                (1_000, 2, 50, 0),
                (1_001, 2, 0, -50),
                (1_001, 1, 102, 0),
                (FEE_ACCOUNT_ID, 1, 5, 0),
            ],
        ),
    ],
)
def test_postings_say_what_an_event_moves(event: AnyEvent, expected: list[Posting]) -> None:
    found = postings(event, {4: MARKET})

    assert found == expected
