"""A client that trusts nobody: what it sends and what it is told goes to disk before it goes on.

``python -m tests.crash.client NUMBER LOG STOP_FILE`` sends orders of one account until the stop
file is there. An order without an answer is sent again, under the same id, until it has one. Each
line of the log is synced: its ``sent`` before the order leaves, its ``told`` after the answer.
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
FIRST_ACCOUNT_ID = 1001


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


def main(number: int, log_path: Path, stop_file: Path) -> None:
    django.setup()
    from apps.core.errors import Unavailable
    from apps.matching.gateway import get_gateway
    from tests.matching.commands import place

    gateway = get_gateway()
    log = Log(log_path)
    count = 0
    while not stop_file.exists():
        count += 1
        # The clients take turns at being on either side, so that most orders meet another.
        side = 1 + (count + number) % 2
        name = f"c{number}-{count}"
        first = place(FIRST_ACCOUNT_ID + number, name, side=side, lots=1 + count % 7)
        log.write({"sent": first.command_id.hex(), "name": name})
        while True:
            # Sent again with a later end, but as the same intent.
            again = place(
                first.account_id, name, side=side, lots=1 + count % 7, command_id=first.command_id
            )
            try:
                reply = gateway.submit(again, timeout_seconds=1.0)
            except Unavailable as error:
                log.write({"tried": first.command_id.hex(), "code": error.code})
                time.sleep(RETRY_SECONDS)
                continue
            if reply.rejected is not None and reply.rejected.reason == "expired_command":
                continue
            break
        reason = "" if reply.rejected is None else reply.rejected.reason
        log.write(
            {
                "told": first.command_id.hex(),
                "seq": reply.seq,
                "digest": digest(reply.events),
                "refused": reason,
                "again": reply.duplicate,
                "at": time.time(),
            }
        )
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
