"""Subscribing over the real hub and a real Valkey: snapshots, deltas, gaps, resuming."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis

from apps.core.errors import NotFound, Unavailable
from apps.core.realtime import publish
from apps.core.realtime.connections import key
from tests.realtime.conftest import Peer, Source, settle


async def test_a_subscriber_gets_the_stored_snapshot_and_then_what_changes(
    peer: Callable[..., Peer], source: Source
) -> None:
    source.add()
    socket = peer()
    await socket.open()

    await socket.subscribe("test.numbers")
    snapshot = await socket.hear()
    source.add()
    delta = await socket.hear()

    assert snapshot == {
        "topic": "test.numbers", "type": "snapshot", "seq": 1, "data": {"all": [1]},
    }  # fmt: skip
    assert delta == {
        "topic": "test.numbers", "type": "delta", "seq": 2, "prev": 1, "data": {"add": 2},
    }  # fmt: skip


async def test_two_sockets_share_one_subscription_and_hear_the_same(
    peer: Callable[..., Peer], source: Source, valkey: redis.Redis
) -> None:
    first, second = peer(), peer()
    for socket in (first, second):
        await socket.open()
        await socket.subscribe("test.numbers")
        await socket.hear()

    source.add()

    assert await first.hear() == await second.hear() == source.delta(1)
    assert valkey.pubsub_numsub(publish.channel("test.numbers"))[0][1] == 1


async def test_nothing_is_lost_or_doubled_while_a_snapshot_is_on_its_way(
    peer: Callable[..., Peer], source: Source
) -> None:
    sockets = [peer() for _ in range(5)]
    for socket in sockets:
        await socket.open()
        await socket.say(op="subscribe", topic="test.numbers")
        source.add()
    for _ in range(20):
        source.add()
        await settle()

    for socket in sockets:
        assert (await socket.hear())["op"] == "subscribed"
        snapshot = await socket.hear()
        state = snapshot["data"]["all"]
        while len(state) < source.seq:
            state.append((await socket.hear())["data"]["add"])
        assert state == list(range(1, source.seq + 1))


async def test_who_left_hears_nothing_more(peer: Callable[..., Peer], source: Source) -> None:
    leaving, staying = peer(), peer()
    for socket in (leaving, staying):
        await socket.open()
        await socket.subscribe("test.numbers")
        await socket.hear()
    await leaving.say(op="unsubscribe", topic="test.numbers")
    assert await leaving.hear() == {"op": "unsubscribed", "topic": "test.numbers"}

    source.add()

    assert await staying.hear() == source.delta(1)
    assert await leaving.hears_nothing()


async def test_a_second_subscription_gives_a_new_snapshot_and_no_second_stream(
    peer: Callable[..., Peer], source: Source
) -> None:
    socket = peer()
    await socket.open()
    for _ in range(2):
        await socket.subscribe("test.numbers")
        assert await socket.hear() == source.snapshot()

    source.add()

    assert await socket.hear() == source.delta(1)
    assert await socket.hears_nothing()


async def test_resuming_sends_only_what_was_missed(
    peer: Callable[..., Peer], source: Source
) -> None:
    watching, returning = peer(), peer()
    for socket in (watching, returning):
        await socket.open()
    await watching.subscribe("test.numbers")
    await watching.hear()
    for seq in (1, 2, 3):
        source.add()
        assert await watching.hear() == source.delta(seq)

    await returning.subscribe("test.numbers", since=1)

    assert await returning.hear() == source.delta(2)
    assert await returning.hear() == source.delta(3)
    assert await returning.hears_nothing()


async def test_resuming_from_before_what_is_kept_gives_a_snapshot(
    peer: Callable[..., Peer], source: Source
) -> None:
    watching, returning = peer(ring_messages=2), peer()
    for socket in (watching, returning):
        await socket.open()
    await watching.subscribe("test.numbers")
    await watching.hear()
    for seq in (1, 2, 3, 4):
        source.add()
        assert await watching.hear() == source.delta(seq)

    await returning.subscribe("test.numbers", since=1)

    assert await returning.hear() == source.snapshot()


async def test_a_missing_message_brings_a_new_snapshot(
    peer: Callable[..., Peer], source: Source
) -> None:
    socket = peer()
    await socket.open()
    await socket.subscribe("test.numbers")
    await socket.hear()

    source.add(lost=True)
    source.add()

    assert await socket.hear() == source.snapshot()
    source.add()
    assert await socket.hear() == source.delta(3)


async def test_a_publisher_that_starts_anew_replaces_the_state(
    peer: Callable[..., Peer], source: Source
) -> None:
    source.add()
    socket = peer()
    await socket.open()
    await socket.subscribe("test.numbers")
    await socket.hear()

    source.seq, source.state = 0, []
    source.start()
    source.add()

    assert await socket.hear() == {**source.snapshot(), "seq": 0, "data": {"all": []}}
    assert await socket.hear() == source.delta(1)


async def test_a_topic_without_a_snapshot_yet_is_stale_until_its_publisher_comes(
    peer: Callable[..., Peer], topic_kind: Callable[..., None], valkey: redis.Redis
) -> None:
    topic_kind("test.{name}", public=True)
    socket = peer()
    await socket.open()

    await socket.subscribe("test.numbers")

    assert await socket.hear() == {"topic": "test.numbers", "type": "stale"}
    source = Source("test.numbers")
    source.start()
    assert await socket.hear() == source.snapshot()


@pytest.mark.django_db(transaction=True)
async def test_a_snapshot_function_is_asked_and_may_be_ahead_of_the_stream(
    peer: Callable[..., Peer], topic_kind: Callable[..., None], valkey: redis.Redis
) -> None:
    asked: list[dict[str, str]] = []

    def snapshot(match: dict[str, str]) -> tuple[int, object]:
        asked.append(match)
        return 10, {"of": match["name"]}

    topic_kind("test.{name}", snapshot=snapshot)
    socket = peer()
    await socket.open()
    await socket.subscribe("test.accounts")

    assert await socket.hear() == {
        "topic": "test.accounts", "type": "snapshot", "seq": 10, "data": {"of": "accounts"},
    }  # fmt: skip
    publish.publish("test.accounts", 9, 4, {"too": "old"})
    publish.publish("test.accounts", 12, 9, {"it": "is new"})
    assert await socket.hear() == {
        "topic": "test.accounts", "type": "delta", "seq": 12, "prev": 9, "data": {"it": "is new"},
    }  # fmt: skip
    assert asked == [{"name": "accounts"}]


@pytest.mark.django_db(transaction=True)
async def test_a_snapshot_that_fails_is_tried_again(
    peer: Callable[..., Peer], topic_kind: Callable[..., None], valkey: redis.Redis
) -> None:
    answers: list[object] = [
        RuntimeError("a mistake"), Unavailable("database_unavailable", "Gone."), (1, {"a": 1}),
    ]  # fmt: skip

    def snapshot(match: dict[str, str]) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    topic_kind("test.{name}", snapshot=snapshot)
    socket = peer()
    await socket.open()
    await socket.subscribe("test.a")

    assert (await socket.hear())["type"] == "stale"
    assert (await socket.hear())["data"] == {"a": 1}


@pytest.mark.django_db(transaction=True)
async def test_a_snapshot_of_what_does_not_exist_is_an_error(
    peer: Callable[..., Peer], topic_kind: Callable[..., None], valkey: redis.Redis
) -> None:
    def snapshot(match: dict[str, str]) -> Any:
        raise NotFound("unknown_account", "There is no such account.")

    topic_kind("test.{name}", snapshot=snapshot)
    socket = peer()
    await socket.open()
    await socket.subscribe("test.a")

    assert await socket.hear() == {
        "op": "error", "topic": "test.a", "code": "unknown_account",
        "message": "There is no such account.",
    }  # fmt: skip


async def test_a_topic_nobody_reads_is_let_go(
    peer: Callable[..., Peer], source: Source, valkey: redis.Redis
) -> None:
    socket = peer(linger_seconds=0.0)
    await socket.open()
    await socket.subscribe("test.numbers")
    await socket.hear()
    await socket.say(op="unsubscribe", topic="test.numbers")
    await socket.hear()

    for _ in range(100):
        if valkey.pubsub_numsub(publish.channel("test.numbers"))[0][1] == 0:
            break
        assert await socket.hears_nothing()
        await asyncio.sleep(0.05)

    assert valkey.pubsub_numsub(publish.channel("test.numbers"))[0][1] == 0
    await socket.subscribe("test.numbers")
    assert await socket.hear() == source.snapshot()


async def test_a_publisher_without_a_heartbeat_makes_its_topics_stale(
    peer: Callable[..., Peer], topic_kind: Callable[..., None], valkey: redis.Redis
) -> None:
    topic_kind("test.{name}", public=True, source="tests")
    source = Source("test.numbers")
    source.start()
    valkey.set(key("live:source:tests"), "1")
    socket = peer()
    await socket.open()
    await socket.subscribe("test.numbers")
    assert await socket.hear() == source.snapshot()

    valkey.delete(key("live:source:tests"))
    assert await socket.hear() == {"topic": "test.numbers", "type": "stale"}

    valkey.set(key("live:source:tests"), "1")
    assert await socket.hear() == source.snapshot()


async def test_what_is_not_a_live_message_is_passed_over(
    peer: Callable[..., Peer], source: Source, valkey: redis.Redis
) -> None:
    socket = peer()
    await socket.open()
    await socket.subscribe("test.numbers")
    await socket.hear()

    channel = publish.channel("test.numbers")
    valkey.publish(channel, b"\xff not a message")
    valkey.publish(channel, publish.delta_text("test.others", 1, 0, {}))
    source.add()

    assert await socket.hear() == source.delta(1)
