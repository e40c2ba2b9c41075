"""How the engine knows a command again: what is remembered of it, and what a repeat is answered.

A command id is remembered for ten minutes of journaled time, within a bound on their number; a
client order id as long, and in any case while its order lives. Refused commands are not remembered.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine.messages import AnyCommand, Duplicate, Place, PlacePair, Terms

REMEMBERED_NS: Final = 600 * 1_000_000_000
REMEMBERED_MAX: Final = 300_000
# Behind the id of a pair it is the id of its stop.
STOP_SUFFIX: Final = "-stop"
# Of an order that no command of its own has placed.
NO_TERMS: Final = Terms(0, 0, 0, 0)


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


def ids_of(command: Place, order_id: int) -> list[tuple[str, int]]:
    """The owner's own ids that a command has taken, and the orders that they stand for."""
    taken = [(command.client_order_id, order_id)]
    if isinstance(command, PlacePair):
        taken.append((command.client_order_id + STOP_SUFFIX, order_id + 1))
    return taken


def kept_id(account_id: int, client_order_id: str, order_id: int, seq: int) -> Remembered:
    """What stands for an id that is taken as long as its order lives, by no command of its own."""
    command = Place(b"", 0, account_id, client_order_id, NO_TERMS)
    return Remembered(0, seq, order_id, command)
