"""The arithmetic of signed requests: what is signed, how it is checked, what a key may ask for.

docs/api.md tells clients the same in their words; a test holds the two together.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from apps.core.errors import Invalid
from apps.core.networks import parse_network
from apps.core.scopes import SCOPES, WITHDRAW

VERSION: Final = "SUM1-1"
TIMESTAMP_LEEWAY_MS: Final = 30_000
NETWORKS_MAX: Final = 20
SIGNATURE_LENGTH_MAX: Final = 88
PUBLIC_KEY_BYTES: Final = 32
_NONCE: Final = re.compile(r"[A-Za-z0-9_-]{16,64}", re.ASCII)
_TIMESTAMP: Final = re.compile(r"[1-9][0-9]{12}", re.ASCII)
# Points of small order: whoever has such a key accepts signatures that anybody can make.
_WEAK_KEYS: Final = frozenset(
    bytes.fromhex(low + high)
    for low, highs in (
        ("01" + "00" * 30, ("00", "80")),
        ("ec" + "ff" * 30, ("7f", "ff")),
        ("00" * 31, ("00", "80")),
        ("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc", ("05", "85")),
        ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03", ("7a", "fa")),
    )
    for high in highs
)


def string_to_sign(
    *, key_id: str, method: str, target: str, timestamp: str, nonce: str, body: bytes
) -> bytes:
    """Return what a request's signature is over. ``target`` is the path with its query string."""
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join((VERSION, key_id, method, target, timestamp, nonce, digest)).encode()


def hmac_signature(secret: bytes, text: bytes) -> bytes:
    """Return the HMAC-SHA256; the secret is the text that the person was shown."""
    return hmac.new(secret, text, hashlib.sha256).digest()


def ed25519_holds(public_key: bytes, signature: bytes, text: bytes) -> bool:
    """Return whether the signature was made with the private key of this public one."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text)
    except InvalidSignature:
        return False
    return True


def parse_signature(text: str) -> bytes | None:
    """Return the signature's bytes; None where it is no base64."""
    if len(text) > SIGNATURE_LENGTH_MAX:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def is_nonce(text: str) -> bool:
    """Return whether this may be a nonce."""
    return _NONCE.fullmatch(text) is not None


def parse_timestamp_ms(text: str) -> int | None:
    """Return the timestamp in milliseconds since 1970; None where it is none."""
    return int(text) if _TIMESTAMP.fullmatch(text) else None


def is_timely(timestamp_ms: int, now_ms: int) -> bool:
    """Return whether a request of this timestamp is neither old nor from the future."""
    return abs(now_ms - timestamp_ms) <= TIMESTAMP_LEEWAY_MS


def read_public_key(text: str) -> bytes:
    """Return the 32 bytes of an Ed25519 public key: base64 of them, or PEM as openssl writes it."""
    body = "".join(line for line in text.split("\n") if not line.startswith("-----")).strip()
    try:
        raw = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    prefix = bytes.fromhex("302a300506032b6570032100")
    raw = raw.removeprefix(prefix) if len(raw) == len(prefix) + PUBLIC_KEY_BYTES else raw
    if len(raw) != PUBLIC_KEY_BYTES or raw in _WEAK_KEYS:
        raise Invalid(
            "invalid_public_key",
            "Give the public key of an Ed25519 pair, as PEM or as base64 of its 32 bytes.",
        )
    return raw


def check_scopes(scopes: Sequence[str], networks: Sequence[str]) -> list[str]:
    """Return the scopes in their usual order; refuse what a key cannot have."""
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Invalid("invalid_scopes", f"Choose at least one of: {', '.join(SCOPES)}.")
    if WITHDRAW in scopes and not networks:
        raise Invalid(
            "networks_required",
            "A key that may withdraw needs a list of the addresses it is used from.",
        )
    return [scope for scope in SCOPES if scope in scopes]


def check_networks(networks: Sequence[str]) -> list[str]:
    """Return the networks as they are usually written, each once."""
    found: dict[str, None] = {}
    for text in networks:
        try:
            network = parse_network(text.strip())
        except ValueError:
            raise Invalid(
                "invalid_network",
                f"“{text[:50]}” is no address or network. Write 203.0.113.7, 203.0.113.0/24 or "
                "2001:db8::/48.",
            ) from None
        if network.prefixlen == 0:
            raise Invalid(
                "invalid_network", "A network of every address protects nothing: leave it out."
            )
        found[str(network)] = None
    if len(found) > NETWORKS_MAX:
        raise Invalid("too_many_networks", f"A key can have at most {NETWORKS_MAX} networks.")
    return list(found)
