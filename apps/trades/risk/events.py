"""What the apps above want to know of restrictions; they register in ``AppConfig.ready()``.

Sockets need none of this: the engine's own event reaches them (``realtime``).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apps.trades.risk.models import Restriction

logger = logging.getLogger(__name__)

Hear = Callable[["Restriction"], None]

_hearers: list[Hear] = []


def on_restricted(hear: Hear) -> None:
    """Have this called with each restriction that a breach has caused; it must be idempotent."""
    if hear not in _hearers:
        _hearers.append(hear)


def restricted(restriction: Restriction) -> None:
    """Tell the apps above. One that fails is logged: it must not keep a loss from being stopped."""
    for hear in _hearers:
        try:
            hear(restriction)
        except Exception:
            logger.exception("Restriction %s was not passed on.", restriction.pk)
