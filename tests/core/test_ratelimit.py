"""Token buckets: so many at once, so many per second, decided in one step."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import redis

from apps.core import endpoint, ratelimit
from apps.core.ratelimit import Bucket

SLOW = Bucket(capacity=5, per_second=0.01)


def test_a_bucket_gives_what_it_holds_and_says_what_is_left(valkey: redis.Redis) -> None:
    verdicts = [ratelimit.take("a", SLOW) for _ in range(7)]

    assert [verdict.allowed for verdict in verdicts] == [True] * 5 + [False] * 2
    assert [verdict.remaining for verdict in verdicts] == [4, 3, 2, 1, 0, 0, 0]
    assert verdicts[0].limit == 5
    assert verdicts[0].retry_after_seconds == 0
    assert 99 <= verdicts[-1].retry_after_seconds <= 100
    assert 499 <= verdicts[-1].reset_seconds <= 500


def test_buckets_do_not_share(valkey: redis.Redis) -> None:
    for _ in range(5):
        ratelimit.take("a", SLOW)

    assert not ratelimit.take("a", SLOW).allowed
    assert ratelimit.take("b", SLOW).allowed


def test_a_bucket_fills_up_again_but_not_over(valkey: redis.Redis) -> None:
    fast = Bucket(capacity=2, per_second=200)
    assert ratelimit.take("a", fast, cost=2).allowed
    time.sleep(0.05)

    assert ratelimit.take("a", fast, cost=2).allowed
    assert not ratelimit.take("a", fast, cost=3).allowed


def test_tokens_can_be_given_back_but_not_over(valkey: redis.Redis) -> None:
    for _ in range(5):
        ratelimit.take("a", SLOW)

    ratelimit.give_back("a", SLOW)
    assert ratelimit.take("a", SLOW).allowed
    assert not ratelimit.take("a", SLOW).allowed
    ratelimit.give_back("a", SLOW, cost=50)
    assert ratelimit.take("a", SLOW).remaining == 4


def test_a_full_bucket_leaves_nothing_behind(valkey: redis.Redis) -> None:
    ratelimit.take("a", Bucket(capacity=2, per_second=1000))

    assert all(0 < valkey.pttl(key) <= 1010 for key in valkey.keys("*rate:a"))


def test_many_at_once_take_no_more_than_there_is(valkey: redis.Redis) -> None:
    allowed: list[bool] = []
    barrier = threading.Barrier(20)

    def take() -> None:
        barrier.wait()
        allowed.append(ratelimit.take("a", SLOW).allowed)

    threads = [threading.Thread(target=take) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(allowed) == 5


def test_reading_goes_on_unmetered_without_valkey(settings: Any, free_port: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    endpoint._unmetered_until = 0.0

    assert endpoint._meter("a", SLOW) is None
    assert endpoint._unmetered_until > time.monotonic()

    endpoint._unmetered_until = 0.0
    with pytest.raises(redis.exceptions.ConnectionError):
        ratelimit.take("a", SLOW)
