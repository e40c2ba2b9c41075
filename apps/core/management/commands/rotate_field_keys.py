"""`manage.py rotate_field_keys`: every sealed value under the newest key of FIELD_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core import crypto, sealed


class Command(BaseCommand):
    help = (
        "Wrap every sealed value under the first key of FIELD_KEYS. Put a new key in front, start "
        "all processes again, run this, then take the old key out. It can be broken off and run "
        "again at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new-key", action="store_true", help="Only print a fresh key.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_key"]:
            self.stdout.write(crypto.new_key())
            return
        unreadable = 0
        for place, done in sealed.rewrap_everything():
            self.stdout.write(f"{place}: {done.wrapped} wrapped anew")
            unreadable += done.unreadable
        if unreadable:
            raise CommandError(
                f"{unreadable} values cannot be opened by any key of FIELD_KEYS; the log names "
                "them. Keep every key until they are found."
            )
        self.stdout.write(
            f"Every sealed value is under the key {crypto.newest_key_id().hex()}; older keys can "
            "be taken out of FIELD_KEYS."
        )
