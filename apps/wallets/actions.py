"""Opening trading accounts and bringing value in. The engine decides; the projection writes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.queries import is_frozen
from apps.core.errors import Conflict, Invalid, NotAllowed, Refused
from apps.engine.messages import (
    AMOUNT_MAX,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    Deposit,
    Limits,
    OpenAccount,
)
from apps.matching.gateway import Reply, derived_command_id, get_gateway, valid_until_ns
from apps.wallets.models import LedgerEntry, TradingAccount

MAKER_ACCOUNT_ID: Final = 10
TAKER_ACCOUNT_ID: Final = 11
HOUSE_LIMITS: Final = Limits(
    max_open_orders=0,
    orders_per_second=0,
    repeated_orders_per_second=0,
    below_minimums=True,
)
# A whole batch of the API (100 orders) fits into one second of a person's account.
PERSON_LIMITS: Final = Limits(orders_per_second=100)
REFERENCE_LENGTH_MAX: Final = 64
SUB_ACCOUNTS_MAX: Final = 10
ACCOUNT_NAME_LENGTH_MAX: Final = 40
VALID_SECONDS: Final = 60

_HOUSE: Final = (
    (EXTERNAL_ACCOUNT_ID, TradingAccount.Kind.EXTERNAL, "World outside", -1),
    (FEE_ACCOUNT_ID, TradingAccount.Kind.HOUSE, "Fees", -2),
    (MAKER_ACCOUNT_ID, TradingAccount.Kind.HOUSE, "Market maker", -10),
    (TAKER_ACCOUNT_ID, TradingAccount.Kind.HOUSE, "House taker", -11),
)


class HasId(Protocol):
    @property
    def id(self) -> int: ...


@dataclass(frozen=True, slots=True)
class DepositMade:
    """``again`` means that this reference was deposited before and nothing moved now."""

    seq: int
    account_id: int
    asset_id: int
    amount_minor: int
    reference: str
    again: bool


def open_main_account(*, actor: User, now: datetime) -> TradingAccount:
    """Open the person's main account, in the tables and in the engine; again changes nothing."""
    account, _ = TradingAccount.objects.get_or_create(
        owner=actor,
        kind=TradingAccount.Kind.MAIN,
        defaults={"name": "Main", "trade_group": actor.pk, "created_at": now},
    )
    _open_in_engine(account, PERSON_LIMITS)
    return account


def open_sub_account(*, actor: User, name: str, now: datetime) -> TradingAccount:
    """Open a further account of the person's, in the tables and in the engine, or in neither."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= ACCOUNT_NAME_LENGTH_MAX or not name.isprintable():
        raise Invalid(
            "invalid_name", f"Give it a name of up to {ACCOUNT_NAME_LENGTH_MAX} characters.",
            field="name",
        )  # fmt: skip
    if is_frozen(person_id=actor.pk):
        raise NotAllowed("account_frozen", "Your account is frozen. Nothing was opened.")
    with transaction.atomic():
        # One after the other: how many there are is counted.
        User.objects.select_for_update(no_key=True).get(pk=actor.pk)
        mine = TradingAccount.objects.filter(owner=actor)
        if mine.filter(name__iexact=name).exists():
            raise Conflict("account_exists", "You have an account of this name.", field="name")
        if mine.filter(kind=TradingAccount.Kind.SUB).count() >= SUB_ACCOUNTS_MAX:
            raise Refused("too_many_accounts", f"You have {SUB_ACCOUNTS_MAX} already.")
        account = TradingAccount.objects.create(
            owner=actor, kind=TradingAccount.Kind.SUB, name=name, trade_group=actor.pk,
            created_at=now,
        )  # fmt: skip
        _open_in_engine(account, PERSON_LIMITS)
    return account


def open_house_accounts(*, now: datetime) -> list[TradingAccount]:
    """Open the house's own accounts; again changes nothing."""
    accounts = []
    for account_id, kind, name, trade_group in _HOUSE:
        account, _ = TradingAccount.objects.get_or_create(
            id=account_id,
            defaults={"kind": kind, "name": name, "trade_group": trade_group, "created_at": now},
        )
        # The engine has the world outside and the fee account from the beginning.
        if account_id not in (EXTERNAL_ACCOUNT_ID, FEE_ACCOUNT_ID):
            _open_in_engine(account, HOUSE_LIMITS)
        accounts.append(account)
    return accounts


def deposit(
    *, account: TradingAccount, asset: HasId, amount_minor: int, reference: str
) -> DepositMade:
    """Bring value in from the world outside, once per account, asset and reference.

    For the venue itself: what a chain has confirmed, and play money. What staff bring in by hand
    is a correction, which takes two of them (``adjustments``).
    """
    if not 1 <= amount_minor <= AMOUNT_MAX:
        raise Invalid("invalid_amount", "The amount must be more than zero and within range.")
    if not 1 <= len(reference) <= REFERENCE_LENGTH_MAX:
        raise Invalid("invalid_reference", "A deposit needs a reference of up to 64 characters.")
    earlier = _earlier_deposit(account, asset, reference)
    if earlier is not None:
        if earlier.amount_minor != amount_minor:
            raise _reused()
        return DepositMade(earlier.seq, account.id, asset.id, amount_minor, reference, again=True)
    reply = get_gateway().submit(
        Deposit(
            derived_command_id("deposit", str(account.id), str(asset.id), reference),
            valid_until_ns(VALID_SECONDS),
            account.id,
            asset.id,
            amount_minor,
            reference,
        )
    )
    _check(reply)
    return DepositMade(
        reply.seq, account.id, asset.id, amount_minor, reference, again=reply.duplicate
    )


def _earlier_deposit(account: TradingAccount, asset: HasId, reference: str) -> LedgerEntry | None:
    # The engine remembers ids for ten minutes; what is older the ledger knows. There is one at
    # most, and an order would have it looked for among all entries of the account.
    entries = LedgerEntry.objects.filter(
        account=account,
        asset_id=asset.id,
        kind=LedgerEntry.Kind.DEPOSIT,
        reference=reference,
    ).order_by()
    return next(iter(entries[:1]), None)


def _open_in_engine(account: TradingAccount, limits: Limits) -> None:
    reply = get_gateway().submit(
        OpenAccount(
            derived_command_id("open_account", str(account.id)),
            valid_until_ns(VALID_SECONDS),
            account.id,
            account.trade_group,
            limits,
        )
    )
    if reply.rejected is None or reply.rejected.reason != "account_exists":
        _check(reply)


def _check(reply: Reply) -> None:
    rejected = reply.rejected
    if rejected is None:
        return
    if rejected.reason == "id_reused":
        raise _reused()
    raise Refused(rejected.reason, f"The engine refused this ({rejected.reason}). Nothing moved.")


def _reused() -> Conflict:
    return Conflict("id_reused", "This reference was used for another amount. Nothing moved.")
