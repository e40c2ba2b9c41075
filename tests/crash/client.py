"""A client that trusts nobody: what it sends and what it is told goes to disk before it goes on.

``python -m tests.crash.client NUMBER LOG STOP_FILE [PAUSE]`` sends what one account wants (see
``wishes``) until the stop file is there. A command without an answer is sent again, under the same
id, until it has one. Each line of the log is synced: its ``sent`` before the command
leaves, its ``told`` after the answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import django
import msgspec

PAUSE_SECONDS = 0.004
RETRY_SECONDS = 0.05


class Log:
    """Lines of JSON that survive whatever happens to this process or the machine."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        os.fdatasync(self._file.fileno())


def digest(events: Any) -> str:
    """Name what was decided, event by event."""
    return hashlib.sha256(msgspec.msgpack.encode(events)).hexdigest()


def main(number: int, log_path: Path, stop_file: Path, pause_seconds: float) -> None:
    django.setup()
    from apps.core.errors import Unavailable
    from apps.matching.gateway import get_gateway, valid_until_ns
    from tests.crash.wishes import LATE, commands

    gateway = get_gateway()
    log = Log(log_path)
    for command in commands(number):
        if stop_file.exists():
            return
        name, kind = command.command_id.hex(), type(command).__name__
        log.write({"sent": name, "kind": kind})
        while True:
            # Sent again with a later end, but as the same intent.
            again = msgspec.structs.replace(command, valid_until_ns=valid_until_ns(5))
            asked_at = time.time()
            try:
                reply = gateway.submit(again, timeout_seconds=1.0)
            except Unavailable as error:
                log.write({"tried": name, "code": error.code})
                time.sleep(RETRY_SECONDS)
                continue
            if reply.rejected is not None and reply.rejected.reason == "expired_command":
                continue
            break
        refused = "" if reply.rejected is None else reply.rejected.reason
        log.write(
            {
                "told": name,
                "seq": reply.seq,
                "digest": digest(reply.events),
                "refused": refused,
                "late": refused in LATE.get(kind, ()),
                "again": reply.duplicate,
                "asked_at": asked_at,
                "at": time.time(),
            }
        )
        time.sleep(pause_seconds)


if __name__ == "__main__":
    pause = float(sys.argv[4]) if len(sys.argv) > 4 else PAUSE_SECONDS
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), pause)
