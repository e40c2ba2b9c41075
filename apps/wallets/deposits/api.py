"""Deposits over the API: where to send coins to, and what has come in."""

from __future__ import annotations

from typing import Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint, PageQuery, open_cursor, page_body, seal_cursor
from apps.core.fields import StrictSerializer, StrictText, StrictUUID
from apps.core.openapi import documented
from apps.wallets.deposits.actions import address_for
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.deposits.presentation import address_json, deposit_json
from apps.wallets.deposits.queries import deposits_page

_ADDRESS: Final = "simbtc1q2w3e4r5t6y7u2i3o4p5a6s7d2f3g4h5j6k7l2z"


class DepositAddressInput(StrictSerializer):
    asset = StrictText(max_length=12)
    account = StrictUUID(
        required=False, allow_null=True, help_text="Your main account where none is named."
    )


class DepositAddressOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    network = serializers.CharField()
    network_name = serializers.CharField()
    address = serializers.CharField()
    confirmations_needed = serializers.IntegerField()
    seconds_expected = serializers.IntegerField(help_text="How long it usually takes.")


class DepositOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    asset = serializers.CharField()
    amount = serializers.CharField()
    network = serializers.CharField()
    address = serializers.CharField()
    txid = serializers.CharField()
    output_index = serializers.IntegerField()
    state = serializers.ChoiceField(ChainDeposit.State.values)
    confirmations = serializers.IntegerField()
    confirmations_needed = serializers.IntegerField()
    seen_at = serializers.DateTimeField()
    credited_at = serializers.DateTimeField(allow_null=True)


class DepositsOutput(serializers.Serializer[dict[str, object]]):
    items = DepositOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it back as `cursor`.")


class DepositAddressView(Endpoint):
    @documented(
        summary="Get the address to send an asset to",
        description="The same address each time. It is yours alone, for this network only.",
        tag="deposits",
        body=DepositAddressInput,
        body_example={"asset": "BTC"},
        answer=DepositAddressOutput,
        example={
            "asset": "BTC", "network": "bitcoin", "network_name": "Bitcoin", "address": _ADDRESS,
            "confirmations_needed": 3, "seconds_expected": 30,
        },
        refusals={404: "unknown_asset", 503: "custody_unavailable"},
        operation_id="deposit_address",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(DepositAddressInput)
        asset = given["asset"].upper()
        made = address_for(
            actor=self.person, asset=asset, account=given.get("account"), now=clock.now()
        )
        return Response(address_json(made, asset))


class DepositsView(Endpoint):
    @documented(
        summary="What has come in, newest first",
        description="A deposit is `pending` until the network calls it final, and only then can be "
        "used. A reorganisation of the network can make a pending one `gone`.",
        tag="deposits",
        query=PageQuery,
        answer=DepositsOutput,
        example={
            "items": [
                {
                    "id": "17", "asset": "BTC", "amount": "0.10000000", "network": "bitcoin",
                    "address": _ADDRESS, "txid": "9f86d081884c7d65", "output_index": 0,
                    "state": "pending", "confirmations": 1, "confirmations_needed": 3,
                    "seen_at": "2026-11-21T12:00:00Z", "credited_at": None,
                }
            ],
            "next": None,
        },
        refusals={400: "invalid_cursor"},
        operation_id="deposits",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = self.read_query(PageQuery)
        page = deposits_page(
            viewer=self.person,
            before=open_cursor(query.get("cursor"), "deposits"),
            limit=query["limit"],
        )
        return Response(
            page_body([deposit_json(row) for row in page.items], seal_cursor(page.next, "deposits"))
        )
