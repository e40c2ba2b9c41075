"""Django's WSGI handler in a bounded pool of threads, as the web server asks it.

A short answer goes back to the event loop in one step, when its thread is free again already. Of a
long one the parts follow each other; only when far more is ready than the client has taken does
its thread wait, and a client that has left does not keep it.
"""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]

PART_BYTES: Final = 65_536
# A thread is lent to a client that does not read only beyond this many parts.
PARTS_WAITING_MAX: Final = 64


class Pages:
    """Answers requests whose body has been read."""

    def __init__(self, django: Callable[..., Iterable[bytes]], threads: int) -> None:
        self._django = django
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def answer(self, scope: MutableMapping[str, Any], body: bytes, send: Send) -> None:
        """Have Django answer, and send it."""
        answer = _Answer(asyncio.get_running_loop())
        # What one request leaves in the context of a thread must not meet the next.
        in_context = contextvars.copy_context().run
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, in_context, answer.produce, self._django, environ_of(scope, body)
        )
        work.add_done_callback(lambda _: answer.parts.put_nowait(None))
        try:
            while (part := await answer.parts.get()) is not None:
                await send(part)
                answer.taken()
        finally:
            answer.leave()
        for part in work.result():
            await send(part)

    def close(self) -> None:
        """Take no more requests; those being worked on are not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Answer:
    """One answer on its way from a thread to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.parts: asyncio.Queue[Message | None] = asyncio.Queue()
        self._loop = loop
        self._room = threading.Semaphore(PARTS_WAITING_MAX)
        self._head: Message = {}
        self._left = False

    def taken(self) -> None:
        """Make room for one more part."""
        self._room.release()

    def leave(self) -> None:
        """Nobody takes parts any more."""
        self._left = True
        self._room.release()

    def produce(self, django: Callable[..., Iterable[bytes]], environ: Environ) -> list[Message]:
        """In a thread: hand over all but the last part of the answer, and return what remains."""
        pieces = django(environ, self._begin)
        try:
            ready: list[bytes] = []
            size = 0
            for piece in pieces:
                ready.append(piece)
                size += len(piece)
                if size >= PART_BYTES:
                    if not self._hand_over(_body(ready, more=True)):
                        return []
                    ready, size = [], 0
            return [*self._take_head(), _body(ready, more=False)]
        finally:
            getattr(pieces, "close", lambda: None)()

    def _begin(self, status: str, headers: list[tuple[str, str]], failure: Any = None) -> None:
        self._head = {
            "type": "http.response.start",
            "status": int(status.split(" ", 1)[0]),
            "headers": [
                (name.encode("latin-1").lower(), value.strip().encode("latin-1"))
                for name, value in headers
            ],
        }

    def _take_head(self) -> list[Message]:
        head, self._head = self._head, {}
        return [head] if head else []

    def _hand_over(self, body: Message) -> bool:
        for message in (*self._take_head(), body):
            self._room.acquire()
            if self._left:
                return False
            self._loop.call_soon_threadsafe(self.parts.put_nowait, message)
        return True


def _body(pieces: list[bytes], *, more: bool) -> Message:
    return {"type": "http.response.body", "body": b"".join(pieces), "more_body": more}


def environ_of(scope: MutableMapping[str, Any], body: bytes) -> Environ:
    """Return the request as WSGI describes it."""
    server, port = scope.get("server") or ("localhost", 80)
    client, client_port = scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": client,
        "REMOTE_PORT": str(client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key in ("HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"):
            key = key.removeprefix("HTTP_")
        environ[key] = f"{environ[key]},{text}" if key in environ else text
    # A body that came without its length is whole all the same.
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
