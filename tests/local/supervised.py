"""Runs a supervisor over given scripts, without servers and without Django: a program for tests.

``python -m tests.local.supervised FOLDER quiet|verbose JSON``; the JSON lists name, script, after,
once and wave of each process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from apps.local import child
from apps.local.folder import DataFolder
from apps.local.guard import Guard
from apps.local.output import Terminal
from apps.local.plan import Process
from apps.local.problems import LocalProblem
from apps.local.supervisor import Supervisor, supervise


def main(path: str, mode: str, listed: str) -> int:
    child.STOP_SECONDS = 2.0
    processes = [
        Process(
            each["name"],
            ("/bin/sh", "-c", each["script"]),
            tuple(each.get("after", ())),
            each.get("once", False),
            each.get("wave", 1),
        )
        for each in json.loads(listed)
    ]
    terminal = Terminal([process.name for process in processes], verbose=mode == "verbose")
    folder = DataFolder(Path(path))
    try:
        folder.open()
    except LocalProblem as problem:
        terminal.say(str(problem))
        return 1
    guard = Guard(keep_open=(folder.lock_descriptor,))
    terminal.say(f"guard {guard.start()}")
    supervisor = Supervisor(
        folder=folder,
        base_dir=Path(path),
        servers=[],
        processes=processes,
        environment={"PATH": "/usr/bin:/bin"},
        port=1,
        terminal=terminal,
        guard=guard,
        on_job_done=lambda name: terminal.say(f"done {name}"),
    )
    try:
        return supervise(supervisor, terminal)
    finally:
        guard.close()
        folder.close()


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
