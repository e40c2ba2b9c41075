"""Hostile row 71: what a copy of the database shows, what a moved value is worth, rotation."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import isolate_apps

from apps.core import crypto, sealed

SECRET = b"a secret that nobody else may read"
PLACE = {"table": "accounts_apikey", "row": 7, "field": "secret", "person_id": 3}


def seal(text: bytes = SECRET) -> bytes:
    return crypto.seal(text, table="accounts_apikey", row=7, field="secret", person_id=3)


def open_(value: bytes, **other: object) -> bytes:
    place = {**PLACE, **other}
    return crypto.open_sealed(value, **place)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [b"", b"x", SECRET, bytes(range(256)) * 40])
def test_what_is_sealed_opens_again(text: bytes) -> None:
    assert open_(seal(text)) == text


def test_a_sealed_value_shows_nothing_and_is_never_the_same_twice() -> None:
    first, second = seal(), seal()

    assert SECRET not in first
    assert first != second
    # Not even the data key is shared: only version and key id are.
    assert first[9:69] != second[9:69]
    assert first[:9] == second[:9] == b"\x01" + crypto.newest_key_id()


def test_without_the_key_a_copy_of_the_database_is_unreadable(settings: Any) -> None:
    value = seal()

    settings.FIELD_KEYS = [crypto.new_key()]

    with pytest.raises(crypto.Unreadable, match="FIELD_KEYS does not hold the key"):
        open_(value)


@pytest.mark.parametrize(
    "other",
    [{"table": "accounts_totp"}, {"row": 8}, {"field": "name"}, {"person_id": 4}],
    ids=["table", "row", "field", "person"],
)
def test_a_value_that_was_moved_does_not_open(other: dict[str, object]) -> None:
    value = seal()

    with pytest.raises(crypto.Unreadable, match="does not belong here"):
        open_(value, **other)


def test_places_that_read_alike_are_kept_apart() -> None:
    value = crypto.seal(SECRET, table="a", row="b,c", field="d", person_id=1)

    with pytest.raises(crypto.Unreadable):
        crypto.open_sealed(value, table="a,b", row="c", field="d", person_id=1)


def test_a_changed_byte_anywhere_is_noticed() -> None:
    value = seal()

    for index in range(len(value)):
        changed = bytearray(value)
        changed[index] ^= 1
        with pytest.raises(crypto.Unreadable):
            open_(bytes(changed))


@pytest.mark.parametrize("value", [b"", b"\x01", SECRET, b"\x02" + b"0" * 200])
def test_what_was_never_sealed_is_refused(value: bytes) -> None:
    with pytest.raises(crypto.Unreadable):
        open_(value)


def test_old_values_are_read_and_new_ones_are_under_the_new_key(settings: Any) -> None:
    old = seal()
    settings.FIELD_KEYS = [crypto.new_key(), *settings.FIELD_KEYS]

    new = seal()

    assert open_(old) == open_(new) == SECRET
    assert crypto.key_id_of(new) == crypto.newest_key_id() != crypto.key_id_of(old)


def test_wrapping_anew_leaves_the_value_itself_alone(settings: Any) -> None:
    old = seal()
    fresh_key = crypto.new_key()
    settings.FIELD_KEYS = [fresh_key, *settings.FIELD_KEYS]

    new = crypto.rewrap(old)

    assert new[69:] == old[69:]
    settings.FIELD_KEYS = [fresh_key]
    assert open_(new) == SECRET
    with pytest.raises(crypto.Unreadable):
        open_(new, row=8)


@pytest.mark.parametrize(
    "key", ["", "short", "A" * 42, "A" * 44, "A" * 42 + "!", "A" * 86, "é" * 43]
)
def test_keys_that_cannot_be_used_are_refused(key: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        crypto.check_keys([key])


def test_there_is_always_a_key() -> None:
    with pytest.raises(ImproperlyConfigured, match="empty"):
        crypto.check_keys([])


def test_keys_may_be_written_in_either_alphabet_and_padded() -> None:
    raw = b"\xfb\xff" * 16

    ids = []
    for text in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        for key in (text.decode(), text.decode().rstrip("=")):
            crypto.check_keys([key])
            ids.append(crypto._ring((key,)).newest)

    assert len(set(ids)) == 1


@pytest.fixture
def vault(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[models.Model]]:
    """A table with a sealed column, known to nobody but this test."""
    with isolate_apps("apps.core") as registry:

        class Vault(models.Model):
            secret = sealed.SealedField(null=True)

            class Meta:
                app_label = "core"

        with connection.schema_editor() as editor:
            editor.create_model(Vault)
        monkeypatch.setattr(sealed, "apps", registry)
        monkeypatch.setattr(sealed, "BATCH_ROWS", 3)
        yield Vault


def fill(vault: type[models.Model], numbers: range) -> None:
    for number in numbers:
        value = crypto.seal(
            b"%d" % number, table="core_vault", row=number, field="secret", person_id=1
        )
        vault._default_manager.create(pk=number, secret=value)


def contents(vault: type[models.Model]) -> list[bytes]:
    return [
        crypto.open_sealed(value, table="core_vault", row=pk, field="secret", person_id=1)
        for pk, value in vault._default_manager.order_by("pk").values_list("pk", "secret")
    ]


def rotate() -> str:
    out = io.StringIO()
    call_command("rotate_field_keys", stdout=out)
    return out.getvalue()


def test_rotation_wraps_every_row_and_only_once(vault: type[models.Model], settings: Any) -> None:
    fill(vault, range(1, 8))
    fresh_key = crypto.new_key()
    settings.FIELD_KEYS = [fresh_key, *settings.FIELD_KEYS]
    fill(vault, range(8, 10))

    first, second = rotate(), rotate()

    assert "core_vault.secret: 7 wrapped anew" in first
    assert "core_vault.secret: 0 wrapped anew" in second
    settings.FIELD_KEYS = [fresh_key]
    assert contents(vault) == [b"%d" % number for number in range(1, 10)]


def test_rotation_that_was_broken_off_goes_on_where_it_was(
    vault: type[models.Model], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(vault, range(1, 8))
    settings.FIELD_KEYS = [crypto.new_key(), *settings.FIELD_KEYS]
    rewrap, seen = crypto.rewrap, []

    def power_cut(value: bytes) -> bytes:
        seen.append(value)
        if len(seen) == 5:
            raise KeyboardInterrupt
        return rewrap(value)

    monkeypatch.setattr(crypto, "rewrap", power_cut)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    monkeypatch.setattr(crypto, "rewrap", rewrap)

    # The first batch of three was kept; of the second, nothing.
    assert "core_vault.secret: 4 wrapped anew" in rotate()


def test_rotation_names_what_no_key_opens_and_goes_on(
    vault: type[models.Model], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    fill(vault, range(1, 3))
    known = settings.FIELD_KEYS
    settings.FIELD_KEYS = [crypto.new_key()]
    fill(vault, range(3, 4))
    settings.FIELD_KEYS = [crypto.new_key(), *known]

    with caplog.at_level(logging.ERROR), pytest.raises(CommandError, match="1 values cannot"):
        rotate()

    assert "core_vault.secret of row 3: FIELD_KEYS does not hold" in caplog.text
    keys = [
        crypto.key_id_of(value) for value in vault._default_manager.values_list("secret", flat=True)
    ]
    assert keys.count(crypto.newest_key_id()) == 2


def test_what_is_sealed_elsewhere_is_rotated_too(
    vault: type[models.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_elsewhere", {})
    sealed.register("files", lambda: sealed.Rewrapped(wrapped=12, unreadable=0))

    assert "files: 12 wrapped anew" in rotate()


def test_a_new_key_can_be_used_as_it_is_printed() -> None:
    out = io.StringIO()

    call_command("rotate_field_keys", "--new-key", stdout=out)

    crypto.check_keys([out.getvalue().strip()])
