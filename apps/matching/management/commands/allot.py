"""Goes on with a block whose allotment made the engine raise, once that is mended."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import DomainError
from apps.matching import actions


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # Needs no URLs, templates or faces.
    help = "Allots a block that was put aside; the host goes on with it from there."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("block_id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            seq = actions.allot(block_id=options["block_id"])
        except DomainError as error:
            raise CommandError(f"{error.message} ({error.code})") from error
        self.stdout.write(f"The host goes on with block {options['block_id']} from seq {seq}.")
