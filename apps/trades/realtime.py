"""What sockets see of an account: its open orders, new fills and balances, and two calls.

Only the owner may read it. Changes are sent after the projections have committed them, and only
for accounts that somebody follows; where sending fails, the next message shows the gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.db import close_old_connections, connection, transaction

from apps.core import clock
from apps.core.errors import Invalid, NotFound
from apps.core.realtime import calls, topics
from apps.core.realtime.connections import client
from apps.core.realtime.publish import Chain, Message, channel, publish_all
from apps.core.realtime.topics import Match, TopicKind
from apps.core.scopes import TRADE
from apps.engine.messages import (
    AccountSet,
    AnyEvent,
    Deposited,
    HoldPlaced,
    HoldReleased,
    HoldSettled,
    Transferred,
)
from apps.matching.journal import Batch
from apps.matching.queries import projected_seq
from apps.trades.actions import cancel_all, cancel_order, place_order
from apps.trades.changing import amend_order, cancel_all_after, end_watch, replace_order
from apps.trades.folding import FIRST_PERSONAL_ACCOUNT_ID, Folded
from apps.trades.models import Fill, Order
from apps.trades.pairing import pair_asked_of, place_pair
from apps.trades.presentation import (
    cancelled_json,
    fill_json,
    order_json,
    pair_json,
    switch_json,
)
from apps.trades.queries import ORDER_RELATED, fills_page, open_orders
from apps.trades.risk.presentation import standing_json
from apps.trades.risk.queries import standing_as_decided, standing_of
from apps.trades.terms import asked_of
from apps.wallets.models import Balance, TradingAccount
from apps.wallets.presentation import balance_json
from apps.wallets.queries import account_for, balances

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser

    from apps.accounts.models import User

PATTERN: Final = "account.{public_id}"
SNAPSHOT_FILLS: Final = 50
# More orders and fills of one account than this are not worth a message.
CHANGES_MAX: Final = 500
# How long orders outlive a server that has died with the sockets of those who watch over them.
WATCH_SECONDS: Final = 15
# Events that change balances, but no order.
_WITHOUT_ORDER: Final = frozenset(
    {Deposited, HoldPlaced, HoldReleased, HoldSettled, Transferred, AccountSet}
)

Data = dict[str, Any]


def register() -> None:
    """Offer the topic and the calls; once, when the app is ready."""
    topics.register(TopicKind(PATTERN, authorise, snapshot))
    calls.register("order.place", place, scope=TRADE)
    calls.register("order.pair", place_both, scope=TRADE)
    calls.register("order.cancel", cancel, scope=TRADE)
    calls.register("order.amend", amend, scope=TRADE)
    calls.register("order.replace", replace, scope=TRADE)
    calls.register("order.cancel_all", cancel_everything, scope=TRADE)
    calls.register("order.cancel_after", cancel_after, scope=TRADE)
    calls.register_watch("session.cancel_on_disconnect", watch, scope=TRADE)


def authorise(user: AbstractBaseUser | None, match: Match) -> bool:
    """Owners only; a foreign account and none at all are refused alike.

    So is the id written another way: its topic would be one that nothing is ever sent to.
    """
    account = account_for(viewer=_person(user), public_id=match["public_id"])
    if str(account.public_id) != match["public_id"]:
        raise NotFound("unknown_account", "You have no such trading account.")
    return True


def snapshot(match: Match) -> tuple[int, object]:
    """Return open orders, balances, the last fills and the standing, all as of one moment."""
    outermost = not connection.in_atomic_block
    with transaction.atomic():
        if outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        seq = projected_seq()
        account = (
            TradingAccount.objects.select_related("owner")
            .filter(public_id=match["public_id"])
            .first()
        )
        if account is None:
            raise NotFound("unknown_account", "You have no such trading account.")
        owner = account.owner
        fills = fills_page(viewer=owner, account=account, limit=SNAPSHOT_FILLS)
        return seq, {
            "orders": [order_json(row) for row in open_orders(viewer=owner, account=account)],
            "balances": [balance_json(row) for row in balances(viewer=owner, account=account)],
            "fills": [fill_json(row) for row in fills.items],
            "standing": standing_json(standing_of(viewer=owner, account=account)),
        }


def place(user: AbstractBaseUser, params: dict[str, Any]) -> dict[str, Any]:
    """``order.place``: the fields of POST /orders, and the same answer."""
    account = params.get("account")
    order = place_order(
        actor=_person(user),
        account=None if account is None else str(account),
        now=clock.now(),
        **asked_of({name: value for name, value in params.items() if name != "account"}),
    )
    return order_json(order)


def place_both(user: AbstractBaseUser, params: dict[str, Any]) -> dict[str, Any]:
    """``order.pair``: the fields of POST /orders/pair, and the same answer."""
    asked = pair_asked_of({name: value for name, value in params.items() if name != "account"})
    pair = place_pair(actor=_person(user), account=_account_in(params), now=clock.now(), **asked)
    return pair_json(pair)


def cancel(user: AbstractBaseUser, params: dict[str, Any]) -> dict[str, Any]:
    """``order.cancel``: the ``id`` of an order, as a string."""
    order_id = params.get("id")
    if set(params) != {"id"} or not isinstance(order_id, str):
        raise Invalid("invalid_params", 'Give the id of the order: {"id": "8213"}.', field="id")
    return order_json(cancel_order(actor=_person(user), order_id=order_id))


def amend(user: AbstractBaseUser, params: dict[str, Any]) -> dict[str, Any]:
    """``order.amend``: the ``id`` of an order, and the fields of PATCH /orders/{id}."""
    given = _named(params, "id", "quantity", "price", "stop_price")
    return order_json(
        amend_order(
            actor=_person(user),
            order_id=_id_in(given),
            quantity=given.get("quantity"),
            price=given.get("price"),
            stop_price=given.get("stop_price"),
        )
    )


def replace(user: AbstractBaseUser, params: dict[str, Any]) -> dict[str, Any]:
    """``order.replace``: the ``id`` of an order, and the fields of the one in its stead."""
    asked = asked_of({name: value for name, value in params.items() if name != "id"})
    placed = replace_order(
        actor=_person(user), order_id=_id_in(params), asked=asked, now=clock.now()
    )
    return order_json(placed)


def cancel_everything(user: AbstractBaseUser, params: dict[str, Any]) -> dict[str, Any]:
    """``order.cancel_all``: the parameters of DELETE /orders, and the same answer."""
    given = _named(params, "account", "market", "side")
    for name, value in given.items():
        if not isinstance(value, str):
            raise Invalid("invalid_params", f"The {name} is a text.", field=name)
    return cancelled_json(cancel_all(actor=_person(user), **given))


def cancel_after(user: AbstractBaseUser, params: dict[str, Any]) -> dict[str, Any]:
    """``order.cancel_after``: the body of PUT /orders/cancel-after, and the same answer."""
    given = _named(params, "account", "timeout_seconds")
    seconds = given.get("timeout_seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise Invalid(
            "invalid_timeout", "The timeout is a whole number of seconds.", field="timeout_seconds"
        )
    return switch_json(
        cancel_all_after(actor=_person(user), account=_account_in(given), timeout_seconds=seconds)
    )


def watch(user: AbstractBaseUser, params: dict[str, Any]) -> calls.Watch:
    """``session.cancel_on_disconnect``: cancel the account's orders when this connection ends.

    The server cancels them when the socket closes. As long as it is open it keeps arming the
    account's switch, so that orders do not outlive the server's own end either.
    """
    person = _person(user)
    given = _named(params, "account", "enabled")
    enabled = given.get("enabled", True)
    if not isinstance(enabled, bool):
        raise Invalid("invalid_params", "Enabled is true or false.", field="enabled")
    account = account_for(viewer=person, public_id=_account_in(given))

    seconds = WATCH_SECONDS if enabled else 0

    def keep() -> None:
        cancel_all_after(actor=person, account=account, timeout_seconds=seconds)

    keep()
    return calls.Watch(
        key=str(account.id),
        answer={"account": str(account.public_id), "enabled": enabled},
        every_seconds=WATCH_SECONDS / 3 if enabled else 0.0,
        keep=keep,
        end=partial(end_watch, account.id),
    )


def _named(params: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the parameters that are there; no other is let pass."""
    for name in params:
        if name not in names:
            raise Invalid("unknown_field", f"There is no parameter {name[:40]!r}.", field=name[:40])
    return {name: value for name, value in params.items() if value is not None}


def _id_in(params: dict[str, Any]) -> str:
    order_id = params.get("id")
    if not isinstance(order_id, str):
        raise Invalid("invalid_params", 'Give the id of the order: {"id": "8213"}.', field="id")
    return order_id


def _account_in(params: dict[str, Any]) -> str | None:
    account = params.get("account")
    return None if account is None else str(account)


class AccountPublisher:
    """Tells the owners what a committed batch did to their accounts. One per projector."""

    def __init__(self) -> None:
        self._chain: Chain | None = None
        self._seq = -1
        self._public_ids: dict[int, str] = {}

    def publish(self, batch: Batch, folded: Folded) -> None:
        """Send one message per account that changed and is followed by somebody."""
        touched = _touched(batch, folded)
        if self._chain is None or batch.first_seq != self._seq + 1:
            # It has begun, or a batch was committed whose commit the projector did not hear of.
            self._chain = Chain(batch.first_seq - 1)
        self._seq = batch.last_seq
        # Every account moves on, heard or not: who joins later sees what he has missed.
        places = {
            account_id: self._chain.advance(str(account_id), batch.last_seq)
            for account_id in touched
        }
        if not places:
            return
        if not connection.in_atomic_block:
            # A process that lives for weeks meets databases that were restarted.
            close_old_connections()
        followed = self._followed(places)
        if not followed:
            return
        sizes = Counter(change.account_id for change in folded.changes.values())
        sizes.update(side.account_id for side in folded.sides)
        told = {each for each in followed if sizes[each] <= CHANGES_MAX}
        changes = _changes(batch, folded, told)
        seq = batch.last_seq
        publish_all(
            [
                Message(topic, seq, places[each], changes[each])
                if each in told
                # A gap on purpose: who follows fetches a snapshot instead of all that.
                else Message(topic, seq, seq, _nothing())
                for each, topic in followed.items()
            ]
        )

    def _followed(self, account_ids: Iterable[int]) -> dict[int, str]:
        """Return the topics, by account, to which any web process listens."""
        named = self._topics(account_ids)
        counts = client().pubsub_numsub(*(channel(topic) for topic in named.values()))
        return {
            account_id: topic
            for (account_id, topic), (_, count) in zip(named.items(), counts, strict=True)
            if count
        }

    def _topics(self, account_ids: Iterable[int]) -> dict[int, str]:
        unknown = [each for each in account_ids if each not in self._public_ids]
        if unknown:
            rows = TradingAccount.objects.filter(id__in=unknown).values_list("id", "public_id")
            self._public_ids.update((number, str(public_id)) for number, public_id in rows)
        return {
            each: f"account.{self._public_ids[each]}"
            for each in account_ids
            if each in self._public_ids
        }


def _touched(batch: Batch, folded: Folded) -> list[int]:
    """Return the accounts of people that the batch changed, in order."""
    found = {change.account_id: None for change in folded.changes.values()}
    for entry in batch.entries:
        for event in entry.events:
            if type(event) in _WITHOUT_ORDER:
                found.update(dict.fromkeys(_moved(event)))
    return [account_id for account_id in found if account_id >= FIRST_PERSONAL_ACCOUNT_ID]


def _moved(event: AnyEvent) -> Iterable[int]:
    """Return the accounts that the event changed, for one that no order caused."""
    match event:
        case Deposited() | HoldPlaced() | HoldReleased() | HoldSettled() | AccountSet():
            return (event.account_id,)
        case Transferred(legs=legs):
            return [leg.account_id for leg in legs]
        case _:
            return ()


def _changes(batch: Batch, folded: Folded, account_ids: set[int]) -> dict[int, Data]:
    """Return for each account its orders, fills and balances that the batch changed.

    The standing is there where it was set.
    """
    found = {account_id: _nothing() for account_id in account_ids}
    order_ids = [each.order_id for each in folded.changes.values() if each.account_id in found]
    orders = Order.objects.filter(account_id__in=account_ids, id__in=order_ids)
    for order in orders.select_related(*ORDER_RELATED).order_by("id"):
        found[order.account_id]["orders"].append(order_json(order))
    fill_ids = [side.id for side in folded.sides if side.account_id in found]
    fills = Fill.objects.filter(account_id__in=account_ids, id__in=fill_ids)
    for fill in fills.select_related("instrument__base", "instrument__quote").order_by("id"):
        found[fill.account_id]["fills"].append(fill_json(fill))
    rows = Balance.objects.filter(account_id__in=account_ids, seq__gte=batch.first_seq)
    for balance in rows.select_related("asset").order_by("asset_id"):
        found[balance.account_id]["balances"].append(balance_json(balance))
    for account_id in _set_anew(batch) & account_ids:
        found[account_id]["standing"] = standing_json(standing_as_decided(account_id))
    return found


def _set_anew(batch: Batch) -> set[int]:
    """Return the accounts whose limits or state were set: few, and never in a hurry."""
    return {
        event.account_id
        for entry in batch.entries
        for event in entry.events
        if isinstance(event, AccountSet)
    }


def _nothing() -> Data:
    return {"orders": [], "fills": [], "balances": []}


def _person(user: AbstractBaseUser | None) -> User:
    # There is one kind of user here; the registry is typed for any.
    if user is None or not user.is_authenticated:
        raise NotFound("unknown_account", "You have no such trading account.")
    return user  # type: ignore[return-value]
