"""Opens, restricts or halts the venue: what staff do after an alarm, or to stop everything."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import DomainError
from apps.matching import actions


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # Needs no URLs, templates or faces.
    help = "Sets the state of the venue; `halted --cancel-all` is the kill switch."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("state", choices=sorted(actions.VENUE_STATES))
        parser.add_argument(
            "--cancel-all", action="store_true", help="also cancel every open order"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            seq = actions.set_venue(state=options["state"], cancel_all=options["cancel_all"])
        except DomainError as error:
            raise CommandError(f"{error.message} ({error.code})") from error
        self.stdout.write(f"The venue is {options['state']} from seq {seq} on.")
