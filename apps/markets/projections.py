"""Instruments, the tape and minute candles, written from the engine's events.

Real trades replace a synthetic candle of their minute; nothing else touches synthetic history.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from django.db import connection

from apps.core import bulk
from apps.engine.messages import (
    PHASE_LIMIT,
    Indicated,
    Instrument,
    InstrumentListed,
    InstrumentSet,
    PhaseChanged,
    Trade,
    Uncrossed,
)
from apps.matching.journal import Batch
from apps.matching.projections import EngineView, Write

DIFFERENCES_SHOWN: Final = 20
_MINUTE_NS: Final = 60 * 1_000_000_000

_TRADE_COLUMNS: Final = (
    "id", "instrument_id", "price_ticks", "quantity_lots", "quote_minor", "taker_side", "seq", "at",
)  # fmt: skip
_TRADE_ROW: Final = struct.Struct("!hiqiiiqiqiqihiqiq")

_MERGE_CANDLES: Final = """
    MERGE INTO markets_candle AS candle
    USING (
        SELECT instrument_id, to_timestamp(minute * 60) AS at, open_ticks, high_ticks, low_ticks,
            close_ticks, volume_lots, quote_minor, trade_count
        FROM unnest(
            %s::integer[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
            %s::bigint[], %s::bigint[], %s::integer[]
        ) AS row (
            instrument_id, minute, open_ticks, high_ticks, low_ticks, close_ticks, volume_lots,
            quote_minor, trade_count
        )
    ) AS new
    ON candle.instrument_id = new.instrument_id AND candle.at = new.at
    WHEN MATCHED AND candle.synthetic THEN UPDATE SET
        open_ticks = new.open_ticks, high_ticks = new.high_ticks, low_ticks = new.low_ticks,
        close_ticks = new.close_ticks, volume_lots = new.volume_lots,
        quote_minor = new.quote_minor, trade_count = new.trade_count, synthetic = false
    WHEN MATCHED THEN UPDATE SET
        high_ticks = greatest(candle.high_ticks, new.high_ticks),
        low_ticks = least(candle.low_ticks, new.low_ticks),
        close_ticks = new.close_ticks,
        volume_lots = candle.volume_lots + new.volume_lots,
        quote_minor = candle.quote_minor + new.quote_minor,
        trade_count = candle.trade_count + new.trade_count
    WHEN NOT MATCHED THEN INSERT (
        instrument_id, at, open_ticks, high_ticks, low_ticks, close_ticks, volume_lots,
        quote_minor, trade_count, synthetic
    ) VALUES (
        new.instrument_id, new.at, new.open_ticks, new.high_ticks, new.low_ticks,
        new.close_ticks, new.volume_lots, new.quote_minor, new.trade_count, false
    )
"""

_INSTRUMENT_FIELDS: Final = (
    "min_quantity_lots", "max_quantity_lots", "min_notional_minor", "max_notional_minor",
    "maker_fee_ppm", "taker_fee_ppm", "band_bps", "max_position_lots", "state",
    "limit_state_seconds", "halt_seconds",
)  # fmt: skip
_MERGE_INSTRUMENT: Final = f"""
    INSERT INTO markets_instrument (
        id, symbol, base_id, quote_id, lot_minor, tick_lot_minor, tick_size_minor,
        {", ".join(_INSTRUMENT_FIELDS)}, seq
    )
    SELECT %s, %s, asset.id, %s, %s, %s,
        (%s::numeric * 10::numeric ^ asset.scale::integer / %s)::bigint,
        {", ".join(["%s"] * len(_INSTRUMENT_FIELDS))}, %s
    FROM markets_asset AS asset WHERE asset.id = %s
    ON CONFLICT (id) DO UPDATE SET symbol = excluded.symbol, seq = excluded.seq,
        {", ".join(f"{name} = excluded.{name}" for name in _INSTRUMENT_FIELDS)}
"""  # nosec B608  # names of columns are ours


class UnknownAsset(Exception):
    """The engine lists a market of an asset that is not in the table of assets."""


class _Minute:
    """What a batch adds to one candle."""

    __slots__ = ("close", "count", "high", "lots", "low", "open", "quote_minor")

    def __init__(self, price_ticks: int) -> None:
        self.open = self.high = self.low = self.close = price_ticks
        self.lots = 0
        self.quote_minor = 0
        self.count = 0


Minutes = dict[tuple[int, int], _Minute]
_MOMENTS: Final = ("phase_until", "auction_at")
# What a batch changes of the row of a market besides its terms, by column.
Turns = dict[int, dict[str, int | None]]


class MarketsProjection:
    name: str = "markets"
    version: int = 1
    tables: tuple[str, ...] = ("markets_instrument", "markets_trade", "markets_candle")

    def apply(self, batch: Batch, cursor: Any) -> None:
        self.prepare(batch)(cursor)

    def prepare(self, batch: Batch) -> Write:
        minutes: Minutes = {}
        listed: list[tuple[Instrument, int]] = []
        turns: Turns = {}
        trades = bulk.packed(_trade_rows(batch, minutes, listed, turns))

        def write(cursor: Any) -> None:
            for instrument, seq in listed:
                _write_instrument(cursor, instrument, seq)
            for market_id, turn in turns.items():
                _write_turn(cursor, market_id, turn)
            bulk.copy(cursor, "markets_trade", _TRADE_COLUMNS, trades)
            if minutes:
                _merge_candles(cursor, minutes)

        return write

    def clear(self, cursor: Any) -> None:
        """Remove what events wrote; synthetic history has no events to come back from."""
        cursor.execute("TRUNCATE markets_instrument, markets_trade")
        cursor.execute("DELETE FROM markets_candle WHERE NOT synthetic")

    def check(self, view: EngineView) -> list[str]:
        with connection.cursor() as cursor:
            return [*_instruments_against_engine(cursor, view), *_candles_against_tape(cursor)]


def _write_instrument(cursor: Any, instrument: Instrument, seq: int) -> None:
    terms = [getattr(instrument, name) for name in _INSTRUMENT_FIELDS]
    cursor.execute(
        _MERGE_INSTRUMENT,
        (
            instrument.market_id, instrument.symbol, instrument.quote_asset_id,
            instrument.lot_minor, instrument.tick_lot_minor, instrument.tick_lot_minor,
            instrument.lot_minor, *terms, seq, instrument.base_asset_id,
        ),
    )  # fmt: skip
    if cursor.rowcount != 1:
        raise UnknownAsset(f"Market {instrument.symbol}: asset {instrument.base_asset_id}.")


def _write_turn(cursor: Any, market_id: int, turn: dict[str, int | None]) -> None:
    columns = ", ".join(
        f"{name} = timestamptz '2000-01-01 00:00:00Z' + %s * interval '1 microsecond'"
        if name in _MOMENTS
        else f"{name} = %s"
        for name in turn
    )
    cursor.execute(
        f"UPDATE markets_instrument SET {columns} WHERE id = %s",  # nosec B608  # columns are ours
        [*turn.values(), market_id],
    )


def _trade_rows(
    batch: Batch,
    minutes: Minutes,
    listed: list[tuple[Instrument, int]],
    turns: Turns,
) -> Iterator[bytes]:
    """Yield the rows of the tape; collect what they add to candles, and what changed of markets."""
    pack = _TRADE_ROW.pack
    for entry in batch.entries:
        for event in entry.events:
            if isinstance(event, Trade):
                _add_to_minute(minutes, event, entry.at_ns)
                yield pack(
                    8, 8, event.trade_id, 4, event.market_id, 8, event.price_ticks,
                    8, event.quantity_lots, 8, event.quote_minor, 2, event.taker_side,
                    8, entry.seq, 8, bulk.micros(entry.at_ns),
                )  # fmt: skip
            elif type(event) is InstrumentListed or type(event) is InstrumentSet:
                listed.append((event.instrument, entry.seq))
            elif type(event) is PhaseChanged or type(event) is Indicated:
                turns.setdefault(event.market_id, {}).update(_turn(event))
            elif type(event) is Uncrossed:
                turns.setdefault(event.market_id, {}).update(
                    auction_ticks=event.price_ticks,
                    auction_lots=event.auction_lots or event.quantity_lots,
                    auction_at=bulk.micros(entry.at_ns),
                )


def _turn(event: PhaseChanged | Indicated) -> dict[str, int | None]:
    if isinstance(event, Indicated):
        return {
            "indicative_ticks": event.price_ticks,
            "indicative_lots": event.quantity_lots,
            "indicative_surplus_lots": event.surplus_lots,
        }
    until = bulk.micros(event.until_ns) if event.until_ns else None
    turn: dict[str, int | None] = {"phase": event.phase, "phase_until": until}
    if event.phase <= PHASE_LIMIT:
        turn.update(indicative_ticks=0, indicative_lots=0, indicative_surplus_lots=0)
    return turn


def _add_to_minute(minutes: Minutes, trade: Trade, at_ns: int) -> None:
    key = (trade.market_id, at_ns // _MINUTE_NS)
    price = trade.price_ticks
    minute = minutes.get(key)
    if minute is None:
        minute = minutes[key] = _Minute(price)
    elif price > minute.high:
        minute.high = price
    elif price < minute.low:
        minute.low = price
    minute.close = price
    minute.lots += trade.quantity_lots
    minute.quote_minor += trade.quote_minor
    minute.count += 1


def _merge_candles(cursor: Any, minutes: Minutes) -> None:
    values = list(minutes.values())
    cursor.execute(
        _MERGE_CANDLES,
        (
            bulk.int_array(market_id for market_id, _ in minutes),
            bulk.int_array(minute for _, minute in minutes),
            bulk.int_array(value.open for value in values),
            bulk.int_array(value.high for value in values),
            bulk.int_array(value.low for value in values),
            bulk.int_array(value.close for value in values),
            bulk.int_array(value.lots for value in values),
            bulk.int_array(value.quote_minor for value in values),
            bulk.int_array(value.count for value in values),
        ),
    )


def _instruments_against_engine(cursor: Any, view: EngineView) -> Iterator[str]:
    cursor.execute(
        "SELECT id, symbol, base_id, quote_id, lot_minor, tick_lot_minor,"
        f" {', '.join(_INSTRUMENT_FIELDS)}, phase, indicative_ticks, indicative_lots,"
        " indicative_surplus_lots FROM markets_instrument"  # nosec B608  # ours
    )
    stored = {row[0]: tuple(row[1:]) for row in cursor.fetchall()}
    phases = {market_id: phase for market_id, phase, _ in view.phases()}
    indicated = {market_id: row for market_id, *row in view.indications()}
    decided = {
        market_id: (
            each.symbol, each.base_asset_id, each.quote_asset_id, each.lot_minor,
            each.tick_lot_minor, *(getattr(each, name) for name in _INSTRUMENT_FIELDS),
            phases[market_id], *indicated[market_id],
        )
        for market_id, each in view.instruments.items()
    }  # fmt: skip
    for market_id in sorted(stored.keys() | decided.keys()):
        if stored.get(market_id) != decided.get(market_id):
            yield (
                f"market {market_id}: the engine has {decided.get(market_id)},"
                f" the table {stored.get(market_id)}"
            )


def _candles_against_tape(cursor: Any) -> Iterator[str]:
    cursor.execute(
        """
        SELECT coalesce(c.instrument_id, t.instrument_id), coalesce(c.at, t.at), c.candle, t.candle
        FROM (
            SELECT instrument_id, at, (open_ticks, high_ticks, low_ticks, close_ticks,
                volume_lots::numeric, quote_minor::numeric, trade_count::bigint)::text AS candle
            FROM markets_candle WHERE NOT synthetic
        ) AS c
        FULL JOIN (
            SELECT instrument_id, date_trunc('minute', at, 'UTC') AS at,
                ((array_agg(price_ticks ORDER BY id))[1], max(price_ticks), min(price_ticks),
                (array_agg(price_ticks ORDER BY id DESC))[1], sum(quantity_lots),
                sum(quote_minor), count(*))::text AS candle
            FROM markets_trade GROUP BY 1, 2
        ) AS t ON t.instrument_id = c.instrument_id AND t.at = c.at
        WHERE c.candle IS DISTINCT FROM t.candle
        ORDER BY 1, 2 LIMIT %s
        """,
        [DIFFERENCES_SHOWN],
    )
    for instrument_id, at, candle, tape in cursor.fetchall():
        yield f"candle of market {instrument_id} at {at}: stored {candle}, the tape gives {tape}"
