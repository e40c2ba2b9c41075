"""Background work that belongs to no business."""

from celery import shared_task

from apps.core import clock, idempotency, partitions


@shared_task(name="core.forget_old_answers", ignore_result=True)
def forget_old_answers() -> None:
    """Drop the kept answers of idempotent requests after their day."""
    idempotency.forget_old_answers(now=clock.now())


@shared_task(name="core.make_partitions", ignore_result=True)
def make_partitions() -> None:
    """Have partitions ready for the months to come; once made, it does nothing."""
    partitions.ensure_registered(clock.now())
