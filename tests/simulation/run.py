"""One seeded run: the engine, the naive engine and the auditor over the same commands."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from apps.engine.engine import Engine
from apps.engine.messages import AnyCommand, AnyEvent
from tests.simulation.audit import Auditor
from tests.simulation.audit_blocks import Broken
from tests.simulation.flow import Flow
from tests.simulation.naive_blocks import NaiveBlocks

FULL_CHECK_EVERY = 50
EVERY_PACKING = ((1,), (7,), (64,), (512,))
MIXED_PACKING = (1, 7, 64, 512)

_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(list[AnyCommand])


class Failed(AssertionError):
    """Tells on its first line how to see it again; ``trace`` are the commands up to there."""

    def __init__(self, words: str, trace: list[tuple[AnyCommand, int]]) -> None:
        super().__init__(words)
        self.trace = trace


class SpacedAuditor(Auditor):
    """Looks at all open orders and levels only so often; at what happens, always."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self._every = every

    def _look_at_orders(self, engine: Engine) -> None:
        if self.seq % self._every == 0:
            super()._look_at_orders(engine)


@dataclass
class Journal:
    """What a host would keep: commands with their times, and the events they caused, as bytes."""

    commands: list[tuple[AnyCommand, int]] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    final_hash: str = ""


def simulate(
    seed: int,
    count: int,
    engine: Engine | None = None,
    flow: Flow | None = None,
    *,
    spacing: int = 1,
) -> Journal:
    """Runs ``count`` commands of a seed and checks each one; answers with the journal.

    ``spacing`` is how many commands pass between two looks at the engine's whole order book.
    """
    engine = engine or Engine()
    flow = flow or Flow(seed)
    naive, auditor = NaiveBlocks(), SpacedAuditor(spacing)
    journal = Journal()
    step = 0
    try:
        for step, (command, now_ns) in enumerate(flow.commands(count), 1):
            journal.commands.append((command, now_ns))
            events = engine.apply(command, now_ns)
            _compare(events, naive.apply(command, now_ns))
            if engine.next_allotment() != naive.next_allotment():
                raise Broken("the block that is allotted next")
            auditor.follow(engine, events)
            if step % (FULL_CHECK_EVERY * spacing) == 0:
                auditor.full_check(engine)
            journal.events.append(_encoder.encode(events))
            flow.learn(events)
        auditor.full_check(engine)
    except Exception as error:
        last = flow.sent[-1] if flow.sent else None
        raise Failed(
            f"SIM_SEED={seed} SIM_COMMANDS={count}: python -m tests.simulation {seed} {count}\n"
            f"command {step}: {last}\n{type(error).__name__}: {error}",
            journal.commands,
        ) from error
    journal.final_hash = engine.state_hash()
    return journal


def _compare(events: list[AnyEvent], expected: list[AnyEvent]) -> None:
    if events == expected:
        return
    for number, (event, other) in enumerate(zip(events, expected, strict=False)):
        if event != other:
            raise Broken(f"event {number}\n  engine {event}\n  naive  {other}")
    raise Broken(f"number of events\n  engine {events}\n  naive  {expected}")


def follow(trace: list[tuple[AnyCommand, int]]) -> None:
    """Carries out given commands as ``simulate`` does, and raises what it would raise."""
    engine, naive, auditor = Engine(), NaiveBlocks(), Auditor()
    for command, now_ns in trace:
        events = engine.apply(command, now_ns)
        _compare(events, naive.apply(command, now_ns))
        auditor.follow(engine, events)
    auditor.full_check(engine)


def recorded(trace: list[tuple[AnyCommand, int]]) -> Journal:
    """The journal of given commands, unchecked."""
    engine, journal = Engine(), Journal(trace)
    journal.events = [_encoder.encode(engine.apply(*each)) for each in trace]
    journal.final_hash = engine.state_hash()
    return journal


def replay(journal: Journal, batch_sizes: Sequence[int], cuts: Sequence[int] = ()) -> Engine:
    """From the commands' bytes alone, packed as a host may pack them; events must be the same.

    Sizes of the batches take turns. The first batch that begins after a cut is for an engine that
    was made from a snapshot.
    """
    engine = Engine()
    start = 0
    sizes = itertools.cycle(batch_sizes)
    due = sorted(cuts, reverse=True)
    while start < len(journal.commands):
        if due and due[-1] <= start:
            due.pop()
            engine = restored(engine)
        batch = journal.commands[start : start + next(sizes)]
        packed = _encoder.encode([command for command, _ in batch])
        for offset, command in enumerate(_commands.decode(packed)):
            events = _encoder.encode(engine.apply(command, batch[offset][1]))
            assert events == journal.events[start + offset], f"command {start + offset + 1}"
        start += len(batch)
    return engine


def restart(journal: Journal, cut: int) -> Engine:
    """Snapshot after ``cut`` commands, then the tail on what the snapshot gives back."""
    engine = Engine()
    for command, now_ns in journal.commands[:cut]:
        engine.apply(command, now_ns)
    engine = restored(engine)
    for number, (command, now_ns) in enumerate(journal.commands[cut:], cut):
        events = _encoder.encode(engine.apply(command, now_ns))
        assert events == journal.events[number], f"cut {cut}, command {number + 1}"
    return engine


def restored(engine: Engine) -> Engine:
    """The engine that its snapshot makes."""
    snapshot = engine.snapshot()
    other = Engine.restore(snapshot)
    assert other.snapshot() == snapshot, f"snapshot at {engine.seq}"
    return other


def check_determinism(seed: int, journal: Journal) -> None:
    """Replay, any packing, and a snapshot anywhere all lead to the same hash."""
    for batch_sizes in EVERY_PACKING:
        assert replay(journal, batch_sizes).state_hash() == journal.final_hash, batch_sizes
    for cut in three_cuts(seed, journal):
        assert restart(journal, cut).state_hash() == journal.final_hash, cut


def check_determinism_at_once(seed: int, journal: Journal) -> None:
    """All of that in one replay: sizes of batches mixed, and three snapshots on the way."""
    engine = replay(journal, MIXED_PACKING, three_cuts(seed, journal))
    assert engine.state_hash() == journal.final_hash


def three_cuts(seed: int, journal: Journal) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(len(journal.commands)) for _ in range(3)]
