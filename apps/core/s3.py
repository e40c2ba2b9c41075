"""Files at a service that speaks S3: put, fetched and deleted by requests signed with its keys.

It is for what nobody else may see, under names of ours that are never used twice: what is put there
is sealed before, and the bucket stays private. Version 4 of the signature, and nothing besides.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_address
from typing import IO, Any, Final
from urllib.parse import quote, urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible

from apps.core import clock
from apps.core.errors import Unavailable

TIMEOUT_SECONDS: Final = 10
# What is larger than this is kept on a disk, sealed as it is, while it is read.
IN_MEMORY_BYTES: Final = 4_000_000
PIECE_BYTES: Final = 65_536
_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


def authorization(
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    access_key: str,
    secret_key: str,
    region: str,
) -> str:
    """Return the header that signs a request: its path as it is sent, and all of ``headers``.

    Among them, in small letters, are ``host``, ``x-amz-date`` and ``x-amz-content-sha256``.
    """
    stamp, names = headers["x-amz-date"], ";".join(sorted(headers))
    lines = [f"{name}:{headers[name].strip()}" for name in sorted(headers)]
    asked = "\n".join([method, path, "", *lines, "", names, headers["x-amz-content-sha256"]])
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    hashed = hashlib.sha256(asked.encode()).hexdigest()
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = "\n".join([_ALGORITHM, stamp, scope, hashed])
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{access_key}/{scope}"
    return f"{_ALGORITHM} Credential={credential},SignedHeaders={names},Signature={signature}"


@deconstructible
class S3Storage(Storage):
    """One private bucket. What is away for a moment is ``Unavailable``, and not gone."""

    def __init__(
        self, *, endpoint: str, bucket: str, region: str, access_key: str, secret_key: str
    ) -> None:
        parts = urlsplit(endpoint)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))
        ):
            raise ImproperlyConfigured("S3_ENDPOINT must begin with https:// and name a host.")
        if not (bucket and region and access_key and secret_key):
            raise ImproperlyConfigured("S3_BUCKET needs S3_REGION, S3_ACCESS_KEY, S3_SECRET_KEY.")
        self._is_tls, self._host, self._port = parts.scheme == "https", parts.hostname, parts.port
        self._netloc, self._bucket = parts.netloc, bucket
        self._keys = {"access_key": access_key, "secret_key": secret_key, "region": region}

    def _save(self, name: str, content: File[bytes]) -> str:
        content.seek(0)
        digest, size = hashlib.sha256(), 0
        while piece := content.read(PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
        content.seek(0)
        with self._asked("PUT", name, digest.hexdigest(), content, size) as answer:
            _check(answer)
        return name

    def _open(self, name: str, mode: str = "rb") -> File[bytes]:
        with self._asked("GET", name) as answer:
            if answer.status == http.HTTPStatus.NOT_FOUND:
                raise FileNotFoundError(name)
            _check(answer)
            return File(_taken(answer), name)

    def delete(self, name: str) -> None:
        with self._asked("DELETE", name) as answer:
            if answer.status != http.HTTPStatus.NOT_FOUND:
                _check(answer)

    def exists(self, name: str) -> bool:
        with self._asked("HEAD", name) as answer:
            if answer.status == http.HTTPStatus.NOT_FOUND:
                return False
            _check(answer)
        return True

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        # Names are random and long: asking whether there is one already would cost a request.
        return name

    @contextmanager
    def _asked(
        self,
        method: str,
        name: str,
        payload_sha256: str = _NOTHING,
        body: IO[bytes] | File[bytes] | None = None,
        size: int = 0,
    ) -> Iterator[http.client.HTTPResponse]:
        path = f"/{quote(self._bucket, safe='')}/{quote(name, safe='/-_.~')}"
        headers = {
            "host": self._netloc,
            "x-amz-content-sha256": payload_sha256,
            "x-amz-date": _stamp(clock.now()),
        }
        signed = authorization(method=method, path=path, headers=headers, **self._keys)
        sent = {**headers, "Authorization": signed, "Content-Length": str(size)}
        connection = self._connection()
        try:
            connection.request(method, path, body=body, headers=sent)
            yield connection.getresponse()
        except FileNotFoundError:
            raise
        except (OSError, http.client.HTTPException):
            raise _unavailable() from None
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._is_tls:
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_SECONDS, context=context
            )
        return http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)


def _check(answer: http.client.HTTPResponse) -> None:
    if not 200 <= answer.status < 300:
        raise _unavailable()


def _taken(answer: http.client.HTTPResponse) -> Any:
    """Return the whole of an answer as a file, which its reader closes."""
    held: Any = tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115
    try:
        while piece := answer.read(PIECE_BYTES):
            held.write(piece)
        if answer.length:
            raise _unavailable()
    except Exception:
        held.close()
        raise
    held.seek(0)
    return held


def _unavailable() -> Unavailable:
    return Unavailable("storage_unavailable", "The store of documents cannot be reached now.")


def _stamp(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def _is_here(host: str) -> bool:
    """Whether the host is this machine, where nobody else reads what is sent."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
