"""Makes all positions again from the ledger and compares."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from apps.trades import drift


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # Needs no URLs, templates or faces.
    help = "Makes all positions again from ledger entries and compares. Exits 1 on any difference."

    def handle(self, *args: Any, **options: Any) -> None:
        differences = drift.check()
        for words in differences:
            self.stdout.write(f"WRONG    {words}")
        if differences:
            sys.exit(1)
        self.stdout.write("Every position is what the ledger makes of it.")
