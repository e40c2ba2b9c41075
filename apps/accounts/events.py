"""What the apps above want to know of people; they register in ``AppConfig.ready()``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from apps.core.errors import Unavailable

if TYPE_CHECKING:
    from apps.accounts.models import User

logger = logging.getLogger(__name__)

Welcome = Callable[["User", datetime], None]

_welcomes: list[Welcome] = []


def on_person_arrived(welcome: Welcome) -> None:
    """Have this called when a person has signed up and at each sign-in; it must be idempotent."""
    if welcome not in _welcomes:
        _welcomes.append(welcome)


def person_arrived(user: User, now: datetime) -> None:
    """Tell the apps above. A part that is down keeps nobody out: it is tried again next time."""
    for welcome in _welcomes:
        try:
            welcome(user, now)
        except Unavailable as failure:
            logger.warning("Person %s is not set up yet: %s", user.pk, failure.code)
