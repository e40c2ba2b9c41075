"""Which legs events make: pure arithmetic, held against the engine's own postings."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from apps.engine.messages import (
    BUY,
    SELL,
    AnyEvent,
    Closed,
    Deposited,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    Instrument,
    Leg,
    Rested,
    Trade,
    Transferred,
    postings,
)
from apps.wallets.rules import entry_id, legs_of, reference_of

MARKET = Instrument(1, 2, 1, 1000, 10, 1, 10**9, 0, 0, 800, 1000, 1000)
MARKETS = {1: MARKET}
AMOUNTS = st.integers(1, 10**15)
ACCOUNTS = st.integers(1000, 1005)


@st.composite
def trades(draw: st.DrawFn) -> Trade:
    maker, taker = draw(st.lists(ACCOUNTS, min_size=2, max_size=2, unique=True))
    fees = st.integers(0, 10**9)
    return Trade(
        draw(st.integers(1, 10**9)), 1, draw(st.sampled_from([BUY, SELL])), draw(AMOUNTS),
        draw(AMOUNTS), draw(AMOUNTS), draw(AMOUNTS),
        7, maker, draw(fees), draw(AMOUNTS), 0, 8, taker, draw(fees), draw(AMOUNTS), 0,
    )  # fmt: skip


@st.composite
def transfers(draw: st.DrawFn) -> Transferred:
    amounts = draw(st.lists(AMOUNTS, min_size=1, max_size=4))
    legs = [Leg(draw(ACCOUNTS), 1, amount) for amount in amounts]
    return Transferred((*legs, Leg(999, 1, -sum(amounts))), "why")


EVENTS = st.one_of(
    trades(),
    transfers(),
    st.builds(Deposited, ACCOUNTS, st.just(1), AMOUNTS, st.just("ref")),
    st.builds(HoldPlaced, st.just(1), ACCOUNTS, st.just(1), AMOUNTS),
    st.builds(HoldReleased, st.just(1), ACCOUNTS, st.just(1), AMOUNTS),
    st.builds(HoldSettled, st.just(1), ACCOUNTS, st.just(1), AMOUNTS),
    st.builds(Closed, st.just(1), ACCOUNTS, st.just(1), st.sampled_from([BUY, SELL]), st.just(2),
              st.just("user"), AMOUNTS, st.just(0), st.just(0)),
)  # fmt: skip


@given(EVENTS)
def test_legs_sum_to_zero_and_to_what_the_postings_say(event: AnyEvent) -> None:
    by_asset: dict[int, int] = defaultdict(int)
    by_account: dict[tuple[int, int], int] = defaultdict(int)
    for account_id, asset_id, amount_minor, _ in legs_of(event, MARKETS):
        assert amount_minor != 0
        by_asset[asset_id] += amount_minor
        by_account[account_id, asset_id] += amount_minor

    posted: dict[tuple[int, int], int] = defaultdict(int)
    for posting in postings(event, MARKETS):
        posted[posting.account_id, posting.asset_id] += posting.available_minor
        posted[posting.account_id, posting.asset_id] += posting.held_minor

    assert set(by_asset.values()) <= {0}
    assert {key: value for key, value in by_account.items() if value} == {
        key: value for key, value in posted.items() if value
    }


def test_a_trade_names_price_and_fees_apart() -> None:
    trade = Trade(42, 1, BUY, 100, 5, 5000, 5000, 1, 1000, 4, 5000, 0, 2, 1001, 5, 5010, 0)

    assert legs_of(trade, MARKETS) == [
        (1001, 2, 5000, "trade"),
        (1000, 2, -5000, "trade"),
        (1001, 1, -5000, "trade"),
        (1000, 1, 5000, "trade"),
        (1000, 1, -4, "fee"),
        (1001, 1, -5, "fee"),
        (2, 1, 9, "fee"),
    ]
    assert reference_of(trade) == "42"


def test_holds_move_nothing_between_accounts() -> None:
    assert legs_of(HoldPlaced(1, 1000, 1, 5), MARKETS) == []
    assert legs_of(Rested(1, 1000, 1, BUY, 100, 5), MARKETS) == []
    assert reference_of(Rested(1, 1000, 1, BUY, 100, 5)) == ""


def test_ids_of_entries_grow_with_the_journal() -> None:
    assert entry_id(1, 0) == 1_048_576
    assert entry_id(1, 1_048_575) < entry_id(2, 0)
