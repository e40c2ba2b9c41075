"""Lines of a Binance Spot capture: ``local_ns JSON``, read whole or refused whole.

Owns the format and exact numbers: prices and traded quantities are whole ticks and lots or the
line is broken; a level's size is a sum that may hold orders from before the lot was set, and is
cut down to whole lots. It knows no book: what a line means for one is in ``rebuilt``.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

import msgspec

from apps.core.errors import DomainError, Invalid
from apps.engine.messages import BUY, SELL
from apps.markets.feeds.base import Level, MarketScale


class Diff(NamedTuple):
    """New sizes of levels by the updates ``first_id`` to ``last_id``; size zero removes."""

    at_ns: int
    first_id: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class Top(NamedTuple):
    """Best bid and offer right after update ``update_id``."""

    at_ns: int
    update_id: int
    bid: Level
    ask: Level


class Print(NamedTuple):
    at_ns: int
    trade_id: int
    price_ticks: int
    quantity_lots: int
    taker_side: int


class Snapshot(NamedTuple):
    """The whole book as of update ``update_id``."""

    at_ns: int
    update_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


CaptureEvent: TypeAlias = Diff | Top | Print | Snapshot

_Pairs: TypeAlias = list[tuple[str, str]]


class _Head(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    lastUpdateId: int = 0
    bids: _Pairs = []
    asks: _Pairs = []


class _Diff(msgspec.Struct):
    s: str
    U: int
    u: int
    b: _Pairs
    a: _Pairs


class _Top(msgspec.Struct):
    s: str
    u: int
    b: str
    B: str
    a: str
    A: str


class _Print(msgspec.Struct):
    s: str
    t: int
    p: str
    q: str
    m: bool


_HEAD: Final = msgspec.json.Decoder(_Head)
_DIFF: Final = msgspec.json.Decoder(_Diff)
_TOP: Final = msgspec.json.Decoder(_Top)
_PRINT: Final = msgspec.json.Decoder(_Print)


class CaptureReader:
    """Turns lines into events of one market; other symbols and streams come back as ``None``."""

    def __init__(self, scale: MarketScale) -> None:
        self._scale = scale
        self._symbol = scale.symbol.replace("-", "")
        self.levels_cut = 0

    def read(self, line: bytes) -> CaptureEvent | None:
        """Return what the line says. A line that is wrong in any part is refused whole."""
        try:
            return self._read(line)
        except msgspec.MsgspecError as error:
            raise Invalid("broken_line", str(error)) from error
        except UnicodeDecodeError as error:
            raise Invalid("broken_line", "The line is not UTF-8 text.") from error
        except DomainError as error:
            raise Invalid("broken_line", error.message) from error

    def _read(self, line: bytes) -> CaptureEvent | None:
        stamp, blank, body = line.strip().partition(b" ")
        if not blank or not stamp.isdigit() or len(stamp) > 19:
            raise Invalid("broken_line", "The line does not begin with a time in nanoseconds.")
        at_ns = int(stamp)
        head = _HEAD.decode(body)
        if not head.stream:
            return self._snapshot(at_ns, head)
        kind = head.stream.partition("@")[2]
        if kind == "depth" or kind.startswith("depth@"):
            return self._diff(at_ns, _DIFF.decode(head.data))
        if kind == "bookTicker":
            return self._top(at_ns, _TOP.decode(head.data))
        if kind == "trade":
            return self._print(at_ns, _PRINT.decode(head.data))
        return None

    def _snapshot(self, at_ns: int, head: _Head) -> Snapshot:
        if head.lastUpdateId <= 0:
            raise Invalid("broken_line", "The line is neither a stream message nor a snapshot.")
        bids, asks = self._levels(head.bids), self._levels(head.asks)
        if not bids or not asks:
            raise Invalid("broken_line", "A snapshot has an empty side.")
        return Snapshot(at_ns, head.lastUpdateId, bids, asks)

    def _diff(self, at_ns: int, raw: _Diff) -> Diff | None:
        if raw.s != self._symbol:
            return None
        if not 0 < raw.U <= raw.u:
            raise Invalid("broken_line", "The update ids do not rise.")
        return Diff(at_ns, raw.U, raw.u, self._levels(raw.b), self._levels(raw.a))

    def _top(self, at_ns: int, raw: _Top) -> Top | None:
        if raw.s != self._symbol:
            return None
        bid, ask = self._levels([(raw.b, raw.B), (raw.a, raw.A)])
        if not bid[1] or not ask[1] or bid[0] >= ask[0]:
            raise Invalid("broken_line", "Best bid and offer are empty or crossed.")
        return Top(at_ns, raw.u, bid, ask)

    def _print(self, at_ns: int, raw: _Print) -> Print | None:
        if raw.s != self._symbol:
            return None
        price, lots = self._scale.ticks(raw.p), self._scale.lots(raw.q)
        if not price or not lots:
            raise Invalid("broken_line", "A trade has no price or no quantity.")
        return Print(at_ns, raw.t, price, lots, SELL if raw.m else BUY)

    def _levels(self, pairs: _Pairs) -> tuple[Level, ...]:
        ticks, whole_lots = self._scale.ticks, self._scale.whole_lots
        levels = []
        for price, size in pairs:
            price_ticks = ticks(price)
            if not price_ticks:
                raise Invalid("broken_line", "A level has no price.")
            lots, cut = whole_lots(size)
            self.levels_cut += cut
            levels.append((price_ticks, lots))
        return tuple(levels)
