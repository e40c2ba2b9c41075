"""Why part of a balance is not free: what holds how much of it, and what is aside of it.

Withdrawals are the wallets' own. Apps above that have the engine hold something say here what and
how much. What nobody accounts for is shown as such: a withdrawal that is being written down, for
the moment that takes, and never anything else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Sum

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.wallets.models import Balance, TradingAccount
from apps.wallets.presentation import AssetUnits, amount_text
from apps.wallets.withdrawals.models import Withdrawal
from apps.wallets.withdrawals.moving import OVER

ORDERS: Final = "orders"
WITHDRAWALS: Final = "withdrawals"
BLOCKS: Final = "blocks"
OTHER: Final = "other"
WORDS: Final = {
    ORDERS: "Open orders",
    WITHDRAWALS: "Withdrawals on their way",
    BLOCKS: "Orders in blocks",
    OTHER: "Being decided right now",
}


@dataclass(frozen=True, slots=True)
class Part:
    """What one reason takes of one asset. What is not ``inside`` has left the balance already."""

    asset_id: int
    reason: str
    amount_minor: int
    count: int
    inside: bool = True


@dataclass(frozen=True, slots=True)
class AssetHolds:
    """The parts that are inside sum to ``held_minor``."""

    asset: AssetUnits
    held_minor: int
    parts: list[Part]


# Gets the number of an account.
Source = Callable[[int], list[Part]]
_sources: list[Source] = []


def register(source: Source) -> None:
    """Have this say what it holds, too; for ``AppConfig.ready()``."""
    if source not in _sources:
        _sources.append(source)


def holds_of(*, viewer: User, account: TradingAccount) -> list[AssetHolds]:
    """Return what is held on the viewer's own account, and why, asset by asset."""
    if account.owner_id is None or account.owner_id != viewer.pk:
        raise NotFound("unknown_account", "You have no such trading account.")
    return holds_of_account(account.id)


def holds_json(holds: AssetHolds) -> dict[str, object]:
    asset = holds.asset
    return {
        "asset": asset.code,
        "held": amount_text(holds.held_minor, asset),
        "parts": [
            {
                "reason": part.reason,
                "words": WORDS[part.reason],
                "amount": amount_text(part.amount_minor, asset),
                "count": part.count,
                "inside": part.inside,
            }
            for part in holds.parts
        ],
    }


def holds_of_account(account_id: int) -> list[AssetHolds]:
    """Return the same of any account; for staff's pages, which ask for the right to accounts."""
    parts: defaultdict[int, list[Part]] = defaultdict(list)
    for source in (*_sources, _by_withdrawals):
        for part in source(account_id):
            parts[part.asset_id].append(part)
    found = []
    rows = Balance.objects.filter(account_id=account_id).select_related("asset")
    for row in rows.order_by("asset_id"):
        mine = parts[row.asset_id]
        rest = row.held_minor - sum(part.amount_minor for part in mine if part.inside)
        if rest:
            mine.append(Part(row.asset_id, OTHER, rest, 1))
        if mine:
            found.append(AssetHolds(row.asset, row.held_minor, mine))
    return found


def _by_withdrawals(account_id: int) -> list[Part]:
    rows = Withdrawal.objects.filter(account_id=account_id)
    open_ones = rows.exclude(state__in=(Withdrawal.State.NEW, *OVER)).order_by()
    sums = open_ones.values_list("asset_id").annotate(Sum("amount_minor"), Count("id"))
    return [Part(asset_id, WITHDRAWALS, int(total), count) for asset_id, total, count in sums]
