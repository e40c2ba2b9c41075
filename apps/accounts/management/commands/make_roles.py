"""`manage.py make_roles`: the roles of staff as this version of the code has them."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand

from apps.accounts.roles import make_roles, table


class Command(BaseCommand):
    help = "Make the roles of staff, or change them to what this version has. Run after migrate."
    requires_system_checks = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--table", action="store_true", help="Print who may do what, and change nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["table"]:
            self.stdout.write(table())
        else:
            make_roles()
