"""Letters to people, by e-mail.

A letter is written into a table, in the transaction of what it tells about, and sent by background
work: no request waits for a mail server, and none is lost while that is away.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.core.mail import send_mail
from django.db import transaction

from apps.accounts.models import Letter, User
from apps.matching import failpoints

logger = logging.getLogger(__name__)

LETTERS_PER_ROUND: Final = 50
# After so long it is no news any more.
GIVEN_UP_AFTER: Final = timedelta(days=2)


def write(*, person: User, subject: str, text: str, now: datetime) -> None:
    """Have a letter sent; in the transaction of what it tells about, so that both are or neither.

    The subject is ours. What strangers wrote belongs into the text. Who is deleted gets none.
    """
    if person.is_deleted:
        return
    Letter.objects.create(person=person, subject=subject, text=text, written_at=now)


def send_letters(*, now: datetime) -> int:
    """Send what waits and return how many. One that cannot be sent is tried again next time."""
    Letter.objects.filter(written_at__lt=now - GIVEN_UP_AFTER).delete()
    # Those that failed least go first, so that a bad address keeps nobody waiting.
    waiting = Letter.objects.order_by("tries", "id").values_list("id", flat=True)
    return sum(_send(letter_id) for letter_id in list(waiting[:LETTERS_PER_ROUND]))


def _send(letter_id: int) -> bool:
    """Send one letter, and forget it in a transaction of its own.

    A process that dies after the mail server took it leaves it there, and it is sent again: no
    two things outside of each other end at one moment. That is one letter, and not a round of them.
    """
    with transaction.atomic():
        waiting = Letter.objects.select_for_update(skip_locked=True, of=("self",))
        letter = waiting.select_related("person").filter(id=letter_id).first()
        if letter is None:
            # Another process is at it, or was.
            return False
        failpoints.reach(failpoints.LETTER_READ)
        try:
            send_mail(f"SUM+1: {letter.subject}", letter.text, None, [letter.person.email])
        except OSError as failure:
            # Everything that SMTP and its sockets raise; the address is not for the log.
            logger.warning("Letter %s was not sent: %s", letter.pk, type(failure).__name__)
            letter.tries += 1
            letter.save(update_fields=["tries"])
            return False
        failpoints.reach(failpoints.LETTER_SENT)
        letter.delete()
    return True
