"""All that staff need to see of one person at once, each part for those who have a right to it.

It reads what the person reads, by the same queries, so that staff and person talk about the same
figures. It shows no secret, and nobody acts as somebody else here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from apps.accounts import sessions
from apps.accounts.casework.models import StaffNote
from apps.accounts.casework.queries import notes_about
from apps.accounts.factors.queries import Factor, factors_of
from apps.accounts.keys.models import ApiKey
from apps.accounts.keys.queries import keys_of
from apps.accounts.kyc.models import Verification
from apps.accounts.kyc.queries import verifications_of
from apps.accounts.models import SignInRecord, User
from apps.core.errors import NotFound
from apps.notifications.presentation import notice_json
from apps.notifications.queries import notices_page
from apps.trades.presentation import order_json
from apps.trades.queries import open_orders, orders_page
from apps.trades.risk.models import Restriction
from apps.trades.risk.queries import standing_as_decided
from apps.wallets.deposits.presentation import deposit_json
from apps.wallets.deposits.queries import deposits_page
from apps.wallets.models import TradingAccount
from apps.wallets.presentation import balance_json
from apps.wallets.queries import balances, main_account
from apps.wallets.withdrawals.presentation import withdrawal_json
from apps.wallets.withdrawals.queries import withdrawals_page

ROWS_SHOWN: Final = 10
MAY_SEE: Final = "accounts.view_user"
MAY_SEE_SIGN_INS: Final = "accounts.view_signin"
MAY_SEE_PROOFS: Final = "accounts.review_verification"
MAY_SEE_KEYS: Final = "accounts.view_apikey"
MAY_SEE_MONEY: Final = "wallets.view_tradingaccount"
MAY_SEE_ORDERS: Final = "trades.view_order"


@dataclass(frozen=True, slots=True)
class Access:
    """How a person gets in, from where, and what tries there were."""

    factors: list[Factor]
    places: list[sessions.Place]
    history: list[SignInRecord]


@dataclass(frozen=True, slots=True)
class Money:
    account: TradingAccount
    balances: list[dict[str, object]]
    deposits: list[dict[str, object]]
    withdrawals: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Trading:
    restrictions: list[Restriction]
    open_orders: list[dict[str, object]]
    orders: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class PersonFile:
    """A part is None where whoever looks has no right to it, or where there is nothing of it."""

    person: User
    notes: list[StaffNote]
    notices: list[dict[str, Any]]
    verifications: list[Verification] | None
    access: Access | None
    keys: list[ApiKey] | None
    money: Money | None
    trading: Trading | None


def person_file(*, public_id: UUID, has_right: Callable[[str], bool], now: datetime) -> PersonFile:
    """Return the file of a person, with the parts that the rights of who looks open."""
    person = User.objects.filter(public_id=public_id).first()
    if person is None or not has_right(MAY_SEE):
        raise NotFound("not_found", "There is no such person.")
    account = _account_of(person)
    return PersonFile(
        person=person,
        notes=notes_about(person=person),
        notices=[notice_json(row) for row in notices_page(viewer=person, limit=ROWS_SHOWN).items],
        verifications=_verifications(person) if has_right(MAY_SEE_PROOFS) else None,
        access=_access(person, now) if has_right(MAY_SEE_SIGN_INS) else None,
        keys=keys_of(viewer=person) if has_right(MAY_SEE_KEYS) else None,
        money=_money(person, account, now) if account and has_right(MAY_SEE_MONEY) else None,
        trading=_trading(person, account) if account and has_right(MAY_SEE_ORDERS) else None,
    )


def _account_of(person: User) -> TradingAccount | None:
    """Who has never come back from signing up has none yet."""
    try:
        return main_account(viewer=person)
    except NotFound:
        return None


def _verifications(person: User) -> list[Verification]:
    return list(verifications_of(viewer=person).order_by("-began_at")[:ROWS_SHOWN])


def _access(person: User, now: datetime) -> Access:
    return Access(
        factors=factors_of(viewer=person),
        places=sessions.places_of(viewer=person, now=now),
        history=sessions.history_of(viewer=person)[:ROWS_SHOWN],
    )


def _money(person: User, account: TradingAccount, now: datetime) -> Money:
    deposits = deposits_page(viewer=person, limit=ROWS_SHOWN).items
    withdrawals = withdrawals_page(viewer=person, limit=ROWS_SHOWN).items
    return Money(
        account=account,
        balances=[balance_json(row) for row in balances(viewer=person, account=account)],
        deposits=[deposit_json(row) for row in deposits],
        withdrawals=[withdrawal_json(row, now) for row in withdrawals],
    )


def _trading(person: User, account: TradingAccount) -> Trading:
    orders = orders_page(viewer=person, account=account, limit=ROWS_SHOWN).items
    return Trading(
        restrictions=standing_as_decided(account.id).restrictions,
        open_orders=[order_json(row) for row in open_orders(viewer=person, account=account)],
        orders=[order_json(row) for row in orders],
    )
