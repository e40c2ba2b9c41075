"""Background work on notices."""

from celery import shared_task

from apps.core import clock
from apps.notifications import actions


@shared_task(name="notifications.forget_old_notices", ignore_result=True)
def forget_old_notices() -> None:
    """Drop notices that were read long ago."""
    actions.forget_old_notices(now=clock.now())
