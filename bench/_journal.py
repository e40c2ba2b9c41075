"""``python -m bench._journal COMMANDS TAIL``: writes a journal, with a snapshot before its tail."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing

import django

from apps.engine.messages import AnyCommand
from bench.flow import OPERATIONS, Commands, generate, now_ns

ROW_COMMANDS = 500


class _Recorder:
    """Applies commands and journals them as the writer does."""

    def __init__(self, connection: object) -> None:
        from apps.matching import lease, replay

        held = lease.try_take(connection, shard=0)  # type: ignore[arg-type]
        if held is None:
            raise RuntimeError("Somebody leads this database already.")
        self._lease = held
        self._replayer = replay.Replayer()

    def record(self, commands: Sequence[AnyCommand]) -> None:
        from apps.matching import journal

        replayer, engine = self._replayer, self._replayer.engine
        first_seq = engine.seq + 1
        at_ns = now_ns(first_seq + len(commands) - 1)
        events = [engine.apply(command, at_ns) for command in commands]
        row = journal.make_row(
            shard=0,
            first_seq=first_seq,
            last_seq=engine.seq,
            epoch=self._lease.epoch,
            at_ns=at_ns,
            stream_generation=0,
            last_entry_id=journal.FIRST_ENTRY_ID,
            rules_version=engine.rules_version,
            commands=journal.encoder.encode([journal.Group(at_ns, list(commands))]),
            events=journal.encoder.encode([events]),
            prev_hash=replayer.last_hash,
        )
        self._lease.write(row)
        replayer.stood_at(row)


def main(commands: int, tail: int) -> None:
    django.setup()
    from apps.matching import replay, servers

    made = Commands()
    opening = made.opening()
    flow = generate((commands - len(opening)) / sum(OPERATIONS.values()))
    with closing(servers.postgres(name="bench-journal")) as connection:
        recorder = _Recorder(connection)
        recorder.record(opening)
        left = len(flow.operations)
        for start in range(0, len(flow.operations), ROW_COMMANDS):
            chunk = flow.operations[start : start + ROW_COMMANDS]
            if left > tail >= left - len(chunk):
                replay.take_snapshot(shard=0)
            recorder.record([made.operation(each) for each in chunk])
            left -= len(chunk)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
