"""Compares what clients were told with what the journal says: the clients are right.

``python -m tests.crash.oracle LOG...`` prints the differences as JSON; run where the settings
point at the database in question.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import django

from tests.crash.client import digest


def main(paths: list[Path]) -> dict[str, Any]:
    django.setup()
    from apps.engine.messages import Accepted, Duplicate, HoldReleased, HoldSettled, Rejected
    from apps.matching import journal, servers

    sent, told = _logs(paths)
    executed: Counter[str] = Counter()
    outcomes: dict[int, str] = {}
    strangers: list[str] = []
    orders: dict[str, str] = {}
    ends: Counter[int] = Counter()
    last_seq, last_hash = 0, journal.GENESIS_HASH
    with closing(servers.postgres(name="crash-oracle")) as connection:
        for row in journal.tail(connection.cursor(), shard=0):
            journal.check_follows(row, last_seq=last_seq, last_hash=last_hash)
            last_hash = row.hash
            commands = [command for group in row.groups() for command in group.commands]
            entries = row.batch().entries
            assert len(commands) == len(entries)
            for command, entry in zip(commands, entries, strict=True):
                last_seq += 1
                assert entry.seq == last_seq
                name = _name(command, sent)
                if not name:
                    continue
                if name not in sent:
                    strangers.append(name)
                if not any(isinstance(event, Duplicate | Rejected) for event in entry.events):
                    executed[name] += 1
                outcomes[entry.seq] = digest(entry.events)
                for event in entry.events:
                    if isinstance(event, HoldSettled | HoldReleased):
                        ends[event.hold_id] += 1
                    # A fill may wake the exits of somebody else's purchase: those are accepted too.
                    if isinstance(event, Accepted) and name == f"web:{event.client_order_id}":
                        orders[name] = str(event.order_id)
    accepted = {name: line for name, line in told.items() if not line["refused"]}
    return {
        "sent": len(sent),
        "told": len(told),
        "accepted": len(accepted),
        "journaled": last_seq,
        "lost": [name for name in accepted if not executed[name]],
        "doubled": [name for name, times in executed.items() if times > 1],
        "changed": [name for name, line in told.items() if _is_other(line, outcomes, orders)],
        "strangers": strangers,
        "ended_twice": [hold_id for hold_id, times in ends.items() if times > 1],
        "late": sum(bool(line.get("late")) for line in told.values()),
        "refused": Counter(
            line["refused"] for line in told.values() if line["refused"] and not line.get("late")
        ),
    }


def _name(command: Any, sent: set[str]) -> str:
    """Under which name a client knows the command; nothing for what none of them sends.

    Limits, deposits and instruments come from the opening and the house, cancels from both.
    """
    from apps.engine.messages import (
        AddLegs,
        Amend,
        Hold,
        OpenBlock,
        Place,
        Release,
        Settle,
        SubmitBlock,
        Transfer,
    )

    name: str = command.command_id.hex()
    if isinstance(command, Place) and name not in sent:
        return f"web:{command.client_order_id}"
    only_clients = (AddLegs, Amend, Hold, OpenBlock, Place, Release, Settle, SubmitBlock, Transfer)
    return name if name in sent or isinstance(command, only_clients) else ""


def _is_other(line: dict[str, Any], outcomes: dict[int, str], orders: dict[str, str]) -> bool:
    """Whether the journal says something else than the client was told."""
    if "digest" in line:
        return bool(outcomes.get(line["seq"]) != line["digest"])
    return not line["refused"] and bool(orders.get(line["told"]) != line["order"])


def _logs(paths: list[Path]) -> tuple[set[str], dict[str, dict[str, Any]]]:
    sent: set[str] = set()
    told: dict[str, dict[str, Any]] = {}
    for path in paths:
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if "sent" in line:
                sent.add(line["sent"])
            elif "told" in line:
                told[line["told"]] = line
    return sent, told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main([Path(argument) for argument in sys.argv[1:]])))
