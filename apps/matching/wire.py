"""What travels through Valkey: names of keys and channels, and the bytes in them.

One stream entry holds one envelope; one reply message holds every answer that a batch has for one
gateway; one ``out`` message holds a committed batch. Nothing here connects to anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from django.conf import settings

from apps.engine.messages import AnyCommand, AnyEvent
from apps.matching.journal import Batch, batch_of, encoder

# The field of a stream entry that holds the envelope.
FIELD: Final = b"m"

# An envelope beyond this is not sent, and not believed.
ENVELOPE_BYTES_MAX: Final = 1_000_000


class Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Commands on their way in. ``request`` zero means that nobody waits for an answer."""

    gateway_id: str
    request: int
    commands: msgspec.Raw


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of one envelope: the events of each of its commands.

    No events at all: the envelope could not be read. ``quarantined`` are the places of commands
    that were put aside instead of being carried out.
    """

    request: int
    first_seq: int
    at_ns: int
    events: msgspec.Raw
    quarantined: tuple[int, ...] = ()


class Committed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A committed batch on its way out."""

    first_seq: int
    times: list[int]
    events: msgspec.Raw


envelopes: Final = msgspec.msgpack.Decoder(Envelope)
commands: Final = msgspec.msgpack.Decoder(list[AnyCommand])
answers: Final = msgspec.msgpack.Decoder(list[Answer])
answer_events: Final = msgspec.msgpack.Decoder(list[tuple[AnyEvent, ...]])
_committed: Final = msgspec.msgpack.Decoder(Committed)
_committed_events: Final = msgspec.msgpack.Decoder(list[list[tuple[AnyEvent, ...]]])


def _key(name: str) -> str:
    return f"{settings.KEY_PREFIX}{name}"


def stream_key(shard: int, generation: int) -> str:
    """Name of the stream that commands enter by."""
    return f"{stream_prefix(shard)}{generation}"


def stream_prefix(shard: int) -> str:
    """Name of the stream without its generation."""
    return _key(f"engine:{shard}:in:")


def leader_key(shard: int) -> str:
    """Name of the writer's heartbeat: ``generation:epoch:seq:at_ms``, gone when it is not fresh."""
    return _key(f"engine:{shard}:leader")


def projected_key(shard: int) -> str:
    """Name of the projector's place: ``seq:at_ms``."""
    return _key(f"engine:{shard}:projected")


def alarm_key(shard: int) -> str:
    """Name of the last thing that staff must look at."""
    return _key(f"engine:{shard}:alarm")


def out_channel(shard: int) -> str:
    """Name of the channel of committed batches."""
    return _key(f"engine:{shard}:out")


def wakeup_channel(shard: int) -> str:
    """Name of the channel that only says that there is something new."""
    return _key(f"engine:{shard}:wakeup")


def reply_channel(gateway_id: str) -> str:
    """Name of the channel of one gateway's answers."""
    return _key(f"engine:reply:{gateway_id}")


def encode_envelope(gateway_id: str, request: int, content: Sequence[AnyCommand]) -> bytes:
    """Return the bytes of one stream entry."""
    data = encoder.encode(Envelope(gateway_id, request, msgspec.Raw(encoder.encode(content))))
    if len(data) > ENVELOPE_BYTES_MAX:
        raise ValueError(f"These commands take {len(data)} bytes: send fewer at once.")
    return data


def encode_committed(first_seq: int, times: list[int], events: bytes) -> bytes:
    """Return the message for a committed batch; ``events`` is as in its journal row."""
    return encoder.encode(Committed(first_seq, times, msgspec.Raw(events)))


def decode_committed(message: bytes) -> Batch:
    """Return the batch that a message holds."""
    committed = _committed.decode(message)
    return batch_of(
        committed.first_seq, committed.times, _committed_events.decode(committed.events)
    )
