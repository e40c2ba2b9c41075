"""All that staff need to see of one person at once, each part for those who have a right to it.

It reads what the person reads, by the same queries, so that staff and person talk about the same
figures. It shows no secret, and nobody acts as somebody else here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final, cast
from uuid import UUID

from django.apps import apps

from apps.accounts import sessions
from apps.accounts.casework.models import StaffFreeze, StaffNote
from apps.accounts.casework.queries import freezes_of, notes_about
from apps.accounts.factors.queries import Factor, factors_of
from apps.accounts.keys.models import ApiKey
from apps.accounts.keys.queries import keys_of
from apps.accounts.kyc.models import Verification
from apps.accounts.kyc.queries import verifications_of
from apps.accounts.models import SignInRecord, User
from apps.core.errors import NotFound
from apps.notifications.presentation import notice_json
from apps.notifications.queries import notices_page
from apps.trades.presentation import fill_json, order_json
from apps.trades.queries import fills_page, open_orders, orders_page
from apps.trades.risk.models import Restriction
from apps.trades.risk.presentation import limits_of_json
from apps.trades.risk.queries import limits_as_set, standing_as_decided
from apps.trades.risk.rules import OUTSIDE_NAMES
from apps.wallets.deposits.presentation import deposit_json
from apps.wallets.deposits.queries import deposits_page
from apps.wallets.models import Balance, TradingAccount
from apps.wallets.presentation import balance_json
from apps.wallets.queries import accounts_of, main_account
from apps.wallets.withdrawals.presentation import withdrawal_json
from apps.wallets.withdrawals.queries import withdrawals_page

ROWS_SHOWN: Final = 10
TRAIL_SHOWN: Final = 20
MAY_SEE: Final = "accounts.view_user"
MAY_SEE_SIGN_INS: Final = "accounts.view_signin"
MAY_SEE_PROOFS: Final = "accounts.review_verification"
MAY_SEE_KEYS: Final = "accounts.view_apikey"
MAY_SEE_MONEY: Final = "wallets.view_tradingaccount"
MAY_SEE_ORDERS: Final = "trades.view_order"
MAY_SEE_TRAIL: Final = "accounts.view_userevent"
# Columns of a person whose changes are not told: they say nothing, or are what others look for.
UNTOLD: Final = frozenset({"id", "public_id", "date_joined", "sessions_epoch"})


@dataclass(frozen=True, slots=True)
class Access:
    """How a person gets in, from where, and what tries there were."""

    factors: list[Factor]
    places: list[sessions.Place]
    history: list[SignInRecord]


@dataclass(frozen=True, slots=True)
class Money:
    """``accounts`` are all of the person's, each with what it has."""

    account: TradingAccount
    accounts: list[tuple[TradingAccount, list[dict[str, object]]]]
    deposits: list[dict[str, object]]
    withdrawals: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the account: the house's, the owner's own, and what holds."""

    label: str
    house: object
    own: object
    effective: object


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the person's row: when, by whom, why, and of what."""

    at: datetime
    who: str
    why: str
    where: str
    words: str


@dataclass(frozen=True, slots=True)
class Trading:
    restrictions: list[Restriction]
    limits: list[Limit]
    open_orders: list[dict[str, object]]
    orders: list[dict[str, object]]
    fills: list[dict[str, object]]


@dataclass(frozen=True, slots=True)
class PersonFile:
    """A part is None where whoever looks has no right to it, or where there is nothing of it."""

    person: User
    notes: list[StaffNote]
    freezes: list[StaffFreeze]
    notices: list[dict[str, Any]]
    verifications: list[Verification] | None
    access: Access | None
    keys: list[ApiKey] | None
    money: Money | None
    trading: Trading | None
    trail: list[Change] | None

    @property
    def frozen_by_staff(self) -> StaffFreeze | None:
        return next((each for each in self.freezes if each.lifted_at is None), None)


def person_file(*, public_id: UUID, has_right: Callable[[str], bool], now: datetime) -> PersonFile:
    """Return the file of a person, with the parts that the rights of who looks open."""
    person = User.objects.filter(public_id=public_id).first()
    if person is None or not has_right(MAY_SEE):
        raise NotFound("not_found", "There is no such person.")
    account = _account_of(person)
    return PersonFile(
        person=person,
        notes=notes_about(person=person),
        freezes=freezes_of(person=person),
        notices=[notice_json(row) for row in notices_page(viewer=person, limit=ROWS_SHOWN).items],
        verifications=_verifications(person) if has_right(MAY_SEE_PROOFS) else None,
        access=_access(person, now) if has_right(MAY_SEE_SIGN_INS) else None,
        keys=keys_of(viewer=person) if has_right(MAY_SEE_KEYS) else None,
        money=_money(person, account, now) if account and has_right(MAY_SEE_MONEY) else None,
        trading=_trading(person, account) if account and has_right(MAY_SEE_ORDERS) else None,
        trail=_trail(person) if has_right(MAY_SEE_TRAIL) else None,
    )


def _account_of(person: User) -> TradingAccount | None:
    """Who has never come back from signing up has none yet."""
    try:
        return main_account(viewer=person)
    except NotFound:
        return None


def _verifications(person: User) -> list[Verification]:
    rows = verifications_of(viewer=person).prefetch_related("documents").order_by("-began_at")
    return list(rows.defer("details")[:ROWS_SHOWN])


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
        accounts=_balances(person),
        deposits=[deposit_json(row) for row in deposits],
        withdrawals=[withdrawal_json(row, now) for row in withdrawals],
    )


def _balances(person: User) -> list[tuple[TradingAccount, list[dict[str, object]]]]:
    held: dict[int, list[dict[str, object]]] = defaultdict(list)
    rows = Balance.objects.filter(account__owner=person).select_related("asset")
    for row in rows.order_by("account_id", "asset_id"):
        held[row.account_id].append(balance_json(row))
    return [(account, held[account.id]) for account in accounts_of(viewer=person)]


def _trading(person: User, account: TradingAccount) -> Trading:
    orders = orders_page(viewer=person, account=account, limit=ROWS_SHOWN).items
    fills = fills_page(viewer=person, account=account, limit=ROWS_SHOWN).items
    return Trading(
        restrictions=standing_as_decided(account.id).restrictions,
        limits=_limits(account),
        open_orders=[order_json(row) for row in open_orders(viewer=person, account=account)],
        orders=[order_json(row) for row in orders],
        fills=[fill_json(row) for row in fills],
    )


def _limits(account: TradingAccount) -> list[Limit]:
    found = cast("dict[str, dict[str, object]]", limits_of_json(limits_as_set(account.id)))
    return [
        Limit(
            name.replace("_", " ").capitalize(),
            found["house"][name], found["own"][name], found["effective"][name],
        )
        for name in OUTSIDE_NAMES.values()
    ]  # fmt: skip


def _trail(person: User) -> list[Change]:
    """Return the newest changes of the person's row, each against the one before it."""
    rows = list(
        apps.get_model("accounts", "UserEvent")
        .objects.filter(pgh_obj_id=person.pk)
        .select_related("pgh_context")
        .order_by("-pgh_id")[: TRAIL_SHOWN + 1]
    )
    return [
        _change(row, before) for row, before in zip_longest(rows[:TRAIL_SHOWN], rows[1:])
        if row is not None
    ]  # fmt: skip


def _change(row: Any, before: Any) -> Change:
    told = row.pgh_context.metadata if row.pgh_context else {}
    if before is None:
        words = "entered" if row.pgh_label == "insert" else str(row.pgh_label)
    else:
        words = "; ".join(_differences(row, before))
    where = f"{told['method']} {told['path']}" if "path" in told else ""
    who, why = str(told.get("user", "")), str(told.get("reason", ""))
    return Change(row.pgh_created_at, who, why, where, words)


def _differences(row: Any, before: Any) -> Iterator[str]:
    for field in row._meta.concrete_fields:
        if field.name.startswith("pgh_") or field.name in UNTOLD:
            continue
        was, is_now = getattr(before, field.attname), getattr(row, field.attname)
        if was != is_now:
            yield f"{field.name.replace('_', ' ')}: {_said(was)} → {_said(is_now)}"


def _said(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
