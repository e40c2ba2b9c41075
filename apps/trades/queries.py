"""Reads of orders, fills and what a person's holdings are worth, each scoped to who looks.

An order of somebody else and an order that does not exist look the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum

from apps.accounts.models import User
from apps.core.errors import Invalid, NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.core.rows import Rows, first_row
from apps.engine.messages import leg_name
from apps.markets.queries import recent_instruments
from apps.trades.models import OPEN_STATUSES, Block, Fill, Order
from apps.trades.rules import ORDER_TYPES, SIDES
from apps.wallets.models import TradingAccount
from apps.wallets.queries import account_for

ORDER_RELATED = ("account", "instrument__base", "instrument__quote")
OPEN_ORDERS_MAX = 500
ROWS_FETCHED = 2000
_ASSETS: Final = ("base", "quote")
Row = TypeVar("Row", Order, Fill)
Code = TypeVar("Code", int, bool)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders or fills; what is None does not matter.

    The status "open" includes orders that are partly filled and still open. Types and statuses are
    of orders, roles of fills. ``end`` is the first moment that is not wanted any more.
    """

    market: str | None = None
    side: str | None = None
    type: str | None = None
    status: str | None = None
    role: str | None = None
    start: datetime | None = None
    end: datetime | None = None


ALL: Final = Wanted()
_ROLES: Final = {"taker": False, "maker": True}
_orders = Rows(Order)
_accounts = Rows(TradingAccount)
_OWNED = f"""
    SELECT {_orders.columns}, {_accounts.columns} FROM trades_order
    JOIN wallets_tradingaccount ON wallets_tradingaccount.id = trades_order.account_id
    WHERE trades_order.id = %s AND wallets_tradingaccount.owner_id = %s
"""  # nosec B608  # columns are the models'
_NAMED = f"""
    SELECT {_orders.columns} FROM trades_order WHERE account_id = %s AND client_order_id = ANY(%s)
"""  # nosec B608  # columns are the models'


def order_for(*, viewer: User | None, order_id: str | int) -> Order:
    """Return the viewer's order of this id."""
    row = None
    if viewer is not None and viewer.pk is not None and (number := _id(order_id)) is not None:
        row = first_row(_OWNED, [number, viewer.pk])
    if row is None:
        raise NotFound("order_not_found", "You have no such order.")
    account = _accounts.made_of(row[_orders.width :])
    (order,) = _of_account(account, [_orders.made_of(row[: _orders.width])])
    return order


def orders_named(*, account: TradingAccount, client_order_ids: list[str]) -> list[Order]:
    """Return the account's orders under these ids of its owner's."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, [account.id, client_order_ids])
        found = [_orders.made_of(row) for row in cursor.fetchall()]
    return list(_of_account(account, found))


@dataclass(frozen=True, slots=True)
class BlockState:
    """How a block stands. ``order`` is the leader's leg; the sums are over all legs.

    It is open as long as anything of it may fill or is to be allotted.
    """

    block: Block
    order: Order | None
    legs: int
    open_legs: int
    filled_lots: int
    filled_quote_minor: int
    fee_minor: int

    @property
    def is_open(self) -> bool:
        return self.open_legs > 0


def block_for(*, kind: str, block_id: int) -> Block:
    """Return the block if it is one of the calling app's."""
    found = Block.objects.filter(kind=kind, id=block_id)
    block = found.select_related("account", *(f"instrument__{each}" for each in _ASSETS)).first()
    if block is None:
        raise NotFound("unknown_block", "There is no such block.")
    return block


def block_state(*, block: Block) -> BlockState:
    """Return the sums over the block's legs; what the engine refused has none."""
    sums = Order.objects.filter(block_id=block.id).aggregate(
        legs=Count("id"),
        open_legs=Count("id", filter=Q(status__in=OPEN_STATUSES)),
        lots=Sum("filled_lots", default=0),
        quote_minor=Sum("filled_quote_minor", default=0),
        fee_minor=Sum("fee_minor", default=0),
    )
    return BlockState(
        block, leader_order(block=block), sums["legs"], sums["open_legs"], int(sums["lots"]),
        int(sums["quote_minor"]), int(sums["fee_minor"]),
    )  # fmt: skip


def leader_order(*, block: Block) -> Order | None:
    """Return the leader's leg as the tables have it."""
    found = orders_named(account=block.account, client_order_ids=[block.client_order_id])
    return next((order for order in found if order.block_id == block.id), None)


def block_legs(*, block: Block, after_id: int = 0, limit: int = ROWS_FETCHED) -> list[Order]:
    """Return the legs as orders of their accounts, in the order in which they joined."""
    legs = Order.objects.filter(block_id=block.id, id__gt=after_id).select_related("account")
    return list(_in_markets(legs.order_by("id")[:limit]))


def leader_orders(*, account: TradingAccount, block_id: int) -> list[int]:
    """Return the id of the account's own leg of a block that it leads, if it does.

    Copiers' legs have no name of their owner's.
    """
    legs = Order.objects.filter(account_id=account.id, block_id=block_id)
    return list(legs.exclude(client_order_id=leg_name(block_id)).values_list("id", flat=True))


def orders_page(
    *,
    viewer: User | None,
    account: TradingAccount | None = None,
    client_order_id: str | None = None,
    before: str | int | None = None,
    limit: int = 50,
    wanted: Wanted = ALL,
) -> Page[Order]:
    """Return orders of the account (the main one if none is given), newest first."""
    check_limit(limit)
    owned = owned_account(viewer, account)
    orders = _wanted_orders(owned, wanted).filter(id__lt=parse_cursor(before))
    if client_order_id is not None:
        orders = orders.filter(client_order_id=client_order_id)
    return page_of(_of_account(owned, orders.order_by("-id")[: limit + 1]), limit)


def all_orders(
    *, viewer: User | None, account: TradingAccount | None = None, wanted: Wanted = ALL
) -> Iterator[Order]:
    """Yield every order of the account (the main one if none is given), oldest first."""
    owned = owned_account(viewer, account)
    related = _wanted_orders(owned, wanted).select_related("instrument__base", "instrument__quote")
    return _of_account(owned, related.order_by("id").iterator(chunk_size=ROWS_FETCHED))


def open_orders(*, viewer: User | None, account: TradingAccount | None = None) -> list[Order]:
    """Return all open orders of the account, newest first (the engine allows at most 200)."""
    owned = owned_account(viewer, account)
    orders = Order.objects.filter(account_id=owned.id, status__in=OPEN_STATUSES)
    return list(_of_account(owned, orders.order_by("-id")[:OPEN_ORDERS_MAX]))


def open_among(order_ids: Collection[int]) -> set[str]:
    """Return which of these orders are open, as they are named outside."""
    if not order_ids:
        return set()
    found = Order.objects.filter(id__in=order_ids, status__in=OPEN_STATUSES)
    return {str(number) for number in found.values_list("id", flat=True)}


def ended_its_purchase(exit_order: Order) -> bool:
    """Return whether what was left of the purchase has ended with this exit of it.

    It always does, so that one which the tables call open has not been written down yet.
    """
    if exit_order.parent_order_id is None:
        return False
    return Order.objects.filter(
        Q(status__in=OPEN_STATUSES) | Q(last_seq=exit_order.last_seq),
        id=exit_order.parent_order_id,
    ).exists()


def fills_page(
    *,
    viewer: User | None,
    account: TradingAccount | None = None,
    order_id: str | int | None = None,
    before: str | int | None = None,
    limit: int = 50,
    wanted: Wanted = ALL,
) -> Page[Fill]:
    """Return fills of the account (the main one if none is given), newest first."""
    check_limit(limit)
    owned = owned_account(viewer, account)
    fills = _wanted_fills(owned, wanted).filter(id__lt=parse_cursor(before))
    if order_id is not None:
        number = _id(order_id)
        fills = fills.none() if number is None else fills.filter(order_id=number)
    return page_of(_in_markets(fills.order_by("-id")[: limit + 1]), limit)


def all_fills(
    *, viewer: User | None, account: TradingAccount | None = None, wanted: Wanted = ALL
) -> Iterator[Fill]:
    """Yield every fill of the account (the main one if none is given), oldest first."""
    fills = _wanted_fills(owned_account(viewer, account), wanted)
    related = fills.select_related("instrument__base", "instrument__quote")
    return related.order_by("id").iterator(chunk_size=ROWS_FETCHED)


def owned_account(viewer: User | None, account: TradingAccount | None) -> TradingAccount:
    """Return the account if it is the viewer's; without one, the viewer's main account."""
    if account is None:
        return account_for(viewer=viewer)
    if viewer is None or viewer.pk is None or account.owner_id != viewer.pk:
        raise NotFound("unknown_account", "You have no such trading account.")
    return account


def _wanted_orders(account: TradingAccount, wanted: Wanted) -> QuerySet[Order]:
    orders = Order.objects.filter(account_id=account.id)
    if wanted.status is not None:
        orders = orders.filter(status__in=_statuses(wanted.status))
    if wanted.type is not None:
        orders = orders.filter(order_type=_known(ORDER_TYPES, wanted.type, "type"))
    return _wanted_rows(orders, wanted, "created_at")


def _wanted_fills(account: TradingAccount, wanted: Wanted) -> QuerySet[Fill]:
    fills = Fill.objects.filter(account_id=account.id)
    if wanted.role is not None:
        fills = fills.filter(is_maker=_known(_ROLES, wanted.role, "role"))
    return _wanted_rows(fills, wanted, "at")


def _wanted_rows(rows: QuerySet[Row], wanted: Wanted, time: str) -> QuerySet[Row]:
    if wanted.market is not None:
        rows = rows.filter(instrument__symbol=wanted.market.upper())
    if wanted.side is not None:
        rows = rows.filter(side=_known(SIDES, wanted.side, "side"))
    if wanted.start is not None:
        rows = rows.filter(**{f"{time}__gte": wanted.start})
    if wanted.end is not None:
        rows = rows.filter(**{f"{time}__lt": wanted.end})
    return rows


def _known(names: Mapping[str, Code], name: str, what: str) -> Code:
    if name not in names:
        raise Invalid(f"invalid_{what}", f"A {what} is one of {', '.join(names)}.")
    return names[name]


def _of_account(account: TradingAccount, orders: Iterable[Order]) -> Iterator[Order]:
    for order in _in_markets(orders):
        order.account = account
        yield order


def _in_markets(rows: Iterable[Row]) -> Iterator[Row]:
    """Give each row the market that is at hand: joined to it, that takes longer than the row."""
    instruments = recent_instruments()
    for row in rows:
        if row.instrument_id in instruments:
            row.instrument = instruments[row.instrument_id]
        yield row


def _statuses(status: str) -> list[str]:
    if status == "open":
        return list(OPEN_STATUSES)
    if status not in Order.Status.values:
        raise Invalid("invalid_status", f"A status is one of {', '.join(Order.Status.values)}.")
    return [status]


def _id(text: str | int) -> int | None:
    text = str(text)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
