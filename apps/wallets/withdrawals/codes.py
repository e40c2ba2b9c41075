"""Codes that go by e-mail and confirm a withdrawal.

A code is made of the withdrawal, its number and our secret, so that it is kept nowhere: whoever
reads the tables cannot confirm anything.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.core.mail import send_mail

from apps.core import outbox
from apps.core.money import format_minor
from apps.wallets.withdrawals.models import Withdrawal

TOPIC: Final = "withdrawal_code"
DIGITS: Final = 6
_TEXT: Final = """\
Hello {name},

somebody, hopefully you, wants to send {amount} {asset} from your account to

    {address}

Compare the address with where you want it to go. If all of it is right, the code is

    {code}

If it was not you, do not give the code to anybody: cancel the withdrawal on your wallet page, and
choose a new password. Without the code nothing is sent, and after 24 hours the money is back.
"""


def code_of(withdrawal: Withdrawal) -> str:
    """Return the code that confirms the withdrawal now."""
    key = b"sum1 withdrawal code\n" + settings.SECRET_KEY.encode()
    about = f"{withdrawal.public_id}\n{withdrawal.code_number}"
    digest = hmac.new(key, about.encode(), hashlib.sha256).digest()
    return str(int.from_bytes(digest[:8], "big") % 10**DIGITS).rjust(DIGITS, "0")


def is_code(withdrawal: Withdrawal, text: str) -> bool:
    """Whether the text is the code, in a time that tells nothing of it."""
    return hmac.compare_digest(text.strip().encode(), code_of(withdrawal).encode())


def ask_to_send(withdrawal: Withdrawal, now: datetime) -> None:
    """Have the code sent, once the caller's transaction is through."""
    key = f"{TOPIC}:{withdrawal.pk}:{withdrawal.code_number}"
    outbox.emit(TOPIC, {"withdrawal_id": withdrawal.pk}, key=key, now=now)


def send(data: dict[str, Any], now: datetime) -> None:
    """The outbox's handler: send the code, where there is still something to confirm."""
    rows = Withdrawal.objects.select_related("owner", "asset")
    withdrawal = rows.filter(pk=data["withdrawal_id"], state=Withdrawal.State.REQUESTED).first()
    if withdrawal is None:
        return
    amount = format_minor(withdrawal.amount_minor, withdrawal.asset.scale)
    text = _TEXT.format(
        name=withdrawal.owner, amount=amount, asset=withdrawal.asset.code,
        address=withdrawal.address, code=code_of(withdrawal),
    )  # fmt: skip
    subject = f"SUM+1: your code for sending {amount} {withdrawal.asset.code}"
    send_mail(subject, text, None, [withdrawal.owner.email])
