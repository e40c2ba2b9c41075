"""`manage.py outbox`: events that wait for an app above, those that fail, and one more try."""

from __future__ import annotations

import argparse
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from apps.core import clock, outbox

SHOWN_MAX: Final = 50


class Command(BaseCommand):
    help = "Shows what waits in the outbox and what fails; --retry tries one delivery at once."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--retry", type=int, metavar="NUMBER", help="a delivery as shown")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["retry"] is not None:
            self._retry(options["retry"])
        else:
            self._show()

    def _show(self) -> None:
        for row in outbox.waiting():
            to = f"for {row.name}" if row.name else "nobody listens yet, or the task has not run"
            self.stdout.write(f"{row.count} {row.topic}: {to}, since {clock.iso(row.oldest)}")
        failing = outbox.failing()
        for delivery in failing[:SHOWN_MAX]:
            self.stdout.write(
                f"FAILS  {delivery.pk}  {delivery.event} for {delivery.name},"
                f" {delivery.tries} tries, next at {clock.iso(delivery.next_try_at)}:"
                f" {delivery.failure or 'under way, or the process died in it'}"
            )
        if (more := failing.count() - SHOWN_MAX) > 0:
            self.stdout.write(f"… and {more} more that fail")
        if not outbox.waiting():
            self.stdout.write("Nothing waits.")

    def _retry(self, number: int) -> None:
        if not outbox.retry(delivery_id=number, now=clock.now()):
            raise CommandError(f"Delivery {number} is not done; `manage.py outbox` says why.")
        self.stdout.write(f"Delivery {number} is done.")
