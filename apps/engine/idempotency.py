"""How the engine knows a command again: what is remembered of it, and what a repeat is answered.

A command id is remembered for ten minutes of journaled time, within a bound on their number; a
client order id as long, and in any case while its order lives. Refused commands are not remembered.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine.messages import AnyCommand, Duplicate

REMEMBERED_NS: Final = 600 * 1_000_000_000
REMEMBERED_MAX: Final = 300_000


class Remembered(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A command that was carried out, and the order that it placed, or zero."""

    at_ns: int
    seq: int
    order_id: int
    command: AnyCommand


def repeat_answer(command: AnyCommand, remembered: Remembered) -> Duplicate | str:
    """The answer to a command whose id was used before: the old one, or a refusal.

    A re-send may carry a later ``valid_until_ns``; everything else must be equal.
    """
    earlier = remembered.command
    if type(command) is type(earlier):
        valid_until_ns = earlier.valid_until_ns
        if msgspec.structs.replace(command, valid_until_ns=valid_until_ns) == earlier:
            return Duplicate(remembered.seq, remembered.order_id)
    return "id_reused"
