"""Who may open a socket at all: decided from the request's headers, before anything else.

A browser sends cookies along from any page, so a page of another site must not get a socket:
its Origin is refused. A program sends no Origin; it may come, but not with a cookie.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.http.cookie import parse_cookie
from django.http.request import split_domain_port, validate_host

PROTOCOL: Final = "sum1"
TICKET_PREFIX: Final = "ticket."
_LOCAL_HOSTS: Final = [".localhost", "127.0.0.1", "[::1]"]
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Visit:
    """What a request for a socket says about itself."""

    address: str
    session_key: str
    ticket: str
    subprotocol: str | None
    from_browser: bool


def read_visit(scope: Mapping[str, Any]) -> Visit | None:
    """Return the visit; None where it is refused."""
    headers = _headers(scope)
    host = headers.get("host", "")
    if scope.get("query_string") or not _is_our_host(host):
        # Nothing is ever passed in the URL: URLs end up in logs.
        return None
    origin = headers.get("origin")
    if origin is None and "cookie" in headers:
        return None
    if origin is not None and not _is_our_origin(origin, host):
        return None
    offered = scope.get("subprotocols") or []
    ticket = next((name for name in offered if name.startswith(TICKET_PREFIX)), "")
    return Visit(
        address=_address(scope, headers),
        session_key=parse_cookie(headers.get("cookie", "")).get(settings.SESSION_COOKIE_NAME, ""),
        ticket=ticket.removeprefix(TICKET_PREFIX),
        subprotocol=PROTOCOL if PROTOCOL in offered else None,
        from_browser=origin is not None,
    )


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _is_our_host(host: str) -> bool:
    domain, _ = split_domain_port(host)
    allowed = settings.ALLOWED_HOSTS or (_LOCAL_HOSTS if settings.DEBUG else [])
    return bool(domain) and validate_host(domain, allowed)


def _is_our_origin(origin: str, host: str) -> bool:
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    if settings.SESSION_COOKIE_SECURE and not origin.startswith("https://"):
        # A page that came unprotected may be anybody's who sits on the way, whatever its address.
        return False
    try:
        theirs = urlsplit(origin)
        ours = urlsplit(f"{theirs.scheme}://{host}")
        default = _DEFAULT_PORTS[theirs.scheme]
        return (theirs.hostname, theirs.port or default) == (ours.hostname, ours.port or default)
    except (ValueError, KeyError):
        return False


def _address(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    proxies = settings.TRUSTED_PROXY_COUNT
    forwarded = headers.get("x-forwarded-for", "").split(",")
    if proxies and len(forwarded) >= proxies and forwarded[-proxies].strip():
        return forwarded[-proxies].strip()
    client = scope.get("client")
    return client[0] if client else "unknown"
