"""Publishing what the venue owes, and comparing the chains with the ledger, once a day.

Both read the tables in one moment, so that what is being written meanwhile is in all of it or in
none.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from apps.engine.messages import EXTERNAL_ACCOUNT_ID
from apps.matching.queries import journaled_seq, wait_for_seq
from apps.wallets.assets import Asset, all_assets
from apps.wallets.custody.interface import NETWORKS, get_custody
from apps.wallets.liabilities.models import LiabilityLeaf, LiabilityTree, Reconciliation
from apps.wallets.liabilities.rules import Leaf, root_of, tree_of

logger = logging.getLogger(__name__)

ROWS_WRITTEN: Final = 2000
CATCH_UP_SECONDS: Final = 10.0
# What is over, and what may be over on the chain while its row does not say so yet.
_DEPOSITS: Final = """
    SELECT coalesce(sum(amount_minor) FILTER (WHERE state = 'credited'), 0),
        coalesce(sum(amount_minor) FILTER (WHERE state = 'pending'), 0)
    FROM wallets_chaindeposit WHERE asset_id = %s
"""
_WITHDRAWALS: Final = """
    SELECT coalesce(sum(amount_minor) FILTER (WHERE state = 'settled'), 0),
        coalesce(sum(amount_minor) FILTER (WHERE state = 'broadcast'), 0)
    FROM wallets_withdrawal WHERE asset_id = %s
"""
TREES_KEPT: Final = 14


def publish_liabilities(*, now: datetime) -> list[LiabilityTree]:
    """Make a tree of each asset from the balances of all people, as they are in one moment."""
    with transaction.atomic(), _one_moment() as cursor:
        return [
            _publish(asset, _owed_to_people(cursor, asset.id), now)
            for asset in all_assets().values()
        ]


def _publish(asset: Asset, owed: list[tuple[int, int]], now: datetime) -> LiabilityTree:
    # Their order says nothing about whose they are, and so does no name from one day to the next.
    secrets.SystemRandom().shuffle(owed)
    leaves = [Leaf(secrets.token_hex(16), secrets.token_hex(16), amount) for _, amount in owed]
    root = root_of(tree_of(leaves))
    tree = LiabilityTree.objects.create(
        asset_id=asset.id, root=root.hash.hex(), total_minor=root.sum_minor, leaves=len(leaves),
        made_at=now,
    )  # fmt: skip
    rows = (
        LiabilityLeaf(
            tree=tree, number=number, account_id=account_id, name=leaf.name, salt=leaf.salt,
            amount_minor=leaf.amount_minor,
        )
        for number, ((account_id, _), leaf) in enumerate(zip(owed, leaves, strict=True))
    )  # fmt: skip
    LiabilityLeaf.objects.bulk_create(rows, batch_size=ROWS_WRITTEN)
    old = LiabilityTree.objects.filter(asset_id=asset.id).order_by("-id")[TREES_KEPT:]
    LiabilityTree.objects.filter(pk__in=[each.pk for each in old]).delete()
    return tree


def reconcile(*, now: datetime) -> list[Reconciliation]:
    """Compare each asset's chain with the ledger; return the comparisons, alarms among them."""
    custody, known = get_custody(), all_assets()
    made = []
    wait_for_seq(journaled_seq(), CATCH_UP_SECONDS)
    with transaction.atomic(), _one_moment() as cursor:
        for network in NETWORKS:
            for code in network.assets:
                if code in known:
                    flows = custody.flows_minor(chain=network.name, asset=code)
                    made.append(_compared(cursor, known[code], flows, now))
    for each in made:
        if each.problem:
            logger.critical("Custody and ledger differ in %s: %s", each.asset.code, each.problem)
    return made


def _compared(cursor: Any, asset: Asset, flows: tuple[int, int], now: datetime) -> Reconciliation:
    chain_in, chain_out = flows
    credited, coming = _summed(cursor, _DEPOSITS, asset.id)
    settled, leaving = _summed(cursor, _WITHDRAWALS, asset.id)
    deposited, withdrawn, owed = _ledger_sums(cursor, asset.id)
    brought, taken = _corrected(cursor, asset.id)
    by_hand = deposited - credited + brought - taken
    differences = (
        # What staff credited or took back may be on the chain, and in what was credited, or not.
        (
            _outside(chain_in, credited - taken, coming + brought + taken),
            "came in over the chain and stands nowhere",
        ),
        (_outside(chain_out, settled, leaving), "left over the chain and is no withdrawal"),
        (_outside(withdrawn, settled, leaving), "left the ledger and is no withdrawal"),
        (min(0, deposited - credited), "was credited and is not in the ledger"),
        (owed - (credited + by_hand - withdrawn), "is owed and was never deposited"),
    )
    problem = "; ".join(f"{minor} {words}" for minor, words in differences if minor)
    return Reconciliation.objects.create(
        made_at=now, asset_id=asset.id, chain_in_minor=chain_in, credited_minor=credited,
        chain_out_minor=chain_out, settled_minor=settled, by_hand_minor=by_hand,
        owed_minor=owed, problem=problem[:300],
    )  # fmt: skip


def _outside(found: int, least: int, open_minor: int) -> int:
    """Return by how much a sum lies outside of what is over and what may be so at any moment."""
    return min(0, found - least) or max(0, found - least - open_minor)


def _summed(cursor: Any, query: str, asset_id: int) -> tuple[int, int]:
    cursor.execute(query, [asset_id])
    over, still_open = cursor.fetchone()
    return int(over), int(still_open)


def _corrected(cursor: Any, asset_id: int) -> tuple[int, int]:
    """Return what corrections of staff have brought in from outside, and what they took out."""
    cursor.execute(
        """
        SELECT coalesce(-sum(amount_minor) FILTER (WHERE amount_minor < 0), 0),
            coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0)
        FROM wallets_ledgerentry
        WHERE asset_id = %s AND account_id = %s AND kind = 'adjustment'
        """,
        [asset_id, EXTERNAL_ACCOUNT_ID],
    )
    brought, taken = cursor.fetchone()
    return int(brought), int(taken)


def _ledger_sums(cursor: Any, asset_id: int) -> tuple[int, int, int]:
    """Return all that was deposited, all that was withdrawn, and what everybody has."""
    cursor.execute(
        """
        SELECT
            coalesce(sum(amount_minor) FILTER (WHERE kind = 'deposit'), 0),
            coalesce(-sum(amount_minor) FILTER (WHERE kind = 'withdrawal'), 0)
        FROM wallets_ledgerentry WHERE asset_id = %s AND account_id <> %s
        """,
        [asset_id, EXTERNAL_ACCOUNT_ID],
    )
    deposited, withdrawn = cursor.fetchone()
    cursor.execute(
        "SELECT coalesce(sum(available_minor::numeric + held_minor), 0) FROM wallets_balance"
        " WHERE asset_id = %s AND account_id <> %s",
        [asset_id, EXTERNAL_ACCOUNT_ID],
    )
    (owed,) = cursor.fetchone()
    return int(deposited), int(withdrawn), int(owed)


def _owed_to_people(cursor: Any, asset_id: int) -> list[tuple[int, int]]:
    cursor.execute(
        """
        SELECT b.account_id, b.available_minor + b.held_minor
        FROM wallets_balance b JOIN wallets_tradingaccount a ON a.id = b.account_id
        WHERE b.asset_id = %s AND a.owner_id IS NOT NULL AND b.available_minor + b.held_minor <> 0
        ORDER BY b.account_id
        """,
        [asset_id],
    )
    return [(int(account_id), int(amount)) for account_id, amount in cursor.fetchall()]


@contextmanager
def _one_moment() -> Iterator[Any]:
    """Read everything as of one moment, where this is the whole transaction, and patiently."""
    with connection.cursor() as cursor:
        if len(connection.savepoint_ids) == 0:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL statement_timeout = '300s'")
        yield cursor
