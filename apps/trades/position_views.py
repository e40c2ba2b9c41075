"""The page of the lots of one position."""

from __future__ import annotations

from typing import Final, cast

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Invalid
from apps.trades.position_queries import lots_of, value_asset
from apps.trades.presentation import lots_json

LOTS_SHOWN: Final = 200


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
