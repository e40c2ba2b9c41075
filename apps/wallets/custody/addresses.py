"""Addresses of the simulated chains. Pure: what one looks like, and its check digits.

An address names its chain and ends in digits that are made of the rest, so that one wrong letter
is found before anything is sent. What is no address of these chains is refused by the same means.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

PREFIXES: Final = {
    "bitcoin": "simbtc1",
    "ethereum": "simeth1",
    "solana": "simsol1",
    "xrpl": "simxrp1",
    "dogecoin": "simdoge1",
}
_BODY_CHARACTERS: Final = 32
_CHECK_CHARACTERS: Final = 8
_REST: Final = re.compile(r"[a-z2-7]{40}", re.ASCII)


def address_of(chain: str, secret: str) -> str:
    """Return the address that belongs to a secret."""
    body = _letters(f"address\n{chain}\n{secret}", _BODY_CHARACTERS)
    return f"{PREFIXES[chain]}{body}{_check(chain, body)}"


def is_address(chain: str, text: str) -> bool:
    """Whether the text is an address of the chain."""
    prefix = PREFIXES.get(chain, "")
    rest = text.removeprefix(prefix)
    if not prefix or rest == text or not _REST.fullmatch(rest):
        return False
    return rest[_BODY_CHARACTERS:] == _check(chain, rest[:_BODY_CHARACTERS])


def _check(chain: str, body: str) -> str:
    return _letters(f"check\n{chain}\n{body}", _CHECK_CHARACTERS)


def _letters(text: str, count: int) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest).decode().lower()[:count]
