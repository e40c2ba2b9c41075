"""Withdrawals and the address book over the API."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.factor_api import PasskeyAnswer
from apps.accounts.factors.passkeys import host_name
from apps.accounts.step_up import proved_at
from apps.core import clock
from apps.core.endpoint import Endpoint, PageQuery, open_cursor, page_body, seal_cursor
from apps.core.errors import Invalid, NotFound
from apps.core.fields import (
    QuerySerializer,
    StrictAmount,
    StrictBoolean,
    StrictSerializer,
    StrictText,
    StrictUUID,
)
from apps.core.openapi import documented
from apps.wallets.assets import asset_by_code
from apps.wallets.withdrawals import actions, addresses, passkeys, queries
from apps.wallets.withdrawals.limits import room_for
from apps.wallets.withdrawals.moving import SHOWN_STATES
from apps.wallets.withdrawals.presentation import (
    entry_json,
    policy_json,
    room_json,
    withdrawal_json,
)

_ADDRESS: Final = "simeth1q2w3e4r5t6y7u2i3o4p5a6s7d2f3g4h5j6k7l2z"
_ENTRY: Final = {
    "id": "3f2b8c1e-6a7d-4f0e-9b1c-2d3e4f5a6b7c", "asset": "USDT", "network": "ethereum",
    "address": _ADDRESS, "label": "My ledger", "usable": False,
    "usable_at": "2026-11-22T12:00:00Z", "created_at": "2026-11-21T12:00:00Z",
}  # fmt: skip
_WITHDRAWAL: Final = {
    "id": "8a1c2b3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d", "asset": "USDT", "amount": "100.00",
    "network": "ethereum", "address": _ADDRESS, "state": "requested",
    "detail": "Waiting for the code that we have sent you.", "confirm_by": ["mail"],
    "txid": None, "confirmations": 0,
    "confirmations_needed": 6, "expected_at": None, "can_cancel": True,
    "requested_at": "2026-11-21T12:00:00Z", "ended_at": None,
    "history": [{"state": "requested", "at": "2026-11-21T12:00:00Z"}],
}  # fmt: skip


class WithdrawalInput(StrictSerializer):
    asset = StrictText(max_length=12)
    amount = StrictAmount()
    address_id = StrictUUID(
        required=False, allow_null=True, help_text="An entry of your address book."
    )
    address = StrictText(
        max_length=100, required=False, allow_null=True,
        help_text="Instead of an entry, where you have allowed other addresses.",
    )  # fmt: skip
    account = StrictUUID(
        required=False, allow_null=True, help_text="Your main account where none is named."
    )


class ConfirmInput(StrictSerializer):
    code = StrictText(
        max_length=20, required=False,
        help_text="From your app, or a recovery code; of the latest e-mail without those.",
    )  # fmt: skip
    passkey = PasskeyAnswer(required=False, help_text="In place of a code.")


class EmptyInput(StrictSerializer):
    """Nothing: the address says it all."""


class AddressInput(StrictSerializer):
    asset = StrictText(max_length=12)
    address = StrictText(max_length=100)
    label = StrictText(max_length=addresses.LABEL_LENGTH_MAX)  # type: ignore[assignment]


class AddressChange(StrictSerializer):
    address = StrictText(max_length=100, required=False)
    label = StrictText(  # type: ignore[assignment]
        max_length=addresses.LABEL_LENGTH_MAX, required=False
    )


class PolicyInput(StrictSerializer):
    book_only = StrictBoolean()


class LimitQuery(QuerySerializer):
    asset = StrictText(max_length=12)


class StepOutput(serializers.Serializer[dict[str, object]]):
    state = serializers.ChoiceField(SHOWN_STATES)
    at = serializers.DateTimeField()


class WithdrawalOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    asset = serializers.CharField()
    amount = serializers.CharField()
    network = serializers.CharField()
    address = serializers.CharField()
    state = serializers.ChoiceField(SHOWN_STATES)
    detail = serializers.CharField(
        allow_blank=True, help_text="What happens next, or why it ended."
    )
    confirm_by = serializers.ListField(
        child=serializers.ChoiceField(["mail", "totp", "passkey", "recovery_code"]),
        help_text="What confirms it; empty where there is nothing to confirm.",
    )
    txid = serializers.CharField(allow_null=True)
    confirmations = serializers.IntegerField()
    confirmations_needed = serializers.IntegerField()
    expected_at = serializers.DateTimeField(
        allow_null=True, help_text="When it should be over; null where somebody has to act first."
    )
    can_cancel = serializers.BooleanField()
    requested_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)
    history = StepOutput(many=True)


class WithdrawalsOutput(serializers.Serializer[dict[str, object]]):
    items = WithdrawalOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it back as `cursor`.")


class AddressOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    asset = serializers.CharField()
    network = serializers.CharField()
    address = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    usable = serializers.BooleanField()
    usable_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class PasskeyOutput(serializers.Serializer[dict[str, object]]):
    passkey = serializers.DictField(help_text="For ``navigator.credentials.get``.")
    expires_in = serializers.IntegerField(help_text="Seconds; one answer is taken.")


class AddressBookOutput(serializers.Serializer[dict[str, object]]):
    items = AddressOutput(many=True)


class PolicyOutput(serializers.Serializer[dict[str, object]]):
    book_only = serializers.BooleanField()
    open_from = serializers.DateTimeField(
        allow_null=True, help_text="From when on other addresses are possible, where that waits."
    )


class LimitOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    unit = serializers.CharField(help_text="What the amounts below are in.")
    day = serializers.CharField(help_text="In any 24 hours.")
    day_used = serializers.CharField()
    month = serializers.CharField(help_text="In a calendar month, UTC.")
    month_used = serializers.CharField()
    left = serializers.CharField()


class WithdrawalsView(Endpoint):
    scopes = {"POST": "withdraw"}

    @documented(
        summary="Your withdrawals, newest first",
        tag="withdrawals",
        query=PageQuery,
        answer=WithdrawalsOutput,
        example={"items": [_WITHDRAWAL], "next": None},
        refusals={400: "invalid_cursor"},
        operation_id="withdrawals",
    )
    def get(self, request: Request) -> Response:
        query = self.read_query(PageQuery)
        page = queries.withdrawals_page(
            viewer=self.person,
            before=open_cursor(query.get("cursor"), "withdrawals"),
            limit=query["limit"],
        )
        now = clock.now()
        return Response(
            page_body(
                [withdrawal_json(row, now) for row in page.items],
                seal_cursor(page.next, "withdrawals"),
            )
        )

    @documented(
        summary="Ask for a withdrawal",
        description="The amount is held at once. Nothing leaves before you have confirmed it by "
        "your second factor, or by the code that comes by e-mail where you have none; without "
        "that, the amount is free again after 24 hours.",
        tag="withdrawals",
        body=WithdrawalInput,
        body_example={"asset": "USDT", "amount": "100", "address_id": _ENTRY["id"]},
        answer=WithdrawalOutput,
        status=201,
        example=_WITHDRAWAL,
        refusals={
            403: "account_frozen", 404: "unknown_address", 422: "insufficient_funds",
            423: "address_cooldown", 429: "rate_limited", 503: "engine_unavailable",
        },
        idempotent=True,
        operation_id="request_withdrawal",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(WithdrawalInput)

        def work(effect_id: str) -> tuple[int, Any]:
            made = actions.request_withdrawal(
                actor=self.person, now=clock.now(), effect_id=effect_id, **given
            )
            return 201, withdrawal_json(made, clock.now())

        return self.run_once(work)


class OneWithdrawal(Endpoint):
    """What the addresses of one withdrawal have in common."""

    def answer(self, public_id: str) -> Response:
        found = queries.withdrawal_of(viewer=self.person, public_id=public_id)
        return Response(withdrawal_json(found, clock.now()))


class WithdrawalView(OneWithdrawal):
    @documented(
        summary="One withdrawal",
        tag="withdrawals",
        answer=WithdrawalOutput,
        example=_WITHDRAWAL,
        refusals={404: "unknown_withdrawal"},
        operation_id="withdrawal",
    )
    def get(self, request: Request, withdrawal_id: str) -> Response:
        return self.answer(known_id(withdrawal_id, "unknown_withdrawal"))


class ConfirmView(OneWithdrawal):
    # A key asks for withdrawals; that a person wants them is never for a key to say.
    scopes = {"POST": None}

    @documented(
        summary="Confirm a withdrawal by your second factor, or by the code of an e-mail",
        description="`confirm_by` says what is taken: who has a second factor gives that, a code "
        "of the app, a recovery code, or a passkey that was begun with `/passkey`. The fifth wrong "
        "one cancels the withdrawal; wrong ones count as they do when signing in.",
        tag="withdrawals",
        body=ConfirmInput,
        body_example={"code": "042117"},
        answer=WithdrawalOutput,
        example={**_WITHDRAWAL, "state": "approved", "detail": "", "confirm_by": []},
        refusals={
            400: "wrong_code", 403: "account_frozen", 404: "unknown_withdrawal",
            409: "withdrawal_state", 422: "withdrawal_cancelled", 423: "security_freeze",
            429: "too_many_attempts",
        },
        operation_id="confirm_withdrawal",
    )  # fmt: skip
    def post(self, request: Request, withdrawal_id: str) -> Response:
        given = self.read_body(ConfirmInput)
        if not given:
            raise Invalid("missing_field", "Send a code, or the answer of a passkey.")
        public_id = known_id(withdrawal_id, "unknown_withdrawal")
        passkey = None
        if "passkey" in given:
            found = queries.withdrawal_of(viewer=self.person, public_id=public_id)
            passkey = passkeys.given(found, given["passkey"], host=host_name(request.get_host()))
        actions.confirm_withdrawal(
            actor=self.person, public_id=public_id, code=given.get("code", ""), passkey=passkey,
            now=clock.now(),
        )  # fmt: skip
        return self.answer(public_id)


class PasskeyView(Endpoint):
    scopes = {"POST": None}

    @documented(
        summary="Begin to confirm a withdrawal with a passkey",
        description="Send what the passkey answers to `/confirm`. Beginning anew makes what was "
        "begun before useless.",
        tag="withdrawals",
        body=EmptyInput,
        body_example={},
        answer=PasskeyOutput,
        example={
            "passkey": {"publicKey": {
                "challenge": "3q2-7wAAAAB0aGlzIGlzIGFuIGV4YW1wbGU", "rpId": "sum1.example",
                "userVerification": "preferred",
            }},
            "expires_in": passkeys.LIFE_SECONDS,
        },
        refusals={404: "unknown_withdrawal", 409: "withdrawal_state", 422: "no_passkey"},
        operation_id="begin_withdrawal_passkey",
    )  # fmt: skip
    def post(self, request: Request, withdrawal_id: str) -> Response:
        self.read_body(EmptyInput)
        public_id = known_id(withdrawal_id, "unknown_withdrawal")
        found = queries.withdrawal_of(viewer=self.person, public_id=public_id)
        options = passkeys.begin(found, host=host_name(request.get_host()))
        return Response({"passkey": options, "expires_in": passkeys.LIFE_SECONDS})


class CodeView(OneWithdrawal):
    scopes = {"POST": None}

    @documented(
        summary="Have another code sent",
        description="Once a minute, five times at most. Codes before it are of no use any more. "
        "Who has a second factor confirms with that, and gets no code.",
        tag="withdrawals",
        body=EmptyInput,
        body_example={},
        answer=WithdrawalOutput,
        example=_WITHDRAWAL,
        refusals={404: "unknown_withdrawal", 409: "withdrawal_state", 429: "code_just_sent"},
        operation_id="send_withdrawal_code",
    )
    def post(self, request: Request, withdrawal_id: str) -> Response:
        self.read_body(EmptyInput)
        public_id = known_id(withdrawal_id, "unknown_withdrawal")
        actions.send_code_again(actor=self.person, public_id=public_id, now=clock.now())
        return self.answer(public_id)


class CancelView(OneWithdrawal):
    scopes = {"POST": "withdraw"}

    @documented(
        summary="Call a withdrawal off, as long as nothing may have left",
        tag="withdrawals",
        body=EmptyInput,
        body_example={},
        answer=WithdrawalOutput,
        example={
            **_WITHDRAWAL,
            "state": "cancelled",
            "detail": "cancelled by you",
            "confirm_by": [],
        },
        refusals={404: "unknown_withdrawal", 409: "withdrawal_state", 503: "engine_unavailable"},
        idempotent=True,
        operation_id="cancel_withdrawal",
    )
    def post(self, request: Request, withdrawal_id: str) -> Response:
        self.read_body(EmptyInput)
        public_id = known_id(withdrawal_id, "unknown_withdrawal")

        def work(effect_id: str) -> tuple[int, Any]:
            actions.cancel_withdrawal(actor=self.person, public_id=public_id, now=clock.now())
            answer = self.answer(public_id)
            return answer.status_code, answer.data

        return self.run_once(work)


class AddressBookView(Endpoint):
    scopes = {"POST": None}

    @documented(
        summary="Your address book",
        tag="withdrawals",
        answer=AddressBookOutput,
        example={"items": [_ENTRY]},
        operation_id="withdrawal_addresses",
    )
    def get(self, request: Request) -> Response:
        now = clock.now()
        rows = addresses.book_of(viewer=self.person)
        return Response({"items": [entry_json(row, now) for row in rows]})

    @documented(
        summary="Add an address; it can be used after 24 hours",
        tag="withdrawals",
        body=AddressInput,
        body_example={"asset": "USDT", "address": _ADDRESS, "label": "My ledger"},
        answer=AddressOutput,
        status=201,
        example=_ENTRY,
        refusals={400: "invalid_address", 403: "step_up_required", 404: "unknown_asset",
                  409: "address_exists", 422: "own_address"},
        idempotent=True,
        operation_id="add_withdrawal_address",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(AddressInput)

        def work(effect_id: str) -> tuple[int, Any]:
            now = clock.now()
            made = addresses.add_address(
                actor=self.person, proved_at=proved_at(request), now=now, **given
            )
            return 201, entry_json(made, now)

        return self.run_once(work)


class AddressView(Endpoint):
    scopes = {"PATCH": None, "DELETE": None}

    @documented(
        summary="Change an address or its name; it rests for 24 hours again",
        tag="withdrawals",
        body=AddressChange,
        body_example={"label": "Old ledger"},
        answer=AddressOutput,
        example={**_ENTRY, "label": "Old ledger"},
        refusals={400: "invalid_address", 403: "step_up_required", 404: "unknown_address",
                  409: "address_exists", 422: "own_address"},
        operation_id="change_withdrawal_address",
    )  # fmt: skip
    def patch(self, request: Request, address_id: str) -> Response:
        given = self.read_body(AddressChange)
        public_id, now = known_id(address_id, "unknown_address"), clock.now()
        changed = addresses.change_address(
            actor=self.person, public_id=public_id, proved_at=proved_at(request), now=now, **given
        )
        return Response(entry_json(changed, now))

    @documented(
        summary="Remove an address, at once",
        tag="withdrawals",
        answer=None,
        status=204,
        refusals={404: "unknown_address"},
        operation_id="remove_withdrawal_address",
    )
    def delete(self, request: Request, address_id: str) -> Response:
        public_id = known_id(address_id, "unknown_address")
        addresses.remove_address(actor=self.person, public_id=public_id, now=clock.now())
        return Response(status=204)


class PolicyView(Endpoint):
    scopes = {"PUT": None}

    @documented(
        summary="Whether coins can go to your address book only",
        tag="withdrawals",
        answer=PolicyOutput,
        example={"book_only": True, "open_from": None},
        operation_id="withdrawal_policy",
    )
    def get(self, request: Request) -> Response:
        policy = addresses.policy_of(viewer=self.person)
        return Response(policy_json(policy, clock.now()))

    @documented(
        summary="Allow other addresses from tomorrow on, or no longer",
        description="`true` holds at once, `false` after 24 hours.",
        tag="withdrawals",
        body=PolicyInput,
        body_example={"book_only": False},
        answer=PolicyOutput,
        example={"book_only": True, "open_from": "2026-11-22T12:00:00Z"},
        refusals={403: "step_up_required"},
        operation_id="set_withdrawal_policy",
    )
    def put(self, request: Request) -> Response:
        given, now = self.read_body(PolicyInput), clock.now()
        policy = addresses.set_book_only(
            actor=self.person, wanted=given["book_only"], proved_at=proved_at(request), now=now
        )
        return Response(policy_json(policy, now))


class LimitView(Endpoint):
    @documented(
        summary="How much you can withdraw now",
        tag="withdrawals",
        query=LimitQuery,
        answer=LimitOutput,
        example={
            "asset": "BTC", "unit": "USDT", "day": "50000.00", "day_used": "600.00",
            "month": "500000.00", "month_used": "600.00", "left": "49400.00",
        },
        refusals={404: "unknown_asset"},
        operation_id="withdrawal_limit",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        asset = asset_by_code(self.read_query(LimitQuery)["asset"])
        room = room_for(person=self.person, asset=asset, now=clock.now())
        return Response(room_json(room, asset))


def known_id(text: str, code: str) -> str:
    """Return the id out of an address; what cannot be one is as unknown as any other."""
    try:
        return str(StrictUUID().to_internal_value(text))
    except serializers.ValidationError:
        raise NotFound(code, "There is nothing of yours by this id.") from None
