"""Following the chains: what comes in is shown when it is seen and credited once it is final.

An output is credited once per chain, transaction and index: the row's own key says so, and the
reference that the engine and the ledger know the deposit by is made of the three.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.core import outbox
from apps.core.errors import DomainError, Unavailable
from apps.core.money import format_minor
from apps.wallets.actions import deposit
from apps.wallets.assets import all_assets
from apps.wallets.custody.interface import NETWORKS, Incoming, Network, get_custody, network_of
from apps.wallets.deposits.models import ChainCursor, ChainDeposit, DepositAddress
from apps.wallets.welcome import account_of

logger = logging.getLogger(__name__)

# Deeper than any reorganisation that a network's confirmations allow for.
LOOKED_BACK_BLOCKS: Final = 60
_State: Final = ChainDeposit.State


def address_for(
    *, actor: User, asset: str, now: datetime, account: object = None
) -> DepositAddress:
    """Return where the actor sends an asset to; the first time, an address is made."""
    network = network_of(asset.upper())
    mine = account_of(viewer=actor, public_id=account)
    found = DepositAddress.objects.filter(account=mine, chain=network.name).first()
    if found is not None:
        return found
    address = get_custody().deposit_address(chain=network.name, owner=str(mine.public_id))
    made, _ = DepositAddress.objects.get_or_create(
        account=mine, chain=network.name, defaults={"address": address, "created_at": now}
    )
    return made


def follow_all(*, now: datetime) -> int:
    """Look at every chain and return how many deposits were credited.

    A chain that cannot be asked now leaves the others alone.
    """
    credited = 0
    for network in NETWORKS:
        try:
            credited += follow(network, now=now)
        except Unavailable as failure:
            logger.warning("Deposits on %s wait: %s", network.name, failure.code)
    return credited


def follow(network: Network, *, now: datetime) -> int:
    """Look at one chain: note what is new or gone, credit what is final."""
    custody = get_custody()
    height = custody.height(chain=network.name)
    cursor = ChainCursor.objects.filter(chain=network.name).first()
    since = 0 if cursor is None else cursor.height - LOOKED_BACK_BLOCKS
    with transaction.atomic():
        seen = custody.watch(chain=network.name, since_height=since)
        _note(network, seen, since, now)
    ready = ChainDeposit.objects.filter(
        chain=network.name, state=_State.PENDING, confirmations__gte=network.confirmations
    )
    credited = sum(_credit(row.pk, now) for row in ready.order_by("id"))
    # Moved last: what died on the way is looked at again.
    ChainCursor.objects.update_or_create(
        chain=network.name, defaults={"height": height, "followed_at": now}
    )
    return credited


def _note(network: Network, seen: list[Incoming], since: int, now: datetime) -> None:
    chain = network.name
    addresses = {
        row.address: row
        for row in DepositAddress.objects.filter(
            chain=chain, address__in={each.address for each in seen}
        ).select_related("account")
    }
    known = {
        (row.txid, row.output_index): row
        for row in ChainDeposit.objects.select_for_update()
        .filter(chain=chain, txid__in={each.txid for each in seen})
        .order_by("id")
    }
    assets = all_assets()
    for each in seen:
        row = known.get((each.txid, each.output_index))
        if row is not None:
            _update(row, each, now)
        elif each.address in addresses and each.asset in assets:
            _note_new(each, addresses[each.address], assets[each.asset].id, now)
    _note_gone(network, {(each.txid, each.output_index) for each in seen}, since)


def _note_new(each: Incoming, address: DepositAddress, asset_id: int, now: datetime) -> None:
    row = ChainDeposit.objects.create(
        account_id=address.account_id, asset_id=asset_id, chain=each.chain, txid=each.txid,
        output_index=each.output_index, address=each.address, amount_minor=each.amount_minor,
        height=each.height, confirmations=each.confirmations, seen_at=now,
    )  # fmt: skip
    _tell(row, "deposit_seen", now)


def _update(row: ChainDeposit, each: Incoming, now: datetime) -> None:
    """What a row says of the chain follows the chain; what was credited stays credited."""
    state = _State.PENDING if row.state == _State.GONE else row.state
    told = (each.height, each.confirmations, state)
    if told == (row.height, row.confirmations, row.state):
        return
    row.height, row.confirmations, row.state = told
    row.save(update_fields=["height", "confirmations", "state"])


def _note_gone(network: Network, seen: set[tuple[str, int]], since: int) -> None:
    """What is neither in a block nor waiting for one any more is not coming."""
    looked_at = ChainDeposit.objects.select_for_update().filter(
        Q(height=None) | Q(height__gt=since), chain=network.name
    )
    for row in looked_at.exclude(state=_State.GONE).order_by("id"):
        if (row.txid, row.output_index) in seen:
            continue
        if row.state == _State.PENDING:
            row.state, row.height, row.confirmations = _State.GONE, None, 0
            row.save(update_fields=["state", "height", "confirmations"])
        elif row.problem != "gone":
            # Final was not final: nobody's balance is touched by a program, people must look.
            row.problem = "gone"
            row.save(update_fields=["problem"])
            logger.critical("Deposit %s was credited and has left the chain: %s", row.pk, row)


def _credit(deposit_id: int, now: datetime) -> int:
    """Credit one deposit. Who dies in between does it again, and nothing moves twice."""
    with transaction.atomic():
        row = (
            ChainDeposit.objects.select_for_update(of=("self",))
            .select_related("account")
            .get(pk=deposit_id)
        )
        if row.state != _State.PENDING:
            return 0
        try:
            deposit(
                account=row.account, asset=row.asset, amount_minor=row.amount_minor,
                reference=reference_of(row.chain, row.txid, row.output_index),
            )  # fmt: skip
        except Unavailable:
            raise
        except DomainError as refusal:
            row.problem = refusal.code
            row.save(update_fields=["problem"])
            logger.critical("Deposit %s cannot be credited: %s", row.pk, refusal.code)
            return 0
        row.state, row.credited_at, row.problem = _State.CREDITED, now, ""
        row.save(update_fields=["state", "credited_at", "problem"])
        _tell(row, "deposit_credited", now)
    return 1


def reference_of(chain: str, txid: str, output_index: int) -> str:
    """Return what the ledger calls a deposit: the same output is the same reference, for good."""
    digest = hashlib.sha256(f"{chain}\n{txid}\n{output_index}".encode()).hexdigest()
    return f"{chain}:{digest[:40]}"


def _tell(row: ChainDeposit, kind: str, now: datetime) -> None:
    data = {
        "amount": format_minor(row.amount_minor, row.asset.scale),
        "asset": row.asset.code,
        "txid": row.txid,
    }
    notice = {"person_id": row.account.owner_id, "kind": kind, "data": data}
    outbox.emit("notice", notice, key=f"{kind}:{row.pk}", now=now)
