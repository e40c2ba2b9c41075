"""What is sent many times at once has one effect: copies of data, deletions, connections."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connections

from apps.accounts.models import DataExport, Deletion
from apps.accounts.personal import actions, deleting
from apps.accounts.social.actions import connect, disconnect
from apps.core import clock
from apps.core.errors import DomainError
from apps.core.models import OutboxEvent
from tests.factories import person

COUNT = 8


def _at_once(run: Callable[[], Any]) -> Counter[Any]:
    """What came of it, as often as it did."""
    outcomes: Counter[Any] = Counter()
    guard, start = threading.Lock(), threading.Barrier(COUNT)

    def work() -> None:
        start.wait()
        try:
            outcome = run()
        except DomainError as refusal:
            outcome = refusal.code
        finally:
            connections.close_all()
        with guard:
            outcomes[outcome] += 1

    threads = [threading.Thread(target=work) for _ in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def _told(kind: str) -> int:
    return OutboxEvent.objects.filter(topic="notice", data__kind=kind).count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("engine_gateway")
def test_sent_eight_times_at_once_it_happens_once(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "private": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }
    settings.SOCIAL_APPS = [
        {"provider": "openid_connect", "provider_id": name, "name": name, "settings": {}}
        for name in ("one", "two")
    ]
    ada, now = person("ada@example.com"), clock.now()
    ada.set_unusable_password()
    ada.save()

    def add(site_id: str) -> bool:
        return connect(
            actor=ada, site_id=site_id, uid="1", known_as="ada", proved_at=now, now=clock.now()
        )

    assert _at_once(lambda: add("one")) == {True: 1, False: COUNT - 1}
    add("two")
    ids = list(SocialAccount.objects.order_by("pk").values_list("pk", flat=True))
    turns = iter(ids * COUNT)
    gone = _at_once(
        lambda: disconnect(actor=ada, connection_id=next(turns), proved_at=now, now=now)
    )
    assert gone[None] == 1
    assert set(gone) <= {None, "only_way_in", "not_found"}
    assert SocialAccount.objects.filter(user=ada).count() == 1

    def ask() -> str:
        return actions.ask_for_export(actor=ada, proved_at=now, now=now).state

    assert _at_once(ask) == {"waiting": 1, "export_too_soon": COUNT - 1}
    assert _at_once(lambda: actions.make_exports(now=now)) == {1: 1, 0: COUNT - 1}
    assert DataExport.objects.get().state == "ready"
    assert len(list((tmp_path / "exports").iterdir())) == 1

    def want() -> str:
        deleting.ask_for_deletion(actor=ada, confirmation="ada@example.com", proved_at=now, now=now)
        return "asked"

    assert _at_once(want) == {"asked": 1, "deletion_asked": COUNT - 1}
    due = Deletion.objects.get().due_at
    assert _at_once(lambda: deleting.delete_people(now=due)) == {0: COUNT}
    later = due + timedelta(minutes=11)
    assert _at_once(lambda: deleting.delete_people(now=later)) == {1: 1, 0: COUNT - 1}
    kinds = ("connection_added", "connection_removed", "export_asked", "export_ready",
             "deletion_asked")  # fmt: skip
    assert [_told(kind) for kind in kinds] == [2, 1, 1, 1, 1]
