"""Golden journals: recorded commands with the events and the state they led to, per rules version.

A file is written once, when a rules version is made, and never again: ``python -m
tests.engine.golden_journal NAME SEED...`` records one. Replaying it must decide the same for ever.
Messages and snapshots grow by new fields, so what is kept of the file is a hash of its bytes, and
of the states one of what they say about money and orders.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from apps.engine.engine import Engine
from apps.engine.messages import AnyCommand, AnyEvent

FOLDER = Path(__file__).parent / "golden"
COMMANDS_PER_SEED = 700


class Part(msgspec.Struct, array_like=True):
    """One engine's life: what came in and when, and what it decided."""

    commands: list[tuple[AnyCommand, int]]
    events: list[list[AnyEvent]]


@dataclass(frozen=True)
class Golden:
    parts: list[Part]
    file_sha256: str
    recorded_sha256: str
    outcomes: list[str]


def read(name: str) -> Golden:
    packed = (FOLDER / f"{name}.msgpack.z").read_bytes()
    told = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    parts = msgspec.msgpack.decode(zlib.decompress(packed), type=list[Part])
    return Golden(parts, _sha256(packed), told["file_sha256"], told["outcomes"])


def replay(part: Part) -> tuple[list[list[AnyEvent]], Engine]:
    engine = Engine()
    return [engine.apply(command, now_ns) for command, now_ns in part.commands], engine


def outcome(engine: Engine) -> str:
    """A hash of every balance, hold and live order, of sequence and time."""
    found = (
        engine.seq,
        engine.now_ns,
        list(engine.balances()),
        list(engine.holds()),
        list(engine.open_orders()),
    )
    return _sha256(msgspec.msgpack.encode(found))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _record(name: str, seeds: list[int]) -> None:
    from tests.simulation.run import simulate

    parts = [Part(simulate(seed, COMMANDS_PER_SEED).commands, []) for seed in seeds]
    outcomes = []
    for part in parts:
        part.events, engine = replay(part)
        outcomes.append(outcome(engine))
    FOLDER.mkdir(exist_ok=True)
    packed = zlib.compress(msgspec.msgpack.encode(parts), 9)
    (FOLDER / f"{name}.msgpack.z").write_bytes(packed)
    told = {"file_sha256": _sha256(packed), "outcomes": outcomes}
    (FOLDER / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _record(sys.argv[1], [int(seed) for seed in sys.argv[2:]])
