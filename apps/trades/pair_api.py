"""Placing two orders of which one fills."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.fields import (
    StrictAmount,
    StrictChoice,
    StrictSerializer,
    StrictText,
    StrictTime,
    StrictUUID,
)
from apps.core.openapi import documented
from apps.core.scopes import TRADE
from apps.trades.api import ORDER, OrderOutput
from apps.trades.pairing import place_pair
from apps.trades.presentation import pair_json
from apps.trades.rules import SELF_TRADES, SIDES, TIMES_IN_FORCE
from apps.trades.terms import LINKED_ORDER_ID_MAX
from apps.wallets.welcome import account_of

_PAIR: Final = {
    "market": "BTC-USDT", "side": "sell", "quantity": "0.01", "price": "66000.00",
    "stop_price": "58000.00", "client_order_id": "my-pair-1",
}  # fmt: skip
_LIMIT: Final = {
    **ORDER, "id": "8214", "client_order_id": "my-pair-1", "side": "sell", "price": "66000.00",
    "pair_order_id": "8215",
}  # fmt: skip
_STOP: Final = {
    **_LIMIT, "id": "8215", "client_order_id": "my-pair-1-stop", "type": "stop", "price": None,
    "stop_price": "58000.00", "pair_order_id": "8214",
}  # fmt: skip


class PairInput(StrictSerializer):
    market = StrictText(max_length=25)
    side = StrictChoice(list(SIDES))
    quantity = StrictAmount(help_text="Of both, in the base asset.")
    price = StrictAmount(help_text="Of the limit order.")
    stop_price = StrictAmount(
        required=False, allow_null=True,
        help_text="Where the stop wakes; from where on one that trails does.",
    )  # fmt: skip
    stop_limit_price = StrictAmount(
        required=False, allow_null=True, help_text="The worst price of the stop: a stop-limit then."
    )
    trail_amount = StrictAmount(
        required=False, allow_null=True, help_text="How far the stop stays behind: it trails then."
    )
    trail_percent = StrictAmount(
        required=False, allow_null=True, help_text="Instead of the amount: 0.01 to 50."
    )
    time_in_force = StrictChoice(
        list(TIMES_IN_FORCE), required=False, allow_null=True, help_text="gtc or gtd."
    )
    expires_at = StrictTime(required=False, allow_null=True, help_text="For gtd.")
    self_trade_prevention = StrictChoice(list(SELF_TRADES), default="expire_taker")
    client_order_id = StrictText(
        max_length=LINKED_ORDER_ID_MAX, required=False, allow_null=True,
        help_text="Of the limit order; the stop has the same with -stop behind it.",
    )  # fmt: skip
    account = StrictUUID(
        required=False, allow_null=True, help_text="Your main account where none is named."
    )


class PairOutput(serializers.Serializer[dict[str, object]]):
    orders = OrderOutput(many=True, help_text="The limit order, then the stop.")


class PairView(Endpoint):
    scopes: ClassVar = {"POST": TRADE}

    @documented(
        summary="Place a limit order and a stop of which one fills",
        description=(
            "Two orders on either side of the last price, for one quantity that is set aside "
            "once. What fills of one comes off the other; when one ends, so does the other. The "
            "same pair again, under the same Idempotency-Key or `client_order_id`, is not carried "
            "out twice."
        ),
        tag="orders", body=PairInput, body_example=_PAIR, answer=PairOutput, status=201,
        example={"orders": [_LIMIT, _STOP]}, idempotent=True,
        refusals={
            400: "invalid_amount", 403: "csrf_failed", 404: "unknown_market", 409: "id_reused",
            422: "invalid_pair", 503: "trading_halted",
        },
        operation_id="place_pair",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = dict(self.read_body(PairInput))
        account_id = given.pop("account", None)

        def work(effect_id: str) -> tuple[int, Any]:
            expires_at = given.get("expires_at")
            asked = {
                **given,
                "expires_at": None if expires_at is None else clock.iso(expires_at),
                "client_order_id": given.get("client_order_id") or effect_id or None,
            }
            account = account_of(viewer=self.person, public_id=account_id)
            pair = place_pair(actor=self.person, account=account, now=clock.now(), **asked)
            return 201, pair_json(pair)

        return self.run_once(work)
