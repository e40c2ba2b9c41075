"""Statements over the API: the sums as JSON, every entry as CSV or PDF."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.endpoint import Endpoint, FileEndpoint, as_file
from apps.core.fields import StrictText
from apps.core.openapi import documented
from apps.wallets.api import AccountQuery
from apps.wallets.statements import files
from apps.wallets.statements.presentation import statement_json
from apps.wallets.statements.queries import Statement, statement_of
from apps.wallets.statements.rules import DAYS_MAX, Period, period_of

_ABOUT: Final = (
    "A `period` is a year (`2026`) or a month (`2026-10`); or name its `first` and `last` day "
    f"(`2026-10-01`), both of them in it, at most {DAYS_MAX} days. Without any it is the present "
    "month. Days are UTC. `opening` + `came_in` - `went_out` = `closing`, to the last digit."
)
_STATEMENT: Final = {
    "account": "5f0c1e7a-6d0b-4c1e-9a55-0d8a3a3f7a10", "first_day": "2026-10-01",
    "last_day": "2026-10-31", "until": "2026-11-01T00:00:00Z", "entries": 2,
    "items": [
        {
            "asset": "USDT", "opening": "1000.00", "came_in": "0.00", "went_out": "600.60",
            "fees": "0.60", "closing": "399.40", "entries": 1,
        },
        {
            "asset": "BTC", "opening": "0.00000000", "came_in": "0.01000000",
            "went_out": "0.00000000", "fees": "0.00000000", "closing": "0.01000000", "entries": 1,
        },
    ],
}  # fmt: skip
_CSV: Final = (
    "at,asset,kind,reason,amount,fee,balance,reference,id\r\n"
    "2026-10-01T00:00:00Z,USDT,opening,Opening balance,,,1000.00,,\r\n"
)
_REFUSALS: Final = {400: "invalid_period", 404: "unknown_account"}


class PeriodQuery(AccountQuery):
    """Which account, and which days."""

    period = StrictText(max_length=7, required=False, help_text="A year or a month.")
    first = StrictText(max_length=10, required=False, help_text="The first day.")
    last = StrictText(max_length=10, required=False, help_text="The last day.")


class LineOutput(serializers.Serializer[dict[str, object]]):
    asset = serializers.CharField()
    opening = serializers.CharField()
    came_in = serializers.CharField()
    went_out = serializers.CharField()
    fees = serializers.CharField(help_text="Within what came in and went out.")
    closing = serializers.CharField()
    entries = serializers.IntegerField()


class StatementOutput(serializers.Serializer[dict[str, object]]):
    account = serializers.UUIDField()
    first_day = serializers.DateField()
    last_day = serializers.DateField()
    until = serializers.DateTimeField(help_text="The end of the last day, or now.")
    entries = serializers.IntegerField()
    items = LineOutput(many=True)


class StatementView(Endpoint):
    @documented(
        summary="What an account had, got and gave in a period",
        description=_ABOUT,
        tag="wallet",
        query=PeriodQuery,
        answer=StatementOutput,
        example=_STATEMENT,
        refusals=_REFUSALS,
        operation_id="statement",
    )
    def get(self, request: Request) -> Response:
        return Response(statement_json(_statement(self, self.read_query(PeriodQuery))))


class CsvView(FileEndpoint):
    @documented(
        summary="A statement with every entry, as CSV",
        description=f"{_ABOUT} At most {files.CSV_ENTRIES_MAX} entries.",
        tag="wallet",
        query=PeriodQuery,
        answer=OpenApiTypes.STR,
        example=_CSV,
        file_type="text/csv",
        refusals={**_REFUSALS, 422: "statement_too_long"},
        operation_id="statement_csv",
    )
    def get(self, request: Request) -> Any:
        files.hold_back_files(self.person)
        found = _statement(self, self.read_query(PeriodQuery))
        return as_file(
            files.statement_csv(found), "text/csv; charset=utf-8", files.file_name(found, "csv")
        )


class PdfView(FileEndpoint):
    @documented(
        summary="A statement with every entry, as PDF",
        description=f"{_ABOUT} At most {files.PDF_ENTRIES_MAX} entries. The same statement has "
        "the same bytes.",
        tag="wallet",
        query=PeriodQuery,
        answer=OpenApiTypes.BINARY,
        example="%PDF-1.4",
        file_type="application/pdf",
        refusals={**_REFUSALS, 422: "statement_too_long"},
        operation_id="statement_pdf",
    )
    def get(self, request: Request) -> Any:
        files.hold_back_files(self.person)
        found = _statement(self, self.read_query(PeriodQuery))
        return as_file(files.statement_pdf(found), "application/pdf", files.file_name(found, "pdf"))


def period_in(query: dict[str, Any]) -> Period:
    """Return the period that the parameters name."""
    named = {name: query.get(name, "") for name in ("period", "first", "last")}
    return period_of(**named, today=clock.now().date())


def _statement(endpoint: Endpoint, query: dict[str, Any]) -> Statement:
    return statement_of(
        viewer=endpoint.person, period=period_in(query), now=clock.now(),
        account=query.get("account"),
    )  # fmt: skip
