"""Realised gains on the site: the sums of a period, its sales, and the way to the files."""

from __future__ import annotations

from typing import Final, cast

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
from apps.trades.tax import files
from apps.trades.tax.presentation import gains_json
from apps.trades.tax.queries import Gains, gains_of
from apps.trades.tax.rules import METHOD_WORDS, Method
from apps.wallets.statements.files import hold_back_files
from apps.wallets.statements.rules import Period, period_of
from apps.wallets.statements.views import asked_period, files_query, period_context
from apps.wallets.welcome import account_of

ROWS_SHOWN: Final = 100


@require_safe
@login_required
def gains(request: HttpRequest) -> HttpResponse:
    """What was realised, by asset and by lot."""
    viewer, problem = cast(User, request.user), None
    account_of(viewer=viewer)
    try:
        method, period = _method(request), asked_period(request)
    except Invalid as refusal:
        problem, method = refusal, Method.FIFO
        period = period_of(today=clock.now().date())
    found = _gains(request, method, period)
    described = gains_json(found, ROWS_SHOWN)
    context = period_context(request, viewer) | {
        "account": found.account,
        "gains": described,
        # A template would take the name for the dictionary's own method.
        "rows": described["items"],
        "words": found.period.words,
        "goes_on": found.goes_on,
        "method": method.value,
        "methods": [{"name": each.value, "words": METHOD_WORDS[each]} for each in Method],
        "query": files_query(request, period, method=method.value),
        "shown": ROWS_SHOWN,
        "pdf_too_long": found.rows > files.PDF_ROWS_MAX,
        "notes": files.NOTES,
        "problem": problem,
    }
    status = 200 if problem is None else describe(problem).status
    return render(request, "trades/gains.html", context, status=status)


@require_safe
@login_required
def download(request: HttpRequest, kind: str) -> HttpResponseBase:
    """The gains as a file."""
    hold_back_files(cast(User, request.user))
    found = _gains(request, _method(request), asked_period(request))
    name = files.file_name(found, kind)
    if kind == "pdf":
        return as_file(files.gains_pdf(found), "application/pdf", name)
    return as_file(files.gains_csv(found), "text/csv; charset=utf-8", name)


def _method(request: HttpRequest) -> Method:
    try:
        return Method(request.GET.get("method") or Method.FIFO)
    except ValueError:
        raise Invalid("invalid_choice", "Choose fifo, lifo or hifo.") from None


def _gains(request: HttpRequest, method: Method, period: Period) -> Gains:
    return gains_of(
        viewer=cast(User, request.user), method=method, period=period, now=clock.now(),
        account=request.GET.get("account") or None,
    )  # fmt: skip
