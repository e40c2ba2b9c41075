"""The Merkle-sum tree over what the venue owes in one asset. Pure.

The hashes are those of ``check_proof.py``, which people run without us. A level with an odd number
of nodes hands its last one up as it is, so nothing is counted twice, and nothing is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.wallets.liabilities import check_proof


@dataclass(frozen=True, slots=True)
class Leaf:
    """What one account is owed. ``name`` is its own for this tree, ``salt`` is hexadecimal."""

    name: str
    salt: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Node:
    hash: bytes
    sum_minor: int


Levels = list[list[Node]]


def tree_of(leaves: Sequence[Leaf]) -> Levels:
    """Return all levels, the leaves first, the root last. A negative amount is refused."""
    level = [Node(_leaf_hash(leaf), leaf.amount_minor) for leaf in leaves]
    levels = [level]
    while len(level) > 1:
        above = [_above(left, right) for left, right in zip(level[::2], level[1::2], strict=False)]
        if len(level) % 2:
            above.append(level[-1])
        levels.append(above)
        level = above
    return levels


def root_of(levels: Levels) -> Node:
    """Return the root; of nothing, a node of nothing."""
    return levels[-1][0] if levels[-1] else Node(bytes(32), 0)


def path_of(levels: Levels, index: int) -> list[dict[str, Any]]:
    """Return what it takes to climb from a leaf to the root."""
    path = []
    for level in levels[:-1]:
        other = index ^ 1
        if other < len(level):
            node, side = level[other], "left" if other < index else "right"
            path.append({"side": side, "hash": node.hash.hex(), "sum_minor": node.sum_minor})
        index //= 2
    return path


def _leaf_hash(leaf: Leaf) -> bytes:
    made: Any = check_proof
    digest: bytes = made.leaf_hash(leaf.name, leaf.salt, leaf.amount_minor)
    return digest


def _above(left: Node, right: Node) -> Node:
    made: Any = check_proof
    digest: bytes = made.node_hash(left.hash, left.sum_minor, right.hash, right.sum_minor)
    return Node(digest, left.sum_minor + right.sum_minor)
