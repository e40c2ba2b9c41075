"""One test, or a few, for each numbered rule of the engine. The number is in the test's name."""

from __future__ import annotations

import msgspec
import pytest

from apps.engine import state
from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    CANCEL_ONLY,
    FILLED,
    GTD,
    HALTED,
    LIMIT,
    MARKET,
    OPEN,
    SELL,
    Accepted,
    AnyEvent,
    Cancel,
    CancelAll,
    Closed,
    Deposit,
    Duplicate,
    Malformed,
    Place,
    Quarantined,
    Rejected,
    Rested,
    RulesSet,
    SetInstrument,
    SetReference,
    SetRules,
    SetVenue,
    Terms,
    Tick,
    Trade,
    VenueSet,
)
from tests.engine.venue import (
    BASE,
    IOC,
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
    trades,
)


def plain(side: int = BUY, lots: int = 1, price: int = 100) -> Terms:
    return Terms(MARKET_ID, side, LIMIT, 1, lots, price_ticks=price)


# ---------------------------------------------------------------- R1 commands in


@pytest.mark.parametrize(
    ("valid_seconds", "answer"),
    [(-0.000001, "expired_command"), (0, ""), (10, ""), (11, ""), (11.001, "expired_command")],
)
def test_r1_1_an_order_is_valid_for_ten_seconds_and_a_second_of_skew(
    valid_seconds: float, answer: str
) -> None:
    venue = Venue()
    account_id = venue.account("anna")

    command = Place(*venue.head(valid_seconds), account_id, "a", plain())
    events = venue.engine.apply(command, venue.now_ns)

    assert (reason(events) if answer else "") == answer


@pytest.mark.parametrize(
    ("valid_seconds", "answer"),
    [(-0.000001, "expired_command"), (0, ""), (301, ""), (301.001, "expired_command")],
)
def test_r1_1_other_commands_are_valid_for_five_minutes(valid_seconds: float, answer: str) -> None:
    venue = Venue()

    command = Deposit(*venue.head(valid_seconds), venue.account("anna"), QUOTE, 5)
    events = venue.engine.apply(command, venue.now_ns)

    assert (reason(events) if answer else "") == answer


def test_r1_1_validity_is_checked_against_journaled_time() -> None:
    venue = Venue()
    account_id = venue.account("anna")
    command = Place(*venue.head(5), account_id, "a", plain())
    venue.wait(60)
    venue.do(Tick)

    # The clock of this apply is early, but the journal has moved on.
    events = venue.engine.apply(command, START_NS)

    assert reason(events) == "expired_command"


def test_r1_2_the_same_command_again_gets_the_first_answer_and_does_nothing() -> None:
    venue = Venue()
    command = Deposit(*venue.head(), venue.account("anna"), QUOTE, 5)
    venue.engine.apply(command, venue.now_ns)
    first_seq = venue.engine.seq
    before = venue.money("anna")

    later = msgspec.structs.replace(command, valid_until_ns=command.valid_until_ns + SECOND)
    events = venue.engine.apply(later, venue.now_ns)

    assert events == [Duplicate(first_seq)]
    assert venue.money("anna") == before


def test_r1_2_the_same_id_for_another_command_is_refused() -> None:
    venue = Venue()
    account_id = venue.account("anna")
    command_id, valid_until_ns = venue.head()
    venue.engine.apply(Deposit(command_id, valid_until_ns, account_id, QUOTE, 5), venue.now_ns)
    before = venue.money("anna")

    for other in (
        Deposit(command_id, valid_until_ns, account_id, QUOTE, 6),
        Cancel(command_id, valid_until_ns, account_id, 1),
        Place(command_id, valid_until_ns, account_id, "a", plain()),
    ):
        assert reason(venue.engine.apply(other, venue.now_ns)) == "id_reused"

    assert venue.money("anna") == before


def test_r1_2_a_client_order_id_stands_for_one_order() -> None:
    venue = Venue()
    venue.account("anna")
    first = venue.place("anna", plain(), "mine")
    first_seq = venue.engine.seq

    again = venue.place("anna", plain(), "mine")
    other = venue.place("anna", plain(lots=2), "mine")
    foreign = venue.place("ben", plain(), "mine")

    assert again == [Duplicate(first_seq, order_id(first))]
    assert reason(other) == "id_reused"
    assert order_id(foreign) == order_id(first) + 1


def test_r1_2_a_refusal_consumes_no_client_order_id() -> None:
    venue = Venue(plenty=0)
    venue.open("anna")
    refused = venue.place("anna", plain(), "mine")
    venue.fund("anna", quote=1_000)

    accepted = venue.place("anna", plain(), "mine")

    assert reason(refused) == "insufficient_balance"
    assert order_id(accepted) == 1


def test_r1_2_ids_are_remembered_for_ten_minutes_in_any_snapshot() -> None:
    venue = Venue()
    venue.account("anna")
    terms = plain()
    first = venue.place("anna", terms, "mine")
    venue.cancel("anna", order_id(first))

    venue.wait(599.999)
    within = venue.again().place("anna", terms, "mine")
    venue.wait(0.001)
    after = venue.again().place("anna", terms, "mine")

    assert within == [Duplicate(5, order_id(first))]
    assert order_id(after) == order_id(first) + 1


def test_r1_2_the_client_order_id_of_a_live_order_stays_taken() -> None:
    venue = Venue()
    first = venue.place("anna", plain(), "mine")
    seq = venue.engine.seq
    venue.wait(3_600)
    venue.do(Tick)

    assert venue.place("anna", plain(), "mine") == [Duplicate(seq, order_id(first))]
    assert venue.again().place("anna", plain(), "mine") == [Duplicate(seq, order_id(first))]
    assert reason(venue.place("anna", plain(lots=2), "mine")) == "id_reused"
    assert only(venue.do(Cancel, venue.ids["anna"], 0, "mine"), Closed).reason == "user"
    assert order_id(venue.place("anna", plain(), "mine")) == order_id(first) + 1


def test_r1_2_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "REMEMBERED_MAX", 10)
    venue = Venue()
    account_id = venue.account("anna")
    venue.place("anna", plain(), "first")
    command = Deposit(*venue.head(), account_id, QUOTE, 5)
    venue.engine.apply(command, venue.now_ns)
    for _ in range(10):
        venue.do(Deposit, account_id, QUOTE, 1)
    repeated = venue.again().engine.apply(command, venue.now_ns)
    venue.do(Deposit, account_id, QUOTE, 1)
    carried_out_twice = venue.engine.apply(command, venue.now_ns)

    assert len(venue.engine.remembered) <= 11
    assert [type(event).__name__ for event in repeated] == ["Deposited"]
    assert isinstance(carried_out_twice[0], Duplicate)


def test_r3_3_a_malformed_entry_is_passed_over() -> None:
    venue = Venue()
    before = venue.engine.seq

    events = venue.do(Malformed, b"\xff")

    assert events == []
    assert venue.engine.seq == before + 1


def test_r3_3_a_quarantined_command_closes_the_venue_to_new_orders() -> None:
    venue = Venue()
    resting = order_id(venue.buy("anna", 1, 100))

    events = venue.do(Quarantined, b"\x93", "KeyError: 7")

    assert events == [VenueSet(CANCEL_ONLY)]
    assert reason(venue.buy("anna", 1, 100)) == "cancel_only"
    assert ending(venue.cancel("anna", resting)) == "user"
    venue.do(SetVenue, OPEN)
    assert isinstance(venue.buy("anna", 1, 100)[-1], Rested)


def test_r3_3_quarantine_does_not_loosen_a_halt() -> None:
    venue = Venue()
    venue.do(SetVenue, HALTED)

    assert venue.do(Quarantined, b"\x93", "boom") == [VenueSet(HALTED)]


# ---------------------------------------------------------------- R4 time


def test_r4_time_never_runs_backwards() -> None:
    venue = Venue()
    venue.wait(5)
    venue.do(Tick)
    late = venue.engine.now_ns

    venue.engine.apply(Tick(*venue.head()), START_NS - SECOND)

    assert venue.engine.now_ns == late == START_NS + 5 * SECOND


def test_r4_due_timers_run_before_the_command_by_due_time_then_sequence() -> None:
    venue = Venue()
    venue.account("ben")
    dates = [30, 10, 20, 10]
    orders = [
        order_id(venue.sell("anna", 1, 200, force=GTD, expires_at_ns=venue.now_ns + date * SECOND))
        for date in dates
    ]
    venue.wait(31)

    events = venue.buy("ben", 4, 200)

    ended = [event.order_id for event in events if isinstance(event, Closed)]
    assert ended == [orders[1], orders[3], orders[2], orders[0]]
    assert [type(event).__name__ for event in events[4:]] == ["Accepted", "Rested"]


def test_r4_timers_run_even_where_the_command_is_refused() -> None:
    venue = Venue()
    venue.sell("anna", 1, 200, force=GTD, expires_at_ns=venue.now_ns + SECOND)
    venue.wait(1)

    events = venue.cancel("anna", 999)

    assert [event.reason for event in events if isinstance(event, Closed | Rejected)] == [
        "gtd",
        "order_not_found",
    ]


def test_r4_the_host_knows_when_the_next_timer_is_due() -> None:
    venue = Venue()
    assert venue.engine.next_due_ns() is None
    soon = order_id(venue.sell("anna", 1, 200, force=GTD, expires_at_ns=START_NS + 5 * SECOND))
    venue.sell("anna", 1, 200, force=GTD, expires_at_ns=START_NS + 9 * SECOND)

    assert venue.engine.next_due_ns() == START_NS + 5 * SECOND
    venue.cancel("anna", soon)
    assert venue.engine.next_due_ns() == START_NS + 9 * SECOND
    assert venue.again().engine.next_due_ns() == START_NS + 9 * SECOND
    venue.wait(9)
    assert ending(venue.do(Tick)) == "gtd"
    assert venue.engine.next_due_ns() is None


def test_r4_timers_of_ended_orders_do_not_pile_up() -> None:
    venue = Venue()
    for _ in range(3_000):
        placed = venue.sell("anna", 1, 200, force=GTD, expires_at_ns=START_NS + 9 * SECOND)
        venue.cancel("anna", order_id(placed))

    assert len(venue.engine.timers) <= 1_002


# ---------------------------------------------------------------- R5 rules


def test_r5_rules_change_only_by_command_and_only_to_known_ones() -> None:
    venue = Venue()

    assert venue.engine.rules_version == 1
    assert reason(venue.do(SetRules, 2)) == "rules_version"
    assert venue.do(SetRules, 1) == [RulesSet(1)]
    assert venue.again().engine.rules_version == 1


def test_r5_a_snapshot_of_another_format_is_refused() -> None:
    data = Engine().snapshot()
    other = msgspec.msgpack.encode([99, *msgspec.msgpack.decode(data)[1:]])

    for wrong in (other, data[:-1], b"", b"\xc1"):
        with pytest.raises(ValueError, match="snapshot"):
            Engine.restore(wrong)


# ---------------------------------------------------------------- R6 fees and holds


def test_r6_1_many_small_fills_cost_no_more_than_one_large_one() -> None:
    fees = {}
    for pieces in (1, 7, 70):
        venue = Venue(market(maker_fee_ppm=800, taker_fee_ppm=1_000))
        venue.sell("ben", 70, 33)
        for _ in range(pieces):
            venue.buy("anna", 70 // pieces, 33)
        house = {row[1]: row[2] for row in venue.engine.balances() if row[0] == 2}
        fees[pieces] = (house[QUOTE], venue.money("ben")[0] - venue.plenty)

    # Maker, one order: ceil(2310 x 0.0008) = 2 in any number of pieces. The takers are orders of
    # their own: 1 x ceil(2.31) = 3, 7 x ceil(0.33) = 7, 70 x ceil(0.033) = 70.
    assert fees == {1: (2 + 3, 2_308), 7: (2 + 7, 2_308), 70: (2 + 70, 2_308)}


def test_r6_1_one_taker_pays_for_its_sum_over_many_makers() -> None:
    venue = Venue(market(maker_fee_ppm=0, taker_fee_ppm=1_000))
    for _ in range(10):
        venue.sell("ben", 1, 33)

    events = venue.buy("anna", 10, 33)

    assert [event.taker_fee_minor for event in events if isinstance(event, Trade)] == [1] + 9 * [0]


def test_r6_1_rates_are_frozen_when_the_order_enters() -> None:
    venue = Venue(market(maker_fee_ppm=10_000, taker_fee_ppm=20_000))
    venue.sell("ben", 10, 100)
    venue.do(SetInstrument, market(maker_fee_ppm=0, taker_fee_ppm=50_000))

    trade = only(venue.again().buy("anna", 10, 100), Trade)

    assert (trade.maker_fee_minor, trade.taker_fee_minor) == (10, 50)


def test_r6_2_a_buy_reserves_its_worst_case_and_a_sell_its_quantity() -> None:
    venue = Venue(market(lot_minor=7, maker_fee_ppm=800, taker_fee_ppm=1_000))

    bought = only(venue.buy("anna", 30, 101), Accepted)
    posted = only(venue.buy("anna", 30, 101, post_only=True), Accepted)
    sold = only(venue.sell("ben", 30, 102), Accepted)

    # 30 x 101 = 3030; ceil(3.03) + 1 = 5 for a taker, ceil(2.424) + 1 = 4 where it can only make.
    assert (bought.hold_asset_id, bought.hold_minor) == (QUOTE, 3_035)
    assert (posted.hold_asset_id, posted.hold_minor) == (QUOTE, 3_034)
    assert (sold.hold_asset_id, sold.hold_minor) == (BASE, 210)


def test_r6_2_what_a_fill_does_not_use_is_free_with_the_fill() -> None:
    venue = Venue(market(maker_fee_ppm=0, taker_fee_ppm=10_000), plenty=100_000)
    venue.sell("ben", 10, 90)
    venue.sell("ben", 10, 100)

    events = venue.buy("anna", 30, 100)

    first, second = (event for event in events if isinstance(event, Trade))
    # Reserved: 3000 + 30 + 1. After 10 lots at 90 (900 + 9): 20 lots left, 2000 + 20 + 1.
    assert (first.taker_fee_minor, first.taker_hold_used_minor) == (9, 3_031 - 2_021)
    # After 10 more at 100 (1000 + 10): 10 lots left, 1000 + 10 + 1.
    assert (second.taker_fee_minor, second.taker_hold_used_minor) == (10, 2_021 - 1_011)
    assert venue.money("anna")[:2] == (100_000 - 909 - 1_010 - 1_011, 1_011)


def test_r6_2_at_the_end_of_an_order_nothing_of_it_is_held() -> None:
    venue = Venue(market(maker_fee_ppm=333, taker_fee_ppm=777), plenty=1_000_000)
    for number in range(13):
        venue.sell("ben", 1 + number, 90 + number)
    bought = order_id(venue.buy("anna", 99, 110))
    venue.sell("ben", 5, 99)
    venue.cancel("anna", bought)

    assert venue.money("anna")[1] == 0
    assert venue.money("ben")[3] == 0
    assert [row[3] for row in venue.engine.balances() if row[3]] == []


def test_r6_3_the_budget_of_a_market_buy_includes_the_fee() -> None:
    venue = Venue(market(taker_fee_ppm=1_000), plenty=1_002)
    venue.open("ben")
    venue.fund("ben", base=50)
    venue.set_reference(100)
    venue.sell("ben", 50, 100)
    terms = Terms(MARKET_ID, BUY, MARKET, IOC, quote_minor=1_001)

    events = venue.place("anna", terms)

    # 10 lots cost 1000 and a fee of 1: exactly the budget.
    trade, closed = only(events, Trade), only(events, Closed)
    assert (trade.quantity_lots, trade.taker_fee_minor) == (10, 1)
    assert (closed.status, closed.reason, closed.released_minor) == (FILLED, "budget", 0)
    assert venue.money("anna") == (1, 0, 1_002 + 10, 0)


def test_r6_3_a_budget_one_unit_short_buys_one_lot_less() -> None:
    venue = Venue(market(taker_fee_ppm=1_000))
    venue.sell("ben", 50, 100)

    events = venue.place("anna", Terms(MARKET_ID, BUY, MARKET, IOC, quote_minor=1_000))

    assert trades(events) == [(9, 100)]
    assert only(events, Closed).released_minor == 1_000 - 900 - 1


def test_r6_3_a_market_buy_by_quantity_reserves_at_most_what_is_available() -> None:
    venue = Venue(market(taker_fee_ppm=1_000), plenty=0)
    venue.open("anna")
    venue.fund("anna", quote=705)
    venue.open("ben")
    venue.fund("ben", base=50)
    venue.sell("ben", 50, 100)

    events = venue.market_order("anna", BUY, 10)

    assert only(events, Accepted).hold_minor == 705
    assert trades(events) == [(7, 100)]
    assert ending(events) == "budget"
    assert venue.money("anna") == (4, 0, 7, 0)


def test_r6_3_a_market_order_is_limited_at_the_band() -> None:
    venue = Venue(market(band_bps=500))
    venue.set_reference(1_010)
    for price in (1_060, 1_061):
        venue.sell("ben", 1, price)
    for price in (960, 959):
        venue.buy("carl", 1, price)

    bought = venue.market_order("anna", BUY, 5)
    venue.set_reference(1_010)
    sold = venue.market_order("anna", SELL, 5)

    # 1010 x 1.05 = 1060.5, rounded down; 1010 x 0.95 = 959.5, rounded up.
    assert (trades(bought), ending(bought)) == ([(1, 1_060)], "band")
    assert (trades(sold), ending(sold)) == ([(1, 960)], "band")


def test_r6_4_stops_reserve_when_placed() -> None:
    venue = Venue(market(band_bps=1_000, taker_fee_ppm=1_000, maker_fee_ppm=800))

    market_stop = only(venue.stop("anna", BUY, 10, 200), Accepted)
    limit_stop = only(venue.stop("anna", BUY, 10, 200, 205), Accepted)
    sell_stop = only(venue.stop("anna", SELL, 10, 50), Accepted)

    # 10 x 220 = 2200, ceil(2.2) + 1; 10 x 205 = 2050, ceil(2.05) + 1; the quantity itself.
    assert market_stop.hold_minor == 2_204
    assert limit_stop.hold_minor == 2_054
    assert sell_stop.hold_minor == 10


def test_r6_4_a_woken_stop_trades_no_further_than_its_band() -> None:
    venue = Venue(market(band_bps=1_000))
    venue.trade_at(100)
    venue.stop("anna", SELL, 5, 95)
    venue.buy("ben", 1, 95)
    venue.buy("ben", 1, 86)
    venue.buy("ben", 9, 85)

    events = venue.sell("carl", 1, 95)

    # 95 x 0.9 = 85.5, rounded up.
    assert trades(events) == [(1, 95), (1, 86)]
    assert ending(events) == "band"


def test_r6_4_a_stop_limit_far_beyond_its_stop_is_refused() -> None:
    venue = Venue(market(band_bps=1_000))
    venue.trade_at(100)

    assert reason(venue.stop("anna", BUY, 1, 110, 122)) == "price_band"
    assert isinstance(venue.stop("anna", BUY, 1, 110, 121)[0], Accepted)
    assert reason(venue.stop("anna", SELL, 1, 90, 80)) == "price_band"
    assert isinstance(venue.stop("anna", SELL, 1, 90, 81)[0], Accepted)


def test_r6_4_a_stop_never_wakes_from_a_reference_or_a_quote() -> None:
    venue = Venue()
    venue.trade_at(100)
    venue.stop("anna", SELL, 1, 95)

    venue.set_reference(90)
    venue.buy("ben", 1, 94)
    events = venue.sell("ben.2", 1, 96)

    assert [type(event).__name__ for event in events] == ["Accepted", "Rested"]


# ---------------------------------------------------------------- R7.1 reference


def test_r7_1_the_reference_is_the_weighted_mean_of_five_minutes_rounded_down() -> None:
    venue = Venue()
    venue.trade_at(100, 3)
    venue.wait(299)
    venue.trade_at(109, 1)

    assert venue.engine.reference_ticks(MARKET_ID) == (100 * 3 + 109) // 4 == 102
    venue.wait(1)
    venue.do(Tick)
    assert venue.engine.reference_ticks(MARKET_ID) == 109
    assert venue.again().engine.reference_ticks(MARKET_ID) == 109


def test_r7_1_buckets_are_whole_seconds() -> None:
    venue = Venue()
    venue.wait(0.999)
    venue.trade_at(100)
    venue.wait(300)
    venue.trade_at(108)

    # 300.999 s after the start, the bucket of second 0 has left, however young its trade is.
    assert venue.engine.reference_ticks(MARKET_ID) == 108


def test_r7_1_without_trades_in_the_window_the_last_one_counts() -> None:
    venue = Venue()
    assert venue.engine.reference_ticks(MARKET_ID) == 0
    venue.trade_at(100)
    venue.wait(10_000)
    venue.do(Tick)

    assert venue.engine.reference_ticks(MARKET_ID) == 100


def test_r7_1_the_reference_is_fixed_at_the_start_of_a_command() -> None:
    venue = Venue(market(band_bps=1_000))
    venue.set_reference(100)
    for price in (108, 109, 110, 111, 112):
        venue.sell("ben", 1, price)

    events = venue.market_order("anna", BUY, 5)

    # Its own trades lift the mean to 109 and the band to 119, but only for the next command.
    assert trades(events) == [(1, 108), (1, 109), (1, 110)]
    assert venue.engine.reference_ticks(MARKET_ID) == 109
    assert trades(venue.market_order("anna", BUY, 5)) == [(1, 111), (1, 112)]


def test_r7_1_set_reference_starts_over_after_a_gap() -> None:
    venue = Venue()
    venue.trade_at(100, 50)

    venue.set_reference(300)
    refused = venue.sell("anna", 1, 269)
    venue.trade_at(310)

    assert reason(refused) == "price_band"
    assert venue.engine.reference_ticks(MARKET_ID) == 310
    assert reason(venue.do(SetReference, 9, 100)) == "unknown_market"
    assert reason(venue.do(SetReference, MARKET_ID, 0)) == "invalid_price"


# ---------------------------------------------------------------- R11 who is down


def test_r11_a_refused_order_changes_nothing_but_throttle_time_and_sequence() -> None:
    venue = Venue(market(min_notional_minor=50))
    venue.buy("anna", 1, 100)
    engine = venue.engine
    views = (list(engine.balances()), list(engine.open_orders()), engine.depth(MARKET_ID))
    seq, orders = engine.seq, engine.next_order_id

    for events in _refused(venue):
        assert isinstance(events[0], Rejected)

    assert (list(engine.balances()), list(engine.open_orders()), engine.depth(MARKET_ID)) == views
    assert engine.seq > seq
    assert engine.next_order_id == orders


def _refused(venue: Venue) -> list[list[AnyEvent]]:
    return [
        venue.buy("anna", 1, 49),
        venue.buy("anna", 0, 100),
        venue.buy("anna", 10**10, 10**3),
        venue.stop("anna", BUY, 10**11, 100),
        venue.cancel("anna", 77),
        venue.do(CancelAll, 4, 0),
        venue.do(Deposit, 1, QUOTE, 5),
    ]
