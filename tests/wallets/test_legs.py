"""How events are written down: pure arithmetic, beside the engine's own postings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.engine.messages import (
    BUY,
    FEE_ACCOUNT_ID,
    SELL,
    Deposited,
    HoldSettled,
    Instrument,
    Leg,
    Rested,
    Trade,
    Transferred,
)
from apps.engine.postings import postings
from apps.wallets.rules import entry_id, reference_of, wording_of

MARKET = Instrument(1, 2, 1, 1000, 10, 1, 10**9, 0, 0, 800, 1000, 1000)
MARKETS = {1: MARKET}
AMOUNTS = st.integers(1, 10**15)
FEES = st.integers(0, 10**9)


@given(st.sampled_from([BUY, SELL]), AMOUNTS, AMOUNTS, FEES, FEES, AMOUNTS, AMOUNTS)
def test_the_legs_of_a_trade_have_their_fees_inside(
    side: int, base: int, quote: int, maker_fee: int, taker_fee: int, maker_used: int,
    taker_used: int,
) -> None:  # fmt: skip
    maker, taker = 1000, 1001
    trade = Trade(
        9, 1, side, 1, 1, base, quote, 7, maker, maker_fee, maker_used, 0, 8, taker, taker_fee,
        taker_used, 0,
    )  # fmt: skip
    buyer, seller = (taker, maker) if side == BUY else (maker, taker)
    buyer_fee, seller_fee = (taker_fee, maker_fee) if side == BUY else (maker_fee, taker_fee)

    posted = postings(trade, MARKETS)
    legs = [
        (account_id, asset_id, available_minor + held_minor, kind, fee)
        for (account_id, asset_id, available_minor, held_minor), (kind, fee) in zip(
            posted, wording_of(trade, len(posted)), strict=True
        )
    ]

    assert sorted(legs) == sorted(
        [
            (buyer, 2, base, "trade", 0),
            (seller, 2, -base, "trade", 0),
            (buyer, 1, -quote - buyer_fee, "trade", buyer_fee),
            (seller, 1, quote - seller_fee, "trade", seller_fee),
            (FEE_ACCOUNT_ID, 1, buyer_fee + seller_fee, "fee", 0),
        ]
    )


def test_every_other_movement_has_one_kind_and_no_fee() -> None:
    transferred = Transferred((Leg(1000, 1, -7), Leg(1001, 1, 3), Leg(1002, 1, 4)), "gift")

    assert wording_of(Deposited(1000, 1, 5, "wire"), 2) == [("deposit", 0)] * 2
    assert wording_of(HoldSettled(71, 1000, 1, 5), 2) == [("withdrawal", 0)] * 2
    assert wording_of(transferred, 3) == [("transfer", 0)] * 3


def test_an_entry_says_where_it_came_from() -> None:
    trade = Trade(42, 1, BUY, 100, 5, 5000, 5000, 1, 1000, 4, 5000, 0, 2, 1001, 5, 5010, 0)

    assert reference_of(trade) == "42"
    assert reference_of(Deposited(1000, 1, 5, "wire")) == "wire"
    assert reference_of(Transferred((), "gift")) == "gift"
    assert reference_of(HoldSettled(71, 1000, 1, 5)) == "71"
    assert reference_of(Rested(1, 1000, 1, BUY, 100, 5)) == ""


def test_ids_of_entries_grow_with_the_journal() -> None:
    assert entry_id(1, 0) == 1_048_576
    assert entry_id(1, 1_048_575) < entry_id(2, 0)
