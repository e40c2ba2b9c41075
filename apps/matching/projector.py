"""Hands committed batches to the projections, each exactly once, in order.

The offset moves in the transaction that writes the rows. A gap, or an offset that is not where
it was left, stops the projector: projections that are behind are better than wrong ones.
"""

from __future__ import annotations

import logging
from typing import Any

from apps.matching import projections
from apps.matching.journal import AnyCursor, Batch

logger = logging.getLogger(__name__)


class OffsetMoved(Exception):
    """The projections are not where this projector left them, or the journal has a gap."""


def project(batch: Batch, cursor: Any, *, shard: int) -> None:
    """Write the batch into all projections and move the offset, in the caller's transaction."""
    move_offset(batch, cursor, shard=shard)
    projections.apply_all(batch, cursor)


def move_offset(batch: Batch, cursor: AnyCursor, *, shard: int) -> None:
    """Take the offset from just before the batch to its end, or refuse."""
    at_ns = batch.entries[-1].at_ns
    if batch.first_seq == 1:
        cursor.execute(
            "INSERT INTO matching_projection_offset (shard, seq, at_ns) VALUES (%s, %s, %s)"
            " ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq, at_ns = excluded.at_ns"
            " WHERE matching_projection_offset.seq = 0",
            (shard, batch.last_seq, at_ns),
        )
    else:
        cursor.execute(
            "UPDATE matching_projection_offset SET seq = %s, at_ns = %s"
            " WHERE shard = %s AND seq = %s",
            (batch.last_seq, at_ns, shard, batch.first_seq - 1),
        )
    if cursor.rowcount != 1:
        raise OffsetMoved(
            f"The projections are not at seq {batch.first_seq - 1}: {batch.first_seq} to"
            f" {batch.last_seq} was not projected."
        )


def tell(batch: Batch) -> None:
    """Let projections publish a committed batch. What they fail to publish stops nothing."""
    for projection in projections.registered():
        if isinstance(projection, projections.PublishesBatches):
            try:
                projection.committed(batch)
            except Exception:
                logger.exception(
                    "Projection %s failed to publish %d to %d.",
                    projection.name, batch.first_seq, batch.last_seq,
                )  # fmt: skip
