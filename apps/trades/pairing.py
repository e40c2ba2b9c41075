"""Two orders of which one fills: a limit and a stop on either side of the price.

What fills of one comes off the other, and when one ends, so does the other: that is the engine's.
Here one request becomes the terms of both, and its answer both orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from apps.accounts.models import User
from apps.core.errors import Conflict, DomainError, Invalid, NotFound, Refused
from apps.engine.messages import PlacePair
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.trades import routing
from apps.trades.actions import (
    VALID_SECONDS,
    Draft,
    draft_of,
    outcome_of,
    owned_account,
)
from apps.trades.models import Order
from apps.trades.queries import orders_named
from apps.trades.rows import terms_of_row
from apps.trades.terms import (
    LINKED_ORDER_ID_MAX,
    NOTHING,
    Asked,
    check_client_order_id,
)
from apps.wallets.models import TradingAccount

STOP_SUFFIX: Final = "-stop"
_WAITS: Final = (None, "gtc", "gtd")
_NEEDED: Final = ("market", "side", "quantity", "price")
_FIELDS: Final = (
    *_NEEDED, "stop_price", "stop_limit_price", "trail_amount", "trail_percent", "time_in_force",
    "expires_at", "self_trade_prevention", "client_order_id",
)  # fmt: skip

Pair = tuple[Order, Order]


def place_pair(
    *,
    actor: User,
    account: TradingAccount | str | None = None,
    market: str,
    side: str,
    quantity: str,
    price: str,
    stop_price: str | None = None,
    stop_limit_price: str | None = None,
    trail_amount: str | None = None,
    trail_percent: str | None = None,
    time_in_force: str | None = None,
    expires_at: str | datetime | None = None,
    self_trade_prevention: str = "expire_taker",
    client_order_id: str | None = None,
    now: datetime,
) -> Pair:
    """Place a limit order and a stop of which one fills; return them in this order.

    The stop is a stop-limit where ``stop_limit_price`` is given, and a trailing stop where a
    distance is. Its client order id is the one given with "-stop" behind it. The same pair again
    is not carried out twice.
    """
    owned = owned_account(actor, account)
    if routing.owner_of(owned) is not None:
        # Alone it would pass by those who take part in all that this account orders.
        raise _invalid("block_terms", "account", "A pair cannot be ordered for others as well.")
    name = new_command_id().hex() if client_order_id is None else client_order_id
    check_client_order_id(name, LINKED_ORDER_ID_MAX)
    if time_in_force not in _WAITS:
        raise _invalid(
            "invalid_time_in_force", "time_in_force", "The two orders of a pair are gtc or gtd."
        )
    common: dict[str, Any] = {
        "market": market, "side": side, "quantity": quantity, "time_in_force": time_in_force,
        "expires_at": expires_at, "self_trade_prevention": self_trade_prevention,
    }  # fmt: skip
    limit = Asked(**common, order_type="limit", price=price, post_only=True, client_order_id=name)
    stop = Asked(
        **common,
        order_type=_stop_type(stop_limit_price, trail_amount, trail_percent),
        price=stop_limit_price,
        stop_price=stop_price,
        trail_amount=trail_amount,
        trail_percent=trail_percent,
        client_order_id=name + STOP_SUFFIX,
    )
    before = {
        each.client_order_id: each
        for each in orders_named(account=owned, client_order_ids=[name, name + STOP_SUFFIX])
    }
    # What comes again is read as of when it came first: its date may have passed since.
    as_of = min((each.created_at for each in before.values()), default=now)
    drafts = draft_of(limit, as_of), _stop_draft(stop, as_of)
    return _again(before, *drafts) if before else _place(owned, *drafts)


def pair_asked_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``place_pair`` from the fields of the API; no other is let pass."""
    for name in fields:
        if name not in _FIELDS:
            raise _invalid("unknown_field", name, f"A pair has no field {name[:40]!r}.")
    for name in _NEEDED:
        if fields.get(name) is None:
            raise _invalid("missing_field", name, f"The {name} of the pair is missing.")
    # By this one the market is looked up before the rest of it is read.
    if not isinstance(fields["market"], str):
        raise NotFound("unknown_market", "There is no such market here.", field="market")
    return {name: value for name, value in fields.items() if value is not None}


def _stop_type(
    stop_limit_price: str | None, trail_amount: str | None, trail_percent: str | None
) -> str:
    if trail_amount is None and trail_percent is None:
        return "stop" if stop_limit_price is None else "stop_limit"
    if stop_limit_price is not None:
        raise _invalid(
            "stop_limit_price_not_allowed",
            "stop_limit_price",
            "A stop that trails sells or buys at the market's price, without a limit.",
        )
    return "trailing_stop"


def _stop_draft(stop: Asked, now: datetime) -> Draft:
    try:
        return draft_of(stop, now)
    except DomainError as error:
        if error.data.get("field") != "price":
            raise
        # Its limit has another name here: the price is that of the first order.
        data = {**error.data, "field": "stop_limit_price"}
        raise type(error)(error.code, error.message, **data) from None


def _place(account: TradingAccount, limit: Draft, stop: Draft) -> Pair:
    reply = get_gateway().submit(
        PlacePair(
            new_command_id(), valid_until_ns(VALID_SECONDS), account.id, limit.client_order_id,
            limit.terms, stop.terms,
        )
    )  # fmt: skip
    if reply.rejected is not None and reply.rejected.reason == "post_only_would_take":
        raise Refused(
            "invalid_pair",
            "The limit order would trade at once. Choose a price further from the market's, so"
            f" that it waits in the book. {NOTHING}",
            field="price",
        )
    # Any other refusal is told with the numbers of the stop, which is what reserves the most.
    second = outcome_of(account, stop, reply, NOTHING)
    return outcome_of(account, limit, reply, NOTHING), second


def _again(before: Mapping[str, Order], limit: Draft, stop: Draft) -> Pair:
    """Return the pair that has come before under the same id; raise if it is something else."""
    first, second = (before.get(each.client_order_id) for each in (limit, stop))
    if (
        first is None
        or second is None
        or first.pair_order_id != second.id
        or (terms_of_row(first), terms_of_row(second)) != (limit.terms, stop.terms)
    ):
        raise Conflict(
            "id_reused",
            f"You have used this client order id, or it with {STOP_SUFFIX!r} behind it, for another"
            f" order. Choose a new one. {NOTHING}",
            field="client_order_id",
        )
    return first, second


def _invalid(code: str, field: str, words: str) -> Invalid:
    return Invalid(code, f"{words} {NOTHING}", field=field)
