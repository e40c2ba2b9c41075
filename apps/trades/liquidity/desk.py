"""The house's desk: turns steps of a feed into commands and reconciles what the engine answered.

It holds the targets, the prints still to be sent and the own quotes, and decides what each refusal
means. Nothing it holds changes before the engine has answered, so a request that was not sent can
be made again as it is; after one whose outcome is unknown the desk starts over.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from apps.core.errors import Unavailable
from apps.engine.messages import (
    BUY,
    GTC,
    IOC,
    LIMIT,
    SELL,
    AnyCommand,
    AnyEvent,
    Cancel,
    CancelAll,
    Deposit,
    Place,
    SetReference,
    Terms,
    Trade,
)
from apps.markets.feeds.base import FeedTrade, MarketStep, Step
from apps.matching.gateway import COMMANDS_PER_ENTRY_MAX, Reply, new_command_id, valid_until_ns
from apps.trades.liquidity import rules
from apps.trades.liquidity.quotes import OwnQuote, OwnQuotes
from apps.trades.liquidity.rules import CancelQuote, PlaceQuote, Sides, SizeLimits, Take
from apps.wallets.actions import MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID

logger = logging.getLogger(__name__)

VALID_SECONDS: Final = 5
RESTART_TIMEOUT_SECONDS: Final = 5.0
PAUSE_NS: Final = 2_000_000_000

# What a refusal of an order means for the desk; what is not named here makes it start over.
_WRONG_REFERENCE: Final = frozenset({"price_band", "no_reference"})
_WAIT: Final = frozenset({
    "market_halted", "venue_halted", "cancel_only", "auction_limit_only", "auction_uncrossing",
    "account_blocked", "reduce_only", "unknown_account", "unknown_market", "rate_limit",
    "repeated_order", "max_open_orders", "max_position",
})  # fmt: skip
_NEVER_AS_IT_IS: Final = frozenset({
    "min_quantity", "min_notional", "max_quantity", "max_notional", "invalid_quantity",
    "invalid_price", "invalid_order", "amount_out_of_range",
})  # fmt: skip


class Submits(Protocol):
    """What of a gateway the desk needs."""

    def submit_many(
        self, commands: Sequence[AnyCommand], timeout_seconds: float = ...
    ) -> list[Reply]: ...


@dataclass(frozen=True, slots=True)
class HouseMarket:
    """What the desk must know of a market."""

    market_id: int
    symbol: str
    base_asset_id: int
    quote_asset_id: int
    limits: SizeLimits


@dataclass(slots=True)
class _Wanted:
    """What one market should look like, and what keeps it from that."""

    market: HouseMarket
    target: Sides = field(default_factory=lambda: {BUY: {}, SELL: {}})
    middle_ticks: int = 0
    prints: deque[FeedTrade] = field(default_factory=deque)
    set_reference: bool = False
    paused_until_ns: int = 0
    refused: dict[tuple[int, int], int] = field(default_factory=dict)

    def allowed(self) -> Sides:
        """Return the target without the levels that the engine never takes as they are."""
        if not self.refused:
            return self.target
        return {
            side: {
                price: lots
                for price, lots in levels.items()
                if self.refused.get((side, price)) != lots
            }
            for side, levels in self.target.items()
        }


@dataclass(frozen=True, slots=True)
class _Order:
    wanted: _Wanted
    intent: PlaceQuote | CancelQuote | Take
    quote: OwnQuote | None = None


@dataclass(frozen=True, slots=True)
class _Housekeeping:
    """A command that keeps the desk able to trade: a reference or a deposit."""

    name: str


_Purpose: TypeAlias = _Order | _Housekeeping


class Desk:
    """One per process and pair of house accounts."""

    def __init__(
        self,
        gateway: Submits,
        markets: Sequence[HouseMarket],
        top_up_minor: Mapping[int, int],
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._gateway = gateway
        self._wanted = {market.market_id: _Wanted(market) for market in markets}
        self._top_up_minor = top_up_minor
        self._clock_ns = clock_ns
        self._run = new_command_id().hex()[:12]
        self._orders = 0
        self._short: set[tuple[int, int]] = set()
        self._due: set[int] = set()
        self.quotes = OwnQuotes()
        self.counters: Counter[str] = Counter()
        self.lost = True
        self.last_seq = 0

    @property
    def due(self) -> bool:
        """Whether there is anything to be sent."""
        return bool(self._due or self._short or self.lost)

    # ------------------------------------------------------------------ what is wanted

    def take_step(self, step: Step) -> None:
        """Take over what the feed shows; ``work`` makes it so."""
        for market in step.markets:
            wanted = self._wanted.get(market.market_id)
            if wanted is not None:
                self._take_market(wanted, market)

    def _take_market(self, wanted: _Wanted, step: MarketStep) -> None:
        limits = wanted.market.limits
        target = {BUY: rules.capped(step.bids, limits), SELL: rules.capped(step.asks, limits)}
        if target[BUY] and target[SELL] and max(target[BUY]) >= min(target[SELL]):
            self.counters["crossed_targets"] += 1
            target = {BUY: {}, SELL: {}}
        wanted.target = target
        wanted.middle_ticks = step.middle_ticks() or wanted.middle_ticks
        wanted.set_reference |= step.restarted
        wanted.refused = {
            key: lots for key, lots in wanted.refused.items() if target[key[0]].get(key[1]) == lots
        }
        if self._paused(wanted):
            self.counters["prints_dropped"] += len(step.trades)
        else:
            wanted.prints.extend(rules.split(step.trades, limits))
        self._due.add(step.market_id)

    def observe(self, events: Iterable[AnyEvent]) -> None:
        """Learn from committed events what others did to the house's quotes."""
        for event in events:
            quote = self.quotes.apply(event)
            if quote is not None:
                self.counters["changed_by_others"] += 1
                self._due.add(quote.market_id)

    def fund(self, account_id: int, asset_id: int) -> None:
        """Note that an account has too little of an asset; ``work`` brings in more."""
        self._short.add((account_id, asset_id))

    # ------------------------------------------------------------------ making it so

    def restart(self) -> None:
        """Cancel everything of the house, whatever it was, and begin from nothing."""
        self.cancel_everything(RESTART_TIMEOUT_SECONDS)
        for market_id, wanted in self._wanted.items():
            self.counters["prints_dropped"] += len(wanted.prints)
            wanted.prints.clear()
            wanted.refused.clear()
            wanted.set_reference = True
            if wanted.middle_ticks:
                self._due.add(market_id)
        self.counters["restarts"] += 1
        self.lost = False

    def cancel_everything(self, timeout_seconds: float) -> None:
        """Take all orders of both house accounts off the books."""
        commands = [
            CancelAll(new_command_id(), valid_until_ns(VALID_SECONDS), account_id)
            for account_id in (MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID)
        ]
        replies = self._gateway.submit_many(commands, timeout_seconds)
        for reply in replies:
            if reply.rejected is not None:
                reason = reply.rejected.reason
                self.counters[f"rejected_{reason}"] += 1
                raise Unavailable(
                    "house_not_ready", f"The house cannot trade yet: {reason}.",
                    retry_after_seconds=1,
                )  # fmt: skip
        self.quotes.clear()
        self.last_seq = replies[-1].seq

    def work(self) -> None:
        """Send all that is due, in as few entries as possible, and take in the answers."""
        work = self._housekeeping()
        for market_id in sorted(self._due):
            wanted = self._wanted[market_id]
            if not self._paused(wanted):
                work.extend(self._orders_of(wanted))
        for start in range(0, len(work), COMMANDS_PER_ENTRY_MAX):
            self._submit(work[start : start + COMMANDS_PER_ENTRY_MAX])
        self._due = {
            market_id
            for market_id in self._due
            if self.quotes.sides(market_id) != self._wanted[market_id].allowed()
        }

    def _housekeeping(self) -> list[tuple[_Purpose, AnyCommand]]:
        work: list[tuple[_Purpose, AnyCommand]] = []
        for account_id, asset_id in sorted(self._short):
            amount = self._top_up_minor[asset_id]
            reference = f"house-{self._run}-{self._next()}"
            command = Deposit(*_head(), account_id, asset_id, amount, reference)
            work.append((_Housekeeping("top_ups"), command))
        for market_id in sorted(self._due):
            wanted = self._wanted[market_id]
            if wanted.set_reference and wanted.middle_ticks and not self._paused(wanted):
                set_reference = SetReference(*_head(), market_id, wanted.middle_ticks)
                work.append((_Housekeeping("references_set"), set_reference))
        return work

    def _orders_of(self, wanted: _Wanted) -> list[tuple[_Purpose, AnyCommand]]:
        market_id = wanted.market.market_id
        own = self.quotes.sides(market_id)
        intents = rules.plan(own, wanted.allowed(), list(wanted.prints), wanted.market.limits)
        placed: dict[tuple[int, int], OwnQuote] = {}
        work: list[tuple[_Purpose, AnyCommand]] = []
        for intent in intents:
            side, price_ticks = intent.side, intent.price_ticks
            quote = None
            command: AnyCommand
            if isinstance(intent, CancelQuote):
                quote = placed.pop((side, price_ticks), None)
                quote = quote or self.quotes.at(market_id, side, price_ticks)
                # The engine forgets client ids long before an order may end; its own id stays.
                command = Cancel(*_head(), MAKER_ACCOUNT_ID, quote.order_id, quote.client_order_id)
            elif isinstance(intent, PlaceQuote):
                client_order_id = f"{self._run}-q{self._next()}"
                terms = Terms(market_id, side, LIMIT, GTC, intent.quantity_lots, 0, price_ticks)
                command = Place(*_head(), MAKER_ACCOUNT_ID, client_order_id, terms)
                quote = OwnQuote(
                    market_id, side, price_ticks, client_order_id, intent.quantity_lots
                )
                placed[side, price_ticks] = quote
            else:
                client_order_id = f"{self._run}-t{self._next()}"
                terms = Terms(market_id, side, LIMIT, IOC, intent.quantity_lots, 0, price_ticks)
                command = Place(*_head(), TAKER_ACCOUNT_ID, client_order_id, terms)
            work.append((_Order(wanted, intent, quote), command))
        return work

    def _submit(self, work: list[tuple[_Purpose, AnyCommand]]) -> None:
        commands = [command for _, command in work]
        try:
            replies = self._gateway.submit_many(commands)
        except Unavailable as error:
            if error.code == "outcome_unknown":
                self.lost = True
            raise
        self.counters["entries"] += 1
        self.counters["commands"] += len(commands)
        for (purpose, command), reply in zip(work, replies, strict=True):
            if isinstance(purpose, _Housekeeping):
                self._settle_housekeeping(purpose, command, reply)
            else:
                self._settle_order(purpose, reply)
        self.last_seq = max(self.last_seq, replies[-1].seq)

    # ------------------------------------------------------------------ answers

    def _settle_housekeeping(
        self, purpose: _Housekeeping, command: AnyCommand, reply: Reply
    ) -> None:
        if reply.rejected is not None:
            reason = reply.rejected.reason
            self.counters[f"rejected_{reason}"] += 1
            logger.warning("The engine refused %s: %s.", purpose.name, reason)
        else:
            self.counters[purpose.name] += 1
        if isinstance(command, SetReference):
            self._wanted[command.market_id].set_reference = False
        elif isinstance(command, Deposit):
            self._short.discard((command.account_id, command.asset_id))

    def _settle_order(self, order: _Order, reply: Reply) -> None:
        intent, quote = order.intent, order.quote
        if isinstance(intent, PlaceQuote) and quote is not None and reply.rejected is None:
            self.quotes.sent(quote)
        for event in reply.events:
            changed = self.quotes.apply(event)
            if changed is not None and changed is not quote:
                self._due.add(changed.market_id)
        if isinstance(intent, Take):
            order.wanted.prints.popleft()
            self._count_print(intent, reply)
        if reply.rejected is not None:
            self._refused(order, reply.rejected.reason)
        elif isinstance(intent, PlaceQuote):
            self.counters["quotes_placed"] += 1
        elif isinstance(intent, CancelQuote):
            self.counters["quotes_cancelled"] += 1

    def _count_print(self, intent: Take, reply: Reply) -> None:
        trades = [
            event
            for event in reply.events
            if isinstance(event, Trade) and event.taker_account_id == TAKER_ACCOUNT_ID
        ]
        self.counters["prints"] += 1
        if any(trade.maker_account_id != MAKER_ACCOUNT_ID for trade in trades):
            self.counters["prints_shared"] += 1
        if sum(trade.quantity_lots for trade in trades) < intent.quantity_lots:
            self.counters["prints_short"] += 1

    def _refused(self, order: _Order, reason: str) -> None:
        """Decide what a refusal means; none is passed over."""
        self.counters[f"rejected_{reason}"] += 1
        intent, wanted, quote = order.intent, order.wanted, order.quote
        if isinstance(intent, CancelQuote):
            if reason == "order_not_found" and quote is not None:
                self.quotes.gone(quote)
            else:
                self.lost = True
        elif reason in _WRONG_REFERENCE:
            wanted.set_reference = True
        elif reason == "insufficient_balance":
            account_id = TAKER_ACCOUNT_ID if isinstance(intent, Take) else MAKER_ACCOUNT_ID
            market = wanted.market
            buying = intent.side == BUY
            self.fund(account_id, market.quote_asset_id if buying else market.base_asset_id)
        elif reason in _WAIT:
            wanted.paused_until_ns = self._clock_ns() + PAUSE_NS
        elif reason in _NEVER_AS_IT_IS:
            wanted.refused[intent.side, intent.price_ticks] = intent.quantity_lots
        else:
            self.lost = True
        if self.lost:
            logger.warning("The engine refused %s (%s): the desk starts over.", intent, reason)

    def _paused(self, wanted: _Wanted) -> bool:
        return self._clock_ns() < wanted.paused_until_ns

    def _next(self) -> int:
        self._orders += 1
        return self._orders


def _head() -> tuple[bytes, int]:
    return new_command_id(), valid_until_ns(VALID_SECONDS)
