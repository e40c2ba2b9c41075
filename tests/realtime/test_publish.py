"""The text of messages, and the chain that lets readers notice what is missing."""

from __future__ import annotations

import orjson
import pytest
import redis
from websockets.frames import Frame as StandardFrame
from websockets.frames import Opcode

from apps.core.errors import NotFound
from apps.core.realtime import topics
from apps.core.realtime.connections import key
from apps.core.realtime.frames import Frame, read_head
from apps.core.realtime.publish import (
    Chain,
    Message,
    channel,
    delta_text,
    publish_all,
    snapshot_key,
    snapshot_text,
)


def test_the_head_of_a_message_is_read_without_its_body() -> None:
    text = delta_text("market.BTC-USDT.book", 7, 5, {"bids": [["1.00", "0"]]})

    found = read_head(text.encode())

    assert found is not None
    assert (found.topic, found.seq, found.prev) == ("market.BTC-USDT.book", 7, 5)
    assert orjson.loads(found.frame.text) == {
        "topic": "market.BTC-USDT.book", "type": "delta", "seq": 7, "prev": 5,
        "data": {"bids": [["1.00", "0"]]},
    }  # fmt: skip


@pytest.mark.parametrize(
    "payload",
    [
        b"", b"{}", b"\xff\xfe", b'{"topic":"a","type":"delta","seq":1,"data":{}}',
        b'{"topic":"a","type":"snapshot","seq":1,"prev":0,"data":{}}',
        b'{"topic":"a","type":"stale"}', b'{"type":"delta","topic":"a","seq":1,"prev":0,"data":1}',
        b'{"topic":"a","type":"delta","seq":-1,"prev":0,"data":{}}',
    ],
)  # fmt: skip
def test_anything_else_is_no_message(payload: bytes) -> None:
    assert read_head(payload) is None


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 200_000])
def test_a_finished_frame_is_what_the_standard_says(size: int) -> None:
    payload = b"x" * size

    standard = StandardFrame(Opcode.TEXT, payload).serialize(mask=False)

    assert Frame(payload).wire == standard


def test_message_and_snapshot_are_sent_in_one_step(valkey: redis.Redis) -> None:
    ear = valkey.pubsub(ignore_subscribe_messages=True)
    ear.subscribe(channel("test.a"))
    ear.get_message(timeout=5)

    assert publish_all([Message("test.a", 2, 1, {"d": 1}, {"whole": 1})])
    heard = ear.get_message(timeout=5)
    ear.close()

    assert heard["data"].decode() == delta_text("test.a", 2, 1, {"d": 1})
    assert valkey.get(snapshot_key("test.a")) == snapshot_text("test.a", 2, {"whole": 1}).encode()


def test_a_fence_that_another_holds_lets_nothing_through(valkey: redis.Redis) -> None:
    valkey.set(key("fence"), "another")
    message = Message("test.a", 2, 1, {}, {"whole": 1})

    assert not publish_all([message], fence=(key("fence"), "mine"))
    assert valkey.get(snapshot_key("test.a")) is None
    valkey.set(key("fence"), "mine")
    assert publish_all([message], fence=(key("fence"), "mine"))


def test_the_first_message_after_a_start_tells_of_everything_before_it() -> None:
    chain = Chain(after_seq=100)

    assert chain.advance("a", 105) == 100
    assert chain.advance("a", 109) == 105
    assert chain.advance("b", 109) == 100


def test_a_topic_that_was_forgotten_never_seems_complete() -> None:
    chain = Chain(after_seq=0, topics_max=2)
    chain.advance("a", 5)
    chain.advance("b", 6)
    chain.advance("c", 7)

    assert chain.advance("a", 9) == 5
    assert chain.advance("b", 10) == 6


def test_a_topic_finds_its_kind_and_its_parts() -> None:
    kind = topics.TopicKind("test.{symbol}.candles.1m", topics.anyone)
    topics.register(kind)
    try:
        assert topics.resolve("test.BTC-USDT.candles.1m") == (kind, {"symbol": "BTC-USDT"})
        for wrong in ("test..candles.1m", "test.a.b.candles.1m", "test.a.candlesx1m", "xtest.a"):
            with pytest.raises(NotFound):
                topics.resolve(wrong)
        with pytest.raises(RuntimeError):
            topics.register(kind)
    finally:
        topics.unregister(kind.pattern)
