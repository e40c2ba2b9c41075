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
from bench._orders import people, process, sign_in
from bench._overload import Answer, Crowd

SAMPLE_SECONDS = 5.0
WARM_UP_SHARE = 1 / 3
LOAD_SECONDS = 10
# An access token is good for ten minutes.
RENEW_SECONDS = 300


class Watch:
    """The memory of processes, sample by sample, and who of them has ended."""

    def __init__(self, pids: dict[str, int]) -> None:
        self.samples: defaultdict[str, list[list[float]]] = defaultdict(list)
        self.ended: list[str] = []
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}

    async def watch(self) -> None:
        while True:
            for name, each in list(self._processes.items()):
                try:
                    rss = each.memory_info().rss
                except psutil.NoSuchProcess:
                    rss = 0
                if rss:
                    self.samples[name].append([time.monotonic(), rss])
                else:
                    # One that has ended and that nobody has waited for has no memory left.
                    self.ended.append(name)
                    del self._processes[name]
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


async def _measure(port: int, per_second: int, minutes: int, pids: dict[str, int]) -> None:
    crowd = Crowd(port, await asyncio.to_thread(sign_in))
    watch = Watch(pids)
    watching = asyncio.create_task(watch.watch())
    delays: list[float] = []
    accepted = 0
    ends_at = time.monotonic() + 60 * minutes
    renew_at = time.monotonic() + RENEW_SECONDS
    while time.monotonic() < ends_at:
        if time.monotonic() > renew_at:
            crowd.tokens = await asyncio.to_thread(sign_in)
            renew_at += RENEW_SECONDS
        answers: list[Answer] = await crowd.load(per_second, LOAD_SECONDS)
        accepted += sum(each.status == 201 for each in answers)
        delays += [each.delay_ms for each in answers]
    watching.cancel()
    delays.sort()
    found = {
        "accepted": accepted / len(delays),
        "p99_ms": delays[int(len(delays) * 0.99)],
        "ended": watch.ended,
        "processes": {
            name: {
                "memory_mib": taken[-1][1] / 2**20,
                "percent_per_10_minutes": slope_percent(taken),
            }
            for name, taken in watch.samples.items()
            if name not in watch.ended
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
        people()
        pids = {f"matching worker {letter}": pid for letter, pid in workers.items()}
        pids |= {"projector": projector.pid, "live": live.pid, "web": web.pid}
        asyncio.run(_measure(port, per_second, minutes, pids))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]))
