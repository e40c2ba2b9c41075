"""`manage.py prepare`: tables and static files as this version of the code needs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from apps.core import clock, partitions
from apps.local.preparation import static_stamp


class Command(BaseCommand):
    help = "Migrate, make the partitions of the coming months, and collect changed static files."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=1, stdout=self.stdout)
        partitions.ensure_registered(clock.now())
        self._collect_static()

    def _collect_static(self) -> None:
        stamp_file = Path(settings.DATA_DIR) / "run" / "static.stamp"
        manifest = Path(settings.STATIC_ROOT) / "staticfiles.json"
        stamp = static_stamp()
        if manifest.exists() and stamp_file.exists() and stamp_file.read_text() == stamp:
            self.stdout.write("Static files are unchanged.")
            return
        call_command("collectstatic", interactive=False, clear=True, verbosity=1)
        stamp_file.parent.mkdir(parents=True, exist_ok=True)
        stamp_file.write_text(stamp)
