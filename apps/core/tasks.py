"""Background work that belongs to no business."""

from celery import shared_task

from apps.core import audit, clock, idempotency, outbox, partitions


@shared_task(name="core.forget_old_answers", ignore_result=True)
def forget_old_answers() -> None:
    """Drop the kept answers of idempotent requests after their day."""
    idempotency.forget_old_answers(now=clock.now())


@shared_task(name="core.make_partitions", ignore_result=True)
def make_partitions() -> None:
    """Have partitions ready for the months to come; once made, it does nothing."""
    partitions.ensure_registered(clock.now())


@shared_task(name="core.deliver_events", ignore_result=True)
def deliver_events() -> None:
    """Hand to the apps above what has happened below."""
    outbox.deliver(now=clock.now())


@shared_task(name="core.forget_delivered_events", ignore_result=True)
def forget_delivered_events() -> None:
    """Drop events that everybody has got, a month later."""
    outbox.forget_delivered(now=clock.now())


@shared_task(name="core.forget_old_audit", ignore_result=True)
def forget_old_audit() -> None:
    """Drop what the audit trail need not keep any more."""
    audit.forget_old(now=clock.now())
