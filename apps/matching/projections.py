"""The registry of projections: how the apps above are handed what the engine decided.

An app registers its projections in ``AppConfig.ready()``. The projector gives every committed
batch to each of them, once and in order, and moves its offset in the same transaction. This
module knows no projection by name, and a projection never reads the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, runtime_checkable

from psycopg import sql

from apps.engine.messages import Instrument
from apps.matching.journal import Batch

# Writes one batch with the cursor that it is given.
Write: TypeAlias = Callable[[Any], None]

# So many batches may be prepared beyond the one that is being written: a slow one on either side
# then makes nobody wait.
PREPARED_MAX: Final = 2


class EngineView(Protocol):
    """The engine's state at the seq that the projections have reached, for checking them."""

    @property
    def seq(self) -> int: ...

    @property
    def instruments(self) -> dict[int, Instrument]: ...

    def phases(self) -> Iterator[tuple[int, int, int]]:
        """Yield (market_id, phase, until_ns)."""
        ...

    def indications(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (market_id, price_ticks, lots, surplus_lots) of the auctions to come."""
        ...

    def balances(self) -> Iterator[tuple[int, int, int, int]]:
        """Yield (account_id, asset_id, available_minor, held_minor)."""
        ...

    def open_orders(self) -> Iterator[tuple[int, int, int, int, int, int, int, bool]]:
        """Yield order, account, market, side, price, remaining lots, hold and whether it rests."""
        ...

    def open_legs(self) -> Iterator[tuple[int, int, int, int, int, int]]:
        """Yield order, account, market, side, lots to fill and what is in escrow, for each leg."""
        ...


class Projection(Protocol):
    """Tables that are written from events alone, so that they can be rebuilt at any time."""

    name: str
    # Raised when events are to make other rows than before: the tables are then written again.
    version: int
    tables: tuple[str, ...]

    def apply(self, batch: Batch, cursor: Any) -> None:
        """Write the batch with the cursor (a psycopg ``ClientCursor``, client-side binding).

        Runs inside the projector's transaction: no commit, no other connection. One batch may
        hold one command or many thousands, so write in bulk (COPY, multi-row upserts).
        """
        ...

    def check(self, view: EngineView) -> list[str]:
        """Return the differences between the tables and the engine, in words; none is good.

        Called by ``verify`` in a repeatable-read transaction on the default connection.
        """
        ...


@runtime_checkable
class PreparesBatches(Protocol):
    """A projection that can do its thinking beforehand, while the batch before is being written."""

    def prepare(self, batch: Batch) -> Write:
        """Return what writes the batch, given the cursor: the same as ``apply``.

        Batches are prepared in order, in another thread than the one that writes, and without a
        database. What is prepared may never be written; before it comes again, ``take_up`` is
        called.
        """
        ...


@runtime_checkable
class TakesUp(Protocol):
    """A projection that prepares from what it remembers of the tables."""

    def take_up(self, cursor: Any, *, seq: int) -> None:
        """Remember the tables, which stand at ``seq``: what is prepared next comes right after it.

        Called where the projector finds its place, and before each batch that it does not prepare
        ahead; most of those follow on what is remembered already.
        """
        ...


@runtime_checkable
class PublishesBatches(Protocol):
    """A projection that also tells the world. Errors are logged and stop nothing."""

    def committed(self, batch: Batch) -> None:
        """Called after the transaction of ``apply`` has committed; never during a rebuild."""
        ...


@runtime_checkable
class ClearsItself(Protocol):
    """A projection whose tables hold more than projected rows, so that TRUNCATE will not do."""

    def clear(self, cursor: Any) -> None:
        """Remove every projected row, at the start of the transaction that rebuilds."""
        ...


_registered: dict[str, Projection] = {}


def register(projection: Projection) -> None:
    """Add a projection. Order matters: a table comes after those its foreign keys name."""
    if projection.name in _registered:
        raise ValueError(f"A projection named {projection.name!r} is registered already.")
    _registered[projection.name] = projection


def registered() -> tuple[Projection, ...]:
    """Return all projections in the order in which they were registered."""
    return tuple(_registered.values())


def versions() -> dict[str, int]:
    """Return the version of every projection, by its name."""
    return {projection.name: projection.version for projection in registered()}


def take_up_all(cursor: Any, *, seq: int) -> None:
    """Let every projection remember what it needs of the tables, which stand at ``seq``."""
    for projection in registered():
        if isinstance(projection, TakesUp):
            projection.take_up(cursor, seq=seq)


def prepare_all(batch: Batch) -> list[Write]:
    """Return what writes the batch into the tables of every projection."""
    return [
        projection.prepare(batch)
        if isinstance(projection, PreparesBatches)
        else partial(projection.apply, batch)
        for projection in registered()
    ]


def clear_all(cursor: Any) -> None:
    """Remove every projected row, those of the last registered first."""
    plain: list[str] = []
    for projection in reversed(registered()):
        if isinstance(projection, ClearsItself):
            projection.clear(cursor)
        else:
            plain.extend(projection.tables)
    if plain:
        names = sql.SQL(", ").join(sql.Identifier(name) for name in plain)
        cursor.execute(sql.SQL("TRUNCATE {}").format(names))
