"""Placing and cancelling orders.

The engine decides and has committed before anything here answers. Answers are built from what it
replied, not from the tables, which may be a moment behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Conflict, DomainError, Invalid, NotAllowed, NotFound, Unavailable
from apps.engine.messages import (
    BlockEnded,
    Cancel,
    CancelAll,
    Closed,
    LegsReleased,
    Place,
    Terms,
)
from apps.markets.models import Instrument
from apps.markets.queries import recent_instrument
from apps.matching.gateway import Reply, get_gateway, new_command_id, valid_until_ns
from apps.matching.journal import Entry
from apps.matching.queries import wait_for_seq
from apps.trades import routing
from apps.trades.block_entry import amend_block as amend_block
from apps.trades.block_entry import cancel_block as cancel_block
from apps.trades.block_entry import remove_legs as remove_legs
from apps.trades.block_entry import submit_block as submit_block
from apps.trades.folding import STATUS_BY_CLOSE, Folded
from apps.trades.models import OPEN_STATUSES, Order
from apps.trades.queries import leader_orders, order_for, orders_named
from apps.trades.refusals import refusal
from apps.trades.rows import is_linked, order_of, terms_of_row
from apps.trades.rules import SIDES
from apps.trades.terms import (
    CLIENT_ORDER_ID_MAX,
    LINKED_ORDER_ID_MAX,
    NOTHING,
    Asked,
    check_client_order_id,
    has_exits,
    is_client_order_id,
    terms_of,
)
from apps.wallets.models import TradingAccount
from apps.wallets.queries import account_for

logger = logging.getLogger(__name__)

VALID_SECONDS: Final = 5.0
ORDERS_PER_BATCH_MAX: Final = 100
# How long an answer that needs the tables waits for them to catch up.
CATCH_UP_SECONDS: Final = 1.0
LEG_POLL_SECONDS: Final = 0.02
# Blocks go one after another, each as slow as the tables: none is begun after so long.
ROUTED_SECONDS_MAX: Final = 5.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The orders that ended, in the order in which they were entered."""

    order_ids: tuple[int, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that can be sent."""

    instrument: Instrument
    terms: Terms
    client_order_id: str


def place_order(
    *,
    actor: User,
    account: TradingAccount | str | None = None,
    market: str,
    side: str,
    order_type: str,
    quantity: str | None = None,
    quote_amount: str | None = None,
    price: str | None = None,
    stop_price: str | None = None,
    display_quantity: str | None = None,
    trail_amount: str | None = None,
    trail_percent: str | None = None,
    take_profit_price: str | None = None,
    stop_loss_price: str | None = None,
    stop_loss_limit_price: str | None = None,
    time_in_force: str | None = None,
    expires_at: str | datetime | None = None,
    post_only: bool = False,
    self_trade_prevention: str = "expire_taker",
    client_order_id: str | None = None,
    now: datetime,
) -> Order:
    """Place an order and return it as it stands after everything that it caused at once.

    The same order again, under the same client order id, is not carried out twice: what has become
    of the first is returned. The row that is returned may not be in the table yet.
    """
    asked = {
        "market": market,
        "side": side,
        "order_type": order_type,
        "quantity": quantity,
        "quote_amount": quote_amount,
        "price": price,
        "stop_price": stop_price,
        "display_quantity": display_quantity,
        "trail_amount": trail_amount,
        "trail_percent": trail_percent,
        "take_profit_price": take_profit_price,
        "stop_loss_price": stop_loss_price,
        "stop_loss_limit_price": stop_loss_limit_price,
        "time_in_force": time_in_force,
        "expires_at": expires_at,
        "post_only": post_only,
        "self_trade_prevention": self_trade_prevention,
        "client_order_id": client_order_id,
    }
    (outcome,) = place_orders(actor=actor, account=account, orders=[asked], now=now)
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def place_orders(
    *,
    actor: User,
    account: TradingAccount | str | None = None,
    orders: Sequence[Mapping[str, Any]],
    now: datetime,
) -> list[Order | DomainError]:
    """Place orders next to each other, in this order; each has its own outcome.

    ``orders`` are the arguments of ``place_order`` without actor, account and now. Only what
    concerns all of them is raised: the account, the size of the batch, an engine that is away.
    Orders that go as blocks, of which some may be in already, have an outcome each even then.
    """
    begin_until = time.monotonic() + ROUTED_SECONDS_MAX
    if not 1 <= len(orders) <= ORDERS_PER_BATCH_MAX:
        raise NotAllowed("batch_size", f"A batch has 1 to {ORDERS_PER_BATCH_MAX} orders. {NOTHING}")
    owned = owned_account(actor, account)
    owner = routing.owner_of(owned)
    instruments: dict[str, Instrument] = {}
    earlier = _earlier(owned, [asked.get("client_order_id") for asked in orders])
    outcomes: list[Order | DomainError | None] = []
    sent: list[tuple[int, Draft]] = []
    for index, order in enumerate(orders):
        asked = Asked(**order)
        name = asked.client_order_id
        before = earlier.get(name) if isinstance(name, str) else None
        # What comes again is read as of when it came first: its date may have passed since.
        draft = _draft(asked, instruments, now if before is None else before.created_at)
        if isinstance(draft, DomainError):
            outcomes.append(draft)
        elif before is not None:
            outcomes.append(_again(before, draft))
        elif owner is not None:
            late = bool(outcomes) and time.monotonic() >= begin_until
            outcomes.append(_too_late() if late else _as_block(owner, owned, asked, draft, now))
        else:
            outcomes.append(None)
            sent.append((index, draft))
    if sent:
        replies = get_gateway().submit_many([_place(owned, draft) for _, draft in sent])
        repeated = _repeated(owned, [draft for _, draft in sent], replies)
        for (index, draft), reply in zip(sent, replies, strict=True):
            outcomes[index] = _outcome(reply, draft, owned, repeated)
    return [outcome for outcome in outcomes if outcome is not None]


def _as_block(
    owner: routing.Owner, account: TradingAccount, asked: Asked, draft: Draft, now: datetime
) -> Order | DomainError:
    """Place the order as a block of the app that says who else takes part in it.

    Whatever goes wrong is this order's alone: others of its batch may be in the market already.
    """
    if owner.join is None:
        raise RuntimeError(f"Nobody says who joins a block of kind {owner.kind}.")
    order = {**asdict(asked), "client_order_id": draft.client_order_id}
    try:
        legs = owner.join(account, draft.terms)
    except DomainError as error:
        return error
    except Exception:
        logger.exception("Nobody could say who joins an order of account %s.", account.id)
        return Unavailable(
            "unavailable",
            f"It could not be found out who takes part in this order. {NOTHING} Try again.",
            retry_after_seconds=1,
        )
    try:
        return submit_block(kind=owner.kind, account=account, order=order, legs=legs, now=now).order
    except DomainError as error:
        return error
    except Exception:
        logger.exception("A block of account %s broke off on its way.", account.id)
        return Unavailable(
            "outcome_unknown",
            "It is not known whether this order was taken. Look at your orders, or send it again"
            " under the same client order id: it is carried out once.",
            retry_after_seconds=1,
        )


def _too_late() -> Unavailable:
    return Unavailable(
        "unavailable",
        f"The orders before this one took too long. {NOTHING} Send it again.",
        retry_after_seconds=1,
    )


def cancel_order(*, actor: User, order_id: str | int) -> Order:
    """Cancel an open order and return it as it ended."""
    order = _order_or_none(actor, order_id)
    if order is not None and order.status not in OPEN_STATUSES:
        raise _closed(order)
    # An order placed a moment ago may not be in the table yet; the engine knows whose it is.
    account = account_for(viewer=actor) if order is None else order.account
    number = _number(order_id) if order is None else order.id
    reply = get_gateway().submit(
        Cancel(new_command_id(), valid_until_ns(VALID_SECONDS), account.id, number)
    )
    if reply.rejected is not None:
        return _not_cancelled(reply, actor, number)
    wait_for_seq(reply.seq, CATCH_UP_SECONDS)
    order = _order_or_none(actor, number)
    if order is None:
        raise Unavailable(
            "not_yet_projected",
            "Your order is cancelled; its details can be read in a moment.",
            retry_after_seconds=1,
        )
    if order.block_id is not None:
        return _left(order)
    if order.last_seq < reply.seq:
        _close(order, reply)
    return order


def cancel_all(
    *,
    actor: User,
    account: TradingAccount | str | None = None,
    market: str | None = None,
    side: str | None = None,
) -> Cancelled:
    """Cancel every open order of the account, or those in one market or on one side."""
    owned = owned_account(actor, account)
    market_id = 0 if market is None else recent_instrument(market).id
    if side is not None and side not in SIDES:
        raise Invalid("invalid_side", "A side is buy or sell. Nothing was cancelled.", field="side")
    side_id = 0 if side is None else SIDES[side]
    reply = get_gateway().submit(
        CancelAll(new_command_id(), valid_until_ns(VALID_SECONDS), owned.id, market_id, side_id)
    )
    if reply.rejected is not None:
        raise Unavailable(
            reply.rejected.reason,
            "Your orders could not be cancelled. They are open as before; try again.",
            retry_after_seconds=1,
        )
    return Cancelled(tuple(_cancelled(owned, reply)), reply.seq)


def _cancelled(account: TradingAccount, reply: Reply) -> Iterator[int]:
    """Yield what a cancel-all ended. Timers ran first: what they ended was not cancelled here.

    An order that is one of two takes the other with it, which is told right after.
    """
    swept = False
    for event in reply.events:
        if isinstance(event, Closed) and event.account_id == account.id:
            swept = event.reason == "cancel_all" or (swept and event.reason == "pair")
            if swept:
                yield event.order_id
        elif isinstance(event, LegsReleased):
            for leg in event.legs:
                if leg.account_id == account.id and leg.reason == "cancel_all":
                    yield leg.order_id
        elif isinstance(event, BlockEnded) and event.reason == "cancel_all":
            # The leader's leg is the block; it is told of once all is allotted.
            yield from leader_orders(account=account, block_id=event.block_id)


def owned_account(actor: User, account: TradingAccount | str | None) -> TradingAccount:
    """Return the actor's own account, the main one where none is named."""
    if not actor.is_active:
        raise NotAllowed("person_inactive", f"Your access is closed. {NOTHING}")
    if isinstance(account, TradingAccount):
        if account.owner_id != actor.pk:
            raise NotFound("unknown_account", "You have no such trading account.")
        return account
    return account_for(viewer=actor, public_id=account)


def _draft(asked: Asked, instruments: dict[str, Instrument], now: datetime) -> Draft | DomainError:
    try:
        instrument = instruments.get(asked.market)
        if instrument is None:
            instrument = instruments[asked.market] = recent_instrument(asked.market)
        terms = terms_of(asked, instrument, now)
        client_order_id = asked.client_order_id
        if client_order_id is None:
            client_order_id = new_command_id().hex()
        length_max = LINKED_ORDER_ID_MAX if has_exits(terms) else CLIENT_ORDER_ID_MAX
        return Draft(instrument, terms, check_client_order_id(client_order_id, length_max))
    except DomainError as error:
        return error


def draft_of(asked: Asked, now: datetime) -> Draft:
    """Return an order that can be sent; raise what is wrong with it."""
    draft = _draft(asked, {}, now)
    if isinstance(draft, DomainError):
        raise draft
    return draft


def earlier_order(account: TradingAccount, client_order_id: str | None) -> Order | None:
    """Return the order that the account has under this id of its owner's, if any."""
    found = _earlier(account, [client_order_id])
    return next(iter(found.values()), None)


def placed_before(before: Order, draft: Draft) -> Order:
    """Return the order that has come before under the same id; raise if it is another."""
    return _raised(_again(before, draft))


def outcome_of(account: TradingAccount, draft: Draft, reply: Reply, nothing: str) -> Order:
    """Return the order that the reply says was placed; raise a refusal."""
    repeated = _repeated(account, [draft], [reply])
    return _raised(_outcome(reply, draft, account, repeated, nothing))


def _raised(outcome: Order | DomainError) -> Order:
    if isinstance(outcome, DomainError):
        raise outcome
    return outcome


def _place(account: TradingAccount, draft: Draft) -> Place:
    return Place(
        new_command_id(),
        valid_until_ns(VALID_SECONDS),
        account.id,
        draft.client_order_id,
        draft.terms,
    )


def _earlier(account: TradingAccount, client_order_ids: Sequence[object]) -> dict[str, Order]:
    """Return orders under these ids: the engine remembers ten minutes, the table remembers all.

    What cannot be an id of an order is passed over.
    """
    names = [each for each in client_order_ids if is_client_order_id(each)]
    if not names:
        return {}
    found = orders_named(account=account, client_order_ids=names)
    return {order.client_order_id: order for order in found}


def _repeated(
    account: TradingAccount, drafts: Sequence[Draft], replies: Sequence[Reply]
) -> dict[str, Order]:
    """Return what has become of the orders that the engine knew already. One wait for them all."""
    known = [
        (draft.client_order_id, reply.seq)
        for draft, reply in zip(drafts, replies, strict=True)
        if reply.duplicate
    ]
    if not known or not wait_for_seq(max(seq for _, seq in known), CATCH_UP_SECONDS):
        return {}
    return _earlier(account, [name for name, _ in known])


def _again(before: Order, draft: Draft) -> Order | DomainError:
    # What followed from another order is another order, however alike they are.
    if terms_of_row(before) == draft.terms and not is_linked(before):
        return before
    return Conflict(
        "id_reused",
        f"You have used this client order id for another order. Choose a new one. {NOTHING}",
        field="client_order_id",
    )


def _outcome(
    reply: Reply,
    draft: Draft,
    account: TradingAccount,
    repeated: Mapping[str, Order],
    nothing: str = NOTHING,
) -> Order | DomainError:
    rejected = reply.rejected
    if rejected is not None:
        return refusal(
            rejected.reason, terms=draft.terms, instrument=draft.instrument, account=account,
            nothing=nothing,
        )  # fmt: skip
    if reply.duplicate and draft.client_order_id in repeated:
        return repeated[draft.client_order_id]
    for change in Folded([Entry(reply.seq, reply.at_ns, reply.events)]).changes.values():
        accepted = change.accepted
        if (
            accepted is not None
            and accepted.account_id == account.id
            and accepted.client_order_id == draft.client_order_id
        ):
            return order_of(change, account, draft.instrument)
    raise RuntimeError(f"Seq {reply.seq} neither accepted nor refused {draft.client_order_id}.")


def _order_or_none(actor: User, order_id: str | int) -> Order | None:
    try:
        return order_for(viewer=actor, order_id=order_id)
    except NotFound:
        return None


def _number(order_id: str | int) -> int:
    text = str(order_id)
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text)):
        raise _not_found()
    return int(text)


def _not_cancelled(reply: Reply, actor: User, order_id: int) -> Order:
    """Say why: it ended before the cancel came, or there is no such order."""
    if reply.rejected is not None and reply.rejected.reason != "order_not_found":
        raise Unavailable(
            reply.rejected.reason,
            "The order could not be cancelled. It is open as before; try again.",
            retry_after_seconds=1,
        )
    wait_for_seq(reply.seq, CATCH_UP_SECONDS)
    order = _order_or_none(actor, order_id)
    if order is None:
        raise _not_found()
    if order.block_id is not None and order.status in OPEN_STATUSES:
        # It has left already, and waits for its part of what has filled.
        return _left(order)
    if order.status in OPEN_STATUSES:
        raise Unavailable(
            "not_yet_projected",
            "This order has ended already; how can be read in a moment.",
            retry_after_seconds=1,
        )
    raise _closed(order)


def _left(leg: Order) -> Order:
    """Return a leg as it ended, or as it is, if its part of what has filled takes longer."""
    give_up_at = time.monotonic() + CATCH_UP_SECONDS
    while leg.status in OPEN_STATUSES and time.monotonic() < give_up_at:
        time.sleep(LEG_POLL_SECONDS)
        leg.refresh_from_db()
    return leg


def _close(order: Order, reply: Reply) -> None:
    """Take in what the reply says of an order whose row is behind."""
    for event in reply.events:
        if isinstance(event, Closed) and event.order_id == order.id:
            order.status = STATUS_BY_CLOSE[event.status]
            order.reason = event.reason
            order.held_minor = 0
            order.last_seq = reply.seq
            order.updated_at = clock.from_ns(reply.at_ns)


def _closed(order: Order) -> Conflict:
    words = "filled" if order.status == Order.Status.FILLED else f"ended ({order.status})"
    return Conflict("order_closed", f"This order is {words} already. There was nothing to cancel.")


def _not_found() -> NotFound:
    return NotFound("order_not_found", "You have no such order.")
