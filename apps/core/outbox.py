"""Events on their way up: written with what happened, handed to the apps above afterwards.

``emit`` writes an event in the transaction of whoever calls it: both are there, or neither is. Apps
above ``subscribe`` when they are ready. A background task hands each event to each subscriber, in a
transaction that also notes that it was done, so that the effect comes once, whatever dies when.
A subscriber that fails is tried again, later and later, and holds up nothing else; events are
handed over roughly in the order in which they were emitted, and no subscriber may count on it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Exists, Min, OuterRef, QuerySet

from apps.core.models import OutboxDelivery, OutboxEvent

logger = logging.getLogger(__name__)

# Gets the event's data and the present moment; what it writes is one transaction with the note
# that it was done. What reaches outside the database may be done again, so it must bear that.
Handler = Callable[[dict[str, Any], datetime], None]

EVENTS_PER_ROUND: Final = 500
ROUND_SECONDS: Final = 20.0
FIRST_PAUSE_SECONDS: Final = 5
PAUSE_SECONDS_MAX: Final = 3600
# So long the same key is known to be the same event.
KEPT: Final = timedelta(days=30)
EVENTS_PER_FORGETTING: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Subscriber:
    topic: str
    handler: Handler


_subscribers: dict[str, _Subscriber] = {}


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for one subscriber; ``name`` is empty where nobody listens to the topic."""

    topic: str
    name: str
    count: int
    oldest: datetime


def emit(topic: str, data: Mapping[str, object], *, key: str, now: datetime) -> None:
    """Write an event in the caller's transaction; with a key that was there before, nothing."""
    event = OutboxEvent(topic=topic, key=key, data=dict(data), emitted_at=now)
    OutboxEvent.objects.bulk_create([event], ignore_conflicts=True)


def subscribe(topic: str, name: str, handler: Handler) -> None:
    """Have the handler called once for each event of the topic, in a transaction of its own.

    For ``AppConfig.ready()``. The name is kept with each event, so it stays as it is for good.
    """
    known = _subscribers.setdefault(name, _Subscriber(topic, handler))
    if known.topic != topic:
        raise ValueError(f"The subscriber {name} listens to {known.topic} already.")


def deliver(*, now: datetime) -> int:
    """Hand over what waits and return how much that was. Several may do so at the same time."""
    _hand_out(now)
    count, until = 0, time.monotonic() + ROUND_SECONDS
    while time.monotonic() < until:
        delivery_id = _claim(_due(now), now)
        if delivery_id is None:
            break
        count += _run(delivery_id, now)
    return count


def retry(*, delivery_id: int, now: datetime) -> bool:
    """Try one delivery at once, and return whether it is done now."""
    _claim(OutboxDelivery.objects.filter(pk=delivery_id, done_at=None), now)
    _run(delivery_id, now)
    return OutboxDelivery.objects.filter(pk=delivery_id).exclude(done_at=None).exists()


def forget_delivered(*, now: datetime) -> int:
    """Drop old events that every subscriber has got; return how many."""
    old = OutboxEvent.objects.filter(emitted_at__lt=now - KEPT).exclude(handed_out_at=None)
    undone = OutboxDelivery.objects.filter(event=OuterRef("pk"), done_at=None)
    settled = old.filter(~Exists(undone)).order_by("emitted_at")
    ids = list(settled.values_list("pk", flat=True)[:EVENTS_PER_FORGETTING])
    OutboxEvent.objects.filter(pk__in=ids).delete()
    return len(ids)


def waiting() -> list[Waiting]:
    """Return what waits, for each subscriber, and what nobody listens to."""
    unheard = (
        OutboxEvent.objects.filter(handed_out_at=None)
        .values_list("topic")
        .annotate(Count("pk"), Min("emitted_at"))
    )
    undone = (
        OutboxDelivery.objects.filter(done_at=None)
        .values_list("event__topic", "name")
        .annotate(Count("pk"), Min("event__emitted_at"))
    )
    return [
        *(Waiting(topic, "", count, oldest) for topic, count, oldest in unheard.order_by("topic")),
        *(Waiting(*row) for row in undone.order_by("event__topic", "name")),
    ]


def failing() -> QuerySet[OutboxDelivery]:
    """Return what was tried in vain, the oldest first."""
    tried = OutboxDelivery.objects.filter(done_at=None, tries__gt=0)
    return tried.select_related("event").order_by("id")


def _hand_out(now: datetime) -> None:
    """Give each subscriber a delivery of each new event.

    An event that nobody listens to stays as it is: ``manage.py outbox`` shows it.
    """
    topics = {subscriber.topic for subscriber in _subscribers.values()}
    with transaction.atomic():
        new = OutboxEvent.objects.select_for_update(skip_locked=True)
        events = list(
            new.filter(handed_out_at=None, topic__in=topics)
            .order_by("id")
            .only("id", "topic")[:EVENTS_PER_ROUND]
        )
        OutboxDelivery.objects.bulk_create(
            [
                OutboxDelivery(event=event, name=name, next_try_at=now)
                for event in events
                for name, subscriber in _subscribers.items()
                if subscriber.topic == event.topic
            ]
        )
        OutboxEvent.objects.filter(pk__in=[event.pk for event in events]).update(handed_out_at=now)


def _due(now: datetime) -> QuerySet[OutboxDelivery]:
    due = OutboxDelivery.objects.filter(done_at=None, next_try_at__lte=now)
    return due.filter(name__in=_subscribers).order_by("next_try_at", "id")


def _claim(wanted: QuerySet[OutboxDelivery], now: datetime) -> int | None:
    """Count a try before it is made, so that one that kills the process does not come first again.

    The pause after it is noted with it: nobody else comes to it while it runs.
    """
    with transaction.atomic():
        delivery = wanted.select_for_update(skip_locked=True, of=("self",)).first()
        if delivery is None:
            return None
        delivery.next_try_at = now + _pause(delivery.tries)
        delivery.tries += 1
        delivery.save(update_fields=["tries", "next_try_at"])
        return delivery.pk


def _run(delivery_id: int, now: datetime) -> bool:
    """Make the try, and return whether it is done now. Another process that is at it goes first."""
    with transaction.atomic():
        free = OutboxDelivery.objects.select_for_update(skip_locked=True, of=("self",))
        delivery = free.select_related("event").filter(pk=delivery_id, done_at=None).first()
        if delivery is None or delivery.name not in _subscribers:
            return False
        try:
            with transaction.atomic():
                _subscribers[delivery.name].handler(delivery.event.data, now)
        except Exception as failure:
            # Whatever it is, it must not keep others waiting; it is shown, and tried again.
            logger.exception("Outbox: delivery %s to %s failed.", delivery.pk, delivery.name)
            delivery.failure = f"{type(failure).__name__}: {failure}"[:300]
        else:
            delivery.done_at, delivery.failure = now, ""
        delivery.save(update_fields=["done_at", "failure"])
    return delivery.done_at is not None


def _pause(tries: int) -> timedelta:
    """Return how long to wait after one more try: twice as long each time, an hour at most."""
    return timedelta(seconds=min(FIRST_PAUSE_SECONDS * 2 ** min(tries, 16), PAUSE_SECONDS_MAX))
