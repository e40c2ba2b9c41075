"""Keeps the house accounts able to quote: who is short of what, and how much to bring in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from django.db import close_old_connections

from apps.wallets.actions import MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID
from apps.wallets.queries import house_balances

# Whole units of one deposit: some hundred times what the house quotes and trades in an hour.
TOP_UP_UNITS: Final = {
    "USDT": 100_000_000,
    "BTC": 1_000,
    "ETH": 30_000,
    "SOL": 500_000,
    "XRP": 50_000_000,
    "DOGE": 500_000_000,
}
# An asset that nobody thought of: enough to find out.
_OTHER_UNITS: Final = 100_000


def top_up_minor(code: str, scale: int) -> int:
    """Return the size of one deposit."""
    return int(TOP_UP_UNITS.get(code, _OTHER_UNITS) * 10**scale)


def shortfalls(amounts_minor: dict[int, int]) -> Iterable[tuple[int, int]]:
    """Yield (account, asset) of the house that has less than half of one deposit left."""
    close_old_connections()
    held = {
        (balance.account_id, balance.asset_id): balance.available_minor + balance.held_minor
        for balance in house_balances()
    }
    for account_id in (MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID):
        for asset_id, amount_minor in amounts_minor.items():
            if 2 * held.get((account_id, asset_id), 0) < amount_minor:
                yield account_id, asset_id
