"""The page of an account's limits."""

from __future__ import annotations

from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError
from apps.core.web import describe
from apps.trades.risk.actions import set_own_limits
from apps.trades.risk.entry import limits_typed, texts_of
from apps.trades.risk.presentation import (
    limits_of_json,
    losses_json,
    restriction_json,
    standing_json,
)
from apps.trades.risk.queries import limits_of, losses_of, past_restrictions, standing_of
from apps.wallets.models import TradingAccount
from apps.wallets.queries import main_account

# Name, label, unit, and what it does.
FIELDS: Final = (
    ("max_daily_loss", "Loss of a day", "USDT",
     "Realised and unrealised, fees included, since 0:00 UTC. Once it is reached, you are"
     " stopped until the day is over."),
    ("max_drawdown_percent", "Fall below the highest value", "%",
     "Once it is reached, you are stopped for 24 hours."),
    ("on_breach", "When either stops you", "", ""),
    ("max_order_value", "Value of one order", "USDT",
     "In any market, at the last price of what it is paid in."),
    ("max_open_orders", "Open orders", "", "At the same time."),
    ("orders_per_second", "Orders in a second", "", ""),
    ("repeated_orders_per_second", "The same order again", "in a second",
     "Catches a program that has run wild."),
)  # fmt: skip
# Of an own limit that is breached; the first is what happens where nothing was chosen.
ACTIONS: Final = (
    ("", "You can only sell"),
    ("kill", "All orders are cancelled, and you cannot trade"),
)


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
                "choices": ACTIONS if name == "on_breach" else (),
            }
            for name, label, unit, hint in FIELDS
        ],
        "later_at": sets["later"] and sets["later"]["in_force_at"],
        "problem": errors.get("form", ""),
        "standing": standing_json(standing_of(**mine)),
        "losses": None if losses is None else losses_json(losses),
        "past": [restriction_json(each) for each in past_restrictions(**mine)],
    }
