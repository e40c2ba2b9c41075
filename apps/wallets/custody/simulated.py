"""A custody on chains that are simulated in our own tables: real code for every path of money.

What is random of a chain (which blocks a reorganisation replaces) is made of the hash of its tip,
so that the same commands make the same chain. Whatever changes a chain holds its lock.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from apps.core import clock
from apps.core.errors import Conflict, Invalid, NotFound, Refused
from apps.wallets.assets import all_assets
from apps.wallets.custody import addresses
from apps.wallets.custody.interface import (
    Incoming,
    Network,
    Outgoing,
    network_by_name,
    network_of,
)
from apps.wallets.custody.models import (
    ChainAddress,
    ChainBlock,
    ChainOutput,
    ChainTransaction,
    ChainVault,
)

GENESIS: Final = "0" * 64
# Older blocks that hold nothing are forgotten, as many at a time.
BLOCKS_KEPT: Final = 1000
_LOCK: Final = 0x43484149
_Fate: Final = ChainTransaction.Fate


class SimulatedCustody:
    """The custody of a demo, and of tests."""

    def deposit_address(self, *, chain: str, owner: str) -> str:
        secret = f"{settings.SECRET_KEY}\n{owner}"
        made, _ = ChainAddress.objects.get_or_create(
            chain=chain, owner=owner, defaults={"address": addresses.address_of(chain, secret)}
        )
        return made.address

    def is_address(self, *, chain: str, address: str) -> bool:
        return addresses.is_address(chain, address)

    def height(self, *, chain: str) -> int:
        return tip_height(chain)

    def watch(self, *, chain: str, since_height: int) -> list[Incoming]:
        tip = tip_height(chain)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT t.txid, o.index, o.address, o.asset, o.amount_minor, b.height
                FROM wallets_chaintransaction t
                JOIN wallets_chainoutput o ON o.transaction_id = t.id
                JOIN wallets_chainaddress a ON a.chain = t.chain AND a.address = o.address
                LEFT JOIN wallets_chainblock b ON b.id = t.block_id
                WHERE t.chain = %s AND t.fate = 'goes' AND (b.id IS NULL OR b.height > %s)
                ORDER BY t.id, o.index
                """,
                [chain, since_height],
            )
            rows: list[Any] = cursor.fetchall()
        return [
            Incoming(
                chain=chain, txid=txid, output_index=index, address=address, asset=asset,
                amount_minor=amount_minor, height=height,
                confirmations=0 if height is None else tip - height + 1,
            )
            for txid, index, address, asset, amount_minor, height in rows
        ]  # fmt: skip

    def broadcast(
        self, *, own_id: str, chain: str, asset: str, address: str, amount_minor: int
    ) -> str:
        with transaction.atomic():
            lock(chain)
            known = ChainTransaction.objects.filter(own_id=own_id).first()
            if known is not None:
                return known.txid
            if not addresses.is_address(chain, address):
                raise Invalid("invalid_address", "The chain has no such address.")
            if self.spendable_minor(chain=chain, asset=asset) < amount_minor:
                raise Refused("hot_wallet_short", "The hot wallet has too little of it now.")
            txid = _digest("payment", chain, own_id)
            sent = ChainTransaction.objects.create(
                chain=chain, txid=txid, own_id=own_id, at=clock.now()
            )
            ChainOutput.objects.create(
                transaction=sent, index=0, address=address, asset=asset, amount_minor=amount_minor
            )
            return txid

    def status(self, *, own_id: str) -> Outgoing | None:
        found = ChainTransaction.objects.select_related("block").filter(own_id=own_id).first()
        if found is None:
            return None
        height = None if found.block is None else found.block.height
        confirmations = 0 if height is None else tip_height(found.chain) - height + 1
        has_failed = found.fate in (_Fate.FAILED, _Fate.DROPPED)
        return Outgoing(own_id, found.txid, confirmations, has_failed)

    def spendable_minor(self, *, chain: str, asset: str) -> int:
        added = ChainVault.objects.filter(chain=chain, asset=asset).first()
        final_in, _ = self.flows_minor(chain=chain, asset=asset)
        sent = ChainOutput.objects.filter(
            asset=asset, transaction__chain=chain, transaction__own_id__isnull=False,
            transaction__fate__in=(_Fate.GOES, _Fate.WILL_FAIL),
        )  # fmt: skip
        return (0 if added is None else added.added_minor) + final_in - _sum(sent)

    def flows_minor(self, *, chain: str, asset: str) -> tuple[int, int]:
        final_height = tip_height(chain) - network_by_name(chain).confirmations + 1
        final = ChainOutput.objects.filter(
            asset=asset, transaction__chain=chain, transaction__fate=_Fate.GOES,
            transaction__block__height__lte=final_height,
        )  # fmt: skip
        ours = ChainAddress.objects.filter(chain=chain).values("address")
        sent = final.filter(transaction__own_id__isnull=False)
        return _sum(final.filter(address__in=ours)), _sum(sent)


def tip_height(chain: str) -> int:
    """Return the height of the newest block, zero where there is none."""
    tip = _best(chain).first()
    return 0 if tip is None else tip.height


def pay_in(
    *, outputs: Iterable[tuple[str, str, int]], now: datetime, note: str = ""
) -> ChainTransaction:
    """Have somebody outside send amounts: (address, asset, amount) each, in one transaction.

    ``note`` makes the transaction's id the same each time; without one every payment is new.
    """
    wanted = list(outputs)
    chain = network_of(wanted[0][1]).name
    with transaction.atomic():
        lock(chain)
        number = ChainTransaction.objects.filter(chain=chain).count()
        txid = _digest("outside", chain, note or str(number))
        sent = ChainTransaction.objects.create(chain=chain, txid=txid, at=now)
        ChainOutput.objects.bulk_create(
            ChainOutput(
                transaction=sent, index=index, address=address, asset=asset, amount_minor=amount
            )
            for index, (address, asset, amount) in enumerate(wanted)
        )
    return sent


def mine(chain: str, *, now: datetime, blocks: int = 1) -> int:
    """Make blocks; what waits goes into the first. Return the height of the newest."""
    with transaction.atomic():
        lock(chain)
        return _mine(chain, now, blocks, fork="")


def reorganise(
    chain: str, *, depth: int, now: datetime, drop: Iterable[str] = (), shuffle: bool = False
) -> int:
    """Replace the newest ``depth`` blocks by one more than that; return the new height.

    Their transactions wait again and go into the first new block, but for those whose ids are in
    ``drop``: these are lost, as by a payment of the same coins to somebody else. With ``shuffle``
    they come one block later.
    """
    with transaction.atomic():
        lock(chain)
        left = list(_best(chain)[:depth])
        if len(left) < depth:
            raise Conflict("chain_too_short", "The chain has fewer blocks than that.")
        fork = left[0].hash
        ids = [block.pk for block in left]
        ChainBlock.objects.filter(pk__in=ids).update(is_best=False)
        back = ChainTransaction.objects.filter(block_id__in=ids)
        back.filter(fate=_Fate.FAILED).update(fate=_Fate.WILL_FAIL)
        back.filter(txid__in=list(drop)).update(fate=_Fate.DROPPED)
        back.update(block=None)
        if shuffle:
            _empty_block(chain, now, fork)
            return _mine(chain, now, depth, fork)
        return _mine(chain, now, depth + 1, fork)


def let_fail(*, txid: str) -> None:
    """Have a payment that waits for a block fail in it."""
    changed = ChainTransaction.objects.filter(txid=txid, block=None, fate=_Fate.GOES).update(
        fate=_Fate.WILL_FAIL
    )
    if changed != 1:
        raise NotFound("unknown_transaction", "No such transaction waits for a block.")


def fill_hot_wallet(*, asset: str, amount_minor: int) -> None:
    """Move coins of the house into the hot wallet."""
    if amount_minor < 1:
        raise Invalid("invalid_amount", "The amount must be more than zero.")
    chain = network_of(asset).name
    with transaction.atomic():
        lock(chain)
        vault, _ = ChainVault.objects.get_or_create(chain=chain, asset=asset)
        vault.added_minor += amount_minor
        vault.save(update_fields=["added_minor"])


def fill_demo_wallet(units: Mapping[str, int]) -> None:
    """Put whole units of each asset into a hot wallet that never had any of it."""
    for code, asset in all_assets().items():
        if code not in units:
            continue
        chain = network_of(code).name
        if not ChainVault.objects.filter(chain=chain, asset=code).exists():
            fill_hot_wallet(asset=code, amount_minor=units[code] * 10**asset.scale)


def run_by_itself(network: Network, *, now: datetime) -> int | None:
    """Make the next block where it is time for one; about one in 64 replaces the one before it."""
    chain = network.name
    with transaction.atomic():
        lock(chain)
        tip = _best(chain).first()
        if tip is not None and (now - tip.at).total_seconds() < network.block_seconds:
            return None
        if tip is not None and tip.height % BLOCKS_KEPT == 0:
            _forget_empty(chain, tip.height - BLOCKS_KEPT)
        if tip is not None and tip.height > 1 and int(tip.hash[:2], 16) < 4:
            return reorganise(chain, depth=1, now=now)
        return _mine(chain, now, 1, fork="")


def lock(chain: str) -> None:
    """Hold the chain until the end of the transaction."""
    with connection.cursor() as cursor:
        number = zlib.crc32(chain.encode()) >> 1
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, number])


def _forget_empty(chain: str, below: int) -> None:
    old = ChainBlock.objects.filter(chain=chain, height__lt=below)
    old.filter(transactions=None).delete()


def _best(chain: str) -> QuerySet[ChainBlock]:
    return ChainBlock.objects.filter(chain=chain, is_best=True).order_by("-height")


def _mine(chain: str, now: datetime, blocks: int, fork: str) -> int:
    block = _empty_block(chain, now, fork)
    waiting = ChainTransaction.objects.filter(chain=chain, block=None)
    waiting.filter(fate=_Fate.GOES).update(block=block)
    waiting.filter(fate=_Fate.WILL_FAIL).update(block=block, fate=_Fate.FAILED)
    for _ in range(blocks - 1):
        block = _empty_block(chain, now, fork)
    return block.height


def _empty_block(chain: str, now: datetime, fork: str) -> ChainBlock:
    tip = _best(chain).first()
    height, parent = (1, GENESIS) if tip is None else (tip.height + 1, tip.hash)
    return ChainBlock.objects.create(
        chain=chain, height=height, parent_hash=parent, at=now,
        hash=_digest("block", chain, str(height), parent, fork),
    )  # fmt: skip


def _sum(outputs: QuerySet[ChainOutput]) -> int:
    return int(outputs.aggregate(total=Sum("amount_minor"))["total"] or 0)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
