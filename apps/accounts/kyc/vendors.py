"""Who looks at documents: our own staff, or a company that answers by a signed message.

An installation that has such a company registers it when it is ready and names it in KYC_VENDOR;
its ``begin`` runs in the background, after the submission is committed, and may be repeated.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from django.conf import settings

from apps.core.errors import NotSignedIn

if TYPE_CHECKING:
    from apps.accounts.kyc.models import Verification

MANUAL: Final = "manual"
MESSAGE_AGE_MAX: Final = timedelta(minutes=5)
APPROVED: Final = "approved"
REFUSED: Final = "refused"


class Vendor(Protocol):
    """A company that checks documents."""

    def begin(self, verification: Verification, now: datetime) -> str:
        """Hand the verification over; return what the vendor calls it."""
        ...


class Manual:
    """Our own staff: what is submitted waits in their queue."""

    def begin(self, verification: Verification, now: datetime) -> str:
        return str(verification.pk)


_vendors: dict[str, Vendor] = {MANUAL: Manual()}


def register(name: str, vendor: Vendor) -> None:
    """Offer a vendor; ``KYC_VENDOR`` chooses one."""
    _vendors[name] = vendor


def vendor_named(name: str) -> Vendor:
    """Return the vendor of this name."""
    return _vendors[name]


def signature_of(body: bytes, timestamp: str) -> str:
    """Return what a vendor signs a message with: HMAC-SHA256 of its time and its body."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(settings.KYC_WEBHOOK_SECRET.encode(), signed, hashlib.sha256).hexdigest()


def check_signature(*, body: bytes, timestamp: str, signature: str, now: datetime) -> None:
    """Refuse a message that the vendor has not signed within the last minutes."""
    digits = timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12
    age = abs(now.timestamp() - int(timestamp)) if digits else MESSAGE_AGE_MAX.total_seconds() + 1
    expected = signature_of(body, timestamp) if settings.KYC_WEBHOOK_SECRET else ""
    is_right = hmac.compare_digest(expected.encode(), signature.encode())
    if not expected or not is_right or age > MESSAGE_AGE_MAX.total_seconds():
        raise NotSignedIn("signature_invalid", "This message is not signed by our vendor.")
