"""`manage.py prepare`: tables and static files as this version of the code needs them."""

from __future__ import annotations

from typing import Any, Final

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from apps.core import clock, partitions

# What packages bring for pages that we do not have.
NEVER_SERVED: Final = ("rest_framework", "redoc", "swagger-ui-standalone*", "django_htmx")


class Command(BaseCommand):
    help = "Migrate and make the partitions of the coming months; collect the static files."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="*", choices=["tables", "static"], help="Both, if none.")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["what"] or ["tables", "static"]
        if "tables" in wanted:
            call_command("migrate", interactive=False, stdout=self.stdout)
            partitions.ensure_registered(clock.now())
        if "static" in wanted:
            call_command(
                "collectstatic",
                interactive=False,
                clear=True,
                ignore_patterns=list(NEVER_SERVED),
                stdout=self.stdout,
            )
