"""The projections together: exact against the engine, the same however the journal is cut."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from django.db import connection

from apps.core import clock
from apps.engine.engine import Engine
from apps.engine.messages import (
    BUY,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Accepted,
    AddLegs,
    Allot,
    Amend,
    Amended,
    AnyCommand,
    BlockLeg,
    CallAuction,
    Cancel,
    CancelAll,
    Deposit,
    Hold,
    Instrument,
    Leg,
    Limits,
    ListInstrument,
    OpenAccount,
    OpenBlock,
    Place,
    PlacePair,
    Release,
    RemoveLegs,
    SetInstrument,
    Settle,
    Special,
    SubmitBlock,
    Terms,
    Transfer,
    Triggered,
)
from apps.matching import projections, projector
from apps.matching.journal import Batch, Entry
from apps.trades.projections import OrderMissing
from apps.wallets.actions import HOUSE_LIMITS
from apps.wallets.models import LedgerEntry

TABLES = tuple(table for each in projections.registered() for table in each.tables)
START_NS = clock.to_ns(clock.parse_iso("2026-11-21T11:59:00Z"))
STEP_NS = 37_000_000
PEOPLE = range(1000, 1006)
HOUSE = (10, 11)
TAKING = (TAKE_PROFIT, TAKE_PROFIT_LIMIT)
TRAILING = (TRAILING_STOP, TRAILING_STOP)
PRICED = (LIMIT, STOP_LIMIT, TAKE_PROFIT_LIMIT)
MARKETS = (
    Instrument(1, 2, 1, 1000, 10, 1, 10**8, 0, 10**16, 800, 1000, 1000, symbol="BTC-USDT"),
    Instrument(6, 3, 2, 100_000, 1, 1, 10**7, 0, 10**12, 800, 1000, 1000, symbol="ETH-BTC"),
)

# Around the middle of the first market, to move an order to.
PRICES = range(4_980_000, 5_020_000, 500)


@dataclass
class Journal:
    """A random stretch of the venue's life, and the engine that lived it."""

    entries: list[Entry]
    engine: Engine


class Life:
    """Draws commands of every kind that changes a table."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.engine = Engine()
        self.entries: list[Entry] = []
        self.issued = 0

    def apply(self, kind: type[AnyCommand], *fields: Any) -> None:
        self.issued += 1
        at_ns = START_NS + self.issued * STEP_NS
        head = (self.issued.to_bytes(16, "big"), at_ns + 5_000_000_000)
        events = self.engine.apply(kind(*head, *fields), at_ns)
        self.entries.append(Entry(self.engine.seq, at_ns, tuple(events)))

    def open(self) -> None:
        for market in MARKETS:
            self.apply(ListInstrument, market)
        for account_id in (*PEOPLE, *HOUSE):
            # Two people of one group, so that their orders meet and do not trade.
            limits = HOUSE_LIMITS if account_id in HOUSE else Limits(50, 0, 0)
            self.apply(OpenAccount, account_id, max(account_id, 1001), limits)
            for asset_id in (1, 2, 3):
                self.apply(Deposit, account_id, asset_id, 10**13, f"fund {asset_id}")

    def step(self) -> None:
        draw = self.draw
        account_id = draw.choice((*PEOPLE, *HOUSE))
        if draw.random() < 0.12:
            self.block()
            return
        roll = draw.random()
        if roll < 0.75:
            self.place(account_id)
        elif roll < 0.85:
            self.apply(Cancel, account_id, self.open_order(account_id))
        elif roll < 0.90:
            lots, price = draw.choice((0, 0, draw.randint(1, 6000))), draw.choice((0, *PRICES))
            self.apply(Amend, account_id, self.open_order(account_id), "", lots, price)
        elif roll < 0.92:
            self.apply(CancelAll, account_id, draw.choice((0, 1, 6)))
        elif roll < 0.95:
            to = draw.choice(PEOPLE)
            amount = draw.randint(1, 10**9)
            self.apply(Transfer, (Leg(account_id, 1, -amount), Leg(to, 1, amount)), "gift")
        elif roll < 0.99:
            self.withdraw(account_id)
        else:
            market = draw.choice(MARKETS)
            if draw.random() < 0.5:
                self.apply(CallAuction, market.market_id, 1)
                return
            changed = msgspec.structs.replace(market, maker_fee_ppm=draw.randint(0, 900))
            self.apply(SetInstrument, changed)

    def block(self) -> None:
        """A block that is opened, joined, submitted, or allotted a little further."""
        draw, engine = self.draw, self.engine
        due = engine.next_allotment()
        if due is not None and draw.random() < 0.7:
            self.apply(Allot, due, draw.choice((1, 2, 500)))
            return
        live = [each.block_id for each in engine.blocks.values() if each.order and not each.status]
        if live and draw.random() < 0.5:
            self.apply(RemoveLegs, draw.choice(live), tuple(draw.sample(PEOPLE, 2)))
            return
        market = draw.choice(MARKETS)
        side = draw.choice((BUY, SELL))
        middle = engine.books[market.market_id].last_ticks or 5_000_000
        price = middle + draw.randint(-5_000, 5_000)
        terms = Terms(market.market_id, side, LIMIT, GTC, draw.randint(1, 50), price_ticks=price)
        number = self.issued + 1
        self.apply(OpenBlock, number, draw.choice(PEOPLE), f"b{number}", terms)
        legs = [BlockLeg(each, draw.randint(1, 60)) for each in (*PEOPLE, *HOUSE)]
        self.apply(AddLegs, number, tuple(draw.sample(legs, 5)))
        self.apply(SubmitBlock, number)

    def open_order(self, account_id: int) -> int:
        open_ids = [row[0] for row in self.engine.open_orders() if row[1] == account_id]
        return self.draw.choice(open_ids) if open_ids else 10**9

    def withdraw(self, account_id: int) -> None:
        hold_id = self.issued + 1
        self.apply(Hold, account_id, 1, self.draw.randint(1, 10**9), hold_id)
        self.apply(self.draw.choice((Settle, Release)), hold_id)

    def pair(self, account_id: int) -> None:
        draw = self.draw
        side = draw.choice((BUY, SELL))
        sign = -1 if side == BUY else 1
        limit, stop = (5_000_000 + sign * away * draw.randint(1, 5_000) for away in (1, -1))
        lots = draw.randint(2, 5000)
        terms = Terms(1, side, LIMIT, GTC, lots, price_ticks=limit, post_only=True)
        self.apply(PlacePair, account_id, f"c{self.issued}", terms, _stop(terms, stop))

    def place(self, account_id: int) -> None:
        draw = self.draw
        if draw.random() < 0.1:
            self.pair(account_id)
            return
        kind = draw.choice((LIMIT,) * 7 + (MARKET, MARKET, STOP, STOP_LIMIT, *TAKING, *TRAILING))
        side = draw.choice((BUY, SELL))
        market_id = draw.choice((1, 1, 1, 6))
        mid = 5_000_000 if market_id == 1 else 3_000
        price = mid + draw.randint(-mid // 200, mid // 200)
        away = mid // 50 if (side == BUY) == (kind in (STOP, STOP_LIMIT)) else -mid // 50
        stop = draw.choice((0, price + away)) if kind == TRAILING_STOP else price + away
        force = draw.choice((GTC, GTC, GTC, IOC, FOK, GTD))
        by_quote = kind == MARKET and side == BUY and draw.random() < 0.5
        force = IOC if kind == MARKET else force if kind in PRICED else GTC
        lots = 0 if by_quote else draw.randint(2, 5000)
        special = Special(trail_bps=draw.choice((10, 50))) if kind == TRAILING_STOP else None
        if kind == LIMIT and force in (GTC, GTD) and draw.random() < 0.3:
            special = Special(display_lots=draw.randint(-(-lots // 50), lots - 1))
        elif kind in (LIMIT, MARKET, STOP) and side == BUY and lots and draw.random() < 0.4:
            paid = price + (away if kind == STOP else 0)
            special = Special(
                take_profit_ticks=paid + mid // 500, stop_loss_ticks=paid - mid // 500
            )
        terms = Terms(
            market_id, side, kind, force, lots,
            quote_minor=draw.randint(10**6, 10**9) if by_quote else 0,
            price_ticks=price if kind in PRICED else 0,
            stop_ticks=0 if kind in (LIMIT, MARKET) else stop,
            expires_at_ns=START_NS + (self.issued + 50) * STEP_NS
            if force == GTD else 0,
            self_trade=draw.choice((1, 2, 3) if by_quote else (1, 2, 3, 4)),
            special=special,
        )  # fmt: skip
        self.apply(Place, account_id, f"c{self.issued}", terms)


def _stop(terms: Terms, stop_ticks: int) -> Terms:
    """The other order of a pair."""
    return msgspec.structs.replace(
        terms, order_type=STOP, price_ticks=0, stop_ticks=stop_ticks, post_only=False
    )


def lived(seed: int, steps: int = 600) -> Journal:
    life = Life(seed)
    life.open()
    for _ in range(steps):
        life.step()
    return Journal(life.entries, life.engine)


def project(entries: list[Entry], size: int) -> None:
    for start in range(0, len(entries), size):
        part = entries[start : start + size]
        with connection.cursor() as wrapper:
            projector.project(Batch(part[0].seq, part[-1].seq, part), wrapper.cursor, shard=0)


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every projected table, in one order."""
    found = {}
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"SELECT t::text FROM {table} AS t ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


def clear() -> None:
    with connection.cursor() as wrapper:
        projections.clear_all(wrapper.cursor)
        wrapper.execute("UPDATE matching_projection_offset SET seq = 0")


def differences(engine: Engine) -> Iterator[str]:
    for each in projections.registered():
        yield from each.check(engine)


@pytest.mark.parametrize("seed", range(4))
def test_tables_are_exact_and_the_same_however_the_journal_is_cut(seed: int) -> None:
    journal = lived(seed)

    project(journal.entries, size=1)
    one_by_one = rows()
    assert list(differences(journal.engine)) == []
    assert all(one_by_one.values())

    for size in (7, 64, 10_000):
        clear()
        assert not any(rows().values())
        project(journal.entries, size)
        assert rows() == one_by_one
    assert list(differences(journal.engine)) == []


def test_lives_have_pairs_and_exits_that_fill_and_fire() -> None:
    events = [event for seed in range(4) for each in lived(seed).entries for event in each.events]

    fired = [each for each in events if isinstance(each, Triggered) and each.hold_minor]
    exits = [each for each in events if isinstance(each, Accepted) and each.parent_order_id]
    lessened = [each for each in events if isinstance(each, Amended) and each.reason == "pair"]

    assert min(len(fired), len(exits), len(lessened)) > 10


def test_a_rebuild_keeps_synthetic_candles() -> None:
    journal = lived(1, steps=200)
    project(journal.entries, size=50)
    columns = (
        "open_ticks, high_ticks, low_ticks, close_ticks, volume_lots, quote_minor, trade_count"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO markets_candle (instrument_id, at, {columns}, synthetic)"
            f" SELECT instrument_id, at - interval '1 day', {columns}, true FROM markets_candle"
        )
        assert cursor.rowcount > 0
    before = rows()

    clear()
    project(journal.entries, size=50)

    assert rows() == before
    assert list(differences(journal.engine)) == []


def test_house_orders_and_fills_are_left_out() -> None:
    journal = lived(2)

    project(journal.entries, size=64)

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT min(account_id) FROM trades_order),"
            " (SELECT min(account_id) FROM trades_fill),"
            " (SELECT count(*) FROM markets_trade),"
            # Parts of blocks are no trades of the market's.
            " (SELECT count(*) FROM trades_fill"
            " WHERE trade_id IN (SELECT id FROM markets_trade))"
        )
        order_min, fill_min, traded, filled = cursor.fetchone()
    assert order_min >= 1000
    assert fill_min >= 1000
    assert 0 < filled < 2 * traded


def test_a_leg_that_a_fee_has_eaten_up_is_still_written() -> None:
    life = Life(0)
    life.open()
    for account_id, side in ((1000, SELL), (1002, BUY)):
        life.apply(Place, account_id, "tiny", Terms(6, side, LIMIT, GTC, 1, price_ticks=1))

    project(life.entries, size=64)

    legs = LedgerEntry.objects.filter(seq=life.engine.seq).order_by("id")
    assert [(leg.account_id, leg.asset_id, leg.amount_minor, leg.fee_minor) for leg in legs] == [
        (1002, 2, -2, 1),
        (1002, 3, 100_000, 0),
        (1000, 3, -100_000, 0),
        (1000, 2, 0, 1),
        (2, 2, 2, 0),
    ]
    assert list(differences(life.engine)) == []


@pytest.mark.breaks_ledger
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("UPDATE wallets_balance SET available_minor = available_minor + 1"
         " WHERE account_id = 1000 AND asset_id = 1", "balance of account 1000 in asset 1"),
        ("DELETE FROM wallets_balance WHERE account_id = 1001 AND asset_id = 2",
         "balance of account 1001 in asset 2"),
        ("UPDATE wallets_ledgerentry SET amount_minor = amount_minor + 1 WHERE id ="
         " (SELECT max(id) FROM wallets_ledgerentry)", "legs of event"),
        ("UPDATE wallets_ledgerentry SET fee_minor = fee_minor + 1 WHERE id ="
         " (SELECT max(id) FROM wallets_ledgerentry WHERE fee_minor > 0)", "fees of event"),
        ("DELETE FROM wallets_ledgerentry WHERE account_id = 1002", "ledger of account 1002"),
        ("UPDATE trades_order SET held_minor = held_minor + 1 WHERE id ="
         " (SELECT min(id) FROM trades_order WHERE status = 'open')", "order "),
        ("UPDATE trades_order SET status = 'open' WHERE id ="
         " (SELECT min(id) FROM trades_order WHERE status = 'cancelled')",
         "the engine has no such open order"),
        ("DELETE FROM trades_order WHERE status IN ('open', 'partially_filled')",
         "no such open order"),
        ("UPDATE trades_fill SET fee_minor = fee_minor + 1 WHERE id ="
         " (SELECT max(id) FROM trades_fill)", "its fills say"),
        ("DELETE FROM trades_fill WHERE id = (SELECT max(id) FROM trades_fill)",
         "its fills say"),
        ("UPDATE markets_candle SET volume_lots = volume_lots + 1 WHERE (instrument_id, at) ="
         " (SELECT instrument_id, max(at) FROM markets_candle GROUP BY 1 LIMIT 1)",
         "candle of market"),
        ("DELETE FROM markets_trade WHERE id = (SELECT max(id) FROM markets_trade)",
         "candle of market"),
        ("UPDATE markets_instrument SET taker_fee_ppm = 1 WHERE id = 1", "market 1: the engine"),
        ("UPDATE trades_position SET realised_minor = realised_minor + 1"
         " WHERE account_id = 1000 AND asset_id = 2", "position of account 1000 in asset 2"),
        ("UPDATE trades_position SET quantity_minor = quantity_minor + 1"
         " WHERE account_id = 1000 AND asset_id = 3", "position of account 1000 in asset 3: the"),
        ("UPDATE trades_movement SET cost_minor = cost_minor + 1 WHERE id ="
         " (SELECT max(id) FROM trades_movement)", "movement "),
        ("DELETE FROM trades_movement WHERE id = (SELECT min(id) FROM trades_movement)",
         "movement "),
    ],
)  # fmt: skip
def test_any_damage_is_found(damage: str, words: str) -> None:
    journal = lived(3)
    project(journal.entries, size=64)
    with connection.cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount > 0

    found = list(differences(journal.engine))

    assert any(words in difference for difference in found), found


def test_an_event_of_an_order_that_is_not_there_stops_the_projector() -> None:
    journal = lived(0)
    last = max(row[0] for row in journal.engine.open_orders() if row[1] >= 1000)
    life_goes_on = journal.engine.seq
    project(journal.entries, size=64)
    owner = next(row[1] for row in journal.engine.open_orders() if row[0] == last)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM trades_order WHERE id = %s", [last])
    now_ns = journal.engine.now_ns
    events = journal.engine.apply(Cancel(b"last".ljust(16), now_ns + 10**9, owner, last), now_ns)

    with pytest.raises(OrderMissing, match="1 of 1 orders"):
        project([Entry(life_goes_on + 1, now_ns, tuple(events))], size=1)
