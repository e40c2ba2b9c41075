"""A snapshot is canonical: equal states give equal bytes, and nothing that matters is missing."""

from __future__ import annotations

import hashlib

from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    GTD,
    SELL,
    Deposit,
    Hold,
    ListInstrument,
    Malformed,
    SetInstrument,
    Tick,
    Trade,
)
from tests.engine.venue import (
    BASE,
    QUOTE,
    SECOND,
    Venue,
    market,
    only,
    order_id,
    trades,
)


def busy_venue() -> Venue:
    venue = Venue(market(maker_fee_ppm=800, taker_fee_ppm=1_000))
    venue.do(ListInstrument, market(market_id=2, base_asset_id=3))
    venue.trade_at(100)
    for number in range(5):
        venue.buy("anna", 3 + number, 95 + number % 2)
        venue.sell("ben", 3 + number, 105 + number % 2)
    venue.stop("carl", SELL, 2, 96, 97)
    venue.stop("carl", BUY, 2, 108)
    venue.sell("dora", 4, 106, force=GTD, expires_at_ns=venue.now_ns + 50 * SECOND)
    venue.do(Hold, venue.ids["anna"], QUOTE, 77, 5)
    return venue


def test_the_hash_is_that_of_the_bytes() -> None:
    engine = busy_venue().engine

    assert engine.state_hash() == hashlib.sha256(engine.snapshot()).hexdigest()


def test_taking_a_snapshot_changes_nothing() -> None:
    engine = busy_venue().engine

    assert engine.snapshot() == engine.snapshot()


def test_a_restored_engine_shows_and_says_the_same() -> None:
    venue = busy_venue()
    engine = venue.engine
    restored = Engine.restore(engine.snapshot())

    for view in ("balances", "open_orders", "holds"):
        assert list(getattr(restored, view)()) == list(getattr(engine, view)())
    assert restored.depth(1) == engine.depth(1)
    assert restored.next_due_ns() == engine.next_due_ns()
    assert restored.reference_ticks(1) == engine.reference_ticks(1)
    assert restored.snapshot() == engine.snapshot()


def test_the_order_in_which_balances_came_to_be_does_not_matter() -> None:
    hashes = set()
    for assets in ((1, 2, 3), (3, 1, 2)):
        venue = Venue(plenty=0)
        venue.open("anna")
        for asset_id in assets:
            venue.do(Deposit, venue.ids["anna"], asset_id, 5)
        venue.wait(601)
        venue.do(Tick)
        hashes.add(venue.engine.state_hash())

    assert len(hashes) == 1


def test_a_balance_that_is_zero_is_as_one_that_never_was() -> None:
    hashes = set()
    for asset_id in (BASE, QUOTE):
        venue = Venue(plenty=0)
        venue.open("anna")
        venue.open("ben")
        venue.do(Deposit, venue.ids["anna"], asset_id, 5)
        venue.do(Hold, venue.ids["anna"], asset_id, 5, 1)
        venue.engine.ledger.settle(1)
        venue.wait(601)
        venue.do(Tick)
        hashes.add(venue.engine.state_hash())

    assert len(hashes) == 1


def test_the_queue_survives_where_a_younger_order_stands_before_an_older_one() -> None:
    venue = Venue()
    venue.trade_at(100)
    venue.buy("anna", 1, 98)
    older = order_id(venue.stop("old", SELL, 2, 98, 99))
    younger = order_id(venue.sell("young", 2, 99))
    venue.sell("ben", 1, 98)

    events = venue.again().buy("carl", 3, 99)

    assert older < younger
    assert [event.maker_order_id for event in events if isinstance(event, Trade)] == [
        younger,
        older,
    ]


def test_frozen_fees_survive_a_change_of_the_market() -> None:
    venue = Venue(market(maker_fee_ppm=10_000))
    venue.sell("ben", 10, 100)
    venue.do(SetInstrument, market(maker_fee_ppm=0))

    assert only(venue.again().buy("anna", 10, 100), Trade).maker_fee_minor == 10


def test_fees_charged_so_far_survive() -> None:
    venue = Venue(market(maker_fee_ppm=1_000))
    venue.sell("ben", 10, 99)
    first = only(venue.buy("anna", 5, 99), Trade).maker_fee_minor
    second = only(venue.again().buy("anna", 5, 99), Trade).maker_fee_minor

    assert (first, second) == (1, 0)


def test_time_alone_makes_equal_what_only_time_had_kept_apart() -> None:
    first, second = Venue(), Venue()
    first.trade_at(100)
    second.trade_at(100)
    first.do(Malformed, b"")
    second.do(Tick)
    for venue in (first, second):
        venue.wait(1_000)
        venue.do(Tick)

    assert first.engine.snapshot() == second.engine.snapshot()


def test_an_engine_that_never_looked_at_its_bands_has_the_same_hash() -> None:
    looked, did_not = busy_venue(), busy_venue()
    for venue in (looked, did_not):
        venue.wait(400)
        venue.do(Tick)
    looked.engine.reference_ticks(1)

    assert looked.engine.state_hash() == did_not.engine.state_hash()
    assert trades(looked.again().buy("zoe", 1, 105)) == trades(did_not.buy("zoe", 1, 105))


def test_sums_beyond_64_bits_are_kept() -> None:
    """Two friends trade the whole supply to and fro within a second."""
    venue = Venue(market(min_notional_minor=0), plenty=0)
    for name in ("anna", "ben"):
        venue.open(name)
    venue.fund("anna", quote=2**61)
    venue.fund("ben", quote=2**60, base=10)
    for buyer, seller in (("anna", "ben"), ("ben", "anna")) * 6:
        venue.sell(seller, 1, 2**60 - 1)
        venue.buy(buyer, 1, 2**60 - 1)
    book = venue.engine.books[1]
    before = (book.reference.value, book.reference.lots, venue.engine.state_hash())

    venue.again()

    restored = venue.engine.books[1].reference
    assert book.reference.value > 2**63
    assert (restored.value, restored.lots, venue.engine.state_hash()) == before


def test_a_queue_that_is_eaten_from_the_front_stays_short() -> None:
    venue = Venue()
    for _ in range(500):
        venue.sell("ben", 1, 100)

    filled = [trades(venue.buy("anna", 1, 100)) for _ in range(499)]

    level = next(venue.engine.books[1].asks.best_first())
    assert filled == [[(1, 100)]] * 499
    assert (len(level.orders), level.lots) == (1, 1)
    assert level.holes <= 32
