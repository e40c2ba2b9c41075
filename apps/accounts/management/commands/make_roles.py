"""`manage.py make_roles`: the roles of staff as this version of the code has them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from apps.accounts.roles import make_roles


class Command(BaseCommand):
    help = "Make the roles of staff, or change them to what this version has. Run after migrate."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        make_roles()
