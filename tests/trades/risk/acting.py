"""What tests of the risk manager do: set limits of one's own, and try to order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from apps.core.errors import DomainError
from apps.trades.risk.actions import (
    set_own_limits,
)
from apps.trades.risk.rules import LimitSet
from tests.factories import Trader

USDT = 100_000_000
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def own(ada: Trader, now: datetime = NOON, **limits: int) -> None:
    set_own_limits(actor=ada.user, account=ada.account, wanted=LimitSet(**limits), now=now)


def refusal_of(ada: Trader, **asked: Any) -> str:
    terms = {"side": "buy", "quantity": "0.001", "price": "49000", **asked}
    try:
        ada.place(**terms)
    except DomainError as error:
        return error.code
    return ""
