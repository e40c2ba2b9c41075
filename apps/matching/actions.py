"""What staff do to the venue as a whole."""

from __future__ import annotations

from typing import Final

from django.conf import settings

from apps.core.errors import Refused
from apps.core.realtime.connections import client
from apps.engine.messages import (
    CANCEL_ONLY,
    HALTED,
    KILL_VENUE,
    OPEN,
    Allot,
    AnyCommand,
    Kill,
    SetVenue,
)
from apps.matching import wire
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns

VENUE_STATES: Final = {"open": OPEN, "cancel_only": CANCEL_ONLY, "halted": HALTED}
VALID_SECONDS: Final = 10.0
# Where the engine raises once more, it is rebuilt twice before there is an answer.
ALLOT_SECONDS: Final = 30.0


def set_venue(*, state: str, cancel_all: bool = False) -> int:
    """Set the venue's state, cancel every order if asked to, and return the seq of the change.

    Opening the venue also takes back the alarm that may have closed it.
    """
    commands: list[AnyCommand] = []
    if cancel_all:
        commands.append(Kill(new_command_id(), valid_until_ns(VALID_SECONDS), KILL_VENUE))
    commands.append(SetVenue(new_command_id(), valid_until_ns(VALID_SECONDS), VENUE_STATES[state]))
    replies = get_gateway().submit_many(commands)
    for reply in replies:
        if reply.rejected is not None:
            raise Refused(reply.rejected.reason, "The engine refused to change the venue.")
    if state == "open" and settings.MATCHING_GATEWAY == "stream":
        client().delete(wire.alarm_key(settings.MATCHING_SHARD))
    return replies[-1].seq


def allot(*, block_id: int) -> int:
    """Let the host go on with a block whose allotment was put aside; return the seq of it.

    The piece that raised is tried first: where it raises again, nothing has changed.
    """
    reply = get_gateway().submit(
        Allot(new_command_id(), valid_until_ns(VALID_SECONDS), block_id), ALLOT_SECONDS
    )
    if reply.rejected is not None:
        raise Refused(reply.rejected.reason, f"Block {block_id} has nothing to allot.")
    return reply.seq


def kill(*, scope: int, target_id: int = 0) -> int:
    """Stop an account, a market or the venue, end all its orders; return the seq of it.

    ``scope`` is one of the engine's ``KILL_*``. Who may do it is for the caller to check.
    """
    command = Kill(new_command_id(), valid_until_ns(VALID_SECONDS), scope, target_id)
    reply = get_gateway().submit(command)
    if reply.rejected is not None:
        raise Refused(
            reply.rejected.reason,
            f"The engine refused this ({reply.rejected.reason}). Nothing has changed.",
        )
    return reply.seq
