"""One request, one effect: keys, kept answers, work that was broken off."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from apps.core import idempotency
from apps.core.errors import Conflict, Invalid, Refused, Unavailable
from apps.core.models import IdempotentAnswer

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ASKED = idempotency.fingerprint("POST", "/orders", {"quantity": "1"})


class Work:
    """Counts how often it was done, and with which ids."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.ids: list[str] = []
        self.failure = failure

    def __call__(self, effect_id: str) -> tuple[int, Any]:
        self.ids.append(effect_id)
        if self.failure is not None:
            raise self.failure
        return 201, {"id": "7", "effect": effect_id}


def _run(work: Work, **changes: Any) -> idempotency.Answer:
    asked: dict[str, Any] = {"person_id": 1, "key": "k", "asked": ASKED, "now": NOON, **changes}
    return idempotency.run_once(work=work, **asked)


@pytest.mark.django_db
def test_the_second_time_gets_the_first_answer() -> None:
    work = Work()

    first, second = _run(work), _run(work)

    assert first == idempotency.Answer(201, {"id": "7", "effect": work.ids[0]}, replayed=False)
    assert second == idempotency.Answer(201, first.body, replayed=True)
    assert len(work.ids) == 1
    assert len(work.ids[0]) == 32


@pytest.mark.django_db
def test_another_body_under_the_same_key_is_refused() -> None:
    work = Work()
    _run(work)

    with pytest.raises(Conflict) as refusal:
        _run(work, asked=idempotency.fingerprint("POST", "/orders", {"quantity": "2"}))

    assert refusal.value.code == "idempotency_mismatch"
    assert len(work.ids) == 1


@pytest.mark.django_db
def test_a_key_belongs_to_one_person() -> None:
    work = Work()

    _run(work), _run(work, person_id=2)

    assert len(set(work.ids)) == 2


@pytest.mark.django_db
def test_a_refusal_is_an_answer_too() -> None:
    work = Work(Refused("insufficient_funds", "Too little.", available="1"))
    with pytest.raises(Refused):
        _run(work)

    again = _run(work)

    assert (again.status, again.replayed) == (422, True)
    assert again.body["code"] == "insufficient_funds"
    assert again.body["available"] == "1"
    assert len(work.ids) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "failure",
    [Unavailable("outcome_unknown", "No answer."), ZeroDivisionError(), KeyboardInterrupt()],
)
def test_what_has_no_outcome_may_be_tried_again_with_the_same_id(failure: BaseException) -> None:
    broken, work = Work(failure), Work()
    with pytest.raises(type(failure)):
        _run(broken)

    answer = _run(work, now=NOON + timedelta(seconds=1))

    assert answer.status == 201
    assert work.ids == broken.ids


@pytest.mark.django_db
def test_while_it_is_worked_on_others_are_told_so() -> None:
    inner = Work()

    def work(effect_id: str) -> tuple[int, Any]:
        with pytest.raises(Conflict) as refusal:
            _run(inner, now=NOON + timedelta(seconds=29))
        assert refusal.value.code == "in_progress"
        return 201, {}

    idempotency.run_once(person_id=1, key="k", asked=ASKED, now=NOON, work=work)

    assert inner.ids == []


@pytest.mark.django_db
def test_work_whose_process_died_is_taken_over_with_the_same_id() -> None:
    ids: list[str] = []

    def dying(effect_id: str) -> tuple[int, Any]:
        ids.append(effect_id)
        taken = _run(work, now=NOON + timedelta(seconds=31))
        assert taken.status == 201
        return 201, {"late": True}

    work = Work()
    idempotency.run_once(person_id=1, key="k", asked=ASKED, now=NOON, work=dying)

    assert work.ids == ids


@pytest.mark.django_db
def test_after_a_day_a_key_is_new() -> None:
    work = Work()
    _run(work)

    _run(work, now=NOON + timedelta(hours=24, seconds=1), asked=b"x" * 32)

    assert len(set(work.ids)) == 2
    assert idempotency.forget_old_answers(now=NOON + timedelta(days=3)) == 1
    assert not IdempotentAnswer.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", "a\n", "a\x00"])
def test_what_cannot_be_a_key_is_refused(key: str) -> None:
    with pytest.raises(Invalid) as refusal:
        idempotency.check_key(key)

    assert refusal.value.code == "invalid_idempotency_key"


@pytest.mark.parametrize("key", ["x", "x" * 255, "0f8fad5b-d9cb-469f-a165-70867728950e", "!~"])
def test_what_can_be_a_key_is_taken(key: str) -> None:
    assert idempotency.check_key(key) == key


def test_the_order_of_names_in_a_body_does_not_matter_and_all_else_does() -> None:
    def print_of(method: str, path: str, body: Any) -> bytes:
        return idempotency.fingerprint(method, path, body)

    same = print_of("POST", "/a", {"x": "1", "y": "2"})
    assert same == print_of("POST", "/a", {"y": "2", "x": "1"})
    assert same != print_of("POST", "/b", {"x": "1", "y": "2"})
    assert same != print_of("DELETE", "/a", {"x": "1", "y": "2"})
    assert same != print_of("POST", "/a", {"x": 1, "y": "2"})


@pytest.mark.django_db(transaction=True)
def test_thirty_at_once_have_one_effect() -> None:
    work = Work()
    barrier = threading.Barrier(30)
    outcomes: Counter[str] = Counter()
    lock = threading.Lock()

    def ask() -> None:
        barrier.wait()
        try:
            answer = _run(work)
            outcome = str(answer.body)
        except Conflict as refusal:
            outcome = refusal.code
        finally:
            connection.close()
        with lock:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(work.ids) == 1
    assert sum(outcomes.values()) == 30
    assert set(outcomes) <= {"in_progress", str({"id": "7", "effect": work.ids[0]})}
