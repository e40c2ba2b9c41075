"""An account that its owner has frozen: the engine cancels its orders and takes no more of them.

What is decided is written here, in the transaction of the event; the watch tells the engine within
a second, and again until it has heard.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.trades.risk.actions import active_restrictions, locked_state, strictest, want
from apps.trades.risk.models import Restriction
from apps.wallets.models import TradingAccount


def freeze_accounts(data: dict[str, Any], now: datetime) -> None:
    """Block every account of a person who has frozen theirs."""
    for account in TradingAccount.objects.filter(owner_id=data["person_id"]).order_by("id"):
        with transaction.atomic():
            state = locked_state(account.id)
            if active_restrictions(account.id).filter(cause=Restriction.Cause.OWNER).exists():
                continue
            Restriction.objects.create(
                account=account, cause=Restriction.Cause.OWNER,
                state=Restriction.State.BLOCKED, own_limit=True, measured=0, limit=0,
                reason=data.get("words", "Frozen by its owner."), since=now,
            )  # fmt: skip
            want(state, strictest(account.id))


def unfreeze_accounts(data: dict[str, Any], now: datetime) -> None:
    """End what ``freeze_accounts`` began; what else restricts an account stays."""
    for account in TradingAccount.objects.filter(owner_id=data["person_id"]).order_by("id"):
        with transaction.atomic():
            state = locked_state(account.id)
            mine = active_restrictions(account.id).filter(cause=Restriction.Cause.OWNER)
            if mine.update(lifted_at=now, lift_reason="Unfrozen by its owner."):
                want(state, strictest(account.id))
