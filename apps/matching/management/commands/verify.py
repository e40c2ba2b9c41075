"""Checks that journal, replay, snapshots, ledger and projections agree."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from apps.matching import verify


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # Needs no URLs, templates or faces.
    help = "Replays the journal and compares everything with it. Exits 1 on any difference."

    def handle(self, *args: Any, **options: Any) -> None:
        report = verify.verify(shard=settings.MATCHING_SHARD)
        for words in report.checked:
            self.stdout.write(f"checked  {words}")
        for words in report.differences[: verify.DIFFERENCES_SHOWN]:
            self.stdout.write(f"WRONG    {words}")
        if report.differences:
            self.stdout.write(f"{len(report.differences)} differences.")
            sys.exit(1)
        self.stdout.write("No difference.")
