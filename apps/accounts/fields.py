"""Fields of the API that only people's accounts have."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

from apps.core.fields import StrictText

LENGTH_MAX = 254


class AddressText(StrictText):
    """An e-mail address; one in capitals is the same."""

    default_error_messages = {"invalid_email": "Write an e-mail address."}

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=LENGTH_MAX, **options)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            EmailValidator()(text)
        except ValidationError:
            self.fail("invalid_email")
        return text.lower()

    def described(self) -> dict[str, Any]:
        return {**super().described(), "format": "email"}
