"""Hypothesis looks for the shortest way to break the engine: any rule after any other.

The model is the naive engine; the auditor watches the invariants. Where something breaks,
Hypothesis prints the few steps that do it.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from apps.engine.messages import (
    BUY,
    CANCEL_ONLY,
    FOK,
    GTC,
    GTD,
    HALTED,
    IOC,
    LIMIT,
    MARKET,
    NORMAL,
    OPEN,
    REDUCE_ONLY,
    SELL,
    STOP,
    STOP_LIMIT,
    Cancel,
    CancelAll,
    Deposit,
    Hold,
    Instrument,
    Leg,
    Limits,
    ListInstrument,
    OpenAccount,
    Place,
    PlacePair,
    Release,
    SetAccount,
    SetInstrument,
    SetReference,
    Settle,
    SetVenue,
    Special,
    Terms,
    Tick,
    Transfer,
)
from tests.simulation.machine import SECOND, Machine

ACCOUNTS = (1_000, 1_001, 1_002)
PRICES = st.integers(90, 110)
LOTS = st.integers(1, 12)
SIDES = st.sampled_from((BUY, SELL))
OWNERS = st.sampled_from(ACCOUNTS)


def instrument(maker_ppm: int, taker_ppm: int, band_bps: int, state: int) -> Instrument:
    return Instrument(1, 2, 1, 3, 7, 1, 100, 0, 0, maker_ppm, taker_ppm, band_bps, state)


class EngineMachine(Machine):
    @initialize(reference=st.sampled_from((0, 100)), money=st.sampled_from((900, 90_000)))
    def open_the_venue(self, reference: int, money: int) -> None:
        self.send(ListInstrument, instrument(800, 1_000, 1_000, OPEN))
        for account_id in ACCOUNTS:
            # The last two are of one trade group.
            self.send(OpenAccount, account_id, min(account_id, 1_001), Limits(6, 0, 0))
            self.send(Deposit, account_id, 1, money)
            self.send(Deposit, account_id, 2, money)
        if reference:
            self.send(SetReference, 1, reference)

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, price=PRICES, force=st.sampled_from((GTC, IOC, FOK)))
    def limit(self, owner: int, side: int, lots: int, price: int, force: int) -> None:
        self.place(owner, Terms(1, side, LIMIT, force, lots, price_ticks=price))

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, price=PRICES, mode=st.sampled_from((2, 3)))
    def limit_that_expires_makers(
        self, owner: int, side: int, lots: int, price: int, mode: int
    ) -> None:
        self.place(owner, Terms(1, side, LIMIT, GTC, lots, price_ticks=price, self_trade=mode))

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, price=PRICES, seconds=st.integers(0, 40))
    def good_till_date(self, owner: int, side: int, lots: int, price: int, seconds: int) -> None:
        until_ns = self.now_ns + seconds * SECOND
        terms = Terms(1, side, LIMIT, GTD, lots, price_ticks=price, expires_at_ns=until_ns)
        self.place(owner, terms)

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, price=PRICES)
    def post_only(self, owner: int, side: int, lots: int, price: int) -> None:
        self.place(owner, Terms(1, side, LIMIT, GTC, lots, price_ticks=price, post_only=True))

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, force=st.sampled_from((IOC, FOK)))
    def market_by_quantity(self, owner: int, side: int, lots: int, force: int) -> None:
        self.place(owner, Terms(1, side, MARKET, force, lots))

    @rule(owner=OWNERS, quote=st.integers(1, 20_000))
    def market_by_budget(self, owner: int, quote: int) -> None:
        self.place(owner, Terms(1, BUY, MARKET, IOC, 0, quote))

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, stop=PRICES, price=st.one_of(st.just(0), PRICES))
    def stop(self, owner: int, side: int, lots: int, stop: int, price: int) -> None:
        kind = STOP_LIMIT if price else STOP
        self.place(owner, Terms(1, side, kind, GTC, lots, price_ticks=price, stop_ticks=stop))

    @rule(owner=OWNERS, side=SIDES, lots=LOTS, price=PRICES, stop=PRICES)
    def pair(self, owner: int, side: int, lots: int, price: int, stop: int) -> None:
        terms = Terms(1, side, LIMIT, GTC, lots, price_ticks=price, post_only=True)
        stop_terms = Terms(1, side, STOP, GTC, lots, stop_ticks=stop)
        self.clients += 1
        self.send(PlacePair, owner, f"c{self.clients}", terms, stop_terms)

    @rule(owner=OWNERS, lots=LOTS, price=PRICES, away=st.integers(1, 6))
    def purchase_with_exits(self, owner: int, lots: int, price: int, away: int) -> None:
        exits = Special(take_profit_ticks=price + away, stop_loss_ticks=price - away)
        self.place(owner, Terms(1, BUY, LIMIT, GTC, lots, price_ticks=price, special=exits))

    @rule(owner=OWNERS, order_id=st.integers(1, 40))
    def cancel(self, owner: int, order_id: int) -> None:
        self.send(Cancel, owner, order_id)

    @rule(owner=st.sampled_from((0, *ACCOUNTS)))
    def cancel_all(self, owner: int) -> None:
        self.send(CancelAll, owner)

    @rule(back=st.integers(1, 6), later=st.booleans())
    def send_again(self, back: int, later: bool) -> None:
        command, _ = self.journal[-min(back, len(self.journal))]
        if later and isinstance(command, Place):
            self.send(Place, command.account_id, command.client_order_id, command.terms)
        else:
            self.carry_out(command)

    @rule(owner=OWNERS, asset_id=st.sampled_from((1, 2)), amount=st.integers(1, 5_000))
    def deposit(self, owner: int, asset_id: int, amount: int) -> None:
        self.send(Deposit, owner, asset_id, amount)

    @rule(owner=OWNERS, amount=st.integers(1, 2_000), hold_id=st.integers(1, 5))
    def hold(self, owner: int, amount: int, hold_id: int) -> None:
        self.send(Hold, owner, 1, amount, hold_id)

    @rule(hold_id=st.integers(1, 5), kind=st.sampled_from((Settle, Release)))
    def end_hold(self, hold_id: int, kind: Any) -> None:
        self.send(kind, hold_id)

    @rule(owner=OWNERS, other=OWNERS, amount=st.integers(1, 2_000))
    def transfer(self, owner: int, other: int, amount: int) -> None:
        self.send(Transfer, (Leg(owner, 1, -amount), Leg(other, 1, amount)))

    @rule(
        maker_ppm=st.sampled_from((0, 333, 800)),
        taker_ppm=st.sampled_from((0, 1_000, 77_777)),
        band_bps=st.sampled_from((300, 1_000, 10_000)),
        state=st.sampled_from((OPEN, OPEN, CANCEL_ONLY, HALTED)),
    )
    def set_market(self, maker_ppm: int, taker_ppm: int, band_bps: int, state: int) -> None:
        self.send(SetInstrument, instrument(maker_ppm, taker_ppm, band_bps, state))

    @rule(state=st.sampled_from((OPEN, OPEN, CANCEL_ONLY, HALTED)))
    def set_venue(self, state: int) -> None:
        self.send(SetVenue, state)

    @rule(owner=OWNERS, state=st.sampled_from((NORMAL, REDUCE_ONLY)), group=st.integers(1, 3))
    def set_account(self, owner: int, state: int, group: int) -> None:
        self.send(SetAccount, owner, state, group, Limits(6, 0, 0))

    @rule(price=PRICES)
    def set_reference(self, price: int) -> None:
        self.send(SetReference, 1, price)

    @rule(seconds=st.sampled_from((0, 1, 10, 299, 300, 601)))
    def let_time_pass(self, seconds: int) -> None:
        self.now_ns += seconds * SECOND
        self.send(Tick)


TestEngineMachine = EngineMachine.TestCase
TestEngineMachine.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
