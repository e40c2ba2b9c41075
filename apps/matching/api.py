"""Reading one's own writes: a read with ``min_seq`` waits, bounded, until it can show that much."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

from apps.core.errors import Unavailable
from apps.core.fields import QueryInteger, QuerySerializer
from apps.matching.queries import journaled_seq, projected_seq, wait_for_seq

WAIT_SECONDS: Final = 2.0
# So many may wait at once; more would leave no thread for anybody else.
_waiting: Final = threading.BoundedSemaphore(4)


class SeqQuery(QuerySerializer):
    min_seq = QueryInteger(
        code="invalid_min_seq",
        required=False,
        help_text="Answer only with what command `seq` and all before it have done.",
    )


def await_seq(query: Mapping[str, Any]) -> None:
    """Wait until the projections show ``min_seq``, where the query has one."""
    wanted = query.get("min_seq")
    if wanted is None or projected_seq() >= wanted:
        return
    # What is not even decided may not come for long: whoever asks for it keeps nobody else waiting.
    if wanted <= journaled_seq() and _waiting.acquire(blocking=False):
        try:
            if wait_for_seq(wanted, WAIT_SECONDS):
                return
        finally:
            _waiting.release()
    raise Unavailable(
        "not_yet_projected",
        "This is not readable yet. Ask again in a moment.",
        retry_after_seconds=1,
    )
