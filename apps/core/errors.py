"""The one error that crosses layers: a stable code, words a person can act on, and its family.

The family says what kind of refusal it is; ``core.web`` alone knows which status that becomes.
"""

from __future__ import annotations


class DomainError(Exception):
    """A refusal. ``code`` is stable and for programs, ``message`` is for people."""

    def __init__(self, code: str, message: str, **data: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class Invalid(DomainError):
    """The request itself is wrong; the same request will never work."""


class NotSignedIn(DomainError):
    """It is not known, or not proven, who is asking."""


class NotAllowed(DomainError):
    """The request is understood, but this actor may not do it."""


class NotFound(DomainError):
    """There is no such thing, or not for this viewer: both look the same."""


class Conflict(DomainError):
    """It contradicts what has happened already."""


class Locked(DomainError):
    """Not yet: it becomes possible by waiting; ``data['until']`` says how long."""


class Refused(DomainError):
    """A well-formed request that the rules of the venue or the state of an account forbid."""


class TooLarge(DomainError):
    """More bytes than are taken, as they are or unpacked."""


class Unsupported(DomainError):
    """What was sent is not of a kind that is taken here."""


class TooMany(DomainError):
    """More than the limit; ``data['retry_after_seconds']`` says when to come back."""


class Unavailable(DomainError):
    """A part that is needed is down; ``data['retry_after_seconds']`` says when to come back."""


class Paused(Unavailable):
    """Closed on purpose for now. Nothing is broken, so nothing is noted in the log."""
