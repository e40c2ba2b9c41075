"""What every bench yields: one measured value, its bar, and the machine it ran on."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Result:
    """One figure. ``bar`` is what it should be ``better`` than; none means for information."""

    bench: str
    metric: str
    value: float
    unit: str
    bar: float | None = None
    better: Literal["higher", "lower"] = "higher"

    @property
    def ok(self) -> bool:
        if self.bar is None:
            return True
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar

    def as_json(self) -> dict[str, object]:
        return {
            "bench": self.bench,
            "metric": self.metric,
            "value": self.value,
            "unit": self.unit,
            "bar": self.bar,
            "ok": self.ok,
            "machine": machine(),
        }


@functools.cache
def machine() -> str:
    """The processor, its number of cores and the interpreter, as one line."""
    cores = os.cpu_count() or 1
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {cores} cores, {platform.system()}, {interpreter}"


def table(results: Iterable[Result]) -> Iterator[str]:
    """Readable lines for a terminal, one as each result comes in."""
    yield f"{'bench':<12} {'metric':<44} {'value':>16} {'unit':<12} {'bar':>14}"
    for result in results:
        yield _row(result)
    yield f"machine: {machine()}"


def _row(result: Result) -> str:
    bar = ""
    if result.bar is not None:
        sign = "≥" if result.better == "higher" else "≤"
        bar = f"{sign} {result.bar:,g}" + ("" if result.ok else "  MISSED")
    value = f"{result.value:,.0f}" if abs(result.value) >= 1000 else f"{result.value:,.3f}"
    return f"{result.bench:<12} {result.metric:<44} {value:>16} {result.unit:<12} {bar:>14}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
