"""Orders and fills: placing, looking up, cancelling."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint, PageQuery, open_cursor, page_body, seal_cursor
from apps.core.errors import DomainError
from apps.core.fields import (
    QuerySerializer,
    StrictAmount,
    StrictBoolean,
    StrictChoice,
    StrictSerializer,
    StrictText,
    StrictTime,
    StrictUUID,
    StrictWholeNumber,
)
from apps.core.openapi import Problem, documented
from apps.core.scopes import TRADE
from apps.core.web import describe
from apps.matching.api import SeqQuery, await_seq
from apps.trades import actions, changing, queries
from apps.trades.models import Order
from apps.trades.presentation import cancelled_json, fill_json, order_json, switch_json
from apps.trades.rules import ORDER_TYPES, SELF_TRADES, SIDES, TIMES_IN_FORCE
from apps.wallets.api import BalancesQuery
from apps.wallets.welcome import account_of

BATCH_MAX: Final = 100
BATCH_BYTES_MAX: Final = 256 * 1024

ORDER: Final = {
    "id": "8213", "client_order_id": "my-order-1",
    "account": "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10", "market": "BTC-USDT", "side": "buy",
    "type": "limit", "time_in_force": "gtc", "post_only": False,
    "self_trade_prevention": "expire_taker", "status": "open", "quantity": "0.01000",
    "quote_amount": None, "price": "60000.00", "stop_price": None,
    "display_quantity": None, "trail_amount": None,
    "trail_percent": None, "take_profit_price": None, "stop_loss_price": None,
    "stop_loss_limit_price": None, "pair_order_id": None, "parent_order_id": None,
    "block_id": None, "filled_quantity": "0.00000",
    "filled_quote": "0.00", "average_price": None, "fee": "0.00", "fee_asset": "USDT",
    "expires_at": None, "reason": None, "seq": 1042, "created_at": "2026-11-21T12:00:00.5Z",
    "updated_at": "2026-11-21T12:00:00.5Z",
}  # fmt: skip
_FILL: Final = {
    "id": "180423", "trade_id": "90211", "order_id": "8213", "market": "BTC-USDT", "side": "buy",
    "role": "taker", "price": "60000.00", "quantity": "0.01000", "quote_amount": "600.00",
    "fee": "0.60", "fee_asset": "USDT", "at": "2026-11-21T12:00:00.5Z", "seq": 1042,
}  # fmt: skip
_PLACE: Final = {
    "market": "BTC-USDT", "side": "buy", "type": "limit", "quantity": "0.01",
    "price": "60000.00", "time_in_force": "gtc", "client_order_id": "my-order-1",
}  # fmt: skip


class OrderInput(StrictSerializer):
    market = StrictText(max_length=25)
    side = StrictChoice(list(SIDES))
    type = StrictChoice(list(ORDER_TYPES))
    quantity = StrictAmount(required=False, allow_null=True, help_text="In the base asset.")
    quote_amount = StrictAmount(
        required=False, allow_null=True,
        help_text="Instead of the quantity, for a market order that buys: what it may cost.",
    )  # fmt: skip
    price = StrictAmount(required=False, allow_null=True)
    stop_price = StrictAmount(
        required=False, allow_null=True,
        help_text="Where a stop or take-profit wakes; from where on a trailing stop trails.",
    )  # fmt: skip
    display_quantity = StrictAmount(
        required=False, allow_null=True,
        help_text="For an iceberg: the part of the quantity that the book shows.",
    )  # fmt: skip
    trail_amount = StrictAmount(
        required=False, allow_null=True, help_text="How far a trailing stop stays behind."
    )
    trail_percent = StrictAmount(
        required=False, allow_null=True, help_text="Instead of the amount: 0.01 to 50."
    )
    take_profit_price = StrictAmount(
        required=False, allow_null=True,
        help_text="Once it has bought, a limit order at this price sells what it has.",
    )  # fmt: skip
    stop_loss_price = StrictAmount(
        required=False, allow_null=True,
        help_text="Once it has bought, a stop at this price sells what it has.",
    )  # fmt: skip
    stop_loss_limit_price = StrictAmount(
        required=False, allow_null=True, help_text="The worst price at which that stop sells."
    )
    time_in_force = StrictChoice(
        list(TIMES_IN_FORCE), required=False, allow_null=True,
        help_text="gtc where nothing is said; ioc for market orders.",
    )  # fmt: skip
    expires_at = StrictTime(required=False, allow_null=True, help_text="For gtd.")
    post_only = StrictBoolean(default=False)
    self_trade_prevention = StrictChoice(list(SELF_TRADES), default="expire_taker")
    client_order_id = StrictText(
        max_length=64, required=False, allow_null=True,
        help_text="Yours, unique in the account; the same order again gets the same answer. At "
        "most 58 characters where orders follow from it.",
    )  # fmt: skip


class PlaceInput(OrderInput):
    account = StrictUUID(
        required=False, allow_null=True, help_text="Your main account where none is named."
    )


class BatchInput(StrictSerializer):
    orders = serializers.ListField(
        child=OrderInput(), min_length=1, max_length=BATCH_MAX, allow_empty=False
    )
    account = StrictUUID(required=False, allow_null=True)


class OrdersQuery(PageQuery, BalancesQuery):
    status = StrictChoice(Order.Status.values, required=False)
    market = StrictText(max_length=25, required=False)
    side = StrictChoice(list(SIDES), required=False)
    type = StrictChoice(list(ORDER_TYPES), required=False)
    start = StrictTime(required=False, help_text="Placed at this moment or later.")
    end = StrictTime(required=False, help_text="Placed before this moment.")
    client_order_id = StrictText(max_length=64, required=False)


class CancelAllQuery(QuerySerializer):
    account = StrictUUID(required=False)
    market = StrictText(max_length=25, required=False, help_text="Only orders of this market.")
    side = StrictChoice(list(SIDES), required=False, help_text="Only orders of this side.")


class AmendInput(StrictSerializer):
    quantity = StrictAmount(
        required=False, allow_null=True, help_text="The new total, what has filled included."
    )
    price = StrictAmount(required=False, allow_null=True)
    stop_price = StrictAmount(
        required=False, allow_null=True, help_text="While the order waits for it."
    )


class CancelAfterInput(StrictSerializer):
    timeout_seconds = StrictWholeNumber(
        low=0, high=86_400, code="invalid_timeout", help_text="0 takes the switch back."
    )
    account = StrictUUID(required=False, allow_null=True)


class FillsQuery(PageQuery, BalancesQuery):
    market = StrictText(max_length=25, required=False)
    side = StrictChoice(list(SIDES), required=False)
    role = StrictChoice(["maker", "taker"], required=False)
    start = StrictTime(required=False, help_text="At this moment or later.")
    end = StrictTime(required=False, help_text="Before this moment.")
    order_id = StrictText(max_length=20, required=False)


class OrderOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    client_order_id = serializers.CharField()
    account = serializers.UUIDField()
    market = serializers.CharField()
    side = serializers.ChoiceField(list(SIDES))
    type = serializers.ChoiceField(list(ORDER_TYPES))
    time_in_force = serializers.ChoiceField(list(TIMES_IN_FORCE))
    post_only = serializers.BooleanField()
    self_trade_prevention = serializers.ChoiceField(list(SELF_TRADES))
    status = serializers.ChoiceField(Order.Status.values)
    quantity = serializers.CharField(allow_null=True)
    quote_amount = serializers.CharField(allow_null=True)
    price = serializers.CharField(allow_null=True)
    stop_price = serializers.CharField(allow_null=True)
    display_quantity = serializers.CharField(allow_null=True)
    trail_amount = serializers.CharField(allow_null=True)
    trail_percent = serializers.CharField(allow_null=True)
    take_profit_price = serializers.CharField(allow_null=True)
    stop_loss_price = serializers.CharField(allow_null=True)
    stop_loss_limit_price = serializers.CharField(allow_null=True)
    pair_order_id = serializers.CharField(
        allow_null=True,
        help_text="The other of two orders: what fills of one comes off the other.",
    )
    parent_order_id = serializers.CharField(
        allow_null=True, help_text="The purchase whose holding this order sells."
    )
    block_id = serializers.CharField(
        allow_null=True,
        help_text="The block that it is a leg of: all of its legs fill at one average price.",
    )
    filled_quantity = serializers.CharField()
    filled_quote = serializers.CharField()
    average_price = serializers.CharField(allow_null=True)
    fee = serializers.CharField()
    fee_asset = serializers.CharField()
    expires_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField(allow_null=True, help_text="Why it ended, or fills no more.")
    seq = serializers.IntegerField(help_text="The command that changed it last: for `min_seq`.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OrdersOutput(serializers.Serializer[dict[str, object]]):
    items = OrderOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it back as `cursor`.")


class BatchItemOutput(serializers.Serializer[dict[str, object]]):
    order = OrderOutput(allow_null=True)
    error = Problem(allow_null=True)


class BatchOutput(serializers.Serializer[dict[str, object]]):
    items = BatchItemOutput(many=True, help_text="In the order in which they were sent.")


class CancelledOutput(serializers.Serializer[dict[str, object]]):
    cancelled = serializers.ListField(child=serializers.CharField(), help_text="Ids of orders.")
    seq = serializers.IntegerField()


class CancelAfterOutput(serializers.Serializer[dict[str, object]]):
    cancel_at = serializers.DateTimeField(
        allow_null=True, help_text="When all open orders of the account end; null: they stay."
    )
    seq = serializers.IntegerField()


class FillOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    trade_id = serializers.CharField()
    order_id = serializers.CharField()
    market = serializers.CharField()
    side = serializers.ChoiceField(list(SIDES))
    role = serializers.ChoiceField(["maker", "taker"])
    price = serializers.CharField()
    quantity = serializers.CharField()
    quote_amount = serializers.CharField()
    fee = serializers.CharField()
    fee_asset = serializers.CharField()
    at = serializers.DateTimeField()
    seq = serializers.IntegerField()


class FillsOutput(serializers.Serializer[dict[str, object]]):
    items = FillOutput(many=True)
    next = serializers.CharField(allow_null=True)


class OrdersView(Endpoint):
    scopes: ClassVar = {"POST": TRADE, "DELETE": TRADE}

    @documented(
        summary="Place an order",
        description=(
            "Answered once the order is committed, with what it has done by then. The answer to a "
            "lost connection or to 503 `outcome_unknown` is to send the same request again with "
            "the same Idempotency-Key or `client_order_id`: it is never carried out twice."
        ),
        tag="orders", body=PlaceInput, body_example=_PLACE, answer=OrderOutput, status=201,
        example=ORDER, idempotent=True,
        refusals={
            400: "invalid_amount", 403: "csrf_failed", 404: "unknown_market",
            422: "insufficient_funds", 503: "trading_halted",
        },
        operation_id="place_order",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(PlaceInput)

        def work(effect_id: str) -> tuple[int, Any]:
            account = account_of(viewer=self.person, public_id=given.get("account"))
            placed = actions.place_order(
                actor=self.person, account=account, now=clock.now(), **_terms(given, effect_id)
            )
            return 201, order_json(placed)

        return self.run_once(work)

    @documented(
        summary="Your orders, newest first", tag="orders", query=OrdersQuery, answer=OrdersOutput,
        description="`status=open` includes orders that are partly filled.",
        example={"items": [ORDER], "next": "8213.VKPyQ8dX"},
        refusals={400: "invalid_cursor", 404: "unknown_account", 503: "not_yet_projected"},
        operation_id="orders",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = self.read_query(OrdersQuery)
        await_seq(query)
        page = queries.orders_page(
            viewer=self.person,
            account=account_of(viewer=self.person, public_id=query.get("account")),
            client_order_id=query.get("client_order_id"),
            before=open_cursor(query.get("cursor"), "orders"),
            limit=query["limit"],
            wanted=_wanted(query, "market", "side", "type", "status", "start", "end"),
        )
        cursor = seal_cursor(page.next, "orders")
        return Response(page_body([order_json(row) for row in page.items], cursor))

    @documented(
        summary="Cancel all open orders", tag="orders", query=CancelAllQuery,
        description="Legs of blocks are among them: each leaves its block.",
        answer=CancelledOutput, example={"cancelled": ["8213", "8214"], "seq": 1043},
        refusals={
            400: "unknown_parameter", 403: "csrf_failed", 404: "unknown_market",
            503: "engine_unavailable",
        },
        operation_id="cancel_all_orders",
    )  # fmt: skip
    def delete(self, request: Request) -> Response:
        query = self.read_query(CancelAllQuery)
        cancelled = actions.cancel_all(
            actor=self.person,
            account=account_of(viewer=self.person, public_id=query.get("account")),
            market=query.get("market"),
            side=query.get("side"),
        )
        return Response(cancelled_json(cancelled))


class BatchView(Endpoint):
    scopes: ClassVar = {"POST": TRADE}

    body_bytes_max = BATCH_BYTES_MAX
    weights: ClassVar = {"POST": 10}

    @documented(
        summary="Place up to 100 orders",
        description=(
            "They enter in this order, next to each other. Each has its own outcome: an order or "
            "a problem; one that is refused stops none of the others."
        ),
        tag="orders", body=BatchInput, body_example={"orders": [_PLACE]}, answer=BatchOutput,
        example={"items": [{"order": ORDER, "error": None}]}, idempotent=True,
        refusals={400: "invalid_amount", 403: "csrf_failed", 404: "unknown_account",
                  503: "engine_unavailable"},
        operation_id="place_orders",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(BatchInput)

        def work(effect_id: str) -> tuple[int, Any]:
            account = account_of(viewer=self.person, public_id=given.get("account"))
            orders = [
                _terms(order, f"{effect_id}-{index}" if effect_id else "")
                for index, order in enumerate(given["orders"])
            ]
            outcomes = actions.place_orders(
                actor=self.person, account=account, orders=orders, now=clock.now()
            )
            return 200, {"items": [_outcome(outcome) for outcome in outcomes]}

        return self.run_once(work)


class OrderView(Endpoint):
    scopes: ClassVar = {"PATCH": TRADE, "DELETE": TRADE}

    @documented(
        summary="One of your orders", tag="orders", query=SeqQuery, answer=OrderOutput,
        example=ORDER, refusals={404: "order_not_found", 503: "not_yet_projected"},
        operation_id="order",
    )  # fmt: skip
    def get(self, request: Request, order_id: str) -> Response:
        await_seq(self.read_query(SeqQuery))
        return Response(order_json(queries.order_for(viewer=self.person, order_id=order_id)))

    @documented(
        summary="Cancel an order", tag="orders", answer=OrderOutput,
        description=(
            "An order that is one of two ends with the other. With an exit ends, too, what is "
            "left of the purchase that it protects (`parent_order_id`), if that is open. "
            "A leg of a block leaves it, with its part of what has filled. Until that part is "
            "allotted, which takes a moment, it may still be open; its `reason` says that it ends."
        ),
        example={**ORDER, "status": "cancelled", "reason": "user", "seq": 1043},
        refusals={
            403: "csrf_failed", 404: "order_not_found", 409: "order_closed",
            503: "engine_unavailable",
        },
        operation_id="cancel_order",
    )  # fmt: skip
    def delete(self, request: Request, order_id: str) -> Response:
        return Response(order_json(actions.cancel_order(actor=self.person, order_id=order_id)))

    @documented(
        summary="Change an open order",
        description=(
            "Less quantity at the same prices keeps the order's place. More of it, or another "
            "price, makes it arrive anew: it stands at the end and may trade at once, unless it "
            "is post-only. Of two linked orders only prices change. The answer to a lost "
            "connection is to read the order."
        ),
        tag="orders", body=AmendInput, body_example={"price": "59990.00"}, answer=OrderOutput,
        example={**ORDER, "price": "59990.00", "seq": 1043},
        refusals={
            400: "nothing_to_amend", 403: "csrf_failed", 404: "order_not_found",
            409: "amend_below_filled", 422: "insufficient_funds", 503: "trading_halted",
        },
        operation_id="amend_order",
    )  # fmt: skip
    def patch(self, request: Request, order_id: str) -> Response:
        given = self.read_body(AmendInput)
        order = changing.amend_order(actor=self.person, order_id=order_id, **given)
        return Response(order_json(order))


class ReplaceView(Endpoint):
    scopes: ClassVar = {"POST": TRADE}

    @documented(
        summary="Replace an open order",
        description=(
            "Cancels it and places another in the same market and on the same side, in one step: "
            "where the new one is refused, the old one stays where it is. An order that is linked "
            "with another is changed or cancelled instead."
        ),
        tag="orders", body=OrderInput, body_example=_PLACE, answer=OrderOutput, status=201,
        example=ORDER, idempotent=True,
        refusals={
            400: "replace_mismatch", 403: "csrf_failed", 404: "order_not_found",
            409: "order_closed", 422: "insufficient_funds", 503: "trading_halted",
        },
        operation_id="replace_order",
    )  # fmt: skip
    def post(self, request: Request, order_id: str) -> Response:
        given = self.read_body(OrderInput)

        def work(effect_id: str) -> tuple[int, Any]:
            placed = changing.replace_order(
                actor=self.person, order_id=order_id, asked=_terms(given, effect_id),
                now=clock.now(),
            )  # fmt: skip
            return 201, order_json(placed)

        return self.run_once(work)


class CancelAfterView(Endpoint):
    scopes: ClassVar = {"PUT": TRADE}

    @documented(
        summary="Cancel all orders unless told otherwise in time",
        description=(
            "A dead man's switch: all open orders of the account end after so many seconds, "
            "unless this is sent again before. It works once, and then has to be set again. An "
            "account has one switch; the last call counts."
        ),
        tag="orders", body=CancelAfterInput, body_example={"timeout_seconds": 60},
        answer=CancelAfterOutput, example={"cancel_at": "2026-11-21T12:01:00.5Z", "seq": 1043},
        refusals={
            400: "invalid_timeout", 403: "csrf_failed", 404: "unknown_account",
            503: "engine_unavailable",
        },
        operation_id="cancel_all_after",
    )  # fmt: skip
    def put(self, request: Request) -> Response:
        given = self.read_body(CancelAfterInput)
        switch = changing.cancel_all_after(
            actor=self.person,
            account=account_of(viewer=self.person, public_id=given.get("account")),
            timeout_seconds=given["timeout_seconds"],
        )
        return Response(switch_json(switch))


class FillsView(Endpoint):
    @documented(
        summary="Your fills, newest first", tag="orders", query=FillsQuery, answer=FillsOutput,
        example={"items": [_FILL], "next": None},
        refusals={400: "invalid_cursor", 404: "unknown_account", 503: "not_yet_projected"},
        operation_id="fills",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = self.read_query(FillsQuery)
        await_seq(query)
        page = queries.fills_page(
            viewer=self.person,
            account=account_of(viewer=self.person, public_id=query.get("account")),
            order_id=query.get("order_id"),
            before=open_cursor(query.get("cursor"), "fills"),
            limit=query["limit"],
            wanted=_wanted(query, "market", "side", "role", "start", "end"),
        )
        cursor = seal_cursor(page.next, "fills")
        return Response(page_body([fill_json(row) for row in page.items], cursor))


def _terms(given: dict[str, Any], effect_id: str) -> dict[str, Any]:
    """Return the arguments of ``place_order``; without an id of the caller's, the key gives one."""
    expires_at = given.get("expires_at")
    return {
        "market": given["market"],
        "side": given["side"],
        "order_type": given["type"],
        "quantity": given.get("quantity"),
        "quote_amount": given.get("quote_amount"),
        "price": given.get("price"),
        "stop_price": given.get("stop_price"),
        "display_quantity": given.get("display_quantity"),
        "trail_amount": given.get("trail_amount"),
        "trail_percent": given.get("trail_percent"),
        "take_profit_price": given.get("take_profit_price"),
        "stop_loss_price": given.get("stop_loss_price"),
        "stop_loss_limit_price": given.get("stop_loss_limit_price"),
        "time_in_force": given.get("time_in_force"),
        "expires_at": None if expires_at is None else clock.iso(expires_at),
        "post_only": given["post_only"],
        "self_trade_prevention": given["self_trade_prevention"],
        "client_order_id": given.get("client_order_id") or effect_id or None,
    }


def _wanted(query: dict[str, Any], *names: str) -> queries.Wanted:
    return queries.Wanted(**{name: query.get(name) for name in names})


def _outcome(outcome: Any) -> dict[str, object]:
    if isinstance(outcome, DomainError):
        return {"order": None, "error": describe(outcome).body()}
    return {"order": order_json(outcome), "error": None}
