"""``python -m bench NAME [--json] [--minutes N]``: prints what ``bench.NAME.run()`` yields.

Exit code 0 when every bar is reached, 1 when one is missed, 2 for an unknown name.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator

import bench
from bench.report import Result, table

_NOT_BENCHES = ("__main__", "flow", "peers", "report")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=names(), help="which bench to run")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--minutes", type=int, help="how long, for a soak")
    options = parser.parse_args(argv)
    seen: list[Result] = []
    lines = _json_lines if options.json else table
    given = {} if options.minutes is None else {"minutes": options.minutes}
    for line in lines(_kept(importlib.import_module(f"bench.{options.name}").run(**given), seen)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    return 0 if all(result.ok for result in seen) else 1


def names() -> list[str]:
    found = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    return sorted(name for name in found if name not in _NOT_BENCHES and not name.startswith("_"))


def _kept(results: Iterator[Result], seen: list[Result]) -> Iterator[Result]:
    for result in results:
        seen.append(result)
        yield result


def _json_lines(results: Iterator[Result]) -> Iterator[str]:
    for result in results:
        yield json.dumps(result.as_json())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
