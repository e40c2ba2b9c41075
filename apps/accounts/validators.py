"""Our rules for passwords, as Django's and allauth's forms ask for them."""

from __future__ import annotations

from apps.accounts import password_rules
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.models import User


class GoodEnough:
    """The one validator there is."""

    def validate(self, password: str, user: User | None = None) -> None:
        beside = user is not None and user.pk is not None and has_second_factor(person=user)
        password_rules.check(password, person=user, has_second_factor=beside)

    def get_help_text(self) -> str:
        return (
            f"At least {password_rules.LENGTH_ALONE} characters: a few plain words are easy to "
            "remember and hard to guess. Spaces and every alphabet are fine."
        )
