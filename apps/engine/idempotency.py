"""What the engine remembers of commands it carried out, so that none is carried out twice.

A command id is remembered for ten minutes of journaled time, within a bound on their number; a
client order id as long, and in any case while its order lives. Refused commands are not remembered.
"""

from __future__ import annotations

from collections import deque
from typing import Final, TypeAlias

import msgspec

from apps.engine.messages import AnyCommand

REMEMBERED_NS: Final = 600 * 1_000_000_000
REMEMBERED_MAX: Final = 300_000

# (time, sequence number, order id or zero, command). A tuple, because one is made per command.
Remembered: TypeAlias = tuple[int, int, int, AnyCommand]


class Window:
    """Remembered commands, oldest first, and an index by command id.

    ``forgotten_seq`` is the sequence number of the newest command that has left the window.
    """

    __slots__ = ("by_id", "entries", "forgotten_seq")

    def __init__(self) -> None:
        self.entries: deque[Remembered] = deque()
        self.by_id: dict[bytes, Remembered] = {}
        self.forgotten_seq = 0

    def remember(self, at_ns: int, seq: int, order_id: int, command: AnyCommand) -> Remembered:
        entry = (at_ns, seq, order_id, command)
        self.entries.append(entry)
        self.by_id[command.command_id] = entry
        return entry

    def oldest_leaves(self, now_ns: int) -> bool:
        entries = self.entries
        return bool(entries) and (
            entries[0][0] <= now_ns - REMEMBERED_NS or len(entries) > REMEMBERED_MAX
        )

    def forget_oldest(self) -> Remembered:
        entry = self.entries.popleft()
        del self.by_id[entry[3].command_id]
        self.forgotten_seq = entry[1]
        return entry


def same_body(new: AnyCommand, old: AnyCommand) -> bool:
    """A re-send may carry a later ``valid_until_ns``; everything else must be equal."""
    if type(new) is not type(old):
        return False
    return msgspec.structs.replace(new, valid_until_ns=old.valid_until_ns) == old
