"""Notices: told once, counted, read by their person only, and live."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import redis
from django.contrib.auth.models import AnonymousUser
from django.core import mail

from apps.accounts import letters
from apps.accounts.models import Letter, User
from apps.core import outbox
from apps.core.errors import Invalid, NotFound
from apps.core.realtime import publish, topics
from apps.notifications import actions, queries, realtime
from apps.notifications.kinds import KINDS, Category, plain
from apps.notifications.models import Notice, NoticeBox
from apps.notifications.presentation import notice_json
from tests.factories import person

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
Commits = Callable[..., AbstractContextManager[list[Any]]]


@pytest.fixture
def ada() -> User:
    return person("ada@example.com", display_name="Ada")


@pytest.fixture
def bob() -> User:
    return person("bob@example.com", display_name="Bob")


def _tell(who: User, kind: str = "deposit_seen", **data: str) -> Notice:
    return actions.notify(person=who, kind=kind, data=data, now=NOON)


def test_an_event_becomes_one_notice_and_one_letter(ada: User) -> None:
    event = {"person_id": ada.pk, "kind": "password_changed", "data": {}}
    outbox.emit("notice", event, key="password_changed:1", now=NOON)
    outbox.emit("notice", event, key="password_changed:1", now=NOON)

    assert outbox.deliver(now=NOON) == 1

    notice = Notice.objects.get()
    assert (notice.person, notice.category, notice.created_at) == (ada, "security", NOON)
    assert queries.unread_count(viewer=ada) == 1
    letters.send_letters(now=NOON)
    (message,) = mail.outbox
    assert (message.to, message.subject) == (
        ["ada@example.com"], "SUM+1: Your password was changed",
    )  # fmt: skip
    assert message.body == (
        "Hello Ada,\n\n"
        "All other sign-ins have ended. If this was not you, freeze your account and\n"
        "choose a new password now.\n"
    )


def test_of_a_person_who_is_gone_there_is_no_notice(ada: User) -> None:
    event = {"person_id": ada.pk + 1, "kind": "password_changed", "data": {}}
    outbox.emit("notice", event, key="a", now=NOON)

    assert outbox.deliver(now=NOON) == 1

    assert not Notice.objects.exists()


def test_an_unknown_kind_stays_in_the_outbox_and_keeps_nobody(ada: User) -> None:
    for kind in ("no_such_kind", "deposit_seen"):
        event: dict[str, object] = {"person_id": ada.pk, "kind": kind, "data": {}}
        outbox.emit("notice", event, key=kind, now=NOON)

    assert outbox.deliver(now=NOON) == 1

    assert Notice.objects.get().kind == "deposit_seen"
    assert outbox.failing().get().failure == "KeyError: 'no_such_kind'"
    assert NoticeBox.objects.get().unread == 1


def test_words_are_sentences_of_the_data_that_is_there(ada: User) -> None:
    whole = _tell(ada, "deposit_credited", amount="0.5", asset="BTC", txid="ab12")
    part = _tell(ada, "deposit_credited", amount="0.5", asset="BTC")

    assert notice_json(whole)["text"] == "0.5 BTC are in your account. Transaction: ab12."
    assert notice_json(part)["text"] == "0.5 BTC are in your account."


def test_what_strangers_wrote_is_one_short_line_and_no_template() -> None:
    data = plain({"client": "x\r\nBcc: all@example.com {left} " + "y" * 300, "left": 7})

    assert "\n" not in data["client"]
    assert len(data["client"]) <= 200
    text = KINDS["sign_in_new_device"].text(data)
    assert "It calls itself x  Bcc: all@example.com {left} yyy" in text


def test_every_kind_has_words_without_data_and_security_always_leaves_by_letter() -> None:
    for name, kind in KINDS.items():
        assert kind.title, name
        if kind.category is Category.SECURITY:
            assert kind.by_letter, name
    assert {name for name, kind in KINDS.items() if not kind.by_letter} == {"deposit_seen"}


def test_reading_counts_once(ada: User) -> None:
    first, second = _tell(ada), _tell(ada)

    read = actions.mark_read(actor=ada, notice_id=first.pk, now=NOON)
    again = actions.mark_read(actor=ada, notice_id=first.pk, now=NOON + timedelta(hours=1))

    assert read.read_at == again.read_at == NOON
    assert queries.unread_count(viewer=ada) == 1
    assert list(queries.notices_page(viewer=ada, limit=9, unread=True).items) == [second]


def test_reading_all_stops_at_what_was_seen(ada: User, bob: User) -> None:
    seen = [_tell(ada) for _ in range(3)]
    newer, theirs = _tell(ada), _tell(bob)

    assert actions.mark_all_read(actor=ada, up_to=seen[-1].pk, now=NOON) == 3
    assert actions.mark_all_read(actor=ada, up_to=seen[-1].pk, now=NOON) == 0

    assert queries.unread_count(viewer=ada) == 1
    assert set(Notice.objects.filter(read_at=None)) == {newer, theirs}
    assert actions.mark_all_read(actor=ada, now=NOON) == 1
    assert (queries.unread_count(viewer=ada), queries.unread_count(viewer=bob)) == (0, 1)


def test_anothers_notice_is_as_good_as_none(ada: User, bob: User) -> None:
    theirs = _tell(bob)

    for notice_id in (theirs.pk, theirs.pk + 1, "x", "-1", "٣", "9" * 30):
        with pytest.raises(NotFound) as refusal:
            actions.mark_read(actor=ada, notice_id=notice_id, now=NOON)
        assert refusal.value.code == "notice_not_found"
    with pytest.raises(NotFound):
        actions.mark_all_read(actor=ada, up_to=theirs.pk, now=NOON)

    assert queries.unread_count(viewer=bob) == 1
    assert list(queries.notices_of(viewer=ada)) == []


def test_pages_go_on_where_the_last_one_ended(ada: User) -> None:
    told = [_tell(ada) for _ in range(5)]

    first = queries.notices_page(viewer=ada, limit=2)
    second = queries.notices_page(viewer=ada, limit=2, before=first.next)
    last = queries.notices_page(viewer=ada, limit=2, before=second.next)

    assert [*first.items, *second.items, *last.items] == told[::-1]
    assert last.next is None
    with pytest.raises(Invalid):
        queries.notices_page(viewer=ada, limit=2, before="x")


def test_what_was_read_long_ago_is_dropped(ada: User, settings: Any) -> None:
    settings.NOTICES_KEPT_DAYS = 30
    read, unread, fresh = _tell(ada), _tell(ada), _tell(ada)
    actions.mark_read(actor=ada, notice_id=read.pk, now=NOON)
    actions.mark_read(actor=ada, notice_id=fresh.pk, now=NOON + timedelta(seconds=2))

    assert actions.forget_old_notices(now=NOON + timedelta(days=30)) == 0
    assert actions.forget_old_notices(now=NOON + timedelta(days=30, seconds=1)) == 1

    assert set(Notice.objects.all()) == {unread, fresh}
    assert queries.unread_count(viewer=ada) == 1


def test_only_the_person_may_follow_the_topic(ada: User, bob: User) -> None:
    kind, match = topics.resolve(f"user.{ada.public_id}")

    assert kind.authorise(ada, match)
    assert not kind.authorise(bob, match)
    assert not kind.authorise(None, match)
    assert not kind.authorise(AnonymousUser(), match)  # type: ignore[arg-type]
    assert not kind.authorise(ada, {"public_id": str(ada.public_id).upper()})


def test_snapshot_and_deltas_are_the_later_snapshot(
    ada: User, bob: User, valkey: redis.Redis, django_capture_on_commit_callbacks: Commits
) -> None:
    match = {"public_id": str(ada.public_id)}
    pubsub = valkey.pubsub()
    pubsub.subscribe(publish.channel(f"user.{ada.public_id}"))
    assert pubsub.get_message(timeout=2)["type"] == "subscribe"
    seq, state = realtime.snapshot(match)
    assert (seq, state) == (0, {"unread": 0, "notices": []})

    with django_capture_on_commit_callbacks(execute=True):
        told = [_tell(ada, "deposit_seen", amount=str(n), asset="BTC") for n in range(4)]
        _tell(bob)
        actions.mark_read(actor=ada, notice_id=told[2].pk, now=NOON)
        actions.mark_all_read(actor=ada, up_to=told[1].pk, now=NOON)

    for _ in range(6):
        message = orjson.loads(pubsub.get_message(timeout=2)["data"])
        assert (message["prev"], message["seq"]) == (seq, seq + 1)
        seq, state = message["seq"], _fold(state, message["data"])
    assert pubsub.get_message(timeout=0.1) is None
    assert (seq, state) == realtime.snapshot(match)
    assert state["unread"] == 1
    pubsub.close()


def test_nothing_is_sent_of_what_is_undone(
    ada: User, django_capture_on_commit_callbacks: Commits
) -> None:
    with django_capture_on_commit_callbacks() as callbacks, pytest.raises(KeyError):
        actions.notify(person=ada, kind="no_such_kind", data={}, now=NOON)

    assert callbacks == []
    assert not Letter.objects.exists()


def _fold(state: Any, data: Any) -> dict[str, Any]:
    """Do what a reader of the topic does with a delta."""
    rows = {row["id"]: row for row in [*state["notices"], *data["notices"]]}
    if read := data.get("read"):
        for row in rows.values():
            if row["read_at"] is None and int(row["id"]) <= int(read["up_to"]):
                row["read_at"] = read["at"]
    newest = sorted(rows.values(), key=lambda row: -int(row["id"]))
    return {"unread": data["unread"], "notices": newest[: realtime.SNAPSHOT_NOTICES]}
