"""Fetches an address that a person has named, and nothing inside our own networks.

The name is resolved once, every address it has must be a public one, and the connection goes to
the very address that was checked: a name that resolves differently a moment later changes nothing.
Redirects are checked in the same way. Time, size and redirects are bounded.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

from apps.core.errors import Refused

SECONDS_MAX: Final = 2.0
BYTES_MAX: Final = 1_000_000
REDIRECTS_MAX: Final = 3
URL_LENGTH_MAX: Final = 2_000
PORTS: Final = {"http": 80, "https": 443}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Looking up a name cannot be bounded in itself; so many that hang hold up the rest, and no more.
_lookups = ThreadPoolExecutor(4, thread_name_prefix="lookup")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came from ``url``, which redirects may have led to."""

    url: str
    status: int
    content_type: str
    body: bytes


def fetch(url: str) -> Fetched:
    """Return what is at a public address, or refuse it with ``url_not_allowed``."""
    until = time.monotonic() + SECONDS_MAX
    for _ in range(REDIRECTS_MAX + 1):
        parts = _checked(url)
        fetched, location = _get(parts, _public_address(parts, until), until)
        if location is None:
            return fetched
        url = urljoin(url, location)
    raise _refusal("It redirects too often.")


def _checked(url: str) -> SplitResult:
    if len(url) > URL_LENGTH_MAX or not url.isascii() or any(ord(sign) <= 32 for sign in url):
        raise _refusal("Write a plain address, as a browser shows it.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refusal("Write a plain address, as a browser shows it.") from None
    if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc:
        raise _refusal("Only http and https are possible, without a name and password in it.")
    if port is not None and port != PORTS[parts.scheme]:
        raise _refusal("Only the usual ports of http and https are possible.")
    return parts


def _public_address(parts: SplitResult, until: float) -> str:
    """Return one address of the host, after a look at all of them."""
    looking = _lookups.submit(_resolve, parts.hostname or "", PORTS[parts.scheme])
    try:
        found = looking.result(timeout=max(0.0, until - time.monotonic()))
    except (OSError, UnicodeError, TooSlow):
        looking.cancel()
        raise _refusal("Its host cannot be found.") from None
    if not found or not all(is_public(address) for address in found):
        raise _refusal("It does not lead to a public address.")
    return found[0]


def _resolve(host: str, port: int) -> list[str]:
    # Other ways to write a number (0x7f000001, 2130706433, 127.1) become plain addresses here.
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(text: str) -> bool:
    """Whether the address is on the public network, and holds none that is not."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(inner) or address in _NAT64:
            # Addresses that only wrap one of IPv4 are of no use to anybody honest.
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class _Nat64:
    """64:ff9b::/96 and 64:ff9b:1::/48: IPv4 behind a translator."""

    def __contains__(self, address: IPv6Address) -> bool:
        return address.packed[:4] == b"\x00\x64\xff\x9b"


_NAT64: Final = _Nat64()


class _Pinned(http.client.HTTPConnection):
    """A connection to the address that was checked, whatever the name resolves to by now."""

    def __init__(self, parts: SplitResult, address: str, seconds: float) -> None:
        super().__init__(parts.hostname or "", PORTS[parts.scheme], timeout=seconds)
        self._address = address
        self._is_tls = parts.scheme == "https"

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._is_tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host)


def _get(parts: SplitResult, address: str, until: float) -> tuple[Fetched, str | None]:
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise _refusal("It takes too long.")
    connection = _Pinned(parts, address, seconds)
    # Whoever sends a byte a second never runs into the time for one byte; this ends it all.
    alarm = threading.Timer(seconds, _hang_up, [connection])
    alarm.daemon = True
    alarm.start()
    try:
        target = parts.path or "/"
        connection.request(
            "GET",
            f"{target}?{parts.query}" if parts.query else target,
            headers={"User-Agent": "SUM+1", "Accept-Encoding": "identity", "Connection": "close"},
        )
        answer = connection.getresponse()
        location = answer.getheader("Location") if answer.status in _REDIRECTS else None
        body = b"" if location is not None else answer.read(BYTES_MAX + 1)
        cut_off = location is None and bool(answer.length)
    except (OSError, http.client.HTTPException, ValueError):
        raise _refusal("It does not answer properly, or not in time.") from None
    finally:
        alarm.cancel()
        connection.close()
    if len(body) > BYTES_MAX:
        raise _refusal("It is larger than 1 MB.")
    if cut_off or time.monotonic() > until:
        raise _refusal("It takes too long.")
    content_type = answer.getheader("Content-Type", "")
    return Fetched(parts.geturl(), answer.status, content_type, body), location


def _hang_up(connection: http.client.HTTPConnection) -> None:
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            # It has ended by itself in the meantime.
            return


def _refusal(why: str) -> Refused:
    return Refused("url_not_allowed", f"This address cannot be fetched. {why}")
