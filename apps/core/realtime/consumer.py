"""One socket, from handshake to close: reads what the peer asks and answers in frames.

It refuses what is not a JSON object by closing, and every other mistake with an error frame that
names a code. It knows no topic and no method: those are in the registries.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final

import orjson
from channels.consumer import AsyncConsumer

from apps.core import clock, scopes, web
from apps.core.errors import Invalid, NotAllowed, NotFound, NotSignedIn, TooMany
from apps.core.realtime import calls, identity, threads, topics
from apps.core.realtime.frames import frame
from apps.core.realtime.handshake import Visit, read_visit
from apps.core.realtime.hub import CLOSE_LIMITED, CLOSE_SIGNED_OUT, Hub, hub_of_this_loop
from apps.core.realtime.identity import Identity
from apps.core.realtime.limits import Limits, default_limits
from apps.core.realtime.outlet import Outlet
from apps.core.realtime.watches import Watches

CLOSE_BAD_MESSAGE: Final = 4400
CLOSE_IDLE: Final = 4408
CLOSE_TOO_BIG: Final = 1009
LINK: Final = "sum1.link"

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class LiveConsumer(AsyncConsumer):  # type: ignore[misc]
    """The ASGI application of ``/ws``. It uses no channel layer, so it takes no channel of one."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await receive()
        visit = read_visit(scope)
        if visit is None:
            await send({"type": "websocket.close", "code": 1000})
            return
        hub = hub_of_this_loop(self.limits or default_limits())
        await send({"type": "websocket.accept", "subprotocol": visit.subprotocol})
        link = scope.get("extensions", {}).get(LINK)
        outlet = Outlet(send, link, hub.limits.queue_frames)
        await _Conversation(hub, outlet, visit).run(receive)


class _Conversation:
    """What one peer says and is told."""

    def __init__(self, hub: Hub, outlet: Outlet, visit: Visit) -> None:
        self._hub = hub
        self._limits = hub.limits
        self._outlet = outlet
        self._visit = visit
        self._who: Identity | None = None
        self._topics: set[str] = set()
        self._has_asked = False
        self._has_ended = False
        self._watches = Watches()
        self._calls: set[asyncio.Task[None]] = set()
        self._tokens = float(self._limits.messages_burst)
        self._tokens_at = time.monotonic()
        self._operations: dict[str, Callable[[dict[str, Any]], Coroutine[Any, Any, None]]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "call": self._call,
            "auth": self._authenticate,
            "ping": self._ping,
        }

    async def run(self, receive: Receive) -> None:
        idle: asyncio.TimerHandle | None = None
        if not self._hub.enter(self._outlet, self._visit.address):
            self._outlet.close(CLOSE_LIMITED, "too many connections from this address")
        try:
            await self._greet()
            # Only from here on: when many come back at once, the greeting itself takes its time.
            loop = asyncio.get_running_loop()
            idle = loop.call_later(self._limits.idle_seconds, self._check_idle)
            while (message := await receive())["type"] == "websocket.receive":
                if not self._outlet.closed:
                    await self._take(message)
        finally:
            if idle is not None:
                idle.cancel()
            self._outlet.end()
            self._has_ended = True
            self._watches.end()
            self._hub.leave(self._outlet, self._visit.address, self._topics)

    async def _greet(self) -> None:
        """Say hello to whoever it is; a claim that does not hold closes the socket."""
        if self._visit.ticket:
            await self._redeem(self._visit.ticket)
        elif self._visit.session_key:
            who = await self._ask(identity.of_session, self._visit.session_key)
            self._become(who)
        self._say(
            {
                "op": "hello",
                "server_time": clock.iso(clock.now()),
                "heartbeat_seconds": self._limits.heartbeat_seconds,
                "signed_in": self._who is not None,
            }
        )

    async def _ask(self, find: Callable[[str], Identity | None], proof: str) -> Identity | None:
        try:
            return await threads.reads.run(find, proof)
        except Exception as failure:
            self._say({"op": "error", **web.socket_error(failure)})
            self._outlet.close(1013, "try again later")
            return None

    def _become(self, who: Identity | None) -> None:
        if who is None or self._outlet.closed:
            return
        try:
            self._hub.identify(self._outlet, who)
        except TooMany:
            self._outlet.close(CLOSE_LIMITED, "too many connections")
            return
        self._who = who

    async def _redeem(self, ticket: str) -> None:
        of_ticket = partial(identity.of_ticket, address=self._visit.address)
        who = await self._ask(of_ticket, ticket)
        if who is None:
            self._outlet.close(CLOSE_SIGNED_OUT, "ticket refused")
        self._become(who)

    # Messages.

    async def _take(self, received: dict[str, Any]) -> None:
        text = received.get("text")
        if not self._may_say_more():
            self._outlet.close(CLOSE_LIMITED, "too many messages")
            return
        if text is None:
            self._outlet.close(CLOSE_BAD_MESSAGE, "text frames only")
            return
        if len(text) > self._limits.frame_bytes:
            self._outlet.close(CLOSE_TOO_BIG, "message too big")
            return
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        if not isinstance(message, dict):
            self._outlet.close(CLOSE_BAD_MESSAGE, "JSON objects only")
            return
        await self._answer(message)

    async def _answer(self, message: dict[str, Any]) -> None:
        try:
            name = message.get("op")
            operation = self._operations.get(name) if isinstance(name, str) else None
            if operation is None:
                raise Invalid("unknown_op", "There is no such operation.")
            if not isinstance(message.get("id"), int | str | None):
                raise Invalid("invalid_message", "An id is a number or a text.")
            await operation(message)
        except Exception as failure:
            self._say_error(message, failure)

    def _may_say_more(self) -> bool:
        now = time.monotonic()
        gained = (now - self._tokens_at) * self._limits.messages_per_second
        self._tokens = min(float(self._limits.messages_burst), self._tokens + gained) - 1
        self._tokens_at = now
        return self._tokens >= 0

    def _say(self, message: dict[str, Any]) -> None:
        self._outlet.offer(frame(message))

    def _say_error(self, message: dict[str, Any], failure: Exception) -> None:
        asked = {name: message[name] for name in ("id", "topic") if _is_plain(message.get(name))}
        self._say({"op": "error", **asked, **web.socket_error(failure)})

    # Operations.

    async def _ping(self, message: dict[str, Any]) -> None:
        self._say({"op": "pong"})

    async def _authenticate(self, message: dict[str, Any]) -> None:
        ticket = message.get("ticket")
        if not isinstance(ticket, str):
            raise Invalid("invalid_message", "A ticket is a text.")
        if self._who is not None:
            raise Invalid("already_authenticated", "This connection is signed in already.")
        await self._redeem(ticket)
        if self._who is not None:
            self._say({"op": "authenticated", **_id_of(message)})

    async def _subscribe(self, message: dict[str, Any]) -> None:
        topic, since = message.get("topic"), message.get("since")
        if not isinstance(topic, str):
            raise Invalid("invalid_message", "A topic is a text.")
        if since is not None and (not isinstance(since, int) or isinstance(since, bool)):
            raise Invalid("invalid_message", "A sequence number is a whole number.")
        self._check_may_read()
        if topic not in self._topics and len(self._topics) >= self._limits.subscriptions:
            raise TooMany("too_many_subscriptions", "This connection follows too many topics.")
        kind, match = topics.resolve(topic)
        self._has_asked = True
        await self._check_topic(topic, kind, match)
        if self._outlet.closed:
            return
        self._topics.add(topic)
        self._say({"op": "subscribed", "topic": topic, **_id_of(message)})
        self._hub.subscribe(self._outlet, topic, kind, match, since)

    def _check_may_read(self) -> None:
        if self._who is None and not self._visit.from_browser:
            raise NotSignedIn("authentication_required", "Send a ticket first.")

    async def _check_topic(self, topic: str, kind: topics.TopicKind, match: topics.Match) -> None:
        if kind.authorise is topics.anyone or (kind.public and self._hub.is_followed(topic)):
            return
        user = self._who.user if self._who else None
        try:
            allowed = await threads.reads.run(kind.authorise, user, match)
        except NotFound:
            if kind.public:
                raise
            # What is private and what is not there look the same to a stranger.
            allowed = False
        if not allowed:
            raise NotAllowed("forbidden", "You may not read this.")

    async def _unsubscribe(self, message: dict[str, Any]) -> None:
        topic = message.get("topic")
        if not isinstance(topic, str):
            raise Invalid("invalid_message", "A topic is a text.")
        if topic in self._topics:
            self._topics.discard(topic)
            self._hub.unsubscribe(self._outlet, topic)
        self._say({"op": "unsubscribed", "topic": topic, **_id_of(message)})

    async def _call(self, message: dict[str, Any]) -> None:
        method, params = message.get("method"), message.get("params", {})
        if not isinstance(method, str) or not isinstance(params, dict):
            raise Invalid("invalid_message", "A call has a method and an object of parameters.")
        if message.get("id") is None:
            raise Invalid("invalid_message", "A call has an id, by which its answer is known.")
        if self._who is None:
            raise NotSignedIn("authentication_required", "Sign in first.")
        fn = calls.resolve(method)
        if self._who.scopes is not None:
            scopes.require(self._who.scopes, calls.scope_of(method))
        if len(self._calls) >= self._limits.calls_at_once:
            raise TooMany("too_many_calls", "Wait for the answers to earlier calls.")
        self._has_asked = True
        task = asyncio.create_task(self._carry_out(fn, self._who, params, message))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _carry_out(
        self,
        fn: calls.Call | calls.WatchCall,
        who: Identity,
        params: dict[str, Any],
        message: dict[str, Any],
    ) -> None:
        try:
            result = await threads.calls.run(fn, who.user, params)
            if isinstance(result, calls.Watch):
                result = self._begin(result)
            self._say({"op": "result", "id": message["id"], "result": result})
        except Exception as failure:
            self._say_error(message, failure)

    def _begin(self, watch: calls.Watch) -> dict[str, Any]:
        self._watches.take(watch)
        if self._has_ended:
            # The peer left while the call was under way.
            self._watches.end()
        return watch.answer

    def _check_idle(self) -> None:
        if not self._has_asked:
            self._outlet.close(CLOSE_IDLE, "nothing was asked for")


def _is_plain(value: object) -> bool:
    return isinstance(value, int | str)


def _id_of(message: dict[str, Any]) -> dict[str, Any]:
    return {} if message.get("id") is None else {"id": message["id"]}
