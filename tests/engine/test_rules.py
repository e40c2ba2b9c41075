"""One test, or a few, for each numbered rule of the engine. The number is in the test's name."""

from __future__ import annotations

import msgspec
import pytest

from apps.engine import state
from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    CANCEL_ONLY,
    GTD,
    HALTED,
    LIMIT,
    OPEN,
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
    SetReference,
    SetRules,
    SetVenue,
    Terms,
    Tick,
    VenueSet,
)
from tests.engine.venue import (
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


@pytest.mark.needs_source
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
    seq, orders = engine.seq, engine.matcher.next_order_id

    for events in _refused(venue):
        assert isinstance(events[0], Rejected)

    assert (list(engine.balances()), list(engine.open_orders()), engine.depth(MARKET_ID)) == views
    assert engine.seq > seq
    assert engine.matcher.next_order_id == orders


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
