"""Deposits as plain dictionaries: the one shape for API and pages."""

from __future__ import annotations

from apps.core.clock import iso
from apps.wallets.custody.interface import network_by_name, network_of
from apps.wallets.deposits.models import ChainDeposit, DepositAddress
from apps.wallets.presentation import amount_text


def address_json(address: DepositAddress, asset: str) -> dict[str, object]:
    network = network_of(asset)
    return {
        "asset": asset,
        "network": network.name,
        "network_name": network.title,
        "address": address.address,
        "confirmations_needed": network.confirmations,
        "seconds_expected": network.final_seconds,
    }


def deposit_json(row: ChainDeposit) -> dict[str, object]:
    needed = network_by_name(row.chain).confirmations
    return {
        "id": str(row.pk),
        "asset": row.asset.code,
        "amount": amount_text(row.amount_minor, row.asset),
        "network": row.chain,
        "address": row.address,
        "txid": row.txid,
        "output_index": row.output_index,
        "state": row.state,
        "confirmations": min(row.confirmations, needed),
        "confirmations_needed": needed,
        "seen_at": iso(row.seen_at),
        "credited_at": None if row.credited_at is None else iso(row.credited_at),
    }
