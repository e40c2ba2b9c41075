"""Recovery codes: ten of fifty bits each, shown once, kept as hashes, good for one use."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

CODES: Final = 10
_LENGTH: Final = 10


def new_codes() -> list[str]:
    """Return fresh codes as they are shown: two groups of five letters and digits."""
    raw = [base64.b32encode(secrets.token_bytes(7)).decode().lower() for _ in range(CODES)]
    return [f"{text[:5]}-{text[5:_LENGTH]}" for text in raw]


def digest(code: str, *, person_id: int, secret: str) -> str:
    """Return what is kept of a code; who has the table alone cannot try codes against it."""
    key = hashlib.sha256(b"sum1 recovery code\n" + secret.encode()).digest()
    text = f"{person_id} {plain(code)}"
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def plain(code: str) -> str:
    """Return the code without what people put between and around its letters."""
    return "".join(letter for letter in code.lower() if letter.isalnum())


def looks_like_one(code: str) -> bool:
    """Say whether it can be a recovery code at all."""
    return len(plain(code)) == _LENGTH and code.isascii()
