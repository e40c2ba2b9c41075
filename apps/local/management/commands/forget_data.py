"""`manage.py forget_data`: removes the data folder of `make up`, and what it keeps elsewhere."""

from __future__ import annotations

import shutil
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.local.folder import DataFolder
from apps.local.postgres import Postgres
from apps.local.problems import LocalProblem


class Command(BaseCommand):
    help = "Remove everything that `make up` keeps. It refuses while a copy runs on that data."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        folder = DataFolder(settings.DATA_DIR)
        if not folder.path.exists():
            return
        try:
            folder.open()
        except LocalProblem as problem:
            raise CommandError(str(problem)) from None
        Postgres(folder.path / "postgres", settings.PORT).remove_outside()
        shutil.rmtree(folder.path)
        folder.close()
        self.stdout.write(f"Removed {folder.path}")
