"""The desk against a real engine: quotes, prints, users in between, refusals and lost answers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from apps.core.errors import Unavailable
from apps.engine.engine import Engine
from apps.engine.messages import (
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    HALTED,
    IOC,
    NORMAL,
    OPEN,
    SELL,
    Cancel,
    CancelAll,
    Deposit,
    Place,
    SetAccount,
    SetInstrument,
    SetReference,
    SetVenue,
)
from apps.markets.feeds.base import FeedTrade, MarketStep, Step
from apps.wallets.actions import HOUSE_LIMITS, MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID
from tests.feeds.test_plan import books, trades
from tests.feeds.venue import BTC, BTC_USDT, MINOR, PERSON, USDT, Venue, desk_at, head

BIDS = ((9_999, 600_000), (9_998, 700_000))
ASKS = ((10_001, 500_000), (10_002, 400_000))


def step(bids=BIDS, asks=ASKS, trades=(), restarted=False) -> Step:
    return Step(0, (MarketStep(1, bids, asks, tuple(trades), restarted),))


def show(desk, **arguments) -> None:
    desk.take_step(step(**arguments))
    desk.work()


def tape(venue) -> list[tuple[int, int, int]]:
    return [(trade.price_ticks, trade.quantity_lots, trade.taker_side) for trade in venue.tape]


def test_the_book_of_the_feed_is_the_book_of_the_engine():
    venue = Venue()
    desk = desk_at(venue)

    show(desk)

    assert venue.depth() == (list(BIDS), list(ASKS))
    assert not desk.due


def test_a_reference_is_set_before_the_first_quote_and_only_then():
    venue = Venue()
    desk = desk_at(venue)
    venue.commands.clear()

    show(desk)
    show(desk, bids=BIDS[:1])

    assert isinstance(venue.commands[0], SetReference)
    assert venue.commands[0].price_ticks == 10_000
    assert sum(isinstance(command, SetReference) for command in venue.commands) == 1


def test_a_loop_or_gap_sets_the_reference_again_so_that_no_band_locks_the_market():
    venue = Venue()
    desk = desk_at(venue)
    show(desk, trades=[FeedTrade(10_001, 100_000, BUY)])

    show(desk, bids=((19_999, 5),), asks=((20_001, 5),), restarted=True)

    assert venue.depth() == ([(19_999, 5)], [(20_001, 5)])
    assert desk.counters["rejected_price_band"] == 0
    assert desk.counters["references_set"] == 2


def test_prints_go_to_the_tape_exactly_also_those_below_the_smallest_order():
    venue = Venue()
    desk = desk_at(venue)
    prints = [
        FeedTrade(10_001, 1, BUY),
        FeedTrade(10_002, 900_000, BUY),
        FeedTrade(9_990, 2, SELL),
        FeedTrade(10_050, 3, BUY),
    ]

    show(desk, trades=prints)

    assert tape(venue) == [tuple(trade) for trade in prints]
    assert venue.depth() == (list(BIDS), list(ASKS))
    assert desk.counters["prints"] == 4
    assert desk.counters["prints_short"] == 0


def test_a_person_with_a_better_price_trades_first():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.order(BUY, 10_000, 200_000)

    show(desk, trades=[FeedTrade(9_999, 300_000, SELL)])

    assert tape(venue) == [(10_000, 200_000, SELL), (9_999, 100_000, SELL)]
    assert venue.tape[0].maker_account_id == PERSON
    assert venue.depth() == (list(BIDS), list(ASKS))
    assert desk.counters["prints_shared"] == 1


def test_a_person_who_is_in_the_way_of_a_new_quote_is_filled_by_it():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.order(BUY, 10_000, 200_000)

    show(desk, bids=((9_990, 5),), asks=((9_995, 500_000),))
    assert venue.depth() == ([(9_990, 5)], [(9_995, 300_000)])
    assert desk.due

    desk.work()

    assert tape(venue) == [(10_000, 200_000, SELL)]
    assert venue.depth() == ([(9_990, 5)], [(9_995, 500_000)])


def test_what_people_take_is_quoted_again():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.new_events()
    venue.order(BUY, 10_002, 600_000, IOC)

    assert not desk.due
    desk.observe(venue.new_events())
    assert desk.due
    desk.work()

    assert venue.depth() == (list(BIDS), list(ASKS))
    assert desk.counters["changed_by_others"] == 2


def test_events_that_come_twice_or_late_change_nothing():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    show(desk, trades=[FeedTrade(10_001, 100_000, BUY)])
    show(desk, bids=BIDS[:1])
    late = venue.new_events()

    desk.observe(late)
    desk.observe(late)

    assert not desk.due
    assert desk.counters["changed_by_others"] == 0


def test_a_person_who_copies_a_client_order_id_of_the_house_confuses_nobody():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    copied = next(
        command.client_order_id for command in venue.commands if isinstance(command, Place)
    )
    placed = next(command for command in venue.commands if isinstance(command, Place))
    venue.new_events()
    venue.control(Place(*head(), PERSON, copied, placed.terms))

    desk.observe(venue.new_events())
    show(desk, bids=BIDS[:1])

    assert not desk.lost
    assert (9_998, 700_000) not in venue.depth()[0]


def test_a_restart_cancels_everything_and_quotes_anew():
    venue = Venue()
    first = desk_at(venue)
    show(first)

    second = desk_at(venue)
    assert venue.depth() == ([], [])
    show(second, bids=BIDS[:1])

    assert venue.depth() == ([BIDS[0]], list(ASKS))


def test_nothing_is_doubled_when_a_request_was_not_sent():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.failures.append(Unavailable("engine_unavailable", "The exchange is not running."))
    desk.take_step(step(bids=BIDS[:1], trades=[FeedTrade(10_001, 7, BUY)]))

    with pytest.raises(Unavailable):
        desk.work()
    assert not desk.lost
    desk.work()

    assert tape(venue) == [(10_001, 7, BUY)]
    assert venue.depth() == ([BIDS[0]], list(ASKS))
    assert desk.counters["restarts"] == 1


def test_after_an_answer_that_never_came_the_desk_starts_over():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.lost_answers = 1
    desk.take_step(step(bids=BIDS[:1], trades=[FeedTrade(10_001, 7, BUY)]))

    with pytest.raises(Unavailable):
        desk.work()
    assert desk.lost
    desk.restart()
    desk.work()

    # It had been carried out; the print is not sent again.
    assert tape(venue) == [(10_001, 7, BUY)]
    assert venue.depth() == ([BIDS[0]], list(ASKS))
    assert desk.counters["prints_dropped"] == 1
    assert not desk.due


def test_a_house_without_accounts_says_that_it_is_not_ready():
    venue = Venue()
    venue.engine = Engine()

    with pytest.raises(Unavailable) as refusal:
        desk_at(venue)

    assert refusal.value.code == "house_not_ready"


def test_too_little_money_is_topped_up_by_a_deposit_and_quoted_then():
    venue = Venue(funded=False)
    desk = desk_at(venue)
    show(desk)
    assert venue.depth() == ([], [])

    desk.work()

    assert venue.depth() == (list(BIDS), list(ASKS))
    deposits = [command for command in venue.commands if isinstance(command, Deposit)]
    assert {(d.account_id, d.asset_id) for d in deposits} == {
        (MAKER_ACCOUNT_ID, USDT),
        (MAKER_ACCOUNT_ID, BTC),
    }
    assert desk.counters["top_ups"] == 2


def test_what_the_process_finds_short_is_topped_up_before_it_hurts():
    venue = Venue()
    desk = desk_at(venue)
    desk.fund(TAKER_ACCOUNT_ID, USDT)
    assert desk.due

    desk.work()

    (deposit,) = (command for command in venue.commands if isinstance(command, Deposit))
    assert (deposit.account_id, deposit.asset_id) == (TAKER_ACCOUNT_ID, USDT)
    assert deposit.amount_minor == 10**8 * MINOR
    assert not desk.due


def close_market(venue) -> None:
    venue.control(SetInstrument(*head(), replace(BTC_USDT, state=HALTED)))


def open_market(venue) -> None:
    venue.control(SetInstrument(*head(), BTC_USDT))


def close_venue(venue) -> None:
    venue.control(SetVenue(*head(), CANCEL_ONLY))


def open_venue(venue) -> None:
    venue.control(SetVenue(*head(), OPEN))


def block_maker(venue) -> None:
    venue.control(SetAccount(*head(), MAKER_ACCOUNT_ID, BLOCKED, -10, HOUSE_LIMITS))


def free_maker(venue) -> None:
    venue.control(SetAccount(*head(), MAKER_ACCOUNT_ID, NORMAL, -10, HOUSE_LIMITS))


@pytest.mark.parametrize(
    ("forbid", "allow", "reason"),
    [
        (close_market, open_market, "market_halted"),
        (close_venue, open_venue, "cancel_only"),
        (block_maker, free_maker, "account_blocked"),
    ],
)
def test_a_market_that_takes_no_orders_is_left_alone_for_a_while(forbid, allow, reason):
    now = [0]
    venue = Venue()
    desk = desk_at(venue, clock_ns=lambda: now[0])
    show(desk, bids=BIDS[:1])
    forbid(venue)

    show(desk)
    sent = len(venue.commands)
    assert desk.counters[f"rejected_{reason}"] == 1
    show(desk, trades=[FeedTrade(10_001, 7, BUY)])
    assert len(venue.commands) == sent
    assert desk.counters["prints_dropped"] == 1

    allow(venue)
    now[0] += 3_000_000_000
    assert desk.due
    desk.work()

    assert venue.depth() == (list(BIDS), list(ASKS))
    assert tape(venue) == []


def test_a_price_outside_the_band_sets_the_reference_and_is_quoted_then():
    venue = Venue()
    desk = desk_at(venue)
    show(desk, trades=[FeedTrade(10_001, 100_000, BUY)])

    show(desk, bids=((19_999, 500_000),), asks=((20_001, 500_000),))
    assert desk.counters["rejected_price_band"] == 1
    desk.work()

    assert venue.depth() == ([(19_999, 500_000)], [(20_001, 500_000)])


def test_a_level_that_the_engine_never_takes_is_not_sent_again_and_again():
    venue = Venue()
    limits = replace(HOUSE_LIMITS, below_minimums=False)
    venue.control(SetAccount(*head(), MAKER_ACCOUNT_ID, NORMAL, -10, limits))
    desk = desk_at(venue)
    small = ((9_999, 600_000), (9_998, 3))

    show(desk, bids=small)
    sent = len(venue.commands)
    show(desk, bids=small)

    assert desk.counters["rejected_min_notional"] == 1
    assert len(venue.commands) == sent
    assert venue.depth() == ([small[0]], list(ASKS))

    show(desk, bids=((9_999, 600_000), (9_998, 700_000)))
    assert venue.depth() == (list(BIDS), list(ASKS))


def test_orders_that_staff_cancelled_are_quoted_again():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.new_events()
    venue.control(CancelAll(*head(), 0))

    desk.observe(venue.new_events())
    desk.work()

    assert venue.depth() == (list(BIDS), list(ASKS))


def test_cancelling_what_is_gone_already_is_counted_and_forgotten():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.order(SELL, 9_998, 1_300_000, IOC)

    show(desk, bids=((9_997, 5),))

    assert desk.counters["rejected_order_not_found"] == 2
    assert not desk.lost
    assert venue.depth() == ([(9_997, 5)], list(ASKS))


def test_a_crossed_target_is_never_quoted():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)

    show(desk, bids=((10_001, 5),), asks=((10_001, 5),))

    assert desk.counters["crossed_targets"] == 1
    assert venue.depth() == ([], [])


def test_an_unknown_side_takes_the_quotes_of_that_side_away():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)

    show(desk, bids=())

    assert venue.depth() == ([], list(ASKS))


def test_quotes_are_cancelled_by_the_engines_own_id():
    venue = Venue()
    desk = desk_at(venue)
    show(desk)
    venue.commands.clear()

    show(desk, bids=BIDS[:1])

    (cancel,) = venue.commands
    assert isinstance(cancel, Cancel)
    assert cancel.order_id > 0


people = st.tuples(st.sampled_from([BUY, SELL]), st.integers(9_990, 10_030), st.integers(1, 60))


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.one_of(st.tuples(books(), trades), people, st.just("observe"), st.just("restart")),
        max_size=12,
    )
)
def test_whatever_people_do_the_house_ends_up_with_the_feeds_book(happenings):
    venue = Venue()
    desk = desk_at(venue)
    target: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
    for happening in happenings:
        if happening == "observe":
            desk.observe(venue.new_events())
        elif happening == "restart":
            desk.restart()
        elif len(happening) == 3:
            venue.order(*happening)
        else:
            book, prints = happening
            target = {side: {9_995 + p: n for p, n in book[side].items()} for side in (BUY, SELL)}
            show(
                desk,
                bids=tuple(sorted(target[BUY].items(), reverse=True)),
                asks=tuple(sorted(target[SELL].items())),
                trades=[print._replace(price_ticks=9_995 + print.price_ticks) for print in prints],
            )
    desk.observe(venue.new_events())
    # A person who is in the way of a quote is filled first; then it is quoted in full.
    for _ in range(1_000):
        desk.work()
        if not desk.due:
            break

    assert venue.house_quotes() == target
    assert desk.quotes.sides(1) == target
    assert not desk.lost
    assert desk.counters["prints_dropped"] == 0


def test_money_is_conserved_over_all_of_it():
    venue = Venue()
    desk = desk_at(venue)
    for price in range(9_900, 10_100, 7):
        venue.order(BUY, price - 1, 100_000)
        show(
            desk,
            bids=((price - 3, 400_000), (price - 9, 2)),
            asks=((price + 2, 1), (price + 8, 300_000)),
            trades=[FeedTrade(price, 5_000, BUY), FeedTrade(price - 1, 7_000, SELL)],
        )
        desk.observe(venue.new_events())

    totals: dict[int, int] = {}
    for _, asset_id, available, held in venue.engine.balances():
        totals[asset_id] = totals.get(asset_id, 0) + available + held
    assert set(totals.values()) == {0}
    assert desk.counters["prints"] == 58
    assert not desk.lost
