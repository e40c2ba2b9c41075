"""Writes of notices: telling somebody something, and noting that it was read.

``notify`` is the one way in. How a notice leaves is decided in ``_send`` and nowhere else: what
people choose for themselves has its place there, and so have further ways.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from apps.accounts import letters
from apps.accounts.models import User
from apps.core import clock
from apps.notifications import realtime
from apps.notifications.kinds import KINDS, plain
from apps.notifications.models import Notice, NoticeBox
from apps.notifications.presentation import notice_json
from apps.notifications.queries import notice_by_id, notices_of

NOTICES_PER_FORGETTING: Final = 10_000
LETTER_COLUMNS: Final = 78

# Locks the person's box, or makes it: changes of one person's notices come one after the other.
_TURN: Final = """
    INSERT INTO notifications_noticebox (person_id, seq, unread)
    VALUES (%(person)s, 1, greatest(%(unread)s, 0))
    ON CONFLICT (person_id) DO UPDATE SET seq = notifications_noticebox.seq + 1,
        unread = notifications_noticebox.unread + %(unread)s
    RETURNING seq, unread
"""


def notify(*, person: User, kind: str, data: Mapping[str, object], now: datetime) -> Notice:
    """Tell the person something; ``kind`` is one of ``kinds.KINDS``."""
    with transaction.atomic():
        seq, unread = _turn(person, +1)
        notice = Notice.objects.create(
            person=person,
            kind=kind,
            category=KINDS[kind].category.value,
            data=plain(data),
            created_at=now,
        )
        _send(notice)
        change = {"unread": unread, "notices": [notice_json(notice)]}
        realtime.tell_on_commit(person, seq, change)
    return notice


def hear(data: dict[str, Any], now: datetime) -> None:
    """Turn an event of the topic ``notice`` into a notice; of who is gone there is none."""
    person = User.objects.filter(pk=data["person_id"]).first()
    if person is not None and not person.is_deleted:
        notify(person=person, kind=data["kind"], data=data.get("data") or {}, now=now)


def mark_read(*, actor: User, notice_id: str | int, now: datetime) -> Notice:
    """Note that the actor has read a notice; the second time changes nothing."""
    with transaction.atomic():
        NoticeBox.objects.select_for_update().filter(person=actor).first()
        notice = notice_by_id(viewer=actor, notice_id=notice_id)
        if notice.read_at is None:
            notice.read_at = now
            notice.save(update_fields=["read_at"])
            seq, unread = _turn(actor, -1)
            change = {"unread": unread, "notices": [notice_json(notice)]}
            realtime.tell_on_commit(actor, seq, change)
    return notice


def mark_all_read(*, actor: User, up_to: str | int | None = None, now: datetime) -> int:
    """Note that the actor has read everything up to a notice, or everything; return how many.

    Who names the newest notice he has seen does not lose one that comes meanwhile.
    """
    with transaction.atomic():
        NoticeBox.objects.select_for_update().filter(person=actor).first()
        rows = notices_of(viewer=actor).filter(read_at=None)
        if up_to is not None:
            rows = rows.filter(pk__lte=notice_by_id(viewer=actor, notice_id=up_to).pk)
        newest = rows.first()
        if newest is None:
            return 0
        count = rows.update(read_at=now)
        seq, unread = _turn(actor, -count)
        read = {"up_to": str(newest.pk), "at": clock.iso(now)}
        realtime.tell_on_commit(actor, seq, {"unread": unread, "notices": [], "read": read})
    return count


def forget_old_notices(*, now: datetime) -> int:
    """Drop notices that were read long ago; return how many. Unread ones stay."""
    limit = now - timedelta(days=settings.NOTICES_KEPT_DAYS)
    old = Notice.objects.filter(read_at__lt=limit).order_by("read_at")
    ids = list(old.values_list("pk", flat=True)[:NOTICES_PER_FORGETTING])
    Notice.objects.filter(pk__in=ids).delete()
    return len(ids)


def _send(notice: Notice) -> None:
    """Have a notice leave by the ways of its kind.

    Notices about the safety of an account leave whatever anybody chooses.
    """
    kind = KINDS[notice.kind]
    if kind.by_letter:
        words = textwrap.fill(
            kind.text(notice.data), LETTER_COLUMNS, break_long_words=False, break_on_hyphens=False
        )
        letters.write(
            person=notice.person,
            subject=kind.title,
            text=f"Hello {notice.person},\n\n{words}\n",
            now=notice.created_at,
        )


def _turn(person: User, unread: int) -> tuple[int, int]:
    """Number a change of the person's notices; return its number and how many are unread now."""
    with connection.cursor() as cursor:
        cursor.execute(_TURN, {"person": person.pk, "unread": unread})
        seq, count = cursor.fetchone()
    return seq, count
