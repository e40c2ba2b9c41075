"""Who one is, what one has, and every movement of it."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint, PageQuery, open_cursor, page_body, seal_cursor
from apps.core.fields import QuerySerializer, StrictSerializer, StrictText, StrictUUID
from apps.core.openapi import documented
from apps.matching.api import SeqQuery, await_seq
from apps.wallets import queries
from apps.wallets.actions import ACCOUNT_NAME_LENGTH_MAX, SUB_ACCOUNTS_MAX, open_sub_account
from apps.wallets.models import LedgerEntry
from apps.wallets.presentation import account_json, balance_json, entry_json
from apps.wallets.welcome import account_of, retry_welcome

_ACCOUNT = "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10"
_SUB: Final = {
    "id": "91d3a2f4-7c1e-4e0b-8f52-3b6a9d0c5e71", "kind": "sub", "name": "Long term",
    "opened_at": "2026-11-21T12:00:00Z",
}  # fmt: skip


class AccountQuery(QuerySerializer):
    account = StrictUUID(required=False, help_text="Your main account where none is named.")


class BalancesQuery(AccountQuery, SeqQuery):
    """Which account, and how fresh."""


class LedgerQuery(PageQuery, BalancesQuery):
    asset = StrictText(max_length=12, required=False, help_text="Only movements of this asset.")


class AccountOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["main"])
    name = serializers.CharField()


class OpenAccountInput(StrictSerializer):
    name = StrictText(max_length=ACCOUNT_NAME_LENGTH_MAX)


class TradingAccountOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["main", "sub"])
    name = serializers.CharField()
    opened_at = serializers.DateTimeField()


class TradingAccountsOutput(serializers.Serializer[dict[str, object]]):
    items = TradingAccountOutput(many=True)


class MeOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    display_name = serializers.CharField()
    date_joined = serializers.DateTimeField()
    account = AccountOutput(help_text="The main account.")


class BalanceOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    available = serializers.CharField(help_text="Free to use.")
    held = serializers.CharField(help_text="Reserved by open orders and withdrawals.")
    total = serializers.CharField()
    seq = serializers.IntegerField(help_text="The command that changed it last.")


class BalancesOutput(serializers.Serializer[dict[str, object]]):
    account = serializers.UUIDField()
    items = BalanceOutput(many=True)


class EntryOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    asset = serializers.CharField()
    amount = serializers.CharField(help_text="Negative where it left the account; fee included.")
    fee = serializers.CharField(help_text="How much of it was a fee.")
    kind = serializers.ChoiceField(LedgerEntry.Kind.values)
    reference = serializers.CharField(allow_blank=True)
    note = serializers.CharField(
        allow_blank=True, help_text="Why we corrected your balance; empty for all other kinds."
    )
    at = serializers.DateTimeField()
    seq = serializers.IntegerField()


class LedgerOutput(serializers.Serializer[dict[str, object]]):
    items = EntryOutput(many=True)
    next = serializers.CharField(allow_null=True, help_text="Send it back as `cursor`.")


class MeView(Endpoint):
    @documented(
        summary="Who is signed in",
        tag="wallet",
        answer=MeOutput,
        example={
            "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "email": "trader1@example.com",
            "display_name": "Trader One",
            "date_joined": "2026-11-21T12:00:00Z",
            "account": {"id": _ACCOUNT, "kind": "main", "name": "Main"},
        },
        operation_id="me",
    )
    def get(self, request: Request) -> Response:
        person = self.person
        account = account_of(viewer=person)
        return Response(
            {
                "id": str(person.public_id),
                "email": person.email,
                "display_name": person.display_name,
                "date_joined": clock.iso(person.date_joined),
                "account": {
                    "id": str(account.public_id),
                    "kind": account.kind,
                    "name": account.name,
                },
            }
        )


class AccountsView(Endpoint):
    scopes = {"POST": None}

    @documented(
        summary="Your trading accounts, the main one first",
        tag="wallet",
        answer=TradingAccountsOutput,
        example={
            "items": [
                {"id": _ACCOUNT, "kind": "main", "name": "Main",
                 "opened_at": "2026-11-20T12:00:00Z"},
                _SUB,
            ]
        },
        operation_id="accounts",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        rows = queries.accounts_of(viewer=self.person)
        return Response({"items": [account_json(row) for row in rows]})

    @documented(
        summary="Open a further trading account",
        description=f"At most {SUB_ACCOUNTS_MAX}, each with a name of its own. It has balances and "
        "orders of its own; what is in it comes by `POST /transfers`. Your accounts never trade "
        "with each other.",
        tag="wallet",
        body=OpenAccountInput,
        body_example={"name": "Long term"},
        answer=TradingAccountOutput,
        status=201,
        example=_SUB,
        refusals={
            400: "invalid_name", 403: "account_frozen", 409: "account_exists",
            422: "too_many_accounts", 503: "engine_unavailable",
        },
        idempotent=True,
        operation_id="open_account",
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        given = self.read_body(OpenAccountInput)

        def work(effect_id: str) -> tuple[int, Any]:
            made = open_sub_account(actor=self.person, name=given["name"], now=clock.now())
            return 201, account_json(made)

        return self.run_once(work)


class BalancesView(Endpoint):
    @documented(
        summary="What an account has",
        tag="wallet",
        query=BalancesQuery,
        answer=BalancesOutput,
        example={
            "account": _ACCOUNT,
            "items": [
                {
                    "asset": "USDT", "available": "99400.00", "held": "600.00",
                    "total": "100000.00", "seq": 1042,
                }
            ],
        },
        refusals={400: "unknown_parameter", 404: "unknown_account", 503: "not_yet_projected"},
        operation_id="balances",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = self.read_query(BalancesQuery)
        await_seq(query)
        account = account_of(viewer=self.person, public_id=query.get("account"))
        rows = queries.balances(viewer=self.person, account=account)
        if not rows:
            retry_welcome(viewer=self.person)
            rows = queries.balances(viewer=self.person, account=account)
        return Response(
            {"account": str(account.public_id), "items": [balance_json(row) for row in rows]}
        )


class LedgerView(Endpoint):
    @documented(
        summary="Movements of value, newest first",
        tag="wallet",
        query=LedgerQuery,
        answer=LedgerOutput,
        example={
            "items": [
                {
                    "id": "412", "asset": "USDT", "amount": "-600.60", "fee": "0.60",
                    "kind": "trade", "reference": "87", "note": "",
                    "at": "2026-11-21T12:00:00.5Z", "seq": 1042,
                }
            ],
            "next": "412.VKPyQ8dX",
        },
        refusals={400: "invalid_cursor", 404: "unknown_account", 503: "not_yet_projected"},
        operation_id="ledger",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = self.read_query(LedgerQuery)
        await_seq(query)
        page = queries.ledger_page(
            viewer=self.person,
            account=account_of(viewer=self.person, public_id=query.get("account")),
            asset=query.get("asset"),
            before=open_cursor(query.get("cursor"), "ledger"),
            limit=query["limit"],
        )
        return Response(
            page_body([entry_json(row) for row in page.items], seal_cursor(page.next, "ledger"))
        )
