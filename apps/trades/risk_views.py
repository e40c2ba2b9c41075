"""The page of an account's limits, and the page of the lots of one position."""

from __future__ import annotations

from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, Invalid
from apps.core.web import describe
from apps.trades.position_queries import lots_of, value_asset
from apps.trades.presentation import lots_json
from apps.trades.risk_actions import set_own_limits
from apps.trades.risk_entry import limits_typed, texts_of
from apps.trades.risk_presentation import (
    limits_of_json,
    losses_json,
    restriction_json,
    standing_json,
)
from apps.trades.risk_queries import limits_of, losses_of, past_restrictions, standing_of
from apps.wallets.models import TradingAccount
from apps.wallets.queries import main_account

LOTS_SHOWN: Final = 200
# Name, label, unit, and what it does.
FIELDS: Final = (
    ("max_daily_loss", "Loss of a day", "USDT",
     "Realised and unrealised, fees included, since 0:00 UTC. Past it you can only sell until"
     " the day is over."),
    ("max_drawdown_percent", "Fall below the highest value", "%",
     "Past it you can only sell for 24 hours."),
    ("max_order_value", "Value of one order", "USDT", "In markets against USDT."),
    ("max_open_orders", "Open orders", "", "At the same time."),
    ("orders_per_second", "Orders in a second", "", ""),
    ("repeated_orders_per_second", "The same order again", "in a second",
     "Catches a program that has run wild."),
)  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def limits(request: HttpRequest) -> HttpResponse:
    """One's own limits beside the house's, and what has come of them."""
    viewer = cast(User, request.user)
    account = main_account(viewer=viewer)
    account.owner = viewer
    if request.method != "POST":
        return render(request, "trades/limits.html", _page(account, {}, {}))
    try:
        wanted = limits_typed(request.POST)
        set_own_limits(actor=viewer, account=account, wanted=wanted, now=clock.now())
    except DomainError as error:
        where = str(error.data.get("field", "form"))
        context = _page(account, texts_of(request.POST), {where: error.message})
        return render(request, "trades/limits.html", context, status=describe(error).status)
    later = limits_of(viewer=viewer).later_at
    words = "Your limits are set."
    if later is not None:
        words = f"What is narrower holds now; the rest from {later:%d %B, %H:%M} UTC on."
    messages.success(request, words)
    return redirect("trades:limits")


@require_safe
@login_required
def lots(request: HttpRequest, asset: str) -> HttpResponse:
    """The open lots of one position, now or as of a moment."""
    viewer = cast(User, request.user)
    typed, problem, as_of = request.GET.get("as_of", ""), "", None
    try:
        # A browser's field has no zone; times are UTC everywhere here.
        as_of = clock.parse_iso(f"{typed}Z") if typed else None
        found = lots_of(viewer=viewer, asset=asset, as_of=as_of)
    except Invalid as error:
        problem = error.message
        found = lots_of(viewer=viewer, asset=asset)
    described = lots_json(found, value_asset(), LOTS_SHOWN)
    context = {
        "lots": described,
        # A template would take the name for the dictionary's own method.
        "items": described["items"],
        "asset": found.asset,
        "as_of": typed,
        "problem": problem,
        "shown": LOTS_SHOWN,
    }
    return render(request, "trades/lots.html", context, status=400 if problem else 200)


def _page(account: TradingAccount, typed: dict[str, str], errors: dict[str, str]) -> dict[str, Any]:
    mine: dict[str, Any] = {"viewer": account.owner, "account": account}
    found = limits_of_json(limits_of(**mine))
    losses = losses_of(**mine, now=clock.now())
    sets = cast("dict[str, dict[str, Any]]", found)
    return {
        "rows": [
            {
                "name": name,
                "label": label,
                "unit": unit,
                "hint": hint,
                "house": sets["house"][name],
                "own": sets["own"][name],
                "typed": typed.get(name, sets["own"][name] or "") if typed else sets["own"][name],
                "later": sets["later"] and sets["later"][name] != sets["own"][name],
                "later_value": sets["later"] and sets["later"][name],
                "error": errors.get(name, ""),
            }
            for name, label, unit, hint in FIELDS
        ],
        "later_at": sets["later"] and sets["later"]["in_force_at"],
        "problem": errors.get("form", ""),
        "standing": standing_json(standing_of(**mine)),
        "losses": None if losses is None else losses_json(losses),
        "past": [restriction_json(each) for each in past_restrictions(**mine)],
    }
