"""People, accounts, markets and orders for tests, made by the real actions.

Everything needs the ``engine_gateway`` fixture. Amounts are decimal text, as everywhere outside.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.test import override_settings

from apps.accounts.actions import register_person
from apps.accounts.models import User
from apps.accounts.roles import MARKET_OPERATIONS
from apps.core import clock
from apps.core.money import parse_positive
from apps.engine.messages import Cancel
from apps.markets.actions import list_instrument
from apps.markets.catalogue import STANDARD_MARKETS
from apps.markets.models import Asset, Instrument
from apps.markets.queries import instrument_by_symbol
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.trades.actions import place_order
from apps.trades.models import Order
from apps.wallets.actions import deposit, open_house_accounts, open_main_account
from apps.wallets.models import Balance, TradingAccount

PASSWORD = "a-long-enough-password"

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Trader:
    """A person with a main account."""

    user: User
    account: TradingAccount

    def place(self, **asked: Any) -> Order:
        """Place an order: a limit order in BTC-USDT where nothing else is said."""
        terms = {"market": "BTC-USDT", "order_type": "limit", "now": clock.now(), **asked}
        return place_order(actor=self.user, account=self.account, **terms)

    def buy(self, quantity: str, price: str, **asked: Any) -> Order:
        return self.place(side="buy", quantity=quantity, price=price, **asked)

    def sell(self, quantity: str, price: str, **asked: Any) -> Order:
        return self.place(side="sell", quantity=quantity, price=price, **asked)

    def has(self, code: str) -> tuple[int, int]:
        """Return what is available and held of an asset, in minor units."""
        found = Balance.objects.filter(account=self.account, asset__code=code).first()
        return (0, 0) if found is None else (found.available_minor, found.held_minor)


def person(email: str = "", **fields: Any) -> User:
    """Register a person, who gets a main account and nothing on it."""
    email = email or f"person{next(_numbers)}@example.com"
    details = {"password": PASSWORD, "display_name": email.split("@")[0], **fields}
    with override_settings(DEMO=False):
        return register_person(email=email, now=clock.now(), **details)


def staff(email: str = "") -> User:
    return person(email, is_staff=True)


def market_staff(email: str = "") -> User:
    """A member of staff who runs the markets."""
    found = staff(email)
    found.groups.add(Group.objects.get(name=MARKET_OPERATIONS))
    return found


def trader(email: str = "", **funds: str) -> Trader:
    """A person whose main account has these funds: ``trader(USDT="1000", BTC="0.5")``."""
    user = person(email)
    account = open_main_account(actor=user, now=clock.now())
    for code, amount in funds.items():
        fund(account, code, amount)
    return Trader(user, account)


def fund(account: TradingAccount, code: str, amount: str) -> None:
    asset = Asset.objects.get(code=code)
    deposit(
        account=account, asset=asset,
        amount_minor=parse_positive(amount, asset.scale),
        reference=f"test-{next(_numbers)}",
    )  # fmt: skip


def listed(symbol: str = "BTC-USDT") -> Instrument:
    """One of the standard markets, listed if it is not yet."""
    spec = next(spec for spec in STANDARD_MARKETS if spec.symbol == symbol)
    list_instrument(actor=None, spec=spec)
    return instrument_by_symbol(symbol)


def house() -> None:
    """The house's own accounts."""
    open_house_accounts(now=clock.now())


def cancel_as_engine(account_id: int, order_id: int) -> None:
    """A cancel that did not come through the actions: a timer's or staff's would look like it."""
    get_gateway().submit(Cancel(new_command_id(), valid_until_ns(5), account_id, order_id))
