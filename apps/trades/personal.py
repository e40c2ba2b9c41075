"""What this app holds about a person: their copy of it, and what keeps them here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

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
    register_part("orders", _orders, about="every order", columns=ORDER_COLUMNS)
    register_part("fills", _fills, about="every trade", columns=FILL_COLUMNS)
    register_part(
        "positions", _positions, about="what you hold, what it cost and what it has made",
        columns=("asset", "quantity", "cost", "average_cost", "realised", "fees", "at"),
    )  # fmt: skip
    register_part("risk_limits", _limits, about="the limits of your account")
    register_part(
        "restrictions", _restrictions, about="what your account could not do, and why",
        columns=("since", "until", "lifted_at", "state", "cause", "words"),
    )  # fmt: skip


def _orders(person: User) -> Iterable[Mapping[str, object]]:
    return map(order_json, all_orders(viewer=person)) if _trades(person) else ()


def _fills(person: User) -> Iterable[Mapping[str, object]]:
    return map(fill_json, all_fills(viewer=person)) if _trades(person) else ()


def _positions(person: User) -> Iterator[Mapping[str, object]]:
    if _trades(person):
        value = value_asset()
        for row in positions_of(viewer=person):
            yield position_json(row, value)


def _limits(person: User) -> Iterator[Mapping[str, object]]:
    if _trades(person):
        yield limits_of_json(limits_of(viewer=person))


def _restrictions(person: User) -> Iterator[Mapping[str, object]]:
    rows = Restriction.objects.filter(account__owner=person).order_by("id")
    return map(restriction_json, rows)


def _trades(person: User) -> bool:
    """Whether the person has a main account: who has just signed up may not yet."""
    return TradingAccount.objects.filter(owner=person, kind=TradingAccount.Kind.MAIN).exists()


def _has_open_orders(person: User) -> bool:
    return Order.objects.filter(account__owner=person, status__in=OPEN_STATUSES).exists()


def _is_restricted(person: User) -> bool:
    """What the owner's own limits or a freeze have done is no case of staff's."""
    return Restriction.objects.filter(
        account__owner=person, lifted_at=None, cause=Restriction.Cause.STAFF
    ).exists()
