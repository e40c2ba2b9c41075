"""Events on their way up: each subscriber gets each once, whatever fails or dies meanwhile."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from apps.core import outbox, tasks
from apps.core.models import IdempotentAnswer, OutboxDelivery, OutboxEvent

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_subscribers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_subscribers", {})


def _emit(key: str, now: datetime = NOON) -> None:
    outbox.emit("sum", {"words": key}, key=key, now=now)


def _note(data: dict[str, Any], now: datetime) -> None:
    """A handler's effect: a row, which a second one like it would double."""
    IdempotentAnswer.objects.create(
        person_id=IdempotentAnswer.objects.count() + 1, key=data["words"], fingerprint=b"",
        started_at=now,
    )  # fmt: skip


def _noted() -> list[str]:
    return list(IdempotentAnswer.objects.order_by("id").values_list("key", flat=True))


@pytest.mark.django_db
def test_each_subscriber_of_the_topic_gets_an_event_once() -> None:
    heard: list[tuple[str, dict[str, Any], datetime]] = []
    outbox.subscribe("sum", "one", lambda data, now: heard.append(("one", data, now)))
    outbox.subscribe("sum", "two", lambda data, now: heard.append(("two", data, now)))
    outbox.subscribe("other", "three", lambda data, now: heard.append(("three", data, now)))
    _emit("a")

    assert outbox.deliver(now=NOON) == 2
    assert outbox.deliver(now=NOON) == 0

    assert heard == [("one", {"words": "a"}, NOON), ("two", {"words": "a"}, NOON)]


@pytest.mark.django_db
def test_the_same_key_is_the_same_event() -> None:
    outbox.subscribe("sum", "notes", _note)
    _emit("a")
    _emit("a")
    outbox.deliver(now=NOON)
    _emit("a")

    assert outbox.deliver(now=NOON) == 0

    assert _noted() == ["a"]


@pytest.mark.django_db
def test_an_event_of_a_transaction_that_is_undone_never_was() -> None:
    outbox.subscribe("sum", "notes", _note)

    with transaction.atomic():
        _emit("a")
        transaction.set_rollback(True)

    assert outbox.deliver(now=NOON) == 0
    assert not OutboxEvent.objects.exists()


@pytest.mark.django_db
def test_what_fails_is_undone_tried_again_ever_later_and_holds_up_nothing() -> None:
    broken = True

    def fail_at_first(data: dict[str, Any], now: datetime) -> None:
        _note(data, now)
        if data["words"] == "bad" and broken:
            raise ValueError("not yet")

    outbox.subscribe("sum", "notes", fail_at_first)
    for key in ("bad", "good", "better"):
        _emit(key)

    assert outbox.deliver(now=NOON) == 2
    assert _noted() == ["good", "better"]
    pauses = []
    now = NOON
    for _ in range(12):
        delivery = OutboxDelivery.objects.get(done_at=None)
        pauses.append(int((delivery.next_try_at - now).total_seconds()))
        assert outbox.deliver(now=delivery.next_try_at - timedelta(microseconds=1)) == 0
        now = delivery.next_try_at
        assert outbox.deliver(now=now) == 0
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    assert OutboxDelivery.objects.get(done_at=None).failure == "ValueError: not yet"
    broken = False
    assert outbox.deliver(now=now + timedelta(hours=1)) == 1

    assert _noted() == ["good", "better", "bad"]
    assert not OutboxDelivery.objects.exclude(failure="").exists()


@pytest.mark.django_db(transaction=True)
def test_a_process_that_dies_between_effect_and_mark_leaves_no_effect_and_the_next_has_it() -> None:
    deadly = True

    def die_once(data: dict[str, Any], now: datetime) -> None:
        _note(data, now)
        if deadly and data["words"] == "a":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    outbox.subscribe("sum", "notes", die_once)
    _emit("a")
    _emit("b")

    with pytest.raises(OperationalError):
        outbox.deliver(now=NOON)
    connection.close()
    # Its try was counted before it was made, so it does not stand before the others.
    assert outbox.deliver(now=NOON) == 1
    assert _noted() == ["b"]
    deadly = False
    assert outbox.deliver(now=NOON + timedelta(seconds=5)) == 1

    assert _noted() == ["b", "a"]
    assert outbox.deliver(now=NOON + timedelta(days=1)) == 0


@pytest.mark.django_db(transaction=True)
def test_two_that_deliver_at_the_same_time_share_the_work() -> None:
    barrier = threading.Barrier(2, timeout=30)
    lock, order = threading.Lock(), []

    def meet(data: dict[str, Any], now: datetime) -> None:
        # Each of the first two waits inside its transaction until the other is inside its own.
        if data["words"] in ("0", "1"):
            barrier.wait()
        with lock:
            order.append(data["words"])

    outbox.subscribe("sum", "notes", meet)
    for number in range(20):
        _emit(str(number))
    outbox._hand_out(NOON)
    done: list[int] = []

    def work() -> None:
        try:
            count = outbox.deliver(now=NOON)
        finally:
            connection.close()
        with lock:
            done.append(count)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(done) == 20
    assert sorted(order, key=int) == [str(number) for number in range(20)]
    assert not OutboxDelivery.objects.filter(done_at=None).exists()


@pytest.mark.django_db
def test_what_nobody_listens_to_waits_for_who_will() -> None:
    _emit("a")
    assert outbox.deliver(now=NOON) == 0
    assert outbox.waiting() == [outbox.Waiting("sum", "", 1, NOON)]

    outbox.subscribe("sum", "notes", _note)

    assert outbox.deliver(now=NOON) == 1
    assert outbox.waiting() == []


@pytest.mark.django_db
def test_what_a_subscriber_that_is_gone_did_not_get_holds_up_nothing_and_is_shown() -> None:
    event = OutboxEvent.objects.create(
        topic="sum", key="old", data={}, emitted_at=NOON, handed_out_at=NOON
    )
    OutboxDelivery.objects.create(event=event, name="gone", next_try_at=NOON)
    outbox.subscribe("sum", "notes", _note)
    _emit("a")

    assert outbox.deliver(now=NOON) == 1

    assert outbox.waiting() == [outbox.Waiting("sum", "gone", 1, NOON)]


@pytest.mark.django_db
def test_a_name_belongs_to_one_topic() -> None:
    outbox.subscribe("sum", "notes", _note)
    outbox.subscribe("sum", "notes", _note)

    with pytest.raises(ValueError, match="listens to sum"):
        outbox.subscribe("other", "notes", _note)


@pytest.mark.django_db
def test_old_events_are_forgotten_where_everybody_has_them() -> None:
    outbox.subscribe("sum", "notes", _note)
    _emit("told")
    outbox.deliver(now=NOON)
    outbox._subscribers.clear()
    _emit("unheard")
    event = OutboxEvent.objects.create(
        topic="sum", key="undone", data={}, emitted_at=NOON, handed_out_at=NOON
    )
    OutboxDelivery.objects.create(event=event, name="notes", next_try_at=NOON)

    assert outbox.forget_delivered(now=NOON + outbox.KEPT) == 0
    assert outbox.forget_delivered(now=NOON + outbox.KEPT + timedelta(seconds=1)) == 1

    assert set(OutboxEvent.objects.values_list("key", flat=True)) == {"unheard", "undone"}


@pytest.mark.django_db
def test_the_command_shows_what_waits_and_fails_and_retries_one() -> None:
    broken = True

    def fail(data: dict[str, Any], now: datetime) -> None:
        if broken:
            raise ValueError("not yet")

    outbox.subscribe("sum", "notes", fail)
    outbox.emit("unheard", {}, key="x", now=NOON)
    _emit("a")
    outbox.deliver(now=NOON)
    number = OutboxDelivery.objects.get().pk

    shown = _command()
    with pytest.raises(CommandError, match="is not done"):
        _command("--retry", str(number))
    broken = False
    retried = _command("--retry", str(number))

    assert shown.splitlines() == [
        "1 unheard: nobody listens yet, or the task has not run, since 2026-11-22T12:00:00Z",
        "1 sum: for notes, since 2026-11-22T12:00:00Z",
        f"FAILS  {number}  sum a for notes, 1 tries, next at 2026-11-22T12:00:05Z:"
        " ValueError: not yet",
    ]
    assert retried == f"Delivery {number} is done.\n"
    OutboxEvent.objects.filter(topic="unheard").delete()
    assert _command() == "Nothing waits.\n"


@pytest.mark.django_db
def test_the_tasks_deliver_and_forget() -> None:
    outbox.subscribe("sum", "notes", _note)
    _emit("a")

    tasks.deliver_events()
    tasks.forget_delivered_events()

    assert _noted() == ["a"]


def _command(*words: str) -> str:
    out = StringIO()
    call_command("outbox", *words, stdout=out)
    return out.getvalue()
