"""Withdrawals, addresses and limits as plain dictionaries: the one shape for API and pages."""

from __future__ import annotations

from datetime import datetime, timedelta

from apps.accounts.factors.queries import methods_of
from apps.core.clock import iso
from apps.wallets.assets import Asset, asset_by_code
from apps.wallets.custody.interface import network_by_name
from apps.wallets.presentation import amount_text
from apps.wallets.withdrawals.addresses import is_book_only
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalAddress, WithdrawalPolicy
from apps.wallets.withdrawals.moving import CANCELLABLE, State
from apps.wallets.withdrawals.rules import Room
from apps.wallets.withdrawals.sending import FILLED_WITHIN
from apps.wallets.worth import VALUE_ASSET

# What staff write is theirs, and so is why somebody looks: a rule that is told is a rule that is
# gone around. Owners read these.
_OWNER_WORDS = {
    State.RISK_REVIEW: "We look at it before it goes out.",
    State.HELD: "We have stopped it for now. Our support can tell you more.",
}
BY_MAIL = "mail"


def withdrawal_json(row: Withdrawal, now: datetime) -> dict[str, object]:
    needed = network_by_name(row.chain).confirmations
    state = row.ends_as or row.state
    confirm_by = ways_to_confirm(row)
    return {
        "id": str(row.public_id),
        "asset": row.asset.code,
        "amount": amount_text(row.amount_minor, row.asset),
        "network": row.chain,
        "address": row.address,
        "state": state,
        "detail": _detail(row, now, confirm_by),
        "confirm_by": confirm_by,
        "txid": row.txid or None,
        "confirmations": min(row.confirmations, needed),
        "confirmations_needed": needed,
        "expected_at": _iso(_expected_at(row, now)),
        "can_cancel": row.state in CANCELLABLE and not row.ends_as,
        "requested_at": iso(row.requested_at),
        "ended_at": _iso(row.ended_at),
        "history": [
            {"state": step.state, "at": iso(step.at)} for step in row.steps.all()
        ],
    }  # fmt: skip


def ways_to_confirm(row: Withdrawal) -> list[str]:
    """By what its owner can confirm it; nothing where there is nothing to confirm."""
    if row.state != State.REQUESTED or row.ends_as:
        return []
    return methods_of(person=row.owner) or [BY_MAIL]


def entry_json(entry: WithdrawalAddress, now: datetime) -> dict[str, object]:
    return {
        "id": str(entry.public_id),
        "asset": entry.asset.code,
        "network": entry.chain,
        "address": entry.address,
        "label": entry.label,
        "usable": entry.usable_at <= now,
        "usable_at": iso(entry.usable_at),
        "created_at": iso(entry.created_at),
    }


def policy_json(policy: WithdrawalPolicy, now: datetime) -> dict[str, object]:
    waits = not policy.book_only and is_book_only(policy, now)
    return {
        "book_only": is_book_only(policy, now),
        "open_from": _iso(policy.open_from if waits else None),
    }


def room_json(room: Room, asset: Asset) -> dict[str, object]:
    unit = asset if room.asset_id is not None else asset_by_code(VALUE_ASSET)
    return {
        "asset": asset.code,
        "unit": unit.code,
        "day": amount_text(room.day_minor, unit),
        "day_used": amount_text(room.day_used_minor, unit),
        "month": amount_text(room.month_minor, unit),
        "month_used": amount_text(room.month_used_minor, unit),
        "left": amount_text(room.left_minor, unit),
    }


def _detail(row: Withdrawal, now: datetime, confirm_by: list[str]) -> str:
    """Say what happens next, in words."""
    if row.ends_as or row.state in (State.FAILED, State.CANCELLED):
        return row.reason
    if row.state == State.REQUESTED:
        if confirm_by == [BY_MAIL]:
            return "Waiting for the code that we have sent you."
        return "Waiting for you to confirm it with your second factor."
    if row.state == State.APPROVED and row.short_since is not None:
        due = row.short_since + FILLED_WITHIN
        if now <= due:
            return (
                f"Waiting for our hot wallet, which is filled up by {due:%H:%M} UTC at the latest."
            )
        return f"Waiting for our hot wallet, which should have been filled up by {due:%H:%M} UTC."
    return _OWNER_WORDS.get(State(row.state), "")


def _expected_at(row: Withdrawal, now: datetime) -> datetime | None:
    """When it should be over; None where that is in somebody's hands."""
    network = network_by_name(row.chain)
    if row.ends_as or row.state not in (State.APPROVED, State.BROADCAST):
        return None
    if row.short_since is not None:
        return max(row.short_since + FILLED_WITHIN, now) + timedelta(seconds=network.final_seconds)
    left = max(0, network.confirmations - row.confirmations)
    return now + timedelta(seconds=left * network.block_seconds)


def _iso(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
