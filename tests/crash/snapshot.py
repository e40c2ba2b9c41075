"""``python -m tests.crash.snapshot``: takes a snapshot, as the periodic task does."""

from __future__ import annotations

import django


def main() -> None:
    django.setup()
    from apps.matching import replay

    replay.take_snapshot(shard=0)


if __name__ == "__main__":
    main()
