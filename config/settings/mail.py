"""How mail leaves, from one address: ``console:``, ``file:/a/folder`` or ``smtp://…``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from config import env

TIMEOUT_SECONDS: Final = 10
_BACKENDS: Final = {"console": "console", "file": "filebased", "smtp": "smtp", "smtps": "smtp"}


@dataclass(frozen=True, slots=True)
class Mail:
    """Django's settings for mail; what a backend does not need it passes over."""

    backend: str
    file_path: str
    host: str
    port: int
    user: str
    password: str
    starts_tls: bool
    is_tls: bool


def mail_by(url: str) -> Mail:
    """Return how mail leaves by an address; refuse what is none.

    ``smtp://user:password@host:587`` speaks TLS after STARTTLS, unless it ends in ``?tls=off``;
    ``smtps://`` speaks it from the first byte.
    """
    parts = urlsplit(url)
    if parts.scheme not in _BACKENDS or (parts.scheme.startswith("smtp") and not parts.hostname):
        raise env.Refused("EMAIL_URL must begin with console:, file: or smtp://host.")
    is_tls = parts.scheme == "smtps"
    return Mail(
        backend=f"django.core.mail.backends.{_BACKENDS[parts.scheme]}.EmailBackend",
        file_path=unquote(parts.path),
        host=parts.hostname or "localhost",
        port=parts.port or (465 if is_tls else 587),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starts_tls=not is_tls and dict(parse_qsl(parts.query)).get("tls", "on") == "on",
        is_tls=is_tls,
    )
