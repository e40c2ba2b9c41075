"""Rows 45 and 46 of the hostile inputs: documents of people, and what pretends to be a picture."""

from __future__ import annotations

import base64
import io
import struct
import time
import uuid
import zipfile
import zlib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image, PngImagePlugin

from apps.accounts.kyc import actions, pictures, queries, vendors
from apps.accounts.kyc.models import Document, Verification
from apps.accounts.kyc.presentation import link_to
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, Refused, TooLarge, Unsupported
from tests.accounts.kyc_world import handed_in, known, picture, reviewer
from tests.api.conftest import Person, code_of, person_of
from tests.factories import person

pytestmark = pytest.mark.django_db
UPLOAD = "/verification/documents"
API = "/api/v1/kyc"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    options = {**settings.STORAGES["private"]["OPTIONS"], "location": tmp_path}
    private = {**settings.STORAGES["private"], "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "private": private}
    return tmp_path


def _png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is, and holds next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0")), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _archive(size: int) -> bytes:
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../x", bytes(size))
    return into.getvalue()


def _text_bomb() -> bytes:
    """A small PNG whose text unpacks to far more than it is."""
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "x" * 30_000_000, zip=True)
    return picture("PNG", pnginfo=words)


@pytest.mark.parametrize(
    ("name", "data", "family", "code"),
    [
        ("html", lambda: b"<html><script>alert(1)</script></html>", Unsupported, "not_a_picture"),
        ("svg", lambda: b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
         Unsupported, "not_a_picture"),
        ("gif", lambda: picture("GIF"), Unsupported, "not_a_picture"),
        ("tiff", lambda: picture("TIFF"), Unsupported, "not_a_picture"),
        ("nothing", lambda: b"", Unsupported, "not_a_picture"),
        ("torn", lambda: picture(size=(600, 600))[:700], Unsupported, "not_a_picture"),
        ("polyglot", lambda: picture() + b"<script>alert(1)</script>", Unsupported,
         "not_a_picture"),
        ("polyglot png", lambda: picture("PNG") + b"<?php ?>", Unsupported, "not_a_picture"),
        ("polyglot webp", lambda: picture("WEBP") + b"PK", Unsupported, "not_a_picture"),
        ("picture and archive", lambda: picture() + _archive(10), Unsupported, "not_a_picture"),
        ("archive", lambda: _archive(10), Unsupported, "not_a_picture"),
        ("zip bomb", lambda: _archive(50_000_000), TooLarge, "file_too_large"),
        ("text bomb", _text_bomb, TooLarge, "file_too_large"),
        ("large", lambda: bytes(pictures.FILE_BYTES_MAX + 1), TooLarge, "file_too_large"),
        ("many pixels", lambda: _png_header(20_000, 20_000), Refused, "too_many_pixels"),
        ("long", lambda: _png_header(10_001, 1), Refused, "too_many_pixels"),
        ("absurd", lambda: _png_header(2**31 - 1, 2**31 - 1), Refused, "too_many_pixels"),
    ],
)  # fmt: skip
def test_row_46_what_is_no_picture_is_refused(
    name: str, data: Any, family: type[DomainError], code: str
) -> None:
    sent = data()

    with pytest.raises(family) as refusal:
        pictures.redraw(sent)

    assert refusal.value.code == code, name


def test_row_46_a_picture_is_drawn_anew_and_keeps_nothing_that_was_hidden() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home <script>"
    exif[0x0112] = 6
    sent = picture(size=(40, 20), exif=exif, comment=b"hidden")

    drawn = pictures.redraw(sent)

    assert (drawn.width, drawn.height) == (20, 40)
    assert b"script" not in drawn.data
    assert b"hidden" not in drawn.data
    shown = Image.open(io.BytesIO(drawn.data))
    assert shown.format == "JPEG"
    assert not shown.getexif()


def test_row_46_the_largest_that_is_taken_is_kept_smaller() -> None:
    drawn = pictures.redraw(picture("PNG", size=(5000, 500)))

    assert (drawn.width, drawn.height) == (2400, 240)


@pytest.fixture
def ada(client: Client) -> User:
    who = known(tier=1)
    client.force_login(who)
    return who


def _send(client: Client, data: bytes, name: str = "x.jpg", kind: str = "selfie") -> Any:
    file = SimpleUploadedFile(name, data, content_type="image/jpeg")
    return client.post(UPLOAD, {"kind": kind, "file": file})


def test_row_46_the_site_answers_each_with_its_status_and_keeps_nothing(
    client: Client, ada: User, folder: Path
) -> None:
    answers = {
        415: [b"<html></html>", picture() + b"<script>"],
        413: [_archive(50_000_000), bytes(pictures.FILE_BYTES_MAX + 1)],
        422: [_png_header(20_000, 20_000)],
    }

    for status, files in answers.items():
        for data in files:
            assert _send(client, data).status_code == status
    assert client.post(UPLOAD, {"kind": "selfie"}).status_code == 400

    assert not Document.objects.exists()
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_row_46_a_name_is_not_a_path(client: Client, ada: User, folder: Path) -> None:
    assert _send(client, picture(), name="../../x").status_code == 302

    (file,) = [path for path in folder.rglob("*") if path.is_file()]
    assert file.parent == folder / "documents"
    assert len(file.name) == 32
    assert "x" not in file.name


def test_row_46_the_api_answers_the_same(folder: Path) -> None:
    ada = person_of("ada@example.com")
    _reach(ada.user, 1)
    ada.client.post(API, {})

    def send(data: bytes) -> Any:
        body = {"kind": "selfie", "file": base64.b64encode(data).decode()}
        return ada.client.post(f"{API}/documents", body)

    assert code_of(send(b"<svg/>")) == (415, "not_a_picture")
    assert code_of(send(bytes(pictures.FILE_BYTES_MAX + 1))) == (413, "file_too_large")
    assert code_of(send(bytes(3_000_000))) == (413, "body_too_large")
    assert code_of(send(_png_header(20_000, 20_000))) == (422, "too_many_pixels")
    assert send(picture()).status_code == 201
    for file in ("", "%%%", "QQ", 1, None):
        body = {"kind": "selfie", "file": file}
        assert ada.client.post(f"{API}/documents", body).status_code == 400


@pytest.fixture
def document(ada: User) -> Document:
    handed_in(ada)
    return Document.objects.get(kind="selfie")


def test_row_45_a_link_opens_for_its_person_and_for_five_minutes(
    client: Client, ada: User, document: Document
) -> None:
    then = clock.now()
    with time_machine.travel(then, tick=False):
        link = link_to(document, viewer=ada)
        opened = client.get(link)
    with time_machine.travel(then + timedelta(minutes=5, seconds=2), tick=False):
        late = client.get(link)

    assert opened.status_code == 200
    assert opened["Content-Type"] == "image/jpeg"
    assert opened["Content-Disposition"] == 'attachment; filename="selfie.jpg"'
    assert opened["X-Content-Type-Options"] == "nosniff"
    assert opened["Cache-Control"] == "no-store"
    assert opened["Content-Security-Policy"] == (
        "default-src 'none'; frame-ancestors 'none'; sandbox"
    )
    assert opened.content.startswith(b"\xff\xd8")
    assert late.status_code == 403


def test_row_45_another_persons_document_and_a_guess_are_not_there(
    client: Client, ada: User, document: Document
) -> None:
    bob = Client()
    bob.force_login(person())
    link = link_to(document, viewer=ada)
    guesses = [
        f"{UPLOAD}/{document.pk}",
        f"{UPLOAD}/{document.pk}?link=x",
        f"{UPLOAD}/{document.pk}?link={document.pk}:{ada.pk}:1:x",
        f"{UPLOAD}/{uuid.uuid4()}?{link.partition('?')[2]}",
    ]

    assert bob.get(link).status_code == 404
    for guess in guesses:
        assert client.get(guess).status_code == 404, guess
        assert bob.get(guess).status_code == 404, guess
    stranger = Client().get(link)
    assert (stranger.status_code, stranger["Location"].partition("?")[0]) == (
        302, "/accounts/login/",
    )  # fmt: skip


def test_row_45_who_lost_the_right_to_look_does_not(document: Document) -> None:
    cleo, site = reviewer(), Client()
    site.force_login(cleo)
    link = link_to(document, viewer=cleo)

    assert site.get(link).status_code == 200
    cleo.user_permissions.clear()

    assert site.get(link).status_code == 404
    (view,) = document.verification.events.filter(what="viewed")
    assert (view.actor, view.words) == (cleo, "selfie")


@pytest.fixture
def company(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.KYC_VENDOR, settings.KYC_WEBHOOK_SECRET = "company", "a secret of two"
    monkeypatch.setitem(vendors._vendors, "company", vendors.Manual())


def _post_signed(
    client: Person,
    body: bytes,
    *,
    at: float | None = None,
    changed: dict[str, str] | None = None,
) -> Any:
    stamp = str(int(time.time() if at is None else at))
    headers = {"X-Timestamp": stamp, "X-Signature": vendors.signature_of(body, stamp)}
    headers |= changed or {}
    return client.client.post(
        f"{API}/vendor", body, content_type="application/json", headers=headers
    )


@pytest.mark.usefixtures("company")
def test_row_21_a_vendors_message_is_believed_when_it_is_signed_and_counts_once() -> None:
    ada = person_of("ada@example.com")
    _reach(ada.user, 1)
    row = handed_in(ada.user)
    actions.hand_over({"id": str(row.pk)}, clock.now())
    body = f'{{"id":"m1","reference":"{row.pk}","outcome":"approved"}}'.encode()
    refused = body.replace(b"approved", b"refused")

    late = _post_signed(ada, body, at=time.time() - 301)
    unsigned = _post_signed(ada, body, changed={"X-Signature": ""})
    changed = _post_signed(
        ada, refused, changed={"X-Signature": vendors.signature_of(body, str(int(time.time())))}
    )
    moved = _post_signed(ada, body, changed={"X-Timestamp": str(int(time.time()) - 60)})
    odd = _post_signed(ada, body, changed={"X-Timestamp": "٣"})
    for answer in (late, unsigned, changed, moved, odd):
        assert code_of(answer) == (401, "signature_invalid")
    assert Verification.objects.get(pk=row.pk).status == "waiting"

    first, again = _post_signed(ada, body), _post_signed(ada, body)
    unknown = _post_signed(ada, body.replace(str(row.pk).encode(), b"none"))

    assert (first.json(), again.json()) == ({"done": True}, {"done": False})
    assert code_of(unknown) == (404, "verification_not_found")
    assert queries.tier_of(person_id=ada.user.pk, now=clock.now()) == 2


def test_without_a_secret_no_message_is_believed(settings: Any) -> None:
    settings.KYC_WEBHOOK_SECRET = ""

    answer = _post_signed(person_of("ada@example.com"), b"{}")

    assert code_of(answer) == (401, "signature_invalid")


def _reach(who: User, tier: int) -> None:
    User.objects.filter(pk=who.pk).update(kyc_tier=tier)
    who.refresh_from_db()
