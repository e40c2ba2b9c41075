"""Movements in words, each with whose accounts its legs are and what is behind it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from apps.wallets.adjustments.models import Adjustment
from apps.wallets.adjustments.rules import CATEGORIES
from apps.wallets.assets import Asset, all_assets
from apps.wallets.deposits.actions import reference_of as deposit_reference
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.explorer.queries import LegRow, MovementRow
from apps.wallets.models import InternalTransfer, TradingAccount
from apps.wallets.presentation import amount_text
from apps.wallets.rules import ADJUSTMENT_PREFIX

TRANSFER_PREFIX: Final = "transfer:"
# Words and an address.
Link = tuple[str, str]


def movements_shown(movements: list[MovementRow]) -> list[dict[str, Any]]:
    """Return the movements as the page has them; how many queries depends on nothing."""
    assets = {asset.id: asset for asset in all_assets().values()}
    names = _names({leg.account_id for row in movements for leg in row.legs})
    links = _links(movements)
    return [
        {
            "row": row,
            "kind": row.kind,
            "links": links.get((row.seq, row.event_index), []),
            "legs": [_leg(leg, assets, names) for leg in row.legs],
            "sums": [
                (assets[asset_id].code, amount_text(total, assets[asset_id]))
                for asset_id, total in sorted(row.sums.items())
            ],
        }
        for row in movements
    ]


def _leg(leg: LegRow, assets: dict[int, Asset], names: dict[int, str]) -> dict[str, Any]:
    asset = assets[leg.asset_id]
    return {
        "account_id": leg.account_id,
        "name": names.get(leg.account_id, "escrow of a block"),
        "is_ours": leg.account_id in names,
        "asset": asset.code,
        "amount": amount_text(leg.amount_minor, asset),
        "fee": amount_text(leg.fee_minor, asset) if leg.fee_minor else "",
        "kind": leg.kind,
    }


def _names(account_ids: set[int]) -> dict[int, str]:
    rows = TradingAccount.objects.filter(pk__in=account_ids).select_related("owner")
    return {row.pk: row.owner.email if row.owner is not None else row.name for row in rows}


def _links(movements: list[MovementRow]) -> dict[tuple[int, int], list[Link]]:
    """Return per movement the way to the trade, deposit, withdrawal or request behind it."""
    found: dict[tuple[int, int], list[Link]] = {}
    deposits = _deposits(row for row in movements if row.kind == "deposit")
    transfers = _transfers(row for row in movements if row.kind == "transfer")
    adjustments = _adjustments(row for row in movements if row.kind == "adjustment")
    for row in movements:
        reference = row.reference
        links: list[Link] = []
        if row.kind == "withdrawal" and reference.isdigit():
            links = [_change("withdrawal", reference, f"Withdrawal {reference}")]
        elif row.kind == "trade" and not reference.startswith("block "):
            links = _of_people(row, "admin:trades_fill_changelist", trade_id=reference)
        elif reference.startswith("block "):
            number = reference.removeprefix("block ")
            links = _of_people(row, "admin:trades_order_changelist", block_id=number)
        else:
            known = {"deposit": deposits, "transfer": transfers, "adjustment": adjustments}
            link = known.get(row.kind, {}).get(reference)
            links = [link] if link is not None else []
        found[row.seq, row.event_index] = links
    return found


def _of_people(row: MovementRow, page: str, **which: str) -> list[Link]:
    """One link per person's account: the house's own orders and fills are not stored."""
    words = "Fill" if "trade_id" in which else "Orders"
    people = dict.fromkeys(leg.account_id for leg in row.legs if leg.account_id >= 1000)
    return [
        (
            f"{words} of {account_id}",
            f"{reverse(page)}?{urlencode({'account__id__exact': account_id, **which})}",
        )
        for account_id in people
    ]


def _deposits(rows: Iterable[MovementRow]) -> dict[str, Link]:
    wanted = Q(pk__in=[])
    for row in rows:
        for leg in row.legs:
            if leg.amount_minor > 0:
                wanted |= Q(
                    account_id=leg.account_id, asset_id=leg.asset_id, amount_minor=leg.amount_minor
                )
    return {
        deposit_reference(each.chain, each.txid, each.output_index): _change(
            "chaindeposit", each.pk, f"Deposit {each.pk}"
        )
        for each in ChainDeposit.objects.filter(wanted)
    }


def _transfers(rows: Iterable[MovementRow]) -> dict[str, Link]:
    ids = _ids(row.reference.removeprefix(TRANSFER_PREFIX) for row in rows)
    return {
        f"{TRANSFER_PREFIX}{each.public_id}": _change(
            "internaltransfer", each.pk, f"Transfer {each.pk}"
        )
        for each in InternalTransfer.objects.filter(public_id__in=ids)
    }


def _adjustments(rows: Iterable[MovementRow]) -> dict[str, Link]:
    by_id = {row.reference.rpartition(":")[2]: row.reference for row in rows}
    found = Adjustment.objects.filter(public_id__in=_ids(by_id))
    return {
        f"{ADJUSTMENT_PREFIX}{each.category}:{each.public_id.hex}": _change(
            "adjustment", each.pk, f"Correction {each.pk}: {CATEGORIES[each.category].title}"
        )
        for each in found
    }


def _ids(texts: Iterable[str]) -> list[UUID]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            # The house moves value under names of its own.
            continue
    return found


def _change(model: str, pk: object, words: str) -> Link:
    return words, reverse(f"admin:wallets_{model}_change", args=[pk])
