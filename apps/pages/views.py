"""Pages that span apps: home, for those signed out and in, and the portfolio."""

from __future__ import annotations

from typing import Any, Final, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.accounts.preferences import preferences_of
from apps.core.errors import NotFound
from apps.core.money import format_minor
from apps.markets.listing import Row, market_rows
from apps.markets.presentation import instrument_json
from apps.matching.queries import projected_seq
from apps.pages.presentation import (
    chart_of,
    lines_of,
    parts_in_words,
    parts_of,
    span_words,
    summary_of,
)
from apps.pages.queries import (
    RANGE_NAMES,
    Holdings,
    fitting_range,
    holdings_for,
    value_history,
)
from apps.trades.position_queries import positions_of, value_asset
from apps.trades.presentation import fill_json, order_json, position_json, totals_json
from apps.trades.queries import fills_page, open_orders

MOVERS: Final = 5
ROWS: Final = 6


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    favourites = preferences_of(request).favourites
    rows = market_rows(favourites=favourites)
    if request.user.is_authenticated:
        return render(request, "pages/dashboard.html", _dashboard(request, rows))
    lead = rows[0] if rows else None
    instrument = lead.ticker.instrument if lead else None
    context = {
        "rows": rows,
        "lead": lead,
        "lead_instrument": instrument_json(instrument) if instrument else {},
        "fees": {
            "maker": format_minor(instrument.maker_fee_ppm, 4, min_decimals=2),
            "taker": format_minor(instrument.taker_fee_ppm, 4, min_decimals=2),
        }
        if instrument
        else {},
        "commands": str(projected_seq()),
    }
    return render(request, "pages/home.html", context)


@require_safe
@login_required
def portfolio(request: HttpRequest) -> HttpResponse:
    viewer = cast(User, request.user)
    holdings = holdings_for(viewer=viewer)
    name = request.GET.get("range", "")
    if name not in RANGE_NAMES:
        name = fitting_range(holdings.opened_at)
    history = value_history(viewer=viewer, holdings=holdings, name=name)
    day = history
    if name != (wanted := _day_range(holdings)):
        day = value_history(viewer=viewer, holdings=holdings, name=wanted)
    parts = parts_of(holdings)
    positions = positions_of(viewer=viewer) if holdings.account else []
    value = value_asset()
    described = [position_json(row, value) for row in positions]
    context = {
        "positions": described,
        "lines": lines_of(holdings, described),
        "totals": totals_json(positions, value),
        "mine": holdings,
        "ranges": RANGE_NAMES,
        "range": name,
        "chart": chart_of(history),
        "history": summary_of(history, holdings),
        "span_words": span_words(history),
        "day": summary_of(day, holdings),
        "allocation": {"parts": parts, "words": parts_in_words(parts)},
    }
    return render(request, "pages/portfolio.html", context)


def _dashboard(request: HttpRequest, rows: list[Row]) -> dict[str, Any]:
    viewer = cast(User, request.user)
    holdings = holdings_for(viewer=viewer, found=[row.ticker for row in rows])
    watched = [row for row in rows if row.favourite]
    movers = sorted(rows, key=lambda row: -abs(row.ticker.change_bps))
    context: dict[str, Any] = {
        "mine": holdings,
        "movers": (watched or movers)[:MOVERS],
        "watching": bool(watched),
        "open_orders": [],
        "fills": [],
    }
    try:
        context["open_orders"] = [order_json(order) for order in open_orders(viewer=viewer)[:ROWS]]
        page = fills_page(viewer=viewer, limit=ROWS)
        context["fills"] = [fill_json(fill) for fill in page.items]
    except NotFound:
        # The account is opened by a command to the engine; until it is there, there is nothing.
        return context
    history = value_history(viewer=viewer, holdings=holdings, name=_day_range(holdings))
    return context | {"day": summary_of(history, holdings), "span_words": span_words(history)}


def _day_range(holdings: Holdings) -> str:
    """The last 24 hours; finer while the account is younger than an hour."""
    fitting = fitting_range(holdings.opened_at)
    return fitting if fitting == "1h" else "24h"
