"""Positions as arithmetic: worked sums, and laws that hold for any history to the minor unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.trades.positions import (
    TRANSFER,
    VALUED,
    Lots,
    Market,
    Moved,
    Positions,
    average_cost_minor,
)

BTC, ETH, USDT = 2, 3, 1
# One lot of BTC is 1,000 minor units and costs ticks x 10 minor units of USDT.
ETH_BTC = Market(ETH, BTC, 100_000, 1)
MARKETS = {1: Market(BTC, USDT, 1000, 10), 2: Market(ETH, USDT, 100, 1), 6: ETH_BTC}
ADA, BOB, HOUSE = 1000, 1001, 10
ONE_BTC, ONE_USDT = 10**8, 10**8
AT_60000 = 6_000_000


def empty() -> Positions:
    positions = Positions()
    positions.markets.update(MARKETS)
    return positions


def bought(
    positions: Positions, lots: int, price: int, buyer: int = ADA, seller: int = HOUSE, fee: int = 0
) -> None:
    positions.trade(1, price, lots * 1000, lots * price * 10, (buyer, fee), (seller, fee))


def figures(positions: Positions, account: int = ADA, asset: int = BTC) -> tuple[int, ...]:
    return positions.held[account, asset].figures()


def test_buying_twice_averages_and_selling_realises_the_difference() -> None:
    positions = empty()

    bought(positions, 1000, AT_60000, fee=60_000_000)
    bought(positions, 1000, 6_200_000, fee=62_000_000)
    bought(positions, 1500, 6_400_000, buyer=HOUSE, seller=ADA, fee=96_000_000)

    # 0.02 BTC cost 1,220; three quarters leave with 915 and bring 960.
    assert figures(positions) == (500_000, 305 * ONE_USDT, 45 * ONE_USDT, 218_000_000)
    assert average_cost_minor(305 * ONE_USDT, 500_000, 8) == 61_000 * ONE_USDT


def test_average_cost_begins_anew_when_flat() -> None:
    positions = empty()
    bought(positions, 1000, AT_60000)
    bought(positions, 1000, 6_600_000, buyer=HOUSE, seller=ADA)
    assert figures(positions) == (0, 0, 60 * ONE_USDT, 0)

    bought(positions, 1000, 6_300_000)

    assert figures(positions) == (1_000_000, 630 * ONE_USDT, 60 * ONE_USDT, 0)


def test_what_is_cut_off_stays_with_what_remains_until_the_last_unit_leaves() -> None:
    positions = empty()
    bought(positions, 3, 1)
    assert figures(positions) == (3000, 30, 0, 0)
    positions.transfer(ADA, BTC, 1)

    # 3,001 units cost 30 (one unit is worth nothing yet): a third of them 9.99..., cut to 9.
    bought(positions, 1, 1, buyer=HOUSE, seller=ADA)
    assert figures(positions) == (2001, 21, 1, 0)
    bought(positions, 2, 1, buyer=HOUSE, seller=ADA)
    assert figures(positions) == (1, 1, 1, 0)
    positions.transfer(ADA, BTC, -1)

    assert figures(positions) == (0, 0, 1, 0)


def test_what_comes_in_has_the_last_price_and_what_leaves_its_cost() -> None:
    positions = empty()
    bought(positions, 1000, AT_60000, buyer=BOB)

    positions.begin(7, 70)
    positions.transfer(ADA, BTC, ONE_BTC)
    bought(positions, 1, 9_000_000, buyer=BOB)
    positions.transfer(ADA, BTC, -ONE_BTC // 4)

    assert figures(positions) == (75_000_000, 45_000 * ONE_USDT, 0, 0)
    ada = [each for each in positions.moved if each.account_id == ADA]
    assert ada == [
        Moved(
            (7 << 20), 70, ADA, BTC, TRANSFER, ONE_BTC, 60_000 * ONE_USDT, AT_60000, ONE_BTC,
            60_000 * ONE_USDT, 0, 0,
        ),
        Moved(
            (7 << 20) + 2, 70, ADA, BTC, TRANSFER, -25_000_000, 15_000 * ONE_USDT, 0, 75_000_000,
            45_000 * ONE_USDT, 0, 0,
        ),
    ]  # fmt: skip


def test_what_came_before_the_first_price_enters_at_it() -> None:
    positions = empty()
    positions.transfer(BOB, BTC, ONE_BTC)
    positions.transfer(ADA, BTC, 2 * ONE_BTC)
    positions.transfer(ADA, BTC, -ONE_BTC)
    assert figures(positions) == (ONE_BTC, 0, 0, 0)
    positions.moved.clear()

    bought(positions, 1000, AT_60000, buyer=HOUSE, seller=HOUSE)
    bought(positions, 1000, 7_000_000, buyer=HOUSE, seller=HOUSE)

    assert figures(positions) == (ONE_BTC, 60_000 * ONE_USDT, 0, 0)
    assert [(each.account_id, each.kind) for each in positions.moved] == [
        (ADA, VALUED),
        (BOB, VALUED),
    ]


def test_a_trade_against_another_asset_is_a_sale_and_a_purchase() -> None:
    positions = empty()
    bought(positions, 100_000, AT_60000)
    bought(positions, 1, 6_600_000, buyer=HOUSE, seller=HOUSE)
    positions.transfer(BOB, ETH, 10**8)

    # 1 ETH for 0.05 BTC, fees 0.00005 BTC each, while BTC stands at 66,000.
    positions.trade(6, 50, 10**8, 5_000_000, (ADA, 5_000), (BOB, 5_000))

    # 0.05005 BTC that had cost 3,003 bring 3,303.3; the fee of 3.3 is the ETH position's.
    assert figures(positions) == (94_995_000, 56_997 * ONE_USDT, 30_030_000_000, 0)
    assert figures(positions, ADA, ETH) == (10**8, 3_300 * ONE_USDT, 0, 330_000_000)
    # Bob's ETH had no price and so no cost; his BTC is what he got, after the fee.
    assert figures(positions, BOB, ETH) == (0, 0, 3_300 * ONE_USDT, 330_000_000)
    assert figures(positions, BOB, BTC) == (4_995_000, 329_670_000_000, 0, 0)


def test_a_trade_that_nobody_can_value_makes_no_profit() -> None:
    positions = empty()
    positions.transfer(ADA, BTC, ONE_BTC)
    positions.transfer(BOB, ETH, 10**8)

    positions.trade(6, 50, 10**8, 5_000_000, (ADA, 5_000), (BOB, 5_000))

    assert figures(positions) == (94_995_000, 0, 0, 0)
    assert figures(positions, ADA, ETH) == (10**8, 0, 0, 0)
    assert figures(positions, BOB, BTC) == (4_995_000, 0, 0, 0)


def test_the_house_and_the_value_asset_have_no_positions() -> None:
    positions = empty()

    positions.transfer(HOUSE, BTC, ONE_BTC)
    positions.transfer(ADA, USDT, ONE_USDT)
    bought(positions, 1, AT_60000, buyer=HOUSE, seller=HOUSE)

    assert (positions.held, positions.moved) == ({}, [])


def test_lots_leave_first_in_first_out_and_each_takes_its_own_cost() -> None:
    positions = empty()
    bought(positions, 1000, AT_60000)
    positions.begin(2, 0)
    bought(positions, 1000, 6_200_000)
    bought(positions, 1500, 6_400_000, buyer=HOUSE, seller=ADA)

    lots = Lots().fold(positions.moved)

    # The first lot and half of the second had cost 910 and brought 960.
    assert [(lot.quantity_minor, lot.cost_minor) for lot in lots.open] == [
        (500_000, 310 * ONE_USDT)
    ]
    assert lots.realised_minor == 50 * ONE_USDT


def test_what_one_command_buys_is_one_movement_until_something_comes_between() -> None:
    positions = empty()
    positions.begin(9, 90)

    bought(positions, 1000, AT_60000, seller=BOB)
    bought(positions, 1000, 6_200_000)
    bought(positions, 500, 6_400_000, buyer=HOUSE, seller=ADA)
    bought(positions, 500, 6_400_000)
    positions.begin(10, 100)
    bought(positions, 500, 6_400_000)

    ada = [each for each in positions.moved if each.account_id == ADA]
    assert [
        (each.id & 0xFFFFF, each.id >> 20, each.change_minor, each.value_minor // ONE_USDT)
        for each in ada
    ] == [
        (0, 9, 2_000_000, 1220), (2, 9, -500_000, 320), (3, 9, 500_000, 320),
        (0, 10, 500_000, 320),
    ]  # fmt: skip
    assert [each.quantity_minor for each in ada] == [2_000_000, 1_500_000, 2_000_000, 2_500_000]


Act = tuple[str, int, int, int, int]
_acts = st.lists(
    st.tuples(
        st.sampled_from(("in", "out", "cash", "btc", "eth", "cross")),
        st.sampled_from((ADA, BOB)),
        st.integers(1, 5_000),
        st.integers(1, 9_000),
        st.booleans(),
    ),
    max_size=60,
)


class Books:
    """Cash and quantities kept beside the fold, by the plainest sums there are."""

    def __init__(self) -> None:
        self.positions = empty()
        self.cash = {ADA: 0, BOB: 0}
        self.paid_in = {ADA: 0, BOB: 0}
        self.has: dict[tuple[int, int], int] = {}

    def play(self, acts: list[Any]) -> Books:
        for number, (name, account, lots, price, selling) in enumerate(acts):
            self.positions.begin(number + 1, number)
            act: Callable[..., None] = getattr(self, f"do_{name}")
            act(account, lots, price, selling)
        return self

    def do_cash(self, account: int, lots: int, price: int, _: bool) -> None:
        self.cash[account] += lots * price
        self.paid_in[account] += lots * price

    def do_in(self, account: int, lots: int, price: int, eth: bool) -> None:
        asset = ETH if eth else BTC
        self.move(account, asset, lots * 77 + price)
        self.positions.transfer(account, asset, lots * 77 + price)
        self.paid_in[account] += self.positions.moved[-1].value_minor

    def do_out(self, account: int, lots: int, price: int, eth: bool) -> None:
        asset = ETH if eth else BTC
        amount = min(self.has.get((account, asset), 0), lots * price)
        if amount:
            self.move(account, asset, -amount)
            self.positions.transfer(account, asset, -amount)
            self.paid_in[account] -= self.positions.moved[-1].value_minor

    def do_btc(self, account: int, lots: int, price: int, selling: bool) -> None:
        self.against_cash(1, account, lots, price, selling)

    def do_eth(self, account: int, lots: int, price: int, selling: bool) -> None:
        self.against_cash(2, account, lots, price, selling)

    def against_cash(
        self, market_id: int, account: int, lots: int, price: int, selling: bool
    ) -> None:
        market = MARKETS[market_id]
        base, quote = lots * market.lot_minor, lots * price * market.tick_lot_minor
        fee = -(-quote // 1000)
        if selling and self.has.get((account, market.base_asset_id), 0) < base:
            return
        self.move(account, market.base_asset_id, -base if selling else base)
        self.cash[account] += quote - fee if selling else -quote - fee
        sides = ((HOUSE, fee), (account, fee)) if selling else ((account, fee), (HOUSE, fee))
        before = len(self.positions.moved)
        self.positions.trade(market_id, price, base, quote, *sides)
        self.valued(before)

    def do_cross(self, account: int, lots: int, price: int, selling: bool) -> None:
        other = BOB if account == ADA else ADA
        base, quote = lots * ETH_BTC.lot_minor, lots * price
        fee = -(-quote // 1000)
        buyer, seller = (other, account) if selling else (account, other)
        if self.has.get((seller, ETH), 0) < base or self.has.get((buyer, BTC), 0) < quote + fee:
            return
        for who, asset, amount in (
            (buyer, BTC, -quote - fee), (buyer, ETH, base), (seller, ETH, -base),
            (seller, BTC, quote - fee),
        ):  # fmt: skip
            self.move(who, asset, amount)
        before = len(self.positions.moved)
        self.positions.trade(6, price, base, quote, (buyer, fee), (seller, fee))
        self.valued(before)
        for each in self.positions.moved[before:]:
            if each.kind == TRANSFER:
                value = each.value_minor if each.change_minor > 0 else -each.value_minor
                self.paid_in[each.account_id] += value

    def valued(self, before: int) -> None:
        for each in self.positions.moved[before:]:
            if each.kind == VALUED:
                self.paid_in[each.account_id] += each.value_minor

    def move(self, account: int, asset: int, amount: int) -> None:
        self.has[account, asset] = self.has.get((account, asset), 0) + amount


@given(_acts)
@settings(max_examples=150, deadline=None)
def test_what_is_there_is_what_came_in_and_what_was_made(acts: list[Any]) -> None:
    books = Books().play(acts)
    positions = books.positions

    for account in (ADA, BOB):
        mine = {key[1]: each for key, each in positions.held.items() if key[0] == account}
        for asset, position in mine.items():
            assert position.quantity_minor == books.has.get((account, asset), 0)
            assert position.quantity_minor > 0 or position.cost_minor == 0
        values = {a: positions.worth(a, p.quantity_minor) or 0 for a, p in mine.items()}
        worth = books.cash[account] + sum(values.values())
        realised = sum(position.realised_minor for position in mine.values())
        fees = sum(position.fees_minor for position in mine.values())
        unrealised = sum(values[asset] - position.cost_minor for asset, position in mine.items())
        assert realised + unrealised - fees == worth - books.paid_in[account]


@given(_acts, st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_a_fold_taken_up_from_what_is_stored_goes_on_as_if_it_never_stopped(
    acts: list[Any], cut: int
) -> None:
    whole = Books().play(acts)
    first = Books().play(acts[:cut])

    stored = {key: type(each)(*each.figures()) for key, each in first.positions.held.items()}
    first.positions.held.clear()
    first.positions.held.update(reversed(stored.items()))
    for number, (name, account, lots, price, selling) in enumerate(acts[cut:], cut):
        first.positions.begin(number + 1, number)
        getattr(first, f"do_{name}")(account, lots, price, selling)

    assert first.positions.moved == whole.positions.moved


@given(_acts)
@settings(max_examples=100, deadline=None)
def test_lots_are_the_whole_position_and_both_ways_of_counting_end_alike(acts: list[Any]) -> None:
    positions = Books().play(acts).positions

    for key, position in positions.held.items():
        mine = [each for each in positions.moved if (each.account_id, each.asset_id) == key]
        lots = Lots().fold(mine)
        assert sum(lot.quantity_minor for lot in lots.open) == position.quantity_minor
        assert all(lot.quantity_minor > 0 and lot.cost_minor >= 0 for lot in lots.open)
        if all(each.kind != TRANSFER or each.change_minor > 0 for each in mine):
            # Nothing was withdrawn: what the lots and the average differ by is still held.
            rest = sum(lot.cost_minor for lot in lots.open)
            assert lots.realised_minor - rest == position.realised_minor - position.cost_minor
