"""Files at a service that speaks S3, against a small one that checks what it is sent."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile, File
from django.core.files.storage import storages

from apps.core.errors import Unavailable
from apps.core.s3 import S3Storage, authorization
from config.settings.files import private_files

KEYS: Final = {"access_key": "AKIDEXAMPLE", "secret_key": "a secret of two", "region": "eu-west-9"}


class Service(HTTPServer):
    """Keeps files in memory; ``fails_with`` answers everything with a status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.fails_with = 0
        self.cuts_off = False
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Service

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(f"{self.command} {self.path}")
        signed = {
            name: self.headers[name] for name in ("host", "x-amz-content-sha256", "x-amz-date")
        }
        is_signed = self.headers["Authorization"] == authorization(
            method=self.command, path=self.path, headers=signed, **KEYS
        )
        is_whole = hashlib.sha256(body).hexdigest() == signed["x-amz-content-sha256"]
        if self.server.fails_with:
            return self._answer(self.server.fails_with)
        if not (is_signed and is_whole):
            return self._answer(403)
        if self.command == "PUT":
            self.server.files[self.path] = body
            return self._answer(200)
        if self.command == "DELETE":
            self.server.files.pop(self.path, None)
            return self._answer(204)
        found = self.server.files.get(self.path)
        return self._answer(404) if found is None else self._answer(200, found)

    do_GET = do_HEAD = do_PUT = do_DELETE = _handle

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if self.server.cuts_off else body)


@pytest.fixture
def service() -> Iterator[Service]:
    found = Service()
    yield found
    found.shutdown()
    found.server_close()


def _storage(service: Service, **changed: str) -> S3Storage:
    options = {"endpoint": service.address, "bucket": "papers", **KEYS, **changed}
    return S3Storage(**options)


def test_a_request_is_signed_as_the_standard_shows() -> None:
    # The first example of Amazon's own page on signatures in headers.
    signed = authorization(
        method="GET",
        path="/test.txt",
        headers={
            "host": "examplebucket.s3.amazonaws.com",
            "range": "bytes=0-9",
            "x-amz-content-sha256": hashlib.sha256(b"").hexdigest(),
            "x-amz-date": "20130524T000000Z",
        },
        access_key="AKIAIOSFODNN7EXAMPLE",
        secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        region="us-east-1",
    )

    assert signed == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_a_file_is_put_found_read_and_deleted(service: Service) -> None:
    storage, data = _storage(service), b"sealed " * 100_000

    name = storage.save("documents/0a1b", File(io.BytesIO(data)))

    assert name == "documents/0a1b"
    assert service.files == {"/papers/documents/0a1b": data}
    assert storage.exists(name)
    with storage.open(name) as file:
        assert file.read() == data
    storage.delete(name)
    storage.delete(name)
    assert not storage.exists(name)
    with pytest.raises(FileNotFoundError):
        storage.open(name)
    assert service.asked[0] == "PUT /papers/documents/0a1b"


def test_what_is_away_is_away_and_not_gone(service: Service) -> None:
    storage = _storage(service)
    name = storage.save("x", ContentFile(b"sealed"))

    service.fails_with = 500
    for work in (storage.open, storage.delete, storage.exists):
        with pytest.raises(Unavailable):
            work(name)
    service.fails_with, service.cuts_off = 0, True
    with pytest.raises(Unavailable):
        storage.open(name)
    nobody = _storage(service, endpoint="http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        nobody.save("y", ContentFile(b"sealed"))
    with pytest.raises(Unavailable):
        _storage(service, secret_key="another").save("y", ContentFile(b"sealed"))

    assert service.files == {"/papers/x": b"sealed"}


@pytest.mark.parametrize(
    "changed",
    [
        {"endpoint": "http://store.example"},
        {"endpoint": "http://10.0.0.7:9000"},
        {"endpoint": "store.example"},
        {"secret_key": ""},
        {"bucket": ""},
    ],
)
def test_nothing_is_sent_in_the_clear_or_without_keys(
    service: Service, changed: dict[str, str]
) -> None:
    with pytest.raises(ImproperlyConfigured):
        _storage(service, **changed)


def test_the_environment_chooses_the_bucket(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    assert private_files(settings.DATA_DIR)["OPTIONS"]["file_permissions_mode"] == 0o600
    for name, value in (
        ("S3_BUCKET", "papers"), ("S3_ENDPOINT", "https://store.example"),
        ("S3_ACCESS_KEY", "AKIDEXAMPLE"), ("S3_SECRET_KEY", "a secret of two"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    settings.STORAGES = {**settings.STORAGES, "private": private_files(settings.DATA_DIR)}

    assert isinstance(storages["private"], S3Storage)
