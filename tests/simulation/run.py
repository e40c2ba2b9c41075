"""One seeded run: the engine, the naive engine and the auditor over the same commands."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import msgspec

from apps.engine.engine import Engine
from apps.engine.messages import AnyCommand, AnyEvent
from tests.simulation.audit import Auditor, Broken
from tests.simulation.flow import Flow
from tests.simulation.naive_venue import NaiveVenue

FULL_CHECK_EVERY = 50

_encoder = msgspec.msgpack.Encoder()
_commands = msgspec.msgpack.Decoder(list[AnyCommand])


class Failed(AssertionError):
    """Tells on its first line how to see it again."""


@dataclass
class Journal:
    """What a host would keep: commands with their times, and the events they caused, as bytes."""

    commands: list[tuple[AnyCommand, int]] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    final_hash: str = ""


def simulate(seed: int, count: int, engine: Engine | None = None) -> Journal:
    """Runs ``count`` commands of a seed and checks each one; answers with the journal."""
    engine = engine or Engine()
    flow, naive, auditor = Flow(seed), NaiveVenue(), Auditor()
    journal = Journal()
    step = 0
    try:
        for step, (command, now_ns) in enumerate(flow.commands(count), 1):
            events = engine.apply(command, now_ns)
            _compare(events, naive.apply(command, now_ns))
            auditor.follow(engine, events)
            if step % FULL_CHECK_EVERY == 0:
                auditor.full_check(engine)
            journal.commands.append((command, now_ns))
            journal.events.append(_encoder.encode(events))
            flow.learn(events)
        auditor.full_check(engine)
    except Exception as error:
        last = flow.sent[-1] if flow.sent else None
        raise Failed(
            f"SIM_SEED={seed} SIM_COMMANDS={count}: python -m tests.simulation {seed} {count}\n"
            f"command {step}: {last}\n{type(error).__name__}: {error}"
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


def replay(journal: Journal, batch_size: int) -> Engine:
    """From the commands' bytes alone, packed as a host may pack them; events must be the same."""
    engine = Engine()
    for start in range(0, len(journal.commands), batch_size):
        batch = journal.commands[start : start + batch_size]
        packed = _encoder.encode([command for command, _ in batch])
        for offset, command in enumerate(_commands.decode(packed)):
            events = _encoder.encode(engine.apply(command, batch[offset][1]))
            assert events == journal.events[start + offset], f"command {start + offset + 1}"
    return engine


def restart(journal: Journal, cut: int) -> Engine:
    """Snapshot after ``cut`` commands, then the tail on what the snapshot gives back."""
    engine = Engine()
    for command, now_ns in journal.commands[:cut]:
        engine.apply(command, now_ns)
    snapshot = engine.snapshot()
    restored = Engine.restore(snapshot)
    assert restored.snapshot() == snapshot, f"cut {cut}"
    for number, (command, now_ns) in enumerate(journal.commands[cut:], cut):
        events = _encoder.encode(restored.apply(command, now_ns))
        assert events == journal.events[number], f"cut {cut}, command {number + 1}"
    return restored


def check_determinism(seed: int, journal: Journal) -> None:
    """Replay, any packing, and a snapshot anywhere all lead to the same hash."""
    draw = random.Random(seed)
    for batch_size in (1, 7, 64, 512):
        assert replay(journal, batch_size).state_hash() == journal.final_hash, batch_size
    for _ in range(3):
        cut = draw.randrange(len(journal.commands))
        assert restart(journal, cut).state_hash() == journal.final_hash, cut
