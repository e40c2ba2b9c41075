"""JSON bodies: whatever two readers could understand differently is refused."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError

from apps.core.parsers import BODY_BYTES_MAX, StrictJSONParser, parse_json


def test_a_plain_document_is_read() -> None:
    assert parse_json('{"a": ["1.5", 2, true, null, {"ä": "é😀"}]}'.encode()) == {
        "a": ["1.5", 2, True, None, {"ä": "é😀"}]
    }


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} x', b"\xff\xfe{}", b"\xef\xbb\xbf{}",
        b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e999}', b'{"a": -1e999}',
        b'{"a": 1, "a": 2}', b'{"b": {"a": 1, "a": 1}}', b'{"a": "\\u0000"}', b'{"\\u0000": 1}',
        b'{"a": "\\ud800"}', b'{"a": ' + b"1" * 41 + b"}", b'{"a": ' + b"1" * 5000 + b"}",
        b'{"a": 0.' + b"1" * 50 + b"}", b"[" * 10_000 + b"]" * 10_000, b'{"a":' * 10_000,
        b"[" * 9 + b"]" * 9, b'{"a": 01}', b'{"a": +1}', b'{"a": .5}', b'{"a": "\n"}',
    ],
)  # fmt: skip
def test_anything_doubtful_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_json(body)


def test_a_body_over_the_limit_is_not_read_to_its_end() -> None:
    stream = io.BytesIO(b" " * (BODY_BYTES_MAX * 4))

    with pytest.raises(RequestDataTooBig):
        StrictJSONParser().parse(stream)

    assert stream.tell() == BODY_BYTES_MAX + 1


def test_a_declared_length_over_the_limit_is_enough() -> None:
    stream = io.BytesIO(b"{}")
    request = SimpleNamespace(META={"CONTENT_LENGTH": str(BODY_BYTES_MAX + 1)})

    with pytest.raises(RequestDataTooBig):
        StrictJSONParser().parse(stream, parser_context={"request": request})

    assert stream.tell() == 0


def test_a_view_may_read_more() -> None:
    view = SimpleNamespace(body_bytes_max=BODY_BYTES_MAX * 2)
    body = b'"' + b"x" * (BODY_BYTES_MAX + 10) + b'"'

    assert StrictJSONParser().parse(io.BytesIO(body), parser_context={"view": view}) == (
        "x" * (BODY_BYTES_MAX + 10)
    )
