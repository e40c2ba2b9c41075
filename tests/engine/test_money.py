"""Accounts, deposits, two-phase withdrawals, transfers: value moves, and is never made."""

from __future__ import annotations

from typing import Any

import pytest

from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    HALTED,
    AccountOpened,
    AccountSet,
    AnyEvent,
    CancelAll,
    Closed,
    Deposit,
    Deposited,
    Duplicate,
    Hold,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    Instrument,
    InstrumentListed,
    InstrumentSet,
    Leg,
    Limits,
    ListInstrument,
    OpenAccount,
    Prevented,
    Release,
    SetAccount,
    SetInstrument,
    Settle,
    SetVenue,
    Transfer,
    Transferred,
    VenueSet,
)
from tests.engine.venue import (
    BASE,
    MARKET_ID,
    QUOTE,
    Venue,
    ending,
    market,
    order_id,
    reason,
)


def balances(venue: Venue) -> list[tuple[int, int, int, int]]:
    return list(venue.engine.balances())


@pytest.fixture
def venue() -> Venue:
    found = Venue(plenty=1_000)
    found.account("anna")
    found.account("ben")
    return found


# ---------------------------------------------------------------- accounts


def test_an_account_is_opened_once(venue: Venue) -> None:
    limits = Limits(7, 8, 9)

    assert venue.do(OpenAccount, 77, -10, limits) == [AccountOpened(77, -10, limits)]
    assert reason(venue.do(OpenAccount, 77, -10, limits)) == "account_exists"
    assert reason(venue.do(OpenAccount, EXTERNAL_ACCOUNT_ID, 1)) == "account_exists"
    assert reason(venue.do(OpenAccount, FEE_ACCOUNT_ID, 1)) == "account_exists"


@pytest.mark.parametrize(
    "values",
    [
        (0, 1, Limits()),
        (-1, 1, Limits()),
        (AMOUNT_MAX + 1, 1, Limits()),
        (77, AMOUNT_MAX + 1, Limits()),
        (77, 1, Limits(-1, 0, 0)),
        (77, 1, Limits(0, 2**31, 0)),
        (77, 1, Limits(0, 0, -5)),
        (77, 1, Limits(max_order_notional_minor=-1)),
        (77, 1, Limits(max_order_notional_minor=AMOUNT_MAX + 1)),
        (77, 1, Limits(notional_asset_id=2**31)),
    ],
)
def test_accounts_with_senseless_numbers_are_refused(venue: Venue, values: Any) -> None:
    assert reason(venue.do(OpenAccount, *values)) == "invalid_account"


def test_an_account_is_set(venue: Venue) -> None:
    anna = venue.ids["anna"]
    limits = Limits(1, 2, 3)

    assert venue.do(SetAccount, anna, BLOCKED, 9, limits) == [AccountSet(anna, BLOCKED, 9, limits)]
    assert reason(venue.do(SetAccount, anna, 0, 9, limits)) == "invalid_account"
    assert reason(venue.do(SetAccount, 4_711, 1, 9, limits)) == "unknown_account"


def test_a_new_trade_group_counts_for_live_orders_too(venue: Venue) -> None:
    venue.sell("anna", 1, 100)
    venue.do(SetAccount, venue.ids["anna"], 1, 99, Limits())
    venue.do(SetAccount, venue.ids["ben"], 1, 99, Limits())

    events = venue.again().buy("ben", 1, 100)

    assert isinstance(events[1], Prevented)


# ---------------------------------------------------------------- deposits


def test_a_deposit_comes_from_the_world_outside(venue: Venue) -> None:
    anna = venue.ids["anna"]

    events = venue.do(Deposit, anna, 5, 300, "wire 1")

    assert events == [Deposited(anna, 5, 300, "wire 1")]
    assert (anna, 5, 300, 0) in balances(venue)
    assert (EXTERNAL_ACCOUNT_ID, 5, -300, 0) in balances(venue)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((4_711, QUOTE, 5), "unknown_account"),
        ((EXTERNAL_ACCOUNT_ID, QUOTE, 5), "unknown_account"),
        ((1_000, QUOTE, 0), "amount_out_of_range"),
        ((1_000, QUOTE, -5), "amount_out_of_range"),
        ((1_000, QUOTE, AMOUNT_MAX + 1), "amount_out_of_range"),
        ((1_000, QUOTE, AMOUNT_MAX), "amount_out_of_range"),
        ((1_000, 0, 5), "invalid_asset"),
        ((1_000, 2**31, 5), "invalid_asset"),
        ((1_000, QUOTE, 5, "x" * 201), "invalid_reference"),
        ((1_000, QUOTE, 5, "a\x00b"), "invalid_reference"),
    ],
)
def test_bad_deposits_are_refused(venue: Venue, values: Any, expected: str) -> None:
    before = balances(venue)

    assert reason(venue.do(Deposit, *values)) == expected
    assert balances(venue) == before


def test_no_asset_grows_beyond_its_range(venue: Venue) -> None:
    anna, ben = venue.ids["anna"], venue.ids["ben"]
    venue.do(Deposit, anna, 5, AMOUNT_MAX)

    assert reason(venue.do(Deposit, ben, 5, 1)) == "amount_out_of_range"


# ---------------------------------------------------------------- withdrawals


def test_a_withdrawal_is_held_then_settled(venue: Venue) -> None:
    anna = venue.ids["anna"]

    placed = venue.do(Hold, anna, QUOTE, 400, 9)
    while_held = venue.money("anna")
    settled = venue.again().do(Settle, 9)

    assert placed == [HoldPlaced(9, anna, QUOTE, 400)]
    assert while_held[:2] == (600, 400)
    assert settled == [HoldSettled(9, anna, QUOTE, 400)]
    assert venue.money("anna")[:2] == (600, 0)
    assert (EXTERNAL_ACCOUNT_ID, QUOTE, -1_600, 0) in balances(venue)


def test_a_withdrawal_that_fails_is_released(venue: Venue) -> None:
    anna = venue.ids["anna"]
    venue.do(Hold, anna, QUOTE, 400, 9)

    assert venue.do(Release, 9) == [HoldReleased(9, anna, QUOTE, 400)]
    assert venue.money("anna")[:2] == (1_000, 0)


def test_l6_a_hold_ends_once(venue: Venue) -> None:
    venue.do(Hold, venue.ids["anna"], QUOTE, 400, 9)
    venue.do(Settle, 9)
    before = balances(venue)

    assert reason(venue.do(Settle, 9)) == "unknown_hold"
    assert reason(venue.do(Release, 9)) == "unknown_hold"
    assert balances(venue) == before


def test_a_hold_id_is_used_once(venue: Venue) -> None:
    anna = venue.ids["anna"]
    venue.do(Hold, anna, QUOTE, 400, 9)

    assert reason(venue.do(Hold, anna, QUOTE, 1, 9)) == "hold_exists"
    venue.do(Release, 9)
    assert reason(venue.again().do(Hold, anna, QUOTE, 1, 9)) == "hold_exists"


def test_an_open_hold_keeps_its_id_however_old_it_is(venue: Venue) -> None:
    anna = venue.ids["anna"]
    venue.do(Hold, anna, QUOTE, 400, 9)
    venue.wait(3_600)

    assert reason(venue.again().do(Hold, anna, QUOTE, 1, 9)) == "hold_exists"
    assert list(venue.engine.holds()) == [(9, anna, QUOTE, 400)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((4_711, QUOTE, 5, 1), "unknown_account"),
        ((EXTERNAL_ACCOUNT_ID, QUOTE, 5, 1), "account_blocked"),
        ((1_000, QUOTE, 1_001, 1), "insufficient_balance"),
        ((1_000, 77, 1, 1), "insufficient_balance"),
        ((1_000, QUOTE, 0, 1), "amount_out_of_range"),
        ((1_000, QUOTE, -1, 1), "amount_out_of_range"),
        ((1_000, QUOTE, 1, -1), "amount_out_of_range"),
    ],
)
def test_bad_holds_are_refused(venue: Venue, values: Any, expected: str) -> None:
    before = balances(venue)

    assert reason(venue.do(Hold, *values)) == expected
    assert balances(venue) == before


def test_nothing_leaves_a_blocked_account_or_a_halted_venue(venue: Venue) -> None:
    anna = venue.ids["anna"]
    venue.do(Hold, anna, QUOTE, 5, 1)
    venue.do(SetVenue, HALTED)
    halted = venue.do(Hold, anna, QUOTE, 5, 2)
    venue.do(SetVenue, 1)
    venue.do(SetAccount, anna, BLOCKED, 1, Limits())
    blocked = venue.do(Hold, anna, QUOTE, 5, 3)

    assert reason(halted) == "venue_halted"
    assert reason(blocked) == "account_blocked"
    assert isinstance(venue.do(Settle, 1)[0], HoldSettled)


# ---------------------------------------------------------------- transfers


def test_a_transfer_moves_all_its_legs(venue: Venue) -> None:
    anna, ben = venue.ids["anna"], venue.ids["ben"]
    legs = (
        Leg(anna, QUOTE, -300),
        Leg(ben, QUOTE, 290),
        Leg(FEE_ACCOUNT_ID, QUOTE, 10),
        Leg(ben, BASE, -1),
        Leg(anna, BASE, 1),
    )

    assert venue.do(Transfer, legs, "deal") == [Transferred(legs, "deal")]
    assert venue.money("anna") == (700, 0, 1_001, 0)
    assert venue.money("ben") == (1_290, 0, 999, 0)
    assert (FEE_ACCOUNT_ID, QUOTE, 10, 0) in balances(venue)


@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ((), "transfer_unbalanced"),
        ((Leg(1_000, QUOTE, 5),), "transfer_unbalanced"),
        ((Leg(1_000, QUOTE, -5), Leg(1_001, QUOTE, 4)), "transfer_unbalanced"),
        ((Leg(1_000, QUOTE, -5), Leg(1_001, BASE, 5)), "transfer_unbalanced"),
        ((Leg(1_000, QUOTE, 0), Leg(1_001, QUOTE, 0)), "amount_out_of_range"),
        ((Leg(1_000, QUOTE, -1_001), Leg(1_001, QUOTE, 1_001)), "insufficient_balance"),
        ((Leg(4_711, QUOTE, -5), Leg(1_001, QUOTE, 5)), "unknown_account"),
        ((Leg(1_000, 0, -5), Leg(1_001, 0, 5)), "invalid_asset"),
        ((Leg(1, QUOTE, -AMOUNT_MAX), Leg(1_001, QUOTE, AMOUNT_MAX)), "amount_out_of_range"),
        ((Leg(1_000, QUOTE, -1), Leg(1_001, QUOTE, 1)) * 501, "amount_out_of_range"),
    ],
)
def test_bad_transfers_move_nothing(venue: Venue, legs: tuple[Leg, ...], expected: str) -> None:
    before = balances(venue)

    assert reason(venue.do(Transfer, legs)) == expected
    assert balances(venue) == before


def test_a_transfer_does_not_reach_what_is_held(venue: Venue) -> None:
    anna, ben = venue.ids["anna"], venue.ids["ben"]
    venue.buy("anna", 9, 100)

    events = venue.do(Transfer, (Leg(anna, QUOTE, -200), Leg(ben, QUOTE, 200)))

    assert reason(events) == "insufficient_balance"


def test_a_transfer_again_is_a_duplicate(venue: Venue) -> None:
    anna, ben = venue.ids["anna"], venue.ids["ben"]
    command = Transfer(*venue.head(), (Leg(anna, QUOTE, -5), Leg(ben, QUOTE, 5)))
    venue.engine.apply(command, venue.now_ns)
    seq = venue.engine.seq

    assert venue.engine.apply(command, venue.now_ns) == [Duplicate(seq)]
    assert venue.money("ben")[0] == 1_005


# ---------------------------------------------------------------- markets


def test_a_market_is_listed_once(venue: Venue) -> None:
    other = market(market_id=2, base_asset_id=3)

    assert venue.do(ListInstrument, other) == [InstrumentListed(other)]
    assert reason(venue.do(ListInstrument, other)) == "market_exists"
    assert venue.engine.instruments == {1: market(), 2: other}


@pytest.mark.parametrize(
    "changes",
    [
        {"market_id": 0},
        {"base_asset_id": QUOTE},
        {"quote_asset_id": 0},
        {"lot_minor": 0},
        {"tick_lot_minor": 0},
        {"min_quantity_lots": 0},
        {"min_quantity_lots": 5, "max_quantity_lots": 4},
        {"max_quantity_lots": -1},
        {"min_notional_minor": -1},
        {"min_notional_minor": 5, "max_notional_minor": 4},
        {"max_notional_minor": -1},
        {"maker_fee_ppm": -1},
        {"taker_fee_ppm": 100_001},
        {"band_bps": 0},
        {"band_bps": 10_001},
        {"state": 0},
        {"state": 4},
        {"max_position_lots": -1},
        {"symbol": "x" * 201},
    ],
)
def test_markets_with_senseless_numbers_are_refused(venue: Venue, changes: Any) -> None:
    fields = {"market_id": 2, "base_asset_id": 3, **changes}

    assert reason(venue.do(ListInstrument, market(**fields))) == "invalid_instrument"
    assert list(venue.engine.instruments) == [1]


def test_fees_limits_band_and_state_of_a_market_change(venue: Venue) -> None:
    changed = market(
        min_quantity_lots=2,
        max_quantity_lots=9,
        min_notional_minor=3,
        max_notional_minor=10**6,
        maker_fee_ppm=1,
        taker_fee_ppm=2,
        band_bps=77,
        state=2,
        max_position_lots=50,
        symbol="A-B",
    )

    assert venue.do(SetInstrument, changed) == [InstrumentSet(changed)]
    assert venue.engine.instruments == {MARKET_ID: changed}
    assert venue.again().engine.instruments == {MARKET_ID: changed}


@pytest.mark.parametrize(
    ("instrument", "expected"),
    [
        (market(market_id=9), "unknown_market"),
        (market(base_asset_id=7), "invalid_instrument"),
        (market(quote_asset_id=7), "invalid_instrument"),
        (market(lot_minor=7), "invalid_instrument"),
        (market(tick_lot_minor=7), "invalid_instrument"),
        (market(band_bps=0), "invalid_instrument"),
    ],
)
def test_units_of_a_market_never_change(
    venue: Venue, instrument: Instrument, expected: str
) -> None:
    assert reason(venue.do(SetInstrument, instrument)) == expected
    assert venue.engine.instruments == {MARKET_ID: market()}


# ---------------------------------------------------------------- cancels and the kill switch


def ended(events: list[AnyEvent]) -> list[int]:
    return [event.order_id for event in events if isinstance(event, Closed)]


def test_cancel_all_ends_the_orders_of_an_account_in_entry_order(venue: Venue) -> None:
    venue.do(ListInstrument, market(market_id=2))
    first = order_id(venue.buy("anna", 1, 90))
    foreign = order_id(venue.buy("ben", 1, 90))
    second = order_id(venue.stop("anna", 2, 1, 80))

    assert ended(venue.do(CancelAll, venue.ids["anna"], 2)) == []
    events = venue.do(CancelAll, venue.ids["anna"], 1)

    assert ended(events) == [first, second]
    assert {event.reason for event in events} == {"cancel_all"}
    assert [row[0] for row in venue.engine.open_orders()] == [foreign]
    assert venue.money("anna") == (1_000, 0, 1_000, 0)


def test_the_kill_switch_ends_everything_and_lets_nothing_in(venue: Venue) -> None:
    orders = [order_id(venue.buy(name, 1, 90)) for name in ("anna", "ben", "anna")]

    halted = venue.do(SetVenue, HALTED)
    events = venue.do(CancelAll, 0)

    assert halted == [VenueSet(HALTED)]
    assert ended(events) == orders
    assert {event.reason for event in events} == {"kill"}
    assert reason(venue.buy("anna", 1, 90)) == "venue_halted"
    assert reason(venue.do(SetVenue, 0)) == "invalid_venue_state"


def test_cancel_all_of_what_does_not_exist_is_refused(venue: Venue) -> None:
    assert reason(venue.do(CancelAll, 4_711)) == "unknown_account"
    assert reason(venue.do(CancelAll, 0, 9)) == "unknown_market"


def test_a_foreign_order_looks_like_none(venue: Venue) -> None:
    resting = order_id(venue.buy("anna", 1, 90))

    assert reason(venue.cancel("ben", resting)) == "order_not_found"
    assert reason(venue.cancel("ben", 10**6)) == "order_not_found"
    assert ending(venue.cancel("anna", resting)) == "user"
    assert reason(venue.cancel("anna", resting)) == "order_not_found"
