"""Market data as it happens: folds the engine's events into books, tapes, candles and tickers.

Pure: events in, messages out, no clock and no connection. It refuses events that do not fit its
book, because a wrong book is worse than a new start.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from apps.core import clock
from apps.core.realtime.publish import Message
from apps.engine.messages import (
    BUY,
    PHASE_LIMIT,
    PHASE_OPEN,
    SELL,
    Amended,
    AnyEvent,
    Closed,
    Indicated,
    InstrumentListed,
    PhaseChanged,
    Rested,
    Trade,
    Uncrossed,
)
from apps.markets.models import Instrument
from apps.markets.presentation import (
    auction_json,
    candle_json,
    last_auction_json,
    phase_json,
    ticker_json,
    trade_parts_json,
)
from apps.markets.queries import CandleRow, Ticker24h
from apps.markets.rules import change_bps, format_price, format_quantity

BOOK_LEVELS: Final = 200
TAPE_TRADES: Final = 50
MINUTE_NS: Final = 60 * 1_000_000_000
DAY_MINUTES: Final = 1440

_OF_A_MARKET: Final = (Rested, Trade, Closed, Amended, Uncrossed, PhaseChanged, Indicated)

Level = tuple[int, int]
Row = list[str]


class OutOfStep(Exception):
    """What has been folded cannot be continued; start again from the engine's state."""


class Side:
    """One side of a book: lots per price, and the part of it that readers see."""

    def __init__(self, levels: Iterable[Level], *, is_bid: bool) -> None:
        self._lots = dict(levels)
        self._prices = sorted(self._lots)
        self._is_bid = is_bid
        self._seen: dict[int, Row] = {}
        self._seen_lots: dict[int, int] = {}

    def change(self, price_ticks: int, lots: int) -> None:
        """Add lots to a price, or take them from it."""
        before = self._lots.get(price_ticks, 0)
        after = before + lots
        if after < 0:
            raise OutOfStep(f"{before} lots at {price_ticks}, {-lots} of them to be taken.")
        if after:
            self._lots[price_ticks] = after
            if not before:
                insort(self._prices, price_ticks)
        elif before:
            del self._lots[price_ticks]
            del self._prices[bisect_left(self._prices, price_ticks)]

    def best(self) -> int | None:
        if not self._prices:
            return None
        return self._prices[-1] if self._is_bid else self._prices[0]

    def levels(self, count: int = BOOK_LEVELS) -> list[Level]:
        """Return the best levels, best first."""
        prices = self._prices[: -count - 1 : -1] if self._is_bid else self._prices[:count]
        return [(price, self._lots[price]) for price in prices]

    def advance(self, instrument: Instrument) -> tuple[list[Row], list[Row]]:
        """Return what changed in what readers see since the last time, and all they see now."""
        levels = self.levels()
        seen, lots_seen = self._seen, self._seen_lots
        rows: dict[int, Row] = {}
        changed: list[Row] = []
        for price, lots in levels:
            row = seen.get(price)
            if row is None or lots_seen[price] != lots:
                row = [
                    row[0] if row else format_price(price, instrument),
                    format_quantity(lots, instrument),
                ]
                changed.append(row)
            rows[price] = row
        changed.extend([row[0], "0"] for price, row in seen.items() if price not in rows)
        self._seen, self._seen_lots = rows, dict(levels)
        return changed, list(rows.values())


@dataclass(slots=True)
class Minute:
    """One minute of a market."""

    open_ticks: int
    high_ticks: int
    low_ticks: int
    close_ticks: int
    volume_lots: int
    quote_minor: int
    synthetic: bool = False

    def add(self, trade: Trade) -> None:
        price = trade.price_ticks
        if self.synthetic:
            # What somebody really traded replaces what nobody did.
            self.open_ticks = self.high_ticks = self.low_ticks = price
            self.volume_lots = self.quote_minor = 0
            self.synthetic = False
        self.high_ticks = max(self.high_ticks, price)
        self.low_ticks = min(self.low_ticks, price)
        self.close_ticks = price
        self.volume_lots += trade.quantity_lots
        self.quote_minor += trade.quote_minor

    def row(self, minute: int) -> CandleRow:
        return CandleRow(
            clock.from_ns(minute * MINUTE_NS), self.open_ticks, self.high_ticks, self.low_ticks,
            self.close_ticks, self.volume_lots, self.quote_minor,
        )  # fmt: skip


class Day:
    """The last 24 hours of one market, minute by minute."""

    def __init__(self, minutes: Mapping[int, Minute], last: Level | None) -> None:
        """``last`` is the newest price and when it was, in nanoseconds."""
        self._minutes = dict(sorted(minutes.items()))
        self._last = last
        self._since = 0

    def add(self, trade: Trade, at_ns: int) -> int:
        """Add a trade; return its minute."""
        minute = at_ns // MINUTE_NS
        found = self._minutes.get(minute)
        if found is None:
            price = trade.price_ticks
            found = self._minutes[minute] = Minute(price, price, price, price, 0, 0)
        found.add(trade)
        self._last = (trade.price_ticks, at_ns)
        return minute

    def newest(self, count: int) -> list[int]:
        return list(self._minutes)[-count:]

    def candle(self, minute: int) -> CandleRow:
        return self._minutes[minute].row(minute)

    def ticker(self, instrument: Instrument, now_ns: int) -> Ticker24h:
        """Return the ticker as ``queries.ticker`` would from the projected tables."""
        self._forget(now_ns)
        last, at_ns = self._last or (None, None)
        at = None if at_ns is None else clock.from_ns(at_ns)
        minutes = list(self._minutes.values())
        if last is None or not minutes:
            return Ticker24h(instrument, last, last, last, last, 0, 0, 0, at)
        open_ticks = minutes[0].open_ticks
        return Ticker24h(
            instrument, last, open_ticks,
            max(minute.high_ticks for minute in minutes),
            min(minute.low_ticks for minute in minutes),
            sum(minute.volume_lots for minute in minutes),
            sum(minute.quote_minor for minute in minutes),
            change_bps(open_ticks, last), at,
        )  # fmt: skip

    def moves_on(self, now_ns: int) -> bool:
        """Whether a minute has left the 24 hours since the ticker was made, trade or no trade."""
        oldest = next(iter(self._minutes), None)
        return oldest is not None and oldest < _first_minute(now_ns)

    def _forget(self, now_ns: int) -> None:
        since = _first_minute(now_ns)
        if since > self._since:
            self._since = since
            self._minutes = {key: value for key, value in self._minutes.items() if key >= since}


@dataclass
class Market:
    """Everything live about one market, and what of it has been told."""

    instrument: Instrument
    bids: Side
    asks: Side
    day: Day
    tape: deque[dict[str, object]] = field(default_factory=lambda: deque(maxlen=TAPE_TRADES))
    book_changed: bool = False
    ticker_changed: bool = False
    new_trades: list[dict[str, object]] = field(default_factory=list)
    new_minutes: set[int] = field(default_factory=set)
    phase: int = PHASE_OPEN
    phase_until_ns: int = 0
    # Price, lots and surplus of the auction to come; price and lots of the last, and when it was.
    indicated: tuple[int, int, int] = (0, 0, 0)
    last_auction: tuple[int, int, int] = (0, 0, 0)
    # Trades of an auction that are still to come: what they take has left the book already.
    auction_trades: int = 0

    def side(self, side: int) -> Side:
        return self.bids if side == BUY else self.asks

    def fold_book(self, event: AnyEvent) -> None:
        if type(event) is Rested:
            self.side(event.side).change(event.price_ticks, event.quantity_lots)
        elif type(event) is Trade and self.auction_trades:
            self.auction_trades -= 1
        elif type(event) is Uncrossed:
            self.auction_trades = event.trade_count
            for side, price_ticks, lots in event.left:
                self.side(side).change(price_ticks, -lots)
        elif type(event) is Trade:
            maker_side = SELL if event.taker_side == BUY else BUY
            self.side(maker_side).change(event.price_ticks, -event.quantity_lots)
        elif type(event) is Closed and event.book_lots:
            self.side(event.side).change(event.price_ticks, -event.book_lots)
        elif type(event) is Amended and event.book_lots:
            self.side(event.side).change(event.book_price_ticks, -event.book_lots)
        else:
            return
        self.book_changed = self.ticker_changed = True

    def fold_traded(self, event: AnyEvent, seq: int, at_ns: int) -> None:
        if type(event) is Trade:
            told = trade_parts_json(
                self.instrument, event.trade_id, event.price_ticks, event.quantity_lots,
                event.taker_side, clock.from_ns(at_ns), seq,
            )  # fmt: skip
            self.tape.append(told)
            self.new_trades.append(told)
            self.new_minutes.add(self.day.add(event, at_ns))
        elif type(event) is Uncrossed:
            lots = event.auction_lots or event.quantity_lots
            self.last_auction = (event.price_ticks, lots, at_ns)
        else:
            return
        self.ticker_changed = True

    def turn(self, event: PhaseChanged | Indicated) -> None:
        if type(event) is PhaseChanged:
            self.phase, self.phase_until_ns = event.phase, event.until_ns
            if event.phase <= PHASE_LIMIT:
                self.indicated = (0, 0, 0)
        elif type(event) is Indicated:
            self.indicated = (event.price_ticks, event.quantity_lots, event.surplus_lots)
        self.ticker_changed = True

    def candles(self, minutes: Iterable[int]) -> dict[str, object]:
        return {
            "candles": [
                candle_json(self.day.candle(minute), self.instrument) for minute in sorted(minutes)
            ]
        }

    def ticker(self, now_ns: int) -> dict[str, object]:
        ticker = self.day.ticker(self.instrument, now_ns)
        return ticker_json(ticker, self.bids.best(), self.asks.best(), self._standing())

    def _standing(self) -> dict[str, object]:
        until = clock.from_ns(self.phase_until_ns) if self.phase_until_ns else None
        price_ticks, lots, at_ns = self.last_auction
        at = clock.from_ns(at_ns) if at_ns else None
        return {
            **phase_json(self.phase, until),
            "auction": auction_json(self.instrument, self.phase, *self.indicated),
            "last_auction": last_auction_json(self.instrument, price_ticks, lots, at),
        }


class Board:
    """All markets. ``seq`` is the last command folded in; each topic has its own chain of it."""

    def __init__(self, markets: Mapping[int, Market], *, book_seq: int, trade_seq: int) -> None:
        """Books and phases are as of ``book_seq``, what has traded as of ``trade_seq``."""
        self._markets = dict(markets)
        self._book_seq = book_seq
        self._trade_seq = trade_seq
        self.seq = min(book_seq, trade_seq)
        self._told: dict[str, int] = {}
        self._tickers: dict[int, dict[str, object]] = {}
        # Markets whose ticker was told on its own topic, and not yet on that of all.
        self._new_tickers: set[int] = set()

    @property
    def complete(self) -> bool:
        """Whether books and trades have come to the same point."""
        return self.seq >= max(self._book_seq, self._trade_seq)

    def fold(self, seq: int, at_ns: int, events: Iterable[AnyEvent]) -> None:
        if seq != self.seq + 1:
            raise OutOfStep(f"After {self.seq} comes {seq}.")
        self.seq = seq
        for event in events:
            if isinstance(event, _OF_A_MARKET):
                market = self._markets.get(event.market_id)
                if market is None:
                    raise OutOfStep(f"Market {event.market_id} is not known yet.")
                if seq > self._book_seq:
                    if type(event) is PhaseChanged or type(event) is Indicated:
                        market.turn(event)
                    else:
                        market.fold_book(event)
                if seq > self._trade_seq:
                    market.fold_traded(event, seq, at_ns)
            elif isinstance(event, InstrumentListed) and event.instrument.market_id not in (
                self._markets
            ):
                raise OutOfStep(f"Market {event.instrument.symbol} is new.")

    def start_anew(self, now_ns: int) -> list[Message]:
        """Return every topic's whole state; readers replace what they have."""
        messages: list[Message] = []
        self._told = {}
        for market in self._markets.values():
            messages += self._book(market)
            messages += self._tape(market)
            messages += self._candles(market)
        return messages + self.tickers_of_all(now_ns)

    def changes(self) -> list[Message]:
        """Return what has changed in books, tapes and candles since they were last told."""
        messages: list[Message] = []
        for market in self._markets.values():
            if market.book_changed:
                messages += self._book(market)
            if market.new_trades:
                messages += self._tape(market)
                messages += self._candles(market)
        return messages

    def tickers(self, now_ns: int) -> list[Message]:
        """Return the tickers that have changed, each on its market's own topic."""
        messages: list[Message] = []
        for market_id, market in self._markets.items():
            topic = _topic(market, "ticker")
            changed = market.ticker_changed or market.day.moves_on(now_ns)
            if not changed and topic in self._told:
                continue
            market.ticker_changed = False
            self._new_tickers.add(market_id)
            ticker = self._tickers[market_id] = market.ticker(now_ns)
            messages.append(self._message(topic, ticker, ticker))
        return messages

    def tickers_of_all(self, now_ns: int) -> list[Message]:
        """Return the tickers that have changed, each on its own topic and all on ``tickers``."""
        messages = self.tickers(now_ns)
        changed = [self._tickers[each] for each in self._markets if each in self._new_tickers]
        self._new_tickers.clear()
        if changed or "tickers" not in self._told:
            whole = {"tickers": list(self._tickers.values())}
            messages.append(self._message("tickers", {"tickers": changed}, whole))
        return messages

    def _book(self, market: Market) -> list[Message]:
        market.book_changed = False
        changed_bids, bids = market.bids.advance(market.instrument)
        changed_asks, asks = market.asks.advance(market.instrument)
        topic = _topic(market, "book")
        if topic in self._told and not changed_bids and not changed_asks:
            return []
        return [
            self._message(
                topic, {"bids": changed_bids, "asks": changed_asks}, {"bids": bids, "asks": asks}
            )
        ]

    def _tape(self, market: Market) -> list[Message]:
        new, market.new_trades = market.new_trades[-TAPE_TRADES:], []
        return [
            self._message(_topic(market, "trades"), {"trades": new}, {"trades": list(market.tape)})
        ]

    def _candles(self, market: Market) -> list[Message]:
        new, market.new_minutes = market.new_minutes, set()
        newest = market.candles(market.day.newest(2))
        return [self._message(_topic(market, "candles.1m"), market.candles(new), newest)]

    def _message(self, topic: str, change: object, whole: object) -> Message:
        prev = self._told.get(topic)
        self._told[topic] = self.seq
        if prev is None or prev == self.seq:
            # What time alone has changed has no command of its own to be numbered by, and a delta
            # of a number that readers have already is passed over.
            return Message(topic, self.seq, None, whole)
        return Message(topic, self.seq, prev, change, whole)


def _first_minute(now_ns: int) -> int:
    """Return the oldest minute of the 24 hours that end with the present one."""
    return now_ns // MINUTE_NS - DAY_MINUTES + 1


def _topic(market: Market, part: str) -> str:
    return f"market.{market.instrument.symbol}.{part}"
