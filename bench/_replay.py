"""``python -m bench._replay``: times a replay from the first command, and one from the snapshot."""

from __future__ import annotations

import gc
import json
import sys
import time
from contextlib import closing

import django


def main() -> dict[str, float]:
    django.setup()
    from apps.matching import replay, servers, snapshots

    gc.freeze()
    with closing(servers.postgres(name="bench-replay", statement_seconds=60)) as connection:
        cursor = connection.cursor(binary=True)
        started = time.perf_counter()
        full = replay.catch_up(replay.Replayer(), cursor, shard=0)
        full_seconds = time.perf_counter() - started
        expected = full.engine.state_hash()
        commands = full.engine.seq
        snapshot = next(snapshots.newest_first(cursor, shard=0))
        del full
        started = time.perf_counter()
        recovered = replay.recover(cursor, shard=0)
        tail_seconds = time.perf_counter() - started
    if recovered.engine.state_hash() != expected:
        raise AssertionError("snapshot and tail give another state than the journal")
    return {
        "commands": commands,
        "full_seconds": full_seconds,
        "tail_commands": commands - snapshot.seq,
        "tail_seconds": tail_seconds,
        "snapshot_bytes": len(snapshot.state),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main()))
