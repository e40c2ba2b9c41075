"""A person with coins and an address to send them to, and time that passes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Permission

from apps.accounts.models import User
from apps.wallets.custody import addresses as chain_addresses
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import network_of
from apps.wallets.withdrawals import addresses, codes, sending
from apps.wallets.withdrawals.actions import confirm_withdrawal, request_withdrawal
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalAddress
from tests import factories

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
HOUR = timedelta(hours=1)


def outside(asset: str = "USDT", name: str = "outside") -> str:
    """An address of somebody else."""
    return chain_addresses.address_of(network_of(asset).name, name)


def rested(person: User, asset: str = "USDT", name: str = "outside") -> WithdrawalAddress:
    """An entry of the address book that can be used."""
    at = NOW - 2 * DAY
    return addresses.add_address(
        actor=person, asset=asset, address=outside(asset, name), label=name, proved_at=at, now=at
    )


def rich(email: str = "ada@example.com", **funds: str) -> factories.Trader:
    """A trader with funds, in a venue whose hot wallet has plenty."""
    factories.listed("BTC-USDT")
    for asset in ("USDT", "BTC"):
        simulated.fill_hot_wallet(asset=asset, amount_minor=10**12)
    return factories.trader(email, **(funds or {"USDT": "10000"}))


def request(who: factories.Trader, amount: str = "100", **asked: Any) -> Withdrawal:
    if "address_id" not in asked and "address" not in asked:
        entry = WithdrawalAddress.objects.filter(person=who.user, removed_at=None).first()
        asked["address_id"] = (entry or rested(who.user)).public_id
    wanted = {"asset": "USDT", "now": NOW, **asked}
    return request_withdrawal(actor=who.user, amount=amount, **wanted)


def confirm(who: factories.Trader, withdrawal: Withdrawal, now: datetime = NOW) -> Withdrawal:
    withdrawal.refresh_from_db()
    return confirm_withdrawal(
        actor=who.user, public_id=withdrawal.public_id, code=codes.code_of(withdrawal), now=now
    )


def confirmed(who: factories.Trader, amount: str = "100", **asked: Any) -> Withdrawal:
    return confirm(who, request(who, amount, **asked))


def go_on(rounds: int = 1, now: datetime = NOW, chain: str = "ethereum", blocks: int = 1) -> None:
    """Let blocks come, and withdrawals with them."""
    for _ in range(rounds):
        sending.advance_all(now=now)
        simulated.mine(chain, now=now, blocks=blocks)
    sending.advance_all(now=now)


def reviewer(email: str = "") -> User:
    """A member of staff who may decide about withdrawals."""
    person = factories.staff(email)
    right = Permission.objects.get(codename="change_withdrawal")
    person.user_permissions.add(right)
    return User.objects.get(pk=person.pk)


def state_of(withdrawal: Withdrawal) -> str:
    return Withdrawal.objects.get(pk=withdrawal.pk).state
