"""Replacing an order, and ending many at once: cancel-all, dead man's switch, kill."""

from __future__ import annotations

from typing import Any

import pytest

from apps.engine.engine import Engine
from apps.engine.messages import (
    BLOCKED,
    CANCEL_ONLY,
    HALTED,
    KILL_ACCOUNT,
    KILL_MARKET,
    KILL_VENUE,
    Accepted,
    AccountSet,
    AnyEvent,
    CancelAfterSet,
    CancelAll,
    CancelAllAfter,
    Closed,
    Duplicate,
    InstrumentSet,
    Kill,
    Limits,
    Rejected,
    Replace,
    SetVenue,
    Tick,
    VenueSet,
)
from tests.engine.venue import (
    BUY,
    GTC,
    LIMIT,
    MARKET_ID,
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


def bid(lots: int, price: int, **more: Any) -> Terms:
    return Terms(MARKET_ID, BUY, LIMIT, GTC, lots, price_ticks=price, **more)


def replace(venue: Venue, name: str, number: int, terms: Terms) -> list[AnyEvent]:
    return venue.do(Replace, venue.ids[name], f"new-{venue.commands}", terms, number)


def ended(events: list[AnyEvent]) -> list[tuple[int, str]]:
    return [(event.order_id, event.reason) for event in events if isinstance(event, Closed)]


# ------------------------------------------------------------ replace


def test_a_replacement_ends_one_order_and_places_another() -> None:
    venue = Venue()
    venue.sell("ben", 1, 101)
    number = order_id(venue.buy("anna", 5, 99))

    events = replace(venue, "anna", number, bid(2, 101))

    closed, accepted = only(events, Closed), only(events, Accepted)
    assert events[:2] == [closed, accepted]
    assert (closed.order_id, closed.reason, closed.released_minor) == (number, "replaced", 496)
    assert trades(events) == [(1, 101)]
    assert venue.queue(BUY) == [(101, "anna", 1, 0)]


def test_what_the_old_order_holds_pays_for_the_new_one() -> None:
    venue = Venue(plenty=0)
    venue.open("anna", Limits(1, 0, 0))
    venue.fund("anna", quote=501)
    number = order_id(venue.buy("anna", 5, 100))

    events = replace(venue, "anna", number, bid(4, 125))

    assert only(events, Accepted).hold_minor == 501
    assert venue.money("anna") == (0, 501, 0, 0)


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        (bid(6, 100), "insufficient_balance"),
        (bid(1, 111), "price_band"),
        (bid(1, 105, post_only=True), "post_only_would_take"),
        (bid(0, 100), "invalid_quantity"),
        (Terms(MARKET_ID, SELL, LIMIT, GTC, 1, price_ticks=100), "replace_mismatch"),
        (Terms(2, BUY, LIMIT, GTC, 1, price_ticks=100), "replace_mismatch"),
    ],
)
def test_a_refused_replacement_leaves_the_order_where_it_is(terms: Terms, why: str) -> None:
    venue = Venue(plenty=0)
    for name in ("anna", "ben"):
        venue.open(name)
        venue.fund(name, quote=501, base=5)
    venue.set_reference(100)
    venue.sell("ben", 1, 105)
    number = order_id(venue.buy("anna", 4, 100))
    venue.buy("ben", 1, 100)
    venue.buy("anna", 1, 99)
    venue.wait(1)
    venue.do(Tick)
    before = venue.engine.snapshot()

    refused = replace(venue, "anna", number, terms)

    assert reason(refused) == why
    venue.engine.seq -= 1
    account = venue.engine.accounts[venue.ids["anna"]]
    account.throttle_second = -1
    assert venue.engine.snapshot() == before
    assert list(account.open_orders) == sorted(account.open_orders)


def test_only_an_own_open_order_is_replaced() -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 5, 99))
    venue.account("ben")

    foreign = replace(venue, "ben", number, bid(1, 98))
    gone = replace(venue, "anna", 77, bid(1, 98))

    assert isinstance(foreign[0], Rejected)
    assert (reason(foreign), reason(gone)) == ("order_not_found", "order_not_found")


def test_a_replacement_is_carried_out_once() -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 5, 99))
    head = (b"r" * 16, venue.now_ns + SECOND)
    command = Replace(*head, venue.ids["anna"], "new", bid(5, 98), number)
    (_, accepted, _) = venue.engine.apply(command, venue.now_ns)

    same_command = venue.engine.apply(command, venue.now_ns)
    same_client_id = venue.place("anna", bid(5, 98), "new")

    assert isinstance(accepted, Accepted)
    for answer in (same_command, same_client_id):
        assert [type(event) for event in answer] == [Duplicate]
        assert only(answer, Duplicate).order_id == accepted.order_id


# ------------------------------------------------------------ cancel-all


def test_cancel_all_of_one_side() -> None:
    venue = Venue()
    bids = [order_id(venue.buy("anna", 1, price)) for price in (99, 98)]
    ask = order_id(venue.sell("anna", 1, 101))

    of_bids = venue.do(CancelAll, venue.ids["anna"], MARKET_ID, BUY)
    of_nothing = venue.do(CancelAll, venue.ids["anna"], MARKET_ID, 3)
    of_asks = venue.do(CancelAll, venue.ids["anna"], 0, SELL)

    assert ended(of_bids) == [(number, "cancel_all") for number in bids]
    assert reason(of_nothing) == "invalid_side"
    assert ended(of_asks) == [(ask, "cancel_all")]


# ------------------------------------------------------------ the dead man's switch


def arm(venue: Venue, name: str, seconds: float) -> list[AnyEvent]:
    return venue.do(CancelAllAfter, venue.account(name), int(seconds * 1000))


def test_orders_of_one_who_falls_silent_end_once() -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 1, 99))
    others = order_id(venue.buy("ben", 1, 98))

    armed = arm(venue, "anna", 10)
    due_ns = venue.now_ns + 10 * SECOND
    venue.wait(9.9)
    before = venue.do(Tick)
    venue.wait(0.1)
    due = venue.again().do(Tick)
    again = order_id(venue.buy("anna", 1, 99))
    venue.wait(60)
    after = venue.do(Tick)

    assert armed == [CancelAfterSet(venue.ids["anna"], due_ns)]
    assert (before, ended(due), after) == ([], [(number, "cancel_after")], [])
    assert [row[0] for row in venue.engine.open_orders()] == [others, again]


def test_the_switch_is_armed_again_and_taken_back() -> None:
    venue = Venue()
    venue.buy("anna", 1, 99)
    arm(venue, "anna", 10)
    venue.wait(9)
    arm(venue, "anna", 10)
    venue.wait(9)
    first = venue.do(Tick)
    taken_back = arm(venue, "anna", 0)
    venue.wait(60)

    assert (first, venue.do(Tick)) == ([], [])
    assert taken_back == [CancelAfterSet(venue.ids["anna"], 0)]
    assert venue.engine.next_due_ns() is None


def test_a_switch_that_is_armed_anew_has_its_turn_by_its_newest_command() -> None:
    venue = Venue()
    venue.buy("anna", 1, 90)
    venue.buy("ben", 1, 90)
    for name, seconds in (("anna", 1), ("ben", 1), ("anna", 0), ("anna", 1)):
        arm(venue, name, seconds)
    again = Engine.restore(venue.engine.snapshot())
    later_ns = venue.now_ns + SECOND

    events = venue.engine.apply(Tick(b"", 0), later_ns)

    ended = [venue.name(event.account_id) for event in events if isinstance(event, Closed)]
    assert ended == ["ben", "anna"]
    assert again.apply(Tick(b"", 0), later_ns) == events


@pytest.mark.parametrize("timeout_ms", [-1, 86_400_001])
def test_a_switch_has_a_day_at_most(timeout_ms: int) -> None:
    venue = Venue()
    account_id = venue.account("anna")

    refused = venue.do(CancelAllAfter, account_id, timeout_ms)

    assert refused == [Rejected("invalid_timeout", account_id)]
    assert reason(venue.do(CancelAllAfter, 77, 5)) == "unknown_account"


# ------------------------------------------------------------ kill


def test_the_kill_of_an_account_blocks_it_and_ends_its_orders() -> None:
    venue = Venue()
    mine = [order_id(venue.buy("anna", 1, 99)), order_id(venue.sell("anna", 1, 101))]
    venue.buy("ben", 1, 98)

    events = venue.do(Kill, KILL_ACCOUNT, venue.ids["anna"])

    assert only(events, AccountSet).state == BLOCKED
    assert ended(events) == [(number, "kill") for number in mine]
    assert reason(venue.buy("anna", 1, 99)) == "account_blocked"


def test_the_kill_of_a_market_leaves_it_to_cancels() -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 1, 99))

    events = venue.do(Kill, KILL_MARKET, MARKET_ID)

    assert only(events, InstrumentSet).instrument == market(state=CANCEL_ONLY)
    assert ended(events) == [(number, "kill")]
    assert reason(venue.buy("anna", 1, 99)) == "cancel_only"


def test_the_kill_of_the_venue_never_loosens_a_halt() -> None:
    venue = Venue()
    number = order_id(venue.buy("anna", 1, 99))
    closed = venue.do(Kill, KILL_VENUE)
    venue.do(SetVenue, HALTED)

    again = venue.do(Kill, KILL_VENUE)

    assert closed[0] == VenueSet(CANCEL_ONLY)
    assert ended(closed) == [(number, "kill")]
    assert again == [VenueSet(HALTED)]


@pytest.mark.parametrize(
    ("scope", "target_id", "why"),
    [
        (KILL_ACCOUNT, 1, "unknown_account"),
        (KILL_ACCOUNT, 0, "unknown_account"),
        (KILL_MARKET, 0, "unknown_market"),
        (KILL_VENUE, 5, "invalid_scope"),
        (0, 0, "invalid_scope"),
    ],
)
def test_a_kill_names_what_it_stops(scope: int, target_id: int, why: str) -> None:
    venue = Venue()

    assert reason(venue.do(Kill, scope, target_id)) == why


def test_whose_purchases_are_ended_for_him_is_told_why() -> None:
    venue = Venue()
    venue.buy("anna", 1, 90)
    venue.sell("anna", 1, 110)

    told = venue.do(CancelAll, venue.ids["anna"], 0, BUY, True)

    assert [(event.side, event.reason) for event in told] == [(BUY, "reduce_only")]
