"""What a peer may say, and what each mistake is answered with."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from django.db import OperationalError

from apps.core.errors import NotFound, Refused, Unavailable
from apps.core.realtime import identity, threads, topics
from tests.realtime.conftest import Peer, Source


async def test_hello_says_who_one_is_and_how_often_to_ping(peer: Callable[..., Peer]) -> None:
    hello = await peer().open()

    assert hello["heartbeat_seconds"] == 15
    assert hello["signed_in"] is False
    assert hello["server_time"].endswith("Z")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, "unknown_op"),
        ({"op": "dance"}, "unknown_op"),
        ({"op": ["subscribe"]}, "unknown_op"),
        ({"op": "subscribe"}, "invalid_message"),
        ({"op": "subscribe", "topic": 7}, "invalid_message"),
        ({"op": "subscribe", "topic": "test.numbers", "since": "1"}, "invalid_message"),
        ({"op": "subscribe", "topic": "test.numbers", "since": True}, "invalid_message"),
        ({"op": "subscribe", "topic": "test.numbers", "id": {}}, "invalid_message"),
        ({"op": "subscribe", "topic": "test.numbers.more"}, "unknown_topic"),
        ({"op": "subscribe", "topic": "test.no spaces"}, "unknown_topic"),
        ({"op": "subscribe", "topic": "test." + "x" * 200}, "unknown_topic"),
        ({"op": "unsubscribe"}, "invalid_message"),
        ({"op": "auth"}, "invalid_message"),
        ({"op": "call", "id": 1, "method": "order.place"}, "authentication_required"),
        ({"op": "call", "method": "order.place"}, "invalid_message"),
        ({"op": "call", "id": 1, "method": 7}, "invalid_message"),
        ({"op": "call", "id": 1, "method": "order.place", "params": []}, "invalid_message"),
    ],
)
async def test_a_mistake_is_answered_and_the_socket_goes_on(
    peer: Callable[..., Peer], source: Source, message: dict[str, Any], code: str
) -> None:
    socket = peer()
    await socket.open()

    await socket.say(**message)
    answer = await socket.hear()

    assert (answer["op"], answer["code"]) == ("error", code)
    assert await socket.hears_nothing()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '"subscribe"', "null", "[" * 5000, "NaN"])
async def test_what_is_not_a_json_object_closes(peer: Callable[..., Peer], text: str) -> None:
    socket = peer()
    await socket.open()

    await socket.send_input({"type": "websocket.receive", "text": text})

    assert await socket.hear_close() == 4400


async def test_a_binary_message_closes(peer: Callable[..., Peer]) -> None:
    socket = peer()
    await socket.open()

    await socket.send_to(bytes_data=b"\x00\xff junk")

    assert await socket.hear_close() == 4400


async def test_a_message_that_is_too_big_closes(peer: Callable[..., Peer]) -> None:
    socket = peer()
    await socket.open()

    await socket.send_to(text_data='{"op":"ping","x":"' + "x" * 65_536 + '"}')

    assert await socket.hear_close() == 4009


async def test_too_many_messages_close(peer: Callable[..., Peer]) -> None:
    socket = peer(messages_burst=20, messages_per_second=1)
    await socket.open()

    for _ in range(30):
        await socket.say(op="ping")

    assert await socket.hear_close() == 4429


async def test_one_subscription_too_many_is_refused(
    peer: Callable[..., Peer], source: Source
) -> None:
    socket = peer(subscriptions=1)
    await socket.open()
    await socket.subscribe("test.numbers")
    await socket.hear()

    await socket.say(op="subscribe", topic="test.others")
    refusal = await socket.hear()
    await socket.say(op="unsubscribe", topic="test.numbers")
    await socket.hear()
    await socket.say(op="subscribe", topic="test.others")

    assert (refusal["code"], refusal["topic"]) == ("too_many_subscriptions", "test.others")
    assert await socket.hear() == {"op": "subscribed", "topic": "test.others"}


async def test_who_asks_for_nothing_is_closed(peer: Callable[..., Peer]) -> None:
    socket = peer(idle_seconds=0.05)
    await socket.open()

    await socket.say(op="ping")

    assert await socket.hear_close() == 4408


@pytest.mark.django_db(transaction=True)
async def test_a_person_who_asks_for_nothing_is_closed_too(
    peer: Callable[..., Peer], person: Any, cookie_of: Callable[[Any], Awaitable[str]]
) -> None:
    socket = peer(cookie=await cookie_of(person), idle_seconds=0.05)

    assert (await socket.open())["signed_in"] is True

    assert await socket.hear_close() == 4408


@pytest.mark.django_db(transaction=True)
async def test_who_only_calls_stays(
    peer: Callable[..., Peer],
    person: Any,
    cookie_of: Callable[[Any], Awaitable[str]],
    method: Callable[..., None],
) -> None:
    method("test.echo", lambda user, params: params)
    socket = peer(cookie=await cookie_of(person), idle_seconds=1.0)
    await socket.open()
    await socket.say(op="call", id=1, method="test.echo", params={"a": 1})
    assert await socket.hear() == {"op": "result", "id": 1, "result": {"a": 1}}

    await asyncio.sleep(1.1)

    assert await socket.hears_nothing()


async def test_who_follows_something_stays(peer: Callable[..., Peer], source: Source) -> None:
    socket = peer(idle_seconds=1.0)
    await socket.open()
    await socket.subscribe("test.numbers")
    await socket.hear()

    await asyncio.sleep(1.1)

    assert await socket.hears_nothing()


async def test_one_socket_too_many_of_an_address_is_closed(peer: Callable[..., Peer]) -> None:
    for _ in range(2):
        await peer(sockets_per_address=2).open()
    third = peer()

    await third.connect(timeout=5)

    assert await third.hear_close() == 4429


@pytest.mark.django_db(transaction=True)
async def test_a_private_topic_is_refused_and_nothing_is_delivered(
    peer: Callable[..., Peer], topic_kind: Callable[..., None], valkey: redis.Redis
) -> None:
    topic_kind("test.{name}", authorise=lambda user, match: user is not None)
    source = Source("test.numbers")
    source.start()
    socket = peer()
    await socket.open()

    await socket.say(op="subscribe", topic="test.numbers", id="a")
    refusal = await socket.hear()
    source.add()

    assert refusal == {
        "op": "error", "id": "a", "topic": "test.numbers", "code": "forbidden",
        "message": "You may not read this.",
    }  # fmt: skip
    assert await socket.hears_nothing()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("public", "code"), [(True, "unknown_market"), (False, "forbidden")])
async def test_only_of_public_things_is_it_said_that_they_do_not_exist(
    peer: Callable[..., Peer], topic_kind: Callable[..., None], public: bool, code: str
) -> None:
    def authorise(user: object, match: topics.Match) -> bool:
        raise NotFound("unknown_market", "There is no such market.")

    topic_kind("test.{name}", authorise=authorise, public=public)
    socket = peer()
    await socket.open()

    await socket.say(op="subscribe", topic="test.numbers")

    assert (await socket.hear())["code"] == code


@pytest.fixture
async def signed_in(peer: Callable[..., Peer], person: Any, ticket_of: Any) -> Peer:
    socket = peer()
    await socket.open()
    await socket.say(op="auth", ticket=await ticket_of(person))
    assert await socket.hear() == {"op": "authenticated"}
    return socket


@pytest.mark.django_db(transaction=True)
async def test_a_call_is_answered_under_its_id(
    signed_in: Peer, person: Any, method: Callable[..., None]
) -> None:
    method("test.echo", lambda user, params: {"user": user.pk, **params})

    await signed_in.say(op="call", id=7, method="test.echo", params={"a": "1"})

    assert await signed_in.hear() == {
        "op": "result", "id": 7, "result": {"user": person.pk, "a": "1"},
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
async def test_a_refused_call_names_its_code(signed_in: Peer, method: Callable[..., None]) -> None:
    def refuse(user: object, params: object) -> dict[str, Any]:
        raise Refused("insufficient_funds", "Your balance is too small.", needed="120.00")

    method("test.refuse", refuse)

    await signed_in.say(op="call", id="x", method="test.refuse")

    assert await signed_in.hear() == {
        "op": "error", "id": "x", "code": "insufficient_funds",
        "message": "Your balance is too small.", "needed": "120.00",
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
async def test_a_call_that_breaks_says_nothing_about_why(
    signed_in: Peer, method: Callable[..., None]
) -> None:
    def crash(user: object, params: object) -> dict[str, Any]:
        raise ZeroDivisionError("SELECT secret FROM people")

    method("test.crash", crash)

    await signed_in.say(op="call", id=1, method="test.crash")
    answer = await signed_in.hear()

    assert answer["code"] == "internal_error"
    assert "secret" not in str(answer)


@pytest.mark.django_db(transaction=True)
async def test_an_unknown_method_is_refused(signed_in: Peer) -> None:
    await signed_in.say(op="call", id=1, method="test.nothing")

    assert (await signed_in.hear())["code"] == "unknown_method"


@pytest.mark.django_db(transaction=True)
async def test_a_slow_call_keeps_nobody_waiting_and_too_many_are_refused(
    peer: Callable[..., Peer], person: Any, ticket_of: Any, method: Callable[..., None]
) -> None:
    gate = threading.Event()

    def wait(user: object, params: dict[str, Any]) -> dict[str, Any]:
        assert gate.wait(10)
        return {}

    method("test.wait", wait)
    socket = peer(calls_at_once=2)
    await socket.open()
    await socket.say(op="auth", ticket=await ticket_of(person))
    await socket.hear()

    for number in (1, 2, 3):
        await socket.say(op="call", id=number, method="test.wait")
    refusal = await socket.hear()
    still_answers = await socket.hears_nothing()
    gate.set()
    answered = {(await socket.hear())["id"] for _ in range(2)}

    assert (refusal["id"], refusal["code"]) == (3, "too_many_calls")
    assert still_answers
    assert answered == {1, 2}


@pytest.mark.django_db(transaction=True)
async def test_a_call_that_cannot_be_sent_as_json_is_an_internal_error(
    signed_in: Peer, method: Callable[..., None]
) -> None:
    method("test.odd", lambda user, params: {"odd": object()})

    await signed_in.say(op="call", id=1, method="test.odd")

    assert (await signed_in.hear())["code"] == "internal_error"


@pytest.mark.django_db(transaction=True)
async def test_who_cannot_be_looked_up_is_asked_to_come_back(
    peer: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(session_key: str) -> None:
        raise OperationalError("the database is gone: host=secret")

    monkeypatch.setattr(identity, "of_session", fail)
    socket = peer(cookie="sessionid=somebody")
    await socket.connect(timeout=5)

    refusal = await socket.hear()

    assert refusal == {
        "op": "error", "code": "database_unavailable",
        "message": "The database cannot be reached now.",
    }  # fmt: skip
    assert await socket.hear_close() == 4013


@pytest.mark.django_db(transaction=True)
async def test_a_pool_refuses_what_it_cannot_queue() -> None:
    gate = threading.Event()
    pool = threads.Pool("test", 1, places_max=2)
    waiting = [asyncio.create_task(pool.run(gate.wait, 10)) for _ in range(2)]
    await asyncio.sleep(0.05)

    with pytest.raises(Unavailable) as refused:
        await pool.run(gate.wait)
    gate.set()

    assert refused.value.code == "server_busy"
    assert await asyncio.gather(*waiting) == [True, True]
    assert await pool.run(gate.wait)
