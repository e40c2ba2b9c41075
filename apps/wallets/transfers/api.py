"""Transfers to other people and between one's own accounts over the API."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.step_up import proved_at
from apps.core import clock
from apps.core.endpoint import Endpoint, PageQuery, open_cursor, page_body, seal_cursor
from apps.core.errors import Invalid
from apps.core.fields import StrictAmount, StrictSerializer, StrictText, StrictUUID
from apps.core.openapi import documented
from apps.core.scopes import KeyGrant
from apps.wallets.transfers.actions import move_between_own, send_to_person
from apps.wallets.transfers.presentation import OWN, RECEIVED, SENT, transfer_json
from apps.wallets.transfers.queries import transfers_page

_TRANSFER: Final = {
    "id": "5d0f8a52-8f0f-4d0e-9a38-0f0c4b1f2a10", "direction": "sent", "asset": "USDT",
    "amount": "25.00", "account": "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10", "to_account": None,
    "to": "trader2@example.com", "sender": None, "at": "2026-11-21T12:00:00Z",
}  # fmt: skip


class TransferInput(StrictSerializer):
    to = StrictText(
        max_length=254, required=False, help_text="Somebody else's e-mail address or public id."
    )
    to_account = StrictUUID(
        required=False, help_text="In place of that, another account of your own."
    )
    asset = StrictText(max_length=12)
    amount = StrictAmount()
    account = StrictUUID(
        required=False, allow_null=True, help_text="Your main account where none is named."
    )


class TransferOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    direction = serializers.ChoiceField([SENT, RECEIVED, OWN])
    asset = serializers.CharField()
    amount = serializers.CharField()
    account = serializers.UUIDField(help_text="Yours that it left, or came to.")
    to_account = serializers.UUIDField(allow_null=True, help_text="Of your own, where it is one.")
    to = serializers.CharField(allow_null=True, help_text="As you wrote it.")
    sender = serializers.CharField(allow_null=True, help_text="The sender's display name.")
    at = serializers.DateTimeField()


class TransfersOutput(serializers.Serializer[dict[str, object]]):
    items = TransferOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it back as `cursor`.")


class TransfersView(Endpoint):
    scopes = {"POST": "transfer"}

    @documented(
        summary="What you sent, received, or moved between your accounts, newest first",
        tag="wallet",
        query=PageQuery,
        answer=TransfersOutput,
        example={"items": [_TRANSFER], "next": None},
        refusals={400: "invalid_cursor"},
        operation_id="transfers",
    )
    def get(self, request: Request) -> Response:
        query = self.read_query(PageQuery)
        page = transfers_page(
            viewer=self.person,
            before=open_cursor(query.get("cursor"), "transfers"),
            limit=query["limit"],
        )
        return Response(
            page_body(
                [transfer_json(row, self.person) for row in page.items],
                seal_cursor(page.next, "transfers"),
            )
        )

    @documented(
        summary="Send value to somebody else here, or to another account of yours",
        description="At once and for good. What goes to somebody else takes a proof of who you "
        "are (`POST /auth/step-up`) that is at most 15 minutes old; a key with the scope "
        "`transfer` was made with one. The receiver learns the amount and your display name, "
        "nothing else.",
        tag="wallet",
        body=TransferInput,
        body_example={"to": "trader2@example.com", "asset": "USDT", "amount": "25"},
        answer=TransferOutput,
        status=201,
        example=_TRANSFER,
        refusals={400: "receiver_required", 403: "step_up_required", 404: "unknown_receiver",
                  422: "insufficient_funds", 423: "security_freeze", 503: "engine_unavailable"},
        idempotent=True,
        operation_id="transfer",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(TransferInput)
        if ("to" in given) == ("to_account" in given):
            raise Invalid("receiver_required", "Name one: `to`, or `to_account`. Nothing moved.")

        def work(effect_id: str) -> tuple[int, Any]:
            asked = {"actor": self.person, "now": clock.now(), "effect_id": effect_id, **given}
            if "to_account" in given:
                made = move_between_own(**asked)
            else:
                made = send_to_person(**asked, proved_at=_proof(request))
            return 201, transfer_json(made, self.person)

        return self.run_once(work)


def _proof(request: Request) -> Any:
    # A key cannot prove anything anew: its right to transfer was given with a proof.
    return clock.now() if isinstance(request.auth, KeyGrant) else proved_at(request)
