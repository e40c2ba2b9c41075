"""Reads of orders, fills and what a person's holdings are worth, each scoped to who looks.

An order of somebody else and an order that does not exist look the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from django.db import connection

from apps.accounts.models import User
from apps.core.errors import Invalid, NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.core.rows import Rows, first_row
from apps.markets.queries import recent_instruments
from apps.trades.models import OPEN_STATUSES, Fill, Order
from apps.wallets.models import TradingAccount
from apps.wallets.queries import account_for

ORDER_RELATED = ("account", "instrument__base", "instrument__quote")
OPEN_ORDERS_MAX = 500
ROWS_FETCHED = 2000
Row = TypeVar("Row", Order, Fill)

_orders = Rows(Order)
_accounts = Rows(TradingAccount)
_OWNED = f"""
    SELECT {_orders.columns}, {_accounts.columns} FROM trades_order
    JOIN wallets_tradingaccount ON wallets_tradingaccount.id = trades_order.account_id
    WHERE trades_order.id = %s AND wallets_tradingaccount.owner_id = %s
"""
_NAMED = f"""
    SELECT {_orders.columns} FROM trades_order WHERE account_id = %s AND client_order_id = ANY(%s)
"""


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


def orders_page(
    *,
    viewer: User | None,
    account: TradingAccount | None = None,
    status: str | None = None,
    market: str | None = None,
    client_order_id: str | None = None,
    before: str | int | None = None,
    limit: int = 50,
) -> Page[Order]:
    """Return orders of the account (the main one if none is given), newest first.

    The status "open" includes orders that are partly filled and still open.
    """
    check_limit(limit)
    owned = owned_account(viewer, account)
    orders = Order.objects.filter(account_id=owned.id, id__lt=parse_cursor(before))
    if status is not None:
        orders = orders.filter(status__in=_statuses(status))
    if market is not None:
        orders = orders.filter(instrument__symbol=market.upper())
    if client_order_id is not None:
        orders = orders.filter(client_order_id=client_order_id)
    return page_of(_of_account(owned, orders.order_by("-id")[: limit + 1]), limit)


def open_orders(*, viewer: User | None, account: TradingAccount | None = None) -> list[Order]:
    """Return all open orders of the account, newest first (the engine allows at most 200)."""
    owned = owned_account(viewer, account)
    orders = Order.objects.filter(account_id=owned.id, status__in=OPEN_STATUSES)
    return list(_of_account(owned, orders.order_by("-id")[:OPEN_ORDERS_MAX]))


def fills_page(
    *,
    viewer: User | None,
    account: TradingAccount | None = None,
    market: str | None = None,
    order_id: str | int | None = None,
    before: str | int | None = None,
    limit: int = 50,
) -> Page[Fill]:
    """Return fills of the account (the main one if none is given), newest first."""
    check_limit(limit)
    owned = owned_account(viewer, account)
    fills = Fill.objects.filter(account_id=owned.id, id__lt=parse_cursor(before))
    if market is not None:
        fills = fills.filter(instrument__symbol=market.upper())
    if order_id is not None:
        number = _id(order_id)
        fills = fills.none() if number is None else fills.filter(order_id=number)
    return page_of(_in_markets(fills.order_by("-id")[: limit + 1]), limit)


def all_fills(*, viewer: User | None, market: str | None = None) -> Iterator[Fill]:
    """Yield every fill of the viewer's main account, oldest first, however many there are."""
    fills = Fill.objects.filter(account_id=owned_account(viewer, None).id)
    if market is not None:
        fills = fills.filter(instrument__symbol=market.upper())
    related = fills.select_related("instrument__base", "instrument__quote")
    return related.order_by("id").iterator(chunk_size=ROWS_FETCHED)


def owned_account(viewer: User | None, account: TradingAccount | None) -> TradingAccount:
    """Return the account if it is the viewer's; without one, the viewer's main account."""
    if account is None:
        return account_for(viewer=viewer)
    if viewer is None or viewer.pk is None or account.owner_id != viewer.pk:
        raise NotFound("unknown_account", "You have no such trading account.")
    return account


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
