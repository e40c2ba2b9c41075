"""Binary COPY and arrays: what goes in comes out."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from django.db import connection

from apps.core import bulk, clock

pytestmark = pytest.mark.django_db


def test_rows_come_out_as_they_went_in() -> None:
    at_ns = clock.to_ns(datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC))
    texts = ["", "plain", 'tab\tquote"back\\slash\n', "ü€😀", "x" * 70_000]
    row = struct.Struct("!hiqiq").pack

    with connection.cursor() as wrapper:
        wrapper.execute(
            "CREATE TEMP TABLE bulk_rows (id bigint, at timestamptz, gone int, word text)"
            " ON COMMIT DROP"
        )
        bulk.copy(
            wrapper.cursor,
            "bulk_rows",
            ("id", "at", "gone", "word"),
            bulk.packed(
                row(4, 8, number, 8, bulk.micros(at_ns + number * 1_000))
                + bulk.NULL
                + bulk.packed_text(text)
                for number, text in enumerate(texts)
            ),
        )
        wrapper.execute("SELECT id, at, gone, word FROM bulk_rows ORDER BY id")
        found = wrapper.fetchall()

    assert found == [
        (number, clock.from_ns(at_ns + number * 1_000), None, text)
        for number, text in enumerate(texts)
    ]


def test_nothing_can_be_copied() -> None:
    with connection.cursor() as wrapper:
        wrapper.execute("CREATE TEMP TABLE bulk_none (id bigint) ON COMMIT DROP")
        assert bulk.packed([]) == b""
        bulk.copy(wrapper.cursor, "bulk_none", ("id",), b"")
        wrapper.execute("SELECT count(*) FROM bulk_none")
        assert wrapper.fetchone() == (0,)


def test_arrays_are_read_by_the_database() -> None:
    numbers = [0, -1, 2**62, -(2**62)]
    words = ["", "open", "a b", "x,y", "{}", "NULL", "'"]

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %s::bigint[], %s::text[]", [bulk.int_array(numbers), bulk.word_array(words)]
        )
        assert cursor.fetchone() == (numbers, words)


@pytest.mark.parametrize("word", ['"', "\\"])
def test_a_word_that_would_need_escaping_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="Not a word"):
        bulk.word_array([word])
