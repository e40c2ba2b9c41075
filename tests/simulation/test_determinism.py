"""The same commands always lead to the same state: R5, and D1 to D4 of the invariants."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator

import msgspec
import pytest

from apps.engine import control, entry
from apps.engine import engine as core
from apps.engine.block_snapshot import BlockState
from apps.engine.engine import Engine
from apps.engine.messages import AnyCommand, Cancel, Rejected
from apps.engine.snapshot import AccountState, BookState, EngineState
from tests.simulation.flow import Flow
from tests.simulation.run import check_determinism, replay, simulate

HASH_OF_A_SEED = """
import sys
from tests.simulation.run import simulate
for seed in (3, 11, 25):
    sys.stdout.write(simulate(seed, 700).final_hash)
"""


@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_replay_any_packing_and_any_snapshot_lead_to_the_live_hash(seed: int) -> None:
    journal = simulate(seed, 800)

    check_determinism(seed, journal)


@pytest.mark.parametrize("seed", range(1_020, 1_026))
def test_the_short_ways_of_orders_and_cancels_lead_where_the_long_ones_do(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = simulate(seed, 800)

    monkeypatch.setattr(entry, "plain_hold_minor", lambda account, terms, book: 0)
    monkeypatch.setattr(core, "_CARRY_OUT", {**core._CARRY_OUT, Cancel: control.control})

    assert replay(journal, (64,)).state_hash() == journal.final_hash


def test_hash_seed_time_zone_and_locale_change_nothing() -> None:
    found = set()
    for hash_seed, zone, locale in (
        ("0", "UTC", "C"),
        ("1", "Asia/Kathmandu", "de_DE.UTF-8"),
        ("4242", "America/St_Johns", "C.UTF-8"),
    ):
        surroundings = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "TZ": zone,
            "LC_ALL": locale,
        }
        answer = subprocess.run(
            [sys.executable, "-c", HASH_OF_A_SEED],
            env=surroundings,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(answer.stdout)

    assert len(found) == 1
    assert len(found.pop()) == 3 * 64


def test_r11_a_refusal_leaves_everything_but_sequence_time_and_throttle() -> None:
    refused = 0
    for seed in range(2_000, 2_006):
        engine, flow = Engine(), Flow(seed)
        before = _without_counters(engine)
        for command, now_ns in flow.commands(500):
            events = engine.apply(command, now_ns)
            after = _without_counters(engine)
            if len(events) == 1 and isinstance(events[0], Rejected):
                assert _same_but_for_time(before, after), command
                refused += 1
            before = after
            flow.learn(events)

    assert refused > 500


def test_r10_the_engine_leaves_nothing_for_the_garbage_collector() -> None:
    engine, flow = Engine(), Flow(7)
    journal = list(_answered(engine, flow, 1_500))
    engine = Engine()
    gc.collect()
    gc.disable()
    try:
        for command, now_ns in journal:
            engine.apply(command, now_ns)

        assert gc.collect() == 0
    finally:
        gc.enable()


def test_r10_ended_orders_leave_memory() -> None:
    engine, flow = Engine(), Flow(7)
    for _ in _answered(engine, flow, 1_500):
        pass

    live = {row[0] for row in engine.open_orders()}

    assert set(engine.matcher.orders) == live
    assert {i for a in engine.accounts.values() for i in a.open_orders} == live
    assert set(engine.matcher.aged) <= live


def _answered(engine: Engine, flow: Flow, count: int) -> Iterator[tuple[AnyCommand, int]]:
    for command, now_ns in flow.commands(count):
        flow.learn(engine.apply(command, now_ns))
        yield command, now_ns


def _without_counters(engine: Engine) -> EngineState:
    """The state without what a refusal may change, and without what time alone changes."""
    state = msgspec.msgpack.decode(engine.snapshot(), type=EngineState)
    accounts = [msgspec.structs.replace(account, throttle=None) for account in state.accounts]
    return msgspec.structs.replace(state, seq=0, accounts=accounts)


def _same_but_for_time(before: EngineState, after: EngineState) -> bool:
    """Old commands are forgotten, old trades leave the window and switches fire, whatever comes."""
    if before.now_ns != after.now_ns:
        accounts = [_after_its_switch(account, after.now_ns) for account in before.accounts]
        books = [_without_time(book) for book in after.books]
        kept = [entry for entry in before.remembered if entry in after.remembered]
        before = msgspec.structs.replace(
            before,
            now_ns=after.now_ns,
            accounts=accounts,
            blocks=_without_slice_times(before.blocks),
            forgotten_seq=after.forgotten_seq,
            books=[_without_time(book) for book in before.books],
            remembered=kept,
        )
        after = msgspec.structs.replace(
            after, books=books, blocks=_without_slice_times(after.blocks)
        )
    return before == after


def _without_time(book: BookState) -> BookState:
    """Trades leave the window; the price of a call is looked at, and is due again later."""
    call = book.call and (*book.call[:3], 0, 0, book.call[5])
    return msgspec.structs.replace(book, buckets=[], call=call)


def _without_slice_times(blocks: list[BlockState]) -> list[BlockState]:
    """When a block that has nothing to allot is due, it becomes due again later."""
    return [msgspec.structs.replace(block, due_ns=0, due_seq=0) for block in blocks]


def _after_its_switch(account: AccountState, now_ns: int) -> AccountState:
    """A switch whose time has come is disarmed, also where there was no order to cancel."""
    if account.cancel_after is not None and account.cancel_after[0] <= now_ns:
        return msgspec.structs.replace(account, cancel_after=None)
    return account
