"""`manage.py prepare`: tables and static files as this version of the code needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from apps.accounts.roles import make_roles
from apps.core import clock, partitions
from apps.local.folder import MARK

# What packages bring for pages that we do not have.
NEVER_SERVED: Final = ("rest_framework", "redoc", "swagger-ui-standalone*", "django_htmx")


class Command(BaseCommand):
    help = "Migrate, make roles and the partitions of the coming months; collect the static files."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", nargs="*", choices=["tables", "static"], help="Both, if none.")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["what"] or ["tables", "static"]
        if "tables" in wanted:
            call_command("migrate", interactive=False, stdout=self.stdout)
            make_roles()
            partitions.ensure_registered(clock.now())
        if "static" in wanted:
            call_command(
                "collectstatic",
                interactive=False,
                clear=_is_ours(Path(settings.STATIC_ROOT), Path(settings.DATA_DIR)),
                ignore_patterns=list(NEVER_SERVED),
                stdout=self.stdout,
            )


def _is_ours(static_root: Path, data_dir: Path) -> bool:
    """Whether the folder may be emptied: the one of our own data folder, never one that was named.

    Emptying takes everything there is, and follows links out of the folder.
    """
    return (data_dir / MARK).is_file() and static_root == data_dir / "static"
