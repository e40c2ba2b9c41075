"""Addresses in the books of demo people, rested already, so that coins can leave at once."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from apps.accounts.models import User
from apps.wallets.assets import all_assets
from apps.wallets.custody.addresses import address_of
from apps.wallets.custody.interface import network_of
from apps.wallets.withdrawals.addresses import COOLDOWN
from apps.wallets.withdrawals.models import WithdrawalAddress

ASSETS: Final = ("USDT", "BTC", "ETH")
LABEL: Final = "My own wallet"


def give_demo_addresses(*, person: User, now: datetime) -> None:
    """Give the person an address outside for each of the usual assets, once."""
    known = all_assets()
    if WithdrawalAddress.objects.filter(person=person).exists():
        return
    for code in ASSETS:
        if code not in known:
            continue
        chain = network_of(code).name
        WithdrawalAddress.objects.create(
            person=person, asset_id=known[code].id, chain=chain, label=LABEL,
            address=address_of(chain, f"demo {person.email}"), created_at=now - COOLDOWN,
            usable_at=now, told_usable=True,
        )  # fmt: skip
