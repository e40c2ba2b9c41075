"""Messages as they go over the wire: encoded once, whoever reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import orjson

_HEAD: Final = re.compile(
    rb'\{"topic":"([^"\\]+)","type":"(delta|snapshot)","seq":(\d+)(?:,"prev":(\d+))?,"data":'
)
_FINAL_TEXT: Final = 0x81


class Frame:
    """A text message that many sockets share. ``wire`` is the finished, unmasked frame."""

    def __init__(self, payload: bytes) -> None:
        self.payload = payload

    @cached_property
    def wire(self) -> bytes:
        size = len(self.payload)
        if size < 126:
            return bytes((_FINAL_TEXT, size)) + self.payload
        if size < 65_536:
            return bytes((_FINAL_TEXT, 126)) + size.to_bytes(2, "big") + self.payload
        return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8, "big") + self.payload

    @cached_property
    def text(self) -> str:
        return self.payload.decode()


@dataclass(frozen=True, slots=True)
class Published:
    """A message of a topic. Without ``prev`` it is the whole state."""

    topic: str
    seq: int
    prev: int | None
    frame: Frame


def read_head(payload: bytes) -> Published | None:
    """Return the message; None where it is none of ours."""
    head = _HEAD.match(payload)
    if head is None:
        return None
    topic, kind, seq, prev = head.groups()
    if (kind == b"delta") != (prev is not None):
        return None
    return Published(topic.decode(), int(seq), None if prev is None else int(prev), Frame(payload))


def frame(message: dict[str, object]) -> Frame:
    return Frame(orjson.dumps(message))


def stale_frame(topic: str) -> Frame:
    return frame({"topic": topic, "type": "stale"})
