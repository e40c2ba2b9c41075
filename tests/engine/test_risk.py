"""Every refusal of an order has its case here, with the venue unchanged after it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.engine import risk
from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    FOK,
    GTC,
    GTD,
    HALTED,
    IOC,
    LIMIT,
    MARKET,
    NORMAL,
    OPEN,
    REDUCE_ONLY,
    SELL,
    STOP,
    STOP_LIMIT,
    Accepted,
    AccountSet,
    CancelAll,
    Closed,
    Deposit,
    Hold,
    Limits,
    ListInstrument,
    Place,
    Rejected,
    SetAccount,
    SetInstrument,
    SetReference,
    SetVenue,
    Terms,
)
from tests.engine.venue import (
    BASE,
    MARKET_ID,
    QUOTE,
    SECOND,
    START_NS,
    Venue,
    ending,
    market,
    only,
    order_id,
    reason,
)

GOOD: dict[str, Any] = {
    "market_id": MARKET_ID,
    "side": BUY,
    "order_type": LIMIT,
    "time_in_force": GTC,
    "quantity_lots": 5,
    "price_ticks": 100,
}
BAD_TERMS = {
    "unknown market": ({"market_id": 9}, "unknown_market"),
    "side zero": ({"side": 0}, "invalid_order"),
    "side three": ({"side": 3}, "invalid_order"),
    "type zero": ({"order_type": 0}, "invalid_order"),
    "type five": ({"order_type": 5}, "invalid_order"),
    "force zero": ({"time_in_force": 0}, "invalid_order"),
    "force five": ({"time_in_force": 5}, "invalid_order"),
    "self-trade zero": ({"self_trade": 0}, "invalid_order"),
    "self-trade five": ({"self_trade": 5}, "invalid_order"),
    "limit without a price": ({"price_ticks": 0}, "invalid_price"),
    "negative price": ({"price_ticks": -1}, "invalid_price"),
    "price out of range": ({"price_ticks": AMOUNT_MAX + 1}, "invalid_price"),
    "no quantity": ({"quantity_lots": 0}, "invalid_quantity"),
    "negative quantity": ({"quantity_lots": -1}, "invalid_quantity"),
    "quantity out of range": ({"quantity_lots": AMOUNT_MAX + 1}, "invalid_quantity"),
    "limit with a stop": ({"stop_ticks": 120}, "invalid_order"),
    "limit with a budget": ({"quote_minor": 500}, "invalid_order"),
    "date without GTD": ({"expires_at_ns": START_NS + SECOND}, "invalid_order"),
    "GTD without a date": ({"time_in_force": GTD}, "invalid_order"),
    "GTD in the past": ({"time_in_force": GTD, "expires_at_ns": START_NS}, "invalid_order"),
    "post-only IOC": ({"time_in_force": IOC, "post_only": True}, "invalid_order"),
    "post-only FOK": ({"time_in_force": FOK, "post_only": True}, "invalid_order"),
    "market with a price": ({"order_type": MARKET, "time_in_force": IOC}, "invalid_order"),
    "market GTC": ({"order_type": MARKET, "price_ticks": 0}, "invalid_order"),
    "market GTD": (
        {
            "order_type": MARKET,
            "price_ticks": 0,
            "time_in_force": GTD,
            "expires_at_ns": START_NS + SECOND,
        },
        "invalid_order",
    ),
    "sell by budget": (
        {
            "order_type": MARKET,
            "price_ticks": 0,
            "time_in_force": IOC,
            "side": SELL,
            "quantity_lots": 0,
            "quote_minor": 500,
        },
        "invalid_order",
    ),
    "budget and quantity": (
        {"order_type": MARKET, "price_ticks": 0, "time_in_force": IOC, "quote_minor": 500},
        "invalid_order",
    ),
    "negative budget": (
        {
            "order_type": MARKET,
            "price_ticks": 0,
            "time_in_force": IOC,
            "quantity_lots": 0,
            "quote_minor": -5,
        },
        "invalid_quantity",
    ),
    "stop with a limit price": ({"order_type": STOP, "stop_ticks": 120}, "invalid_order"),
    "stop IOC": (
        {"order_type": STOP, "price_ticks": 0, "stop_ticks": 120, "time_in_force": IOC},
        "invalid_order",
    ),
    "stop without a stop": ({"order_type": STOP, "price_ticks": 0}, "invalid_price"),
    "stop-limit without a stop": ({"order_type": STOP_LIMIT}, "invalid_price"),
    "post-only stop-limit": (
        {"order_type": STOP_LIMIT, "stop_ticks": 120, "post_only": True},
        "invalid_order",
    ),
    "crossed stop": ({"order_type": STOP, "price_ticks": 0, "stop_ticks": 100}, "would_trigger"),
    "above the band": ({"price_ticks": 111}, "price_band"),
    "below the band": ({"side": SELL, "price_ticks": 89}, "price_band"),
    "below the minimum quantity": ({"quantity_lots": 1}, "min_quantity"),
    "above the maximum quantity": ({"quantity_lots": 1_001}, "max_quantity"),
    "below the minimum notional": ({"quantity_lots": 2, "price_ticks": 99}, "min_notional"),
    "above the maximum notional": ({"quantity_lots": 1_000}, "max_notional"),
}


@pytest.mark.parametrize("case", BAD_TERMS)
def test_bad_terms_are_refused_with_their_reason(case: str) -> None:
    changes, expected = BAD_TERMS[case]
    venue = Venue(
        market(
            min_quantity_lots=2,
            max_quantity_lots=1_000,
            min_notional_minor=200,
            max_notional_minor=90_000,
        )
    )
    venue.trade_at(100, 2)
    venue.account("anna")
    before = list(venue.engine.balances())

    events = venue.place("anna", Terms(**{**GOOD, **changes}))

    assert reason(events) == expected
    assert events[0].account_id == venue.ids["anna"]
    assert list(venue.engine.balances()) == before
    assert isinstance(venue.place("anna", Terms(**GOOD))[0], Accepted)


@pytest.mark.parametrize(
    ("client_order_id", "expected"),
    [
        ("", "client_order_id_required"),
        ("x" * 65, "invalid_order"),
        ("zero\x00byte", "invalid_order"),
        ("café", "invalid_order"),
        ("line\nbreak", "invalid_order"),
    ],
)
def test_client_order_ids_are_short_printable_ascii(client_order_id: str, expected: str) -> None:
    venue = Venue()
    account_id = venue.account("anna")

    events = venue.do(Place, account_id, client_order_id, Terms(**GOOD))

    assert reason(events) == expected


@pytest.mark.parametrize("command_id", [b"", b"x" * 15, b"x" * 17])
def test_command_ids_have_sixteen_bytes(command_id: bytes) -> None:
    venue = Venue()
    account_id = venue.account("anna")
    until_ns = venue.now_ns + SECOND

    placed = venue.engine.apply(
        Place(command_id, until_ns, account_id, "a", Terms(**GOOD)), venue.now_ns
    )
    closed = venue.engine.apply(CancelAll(command_id, until_ns, account_id), venue.now_ns)

    assert reason(placed) == reason(closed) == "invalid_command"


def test_an_unknown_account_has_no_orders() -> None:
    venue = Venue()

    assert reason(venue.do(Place, 4_711, "a", Terms(**GOOD))) == "unknown_account"


@pytest.mark.parametrize("account_id", [1, 2])
def test_the_fixed_accounts_never_trade(account_id: int) -> None:
    venue = Venue()

    assert reason(venue.do(Place, account_id, "a", Terms(**GOOD))) == "account_blocked"
    assert reason(venue.do(SetAccount, account_id, NORMAL, 1, Limits())) == "unknown_account"


def test_a_blocked_account_cancels_but_does_not_order() -> None:
    venue = Venue()
    resting = order_id(venue.buy("anna", 1, 100))
    venue.do(SetAccount, venue.ids["anna"], BLOCKED, 1, Limits())

    assert reason(venue.buy("anna", 1, 100)) == "account_blocked"
    assert reason(venue.sell("anna", 1, 100)) == "account_blocked"
    assert ending(venue.cancel("anna", resting)) == "user"


def test_a_reduce_only_account_sells_but_does_not_buy() -> None:
    venue = Venue()
    venue.account("anna")
    venue.do(SetAccount, venue.ids["anna"], REDUCE_ONLY, 1, Limits())

    assert reason(venue.buy("anna", 1, 100)) == "reduce_only"
    assert isinstance(venue.sell("anna", 1, 100)[0], Accepted)


@pytest.mark.parametrize(
    ("venue_state", "market_state", "expected"),
    [
        (CANCEL_ONLY, OPEN, "cancel_only"),
        (HALTED, OPEN, "venue_halted"),
        (OPEN, CANCEL_ONLY, "cancel_only"),
        (OPEN, HALTED, "market_halted"),
        (CANCEL_ONLY, HALTED, "market_halted"),
        (HALTED, HALTED, "venue_halted"),
    ],
)
def test_a_closed_market_or_venue_takes_cancels_only(
    venue_state: int, market_state: int, expected: str
) -> None:
    venue = Venue()
    resting = order_id(venue.buy("anna", 1, 100))
    venue.do(SetVenue, venue_state)
    venue.do(SetInstrument, market(state=market_state))

    refused = venue.sell("ben", 1, 100)
    closed = venue.cancel("anna", resting)
    venue.do(SetVenue, OPEN)
    venue.do(SetInstrument, market())

    assert reason(refused) == expected
    assert ending(closed) == "user"
    assert isinstance(venue.sell("ben", 1, 100)[0], Accepted)


def test_the_balance_must_cover_the_hold_to_the_last_unit() -> None:
    venue = Venue(market(taker_fee_ppm=1_000), plenty=0)
    venue.open("anna")
    venue.fund("anna", quote=501, base=4)

    assert reason(venue.buy("anna", 5, 100)) == "insufficient_balance"
    assert reason(venue.sell("anna", 5, 100)) == "insufficient_balance"
    venue.fund("anna", quote=1, base=1)
    assert only(venue.buy("anna", 5, 100), Accepted).hold_minor == 502


def test_a_market_buy_that_cannot_pay_one_lot_is_refused() -> None:
    venue = Venue(market(taker_fee_ppm=1_000), plenty=0)
    for name, quote, base in (("anna", 100, 0), ("ben", 0, 5)):
        venue.open(name)
        venue.fund(name, quote=quote, base=base)
    venue.sell("ben", 5, 100)

    refused = venue.market_order("anna", BUY, 1)
    venue.fund("anna", quote=1)

    assert reason(refused) == "insufficient_balance"
    assert ending(venue.market_order("anna", BUY, 2)) == "budget"


@pytest.mark.parametrize("quote", [0, 1])
def test_who_has_nothing_left_to_spend_cannot_buy_at_market(quote: int) -> None:
    # With one unit the account has a balance, but a withdrawal holds all of it.
    venue = Venue(market(), plenty=0)
    for name, funds in (("anna", quote), ("ben", 0)):
        venue.open(name)
        venue.fund(name, quote=funds, base=5)
    venue.sell("ben", 5, 100)
    if quote:
        venue.do(Hold, venue.ids["anna"], QUOTE, quote, 1)

    refused = [
        venue.market_order("anna", BUY, 1),
        venue.place("anna", Terms(MARKET_ID, BUY, MARKET, IOC, 0, quote_minor=200)),
    ]

    assert [reason(events) for events in refused] == ["insufficient_balance"] * 2
    assert venue.money("anna") == (0, quote, 5, 0)


def test_open_orders_are_limited_but_not_those_that_cannot_stay() -> None:
    venue = Venue()
    venue.account("anna", Limits(2, 0, 0))
    first = order_id(venue.buy("anna", 1, 90))
    venue.buy("anna", 1, 91)

    assert reason(venue.buy("anna", 1, 92)) == "max_open_orders"
    assert reason(venue.stop("anna", BUY, 1, 200)) == "max_open_orders"
    assert ending(venue.buy("anna", 1, 92, force=IOC)) == "ioc"
    venue.cancel("anna", first)
    assert isinstance(venue.buy("anna", 1, 92)[0], Accepted)


def test_orders_per_second_are_limited() -> None:
    venue = Venue()
    venue.account("anna", Limits(0, 3, 0))

    answers = [venue.buy("anna", 1, 90 + number) for number in range(5)]
    venue.wait(1)

    assert [len(answer) for answer in answers] == [2, 2, 2, 1, 1]
    assert reason(answers[3]) == reason(answers[4]) == "rate_limit"
    assert isinstance(venue.buy("anna", 1, 99)[0], Accepted)


def test_refused_orders_count_towards_the_rate() -> None:
    venue = Venue()
    venue.account("anna", Limits(0, 3, 0))
    for _ in range(3):
        assert reason(venue.buy("anna", 0, 90)) == "invalid_quantity"

    assert reason(venue.buy("anna", 1, 90)) == "rate_limit"


def test_the_same_order_again_and_again_is_refused() -> None:
    venue = Venue()
    venue.account("anna", Limits(0, 0, 2))
    same = [venue.buy("anna", 1, 90) for _ in range(3)]
    other = venue.buy("anna", 1, 91)
    once_more = venue.buy("anna", 1, 90)

    assert reason(same[2]) == "repeated_order"
    assert isinstance(other[0], Accepted)
    assert isinstance(once_more[0], Accepted)


def test_throttles_are_in_the_snapshot() -> None:
    venue = Venue()
    venue.account("anna", Limits(0, 3, 2))
    venue.buy("anna", 1, 90)
    venue.buy("anna", 1, 90)

    assert reason(venue.again().buy("anna", 1, 90)) == "repeated_order"
    assert reason(venue.again().buy("anna", 1, 91)) == "rate_limit"


def test_the_position_limit_counts_holdings_and_open_buys() -> None:
    venue = Venue(market(max_position_lots=100, lot_minor=10), plenty=0)
    venue.open("anna")
    venue.fund("anna", quote=10**9, base=409)
    venue.buy("anna", 30, 90)

    assert reason(venue.buy("anna", 31, 90)) == "max_position"
    assert isinstance(venue.sell("anna", 40, 200)[0], Accepted)
    assert reason(venue.buy("anna", 31, 90)) == "max_position"
    assert isinstance(venue.buy("anna", 30, 90)[0], Accepted)


def test_the_position_limit_bounds_what_a_budget_could_buy() -> None:
    venue = Venue(market(max_position_lots=100), plenty=0)
    venue.open("anna")
    venue.fund("anna", quote=10**9)
    venue.open("ben")
    venue.fund("ben", base=10**3)
    venue.sell("ben", 500, 10)
    budget = {"order_type": MARKET, "time_in_force": IOC, "quantity_lots": 0, "price_ticks": 0}

    assert reason(venue.place("anna", Terms(**{**GOOD, **budget, "quote_minor": 1_010}))) == (
        "max_position"
    )
    assert (
        only(venue.place("anna", Terms(**{**GOOD, **budget, "quote_minor": 1_009})), Closed).reason
        == "budget"
    )


def test_an_account_may_have_a_greatest_value_of_its_orders() -> None:
    venue = Venue(market(tick_lot_minor=3, max_notional_minor=10**6))
    venue.account("anna", Limits(0, 0, 0, False, 3_000, QUOTE))
    venue.account("elsewhere", Limits(0, 0, 0, False, 3_000, BASE))

    assert isinstance(venue.buy("anna", 10, 100)[0], Accepted)
    assert reason(venue.buy("anna", 11, 100)) == "max_order_notional"
    assert reason(venue.sell("anna", 11, 100)) == "max_order_notional"
    assert reason(venue.stop("anna", BUY, 11, 100)) == "max_order_notional"
    assert reason(venue.again().buy("anna", 11, 100)) == "max_order_notional"
    assert reason(venue.buy("anna", 4_000, 100)) == "max_notional"
    assert reason(venue.buy("elsewhere", 1, 1)) == "max_order_notional"


def test_the_greatest_value_of_an_order_counts_in_any_market() -> None:
    """In euros, of orders that are paid in dollars, in coins and in something without a price."""
    euro, coin, paper = 7, 8, 9
    venue = Venue()
    venue.do(ListInstrument, market(market_id=2, base_asset_id=coin, quote_asset_id=euro,
                                    lot_minor=10, tick_lot_minor=3))  # fmt: skip
    venue.do(ListInstrument, market(market_id=3, base_asset_id=euro, quote_asset_id=QUOTE,
                                    lot_minor=100, tick_lot_minor=7))  # fmt: skip
    venue.do(ListInstrument, market(market_id=4, base_asset_id=BASE, quote_asset_id=coin))
    venue.do(ListInstrument, market(market_id=5, base_asset_id=BASE, quote_asset_id=paper))
    venue.account("anna", Limits(0, 0, 0, False, 3_000, euro))
    venue.do(Deposit, venue.ids["anna"], coin, 10**6)

    def answer(market_id: int, price: int) -> str:
        terms = Terms(**{**GOOD, "market_id": market_id, "side": SELL, "quantity_lots": 1,
                         "price_ticks": price})  # fmt: skip
        first = venue.place("anna", terms)[0]
        return first.reason if isinstance(first, Rejected) else ""

    # Before there are prices nobody can say what anything is worth.
    unknown = [answer(number, 1) for number in (1, 4, 5)]
    venue.do(SetReference, 2, 50)
    venue.do(SetReference, 3, 33)
    # A lot of ten coins is worth 150 euros, so 3,000 euros are 200 coins.
    coins = [answer(4, price) for price in (200, 201)]
    # A hundred euros cost 231 dollars: 3,000 euros are 6,930 dollars, and one more is too much.
    dollars = [answer(1, price) for price in (6_930, 6_931)]
    after_restart = [venue.again() and answer(4, price) for price in (200, 201)]

    assert unknown == ["max_order_notional"] * 3
    assert coins == ["", "max_order_notional"]
    assert dollars == ["", "max_order_notional"]
    assert after_restart == coins
    assert answer(5, 1) == "max_order_notional"


def test_a_budget_counts_as_the_value_of_its_order() -> None:
    venue = Venue()
    venue.account("anna", Limits(0, 0, 0, False, 1_000, QUOTE))
    venue.sell("ben", 50, 100)
    budget = {"order_type": MARKET, "time_in_force": IOC, "quantity_lots": 0, "price_ticks": 0}

    over = venue.place("anna", Terms(**{**GOOD, **budget, "quote_minor": 1_001}))
    within = venue.place("anna", Terms(**{**GOOD, **budget, "quote_minor": 1_000}))

    assert reason(over) == "max_order_notional"
    assert isinstance(within[0], Accepted)


def test_a_change_of_limits_may_leave_the_state_as_it_is() -> None:
    venue = Venue()
    venue.open("anna")
    anna = venue.ids["anna"]
    venue.do(SetAccount, anna, REDUCE_ONLY, 1, Limits())

    told = venue.do(SetAccount, anna, NORMAL, 1, Limits(5, 5, 5), True)

    assert told == [AccountSet(anna, REDUCE_ONLY, 1, Limits(5, 5, 5))]
    assert reason(venue.buy("anna", 1, 90)) == "reduce_only"


def test_the_house_may_go_below_the_minimums() -> None:
    venue = Venue(market(min_quantity_lots=5, min_notional_minor=1_000))
    venue.account("house", Limits(0, 0, 0, below_minimums=True))

    assert isinstance(venue.sell("house", 1, 100)[0], Accepted)
    assert reason(venue.sell("anna", 1, 100)) == "min_quantity"
    assert reason(venue.sell("anna", 5, 100)) == "min_notional"
    assert reason(venue.sell("house", 0, 100)) == "invalid_quantity"


def test_the_quantity_limit_keeps_amounts_in_range() -> None:
    venue = Venue(market(lot_minor=10**6))

    too_many = AMOUNT_MAX // 10**6 + 1
    assert reason(venue.sell("anna", too_many, 1)) == "max_quantity"
    assert reason(venue.sell("anna", too_many - 1, AMOUNT_MAX)) == "max_notional"


FIELD = st.sampled_from([-1, 0, 1, 2, 3, 4, 5, 60, 95, 100, 105, 120, AMOUNT_MAX, 2**63])


@given(
    terms=st.builds(
        Terms,
        st.just(MARKET_ID),
        FIELD,
        FIELD,
        FIELD,
        FIELD,
        st.sampled_from([0, 0, 0, 100, -1]),
        FIELD,
        st.sampled_from([0, 0, 0, 120]),
        st.sampled_from([0, 0, 0, START_NS * 2]),
        st.booleans(),
        st.sampled_from([0, 1, 2, 3, 4]),
    ),
    venue_state=st.sampled_from([OPEN, OPEN, OPEN, CANCEL_ONLY, HALTED]),
    account_state=st.sampled_from([NORMAL, NORMAL, NORMAL, REDUCE_ONLY, BLOCKED]),
)
def test_the_short_way_accepts_nothing_that_the_long_way_refuses(
    terms: Terms, venue_state: int, account_state: int
) -> None:
    venue = Venue(
        market(
            min_quantity_lots=2,
            max_quantity_lots=110,
            min_notional_minor=200,
            max_notional_minor=11_000,
            maker_fee_ppm=800,
            taker_fee_ppm=1_000,
        )
    )
    venue.trade_at(100, 2)
    account = venue.engine.accounts[venue.account("anna")]
    account.admit(account_state, account.limits)
    venue.engine.set_venue(venue_state)
    book = venue.engine.books[MARKET_ID]
    book.fix_band(venue.now_ns // SECOND)

    short = risk.plain_hold_minor(account, terms, book)
    long = risk.order_refusal(account, terms, book, venue_state, venue.now_ns)

    plain = terms.order_type == LIMIT and terms.time_in_force == GTC and not terms.post_only
    assert bool(short) == (not long and plain)
    if short:
        assert short == risk.order_hold_minor(terms, book, terms.price_ticks, 0)
