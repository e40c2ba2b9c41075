"""What people are told about the safety of their account.

It goes up through the outbox, in the transaction of what it tells about: the app of notices makes
a notice and a letter of it, and no request waits for either.
"""

from __future__ import annotations

from datetime import datetime

from apps.accounts.models import SignIn, User
from apps.core import clock, outbox


def tell(*, person_id: int, kind: str, data: dict[str, str], key: str, now: datetime) -> None:
    """Have a person told; with a key that was there before, nothing is done."""
    notice = {"person_id": person_id, "kind": kind, "data": data}
    outbox.emit("notice", notice, key=f"{kind}:{key}", now=now)


def tell_of_stolen_sign_in(*, sign_in: SignIn, now: datetime) -> None:
    """Say that a refresh token came back after its use, and that its sign-in is over."""
    data = {
        "client": sign_in.client or "an app",
        "since": f"{sign_in.created_at:%Y-%m-%d %H:%M}",
    }
    tell(person_id=sign_in.user_id, kind="sign_in_stolen", data=data, key=str(sign_in.pk), now=now)


def tell_of_locked_password(*, user: User, now: datetime) -> None:
    """Say that the password is of no use any more."""
    data = {"tries": str(user.wrong_passwords)}
    key = f"{user.pk}:{clock.iso(now)}"
    tell(person_id=user.pk, kind="password_locked", data=data, key=key, now=now)
