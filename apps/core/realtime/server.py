"""The web server: uvicorn, with sockets that can be cut and a stop that returns.

``uvicorn`` waits for a peer's buffer to drain before it closes a socket, so a peer that reads
nothing could never be closed. The protocol here lends the application ``LINK``: writing a finished
frame, closing without waiting, and cutting the connection. It refuses nothing that uvicorn accepts.

Requests are read by a parser in C, which would keep whatever it is sent of a request's head; here
a head is of bounded length, and arrives in bounded time.
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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState
from websockets.http11 import Request
from websockets.protocol import OPEN

LINK: Final = "sum1.link"
ABORT_AFTER_SECONDS: Final = 1.0
SEND_BUFFER_BYTES: Final = 65_536
STOP_SECONDS: Final = 5
FRAME_BYTES_MAX: Final = 65_536
HEAD_BYTES_MAX: Final = 65_536
HEAD_SECONDS_MAX: Final = 15.0
# Nothing is kept of a socket that is cut.
NO_LINGER: Final = struct.pack("ii", 1, 0)
_NETWORKS: Final = (socket.AF_INET, socket.AF_INET6)
_STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class RequestProtocol(HttpToolsProtocol):
    """HTTP of uvicorn for which a request whose head does not end is none."""

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head_timer is not None and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.send_400_response("The head of the request is too long.")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        self._end_head()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.close)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


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
            http=RequestProtocol,
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
