"""The engine in memory: bytes in, every check, matching, settlement, bytes out.

Measured as the host runs it: commands arrive packed by 500 and are decoded together, their events
are encoded together; the garbage collector is frozen after the start and its oldest generation off.
Rates count the processor time of this process, best of some rounds, so that other work on the
machine counts as little as possible. Latency is of one command alone (decode, apply, encode), by
the clock on the wall.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator

import msgspec

from apps.engine.engine import Engine
from apps.engine.messages import BUY, AnyCommand, AnyEvent, Rejected, Trade
from bench.flow import STEP_NS, Commands, Operation, generate, now_ns
from bench.peers import Fill, Peer, installed
from bench.report import Result

BATCH = 500
ROUNDS = 5
GC_THRESHOLDS = (50_000, 50, 1_000_000_000)

_encoder = msgspec.msgpack.Encoder()
_one = msgspec.msgpack.Decoder(AnyCommand)
_many = msgspec.msgpack.Decoder(list[AnyCommand])


def run(scale: float = 1.0) -> Iterator[Result]:
    flow = generate(scale)
    commands = Commands()
    opening = commands.opening()
    placed = [commands.operation(operation) for operation in flow.operations]
    packed = [_encoder.encode(placed[i : i + BATCH]) for i in range(0, len(placed), BATCH)]
    single = [_encoder.encode(command) for command in placed]
    del placed
    throughput, fills, events_bytes = _throughput(opening, packed, len(single))
    yield Result("engine", "commands", len(single), "commands")
    yield Result("engine", "trades", len(fills), "trades")
    yield Result("engine", "event bytes per command", events_bytes / len(single), "bytes")
    yield Result("engine", "pipeline, batches of 500", throughput, "commands/s", 150_000)
    latency_ns = _latency(opening, single)
    for share in (0.5, 0.99, 0.999):
        value = latency_ns[int(len(latency_ns) * share)] / 1000
        bar = 50.0 if share == 0.99 else None
        yield Result("engine", f"one command, p{share * 100:g}", value, "µs", bar, "lower")
    alone = _apply_only(opening, packed)
    yield Result("engine", "matching, balances, holds, fees, ids", alone, "commands/s")
    for new_peer in installed():
        name, speed, same = _peer(new_peer, flow.operations, fills)
        yield Result("engine", f"{name}: matching alone", speed, "commands/s")
        yield Result("engine", f"{name}: same fills as ours", float(same), "bool", 1)


def _started(opening: list[AnyCommand]) -> Engine:
    engine = Engine()
    for command in opening:
        engine.apply(command, now_ns(engine.seq + 1))
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    return engine


def _throughput(
    opening: list[AnyCommand], packed: list[bytes], count: int
) -> tuple[float, list[Fill], int]:
    """Best of some rounds: what the machine can do when nothing else runs on it."""
    best = 0.0
    for _ in range(ROUNDS):
        engine = _started(opening)
        answers: list[bytes] = []
        seq = engine.seq
        at_ns = now_ns(seq)
        start = time.process_time()
        for batch in packed:
            decided: list[list[AnyEvent]] = []
            for command in _many.decode(batch):
                at_ns += STEP_NS
                decided.append(engine.apply(command, at_ns))
            answers.append(_encoder.encode(decided))
        best = max(best, count / (time.process_time() - start))
        gc.unfreeze()
    return best, _fills(answers), sum(len(answer) for answer in answers)


def _fills(answers: list[bytes]) -> list[Fill]:
    """Executions as peers report them, and a check that nothing was refused."""
    decoder = msgspec.msgpack.Decoder(list[list[AnyEvent]])
    found: list[Fill] = []
    for answer in answers:
        for events in decoder.decode(answer):
            for event in events:
                if isinstance(event, Trade):
                    fill = (event.maker_order_id, event.price_ticks, event.quantity_lots)
                    found.append(fill)
                elif isinstance(event, Rejected):
                    raise AssertionError(f"the flow should never be refused: {event.reason}")
    return found


def _latency(opening: list[AnyCommand], single: list[bytes]) -> list[int]:
    engine = _started(opening)
    seq = engine.seq
    taken: list[int] = []
    clock = time.perf_counter_ns
    for data in single:
        seq += 1
        start = clock()
        _encoder.encode(engine.apply(_one.decode(data), now_ns(seq)))
        taken.append(clock() - start)
    gc.unfreeze()
    taken.sort()
    return taken


def _apply_only(opening: list[AnyCommand], packed: list[bytes]) -> float:
    """Without decoding and encoding: what may be compared with a library called in process.

    It still includes what no peer does: balances, holds, fees, limits, ids that are remembered.
    """
    best = 0.0
    for _ in range(ROUNDS):
        engine = _started(opening)
        at_ns = now_ns(engine.seq)
        count, taken = 0, 0.0
        for batch in packed:
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
