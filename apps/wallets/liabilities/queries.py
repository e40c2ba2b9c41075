"""Reads of what was published, and of each person's own proof."""

from __future__ import annotations

from typing import Any

from apps.accounts.models import User
from apps.core.clock import iso
from apps.core.errors import NotFound
from apps.wallets.liabilities.models import LiabilityLeaf, LiabilityTree
from apps.wallets.liabilities.rules import Leaf, path_of, tree_of


def published() -> list[LiabilityTree]:
    """Return the newest tree of each asset; everybody may see its root and total."""
    rows = LiabilityTree.objects.select_related("asset").order_by("asset_id", "-made_at")
    return list(rows.distinct("asset_id"))


def tree_json(tree: LiabilityTree) -> dict[str, Any]:
    """Return what everybody sees of a tree."""
    return {
        "asset": tree.asset.code,
        "scale": tree.asset.scale,
        "root": tree.root,
        "total_minor": str(int(tree.total_minor)),
        "leaves": tree.leaves,
        "made_at": iso(tree.made_at),
    }


def proof_of(*, viewer: User | None, asset: str) -> dict[str, Any]:
    """Return the viewer's proof for the newest tree of an asset, as ``check_proof.py`` reads it."""
    leaf = None
    # Looked up here: an address may hold a NUL, with which no table can be asked.
    tree = next((each for each in published() if each.asset.code == asset.upper()), None)
    if viewer is not None and viewer.pk is not None and tree is not None:
        mine = LiabilityLeaf.objects.filter(tree=tree, account__owner=viewer)
        leaf = mine.order_by("account_id").first()
    if tree is None or leaf is None:
        raise NotFound("no_proof", "You had none of it when the last tree was made.")
    rows = LiabilityLeaf.objects.filter(tree=tree).order_by("number")
    levels = tree_of([Leaf(*row) for row in rows.values_list("name", "salt", "amount_minor")])
    return {
        "asset": tree.asset.code,
        "made_at": iso(tree.made_at),
        "name": leaf.name,
        "salt": leaf.salt,
        "amount_minor": leaf.amount_minor,
        "path": path_of(levels, leaf.number),
    }
