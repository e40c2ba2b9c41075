"""Codes from an authenticator app: RFC 6238 with SHA-1, six digits, thirty seconds."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from typing import Final
from urllib.parse import quote, urlencode

STEP_SECONDS: Final = 30
DIGITS: Final = 6
ISSUER: Final = "SUM+1"
# Clocks of telephones are off, and codes are typed slowly: one step to either side.
TOLERANCE_STEPS: Final = 1


def new_secret() -> str:
    """Return a secret of 160 bits, in base32 as apps take it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def code_at(secret: str, step: int) -> str:
    """Return the code of one step of thirty seconds since 1970."""
    digest = hmac.new(base64.b32decode(secret), struct.pack(">Q", step), hashlib.sha1).digest()
    offset = digest[-1] & 0x0F
    (value,) = struct.unpack(">I", digest[offset : offset + 4])
    return str((value & 0x7FFFFFFF) % 10**DIGITS).zfill(DIGITS)


def step_of(secret: str, code: str, *, at_seconds: float, after_step: int) -> int | None:
    """Return the step whose code it is; None where it is wrong or no later than ``after_step``.

    A code that was used, or an older one, is as wrong as any other.
    """
    now = int(at_seconds) // STEP_SECONDS
    found = None
    for step in range(now - TOLERANCE_STEPS, now + TOLERANCE_STEPS + 1):
        # All are compared, so that the time taken tells nothing.
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            found = step if step > after_step else None
    return found


def is_secret(text: str) -> bool:
    """Say whether the text is a secret as ``new_secret`` makes it."""
    try:
        return len(base64.b32decode(text)) == 20
    except binascii.Error:
        return False


def address(secret: str, label: str) -> str:
    """Return what the QR code for the app says."""
    query = urlencode({"secret": secret, "issuer": ISSUER}, quote_via=quote)
    return f"otpauth://totp/{quote(f'{ISSUER}:{label}')}?{query}"
