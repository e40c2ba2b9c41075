"""The topic of a person, ``user.{id}``: the newest notices and how many are unread.

A change is sent once it is committed. Each is numbered in the person's box, so that one that got
lost, or overtook another, shows as a gap, and the reader gets a snapshot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db import connection, transaction

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.core.realtime import topics
from apps.core.realtime.publish import publish
from apps.core.realtime.topics import Match, TopicKind
from apps.notifications.presentation import notice_json
from apps.notifications.queries import box_of, notices_of

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

PATTERN: Final = "user.{public_id}"
SNAPSHOT_NOTICES: Final = 20


def register() -> None:
    """Offer the topic; once, when the app is ready."""
    topics.register(TopicKind(PATTERN, authorise, snapshot))


def authorise(user: AbstractBaseUser | None, match: Match) -> bool:
    """Nobody but the person, and only by the id as it is written."""
    return isinstance(user, User) and str(user.public_id) == match["public_id"]


def snapshot(match: Match) -> tuple[int, object]:
    """Return the newest notices and the count of unread ones, as of one moment."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        person = User.objects.filter(public_id=match["public_id"]).first()
        if person is None:
            raise NotFound("unknown_person", "There is no such person.")
        box = box_of(viewer=person)
        newest = notices_of(viewer=person)[:SNAPSHOT_NOTICES]
        return box.seq, {
            "unread": box.unread,
            "notices": [notice_json(notice) for notice in newest],
        }


def tell_on_commit(person: User, seq: int, data: dict[str, Any]) -> None:
    """Send a change to whoever follows the person's topic, once it is committed."""
    topic = f"user.{person.public_id}"
    transaction.on_commit(lambda: publish(topic, seq, seq - 1, data))
