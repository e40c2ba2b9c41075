"""Serializer fields and the base of all request bodies: nothing is converted, nothing is ignored.

REST framework's own fields accept ``"1_000"``, ``" 1 "``, other alphabets' digits, ``1.0`` for a
whole number and names that nobody knows. These do not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from apps.core import clock, money
from apps.core.errors import DomainError

TEXT_LENGTH_MAX: Final = 255
INTEGER_MAX: Final = 2**62


def _fail(failure: DomainError) -> serializers.ValidationError:
    return serializers.ValidationError(failure.message, code=failure.code)


class StrictField(serializers.Field[Any, Any, Any, Any]):
    """A field that describes itself to the API's schema."""

    def described(self) -> dict[str, Any]:
        raise NotImplementedError

    def to_representation(self, value: Any) -> Any:
        return value


class StrictAmount(StrictField):
    """An amount more than zero as plain decimal text; the owner of the asset reads its scale."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return money.check_text(data)
        except DomainError as failure:
            raise _fail(failure) from None

    def described(self) -> dict[str, Any]:
        return {"type": "string", "format": "decimal", "pattern": money.PATTERN}


class StrictText(StrictField):
    """Text as it was sent, of bounded length, without control characters."""

    default_error_messages = {
        "invalid_text": "Write text of at most {max_length} characters.",
        "too_short": "This must not be empty.",
        "control": "Control characters are not possible here.",
    }

    def __init__(self, *, max_length: int = TEXT_LENGTH_MAX, **options: Any) -> None:
        self.max_length = max_length
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or len(data) > self.max_length:
            self.fail("invalid_text", max_length=self.max_length)
        if not data:
            self.fail("too_short")
        if any(ord(character) < 32 or ord(character) == 127 for character in data):
            self.fail("control")
        return data

    def described(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": self.max_length}


class StrictWholeNumber(StrictField):
    """A whole number in a range; nothing that only looks like one."""

    def __init__(self, *, low: int, high: int, code: str, **options: Any) -> None:
        self.low, self.high, self.code = low, high, code
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int) or not self.low <= data <= self.high:
            raise serializers.ValidationError(
                f"Give a whole number from {self.low} to {self.high}.", code=self.code
            )
        return data

    def described(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


class StrictBoolean(StrictField):
    """``true`` or ``false``, not a word or a number that might mean it."""

    default_error_messages = {"invalid_boolean": "Write true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            self.fail("invalid_boolean")
        return data

    def described(self) -> dict[str, Any]:
        return {"type": "boolean"}


class StrictChoice(serializers.ChoiceField):
    """One of the named words."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in self.choices:
            raise serializers.ValidationError(
                f"Choose one of: {', '.join(map(str, self.choices))}.",
                code="invalid_choice",
            )
        return data


class StrictTime(StrictField):
    """A moment as ISO 8601 text with its offset."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return clock.parse_iso(data)
        except DomainError as failure:
            raise _fail(failure) from None

    def described(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


class StrictUUID(serializers.UUIDField):
    """A UUID in its usual form with hyphens."""

    _FORM: Final = re.compile(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
    )

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or not self._FORM.fullmatch(data):
            raise serializers.ValidationError("Write a UUID.", code="invalid_id")
        return super().to_internal_value(data)


class StrictSerializer(serializers.Serializer[Any]):
    """A request body: a JSON object that holds known names only."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                {"non_field_errors": ["Send a JSON object."]}, code="invalid_body"
            )
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            raise serializers.ValidationError(
                {str(name)[:40]: ["There is no such field."] for name in unknown[:10]},
                code="unknown_field",
            )
        return super().to_internal_value(data)


class QuerySerializer(serializers.Serializer[Any]):
    """Query parameters: text to begin with, and known names only."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = [name for name in data if name not in self.fields]
        if unknown:
            raise serializers.ValidationError(
                {str(name)[:40]: ["There is no such parameter."] for name in unknown[:10]},
                code="unknown_parameter",
            )
        return super().to_internal_value(data)


class QueryInteger(StrictField):
    """A whole number in digits; what is above ``cap`` counts as ``cap``, where there is one."""

    def __init__(
        self, *, low: int = 0, high: int = INTEGER_MAX, cap: int | None = None, code: str,
        **options: Any,
    ) -> None:  # fmt: skip
        self.low, self.high, self.cap, self.code = low, high, cap, code
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> int:
        text = str(data)
        digits = text.isascii() and text.isdecimal() and len(text) <= 19
        value = int(text) if digits else -1
        if self.cap is not None:
            value = min(value, self.cap)
        if not self.low <= value <= self.high:
            raise serializers.ValidationError(
                f"Write a whole number from {self.low} to {self.cap or self.high}.", code=self.code
            )
        return value

    def described(self) -> dict[str, Any]:
        bounds: dict[str, Any] = {"type": "integer", "minimum": self.low}
        return bounds if self.cap is None else {**bounds, "maximum": self.cap}
