"""What this app holds about a person: their copy of it, and what keeps them here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from apps.accounts.models import User
from apps.accounts.personal.obstacles import register_obstacle
from apps.accounts.personal.parts import register_part
from apps.trades.exports import FILL_COLUMNS, ORDER_COLUMNS
from apps.trades.models import OPEN_STATUSES, Order, Restriction
from apps.trades.position_queries import positions_of, value_asset
from apps.trades.presentation import fill_json, order_json, position_json
from apps.trades.queries import all_fills, all_orders
from apps.trades.risk.presentation import limits_of_json, restriction_json
from apps.trades.risk.queries import limits_of
from apps.wallets.models import TradingAccount


def register() -> None:
    """Name the parts that this app has, and what stands in the way of who wants to go."""
    register_obstacle("open_orders", "You have open orders. Cancel them first.", _has_open_orders)
    register_obstacle(
        "restricted",
        "Our staff are looking at your account. Wait for that, or write to support.",
        _is_restricted,
    )
    register_part("orders", _orders, about="every order", columns=("account", *ORDER_COLUMNS))
    register_part("fills", _fills, about="every trade", columns=("account", *FILL_COLUMNS))
    register_part(
        "positions", _positions, about="what you hold, what it cost and what it has made",
        columns=("account", "asset", "quantity", "cost", "average_cost", "realised", "fees", "at"),
    )  # fmt: skip
    register_part("risk_limits", _limits, about="the limits of your account")
    register_part(
        "restrictions", _restrictions, about="what your account could not do, and why",
        columns=("since", "until", "lifted_at", "state", "cause", "words"),
    )  # fmt: skip


def _orders(person: User) -> Iterator[Mapping[str, object]]:
    for account in _accounts(person):
        yield from map(order_json, all_orders(viewer=person, account=account))


def _fills(person: User) -> Iterator[Mapping[str, object]]:
    for account in _accounts(person):
        for fill in all_fills(viewer=person, account=account):
            yield {"account": str(account.public_id), **fill_json(fill)}


def _positions(person: User) -> Iterator[Mapping[str, object]]:
    value = value_asset()
    for account in _accounts(person):
        for row in positions_of(viewer=person, account=account):
            yield {"account": str(account.public_id), **position_json(row, value)}


def _limits(person: User) -> Iterator[Mapping[str, object]]:
    for account in _accounts(person):
        found = limits_of_json(limits_of(viewer=person, account=account))
        yield {"account": str(account.public_id), **found}


def _restrictions(person: User) -> Iterator[Mapping[str, object]]:
    rows = Restriction.objects.filter(account__owner=person).order_by("id")
    return map(restriction_json, rows)


def _accounts(person: User) -> list[TradingAccount]:
    return list(TradingAccount.objects.filter(owner=person).order_by("id"))


def _has_open_orders(person: User) -> bool:
    return Order.objects.filter(account__owner=person, status__in=OPEN_STATUSES).exists()


def _is_restricted(person: User) -> bool:
    """What the owner's own limits or a freeze have done is no case of staff's."""
    return Restriction.objects.filter(
        account__owner=person, lifted_at=None, cause=Restriction.Cause.STAFF
    ).exists()
