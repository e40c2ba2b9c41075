"""Writes all projections anew from the journal."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.matching import projector
from apps.matching.journal import CorruptJournal


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # Needs no URLs, templates or faces.
    help = "Empties the projections and writes them again from the journal, in one transaction."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            seq = projector.rebuild(shard=settings.MATCHING_SHARD)
        except (projector.OffsetMoved, CorruptJournal) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The projections have been written again, up to seq {seq}.")
