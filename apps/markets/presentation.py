"""Market data as plain dictionaries: the one shape for API, sockets and pages."""

from __future__ import annotations

from datetime import datetime

from apps.core.clock import iso
from apps.core.money import format_minor
from apps.engine.messages import BUY
from apps.markets.models import Instrument, Trade
from apps.markets.queries import CandleRow, Ticker24h
from apps.markets.rules import format_amount, format_price, format_quantity

STATE_NAMES = {
    Instrument.State.OPEN: "open",
    Instrument.State.CANCEL_ONLY: "cancel_only",
    Instrument.State.HALTED: "halted",
}


PHASE_NAMES = {
    Instrument.Phase.TRADING: "trading",
    Instrument.Phase.LIMIT_STATE: "limit_state",
    Instrument.Phase.AUCTION: "auction",
    Instrument.Phase.AUCTION_EXTENDED: "auction_extended",
    Instrument.Phase.STAFF_DECIDE: "staff_decide",
}


def phase_json(phase: int, until: datetime | None) -> dict[str, object]:
    """Return the phase, and when it ends by itself; null where it does not."""
    return {
        "phase": PHASE_NAMES[Instrument.Phase(phase)],
        "phase_until": None if until is None else iso(until),
    }


def auction_json(
    instrument: Instrument, phase: int, price_ticks: int, lots: int, surplus_lots: int
) -> dict[str, object] | None:
    """Return what the auction to come would trade now; null while no orders are collected."""
    if phase <= Instrument.Phase.LIMIT_STATE:
        return None
    side = "buy" if surplus_lots > 0 else "sell"
    return {
        "price": format_price(price_ticks, instrument) if price_ticks else None,
        "quantity": format_quantity(lots, instrument),
        "imbalance": format_quantity(abs(surplus_lots), instrument),
        "imbalance_side": side if surplus_lots else None,
    }


def last_auction_json(
    instrument: Instrument, price_ticks: int, lots: int, at: datetime | None
) -> dict[str, object] | None:
    """Return what the last auction has traded; null where there was none."""
    if at is None:
        return None
    return {
        "price": format_price(price_ticks, instrument),
        "quantity": format_quantity(lots, instrument),
        "at": iso(at),
    }


def standing_json(instrument: Instrument) -> dict[str, object]:
    """Return phase and auctions as the market's row has them."""
    return {
        **phase_json(instrument.phase, instrument.phase_until),
        "auction": auction_json(
            instrument, instrument.phase, instrument.indicative_ticks,
            instrument.indicative_lots, instrument.indicative_surplus_lots,
        ),
        "last_auction": last_auction_json(
            instrument, instrument.auction_ticks, instrument.auction_lots, instrument.auction_at
        ),
    }  # fmt: skip


def instrument_json(instrument: Instrument) -> dict[str, object]:
    return {
        "symbol": instrument.symbol,
        "base": instrument.base.code,
        "quote": instrument.quote.code,
        "state": STATE_NAMES[Instrument.State(instrument.state)],
        "tick_size": format_price(1, instrument),
        "lot_size": format_quantity(1, instrument),
        "min_quantity": format_quantity(instrument.min_quantity_lots, instrument),
        "max_quantity": format_quantity(instrument.max_quantity_lots, instrument),
        "min_notional": format_amount(instrument.min_notional_minor, instrument.quote),
        "max_notional": format_amount(instrument.max_notional_minor, instrument.quote),
        "maker_fee": format_minor(instrument.maker_fee_ppm, 6, min_decimals=4),
        "taker_fee": format_minor(instrument.taker_fee_ppm, 6, min_decimals=4),
        "price_band": format_minor(instrument.band_bps, 4, min_decimals=2),
        **standing_json(instrument),
    }


def trade_json(trade: Trade, instrument: Instrument) -> dict[str, object]:
    return trade_parts_json(
        instrument, trade.id, trade.price_ticks, trade.quantity_lots, trade.taker_side,
        trade.at, trade.seq,
    )  # fmt: skip


def trade_parts_json(
    instrument: Instrument, trade_id: int, price_ticks: int, quantity_lots: int, taker_side: int,
    at: datetime, seq: int,
) -> dict[str, object]:  # fmt: skip
    """Return a trade of the tape from its parts, for who has the event and not the row."""
    return {
        "id": str(trade_id),
        "price": format_price(price_ticks, instrument),
        "quantity": format_quantity(quantity_lots, instrument),
        "side": "buy" if taker_side == BUY else "sell",
        "at": iso(at),
        "seq": seq,
    }


def candle_json(candle: CandleRow, instrument: Instrument) -> dict[str, object]:
    return {
        "at": iso(candle.at),
        "open": format_price(candle.open_ticks, instrument),
        "high": format_price(candle.high_ticks, instrument),
        "low": format_price(candle.low_ticks, instrument),
        "close": format_price(candle.close_ticks, instrument),
        "volume": format_quantity(candle.volume_lots, instrument),
        "quote_volume": format_amount(candle.quote_minor, instrument.quote),
    }


def ticker_json(
    ticker: Ticker24h,
    bid_ticks: int | None = None,
    ask_ticks: int | None = None,
    standing: dict[str, object] | None = None,
) -> dict[str, object]:
    """Return the ticker; best bid and offer come from who follows the book, else they are null.

    So does the ``standing`` (phase and auctions), of which the row of the market may be behind.
    """
    instrument = ticker.instrument
    return {
        "market": instrument.symbol,
        "last": _price(ticker.last_ticks, instrument),
        "open": _price(ticker.open_ticks, instrument),
        "high": _price(ticker.high_ticks, instrument),
        "low": _price(ticker.low_ticks, instrument),
        "change": format_minor(ticker.change_bps, 2, min_decimals=2),
        "volume": format_quantity(ticker.volume_lots, instrument),
        "quote_volume": format_amount(ticker.quote_minor, instrument.quote),
        "bid": _price(bid_ticks, instrument),
        "ask": _price(ask_ticks, instrument),
        "at": iso(ticker.at) if ticker.at else None,
        **(standing or standing_json(instrument)),
    }


def _price(ticks: int | None, instrument: Instrument) -> str | None:
    return None if ticks is None else format_price(ticks, instrument)
