"""Which commands a reference stands for, where an app above knows it better than the ledger.

A trade's number and a block's are in no index of the ledger: nearly all its rows are trades. Who
has them indexed says here which commands to look at.
"""

from __future__ import annotations

from collections.abc import Callable

# Gets what somebody typed; returns the commands (seqs) that it may stand for, a few at most.
Finder = Callable[[str], list[int]]

_finders: list[Finder] = []


def register(finder: Finder) -> None:
    """Have this be asked, too; for ``AppConfig.ready()``."""
    if finder not in _finders:
        _finders.append(finder)


def commands_of(reference: str) -> list[int]:
    """Return the commands that the apps above know by this reference."""
    return [seq for finder in _finders for seq in finder(reference)]
