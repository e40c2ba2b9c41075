"""What every new person gets: a main account, and play money where the installation is a demo.

Everything here may be done again and changes nothing then; it runs at sign-up, at each sign-in
and when a person's account is missing, so that an engine that was down only delays it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.apps import apps
from django.conf import settings
from django.core.cache import cache

from apps.accounts.events import person_arrived
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import NotFound
from apps.wallets.actions import deposit, open_main_account
from apps.wallets.models import Balance, TradingAccount
from apps.wallets.queries import account_for

# Whole units of play money by asset.
DEMO_FUNDS: Final = {"USDT": 100_000, "BTC": 1, "ETH": 10}
DEMO_REFERENCE: Final = "welcome"
RETRY_SECONDS: Final = 30


def welcome(user: User, now: datetime) -> None:
    """Give the person what is missing; costs one or two queries where nothing is."""
    account = TradingAccount.objects.filter(owner=user, kind=TradingAccount.Kind.MAIN).first()
    if account is not None and _is_complete(account):
        return
    account = open_main_account(actor=user, now=now)
    if settings.DEMO:
        _give_demo_funds(account)


def account_of(*, viewer: User, public_id: object = None) -> TradingAccount:
    """Return the viewer's account; a main account that is missing is opened first."""
    try:
        return account_for(viewer=viewer, public_id=public_id)
    except NotFound:
        if public_id is not None:
            raise
    welcome(viewer, clock.now())
    return account_for(viewer=viewer)


def retry_welcome(*, viewer: User) -> None:
    """Try again for who has nothing, now and then: the engine may have been down at sign-up."""
    if cache.add(f"welcome:{viewer.pk}", 1, RETRY_SECONDS):
        person_arrived(viewer, clock.now())


def _is_complete(account: TradingAccount) -> bool:
    """Whether the engine has the account, and in a demo all its play money has come.

    An account with nothing on it may not be in the engine yet: it is opened again then.
    """
    assets = Balance.objects.filter(account=account)
    if not settings.DEMO:
        return assets.exists()
    return assets.filter(asset__code__in=DEMO_FUNDS).count() == len(DEMO_FUNDS)


def _give_demo_funds(account: TradingAccount) -> None:
    # By name, because wallets may not import markets, where the assets are.
    assets = {asset.code: asset for asset in apps.get_model("markets.Asset").objects.all()}
    for code, units in DEMO_FUNDS.items():
        if code in assets:
            deposit(
                account=account, asset=assets[code],
                amount_minor=units * 10 ** assets[code].scale, reference=DEMO_REFERENCE,
            )  # fmt: skip
