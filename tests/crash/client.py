"""A client that trusts nobody: what it sends and what it is told goes to disk before it goes on.

``python -m tests.crash.client NUMBER LOG STOP_FILE [PAUSE]`` sends orders, transfers and
withdrawals of one account until the stop file is there. A command without an answer is sent again,
under the same id, until it has one. Each line of the log is synced: its ``sent`` before the command
leaves, its ``told`` after the answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import msgspec

if TYPE_CHECKING:
    from apps.engine.messages import AnyCommand

PAUSE_SECONDS = 0.004
RETRY_SECONDS = 0.05
# Out of the way of the accounts that people open.
FIRST_ACCOUNT_ID = 900_001
TRANSFER_EVERY = 8
WITHDRAWAL_EVERY = 30


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


def commands(number: int) -> Iterator[AnyCommand]:
    """What one client wants: mostly orders; clients take turns at either side, so most meet."""
    from apps.engine.messages import Hold, Leg, Release, Settle, Transfer
    from apps.matching.gateway import new_command_id, valid_until_ns
    from tests.matching.commands import place

    account_id = FIRST_ACCOUNT_ID + number
    count = 0
    while True:
        count += 1
        name = f"c{number}-{count}"
        yield place(account_id, name, side=1 + (count + number) % 2, lots=1 + count % 7)
        if count % TRANSFER_EVERY == 0:
            legs = (Leg(account_id, 1, -count), Leg(FIRST_ACCOUNT_ID, 1, count))
            yield Transfer(new_command_id(), valid_until_ns(5), legs, name)
        if count % WITHDRAWAL_EVERY == 0:
            hold_id = number * 10**9 + count
            yield Hold(new_command_id(), valid_until_ns(5), account_id, 1, 7, hold_id)
            end = Settle if count % (2 * WITHDRAWAL_EVERY) else Release
            yield end(new_command_id(), valid_until_ns(5), hold_id)


def main(number: int, log_path: Path, stop_file: Path, pause_seconds: float) -> None:
    django.setup()
    from apps.core.errors import Unavailable
    from apps.matching.gateway import get_gateway, valid_until_ns

    gateway = get_gateway()
    log = Log(log_path)
    for command in commands(number):
        if stop_file.exists():
            return
        name = command.command_id.hex()
        log.write({"sent": name, "kind": type(command).__name__})
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
        log.write(
            {
                "told": name,
                "seq": reply.seq,
                "digest": digest(reply.events),
                "refused": "" if reply.rejected is None else reply.rejected.reason,
                "again": reply.duplicate,
                "asked_at": asked_at,
                "at": time.time(),
            }
        )
        time.sleep(pause_seconds)


if __name__ == "__main__":
    pause = float(sys.argv[4]) if len(sys.argv) > 4 else PAUSE_SECONDS
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), pause)
