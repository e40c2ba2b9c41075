"""Apps above own blocks: they register here, send them through ``actions``, and hear of them.

An app registers in ``AppConfig.ready()`` under the kind of its blocks. It may also say of which
kinds of trading account every order goes as a block, and who joins it. What becomes of its blocks
it is told exactly once and in order, in the transaction that notes how far it has heard: what it
writes there is kept together with that, or not at all. An app that raises is told again later, and
keeps nobody else waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from django.db import transaction

from apps.engine.messages import BlockLeg, Terms
from apps.trades.block_models import Block, BlockEvent, BlockListener
from apps.wallets.models import TradingAccount

logger = logging.getLogger(__name__)

EVENTS_PER_TURN: Final = 200


@dataclass(frozen=True, slots=True)
class LegNews:
    """What concerns one account.

    ``lots``, ``quote_minor`` and ``fee_minor`` are those of its leg where it joined (lots only) or
    was allotted something, ``reason`` is why it was left out or takes part no longer; then
    ``lots`` are those that are allotted to it yet. Who was left out has no order.
    """

    account_id: int
    order_id: int = 0
    lots: int = 0
    quote_minor: int = 0
    fee_minor: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class News:
    """``what`` is joined, left_out, allotted, left, ended or closed; ``id`` is there once.

    A leg has left where it takes part no longer: of its own, taken out, or with the block's end. A
    block has ended where nothing more fills, and is closed once all that has is allotted.
    """

    id: int
    block: Block
    what: str
    reason: str
    legs: tuple[LegNews, ...]
    at: datetime


Hear: TypeAlias = Callable[[Sequence[News]], None]
# Who joins an order of this account with these terms.
Join: TypeAlias = Callable[[TradingAccount, Terms], Sequence[BlockLeg]]


@dataclass(frozen=True, slots=True)
class Owner:
    kind: str
    hear: Hear
    join: Join | None = None


_owners: dict[str, Owner] = {}
_routes: dict[str, Owner] = {}


def register(
    kind: str, hear: Hear, *, join: Join | None = None, account_kinds: Sequence[str] = ()
) -> None:
    """Own the blocks of a kind; orders of accounts of ``account_kinds`` are sent as such."""
    if kind in _owners or any(each in _routes for each in account_kinds):
        raise ValueError(f"Blocks of kind {kind!r} have an owner already.")
    if account_kinds and join is None:
        raise ValueError(f"Nobody says who joins the orders that blocks of {kind!r} are made of.")
    owner = _owners[kind] = Owner(kind, hear, join)
    _routes.update(dict.fromkeys(account_kinds, owner))


def forget(kind: str) -> None:
    """Take a registration back."""
    owner = _owners.pop(kind)
    for account_kind in [each for each, other in _routes.items() if other is owner]:
        del _routes[account_kind]


def is_known(kind: str) -> bool:
    return kind in _owners


def owner_of(account: TradingAccount) -> Owner | None:
    """Return whose blocks the orders of this account are; None: they are plain orders."""
    return _routes.get(account.kind)


def tell_owners() -> int:
    """Tell every owner what it has not heard yet; return how many things that were."""
    return sum(_tell(owner) for owner in tuple(_owners.values()))


def _tell(owner: Owner) -> int:
    told = 0
    try:
        while count := _tell_some(owner):
            told += count
    except Exception:
        logger.exception("The owner of %s blocks could not be told of them.", owner.kind)
    return told


def _tell_some(owner: Owner) -> int:
    with transaction.atomic():
        BlockListener.objects.get_or_create(kind=owner.kind)
        listener = BlockListener.objects.select_for_update().get(kind=owner.kind)
        blocks = Block.objects.filter(kind=owner.kind)
        events = list(
            BlockEvent.objects.filter(id__gt=listener.last_id, block_id__in=blocks.values("id"))
            .order_by("id")[:EVENTS_PER_TURN]
        )  # fmt: skip
        if not events:
            return 0
        known = blocks.select_related("account", "instrument").in_bulk(
            {event.block_id for event in events}
        )
        owner.hear([_news(event, known[event.block_id]) for event in events])
        listener.last_id = events[-1].id
        listener.save(update_fields=["last_id"])
    return len(events)


def _news(event: BlockEvent, block: Block) -> News:
    legs = tuple(LegNews(*leg) for leg in event.legs)
    return News(event.id, block, event.what, event.reason, legs, event.at)
