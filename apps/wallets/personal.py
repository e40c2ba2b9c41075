"""What this app holds about a person: their copy of it, what keeps them here, what goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db.models import Q

from apps.accounts.models import User
from apps.accounts.personal.obstacles import register_forgetter, register_obstacle
from apps.accounts.personal.parts import register_part
from apps.core.audit import replace_in_trail
from apps.core.clock import iso
from apps.core.models import AuditedRow
from apps.wallets.deposits.presentation import deposit_json
from apps.wallets.models import (
    Balance,
    ChainDeposit,
    DepositAddress,
    InternalTransfer,
    LedgerEntry,
    TradingAccount,
    Withdrawal,
    WithdrawalAddress,
    WithdrawalPolicy,
)
from apps.wallets.presentation import amount_text, balance_json, entry_json
from apps.wallets.queries import ROWS_FETCHED
from apps.wallets.withdrawals.moving import OVER

_WITHDRAWALS = (
    "requested_at", "asset", "amount", "network", "address", "state", "reason", "txid", "ended_at",
    "id",
)  # fmt: skip
_DEPOSITS = (
    "seen_at", "asset", "amount", "network", "address", "txid", "state", "credited_at", "id",
)  # fmt: skip

# In place of the address that a sender wrote.
_SOMEBODY = "Deleted person"


def register() -> None:
    """Name the parts that this app has, and what it has to say when somebody wants to go."""
    _register_obstacles()
    register_forgetter("wallets", _forget)
    register_part(
        "trading_accounts", _accounts, about="your accounts",
        columns=("id", "kind", "name", "created_at"),
    )  # fmt: skip
    register_part(
        "balances", _balances, about="what you have",
        columns=("account", "asset", "available", "held"),
    )  # fmt: skip
    register_part(
        "ledger", _ledger, about="every movement of value on your accounts",
        columns=("account", "at", "asset", "amount", "fee", "kind", "reference", "note", "id"),
    )  # fmt: skip
    register_part(
        "deposit_addresses", _deposit_addresses, about="where you send coins to us",
        columns=("network", "address", "created_at"),
    )  # fmt: skip
    register_part("deposits", _deposits, about="coins that came", columns=_DEPOSITS)
    register_part("withdrawals", _withdrawals, about="coins that left", columns=_WITHDRAWALS)
    register_part(
        "withdrawal_addresses", _withdrawal_addresses, about="your address book",
        columns=("asset", "network", "address", "label", "created_at", "usable_at", "removed_at"),
    )  # fmt: skip
    register_part(
        "transfers", _transfers, about="what you sent to others here, and they to you",
        columns=("at", "direction", "asset", "amount", "state", "id"),
    )  # fmt: skip


def _accounts(person: User) -> Iterator[Mapping[str, object]]:
    for row in TradingAccount.objects.filter(owner=person).order_by("id"):
        yield {
            "id": str(row.public_id),
            "kind": row.kind,
            "name": row.name,
            "created_at": iso(row.created_at),
        }


def _balances(person: User) -> Iterator[Mapping[str, object]]:
    rows = Balance.objects.filter(account__owner=person).select_related("asset", "account")
    for row in rows.order_by("account_id", "asset_id"):
        yield {"account": str(row.account.public_id), **balance_json(row)}


def _ledger(person: User) -> Iterator[Mapping[str, object]]:
    for account in TradingAccount.objects.filter(owner=person).order_by("id"):
        entries = LedgerEntry.objects.filter(account=account).select_related("asset")
        for entry in entries.order_by("id").iterator(chunk_size=ROWS_FETCHED):
            yield {"account": str(account.public_id), **entry_json(entry)}


def _deposit_addresses(person: User) -> Iterator[Mapping[str, object]]:
    for row in DepositAddress.objects.filter(account__owner=person).order_by("id"):
        yield {"network": row.chain, "address": row.address, "created_at": iso(row.created_at)}


def _deposits(person: User) -> Iterator[Mapping[str, object]]:
    rows = ChainDeposit.objects.filter(account__owner=person).select_related("asset")
    return map(deposit_json, rows.order_by("id").iterator(chunk_size=ROWS_FETCHED))


def _withdrawals(person: User) -> Iterator[Mapping[str, object]]:
    rows = Withdrawal.objects.filter(owner=person).select_related("asset").order_by("id")
    for row in rows.iterator(chunk_size=ROWS_FETCHED):
        yield {
            "requested_at": iso(row.requested_at),
            "asset": row.asset.code,
            "amount": amount_text(row.amount_minor, row.asset),
            "network": row.chain,
            "address": row.address,
            "state": row.ends_as or row.state,
            "reason": row.reason,
            "txid": row.txid,
            "ended_at": iso(row.ended_at) if row.ended_at else None,
            "id": str(row.public_id),
        }


def _withdrawal_addresses(person: User) -> Iterator[Mapping[str, object]]:
    rows = WithdrawalAddress.objects.filter(person=person).select_related("asset").order_by("id")
    for row in rows:
        yield {
            "asset": row.asset.code,
            "network": row.chain,
            "address": row.address,
            "label": row.label,
            "created_at": iso(row.created_at),
            "usable_at": iso(row.usable_at),
            "removed_at": iso(row.removed_at) if row.removed_at else None,
        }


def _transfers(person: User) -> Iterator[Mapping[str, object]]:
    """Yield all ways; who was at the other end is not the person's to keep."""
    rows = InternalTransfer.objects.filter(Q(sender=person) | Q(receiver=person))
    ordered = rows.select_related("asset").order_by("id")
    for row in ordered.iterator(chunk_size=ROWS_FETCHED):
        direction = "sent" if row.receiver_id != person.pk else "received"
        yield {
            "at": iso(row.at),
            "direction": "own" if row.sender_id == row.receiver_id else direction,
            "asset": row.asset.code,
            "amount": amount_text(row.amount_minor, row.asset),
            "state": row.state,
            "id": str(row.public_id),
        }


def _register_obstacles() -> None:
    register_obstacle(
        "balance_left",
        "There is still something on your accounts. Withdraw it, or send it to somebody.",
        lambda person: Balance.objects.filter(
            account__owner=person, available_minor__gt=0
        ).exists(),
    )
    register_obstacle(
        "hold_left",
        "Something on your accounts is held for what is not over yet. Wait for that, or cancel it.",
        lambda person: Balance.objects.filter(account__owner=person, held_minor__gt=0).exists(),
    )
    register_obstacle(
        "withdrawal_open",
        "A withdrawal of yours is under way. Wait for it, or cancel it.",
        lambda person: Withdrawal.objects.filter(owner=person).exclude(state__in=OVER).exists(),
    )
    register_obstacle(
        "transfer_open",
        "A transfer of yours is under way. It takes a moment.",
        lambda person: InternalTransfer.objects.filter(
            Q(sender=person) | Q(receiver=person), state=InternalTransfer.State.NEW
        ).exists(),
    )
    register_obstacle(
        "deposit_open",
        "A deposit of yours is on its way. Wait for it first.",
        lambda person: ChainDeposit.objects.filter(
            account__owner=person, state=ChainDeposit.State.PENDING
        ).exists(),
    )


def _forget(person: User, now: datetime) -> None:
    """Drop the address book, and the names that were given to things and people.

    Where coins came from and went to is part of the ledger, and stays.
    """
    WithdrawalAddress.objects.filter(person=person).delete()
    WithdrawalPolicy.objects.filter(person=person).delete()
    InternalTransfer.objects.filter(receiver=person).update(written_to=_SOMEBODY)
    for account in TradingAccount.objects.filter(owner=person, kind=TradingAccount.Kind.SUB):
        account.name = f"Account {account.pk}"
        account.save(update_fields=["name"])
    # That entries came and went stays on record; where they led to does not.
    kept = AuditedRow.objects.filter(
        table_name=WithdrawalAddress._meta.db_table, row__person_id=person.pk
    )
    replace_in_trail(kept, row={"person_id": person.pk})
