"""What a connection keeps up as long as it lives, and ends with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.core.errors import Unavailable
from apps.core.realtime import calls
from tests.realtime.conftest import Peer

pytestmark = pytest.mark.django_db(transaction=True)


class Guarded:
    """Counts what a watch does. Each ``keep`` waits at the gate, which is open at first."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.begun = 0
        self.fails = False
        self.gate = threading.Event()
        self.gate.set()

    def keep(self) -> None:
        self.begun += 1
        assert self.gate.wait(30)
        self.told.append("keep")
        if self.fails:
            raise Unavailable("engine_unavailable", "Not now.", retry_after_seconds=1)

    def end(self) -> None:
        self.told.append("end")


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    found = Guarded()

    def begin(_user: Any, params: dict[str, Any]) -> calls.Watch:
        return calls.Watch("one", {"on": True}, params["seconds"], found.keep, found.end)

    calls.register_watch("test.watch", begin)
    yield found
    calls.unregister("test.watch")


@pytest.fixture
async def socket(peer: Callable[..., Peer], person: Any, ticket_of: Any) -> Peer:
    found = peer()
    await found.open()
    await found.say(op="auth", ticket=await ticket_of(person))
    assert await found.hear() == {"op": "authenticated"}
    return found


async def watch(socket: Peer, seconds: float) -> dict[str, Any]:
    await socket.say(op="call", id=1, method="test.watch", params={"seconds": seconds})
    answer: dict[str, Any] = await socket.hear()
    return answer


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("It has not happened.")


async def test_a_watch_is_kept_up_and_ends_with_the_connection(
    socket: Peer, guarded: Guarded
) -> None:
    answer = await watch(socket, 0.01)
    await until(lambda: guarded.told.count("keep") >= 2)

    await socket.disconnect()
    await until(lambda: "end" in guarded.told)
    kept = guarded.told.count("keep")
    await asyncio.sleep(0.05)

    assert answer == {"op": "result", "id": 1, "result": {"on": True}}
    assert guarded.told.count("end") == 1
    assert guarded.told.count("keep") <= kept + 1


async def test_a_watch_that_cannot_be_kept_is_tried_again(socket: Peer, guarded: Guarded) -> None:
    guarded.fails = True
    await watch(socket, 0.01)

    await until(lambda: guarded.told.count("keep") >= 3)


async def test_a_watch_that_was_taken_back_does_nothing_at_the_end(
    socket: Peer, guarded: Guarded
) -> None:
    await watch(socket, 60)
    await watch(socket, 0)

    await socket.disconnect()
    await asyncio.sleep(0.05)

    assert guarded.told == []


async def test_the_end_comes_after_a_call_that_was_still_under_way(
    socket: Peer, guarded: Guarded
) -> None:
    guarded.gate.clear()
    await watch(socket, 0.01)
    await until(lambda: guarded.begun == 1)

    await socket.disconnect()
    guarded.gate.set()
    await until(lambda: len(guarded.told) == 2)

    assert guarded.told == ["keep", "end"]


async def test_what_is_taken_back_stays_so_after_a_call_that_was_still_under_way(
    socket: Peer, guarded: Guarded
) -> None:
    guarded.gate.clear()
    await watch(socket, 0.01)
    await until(lambda: guarded.begun == 1)

    # Its ``keep`` is the one that takes back: here it is counted as any.
    await watch(socket, 0)
    guarded.gate.set()
    await until(lambda: len(guarded.told) == 2)
    await socket.disconnect()
    await asyncio.sleep(0.05)

    assert guarded.told == ["keep", "keep"]
