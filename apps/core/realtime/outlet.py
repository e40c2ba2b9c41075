"""The way out to one socket: never waits, never reorders, and gives up on who does not read."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from apps.core.realtime.frames import Frame

logger = logging.getLogger(__name__)

CLOSE_TOO_SLOW: Final = 4008
FIRST_OWN_CODE: Final = 3000

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Link(Protocol):
    """What our own server lends: see ``core.realtime.server``."""

    writable: asyncio.Event

    @property
    def is_writable(self) -> bool: ...
    def write_frame(self, frame: bytes) -> None: ...
    def close_soon(self, code: int, reason: str) -> None: ...


class Outlet:
    """A queue of at most ``queue_max`` frames and a pump that empties it as the peer reads.

    With a link a frame goes straight to the transport while the peer keeps up, so that the queue
    and the pump exist only for those who do not. Under another server every frame is pumped.
    """

    def __init__(self, send: Send, link: Link | None, queue_max: int) -> None:
        self._send = send
        self._link = link
        self._queue_max = queue_max
        self._queue: deque[Frame] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._close_message: dict[str, Any] | None = None
        self.close_code: int | None = None

    @property
    def closed(self) -> bool:
        return self.close_code is not None

    def offer(self, frame: Frame) -> None:
        """Send, or queue; a full queue closes the socket."""
        if self.close_code is not None:
            return
        if self._link is not None and not self._queue and self._link.is_writable:
            self._link.write_frame(frame.wire)
            return
        if len(self._queue) >= self._queue_max:
            self.close(CLOSE_TOO_SLOW, "too slow")
            return
        self._queue.append(frame)
        self._start_pump()

    def close(self, code: int, reason: str) -> None:
        """Close without waiting for the peer. What was sent to the transport goes out first."""
        if self.close_code is not None:
            return
        self.close_code = code
        if self._link is not None:
            self._link.close_soon(code, reason)
            self._queue.clear()
            return
        if code < FIRST_OWN_CODE:
            # Daphne lets an application choose none of the codes that the standard reserves.
            code += 3000
        self._close_message = {"type": "websocket.close", "code": code, "reason": reason}
        self._start_pump()

    def end(self) -> None:
        """The peer is gone: send nothing more."""
        self.close_code = self.close_code or 1000
        self._queue.clear()
        self._close_message = None
        if self._pump is not None:
            self._pump.cancel()

    def _start_pump(self) -> None:
        if self._pump is None:
            self._pump = asyncio.create_task(self._run_pump())

    async def _run_pump(self) -> None:
        try:
            while self._queue:
                if self._link is not None:
                    await self._link.writable.wait()
                    if not self._queue:
                        break
                    self._link.write_frame(self._queue.popleft().wire)
                else:
                    await self._send({"type": "websocket.send", "text": self._queue.popleft().text})
            if self._close_message is not None:
                message, self._close_message = self._close_message, None
                await self._send(message)
        except (OSError, RuntimeError):
            # Servers differ in what they raise when the peer has left; the receiving side hears of
            # it in an orderly way and ends the socket.
            logger.debug("A socket ended while being written to.", exc_info=True)
            self._queue.clear()
        finally:
            self._pump = None
