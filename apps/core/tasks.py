"""Background work that belongs to no business."""

from celery import shared_task

from apps.core import clock, idempotency


@shared_task(name="core.forget_old_answers", ignore_result=True)
def forget_old_answers() -> None:
    """Drop the kept answers of idempotent requests after their day."""
    idempotency.forget_old_answers(now=clock.now())
