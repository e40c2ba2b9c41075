"""`manage.py rotate_token_keys`: a fresh key signs access tokens from now on."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.accounts import signing_keys
from apps.core import clock


class Command(BaseCommand):
    help = (
        "Make a new key for access tokens. Tokens of the old one are good until they have run out, "
        "eleven minutes at most; with --at-once they end within seconds, and clients refresh."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--at-once", action="store_true", help="An old key was stolen.")

    def handle(self, *args: Any, **options: Any) -> None:
        name = signing_keys.rotate(now=clock.now(), at_once=options["at_once"])
        self.stdout.write(f"Access tokens are signed with {name} from now on.")
