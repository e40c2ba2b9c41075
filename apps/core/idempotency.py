"""Carries out a request that has an Idempotency-Key once, and repeats its answer afterwards.

A key belongs to one person and one request: the same key with another body is refused. The answer
is kept for a day. Work that was broken off, or whose outcome is not known, may be tried again with
the same key; that this cannot double anything is the duty of the work itself, which gets an id
(``effect_id``) that stays the same over all tries with the key.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from apps.core.errors import Conflict, DomainError, Invalid, TooMany, Unavailable
from apps.core.models import IdempotentAnswer
from apps.core.web import describe

KEPT: Final = timedelta(hours=24)
# Longer than any request may run: whoever has not finished by then is gone.
BROKEN_OFF_AFTER: Final = timedelta(seconds=30)
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)

# Gets the id that stays the same over all tries; returns status and body.
Work = Callable[[str], tuple[int, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    replayed: bool


def check_key(key: str) -> str:
    """Return the key where it can be one."""
    if not _KEY.fullmatch(key):
        raise Invalid(
            "invalid_idempotency_key",
            "An Idempotency-Key has 1 to 255 printable ASCII characters without spaces.",
        )
    return key


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """Return what tells one request from another: method, path and parsed body."""
    text = json.dumps([method, path, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def run_once(*, person_id: int, key: str, asked: bytes, now: datetime, work: Work) -> Answer:
    """Do the work, or give the answer that the same request got before.

    A refusal is an answer and is kept; being too busy or unavailable is none. The database calls
    each commit at once: the row must be there for others while the work runs.
    """
    claim = _claim(person_id, key, asked, now)
    if claim is None:
        return _kept_answer(person_id, key, asked)
    effect_id = hashlib.sha256(f"{claim}\n{person_id}\n{key}".encode()).hexdigest()[:32]
    try:
        status, body = work(effect_id)
    except (TooMany, Unavailable):
        _release(person_id, key, now)
        raise
    except DomainError as refusal:
        problem = describe(refusal)
        _finish(person_id, key, problem.status, problem.body())
        raise
    except BaseException:
        _release(person_id, key, now)
        raise
    _finish(person_id, key, status, body)
    return Answer(status, body, replayed=False)


def forget_old_answers(*, now: datetime) -> int:
    """Drop the answers that are older than a day; return how many."""
    return IdempotentAnswer.objects.filter(started_at__lt=now - KEPT).delete()[0]


def _claim(person_id: int, key: str, asked: bytes, now: datetime) -> int | None:
    """Claim the key and return the row's id; None where it is another's, or answered already."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM core_idempotentanswer
            WHERE person_id = %s AND key = %s AND started_at < %s
            """,
            [person_id, key, now - KEPT],
        )
        cursor.execute(
            """
            INSERT INTO core_idempotentanswer (person_id, key, fingerprint, started_at, body)
            VALUES (%(person)s, %(key)s, %(asked)s, %(now)s, '')
            ON CONFLICT (person_id, key) DO UPDATE SET started_at = %(now)s
                WHERE core_idempotentanswer.status IS NULL
                    AND core_idempotentanswer.fingerprint = %(asked)s
                    AND core_idempotentanswer.started_at < %(broken_off)s
            RETURNING id
            """,
            {
                "person": person_id, "key": key, "asked": asked, "now": now,
                "broken_off": now - BROKEN_OFF_AFTER,
            },
        )  # fmt: skip
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _kept_answer(person_id: int, key: str, asked: bytes) -> Answer:
    row = IdempotentAnswer.objects.filter(person_id=person_id, key=key).first()
    if row is not None and bytes(row.fingerprint) != asked:
        raise Conflict("idempotency_mismatch", "This Idempotency-Key was used for another request.")
    if row is None or row.status is None:
        raise Conflict("in_progress", "The same request is being worked on.", retry_after_seconds=1)
    return Answer(row.status, json.loads(row.body), replayed=True)


def _finish(person_id: int, key: str, status: int, body: Any) -> None:
    text = json.dumps(body, separators=(",", ":"))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE core_idempotentanswer SET status = %s, body = %s
            WHERE person_id = %s AND key = %s
            """,
            [status, text, person_id, key],
        )


def _release(person_id: int, key: str, now: datetime) -> None:
    """Let the next try take over at once, unless one has done so already."""
    IdempotentAnswer.objects.filter(
        person_id=person_id, key=key, status=None, started_at=now
    ).update(started_at=now - BROKEN_OFF_AFTER - timedelta(seconds=1))
