"""``python -m bench._soak PER_SECOND MINUTES WORKERS``: orders, and the memory of all processes.

Prints one JSON object. The first third is for filling up; growth is the slope of a straight line
through the rest.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict

import django
import psutil

from bench import _services
from bench._listeners import free_port
from bench._orders import people, process
from bench._overload import Answer, Crowd

SAMPLE_SECONDS = 5.0
WARM_UP_SHARE = 1 / 3
LOAD_SECONDS = 10


async def _sample(processes: dict[str, psutil.Process], into: dict[str, list[list[float]]]) -> None:
    while True:
        for name, each in processes.items():
            into[name].append([time.monotonic(), each.memory_info().rss])
        await asyncio.sleep(SAMPLE_SECONDS)


def slope_percent(samples: list[list[float]]) -> float:
    """Growth in ten minutes, as a share of what there is on average, least squares."""
    kept = samples[int(len(samples) * WARM_UP_SHARE) :]
    count = len(kept)
    mean_at = sum(at for at, _ in kept) / count
    mean = sum(size for _, size in kept) / count
    spread = sum((at - mean_at) ** 2 for at, _ in kept)
    if not spread:
        return 0.0
    slope = sum((at - mean_at) * (size - mean) for at, size in kept) / spread
    return slope * 600 / mean * 100


async def _measure(
    port: int, tokens: list[str], per_second: int, minutes: int, pids: dict[str, int]
) -> None:
    crowd = Crowd(port, tokens)
    samples: defaultdict[str, list[list[float]]] = defaultdict(list)
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    sampling = asyncio.create_task(_sample(processes, samples))
    delays: list[float] = []
    accepted = 0
    ends_at = time.monotonic() + 60 * minutes
    while time.monotonic() < ends_at:
        answers: list[Answer] = await crowd.load(per_second, LOAD_SECONDS)
        accepted += sum(each.status == 201 for each in answers)
        delays += [each.delay_ms for each in answers]
    sampling.cancel()
    delays.sort()
    found = {
        "accepted": accepted / len(delays),
        "p99_ms": delays[int(len(delays) * 0.99)],
        "processes": {
            name: {
                "memory_mib": taken[-1][1] / 2**20,
                "percent_per_10_minutes": slope_percent(taken),
            }
            for name, taken in samples.items()
        },
    }
    sys.stdout.write(json.dumps(found) + "\n")


def main(per_second: int, minutes: int, workers: dict[str, int]) -> None:
    django.setup()
    _services.wait_until_leading()
    port = free_port()
    with (
        process("project") as projector,
        process("publish_live") as live,
        process("serve", "--port", str(port), waits=True) as web,
    ):
        tokens = people()
        pids = {f"matching worker {letter}": pid for letter, pid in workers.items()}
        pids |= {"projector": projector.pid, "live": live.pid, "web": web.pid}
        asyncio.run(_measure(port, tokens, per_second, minutes, pids))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
