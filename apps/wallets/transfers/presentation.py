"""Transfers as plain dictionaries, as one of the two sides sees them."""

from __future__ import annotations

from apps.accounts.models import User
from apps.core.clock import iso
from apps.wallets.presentation import amount_text
from apps.wallets.transfers.models import InternalTransfer

OWN, SENT, RECEIVED = "own", "sent", "received"


def transfer_json(row: InternalTransfer, viewer: User) -> dict[str, object]:
    """Neither side learns of the other what it was not given: a name shown, an address written."""
    if row.sender_id == row.receiver_id:
        direction = OWN
    else:
        direction = SENT if row.sender_id == viewer.pk else RECEIVED
    received = direction == RECEIVED
    return {
        "id": str(row.public_id),
        "direction": direction,
        "asset": row.asset.code,
        "amount": amount_text(row.amount_minor, row.asset),
        "account": str((row.to_account if received else row.from_account).public_id),
        "to_account": str(row.to_account.public_id) if direction == OWN else None,
        "to": row.written_to if direction == SENT else None,
        "sender": row.sender.display_name or "somebody" if received else None,
        "at": iso(row.at),
    }
