"""Letters: written with what they tell about, sent later, and tried again when they were not."""

from __future__ import annotations

from datetime import datetime, timedelta
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.db import transaction

from apps.accounts import letters, notices
from apps.accounts.models import Letter, User
from apps.core import clock, outbox
from apps.matching import failpoints
from tests.factories import person

pytestmark = pytest.mark.django_db


def test_a_letter_is_sent_once() -> None:
    ada = person("ada@example.com", display_name="Ada")
    ada.wrong_passwords = 100
    notices.tell_of_locked_password(user=ada, now=clock.now())

    assert outbox.deliver(now=clock.now()) == 1
    assert letters.send_letters(now=clock.now()) == 1
    assert letters.send_letters(now=clock.now()) == 0

    (message,) = mail.outbox
    assert message.to == ["ada@example.com"]
    assert message.subject == "SUM+1: Too many wrong passwords"
    assert message.body.startswith("Hello Ada,\n\nSomebody has tried 100 wrong passwords")


def test_a_letter_that_the_mail_server_refuses_waits_and_keeps_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ada, bob = person("ada@example.com"), person("bob@example.com")
    for each in (ada, bob):
        _write_to(each)
    sent: list[str] = []

    def send(subject: str, text: str, sender: None, to: list[str]) -> None:
        if to == ["ada@example.com"]:
            raise SMTPRecipientsRefused({"ada@example.com": (550, b"no such box")})
        sent.extend(to)

    monkeypatch.setattr(letters, "send_mail", send)

    assert letters.send_letters(now=clock.now()) == 1

    assert sent == ["bob@example.com"]
    assert Letter.objects.values_list("person__email", "tries").get() == ("ada@example.com", 1)
    assert "ada@example.com" not in caplog.text


def test_old_news_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    ada: Any = person("ada@example.com")
    _write_to(ada, clock.now() - timedelta(days=2, seconds=1))

    assert letters.send_letters(now=clock.now()) == 0

    assert mail.outbox == []
    assert not Letter.objects.exists()


def test_a_process_that_dies_between_mail_server_and_table_sends_one_letter_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ada", "bob", "cyd"):
        reader = person(f"{name}@example.com")
        _write_to(reader)

    def die_with_the_second(place: str) -> None:
        if place == failpoints.LETTER_SENT and len(mail.outbox) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "reach", die_with_the_second)
        with pytest.raises(KeyboardInterrupt):
            letters.send_letters(now=clock.now())
    assert letters.send_letters(now=clock.now()) == 2

    assert [message.to[0] for message in mail.outbox] == [
        "ada@example.com", "bob@example.com", "bob@example.com", "cyd@example.com",
    ]  # fmt: skip


def test_a_letter_is_written_with_what_it_tells_about_or_not_at_all() -> None:
    ada = person("ada@example.com")

    with transaction.atomic():
        notices.tell_of_locked_password(user=ada, now=clock.now())
        transaction.set_rollback(True)

    assert outbox.deliver(now=clock.now()) == 0
    assert letters.send_letters(now=clock.now()) == 0


def _write_to(reader: User, now: datetime | None = None) -> None:
    letters.write(person=reader, subject="News", text="Some.\n", now=now or clock.now())
