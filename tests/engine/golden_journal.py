"""Golden journals: recorded commands with the events and the state they led to, per rules version.

A file is written once, when a rules version is made, and never again: ``python -m
tests.engine.golden_journal NAME SEED...`` records one. Replaying it must decide the same for ever.
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
    events_sha256: str
    state_hashes: list[str]


def read(name: str) -> Golden:
    data = zlib.decompress((FOLDER / f"{name}.msgpack.z").read_bytes())
    told = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    parts = msgspec.msgpack.decode(data, type=list[Part])
    return Golden(parts, told["events_sha256"], told["state_hashes"])


def replay(part: Part) -> tuple[list[list[AnyEvent]], Engine]:
    engine = Engine()
    return [engine.apply(command, now_ns) for command, now_ns in part.commands], engine


def events_sha256(parts: list[list[list[AnyEvent]]]) -> str:
    return hashlib.sha256(msgspec.msgpack.encode(parts)).hexdigest()


def _record(name: str, seeds: list[int]) -> None:
    from tests.simulation.run import simulate

    parts = [Part(simulate(seed, COMMANDS_PER_SEED).commands, []) for seed in seeds]
    hashes = []
    for part in parts:
        part.events, engine = replay(part)
        hashes.append(engine.state_hash())
    FOLDER.mkdir(exist_ok=True)
    packed = zlib.compress(msgspec.msgpack.encode(parts), 9)
    (FOLDER / f"{name}.msgpack.z").write_bytes(packed)
    told = {
        "events_sha256": events_sha256([part.events for part in parts]),
        "state_hashes": hashes,
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _record(sys.argv[1], [int(seed) for seed in sys.argv[2:]])
