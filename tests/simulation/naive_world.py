"""The naive engine's world: accounts, markets, money, cancels. ``naive.py`` has the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import msgspec

from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    BUY,
    CANCEL_ONLY,
    CANCELLED,
    EXPIRED,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    GTD,
    HALTED,
    NORMAL,
    OPEN,
    REDUCE_ONLY,
    AccountOpened,
    AccountSet,
    AnyCommand,
    AnyEvent,
    Cancel,
    CancelAfterSet,
    CancelAll,
    CancelAllAfter,
    Closed,
    Deposit,
    Deposited,
    Duplicate,
    Hold,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    Instrument,
    InstrumentListed,
    InstrumentSet,
    Kill,
    Limits,
    ListInstrument,
    Malformed,
    OpenAccount,
    OpenBlock,
    Place,
    Quarantined,
    ReferenceSet,
    Rejected,
    Release,
    RulesSet,
    SetAccount,
    SetInstrument,
    SetReference,
    SetRules,
    Settle,
    SetVenue,
    Terms,
    Tick,
    Transfer,
    Transferred,
    VenueSet,
)

SECOND = 1_000_000_000
INT32 = 2**31 - 1
LEFT = -1  # what became of a conflict: a leg left its block


class Refused(Exception):
    """A business refusal; its text is the reason."""


class Repeated(Exception):
    """The command was carried out before."""

    def __init__(self, answer: Duplicate) -> None:
        super().__init__()
        self.answer = answer


def check(condition: object, reason: str) -> None:
    if not condition:
        raise Refused(reason)


def rounded_up(numerator: int, denominator: int) -> int:
    whole, rest = divmod(numerator, denominator)
    return whole + 1 if rest else whole


def fee_of(notional: int, ppm: int) -> int:
    return rounded_up(notional * ppm, 1_000_000)


@dataclass
class NaiveAccount:
    group: int
    limits: Limits
    state: int = NORMAL
    placed: list[tuple[int, Terms | None]] = field(default_factory=list)
    cancel_after: tuple[int, int] | None = None  # when, and which command said so


@dataclass(eq=False)
class NaiveOrder:
    number: int
    account_id: int
    client_order_id: str
    terms: Terms
    worst: int
    hold: int
    left: int
    maker_ppm: int
    taker_ppm: int
    made: int = 0
    took: int = 0
    entry_terms: Terms | None = None  # what was asked for first
    rank: int = 0  # when it came to rest; zero while it does not
    shown: int = 0  # of what is left, while it rests
    waiting: bool = False  # for the last price
    best: int = 0  # since a trailing stop is active; zero before
    pair: NaiveOrder | None = None
    entry: NaiveOrder | None = None  # the purchase that it protects
    exits: list[NaiveOrder] = field(default_factory=list)  # what protects it
    follows: bool = False  # it was not placed by a command of its own
    arrived: tuple[int, int] | None = None  # anew: after which order, with which command

    @property
    def buys(self) -> bool:
        return self.terms.side == BUY

    @property
    def age(self) -> tuple[int, int]:
        return self.arrived or (self.number, 0)


@dataclass
class NaiveMarket:
    instrument: Instrument
    trades: list[tuple[int, int, int]] = field(default_factory=list)  # second, price, lots
    last: int = 0
    fallback: int = 0
    counted_from: int = 0  # trades before this one do not count towards the reference
    phase: int = 0
    until: tuple[int, int] | None = None  # when the phase ends, and which command said so
    limit_side: int = 0
    hit: int = 0  # the side of an order that has just come to the band
    traded_inside: bool = False
    looks: tuple[int, int] | None = None  # when the auction to come is told next, and since when
    told: tuple[int, int, int] = (0, 0, 0)  # of it
    uncross: int = 0  # the price of the auction that trades; -1 while some still have to go
    uncrossed: int = 0  # lots that it has traded
    step: int = 100


# When, as which command, which order it entered, and the command.
Memory = tuple[int, int, int, AnyCommand]


def assets_of(i: Instrument) -> tuple[int, int]:
    return i.base_asset_id, i.quote_asset_id


class NaiveWorld:
    def __init__(self) -> None:
        self.seq = 0
        self.now = 0
        self.venue = OPEN
        self.accounts: dict[int, NaiveAccount] = {
            EXTERNAL_ACCOUNT_ID: NaiveAccount(-1, Limits(), BLOCKED),
            FEE_ACCOUNT_ID: NaiveAccount(-2, Limits(), BLOCKED),
        }
        self.available: dict[tuple[int, int], int] = {}
        self.held: dict[tuple[int, int], int] = {}
        self.holds: dict[int, tuple[int, int, int]] = {}
        self.markets: dict[int, NaiveMarket] = {}
        self.orders: list[NaiveOrder] = []
        self.entered: dict[int, int] = {}
        self.numbers = 0
        self.trades = 0
        self.ranks = 0
        # What was carried out in the last ten minutes, by id; and what each account had ordered.
        self.memory: dict[bytes, Memory] = {}
        self.ordered: dict[int, dict[bytes, Memory]] = {}
        self.events: list[AnyEvent] = []

    # ------------------------------------------------------------ one command

    def apply(self, command: AnyCommand, now_ns: int) -> list[AnyEvent]:
        self.seq += 1
        self.now = max(self.now, now_ns)
        self.forget()
        self.events = []
        self.run_timers()
        self.attend()
        try:
            self.dispatch(command)
            self.attend()
        except Refused as refusal:
            account_id = getattr(command, "account_id", 0)
            client_order_id = getattr(command, "client_order_id", "")
            self.events.append(Rejected(str(refusal), account_id, client_order_id))
        except Repeated as repeated:
            self.events.append(repeated.answer)
        return self.events

    def forget(self) -> None:
        """What is ten minutes old is not remembered; the oldest come first."""
        while self.memory:
            command_id = next(iter(self.memory))
            at, _, _, command = self.memory[command_id]
            if at > self.now - 600 * SECOND:
                break
            del self.memory[command_id]
            if isinstance(command, (Place, OpenBlock)):
                del self.ordered[command.account_id][command_id]

    def timers(self) -> list[tuple[int, int, str, int]]:
        """(due, seq, what, which) of everything that time will do."""
        dated = [o for o in self.orders if o.terms.time_in_force == GTD]
        return [
            *((o.terms.expires_at_ns, self.entered[o.number], "date", o.number) for o in dated),
            *((*a.cancel_after, "silence", n) for n, a in self.accounts.items() if a.cancel_after),
            *((*m.until, "turn", n) for n, m in self.markets.items() if m.until),
            *((*m.looks, "unveil", n) for n, m in self.markets.items() if m.looks),
        ]

    def on_date(self, number: int) -> None:
        self.end(next(o for o in self.orders if o.number == number), EXPIRED, "gtd")

    def on_silence(self, account_id: int) -> None:
        self.accounts[account_id].cancel_after = None
        for order in [o for o in self.orders if o.account_id == account_id]:
            if order in self.orders:
                self.end(order, CANCELLED, "cancel_after")

    def run_timers(self) -> None:
        while due := [timer for timer in self.timers() if timer[0] <= self.now]:
            _, _, kind, key = min(due)
            getattr(self, "on_" + kind)(key)

    def dispatch(self, command: AnyCommand) -> None:
        if isinstance(command, (Tick, Malformed)):
            return
        if isinstance(command, Quarantined):
            self.venue = max(self.venue, CANCEL_ONLY)
            self.events.append(VenueSet(self.venue))
            return
        ahead = 11 if isinstance(command, Place) else 301
        fresh = self.now <= command.valid_until_ns <= self.now + ahead * SECOND
        check(fresh, "expired_command")
        if command.command_id in self.memory:
            _, seq, number, earlier = self.memory[command.command_id]
            self.repeat(command, earlier, seq, number)
        number = self.place(command) if isinstance(command, Place) else 0
        if not isinstance(command, Place):
            check(len(command.command_id) == 16, "invalid_command")
            number = getattr(self, "do_" + type(command).__name__)(command) or 0
        memory = self.memory[command.command_id] = self.now, self.seq, number, command
        if isinstance(command, (Place, OpenBlock)):
            self.ordered.setdefault(command.account_id, {})[command.command_id] = memory

    def attend(self) -> None:
        """What the command at hand did to the phases of markets."""
        raise NotImplementedError

    def place(self, c: Place) -> int:
        """The number of the order that was entered."""
        raise NotImplementedError

    def repeat(self, command: AnyCommand, earlier: AnyCommand, seq: int, number: int) -> None:
        def body(c: AnyCommand) -> AnyCommand:
            return msgspec.structs.replace(c, valid_until_ns=0)

        check(type(command) is type(earlier) and body(command) == body(earlier), "id_reused")
        raise Repeated(Duplicate(seq, number))

    # ------------------------------------------------------------ balances

    def free(self, account_id: int, asset_id: int) -> int:
        return self.available.get((account_id, asset_id), 0)

    def move(self, account_id: int, asset_id: int, available: int, held: int = 0) -> None:
        key = (account_id, asset_id)
        self.available[key] = self.available.get(key, 0) + available
        self.held[key] = self.held.get(key, 0) + held
        if account_id != EXTERNAL_ACCOUNT_ID:
            assert min(self.available[key], self.held[key]) >= 0, (key, self.seq)

    def assets_of(self, order: NaiveOrder) -> tuple[int, int]:
        """(what it spends, what it gains)"""
        instrument = self.markets[order.terms.market_id].instrument
        base, quote = instrument.base_asset_id, instrument.quote_asset_id
        return (quote, base) if order.buys else (base, quote)

    # ------------------------------------------------------------ accounts and markets

    def check_account(self, account_id: int, group: int, limits: Limits) -> None:
        sane = 1 <= account_id <= AMOUNT_MAX and abs(group) <= AMOUNT_MAX
        counts = (
            limits.max_open_orders,
            limits.orders_per_second,
            limits.repeated_orders_per_second,
            limits.notional_asset_id,
        )
        sane = sane and 0 <= limits.max_order_notional_minor <= AMOUNT_MAX
        check(sane and all(0 <= count <= INT32 for count in counts), "invalid_account")

    def do_OpenAccount(self, c: OpenAccount) -> None:
        check(c.account_id not in self.accounts, "account_exists")
        self.check_account(c.account_id, c.trade_group, c.limits)
        self.accounts[c.account_id] = NaiveAccount(c.trade_group, c.limits)
        self.events.append(AccountOpened(c.account_id, c.trade_group, c.limits))

    def do_SetAccount(self, c: SetAccount) -> None:
        fixed = (EXTERNAL_ACCOUNT_ID, FEE_ACCOUNT_ID)
        check(c.account_id in self.accounts and c.account_id not in fixed, "unknown_account")
        self.check_account(c.account_id, c.trade_group, c.limits)
        check(c.state in (NORMAL, REDUCE_ONLY, BLOCKED), "invalid_account")
        account = self.accounts[c.account_id]
        account.group, account.limits = c.trade_group, c.limits
        if not c.keeps_state:
            account.state = c.state
        self.events.append(AccountSet(c.account_id, account.state, c.trade_group, c.limits))

    def check_instrument(self, i: Instrument) -> None:
        ids = (i.market_id, i.base_asset_id, i.quote_asset_id)
        most_lots = i.max_quantity_lots or AMOUNT_MAX
        most_notional = i.max_notional_minor or AMOUNT_MAX
        sane = (
            all(1 <= number <= INT32 for number in ids)
            and i.base_asset_id != i.quote_asset_id
            and all(1 <= size <= AMOUNT_MAX for size in (i.lot_minor, i.tick_lot_minor))
            and 1 <= i.min_quantity_lots <= most_lots <= AMOUNT_MAX
            and 0 <= i.min_notional_minor <= most_notional <= AMOUNT_MAX
            and i.max_quantity_lots >= 0
            and i.max_notional_minor >= 0
            and all(0 <= ppm <= 100_000 for ppm in (i.maker_fee_ppm, i.taker_fee_ppm))
            and 1 <= i.band_bps <= 10_000
            and i.state in (OPEN, CANCEL_ONLY, HALTED)
            and 0 <= i.max_position_lots <= AMOUNT_MAX
            and len(i.symbol) <= 200
            and "\x00" not in i.symbol
            and all(0 <= each <= 86_400 for each in (i.limit_state_seconds, i.halt_seconds))
        )
        check(sane, "invalid_instrument")

    def do_ListInstrument(self, c: ListInstrument) -> None:
        check(c.instrument.market_id not in self.markets, "market_exists")
        self.check_instrument(c.instrument)
        self.markets[c.instrument.market_id] = NaiveMarket(c.instrument)
        self.events.append(InstrumentListed(c.instrument))

    def do_SetInstrument(self, c: SetInstrument) -> None:
        market = self.markets.get(c.instrument.market_id)
        check(market, "unknown_market")
        assert market is not None
        self.check_instrument(c.instrument)
        for name in ("base_asset_id", "quote_asset_id", "lot_minor", "tick_lot_minor"):
            same = getattr(market.instrument, name) == getattr(c.instrument, name)
            check(same, "invalid_instrument")
        market.instrument = c.instrument
        self.events.append(InstrumentSet(c.instrument))

    def worth(self, i: Instrument, quote: int, asset: int) -> Fraction | int:
        """Exactly what so much of a market's quote is worth in an asset, or more than anything."""
        if i.quote_asset_id == asset:
            return quote
        for wanted, inverted in (((i.quote_asset_id, asset), 1), ((asset, i.quote_asset_id), -1)):
            markets = [m for _, m in sorted(self.markets.items())]
            known = [m for m in markets if assets_of(m.instrument) == wanted]
            if known and known[0].fallback:
                j = known[0].instrument
                price = Fraction(known[0].fallback * j.tick_lot_minor, j.lot_minor)
                return quote * price**inverted
        return AMOUNT_MAX + 1

    def do_SetReference(self, c: SetReference) -> None:
        market = self.markets.get(c.market_id)
        check(market, "unknown_market")
        assert market is not None
        check(1 <= c.price_ticks <= AMOUNT_MAX, "invalid_price")
        market.counted_from = len(market.trades)
        market.fallback = c.price_ticks
        self.events.append(ReferenceSet(c.market_id, c.price_ticks))

    def do_SetRules(self, c: SetRules) -> None:
        check(c.rules_version == 1, "rules_version")
        self.events.append(RulesSet(1))

    def do_SetVenue(self, c: SetVenue) -> None:
        check(c.state in (OPEN, CANCEL_ONLY, HALTED), "invalid_venue_state")
        self.venue = c.state
        self.events.append(VenueSet(c.state))

    # ------------------------------------------------------------ money

    def check_text(self, text: str) -> None:
        check(len(text) <= 200 and "\x00" not in text, "invalid_reference")

    def do_Deposit(self, c: Deposit) -> None:
        self.check_text(c.reference)
        check(1 <= c.asset_id <= INT32, "invalid_asset")
        known = c.account_id in self.accounts and c.account_id != EXTERNAL_ACCOUNT_ID
        check(known, "unknown_account")
        check(1 <= c.amount_minor <= AMOUNT_MAX, "amount_out_of_range")
        issued = c.amount_minor - self.free(EXTERNAL_ACCOUNT_ID, c.asset_id)
        check(issued <= AMOUNT_MAX, "amount_out_of_range")
        self.move(EXTERNAL_ACCOUNT_ID, c.asset_id, -c.amount_minor)
        self.move(c.account_id, c.asset_id, c.amount_minor)
        self.events.append(Deposited(c.account_id, c.asset_id, c.amount_minor, c.reference))

    def do_Hold(self, c: Hold) -> None:
        check(self.venue != HALTED, "venue_halted")
        check(c.account_id in self.accounts, "unknown_account")
        check(self.accounts[c.account_id].state != BLOCKED, "account_blocked")
        recent = {m[3].hold_id for m in self.memory.values() if isinstance(m[3], Hold)}
        check(c.hold_id not in self.holds and c.hold_id not in recent, "hold_exists")
        check(1 <= c.amount_minor <= AMOUNT_MAX, "amount_out_of_range")
        check(0 <= c.hold_id <= AMOUNT_MAX, "amount_out_of_range")
        check(self.free(c.account_id, c.asset_id) >= c.amount_minor, "insufficient_balance")
        self.move(c.account_id, c.asset_id, -c.amount_minor, c.amount_minor)
        self.holds[c.hold_id] = (c.account_id, c.asset_id, c.amount_minor)
        self.events.append(HoldPlaced(c.hold_id, c.account_id, c.asset_id, c.amount_minor))

    def do_Settle(self, c: Settle) -> None:
        check(c.hold_id in self.holds, "unknown_hold")
        account_id, asset_id, amount = self.holds.pop(c.hold_id)
        self.move(account_id, asset_id, 0, -amount)
        self.move(EXTERNAL_ACCOUNT_ID, asset_id, amount)
        self.events.append(HoldSettled(c.hold_id, account_id, asset_id, amount))

    def do_Release(self, c: Release) -> None:
        check(c.hold_id in self.holds, "unknown_hold")
        account_id, asset_id, amount = self.holds.pop(c.hold_id)
        self.move(account_id, asset_id, amount, -amount)
        self.events.append(HoldReleased(c.hold_id, account_id, asset_id, amount))

    def do_Transfer(self, c: Transfer) -> None:
        self.check_text(c.reference)
        check(len(c.legs) <= 1000, "amount_out_of_range")
        for leg in c.legs:
            check(1 <= leg.asset_id <= INT32, "invalid_asset")
            check(leg.account_id in self.accounts, "unknown_account")
            check(0 < abs(leg.amount_minor) <= AMOUNT_MAX, "amount_out_of_range")
        check(len(c.legs) >= 2, "transfer_unbalanced")
        for asset_id in {leg.asset_id for leg in c.legs}:
            total = sum(leg.amount_minor for leg in c.legs if leg.asset_id == asset_id)
            check(total == 0, "transfer_unbalanced")
        for first in c.legs:
            key = (first.account_id, first.asset_id)
            change = sum(g.amount_minor for g in c.legs if (g.account_id, g.asset_id) == key)
            after = self.free(*key) + change
            if first.account_id == EXTERNAL_ACCOUNT_ID:
                check(after >= -AMOUNT_MAX, "amount_out_of_range")
            else:
                check(after >= 0, "insufficient_balance")
        for key in {(leg.account_id, leg.asset_id) for leg in c.legs}:
            change = sum(g.amount_minor for g in c.legs if (g.account_id, g.asset_id) == key)
            self.move(*key, change)
        self.events.append(Transferred(c.legs, c.reference))

    # ------------------------------------------------------------ cancels

    def do_Cancel(self, c: Cancel) -> None:
        for order in self.orders:
            named = (
                order.number == c.order_id
                if c.order_id
                else order.client_order_id == c.client_order_id
            )
            if named and order.account_id == c.account_id:
                self.end(order, CANCELLED, "user")
                return
        raise Refused("order_not_found")

    def do_CancelAll(self, c: CancelAll) -> None:
        check(not c.market_id or c.market_id in self.markets, "unknown_market")
        check(c.side in (0, 1, 2), "invalid_side")
        check(not c.account_id or c.account_id in self.accounts, "unknown_account")
        for order in list(self.orders):
            mine = not c.account_id or order.account_id == c.account_id
            here = not c.market_id or order.terms.market_id == c.market_id
            mine = mine and order in self.orders
            if mine and here and (not c.side or order.terms.side == c.side):
                own = "reduce_only" if c.reduce_only else "cancel_all"
                self.end(order, CANCELLED, own if c.account_id else "kill")

    def do_CancelAllAfter(self, c: CancelAllAfter) -> None:
        check(c.account_id in self.accounts, "unknown_account")
        check(0 <= c.timeout_ms <= 24 * 3_600_000, "invalid_timeout")
        account = self.accounts[c.account_id]
        due = self.now + c.timeout_ms * 1_000_000 if c.timeout_ms else 0
        before = account.cancel_after
        if not before or before[0] != due:
            account.cancel_after = (due, self.seq) if due else None
        self.events.append(CancelAfterSet(c.account_id, due))

    def do_Kill(self, c: Kill) -> None:
        check(c.scope in (1, 2, 3), "invalid_scope")
        if c.scope == 1:
            check(c.target_id in self.accounts and c.target_id > 2, "unknown_account")
            a = self.accounts[c.target_id]
            a.state = BLOCKED
            self.events.append(AccountSet(c.target_id, BLOCKED, a.group, a.limits))
        elif c.scope == 2:
            check(c.target_id in self.markets, "unknown_market")
            m = self.markets[c.target_id]
            state = CANCEL_ONLY if m.instrument.state == OPEN else m.instrument.state
            m.instrument = msgspec.structs.replace(m.instrument, state=state)
            self.events.append(InstrumentSet(m.instrument))
        else:
            check(c.target_id == 0, "invalid_scope")
            self.venue = max(self.venue, CANCEL_ONLY)
            self.events.append(VenueSet(self.venue))
        for o in list(self.orders):
            if o not in self.orders:
                continue
            if c.target_id == (0, o.account_id, o.terms.market_id, 0)[c.scope]:
                self.end(o, CANCELLED, "kill")

    def end(self, order: NaiveOrder, status: int, reason: str) -> None:
        self.orders.remove(order)
        spends, _ = self.assets_of(order)
        self.move(order.account_id, spends, order.hold, -order.hold)
        self.events.append(
            Closed(
                order.number,
                order.account_id,
                order.terms.market_id,
                order.terms.side,
                status,
                reason,
                order.hold,
                order.worst if order.rank else 0,
                order.shown if order.rank else 0,
            )
        )
