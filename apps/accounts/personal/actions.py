"""Writes of copies of a person's data: asking for one, making it, reading it, forgetting it."""

from __future__ import annotations

import logging
import math
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts import notices, security, step_up
from apps.accounts.models import User
from apps.accounts.personal import files
from apps.accounts.personal.archive import write_archive
from apps.accounts.personal.models import DataExport
from apps.accounts.personal.queries import export_of, next_export_at
from apps.core.errors import NotFound, TooMany

logger = logging.getLogger(__name__)

EXPORT_KEPT: Final = timedelta(days=7)
TRIES_MAX: Final = 3
# Longer than the longest history takes: who has not finished by then has died.
TRY_AGAIN_AFTER: Final = timedelta(minutes=15)
_State: Final = DataExport.State


def ask_for_export(*, actor: User, proved_at: datetime | None, now: datetime) -> DataExport:
    """Have a copy made of everything that is held about the actor, at most once a day."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    with transaction.atomic():
        # Of two who ask at once, the second sees what the first has asked for.
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        possible_at = next_export_at(viewer=actor, now=now)
        if possible_at > now:
            raise TooMany(
                "export_too_soon",
                "You have asked for a copy already. One a day is possible.",
                retry_after_seconds=math.ceil((possible_at - now).total_seconds()),
            )
        export = DataExport.objects.create(person=actor, asked_at=now)
        security.tell(person=actor, kind="export_asked", now=now)
    return export


def make_exports(*, now: datetime) -> int:
    """Make the copies that wait, and return how many. Several may do so at the same time."""
    made = 0
    while (export := _claim(now)) is not None:
        made += _make(export, now)
    return made


def open_export(
    *, actor: User, export_id: uuid.UUID, proved_at: datetime | None, now: datetime
) -> tuple[DataExport, Iterator[bytes]]:
    """Return a copy of the actor's, and what is in it."""
    step_up.require_fresh(person=actor, proved_at=proved_at, now=now)
    export = export_of(viewer=actor, export_id=export_id)
    is_there = export.state == _State.READY and export.ends_at is not None and export.ends_at > now
    if not is_there or export.key is None:
        raise _gone()
    try:
        pieces = files.read(export.file, bytes(export.key), export_id=export.pk, person_id=actor.pk)
    except files.Unreadable:
        logger.critical("The copy of data %s cannot be read from the storage.", export.pk)
        raise _gone() from None
    return export, pieces


def forget_exports(*, now: datetime) -> int:
    """Drop the copies whose time is over; return how many."""
    return _forget(DataExport.objects.filter(state=_State.READY, ends_at__lte=now))


def forget_exports_of(*, person: User) -> int:
    """Drop every copy of a person's data, whoever wanted it; return how many."""
    DataExport.objects.filter(person=person, state=_State.WAITING).update(state=_State.FAILED)
    return _forget(DataExport.objects.filter(person=person, state=_State.READY))


def _claim(now: datetime) -> DataExport | None:
    """Count a try before it is made, so that one that kills the process is not made for ever."""
    with transaction.atomic():
        waiting = DataExport.objects.select_for_update(skip_locked=True, of=("self",))
        free = Q(tried_at=None) | Q(tried_at__lt=now - TRY_AGAIN_AFTER)
        export = (
            waiting.filter(free, state=_State.WAITING, person__is_active=True)
            .select_related("person")
            .order_by("asked_at")
            .first()
        )
        if export is None:
            return None
        export.tries, export.tried_at = export.tries + 1, now
        export.save(update_fields=["tries", "tried_at"])
    return export


def _make(export: DataExport, now: datetime) -> bool:
    if export.tries > TRIES_MAX:
        # Each try has killed its process.
        _give_up(export, now)
        return False
    try:
        kept = files.put(
            partial(write_archive, person=export.person, now=now),
            export_id=export.pk,
            person_id=export.person_id,
        )
    except Exception:
        # Whatever it is, it must not keep the others waiting; it is tried again, and then given up.
        logger.exception("The copy of data %s could not be made.", export.pk)
        if export.tries >= TRIES_MAX:
            _give_up(export, now)
        return False
    with transaction.atomic():
        mine = DataExport.objects.filter(pk=export.pk, state=_State.WAITING, tries=export.tries)
        is_made = mine.update(
            state=_State.READY, ready_at=now, ends_at=now + EXPORT_KEPT, file=kept.name,
            key=kept.key, size_bytes=kept.size_bytes,
        )  # fmt: skip
        if is_made:
            until = f"{now + EXPORT_KEPT:%Y-%m-%d %H:%M}"
            _tell(export, "export_ready", now, until=until)
    if not is_made:
        # Somebody else has made it meanwhile, or its person is gone.
        files.remove(kept.name)
    return bool(is_made)


def _give_up(export: DataExport, now: datetime) -> None:
    with transaction.atomic():
        mine = DataExport.objects.filter(pk=export.pk, state=_State.WAITING)
        if mine.update(state=_State.FAILED):
            _tell(export, "export_failed", now)


def _tell(export: DataExport, kind: str, now: datetime, **data: str) -> None:
    notices.tell(person_id=export.person_id, kind=kind, data=data, key=str(export.pk), now=now)


def _forget(rows: QuerySet[DataExport]) -> int:
    count = 0
    for export in rows.order_by("ends_at"):
        # The file goes first: what dies in between is found again, and without the key is nothing.
        files.remove(export.file)
        count += DataExport.objects.filter(pk=export.pk, state=_State.READY).update(
            state=_State.GONE, key=None, file=""
        )
    return count


def _gone() -> NotFound:
    return NotFound("export_not_found", "There is no such copy of your data, or no longer.")
