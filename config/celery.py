"""The Celery application: background work, and the processes that host the engine."""

from __future__ import annotations

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
# The checks would load every page and form into the processes that host the engine.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

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
    "core-forget-old-answers": {
        "task": "core.forget_old_answers",
        "schedule": 3600.0,
        "options": {"queue": "default", "expires": 3000},
    },
    "core-make-partitions": {
        "task": "core.make_partitions",
        "schedule": 6 * 3600.0,
        "options": {"queue": "default", "expires": 3000},
    },
    # What happened below reaches the apps above; a round that is late is the next one.
    "core-deliver-events": {
        "task": "core.deliver_events",
        "schedule": 1.0,
        "options": {"queue": "default", "expires": 1},
    },
    "core-forget-delivered-events": {
        "task": "core.forget_delivered_events",
        "schedule": 3600.0,
        "options": {"queue": "default", "expires": 3000},
    },
    "core-forget-old-audit": {
        "task": "core.forget_old_audit",
        "schedule": crontab(hour=4, minute=20),
        "options": {"queue": "default", "expires": 3600},
    },
    "accounts-forget-old-sign-ins": {
        "task": "accounts.forget_old_sign_ins",
        "schedule": 3600.0,
        "options": {"queue": "default", "expires": 3000},
    },
    # A pass that is late is of no use: the next one sees what it would have seen.
    "trades-watch-risk": {
        "task": "trades.watch_risk",
        "schedule": 1.0,
        "options": {"queue": "risk", "expires": 1},
    },
    "trades-tell-block-owners": {
        "task": "trades.tell_block_owners",
        "schedule": 1.0,
        "options": {"queue": "default", "expires": 1},
    },
    # It reads the whole ledger, so once, when few are awake.
    "trades-check-positions": {
        "task": "trades.check_positions",
        "schedule": crontab(hour=3, minute=20),
        "options": {"queue": "default", "expires": 3000},
    },
    "notifications-forget-old-notices": {
        "task": "notifications.forget_old_notices",
        "schedule": 3600.0,
        "options": {"queue": "default", "expires": 3000},
    },
    # It reads the whole ledger, so once, when few are awake.
    "wallets-reconcile": {
        "task": "wallets.reconcile",
        "schedule": crontab(hour=3, minute=40),
        "options": {"queue": "default", "expires": 3000},
    },
    # A pass that is late is of no use: the next one sees what it would have seen.
    "wallets-follow-chains": {
        "task": "wallets.follow_chains",
        "schedule": 2.0,
        "options": {"queue": "default", "expires": 2},
    },
    "accounts-recheck-verifications": {
        "task": "accounts.recheck_verifications",
        "schedule": 600.0,
        "options": {"queue": "default", "expires": 590},
    },
    "accounts-make-exports": {
        "task": "accounts.make_exports",
        "schedule": 15.0,
        "options": {"queue": "default", "expires": 14},
    },
    "accounts-forget-exports": {
        "task": "accounts.forget_exports",
        "schedule": 3600.0,
        "options": {"queue": "default", "expires": 3000},
    },
    "accounts-delete-people": {
        "task": "accounts.delete_people",
        "schedule": 300.0,
        "options": {"queue": "default", "expires": 290},
    },
    "accounts-forget-old-documents": {
        "task": "accounts.forget_old_documents",
        "schedule": crontab(hour=4, minute=40),
        "options": {"queue": "default", "expires": 3600},
    },
    "accounts-send-letters": {
        "task": "accounts.send_letters",
        "schedule": 15.0,
        "options": {"queue": "default", "expires": 14},
    },
}
app.conf.worker_direct = True
