"""The topics a socket may subscribe to, offered here by the apps that own the data.

An app registers its kinds in ``AppConfig.ready()``; this module knows none of them. It refuses two
kinds with one pattern, and a topic that no pattern fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from apps.core.errors import NotFound

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

# What a placeholder of a pattern may stand for. It holds no dot, so that parts never run together.
_PART: Final = r"[A-Za-z0-9_-]{1,64}"
TOPIC_LENGTH_MAX: Final = 128

Match = dict[str, str]
Authorise = Callable[["AbstractBaseUser | None", Match], bool]
Snapshot = Callable[[Match], tuple[int, object]]


@dataclass(frozen=True)
class TopicKind:
    """One family of topics.

    ``pattern``: ``market.{symbol}.book``. ``authorise(user, match)`` says whether this person (None
    is nobody) may read it, or raises a ``DomainError``. ``snapshot(match)`` gives ``(seq, data)``;
    without it the snapshot is the one that the publisher stores. Both may use the database: they
    run in a thread. ``public`` means that the answer does not depend on who asks, so that it need
    not be asked again for a topic that is being followed. ``source`` names the publisher whose
    heartbeat must be fresh for the data to be believed.
    """

    pattern: str
    authorise: Authorise
    snapshot: Snapshot | None = None
    public: bool = False
    source: str = ""
    expression: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = re.split(r"\{(\w+)\}", self.pattern)
        expression = "".join(
            f"(?P<{part}>{_PART})" if index % 2 else re.escape(part)
            for index, part in enumerate(parts)
        )
        object.__setattr__(self, "expression", re.compile(expression))


_kinds: dict[str, TopicKind] = {}


def register(kind: TopicKind) -> None:
    """Offer a kind of topic. The same pattern twice is a mistake in the code."""
    if kind.pattern in _kinds:
        raise RuntimeError(f"The topic {kind.pattern} is registered twice.")
    _kinds[kind.pattern] = kind


def unregister(pattern: str) -> None:
    """Take a kind back; tests that offer their own do so."""
    del _kinds[pattern]


def resolve(topic: str) -> tuple[TopicKind, Match]:
    """Return the kind of a topic and what its placeholders stand for."""
    if len(topic) <= TOPIC_LENGTH_MAX:
        for kind in _kinds.values():
            found = kind.expression.fullmatch(topic)
            if found:
                return kind, found.groupdict()
    raise NotFound("unknown_topic", "There is no such topic.")


def anyone(user: AbstractBaseUser | None, match: Match) -> bool:
    """Authorise everybody, signed in or not."""
    return True
