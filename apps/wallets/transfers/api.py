"""Transfers between people over the API."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.fields import StrictAmount, StrictSerializer, StrictText, StrictUUID
from apps.core.openapi import documented
from apps.wallets.presentation import amount_text
from apps.wallets.transfers.actions import send_to_person


class TransferInput(StrictSerializer):
    to = StrictText(max_length=254, help_text="The receiver's e-mail address or public id.")
    asset = StrictText(max_length=12)
    amount = StrictAmount()
    account = StrictUUID(
        required=False, allow_null=True, help_text="Your main account where none is named."
    )


class TransferOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    to = serializers.CharField(help_text="As you wrote it.")
    asset = serializers.CharField()
    amount = serializers.CharField()
    at = serializers.DateTimeField()


class TransfersView(Endpoint):
    scopes = {"POST": "transfer"}

    @documented(
        summary="Send value to somebody else here, at once and for good",
        description="The receiver learns the amount and your display name, nothing else.",
        tag="wallet",
        body=TransferInput,
        body_example={"to": "trader2@example.com", "asset": "USDT", "amount": "25"},
        answer=TransferOutput,
        status=201,
        example={
            "id": "5d0f8a52-8f0f-4d0e-9a38-0f0c4b1f2a10", "to": "trader2@example.com",
            "asset": "USDT", "amount": "25.00", "at": "2026-11-21T12:00:00Z",
        },
        refusals={403: "account_frozen", 404: "unknown_receiver", 422: "insufficient_funds",
                  423: "security_freeze", 503: "engine_unavailable"},
        idempotent=True,
        operation_id="transfer",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(TransferInput)

        def work(effect_id: str) -> tuple[int, Any]:
            made = send_to_person(actor=self.person, now=clock.now(), effect_id=effect_id, **given)
            return 201, {
                "id": str(made.public_id),
                "to": given["to"],
                "asset": made.asset.code,
                "amount": amount_text(made.amount_minor, made.asset),
                "at": clock.iso(made.at),
            }

        return self.run_once(work)
