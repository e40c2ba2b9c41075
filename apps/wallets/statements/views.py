"""Statements on the site: the sums of a period, and the way to the files."""

from __future__ import annotations

from typing import Any, Final, cast
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.core import clock
from apps.core.endpoint import as_file
from apps.core.errors import Invalid
from apps.core.web import describe
from apps.wallets import queries
from apps.wallets.statements import files
from apps.wallets.statements.presentation import statement_json
from apps.wallets.statements.queries import Statement, statement_of
from apps.wallets.statements.rules import Period, period_of, recent_months
from apps.wallets.welcome import account_of

MONTHS_SHOWN: Final = 12
YEARS_SHOWN: Final = 3


@require_safe
@login_required
def statements(request: HttpRequest) -> HttpResponse:
    """A period's sums, by asset."""
    viewer, problem, now = cast(User, request.user), None, clock.now()
    account_of(viewer=viewer)
    try:
        period = asked_period(request)
    except Invalid as refusal:
        problem, period = refusal, period_of(today=now.date())
    found = _statement(request, period)
    context = period_context(request, viewer) | {
        "account": found.account,
        "statement": statement_json(found),
        # A template would take the name for the dictionary's own method.
        "lines": statement_json(found)["items"],
        "words": found.period.words,
        "goes_on": found.goes_on,
        "query": files_query(request, period),
        "pdf_too_long": found.entries > files.PDF_ENTRIES_MAX,
        "pdf_most": files.PDF_ENTRIES_MAX,
        "problem": problem,
    }
    status = 200 if problem is None else describe(problem).status
    return render(request, "wallets/statements.html", context, status=status)


@require_safe
@login_required
def download(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The statement as a file."""
    files.hold_back_files(cast(User, request.user))
    found = _statement(request, asked_period(request))
    name = files.file_name(found, kind)
    if kind == "pdf":
        return as_file(files.statement_pdf(found), "application/pdf", name)
    return as_file(files.statement_csv(found), "text/csv; charset=utf-8", name)


def asked_period(request: HttpRequest) -> Period:
    """Return the period that the address names; two days count where no other period is chosen."""
    given = request.GET
    period, first, last = (given.get(name, "").strip() for name in ("period", "first", "last"))
    if period == "days":
        period = ""
    elif period:
        first = last = ""
    return period_of(period=period, first=first, last=last, today=clock.now().date())


def period_context(request: HttpRequest, viewer: User) -> dict[str, Any]:
    """Return what the form of a period shows."""
    today = clock.now().date()
    given = request.GET
    days = bool(given.get("first") or given.get("last")) and given.get("period", "days") == "days"
    months = recent_months(today, MONTHS_SHOWN)
    return {
        "accounts": queries.accounts_of(viewer=viewer),
        "months": months,
        "years": [str(today.year - back) for back in range(YEARS_SHOWN)],
        "chosen": "days" if days else given.get("period") or months[0],
        "typed": given,
    }


def files_query(request: HttpRequest, period: Period, **more: str) -> str:
    """Return the query that asks for a file of the same days and account."""
    account = request.GET.get("account", "")
    asked = {"first": period.first, "last": period.last, **more}
    return urlencode({**asked, "account": account} if account else asked)


def _statement(request: HttpRequest, period: Period) -> Statement:
    return statement_of(
        viewer=cast(User, request.user), period=period, now=clock.now(),
        account=request.GET.get("account") or None,
    )  # fmt: skip
