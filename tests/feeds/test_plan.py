"""The plan of one step: own quotes become the target, prints are exact, nothing is wasted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.engine.messages import BUY, SELL
from apps.markets.feeds.base import FeedTrade
from apps.trades.liquidity.rules import (
    OPPOSITE,
    CancelQuote,
    PlaceQuote,
    Sides,
    SizeLimits,
    Take,
    capped,
    plan,
    split,
)

NO_LIMITS = SizeLimits(0, 0, 1)


def test_what_stands_as_wanted_is_left_alone():
    own = {BUY: {10: 5, 9: 4}, SELL: {12: 5}}

    assert plan(own, {BUY: {10: 5, 9: 4}, SELL: {12: 5}}, [], NO_LIMITS) == []


def test_gone_levels_are_cancelled_and_changed_ones_replaced_before_anything_is_placed():
    own = {BUY: {10: 5, 9: 4}, SELL: {12: 5}}

    intents = plan(own, {BUY: {9: 7}, SELL: {10: 2, 12: 5}}, [], NO_LIMITS)

    assert intents == [
        CancelQuote(BUY, 10),
        CancelQuote(BUY, 9),
        PlaceQuote(BUY, 9, 7),
        PlaceQuote(SELL, 10, 2),
    ]


def test_a_print_at_a_level_that_is_large_enough_needs_one_order():
    own = {BUY: {10: 5}, SELL: {12: 5}}

    intents = plan(own, {BUY: {10: 5}, SELL: {12: 3}}, [FeedTrade(12, 2, BUY)], NO_LIMITS)

    assert intents == [Take(BUY, 12, 2)]


def test_prints_beyond_a_level_are_met_by_one_new_quote_that_leaves_the_new_level():
    own = {BUY: {10: 5}, SELL: {12: 5}}
    prints = [FeedTrade(12, 4, BUY), FeedTrade(12, 6, BUY)]

    intents = plan(own, {BUY: {10: 5}, SELL: {12: 3}}, prints, NO_LIMITS)

    assert intents == [
        Take(BUY, 12, 4),
        CancelQuote(SELL, 12),
        PlaceQuote(SELL, 12, 9),
        Take(BUY, 12, 6),
    ]


def test_a_print_behind_better_quotes_takes_them_away_first():
    own = {BUY: {10: 5}, SELL: {12: 5, 13: 1, 14: 8}}

    intents = plan(own, {BUY: {10: 5}, SELL: {14: 6}}, [FeedTrade(14, 2, BUY)], NO_LIMITS)

    assert intents == [CancelQuote(SELL, 12), CancelQuote(SELL, 13), Take(BUY, 14, 2)]


def test_a_print_through_the_own_other_side_removes_that_side_first():
    own = {BUY: {10: 5, 9: 1}, SELL: {12: 5}}

    intents = plan(own, {BUY: {8: 1}, SELL: {10: 2}}, [FeedTrade(9, 3, BUY)], NO_LIMITS)

    assert intents == [
        CancelQuote(BUY, 10),
        CancelQuote(BUY, 9),
        PlaceQuote(SELL, 9, 3),
        Take(BUY, 9, 3),
        CancelQuote(SELL, 12),
        PlaceQuote(BUY, 8, 1),
        PlaceQuote(SELL, 10, 2),
    ]


def test_levels_and_prints_larger_than_one_order_may_be():
    limits = SizeLimits(10, 90, 1)

    assert capped(((12, 50), (8, 50), (100, 5)), limits) == {12: 7, 8: 10}
    assert split([FeedTrade(8, 25, BUY), FeedTrade(9, 3, SELL)], limits) == [
        FeedTrade(8, 10, BUY),
        FeedTrade(8, 10, BUY),
        FeedTrade(8, 5, BUY),
        FeedTrade(9, 3, SELL),
    ]


prices = st.integers(1, 24)
lots = st.integers(1, 40)
trades = st.lists(st.builds(FeedTrade, prices, lots, st.sampled_from([BUY, SELL])), max_size=6)


@st.composite
def books(draw: st.DrawFn) -> Sides:
    """Two sides that do not cross, each possibly empty."""
    middle = draw(st.integers(2, 24))
    bids = draw(st.dictionaries(st.integers(1, middle - 1), lots, max_size=6))
    asks = draw(st.dictionaries(st.integers(middle, 24), lots, max_size=6))
    return {BUY: bids, SELL: asks}


class NaiveBook:
    """Own quotes alone, carried out intent by intent; every rule of the plan is checked."""

    def __init__(self, own: Sides) -> None:
        self.own: Sides = {side: dict(levels) for side, levels in own.items()}
        self.prints: list[FeedTrade] = []

    def carry_out(self, intents: list[CancelQuote | PlaceQuote | Take]) -> None:
        for intent in intents:
            if isinstance(intent, CancelQuote):
                del self.own[intent.side][intent.price_ticks]
            elif isinstance(intent, PlaceQuote):
                assert intent.price_ticks not in self.own[intent.side]
                assert intent.quantity_lots > 0
                self.own[intent.side][intent.price_ticks] = intent.quantity_lots
            else:
                self._take(intent)
            assert not crosses(self.own)

    def _take(self, intent: Take) -> None:
        makers = self.own[OPPOSITE[intent.side]]
        best = min(makers) if intent.side == BUY else max(makers)
        assert best == intent.price_ticks
        assert makers[best] >= intent.quantity_lots
        makers[best] -= intent.quantity_lots
        if not makers[best]:
            del makers[best]
        self.prints.append(FeedTrade(best, intent.quantity_lots, intent.side))


def crosses(own: Sides) -> bool:
    return bool(own[BUY] and own[SELL]) and max(own[BUY]) >= min(own[SELL])


@settings(deadline=None)
@given(own=books(), target=books(), prints=trades)
def test_after_a_plan_own_quotes_are_the_target_and_the_tape_is_the_feeds(own, target, prints):
    book = NaiveBook(own)

    book.carry_out(plan(own, target, prints, NO_LIMITS))

    assert book.own == target
    assert book.prints == prints


@settings(deadline=None)
@given(own=books(), target=books())
def test_without_prints_no_command_could_be_spared(own, target):
    intents = plan(own, target, [], NO_LIMITS)

    kept = {
        side: {price for price, size in own[side].items() if target[side].get(price) == size}
        for side in (BUY, SELL)
    }
    cancels = sum(isinstance(intent, CancelQuote) for intent in intents)
    places = sum(isinstance(intent, PlaceQuote) for intent in intents)
    assert cancels == sum(len(own[side]) - len(kept[side]) for side in (BUY, SELL))
    assert places == sum(len(target[side]) - len(kept[side]) for side in (BUY, SELL))
    assert cancels + places == len(intents)


@settings(deadline=None)
@given(
    steps=st.lists(st.tuples(books(), trades, prices, lots), max_size=8),
    largest=st.integers(5, 60),
)
def test_any_sequence_of_targets_prints_and_fills_by_others_ends_at_the_target(steps, largest):
    limits = SizeLimits(largest, 0, 1)
    book = NaiveBook({BUY: {}, SELL: {}})
    target: Sides = {BUY: {}, SELL: {}}
    for wanted, prints, price, size in steps:
        target = {side: capped(tuple(levels.items()), limits) for side, levels in wanted.items()}
        before = len(book.prints)
        book.carry_out(plan(book.own, target, split(prints, limits), limits))
        printed = book.prints[before:]
        assert book.own == target
        assert sum(part.quantity_lots for part in printed) == sum(t.quantity_lots for t in prints)
        # Somebody else takes part of a quote, or all of it.
        for levels in book.own.values():
            if price in levels:
                levels[price] -= min(size, levels[price])
                if not levels[price]:
                    del levels[price]
    book.carry_out(plan(book.own, target, [], limits))
    assert book.own == target
