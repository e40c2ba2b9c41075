"""Which passwords are good enough: NIST SP 800-63B-4. Length and a list of bad ones, nothing else.

Fifteen characters where the password stands alone, eight beside a second factor; every character
of Unicode counts, no kind of character is asked for, and none is refused.
"""

from __future__ import annotations

import gzip
import unicodedata
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

if TYPE_CHECKING:
    from apps.accounts.models import User

LENGTH_ALONE: Final = 15
LENGTH_BESIDE_A_FACTOR: Final = 8
LENGTH_MAX: Final = 1024
# What people make of our own name; a word of the person's own is as easy to guess.
_OUR_WORDS: Final = ("sum1", "sumplusone", "sum+1")
_WORD_LENGTH_MIN: Final = 4
# What people put around a bad password to make it longer.
_PADDING: Final = "0123456789!?.,*#@$%&+-_ "


def plain(password: str) -> str:
    """Return the one form of what looks the same on a keyboard: Unicode's NFKC."""
    return unicodedata.normalize("NFKC", password)


def is_short(password: str) -> bool:
    """Say whether the password is good enough beside a second factor only."""
    return len(plain(password)) < LENGTH_ALONE


def check(password: str, *, person: User | None, has_second_factor: bool) -> None:
    """Refuse a password that is too short, too long, or among the first that are guessed."""
    text = plain(password)
    least = LENGTH_BESIDE_A_FACTOR if has_second_factor else LENGTH_ALONE
    if len(text) < least:
        raise ValidationError(
            f"This password is too short. Use at least {least} characters; a few plain words "
            "are fine.",
            code="password_too_short",
        )
    if len(text) > LENGTH_MAX:
        raise ValidationError(f"Use at most {LENGTH_MAX} characters.", code="password_too_long")
    if _is_blocked(text, person):
        raise ValidationError(
            "This password is among the first that somebody would try. Use another one.",
            code="password_blocked",
        )


def _is_blocked(text: str, person: User | None) -> bool:
    folded = text.casefold()
    if len(set(folded)) < 4 or folded in _common() or _is_pattern(folded):
        return True
    core = folded.strip(_PADDING)
    own = [*_OUR_WORDS, *(_words_of(person) if person is not None else ())]
    # A bad password is none the better for digits around it, nor a name for being written twice.
    return core in _common() or any(_is_mostly(core, word) for word in own)


def _is_pattern(text: str) -> bool:
    """Say whether it is one short piece, again and again, or counts up or down."""
    steps = {(ord(after) - ord(before)) % 10 for before, after in pairwise(text)}
    counts = text.isdecimal() and steps in ({1}, {9})
    return counts or text in (text + text)[1:-1]


def _is_mostly(text: str, word: str) -> bool:
    rest = text.replace(word, "").strip(_PADDING)
    return word in text and len(rest) < _WORD_LENGTH_MIN


def _words_of(person: User) -> list[str]:
    name, _, host = person.email.casefold().partition("@")
    words = [name, person.email.casefold(), host.partition(".")[0], person.display_name.casefold()]
    return [word for word in words if len(word) >= _WORD_LENGTH_MIN]


@cache
def _common() -> frozenset[str]:
    """Return Django's list of twenty thousand common passwords."""
    folder = Path(password_validation.__file__).parent
    with gzip.open(folder / "common-passwords.txt.gz", "rt", encoding="utf-8") as lines:
        return frozenset(line.strip() for line in lines)
