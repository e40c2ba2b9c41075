"""The Celery application: background work, and the processes that host the engine."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("sum1")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    # A safety net: a matching worker leads or stands by from its start on, of its own accord.
    "matching-ensure": {
        "task": "matching.ensure",
        "schedule": 1.0,
        "options": {"queue": "matching", "expires": 2},
    },
    "matching-snapshot": {
        "task": "matching.take_snapshot",
        "schedule": 60.0,
        "options": {"queue": "default", "expires": 55},
    },
}
app.conf.worker_direct = True
