"""The demo world: markets, people with play money, and a rich house that makes the markets.

Everything is done by the actions of the other apps and may be done again: what is there stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from apps.accounts.actions import register_person
from apps.accounts.models import User
from apps.accounts.queries import person_by_email
from apps.markets.actions import list_instrument, set_instrument
from apps.markets.catalogue import STANDARD_MARKETS
from apps.markets.models import Asset, Instrument
from apps.wallets.actions import (
    MAKER_ACCOUNT_ID,
    TAKER_ACCOUNT_ID,
    deposit,
    open_house_accounts,
)
from apps.wallets.custody import simulated
from apps.wallets.models import TradingAccount
from apps.wallets.welcome import welcome
from apps.wallets.withdrawals.demo import give_demo_addresses

DEMO_PASSWORD: Final = "sum1-demo-password"


@dataclass(frozen=True)
class DemoPerson:
    email: str
    display_name: str
    is_staff: bool = False


DEMO_PEOPLE: Final = (
    DemoPerson("trader1@example.com", "Ada"),
    DemoPerson("trader2@example.com", "Grace"),
    DemoPerson("trader3@example.com", "Edsger"),
    DemoPerson("staff@example.com", "Staff", is_staff=True),
    # Opening a market takes two.
    DemoPerson("staff2@example.com", "Second", is_staff=True),
)
DEMO_EMAILS: Final = tuple(person.email for person in DEMO_PEOPLE)

# Whole units for each of the two house accounts: enough that quoting never stops for want of it,
# small enough that the world outside, which owes all of it, stays far inside 64 bits.
HOUSE_FUNDS: Final = {
    "USDT": 5_000_000_000,
    "BTC": 100_000,
    "ETH": 1_000_000,
    "SOL": 20_000_000,
    "XRP": 5_000_000_000,
    "DOGE": 10_000_000_000,
}


# What can leave at once; a withdrawal that is larger shows how one waits.
HOT_WALLET: Final = {
    "USDT": 250_000,
    "BTC": 3,
    "ETH": 60,
    "SOL": 1_500,
    "XRP": 100_000,
    "DOGE": 1_000_000,
}


def build_demo_world(*, now: datetime, say: Callable[[str], None]) -> None:
    """Make what is missing of the demo world."""
    say("House accounts")
    open_house_accounts(now=now)
    say("Markets")
    for spec in STANDARD_MARKETS:
        list_instrument(actor=None, spec=spec)
    _switch_halts_on()
    say("Funds of the house")
    _fund_house()
    say("Hot wallet")
    simulated.fill_demo_wallet(HOT_WALLET)
    say("People")
    for person in DEMO_PEOPLE:
        user = _person(person, now)
        welcome(user, now)
        give_demo_addresses(person=user, now=now)


def _switch_halts_on() -> None:
    """Markets that were listed before there were halts get them, too."""
    for spec in STANDARD_MARKETS:
        without = Instrument.objects.filter(symbol=spec.symbol, limit_state_seconds=0).first()
        if without is not None:
            set_instrument(
                actor=None, instrument=without,
                limit_state_seconds=spec.limit_state_seconds, halt_seconds=spec.halt_seconds,
            )  # fmt: skip


def _fund_house() -> None:
    assets = {asset.code: asset for asset in Asset.objects.all()}
    for account in TradingAccount.objects.filter(id__in=(MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID)):
        for code, units in HOUSE_FUNDS.items():
            deposit(
                account=account,
                asset=assets[code],
                amount_minor=units * 10 ** assets[code].scale,
                reference="house",
            )


def _person(person: DemoPerson, now: datetime) -> User:
    found = person_by_email(email=person.email)
    if found is not None:
        return found
    return register_person(
        email=person.email,
        password=DEMO_PASSWORD,
        display_name=person.display_name,
        now=now,
        is_staff=person.is_staff,
        is_superuser=person.is_staff,
        # Known well enough to try everything that takes it.
        kyc_tier=2,
    )
