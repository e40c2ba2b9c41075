"""Positions and their lots: what an account has, what it has cost, what it has made."""

from __future__ import annotations

from typing import Final

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint
from apps.core.fields import StrictTime
from apps.core.openapi import documented
from apps.matching.api import await_seq
from apps.trades import position_queries
from apps.trades.presentation import lots_json, position_json, totals_json
from apps.wallets.api import BalancesQuery
from apps.wallets.welcome import account_of

LOTS_MAX: Final = 500

_ACCOUNT: Final = "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10"
_POSITION: Final = {
    "asset": "BTC", "quantity": "0.01", "average_cost": "60000.00", "cost": "600.00",
    "price": "61000.00", "value": "610.00", "unrealised": "10.00", "unrealised_percent": "1.67",
    "realised": "0.00", "fees": "0.60", "seq": 1042, "at": "2026-11-21T12:00:00.5Z",
}  # fmt: skip
_TOTALS: Final = {
    "cost": "600.00", "value": "610.00", "unrealised": "10.00", "realised": "0.00", "fees": "0.60",
}  # fmt: skip
_LOT: Final = {
    "id": "1092616192", "quantity": "0.01", "cost": "600.00", "unit_cost": "60000.00",
    "at": "2026-11-21T12:00:00.5Z", "seq": 1042,
}  # fmt: skip


class PositionsQuery(BalancesQuery):
    as_of = StrictTime(
        required=False, help_text="As things stood at that moment; now where none is named."
    )


class PositionOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    quantity = serializers.CharField()
    average_cost = serializers.CharField(
        allow_null=True, help_text="Of one whole unit, rounded; null where nothing is held."
    )
    cost = serializers.CharField(help_text="Of all that is held, exactly.")
    price = serializers.CharField(allow_null=True, help_text="Null where nobody has traded it.")
    value = serializers.CharField(allow_null=True)
    unrealised = serializers.CharField(allow_null=True, help_text="Value less cost.")
    unrealised_percent = serializers.CharField(allow_null=True, help_text="Of the cost.")
    realised = serializers.CharField(help_text="By average cost, before fees, since the beginning.")
    fees = serializers.CharField(help_text="What trading it has cost since the beginning.")
    seq = serializers.IntegerField(help_text="The command that changed it last.")
    at = serializers.DateTimeField(help_text="When that was.")


class TotalsOutput(serializers.Serializer[dict[str, object]]):
    cost = serializers.CharField()
    value = serializers.CharField()
    unrealised = serializers.CharField()
    realised = serializers.CharField()
    fees = serializers.CharField()


class PositionsOutput(serializers.Serializer[dict[str, object]]):
    account = serializers.UUIDField()
    value_asset = serializers.CharField(help_text="What every figure but the quantity is in.")
    as_of = serializers.DateTimeField(allow_null=True)
    totals = TotalsOutput()
    items = PositionOutput(many=True)


class LotOutput(serializers.Serializer[dict[str, object]]):
    id = serializers.CharField()
    quantity = serializers.CharField(help_text="What is left of it.")
    cost = serializers.CharField(help_text="What that has cost, exactly.")
    unit_cost = serializers.CharField(help_text="Of one whole unit, rounded.")
    at = serializers.DateTimeField()
    seq = serializers.IntegerField()


class LotsOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    realised = serializers.CharField(help_text="By first in, first out; before fees.")
    count = serializers.IntegerField(help_text="How many lots are open.")
    items = LotOutput(many=True, help_text=f"Oldest first, at most {LOTS_MAX}.")


class PositionsView(Endpoint):
    @documented(
        summary="What you hold, what it cost, what it made",
        description=(
            "Average cost begins anew when a position is flat. What is deposited enters at the "
            "market's last price and what is withdrawn leaves at its cost, so profit is what "
            "prices and trading made: `unrealised` + `realised` - `fees`."
        ),
        tag="positions", query=PositionsQuery, answer=PositionsOutput,
        example={
            "account": _ACCOUNT, "value_asset": "USDT", "as_of": None, "totals": _TOTALS,
            "items": [_POSITION],
        },
        refusals={400: "invalid_time", 404: "unknown_account", 503: "not_yet_projected"},
        operation_id="positions",
    )  # fmt: skip
    def get(self, request: Request) -> Response:
        query = self.read_query(PositionsQuery)
        await_seq(query)
        account = account_of(viewer=self.person, public_id=query.get("account"))
        as_of = query.get("as_of")
        rows = position_queries.positions_of(viewer=self.person, account=account, as_of=as_of)
        value = position_queries.value_asset()
        return Response(
            {
                "account": str(account.public_id),
                "value_asset": value.code,
                "as_of": None if as_of is None else clock.iso(as_of),
                "totals": totals_json(rows, value),
                "items": [position_json(row, value) for row in rows],
            }
        )


class LotsView(Endpoint):
    @documented(
        summary="The open lots of one position",
        description=(
            "First in, first out: each purchase is a lot, sales take from the oldest. "
            "`realised` is the profit counted that way."
        ),
        tag="positions", query=PositionsQuery, answer=LotsOutput,
        example={"asset": "BTC", "realised": "0.00", "count": 1, "items": [_LOT]},
        refusals={400: "invalid_time", 404: "unknown_asset", 503: "not_yet_projected"},
        operation_id="lots",
    )  # fmt: skip
    def get(self, request: Request, asset: str) -> Response:
        query = self.read_query(PositionsQuery)
        await_seq(query)
        found = position_queries.lots_of(
            viewer=self.person,
            asset=asset,
            account=account_of(viewer=self.person, public_id=query.get("account")),
            as_of=query.get("as_of"),
        )
        return Response(lots_json(found, position_queries.value_asset(), LOTS_MAX))
