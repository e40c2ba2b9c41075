#!/usr/bin/env python
"""Command line of the project: `python manage.py help` lists what it can do."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
    from django.core.management import execute_from_command_line

    from config import env

    try:
        execute_from_command_line(sys.argv)
    except env.Refused as refused:
        sys.exit(str(refused))
