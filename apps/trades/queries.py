"""Reads of orders, fills and what a person's holdings are worth, each scoped to who looks.

An order of somebody else and an order that does not exist look the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.errors import Invalid, NotFound
from apps.core.paging import Page, check_limit, page_of, parse_cursor
from apps.trades.models import OPEN_STATUSES, Fill, Order
from apps.wallets.models import TradingAccount
from apps.wallets.queries import account_for

ORDER_RELATED = ("account", "instrument__base", "instrument__quote")
OPEN_ORDERS_MAX = 500
ROWS_FETCHED = 2000


def order_for(*, viewer: User | None, order_id: str | int) -> Order:
    """Return the viewer's order of this id."""
    order = None
    if viewer is not None and viewer.pk is not None and (number := _id(order_id)) is not None:
        order = (
            Order.objects.filter(id=number, account__owner=viewer)
            .select_related(*ORDER_RELATED)
            .first()
        )
    if order is None:
        raise NotFound("order_not_found", "You have no such order.")
    return order


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
    orders = _orders_of(viewer, account).filter(id__lt=parse_cursor(before))
    if status is not None:
        orders = orders.filter(status__in=_statuses(status))
    if market is not None:
        orders = orders.filter(instrument__symbol=market.upper())
    if client_order_id is not None:
        orders = orders.filter(client_order_id=client_order_id)
    return page_of(orders.order_by("-id")[: limit + 1], limit)


def open_orders(*, viewer: User | None, account: TradingAccount | None = None) -> list[Order]:
    """Return all open orders of the account, newest first (the engine allows at most 200)."""
    orders = _orders_of(viewer, account).filter(status__in=OPEN_STATUSES)
    return list(orders.order_by("-id")[:OPEN_ORDERS_MAX])


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
    fills = fills.select_related("instrument__base", "instrument__quote")
    return page_of(fills.order_by("-id")[: limit + 1], limit)


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


def _orders_of(viewer: User | None, account: TradingAccount | None) -> QuerySet[Order]:
    return Order.objects.filter(account_id=owned_account(viewer, account).id).select_related(
        *ORDER_RELATED
    )


def _statuses(status: str) -> list[str]:
    if status == "open":
        return list(OPEN_STATUSES)
    if status not in Order.Status.values:
        raise Invalid("invalid_status", f"A status is one of {', '.join(Order.Status.values)}.")
    return [status]


def _id(text: str | int) -> int | None:
    text = str(text)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
