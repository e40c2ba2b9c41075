"""Realised gains over the API: sums and disposals as JSON, all of it as CSV or PDF."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint, FileEndpoint, as_file
from apps.core.fields import StrictChoice
from apps.core.openapi import documented
from apps.trades.tax import files
from apps.trades.tax.presentation import gains_json
from apps.trades.tax.queries import Gains, gains_of
from apps.trades.tax.rules import Method
from apps.wallets.statements.api import PeriodQuery, period_in
from apps.wallets.statements.files import hold_back_files

ROWS_MAX: Final = 500
_METHODS: Final = [method.value for method in Method]
_ABOUT: Final = (
    "Whatever came in is a lot; a sale takes from the oldest (`fifo`), the newest (`lifo`) or the "
    "dearest (`hifo`) first. `gain` is `proceeds` less `cost` less `fees`; fees are the sale's and "
    "the lot's part of its purchase's. Deposits and transfers enter at market value and leave at "
    "cost, without a gain. The period is named as in `GET /statements`."
)
_GAINS: Final = {
    "account": "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10", "method": "fifo",
    "method_words": "First in, first out", "first_day": "2026-01-01", "last_day": "2026-12-31",
    "until": "2026-11-21T12:00:00Z", "value_asset": "USDT", "gain": "5974.00",
    "assets": [
        {
            "asset": "BTC", "quantity": "1.00000000", "proceeds": "16000.00", "cost": "10000.00",
            "fees": "26.00", "gain": "5974.00", "lots_open": 1, "quantity_open": "1.00000000",
            "cost_open": "14014.00",
        }
    ],
    "count": 1,
    "items": [
        {
            "asset": "BTC", "quantity": "1.00000000", "acquired_at": "2026-01-31T12:00:00Z",
            "disposed_at": "2026-10-31T12:00:00Z", "days_held": 273, "acquired_by": "purchase",
            "proceeds": "16000.00", "cost": "10000.00", "fees": "26.00", "gain": "5974.00",
            "lot": "1092616192", "sale": "4092616192",
        }
    ],
}  # fmt: skip
_CSV: Final = (
    "asset,quantity,acquired_at,disposed_at,days_held,acquired_by,proceeds,cost,fees,gain,lot,sale"
    "\r\n"
)
_REFUSALS: Final = {400: "invalid_period", 404: "unknown_account", 422: "history_too_long"}


class GainsQuery(PeriodQuery):
    method = StrictChoice(_METHODS, default=Method.FIFO.value)


class AssetGainsOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    quantity = serializers.CharField(help_text="That was sold.")
    proceeds = serializers.CharField()
    cost = serializers.CharField()
    fees = serializers.CharField()
    gain = serializers.CharField(help_text="Negative where it is a loss.")
    lots_open = serializers.IntegerField(help_text="At the end of the period.")
    quantity_open = serializers.CharField()
    cost_open = serializers.CharField(help_text="With fees.")


class DisposalOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    quantity = serializers.CharField()
    acquired_at = serializers.DateTimeField()
    disposed_at = serializers.DateTimeField()
    days_held = serializers.IntegerField(help_text="Whole days.")
    acquired_by = serializers.ChoiceField(["purchase", "transfer"])
    proceeds = serializers.CharField()
    cost = serializers.CharField()
    fees = serializers.CharField()
    gain = serializers.CharField()
    lot = serializers.CharField()
    sale = serializers.CharField()


class GainsOutput(serializers.Serializer[dict[str, object]]):
    account = serializers.UUIDField()
    method = serializers.ChoiceField(_METHODS)
    method_words = serializers.CharField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    until = serializers.DateTimeField()
    value_asset = serializers.CharField(help_text="What money is in.")
    gain = serializers.CharField()
    assets = AssetGainsOutput(many=True)
    count = serializers.IntegerField(help_text="How many disposals there are.")
    items = DisposalOutput(many=True, help_text=f"At most {ROWS_MAX}; the files have them all.")


class GainsView(Endpoint):
    weights = {"GET": 10}

    @documented(
        summary="What you realised in a period, lot by lot",
        description=_ABOUT,
        tag="positions",
        query=GainsQuery,
        answer=GainsOutput,
        example=_GAINS,
        refusals=_REFUSALS,
        operation_id="gains",
    )
    def get(self, request: Request) -> Response:
        return Response(gains_json(_gains(self, self.read_query(GainsQuery)), ROWS_MAX))


class GainsCsvView(FileEndpoint):
    @documented(
        summary="What you realised in a period, as CSV",
        description=_ABOUT,
        tag="positions",
        query=GainsQuery,
        answer=OpenApiTypes.STR,
        example=_CSV,
        file_type="text/csv",
        refusals=_REFUSALS,
        operation_id="gains_csv",
    )
    def get(self, request: Request) -> Any:
        hold_back_files(self.person)
        found = _gains(self, self.read_query(GainsQuery))
        return as_file(
            files.gains_csv(found), "text/csv; charset=utf-8", files.file_name(found, "csv")
        )


class GainsPdfView(FileEndpoint):
    @documented(
        summary="What you realised in a period, as PDF",
        description=f"{_ABOUT} At most {files.PDF_ROWS_MAX} lines.",
        tag="positions",
        query=GainsQuery,
        answer=OpenApiTypes.BINARY,
        example="%PDF-1.4",
        file_type="application/pdf",
        refusals={**_REFUSALS, 422: "statement_too_long"},
        operation_id="gains_pdf",
    )
    def get(self, request: Request) -> Any:
        hold_back_files(self.person)
        found = _gains(self, self.read_query(GainsQuery))
        return as_file(files.gains_pdf(found), "application/pdf", files.file_name(found, "pdf"))


def _gains(endpoint: Endpoint, query: dict[str, Any]) -> Gains:
    return gains_of(
        viewer=endpoint.person, method=Method(query["method"]), period=period_in(query),
        now=clock.now(), account=query.get("account"),
    )  # fmt: skip
