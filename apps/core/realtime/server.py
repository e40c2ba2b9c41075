"""The web server: uvicorn, with sockets that can be cut and a stop that returns.

``uvicorn`` waits for a peer's buffer to drain before it closes a socket, so a peer that reads
nothing could never be closed. The protocol here lends the application ``LINK``: writing a finished
frame, closing without waiting, and cutting the connection. It refuses nothing that uvicorn accepts.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import struct
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request
from websockets.protocol import OPEN

LINK: Final = "sum1.link"
ABORT_AFTER_SECONDS: Final = 1.0
SEND_BUFFER_BYTES: Final = 65_536
STOP_SECONDS: Final = 5
FRAME_BYTES_MAX: Final = 65_536
# Nothing is kept of a socket that is cut.
NO_LINGER: Final = struct.pack("ii", 1, 0)
_NETWORKS: Final = (socket.AF_INET, socket.AF_INET6)
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class LiveProtocol(WebSocketsSansIOProtocol):
    """A socket of uvicorn that lends its application a direct hold of itself."""

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: Any = getattr(self, "scope", None)
        if scope is not None:
            scope["extensions"][LINK] = self
            self._bound_what_the_system_keeps()

    @property
    def is_writable(self) -> bool:
        """Whether the peer keeps up: the buffer towards it is below its limit."""
        return self.writable.is_set()

    def _bound_what_the_system_keeps(self) -> None:
        """Without this a peer that reads nothing has megabytes before anybody notices it."""
        plain = self._plain_socket()
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    def _plain_socket(self) -> Any:
        plain = self.transport.get_extra_info("socket")
        return plain if plain is not None and plain.family in _NETWORKS else None

    def write_frame(self, frame: bytes) -> None:
        """Send bytes that already are one frame; they are lost when the socket is closing."""
        if self.conn.state is OPEN and not self.transport.is_closing():
            self.transport.write(frame)

    def close_soon(self, code: int, reason: str) -> None:
        """Send a close frame behind what is buffered, and cut the connection if it stays."""
        if self.disconnected:
            return
        if not self.close_sent and self.handshake_complete:
            with contextlib.suppress(InvalidState):
                self.conn.send_close(code, reason)
                self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            if self.read_paused:
                self.read_paused = False
                self.transport.resume_reading()
        if self.close_timer is None:
            self.close_timer = self.loop.call_later(ABORT_AFTER_SECONDS, self._cut)

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_if_it_stays()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._cut_if_it_stays()

    def _cut_if_it_stays(self) -> None:
        # Closing waits for what is buffered to be read, which may be never.
        if not self.disconnected:
            self.loop.call_later(ABORT_AFTER_SECONDS, self._cut)

    def _cut(self) -> None:
        """End it with a reset; else the system goes on offering what the peer never reads."""
        plain = self._plain_socket()
        if plain is not None and not self.transport.is_closing():
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        self.transport.abort()

    def shutdown(self) -> None:
        """Say goodbye when the server stops; a peer that does not read cannot delay the stop."""
        self.stop_keepalive()
        if self.handshake_complete:
            self.close_soon(1012, "restart")
        else:
            super().shutdown()


class LiveServer(uvicorn.Server):
    """A uvicorn server whose clean stop is a return, not a signal raised again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        kept = {number: signal.signal(number, self.handle_exit) for number in _STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


def build_server(application: Any, *, host: str, port: int) -> LiveServer:
    """Return the server for an application, not yet running."""
    return LiveServer(
        uvicorn.Config(
            application,
            host=host,
            port=port,
            http="h11",
            ws=LiveProtocol,
            ws_max_size=FRAME_BYTES_MAX,
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            # Forwarded addresses are read where they are used, by TRUSTED_PROXY_COUNT.
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
