"""Changing an open order: what keeps its place and what loses it, and what it reserves then."""

from __future__ import annotations

from typing import Any

import pytest

from apps.engine.messages import (
    BLOCKED,
    CANCEL_ONLY,
    CANCELLED,
    HALTED,
    NORMAL,
    OPEN,
    REDUCE_ONLY,
    Accepted,
    Amend,
    Amended,
    AnyEvent,
    Cancel,
    Closed,
    Duplicate,
    Limits,
    Place,
    Rejected,
    Rested,
    SetAccount,
    SetInstrument,
    SetVenue,
    Trade,
    Triggered,
)
from tests.engine.scenario import play
from tests.engine.venue import (
    BUY,
    GTC,
    LIMIT,
    MARKET_ID,
    PLENTY,
    SECOND,
    SELL,
    Terms,
    Venue,
    market,
    only,
    order_id,
    reason,
    trades,
)

SCENARIOS = {
    "less of an order keeps its place": """
        before   ask 101  ben 5, carl 2
        do       ben amends the order @ 101 to 2
                 dora buys 3 @ 101
        events   amended 2 @ 101 ben
                 trade 2 @ 101 ben dora
                 trade 1 @ 101 carl dora
        after    ask 101 carl 1
        money    ben quote 10202 held 0, base 9998 held 0
    """,
    "more of an order stands at the end": """
        before   ask 101  ben 2, carl 2
        do       ben amends the order @ 101 to 3
                 dora buys 2 @ 101
        events   amended 3 @ 101 ben
                 rests 3 @ 101 ben
                 trade 2 @ 101 carl dora
        after    ask 101 ben 3
    """,
    "another price is a new arrival, and may trade": """
        before   ask 101  ben 2
                 bid  99  anna 3, dora 5
        do       anna amends the order @ 99 to 4 @ 101
        events   amended 4 @ 101 anna
                 trade 2 @ 101 ben anna
                 rests 2 @ 101 anna
        after    bid 101 anna 2
                 bid 99 dora 5
        money    anna quote 9595 held 203, base 10002 held 0
    """,
    "what has filled counts towards the new quantity": """
        before   bid  99  anna 5
        do       dora sells 3 @ 99
                 anna amends the order @ 99 to 4
                 anna amends the order @ 99 to 3
        events   trade 3 @ 99 anna dora
                 amended 1 @ 99 anna
                 refused: amend_below_filled
        after    bid 99 anna 1
        money    anna quote 9603 held 100, base 10003 held 0
    """,
    "an amended stop waits at its new price": """
        market   last 100
        before   ask 104  ben 3
                 bid  97  carl 9
                 stop sell 95 eve 3
        do       dora sells 1 @ 97
                 eve amends the order @ 86 to 2
                 dora sells 1 @ 97
        events   trade 1 @ 97 carl dora
                 amended 2 @ 86 eve
                 trade 1 @ 97 carl dora
        after    ask 104 ben 3
                 bid 97 carl 7
                 stop sell 95 eve 2
        money    eve quote 10000 held 0, base 9998 held 2
    """,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name: str) -> None:
    play(SCENARIOS[name])


def amend(venue: Venue, name: str, number: int, *changes: int, **named: Any) -> list[AnyEvent]:
    return venue.do(Amend, venue.account(name), number, "", *changes, **named)


def test_the_event_says_what_left_the_book_and_what_it_holds() -> None:
    venue = Venue(market(taker_fee_ppm=10_000))
    number = order_id(venue.buy("anna", 10, 100))

    (reduced,) = amend(venue, "anna", number, 4)
    moved, rested = amend(venue, "anna", number, 0, 90)

    # 400 and its fee of 4 and 1; 360 and its fee of 4 (3.6 rounded up) and 1.
    terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 4, price_ticks=100)
    assert reduced == Amended(
        number, 1000, MARKET_ID, BUY, terms, 100, 4, 405, -606, 100, 6, "user"
    )
    terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 4, price_ticks=90)
    assert moved == Amended(number, 1000, MARKET_ID, BUY, terms, 90, 4, 365, -40, 100, 4, "user")
    assert rested == Rested(number, 1000, MARKET_ID, BUY, 90, 4)
    assert venue.money("anna") == (PLENTY - 365, 365, PLENTY, 0)


def test_an_order_is_amended_by_its_owners_own_id_too() -> None:
    venue = Venue()
    venue.place("anna", Terms(MARKET_ID, BUY, LIMIT, GTC, 5, price_ticks=99), "mine")

    (amended,) = venue.do(Amend, venue.ids["anna"], 0, "mine", 2)

    assert amended.remaining_lots == 2


def test_an_amendment_that_changes_nothing_changes_nothing() -> None:
    venue = Venue()
    number = order_id(venue.sell("anna", 5, 101))
    venue.sell("ben", 5, 101)

    (same,) = amend(venue, "anna", number, 5, 101)

    assert (same.hold_change_minor, same.book_lots) == (0, 0)
    assert [row[1] for row in venue.queue(SELL)] == ["anna", "ben"]


def test_its_own_hold_counts_as_available() -> None:
    venue = Venue(plenty=0)
    venue.open("anna")
    venue.fund("anna", quote=501)
    number = order_id(venue.buy("anna", 5, 100))

    refused = amend(venue, "anna", number, 0, 101)
    taken = amend(venue, "anna", number, 4, 125)

    assert reason(refused) == "insufficient_balance"
    assert only(taken, Amended).hold_minor == 501
    assert venue.money("anna") == (0, 501, 0, 0)


def test_fees_stay_those_of_entry_and_add_up_over_roles() -> None:
    # Each fill of one lot at 100 is worth a fee of a third: three of them in a role cost 1.
    venue = Venue(market(maker_fee_ppm=3_300, taker_fee_ppm=3_300))
    number = order_id(venue.buy("anna", 6, 100))
    fees = []
    for _ in range(3):
        fees.append(only(venue.sell("ben", 1, 100), Trade).maker_fee_minor)
        venue.sell("carl", 1, 99 + 2)
        taken = amend(venue, "anna", number, 0, 101)
        fees.append(only(taken, Trade).taker_fee_minor)
        amend(venue, "anna", number, 0, 100)

    assert fees == [1, 1, 0, 0, 0, 0]
    assert list(venue.engine.open_orders()) == []
    assert venue.money("anna")[1] == 0


def test_a_triggered_stop_limit_is_amended_where_it_rests() -> None:
    venue = Venue()
    venue.trade_at(100)
    number = order_id(venue.stop("anna", BUY, 5, 105, 104))
    venue.trade_at(106)

    refused = amend(venue, "anna", number, 0, 0, 107)
    moved = amend(venue, "anna", number, 0, 103)

    assert reason(refused) == "invalid_order"
    assert only(moved, Rested).price_ticks == 103
    assert not any(isinstance(event, Triggered) for event in moved)


def test_an_amended_stop_triggers_at_its_new_price_only() -> None:
    venue = Venue()
    venue.trade_at(100)
    number = order_id(venue.stop("anna", BUY, 2, 105))

    passed = amend(venue, "anna", number, 0, 0, 100)
    moved = amend(venue, "anna", number, 0, 0, 103)
    venue.sell("ben", 5, 104)
    venue.sell("ben", 1, 103)
    set_off = venue.buy("carl", 1, 103)

    assert reason(passed) == "would_trigger"
    # Reserves 2 lots at 103 and 10 %, rounded down, and 1.
    assert only(moved, Amended).hold_minor == 2 * 113 + 1
    assert trades(set_off) == [(1, 103), (2, 104)]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ((-1, 0, 0), "invalid_quantity"),
        ((0, -1, 0), "invalid_price"),
        ((0, 2**62 + 1, 0), "invalid_price"),
        ((2**62, 0, 0), "max_quantity"),
        ((0, 0, 90), "invalid_order"),
        ((0, 111, 0), "price_band"),
        ((0, 105, 0), "post_only_would_take"),
        ((1, 99, 0), "min_notional"),
        ((1, 0, 0), "min_notional"),
        ((60, 0, 0), "max_position"),
    ],
)
def test_a_refused_amendment_changes_nothing(changes: tuple[int, int, int], why: str) -> None:
    rules = market(min_notional_minor=100, max_position_lots=50, max_quantity_lots=1_000)
    venue = Venue(rules, plenty=0)
    for name in ("anna", "ben"):
        venue.open(name)
        venue.fund(name, quote=10**6, base=20 if name == "ben" else 0)
    venue.set_reference(100)
    venue.sell("ben", 5, 105)
    number = order_id(venue.buy("anna", 5, 99, post_only=True))
    before = venue.engine.snapshot()
    counted = venue.engine.accounts[venue.ids["anna"]].placed_orders

    refused = amend(venue, "anna", number, *changes)

    assert reason(refused) == why
    venue.engine.seq -= 1
    venue.engine.accounts[venue.ids["anna"]].placed_orders = counted
    assert venue.engine.snapshot() == before


@pytest.mark.parametrize(
    ("state", "venue_state", "why"),
    [
        (BLOCKED, OPEN, "account_blocked"),
        (REDUCE_ONLY, OPEN, "reduce_only"),
        (NORMAL, CANCEL_ONLY, "cancel_only"),
        (NORMAL, HALTED, "venue_halted"),
    ],
)
def test_who_may_not_place_orders_may_make_them_smaller_and_nothing_else(
    state: int, venue_state: int, why: str
) -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 5, 99))
    venue.buy("ben", 1, 99)
    venue.do(SetAccount, venue.ids["anna"], state, 1, Limits(0, 0, 0))
    venue.do(SetVenue, venue_state)

    more = amend(venue, "anna", number, 6)
    moved = amend(venue, "anna", number, 4, 98)
    less = amend(venue, "anna", number, 3)

    assert (reason(more), reason(moved)) == (why, why)
    assert only(less, Amended).remaining_lots == 3
    assert venue.queue(BUY) == [(99, "anna", 3, 0), (99, "ben", 1, 0)]


def test_an_order_of_somebody_else_cannot_be_amended() -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 5, 99))
    venue.buy("ben", 1, 90)

    foreign = amend(venue, "ben", number, 1)
    unknown = amend(venue, "anna", 99, 1)

    assert foreign == [Rejected("order_not_found", venue.ids["ben"])]
    assert unknown == [Rejected("order_not_found", venue.ids["anna"])]


def test_less_of_an_order_is_held_to_no_maximum_that_came_later() -> None:
    venue = Venue(market())
    number = order_id(venue.buy("anna", 50, 99))
    venue.do(SetInstrument, market(max_quantity_lots=10, max_notional_minor=990))
    venue.do(SetAccount, venue.ids["anna"], NORMAL, 1, Limits(max_order_notional_minor=990))

    less = amend(venue, "anna", number, 40)
    moved = amend(venue, "anna", number, 0, 98)

    assert only(less, Amended).remaining_lots == 40
    assert reason(moved) == "max_quantity"


def test_what_arrives_anew_counts_among_the_orders_of_a_second() -> None:
    venue = Venue()
    venue.account("anna", Limits(0, 3, 2))
    number = order_id(venue.buy("anna", 5, 90))

    moved = [amend(venue, "anna", number, 0, 90 + step) for step in (1, 2, 3)]
    more = amend(venue.again(), "anna", number, 6)
    less = [amend(venue, "anna", number, lots) for lots in (4, 3, 2)]
    new = venue.buy("anna", 1, 80)
    cancelled = venue.cancel("anna", number)
    venue.wait(1)
    next_second = [amend(venue, "anna", number, 0, 91), venue.buy("anna", 5, 90)]

    assert [len(answer) for answer in moved] == [2, 2, 1]
    assert reason(moved[2]) == reason(more) == reason(new) == "rate_limit"
    assert [only(answer, Amended).remaining_lots for answer in less] == [4, 3, 2]
    assert only(cancelled, Closed).status == CANCELLED
    assert reason(next_second[0]) == "order_not_found"
    assert isinstance(next_second[1][0], Accepted)


def test_the_same_order_sent_again_is_known_by_what_it_asked_for_first() -> None:
    """Even when its command is forgotten, and after a restart."""
    venue = Venue()
    terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 5, price_ticks=99)
    entered = venue.place("anna", terms, "mine")
    amend(venue, "anna", order_id(entered), 3, 98)

    soon = venue.place("anna", terms, "mine")
    venue.wait(700)
    later = venue.again().place("anna", terms, "mine")
    other = venue.place("anna", Terms(MARKET_ID, BUY, LIMIT, GTC, 3, price_ticks=98), "mine")

    assert [type(events[-1]) for events in (soon, later)] == [Duplicate, Duplicate]
    assert reason(other) == "id_reused"


def test_the_same_amendment_is_carried_out_once() -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 5, 99))
    command = Amend(b"a" * 16, venue.now_ns + SECOND, venue.ids["anna"], number, "", 3)

    venue.engine.apply(command, venue.now_ns)
    (again,) = venue.engine.apply(command, venue.now_ns)

    assert isinstance(again, Duplicate)
    assert venue.do(Cancel, venue.ids["anna"], number)[0].book_lots == 3


def test_place_is_not_needed_for_its_seat() -> None:
    """An account that is full of orders can still move them."""
    venue = Venue()
    venue.open("anna", Limits(1, 0, 0))
    venue.fund("anna", quote=10**6)
    number = order_id(venue.buy("anna", 5, 99))

    refused = venue.do(
        Place, venue.ids["anna"], "two", Terms(MARKET_ID, BUY, LIMIT, GTC, 5, price_ticks=9)
    )
    moved = amend(venue, "anna", number, 0, 98)

    assert reason(refused) == "max_open_orders"
    assert only(moved, Rested).price_ticks == 98
