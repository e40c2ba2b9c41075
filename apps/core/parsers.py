"""The one reader of JSON bodies. It refuses whatever two readers could understand differently.

Refused: bodies over the limit, deep nesting, duplicate names, NaN and Infinity, numbers without
end, NUL and lone surrogates in text, and anything but one JSON document in UTF-8.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, Final

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

BODY_BYTES_MAX: Final = 64 * 1024
DEPTH_MAX: Final = 8
_NUMBER_LENGTH_MAX: Final = 40


class StrictJSONParser(BaseParser):
    """Reads at most the view's ``body_bytes_max`` (64 KB where it names none)."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        context = parser_context or {}
        limit = getattr(context.get("view"), "body_bytes_max", BODY_BYTES_MAX)
        request = context.get("request")
        declared = request.META.get("CONTENT_LENGTH") if request is not None else None
        if declared and declared.isdecimal() and int(declared) > limit:
            raise RequestDataTooBig
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestDataTooBig
        return parse_json(body)


def parse_json(body: bytes) -> Any:
    """Return the document, or raise ``ParseError`` in words."""
    try:
        document = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError:
        raise ParseError("The body is not UTF-8.") from None
    except RecursionError:
        raise ParseError("The body is nested too deeply.") from None
    except ValueError as failure:
        raise ParseError(f"The body is not JSON that can be accepted: {failure}.") from None
    _check(document)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError("a name appears twice in one object")
        found[name] = value
    return found


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def _float(text: str) -> float:
    value = float(text) if len(text) <= _NUMBER_LENGTH_MAX else math.inf
    if not math.isfinite(value):
        raise ValueError("a number is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > _NUMBER_LENGTH_MAX:
        raise ValueError("a number is out of range")
    return int(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_constant,
    parse_float=_float,
    parse_int=_int,
)


def _check(document: Any) -> None:
    waiting = [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEPTH_MAX:
            raise ParseError("The body is nested too deeply.")
        if isinstance(value, dict):
            waiting.extend((name, depth) for name in value)
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)
        elif isinstance(value, str) and not _is_clean(value):
            raise ParseError("The body holds characters that are no text.")


def _is_clean(text: str) -> bool:
    if "\x00" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
