"""The engine in memory: bytes in, every check, matching, settlement, bytes out.

Measured as the host runs it: commands arrive packed by 500 and are decoded together, their events
are encoded together; the garbage collector is frozen after the start and its oldest generation off.
Rates count the processor time of this process, best of some rounds, so that other work on the
machine counts as little as possible. Latency is of one command alone (decode, apply, encode), by
the clock on the wall. Where `make compile` has been, the compiled engine runs the same flow, in a
process of its own.
"""

from __future__ import annotations

import gc
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from apps.engine.engine import Engine
from apps.engine.messages import BUY, AnyCommand, AnyEvent, Rejected, Trade
from apps.matching import compiled
from bench.flow import STEP_NS, Commands, Flow, Operation, generate, now_ns
from bench.peers import Fill, Peer, installed
from bench.report import Result

BATCH = 500
ROUNDS = 5
GC_THRESHOLDS = (50_000, 50, 1_000_000_000)

_encoder = msgspec.msgpack.Encoder()
_one = msgspec.msgpack.Decoder(AnyCommand)
_many = msgspec.msgpack.Decoder(list[AnyCommand])


@dataclass(frozen=True, slots=True)
class Load:
    """The flow as commands, packed and one by one."""

    opening: list[AnyCommand]
    packed: list[bytes]
    single: list[bytes]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one engine did with the load; ``events`` is a hash of all that it decided."""

    per_second: float
    applied_per_second: float
    latency_us: dict[str, float]
    event_bytes: int
    events: str


def run(scale: float = 1.0) -> Iterator[Result]:
    flow = generate(scale)
    load = prepare(scale, flow)
    found = measure(load)
    fills = _fills(load)
    yield Result("engine", "commands", len(load.single), "commands")
    yield Result("engine", "trades", len(fills), "trades")
    per_command = found.event_bytes / len(load.single)
    yield Result("engine", "event bytes per command", per_command, "bytes")
    yield from _results(found, "", 150_000)
    if not compiled.why_not(compiled.FOLDER):
        other = _compiled(scale)
        yield from _results(other, "compiled: ", 400_000)
        yield Result(
            "engine", "compiled: same events", float(other.events == found.events), "bool", 1
        )
    for new_peer in installed():
        name, speed, same = _peer(new_peer, flow.operations, fills)
        yield Result("engine", f"{name}: matching alone", speed, "commands/s")
        yield Result("engine", f"{name}: same fills as ours", float(same), "bool", 1)


def _results(found: Measured, who: str, bar: float) -> Iterator[Result]:
    yield Result("engine", f"{who}pipeline, batches of 500", found.per_second, "commands/s", bar)
    for share, value in found.latency_us.items():
        most = 50.0 if share == "p99" else None
        yield Result("engine", f"{who}one command, {share}", value, "µs", most, "lower")
    alone = found.applied_per_second
    yield Result("engine", f"{who}matching, balances, holds, fees, ids", alone, "commands/s")


def prepare(scale: float, flow: Flow | None = None) -> Load:
    commands = Commands()
    opening = commands.opening()
    placed = [commands.operation(each) for each in (flow or generate(scale)).operations]
    return Load(
        opening,
        [_encoder.encode(placed[i : i + BATCH]) for i in range(0, len(placed), BATCH)],
        [_encoder.encode(command) for command in placed],
    )


def measure(load: Load) -> Measured:
    """Throughput, latency, and throughput without the bytes."""
    per_second, answers = _throughput(load)
    latency_ns = _latency(load)
    return Measured(
        per_second,
        _apply_only(load),
        {
            f"p{share * 100:g}": latency_ns[int(len(latency_ns) * share)] / 1000
            for share in (0.5, 0.99, 0.999)
        },
        sum(len(answer) for answer in answers),
        hashlib.sha256(b"".join(answers)).hexdigest(),
    )


def _compiled(scale: float) -> Measured:
    """In another process, because an engine is one or the other for as long as a process lives."""
    command = [sys.executable, "-m", "bench._compiled", str(scale)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=compiled.ROOT)
    return Measured(**json.loads(said.stdout))


def _started(opening: list[AnyCommand]) -> Engine:
    engine = Engine()
    for command in opening:
        engine.apply(command, now_ns(engine.seq + 1))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return engine


def _throughput(load: Load) -> tuple[float, list[bytes]]:
    """Best of some rounds: what the machine can do when nothing else runs on it."""
    best = 0.0
    for _ in range(ROUNDS):
        engine = _started(load.opening)
        answers: list[bytes] = []
        seq = engine.seq
        at_ns = now_ns(seq)
        start = time.process_time()
        for batch in load.packed:
            decided: list[list[AnyEvent]] = []
            for command in _many.decode(batch):
                at_ns += STEP_NS
                decided.append(engine.apply(command, at_ns))
            answers.append(_encoder.encode(decided))
        best = max(best, len(load.single) / (time.process_time() - start))
        gc.unfreeze()
    return best, answers


def _fills(load: Load) -> list[Fill]:
    """Executions as peers report them, and a check that nothing was refused."""
    engine = _started(load.opening)
    found: list[Fill] = []
    for data in load.single:
        for event in engine.apply(_one.decode(data), now_ns(engine.seq + 1)):
            if isinstance(event, Trade):
                found.append((event.maker_order_id, event.price_ticks, event.quantity_lots))
            elif isinstance(event, Rejected):
                raise AssertionError(f"the flow should never be refused: {event.reason}")
    gc.unfreeze()
    return found


def _latency(load: Load) -> list[int]:
    engine = _started(load.opening)
    seq = engine.seq
    taken: list[int] = []
    clock = time.perf_counter_ns
    for data in load.single:
        seq += 1
        start = clock()
        _encoder.encode(engine.apply(_one.decode(data), now_ns(seq)))
        taken.append(clock() - start)
    gc.unfreeze()
    taken.sort()
    return taken


def _apply_only(load: Load) -> float:
    """Without decoding and encoding: what may be compared with a library called in process.

    It still includes what no peer does: balances, holds, fees, limits, ids that are remembered.
    """
    best = 0.0
    for _ in range(ROUNDS):
        engine = _started(load.opening)
        at_ns = now_ns(engine.seq)
        count, taken = 0, 0.0
        for batch in load.packed:
            commands = _many.decode(batch)
            start = time.process_time()
            for command in commands:
                at_ns += STEP_NS
                engine.apply(command, at_ns)
            taken += time.process_time() - start
            count += len(commands)
        best = max(best, count / taken)
        gc.unfreeze()
    return best


def _peer(
    new_peer: Callable[[], Peer], operations: list[Operation], fills: list[Fill]
) -> tuple[str, float, bool]:
    """A peer's name, its best round, and whether its fills were ours in every round."""
    best, same = 0.0, True
    for _ in range(ROUNDS):
        peer = new_peer()
        start = time.process_time()
        for operation in operations:
            if operation.kind == "cancel":
                peer.cancel(operation.key)
            else:
                is_buy = operation.side == BUY
                peer.add(operation.key, is_buy, operation.price_ticks, operation.quantity_lots)
        best = max(best, len(operations) / (time.process_time() - start))
        same = same and peer.fills == fills
    return peer.name, best, same
