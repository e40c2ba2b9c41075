"""What runs under `manage.py up`: which processes, in which order, with which environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PORT_FIRST, PORT_LAST = 1024, 32_767
# Offsets from PORT. Odd enough that two copies on round ports never share one, and the result
# stays below the range from which systems give out ports of their own accord.
POSTGRES_OFFSET = 10_000
VALKEY_OFFSET = 16_379


@dataclass(frozen=True)
class Process:
    """One process. ``after`` names what must be ready first; ``once`` runs to its end.

    They are stopped in waves, the highest first: faces before the engine that they talk to. Who
    is ``nice`` lets the others go first: an engine that gets no turn for 1.5 s loses its lease.
    """

    name: str
    command: tuple[str, ...]
    after: tuple[str, ...] = ()
    once: bool = False
    wave: int = 1
    nice: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


def server_ports(port: int) -> tuple[int, int]:
    """Return the ports of PostgreSQL and Valkey that belong to a port of the site."""
    count = PORT_LAST - PORT_FIRST + 1
    first, second = (
        PORT_FIRST + (port + offset - PORT_FIRST) % count
        for offset in (POSTGRES_OFFSET, VALKEY_OFFSET)
    )
    return first, second


def processes(base_dir: Path, run_dir: Path, *, jobs: Sequence[str], demo: bool) -> list[Process]:
    """Return everything but the two servers, in the order in which people read it.

    ``jobs`` are those of "tables" and "static" that have something to do.
    """
    manage = (sys.executable, str(base_dir / "manage.py"))
    # Migrations and the making of the demo world may take their time.
    patient = {"STATEMENT_TIMEOUT_MS": "0"}
    tables = tuple(job for job in jobs if job == "tables")
    world = ("demo",) if demo else ()
    found = [
        Process(
            job,
            (*manage, "prepare", job),
            once=True,
            nice=10 if job == "static" else 0,
            environment=patient,
        )
        for job in jobs
    ]
    if demo:
        after = (*tables, "matching-a", "projector")
        found.append(
            Process("demo", (*manage, "demo"), after, once=True, nice=5, environment=patient)
        )
    return [
        *found,
        Process("matching-a", _matching("a"), tables, wave=0),
        Process("matching-b", _matching("b"), tables, wave=0),
        Process("projector", (*manage, "project"), tables, wave=0),
        Process("live", (*manage, "publish_live"), (*tables, *world)),
        Process("liquidity", (*manage, "run_liquidity"), (*tables, *world)),
        Process("worker", _worker(run_dir), tables, nice=5),
        Process("web", (*manage, "serve"), tuple(jobs)),
    ]


def chosen(found: list[Process], only: list[str]) -> list[Process]:
    """Return the named processes and what prepares the tables."""
    if not only:
        return found
    unknown = set(only) - {process.name for process in found}
    if unknown:
        names = ", ".join(process.name for process in found)
        raise ValueError(f"There is no process {', '.join(sorted(unknown))}. There are: {names}.")
    return [process for process in found if process.name in {*only, "tables", "static"}]


def _matching(letter: str) -> tuple[str, ...]:
    return (
        *_celery("matching", f"matching-{letter}@%h", 2),
        *("--without-gossip", "--without-mingle", "--prefetch-multiplier", "1"),
    )


def _worker(run_dir: Path) -> tuple[str, ...]:
    return (
        *_celery("default,risk", "worker@%h", 3),
        *("--without-gossip", "--without-mingle"),
        *("-B", "--schedule", str(run_dir / "beat-schedule")),
    )


def _celery(queue: str, name: str, threads: int) -> tuple[str, ...]:
    return (
        *(
            sys.executable,
            "-m",
            "celery",
            "--skip-checks",
            "-A",
            "config",
            "worker",
            "-Q",
            queue,
            "-n",
            name,
        ),
        *("-P", "threads", "-c", str(threads), "--loglevel", "INFO"),
    )
