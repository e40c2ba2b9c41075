"""``python -m bench._compiled SCALE``: the same flow through the compiled engine, as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys

from apps.matching import compiled


def main(scale: float) -> None:
    # Before the bench brings the engine in.
    compiled.use(compiled.FOLDER)
    from bench import engine

    measured = engine.measure(engine.prepare(scale))
    sys.stdout.write(json.dumps(dataclasses.asdict(measured)))


if __name__ == "__main__":
    main(float(sys.argv[1]))
