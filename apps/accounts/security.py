"""What people are told about the safety of their account, and when it last changed.

Everything that changes how somebody gets in passes through ``changed``: withdrawals and the like
wait for a day after it.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from apps.accounts.models import User
from apps.core import outbox


def changed(*, person: User, kind: str, now: datetime, **data: str) -> None:
    """Note a change of the person's security, and tell them; in the caller's transaction."""
    User.objects.filter(pk=person.pk).update(security_changed_at=now)
    person.security_changed_at = now
    tell(person=person, kind=kind, now=now, **data)


def tell(*, person: User, kind: str, now: datetime, **data: str) -> None:
    """Tell the person something about the safety of their account."""
    event = {"person_id": person.pk, "kind": kind, "data": data}
    outbox.emit("notice", event, key=f"{kind}:{uuid.uuid4()}", now=now)
