"""Two orders of which one fills, and purchases with their exits: what the scenarios do not show."""

from __future__ import annotations

from typing import Any

import pytest

from apps.engine.messages import (
    Accepted,
    Amend,
    Amended,
    AnyEvent,
    CallAuction,
    Cancel,
    Closed,
    Limits,
    Place,
    PlacePair,
    Replace,
    SetReference,
    Special,
    Tick,
    Triggered,
)
from tests.engine.venue import (
    BUY,
    GTC,
    GTD,
    LIMIT,
    MARKET_ID,
    SECOND,
    SELL,
    STOP,
    Terms,
    Venue,
    market,
    only,
    order_id,
    reason,
    trades,
)


@pytest.fixture
def venue() -> Venue:
    venue = Venue(market(maker_fee_ppm=800, taker_fee_ppm=1_000))
    venue.trade_at(100)
    return venue


def accepted(events: list[AnyEvent]) -> list[Accepted]:
    return [event for event in events if isinstance(event, Accepted)]


def ended(events: list[AnyEvent]) -> list[tuple[int, str]]:
    return [(event.order_id, event.reason) for event in events if isinstance(event, Closed)]


def with_exits(venue: Venue, lots: int, price: int, **more: int) -> list[AnyEvent]:
    exits = {"take_profit_ticks": 105, "stop_loss_ticks": 95, **more}
    return venue.buy("anna", lots, price, special=Special(**exits))


def test_a_pair_to_buy_holds_the_larger_need_once(venue: Venue) -> None:
    # The stop may pay 110 x 1.1 = 121: 10 x 121 and a fee of ceil(1.21) and one unit.
    limit, stop = accepted(venue.pair("anna", BUY, 10, 95, 110))

    assert (limit.hold_minor, stop.hold_minor) == (1_210 + 2 + 1, 0)
    assert (limit.pair_order_id, stop.pair_order_id) == (stop.order_id, limit.order_id)


def test_what_fills_of_the_limit_order_comes_off_the_stop_and_its_hold(venue: Venue) -> None:
    venue.pair("anna", BUY, 10, 95, 110)

    events = venue.sell("ben", 4, 95)

    lessened = only(events, Amended)
    assert (lessened.remaining_lots, lessened.hold_change_minor, lessened.reason) == (6, 0, "pair")
    # 6 x 121, a fee of ceil(0.726), one unit.
    assert venue.money("anna")[1] == 726 + 1 + 1


def test_a_stop_that_wakes_takes_over_the_hold(venue: Venue) -> None:
    limit, stop = accepted(venue.pair("anna", SELL, 10, 105, 95))
    venue.buy("ben", 1, 95)
    venue.buy("carl", 20, 94)

    events = venue.again().sell("dora", 1, 95)

    woken = only(events, Triggered)
    assert (woken.order_id, woken.hold_minor) == (stop.order_id, 10)
    assert woken.pair_order_id == limit.order_id
    assert ended(events) == [(limit.order_id, "pair")]
    assert trades(events) == [(1, 95), (10, 94)]


def test_either_ends_with_the_other(venue: Venue) -> None:
    limit, stop = accepted(venue.pair("anna", SELL, 10, 105, 95, client_order_id="p"))

    events = venue.again().do(Cancel, venue.account("anna"), 0, "p-stop")

    assert ended(events) == [(stop.order_id, "user"), (limit.order_id, "pair")]
    assert venue.money("anna")[3] == 0


def test_a_pair_has_one_date(venue: Venue) -> None:
    due = venue.now_ns + 3 * SECOND
    pair = venue.pair("anna", SELL, 10, 105, 95, time_in_force=GTD, expires_at_ns=due)
    limit, stop = accepted(pair)
    venue.again().wait(3)

    events = venue.do(Tick)

    assert ended(events) == [(limit.order_id, "gtd"), (stop.order_id, "pair")]


def test_a_pair_counts_once_in_a_position_and_twice_among_open_orders() -> None:
    venue = Venue(market(max_position_lots=15), plenty=0)
    venue.trade_at(100)
    venue.open("anna", Limits(3, 0, 0))
    venue.fund("anna", quote=10_000)
    venue.pair("anna", BUY, 10, 95, 105)

    assert only(venue.buy("anna", 5, 95), Accepted).terms.quantity_lots == 5
    assert reason(venue.buy("anna", 1, 95)) == "max_open_orders"


@pytest.mark.parametrize(
    ("limit", "stop", "said"),
    [
        ({"post_only": False}, {}, "invalid_pair"),
        ({"special": Special(display_lots=2)}, {}, "invalid_pair"),
        ({}, {"quantity_lots": 9}, "invalid_pair"),
        ({}, {"side": BUY}, "invalid_pair"),
        ({}, {"order_type": LIMIT}, "invalid_pair"),
        ({"price_ticks": 94}, {}, "invalid_pair"),
        ({}, {"stop_ticks": 100}, "would_trigger"),
        ({}, {"special": Special(stop_loss_ticks=3)}, "invalid_pair"),
    ],
)
def test_what_is_no_pair(
    venue: Venue, limit: dict[str, Any], stop: dict[str, Any], said: str
) -> None:
    account_id = venue.account("anna")
    fields: dict[str, Any] = {"order_type": LIMIT, "price_ticks": 105, "post_only": True, **limit}
    stop_fields: dict[str, Any] = {"order_type": STOP, "stop_ticks": 95, **stop}
    shared: dict[str, Any] = {
        "market_id": MARKET_ID,
        "side": SELL,
        "time_in_force": GTC,
        "quantity_lots": 10,
    }
    terms, stop_terms = Terms(**{**shared, **fields}), Terms(**{**shared, **stop_fields})

    assert reason(venue.do(PlacePair, account_id, "p", terms, stop_terms)) == said


def test_ids_of_those_that_follow_are_taken_and_have_to_fit(venue: Venue) -> None:
    anna = venue.account("anna")
    terms = Terms(MARKET_ID, SELL, LIMIT, GTC, 1, price_ticks=105)
    exits = Special(take_profit_ticks=105, stop_loss_ticks=95)
    purchase = Terms(MARKET_ID, BUY, LIMIT, GTC, 1, price_ticks=99, special=exits)
    venue.pair("anna", SELL, 10, 105, 95, client_order_id="p")
    venue.do(Place, anna, "b", purchase)
    venue.again()

    for taken in ("p-stop", "b-tp", "b-sl"):
        assert reason(venue.do(Place, anna, taken, terms)) == "id_reused"
    assert reason(venue.do(Place, anna, "x" * 59, purchase)) == "invalid_order"
    too_long = venue.pair("anna", SELL, 1, 105, 95, client_order_id="x" * 59)
    assert reason(too_long) == "invalid_order"


def test_the_quantity_of_a_linked_order_is_not_changed_and_it_is_not_replaced(
    venue: Venue,
) -> None:
    anna = venue.account("anna")
    limit, stop = accepted(venue.pair("anna", SELL, 10, 105, 95))
    terms = Terms(MARKET_ID, SELL, LIMIT, GTC, 1, price_ticks=105)

    assert reason(venue.do(Amend, anna, limit.order_id, "", 5)) == "linked_order"
    assert reason(venue.do(Amend, anna, stop.order_id, "", 0, 0, 105)) == "would_trigger"
    assert reason(venue.do(Replace, anna, "r", terms, limit.order_id)) == "linked_order"


def test_a_dearer_stop_is_paid_for_by_the_limit_order(venue: Venue) -> None:
    anna = venue.account("anna")
    limit, stop = accepted(venue.pair("anna", BUY, 10, 95, 110))

    events = venue.again().do(Amend, anna, stop.order_id, "", 0, 0, 120)

    # 120 x 1.1 = 132: 1,320 and 2 and 1.
    moved, paid = (event for event in events if isinstance(event, Amended))
    assert (moved.order_id, moved.hold_minor, moved.reason) == (stop.order_id, 0, "user")
    assert (paid.order_id, paid.hold_minor, paid.reason) == (limit.order_id, 1_323, "pair")


def test_exits_live_by_what_has_filled_and_grow_behind_the_others(venue: Venue) -> None:
    venue.sell("ben", 4, 100)
    entry, take_profit, stop_loss = accepted(with_exits(venue, 10, 100))
    venue.sell("carl", 1, 105)
    assert take_profit.parent_order_id == stop_loss.parent_order_id == entry.order_id
    assert (take_profit.hold_minor, stop_loss.hold_minor) == (4, 0)

    venue.again().sell("ben", 2, 100)

    assert venue.queue(SELL) == [(105, "carl", 1, 0), (105, "anna", 6, 0)]


def test_cancelling_the_purchase_leaves_its_exits(venue: Venue) -> None:
    venue.sell("ben", 4, 100)
    entry = accepted(with_exits(venue, 10, 100))[0]

    events = venue.again().cancel("anna", entry.order_id)

    assert ended(events) == [(entry.order_id, "user")]
    assert venue.queue(SELL) == [(105, "anna", 4, 0)]


def test_an_exit_that_is_filled_ends_what_is_left_of_the_purchase(venue: Venue) -> None:
    venue.sell("ben", 4, 100)
    entry, _, stop_loss = accepted(with_exits(venue, 10, 100))

    events = venue.again().buy("carl", 4, 105)

    assert ended(events) == [(stop_loss.order_id, "pair"), (entry.order_id, "pair")]
    assert venue.money("anna")[1::2] == (0, 0)


def test_a_stop_loss_that_is_crossed_already_fires_at_once(venue: Venue) -> None:
    venue.sell("ben", 4, 94)
    venue.buy("carl", 9, 93)

    events = with_exits(venue, 10, 100)

    entry, take_profit, _ = accepted(events)
    assert trades(events) == [(4, 94), (4, 93)]
    assert ended(events) == [(take_profit.order_id, "pair"), (entry.order_id, "pair")]


def test_exits_of_a_purchase_in_an_auction(venue: Venue) -> None:
    venue.do(SetReference, MARKET_ID, 100)
    venue.do(CallAuction, MARKET_ID, 10)
    entry = order_id(venue.buy("anna", 5, 100, special=Special(stop_loss_ticks=95)))
    venue.sell("ben", 3, 100)
    venue.again().wait(10)

    events = venue.do(Tick)

    stop_loss = only(events, Accepted)
    assert (stop_loss.parent_order_id, stop_loss.terms.quantity_lots) == (entry, 3)
    assert (stop_loss.pair_order_id, stop_loss.hold_minor) == (0, 3)


@pytest.mark.parametrize(
    ("side", "exits", "said"),
    [
        (SELL, {}, "bracket_needs_buy"),
        (BUY, {"take_profit_ticks": 100}, "invalid_bracket"),
        (BUY, {"stop_loss_ticks": 100}, "invalid_bracket"),
        (BUY, {"stop_loss_limit_ticks": 85}, "price_band"),
        (BUY, {"stop_loss_ticks": 0, "stop_loss_limit_ticks": 90}, "invalid_order"),
        (BUY, {"display_lots": 1}, "invalid_order"),
        (BUY, {"take_profit_ticks": -1}, "invalid_order"),
        (BUY, {"take_profit_ticks": 2**62}, "max_notional"),
    ],
)
def test_what_is_no_bracket(venue: Venue, side: int, exits: dict[str, int], said: str) -> None:
    special = Special(**{"take_profit_ticks": 105, "stop_loss_ticks": 95, **exits})

    assert reason(venue.limit("anna", side, 5, 100, special=special)) == said


def test_ids_of_exits_are_free_when_nobody_remembers_the_purchase(venue: Venue) -> None:
    anna = venue.account("anna")
    exits = Special(stop_loss_ticks=95)
    purchase = Terms(MARKET_ID, BUY, LIMIT, GTC, 2, price_ticks=99, special=exits)
    terms = Terms(MARKET_ID, BUY, LIMIT, GTC, 1, price_ticks=90)
    venue.do(Place, anna, "b", purchase)
    venue.wait(700)
    venue.sell("ben", 1, 99)
    assert reason(venue.again().do(Place, anna, "b-sl", terms)) == "id_reused"

    venue.do(Cancel, anna, 0, "b-sl")

    assert only(venue.again().do(Place, anna, "b-sl", terms), Accepted).client_order_id == "b-sl"
    assert only(venue.do(Place, anna, "b", terms), Accepted).client_order_id == "b"
