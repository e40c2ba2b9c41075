"""A copy of one's data: who gets it, what is in it and what is not, and how it ends."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.core.files.storage import storages
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import actions as people
from apps.accounts.casework.actions import add_note
from apps.accounts.factors import actions as factors
from apps.accounts.factors import totp
from apps.accounts.keys.actions import create_key
from apps.accounts.models import DataExport, User
from apps.accounts.personal import actions, files, parts
from apps.accounts.personal.queries import exports_of
from apps.core import clock
from apps.core.errors import NotAllowed, NotFound, TooMany
from apps.core.models import OutboxEvent
from tests.api.conftest import code_of
from tests.factories import PASSWORD, house, listed, person, staff, trader

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("engine_gateway")]
FORMULA = "=HYPERLINK(0)"


@pytest.fixture(autouse=True)
def _private_files(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "private": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path},
        },
    }


def _made(ada: User) -> DataExport:
    now = clock.now()
    actions.ask_for_export(actor=ada, proved_at=now, now=now)
    assert actions.make_exports(now=now) == 1
    return exports_of(viewer=ada)[0]


def _opened(ada: User, export: DataExport) -> zipfile.ZipFile:
    now = clock.now()
    _, pieces = actions.open_export(actor=ada, export_id=export.pk, proved_at=now, now=now)
    return zipfile.ZipFile(io.BytesIO(b"".join(pieces)))


def _rows(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(archive.read(name).decode().splitlines()))


def _told(kind: str) -> int:
    return OutboxEvent.objects.filter(topic="notice", data__kind=kind).count()


def _logged_in(email: str) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    return client


def test_a_copy_holds_what_is_held_and_no_secret_of_anybody() -> None:
    house()
    listed()
    ada, bob = trader("ada@example.com", USDT="1000"), trader("bob@example.com", BTC="1")
    bob.sell("0.001", "60000")
    ada.buy("0.001", "60000")
    now = clock.now()
    made = create_key(
        actor=ada.user, name=FORMULA, scopes=["read"], networks=[], expires_at=None,
        public_key=None, proved_at=now, now=now,
    )  # fmt: skip
    secret = totp.new_secret()
    codes = factors.add_totp(
        actor=ada.user, secret=secret, proved_at=now, now=now,
        code=totp.code_at(secret, int(now.timestamp()) // totp.STEP_SECONDS),
    )  # fmt: skip
    helper = staff("helper@example.com")
    add_note(actor=helper, person=ada.user, text="Called about a fee.", now=now)

    archive = _opened(ada.user, _made(ada.user))

    assert sorted(archive.namelist()) == sorted(
        ["README.txt", *(part.file_name for part in parts.registered())]
    )
    assert archive.testzip() is None
    (profile,) = json.loads(archive.read("profile.json"))
    assert profile["email"] == "ada@example.com"
    assert [row["quantity"] for row in _rows(archive, "fills.csv")] == ["0.00100"]
    assert [row["status"] for row in _rows(archive, "orders.csv")] == ["filled"]
    assert {row["kind"] for row in _rows(archive, "ledger.csv")} == {"deposit", "trade"}
    assert [row["name"] for row in _rows(archive, "api_keys.csv")] == [f"'{FORMULA}"]
    assert [row["text"] for row in _rows(archive, "staff_notes.csv")] == ["Called about a fee."]
    everything = b"\n".join(archive.read(name) for name in archive.namelist()).decode()
    for word in (
        PASSWORD, ada.user.password, made.secret or "", secret, codes[0], "bob@example.com",
        "helper@example.com", str(bob.account.public_id),
    ):  # fmt: skip
        assert word not in everything


def test_at_rest_it_is_sealed_and_after_a_week_it_is_gone() -> None:
    ada = person("ada@example.com")
    export = _made(ada)
    with storages["private"].open(export.file) as file:
        kept = file.read()
    assert export.state == DataExport.State.READY
    assert b"PK" not in kept[:4]
    assert b"profile.json" not in kept
    assert _told("export_ready") == 1

    assert actions.forget_exports(now=clock.now() + timedelta(days=6)) == 0
    assert actions.forget_exports(now=clock.now() + timedelta(days=7, minutes=1)) == 1
    assert actions.forget_exports(now=clock.now() + timedelta(days=7, minutes=1)) == 0

    export.refresh_from_db()
    assert (export.state, export.key, export.file) == ("gone", None, "")
    with pytest.raises(NotFound):
        _opened(ada, export)
    assert storages["private"].listdir("exports")[1] == []


def test_a_file_that_was_changed_cut_or_swapped_does_not_open(tmp_path: Path) -> None:
    ada, bob = person("ada@example.com"), person("bob@example.com")
    mine, theirs = _made(ada), _made(bob)
    path, other = tmp_path / mine.file, tmp_path / theirs.file
    whole = path.read_bytes()

    for bad in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), other.read_bytes(), b""):
        path.write_bytes(bad)
        with pytest.raises(NotFound):
            _opened(ada, mine)
    path.unlink()
    with pytest.raises(NotFound):
        _opened(ada, mine)


def test_a_long_copy_is_sealed_in_pieces_that_keep_their_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(files, "PIECE_BYTES", 64)
    ada = person("ada@example.com")
    export = _made(ada)
    path = tmp_path / export.file
    whole = path.read_bytes()
    piece = 64 + 16
    assert len(whole) > 4 * piece
    assert _opened(ada, export).testzip() is None

    swapped = whole[:piece] + whole[2 * piece : 3 * piece] + whole[piece : 2 * piece]
    for bad in (swapped + whole[3 * piece :], whole[: 3 * piece]):
        path.write_bytes(bad)
        with pytest.raises(InvalidTag):
            _opened(ada, export)


def test_one_a_day_and_with_a_fresh_proof() -> None:
    ada, now = person("ada@example.com"), clock.now()
    with pytest.raises(NotAllowed) as stale:
        actions.ask_for_export(actor=ada, proved_at=now - timedelta(minutes=16), now=now)
    assert stale.value.code == "step_up_required"

    actions.ask_for_export(actor=ada, proved_at=now, now=now)
    later = now + timedelta(hours=1)
    with pytest.raises(TooMany) as soon:
        actions.ask_for_export(actor=ada, proved_at=later, now=later)

    assert soon.value.code == "export_too_soon"
    assert soon.value.data["retry_after_seconds"] == 23 * 3600
    assert DataExport.objects.count() == 1
    tomorrow = now + timedelta(days=1)
    actions.make_exports(now=now)
    actions.ask_for_export(actor=ada, proved_at=tomorrow, now=tomorrow)


def test_what_cannot_be_made_is_tried_three_times_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(_: User) -> Any:
        raise OSError("the disk is full")

    monkeypatch.setitem(parts._parts, "broken", parts.Part("broken", "", breaks, ()))
    ada, now = person("ada@example.com"), clock.now()
    actions.ask_for_export(actor=ada, proved_at=now, now=now)

    for number in range(4):
        assert actions.make_exports(now=now + number * timedelta(minutes=16)) == 0

    export = exports_of(viewer=ada)[0]
    assert (export.state, export.tries) == (DataExport.State.FAILED, 3)
    assert _told("export_failed") == 1
    monkeypatch.delitem(parts._parts, "broken")
    actions.ask_for_export(actor=ada, proved_at=now, now=now)


def test_the_page_gives_it_to_its_owner_alone() -> None:
    person("ada@example.com")
    person("bob@example.com")
    ada, bob = _logged_in("ada@example.com"), _logged_in("bob@example.com")

    ada.post("/security/data/copies")
    ada.post("/security/data/copies")
    assert "Being made" in ada.get("/security/data").content.decode()
    assert DataExport.objects.count() == 1
    actions.make_exports(now=clock.now())
    export = DataExport.objects.get()
    path = f"/security/data/copies/{export.pk}"
    answer: Any = ada.get(path)

    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Disposition"].startswith('attachment; filename="sum1-data-')
    assert len(b"".join(answer.streaming_content)) == export.size_bytes
    assert bob.get(path).status_code == 404
    assert bob.get("/security/data").content.count(b"Download") == 0
    assert Client().get(path).status_code == 302
    session = ada.session
    session["proved_at"] = clock.iso(clock.now() - timedelta(minutes=16))
    session.save()
    asked = ada.get(path)
    assert asked.status_code == 302
    assert asked["Location"].startswith("/security/confirm?next=%2Fsecurity%2Fdata%2Fcopies%2F")


def test_through_the_api_it_is_asked_for_and_seen() -> None:
    ada = person("ada@example.com")
    pair = people.open_sign_in(actor=ada, client="app", address="192.0.2.1", now=clock.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")

    asked = client.post("/api/v1/me/exports", {})
    again = client.post("/api/v1/me/exports", {})

    assert asked.status_code == 202
    assert asked.json()["state"] == "waiting"
    assert code_of(again) == (429, "export_too_soon")
    assert 0 < int(again["Retry-After"]) <= 24 * 3600
    assert code_of(client.post("/api/v1/me/exports", {"person": "1"})) == (400, "unknown_field")
    actions.make_exports(now=clock.now())
    (item,) = client.get("/api/v1/me/exports").json()["items"]
    assert item["page"] == f"/security/data/copies/{item['id']}"
    assert code_of(APIClient().get("/api/v1/me/exports"))[0] == 401
