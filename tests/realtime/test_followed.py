"""The joining of snapshots and deltas, without a network: every order of events, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.realtime import topics
from apps.core.realtime.followed import Followed
from apps.core.realtime.frames import Frame, Published, read_head
from apps.core.realtime.limits import Limits
from apps.core.realtime.publish import delta_text, snapshot_text

TOPIC = "test.numbers"


class Reader:
    """Stands in for a socket: applies what it is given as a client must, and objects to errors."""

    def __init__(self) -> None:
        self.seq: int | None = None
        self.state: list[int] = []
        self.heard: list[str] = []
        self.is_stale = False

    def offer(self, frame: Frame) -> None:
        message = orjson.loads(frame.payload)
        self.heard.append(message["type"])
        if message["type"] == "stale":
            self.is_stale = True
            return
        self.is_stale = False
        if message["type"] == "snapshot":
            self.state = list(message["data"])
        else:
            assert self.seq is not None, "a delta before any snapshot"
            assert message["seq"] > self.seq, "a message twice"
            assert message["prev"] <= self.seq, "a message missing"
            self.state.append(message["data"])
        self.seq = message["seq"]


def make_followed(**limits: Any) -> Followed:
    kind = topics.TopicKind("test.{name}", topics.anyone)
    return Followed(TOPIC, kind, {"name": "numbers"}, Limits(**limits))


def snapshot_at(seq: int) -> Published:
    found = read_head(snapshot_text(TOPIC, seq, list(range(1, seq + 1))).encode())
    assert found is not None
    return found


def delta_at(seq: int, prev: int | None = None) -> Published:
    found = read_head(delta_text(TOPIC, seq, seq - 1 if prev is None else prev, seq).encode())
    assert found is not None
    return found


def join(followed: Followed, since: int | None = None) -> Reader:
    reader = Reader()
    followed.join(reader, since)  # type: ignore[arg-type]
    return reader


def test_a_snapshot_is_followed_by_what_came_after_it() -> None:
    followed, reader = make_followed(), Reader()
    followed.join(reader, None)  # type: ignore[arg-type]
    for seq in (1, 2, 3):
        followed.receive(delta_at(seq))

    assert followed.deliver(snapshot_at(2))

    assert reader.heard == ["snapshot", "delta"]
    assert reader.state == [1, 2, 3]


def test_a_snapshot_ahead_of_the_stream_hides_what_it_holds_already() -> None:
    followed = make_followed()
    first = join(followed)
    followed.deliver(snapshot_at(1))
    second = join(followed)
    followed.deliver(snapshot_at(3))

    for seq in (2, 3, 4):
        followed.receive(delta_at(seq))

    assert (first.heard, first.state) == (["snapshot", "delta", "delta", "delta"], [1, 2, 3, 4])
    assert (second.heard, second.state) == (["snapshot", "delta"], [1, 2, 3, 4])


def test_a_snapshot_that_the_kept_messages_do_not_reach_is_refused() -> None:
    followed = make_followed(ring_messages=2)
    reader = join(followed)
    for seq in (1, 2, 3, 4):
        followed.receive(delta_at(seq))

    assert not followed.deliver(snapshot_at(1))
    assert reader.heard == []
    assert followed.deliver(snapshot_at(2))
    assert reader.state == [1, 2, 3, 4]


def test_a_gap_gives_everybody_a_new_snapshot() -> None:
    followed = make_followed()
    reader = join(followed)
    followed.deliver(snapshot_at(1))

    assert not followed.receive(delta_at(3))
    assert not followed.deliver(snapshot_at(1))
    assert followed.receive(delta_at(4))
    assert reader.heard == ["snapshot"]
    assert followed.deliver(snapshot_at(2))

    assert reader.heard == ["snapshot", "snapshot", "delta", "delta"]
    assert reader.state == [1, 2, 3, 4]


def test_a_message_twice_is_passed_on_once() -> None:
    followed = make_followed()
    reader = join(followed)
    followed.deliver(snapshot_at(0))

    for seq in (1, 2, 1, 2):
        assert followed.receive(delta_at(seq))

    assert reader.state == [1, 2]


def test_who_was_away_for_a_moment_gets_only_what_he_missed() -> None:
    followed = make_followed()
    join(followed)
    followed.deliver(snapshot_at(0))
    for seq in (1, 2, 3):
        followed.receive(delta_at(seq))
    returning = Reader()
    returning.seq, returning.state = 1, [1]

    followed.join(returning, 1)  # type: ignore[arg-type]

    assert (returning.heard, returning.state) == (["delta", "delta"], [1, 2, 3])


def test_what_was_kept_before_a_snapshot_ahead_of_the_stream_is_not_continued() -> None:
    followed = make_followed()
    settled = join(followed)
    followed.deliver(snapshot_at(1))
    followed.lose()
    followed.receive(delta_at(5))
    followed.deliver(snapshot_at(8))
    for seq in (6, 7, 8, 9):
        followed.receive(delta_at(seq))
    returning = Reader()
    returning.seq, returning.state = 4, [1, 2, 3, 4]

    followed.join(returning, 4)  # type: ignore[arg-type]

    assert returning.heard == []
    assert followed.deliver(snapshot_at(9))
    assert settled.state == returning.state == [1, 2, 3, 4, 5, 6, 7, 8, 9]


@pytest.mark.parametrize(("missed", "heard"), [(4, ["delta"] * 4), (5, ["snapshot"])])
def test_who_missed_more_than_half_his_queue_gets_a_snapshot(missed: int, heard: list[str]) -> None:
    followed = make_followed(queue_frames=8)
    join(followed)
    followed.deliver(snapshot_at(0))
    for seq in range(1, 11):
        followed.receive(delta_at(seq))
    returning = Reader()
    returning.seq, returning.state = 10 - missed, list(range(1, 11 - missed))

    followed.join(returning, 10 - missed)  # type: ignore[arg-type]
    followed.deliver(snapshot_at(10))

    assert (returning.heard, returning.state) == (heard, list(range(1, 11)))


@pytest.mark.parametrize("since", [0, 3, 99])
def test_who_missed_more_than_is_kept_or_nothing_at_all_gets_a_snapshot(since: int) -> None:
    followed = make_followed(ring_messages=2)
    join(followed)
    followed.deliver(snapshot_at(0))
    for seq in (1, 2, 3):
        followed.receive(delta_at(seq))

    returning = join(followed, since)

    assert returning.heard == []
    assert followed.deliver(snapshot_at(3))
    assert returning.state == [1, 2, 3]


def test_a_publisher_that_starts_anew_replaces_what_everybody_has() -> None:
    followed = make_followed()
    settled, waiting = join(followed), Reader()
    followed.deliver(snapshot_at(5))
    followed.join(waiting, None)  # type: ignore[arg-type]

    assert followed.receive(snapshot_at(2))
    assert followed.receive(delta_at(3))

    assert settled.state == waiting.state == [1, 2, 3]
    assert not followed.waiting


def test_stale_readers_are_told_until_a_snapshot_comes() -> None:
    followed = make_followed()
    reader = join(followed)
    followed.deliver(snapshot_at(1))

    followed.go_stale()
    late = join(followed)
    followed.deliver(snapshot_at(1))

    assert reader.is_stale
    assert late.heard == ["snapshot", "stale"]


def test_the_ring_is_bounded_in_bytes_as_well() -> None:
    followed = make_followed(ring_bytes=200)
    join(followed)
    followed.deliver(snapshot_at(0))
    for seq in range(1, 20):
        followed.receive(delta_at(seq))

    assert followed.after(18) is not None
    assert followed.after(10) is None


class World:
    """One topic, its publisher and its readers; each step is one thing that may happen next."""

    def __init__(self, ring_messages: int) -> None:
        self.followed = make_followed(ring_messages=ring_messages)
        self.readers = [join(self.followed)]
        self.seq = 0
        self.fetched = (0, snapshot_at(0))

    def publish(self) -> None:
        self.seq += 1
        self.followed.receive(delta_at(self.seq))

    def lose(self) -> None:
        self.seq += 1

    def repeat(self) -> None:
        if self.followed.last_seq == self.seq and self.seq:
            self.followed.receive(delta_at(self.seq))

    def fetch(self) -> None:
        self.fetched = (self.followed.generation, snapshot_at(self.seq))

    def answer(self) -> None:
        generation, snapshot = self.fetched
        is_needed = self.followed.waiting or self.followed.reload
        if is_needed and generation == self.followed.generation:
            self.followed.deliver(snapshot)

    def join(self) -> None:
        self.readers.append(join(self.followed))

    def come_back(self) -> None:
        reader = self.readers[self.seq % len(self.readers)]
        self.followed.join(reader, reader.seq)  # type: ignore[arg-type]


STEPS = [World.publish, World.lose, World.repeat, World.fetch, World.answer, World.join]


@given(st.lists(st.sampled_from([*STEPS, World.come_back])), st.integers(1, 5))
def test_readers_have_the_publishers_state_whatever_the_order(
    steps: list[Callable[[World], None]], ring_messages: int
) -> None:
    world = World(ring_messages)

    for step in [*steps, World.publish, World.fetch, World.answer, World.publish]:
        step(world)
    world.fetch()
    world.answer()

    assert {tuple(reader.state) for reader in world.readers} == {tuple(range(1, world.seq + 1))}
