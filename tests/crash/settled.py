"""``python -m tests.crash.settled``: waits for the projector; prints seq and hash of a recovery.

The recovery goes by a snapshot that is taken here, half of the journal's life ago at best, so that
it is another way to the state than the full replay of ``verify``.
"""

from __future__ import annotations

import sys
from contextlib import closing

import django


def main() -> str:
    django.setup()
    from apps.matching import queries, replay, servers

    head = queries.journaled_seq()
    if not queries.wait_for_seq(head, timeout_seconds=30):
        raise SystemExit(f"the projector stands at {queries.projected_seq()}, not at {head}")
    replay.take_snapshot(shard=0)
    with closing(servers.postgres(name="crash-settled")) as connection:
        replayer = replay.recover(connection.cursor(), shard=0)
    return f"{replayer.engine.seq}: {replayer.engine.state_hash()}"


if __name__ == "__main__":
    sys.stdout.write(main())
