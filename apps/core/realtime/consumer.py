"""One socket, from handshake to close."""

from __future__ import annotations

from typing import Any

from channels.consumer import AsyncConsumer


class LiveConsumer(AsyncConsumer):
    """Refuses every socket until the hub is here."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1000})
