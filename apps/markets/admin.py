"""Assets, markets and the tape, as staff see them, and the desk from which markets are run.

What takes two is asked for here and decided on the page of the request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path

from apps.accounts.models import User
from apps.core import clock
from apps.core.admin import NarrowedAdmin, ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.markets import approvals, terms
from apps.markets.actions import (
    CATCH_UP_SECONDS,
    REASON_LENGTH_MAX,
    RUN_MARKETS,
    may_run_markets,
    set_instrument,
)
from apps.markets.forms import USUAL, read_market
from apps.markets.models import Asset, Instrument, MarketChange, StaffRequest, Trade
from apps.markets.presentation import PHASE_NAMES, instrument_json, trade_json
from apps.matching.queries import wait_for_seq

CHANGES_SHOWN: Final = 50
Kind = StaffRequest.Kind


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
    list_display = ("id", "code", "name", "scale", "display_decimals")


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """Markets as the engine has them; the page of each is where its terms and state are changed."""

    list_display = ("symbol", "state", "phase", "tick_size", "lot_size", "min_notional",
                    "maker_fee", "taker_fee", "price_band")  # fmt: skip
    list_filter = ("state",)
    search_fields = ("symbol",)
    list_select_related = ("base", "quote")
    change_list_template = "admin/markets/list.html"

    def get_urls(self) -> list[URLPattern]:
        new = path("new/", self.admin_site.admin_view(self.new), name="markets_new")
        return [new, *super().get_urls()]

    @admin.display(description="Tick")
    def tick_size(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["tick_size"])

    @admin.display(description="Lot")
    def lot_size(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["lot_size"])

    @admin.display(description="Minimum value")
    def min_notional(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["min_notional"])

    @admin.display(description="Maker fee, %")
    def maker_fee(self, instrument: Instrument) -> str:
        return terms.typed_of(instrument)["maker_fee_ppm"]

    @admin.display(description="Taker fee, %")
    def taker_fee(self, instrument: Instrument) -> str:
        return terms.typed_of(instrument)["taker_fee_ppm"]

    @admin.display(description="Band, %")
    def price_band(self, instrument: Instrument) -> str:
        return terms.typed_of(instrument)["band_bps"]

    def new(self, request: HttpRequest) -> HttpResponse:
        """Ask for a market to be listed."""
        if not request.user.has_perm(RUN_MARKETS):
            raise PermissionDenied
        typed = {**USUAL}
        wrong: dict[str, str] = {}
        if request.method == "POST":
            typed = request.POST.dict()
            spec, wrong = read_market(typed)
            if spec is not None:
                asked = _ask(request, kind=Kind.LIST, spec=json.dumps(asdict(spec)))
                if asked is not None:
                    return asked
        context = {
            **self.admin_site.each_context(request),
            "title": "List a market",
            "assets": Asset.objects.order_by("id"),
            "rows": [_typed_row(term, typed, wrong, "") for term in terms.TERMS],
            "typed": typed,
            "wrong": wrong,
            "reason_max": REASON_LENGTH_MAX,
        }
        return render(request, "admin/markets/new.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One market: its terms, its state, what waits for a second person, and what was done."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        markets = self.get_queryset(request).select_related("base", "quote")
        market = markets.filter(pk=_number_in(object_id)).first()
        if market is None:
            raise Http404
        typed = terms.typed_of(market)
        wrong: dict[str, str] = {}
        if request.method == "POST":
            if not request.user.has_perm(RUN_MARKETS):
                raise PermissionDenied
            if request.POST.get("act") == "terms":
                typed = request.POST.dict()
                wanted, wrong = terms.parse_terms(typed, market)
                done = (
                    _ask(request, kind=Kind.CHANGE, instrument=market, wanted=wanted)
                    if not wrong
                    else None
                )
            else:
                done = _change_state(request, market)
            if done is not None:
                return done
        return render(request, "admin/markets/market.html",
                      self._market(request, market, typed, wrong))  # fmt: skip

    def _market(
        self,
        request: HttpRequest,
        market: Instrument,
        typed: dict[str, str],
        wrong: dict[str, str],
    ) -> dict[str, Any]:
        present = terms.typed_of(market)
        asked = StaffRequest.objects.filter(
            instrument=market, status=StaffRequest.Status.PENDING, expires_at__gt=clock.now()
        )
        changes = MarketChange.objects.filter(instrument=market)
        changes = changes.select_related("actor", "approved_by").order_by("-id")
        return {
            **self.admin_site.each_context(request),
            "title": market.symbol,
            "market": market,
            "shown": instrument_json(market),
            "phase": PHASE_NAMES[Instrument.Phase(market.phase)].replace("_", " "),
            "stands": market.state != Instrument.State.OPEN,
            "rows": [_typed_row(t, typed, wrong, present[t.name], market) for t in terms.TERMS],
            "asked": asked.select_related("asked_by"),
            "changes": [
                {"row": row, "differences": terms.differences(row.changes, market)}
                for row in changes[:CHANGES_SHOWN]
            ],
            "may_run": request.user.has_perm(RUN_MARKETS),
            "typed": typed,
            "reason_max": REASON_LENGTH_MAX,
        }


def _typed_row(
    term: terms.Term,
    typed: dict[str, str],
    wrong: dict[str, str],
    present: str,
    market: Instrument | None = None,
) -> dict[str, object]:
    return {
        "name": term.name,
        "label": term.label,
        "unit": term.unit(market) if market else "",
        "optional": term.optional,
        "present": present,
        "value": typed.get(term.name, ""),
        "wrong": wrong.get(term.name, ""),
    }


def _ask(request: HttpRequest, **what: Any) -> HttpResponse | None:
    """Ask for something, and go to the page of the request; None where it is refused."""
    try:
        asked = approvals.ask_for(
            actor=cast(User, request.user), reason=request.POST.get("reason", ""),
            now=clock.now(), **what,
        )  # fmt: skip
    except DomainError as refusal:
        messages.error(request, refusal.message)
        return None
    messages.success(request, "It is asked for. Another member of staff has to approve it.")
    return redirect("admin:markets_staffrequest_change", asked.pk)


def _change_state(request: HttpRequest, market: Instrument) -> HttpResponse | None:
    """Stop the market at once, or ask for what makes it trade again."""
    act = request.POST.get("act", "")
    if act in Kind.values:
        reference = request.POST.get("reference", "").strip() if act == Kind.REOPEN else ""
        return _ask(request, kind=act, instrument=market, reference=reference)
    states = {"halt": Instrument.State.HALTED, "cancel_only": Instrument.State.CANCEL_ONLY}
    if act not in states:
        raise PermissionDenied
    state = states[act]
    try:
        reason = approvals.check_reason(request.POST.get("reason", ""))
        seq = set_instrument(
            actor=cast(User, request.user), instrument=market, state=state, reason=reason
        )
    except DomainError as refusal:
        messages.error(request, refusal.message)
        return None
    # The page that comes next tells of the market as it is then.
    wait_for_seq(seq, CATCH_UP_SECONDS)
    messages.success(request, f"{market.symbol}: {state.label.lower()} since seq {seq}.")
    return redirect("admin:markets_instrument_change", market.pk)


@admin.register(StaffRequest)
class StaffRequestAdmin(ReadOnlyAdmin):
    """What takes two: asked for by one member of staff, approved by another."""

    list_display = ("id", "kind", "instrument", "reason", "asked_by", "asked_at", "status",
                    "decided_by", "decided_at")  # fmt: skip
    list_filter = ("status", "kind")
    list_select_related = ("instrument", "asked_by", "decided_by")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What was asked for, what it changes and does, and the decision."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = self.get_queryset(request).select_related("instrument__base", "instrument__quote")
        asked = rows.filter(pk=_number_in(object_id)).first()
        if asked is None:
            raise Http404
        if request.method == "POST":
            _decide(request, asked)
            return redirect("admin:markets_staffrequest_change", asked.pk)
        actor = cast(User, request.user)
        waits = asked.status == StaffRequest.Status.PENDING and asked.expires_at > clock.now()
        context = {
            **self.admin_site.each_context(request),
            "title": f"{asked.get_kind_display()}: request {asked.pk}",
            "asked": asked,
            "spec": _spec_rows(asked),
            "waits": waits,
            "mine": asked.asked_by_id == actor.pk,
            "may_run": may_run_markets(actor),
            **_told(asked),
        }
        return render(request, "admin/markets/request.html", context)


def _told(asked: StaffRequest) -> dict[str, object]:
    """Return before and after, and what it does, as people read it."""
    if asked.instrument is None or asked.kind != Kind.CHANGE:
        return {"differences": [], "effects": [_EFFECTS[Kind(asked.kind)]]}
    return {
        "differences": terms.differences(asked.changes, asked.instrument),
        "effects": terms.effects(asked.changes, asked.instrument),
    }


_EFFECTS: Final = {
    Kind.OPEN: "The market trades again at once, with the orders that rest in its book.",
    Kind.CALL_AUCTION: "The market collects orders for 300 s and then opens at the one price at"
    " which most is traded. Nothing is traded before.",
    Kind.REOPEN: "The auction ends now: what can be traded at its price is traded, and the market"
    " is open.",
    Kind.LIST: "The market is there for everybody at once, open and with an empty book.",
    Kind.CHANGE: "The terms hold for all orders from then on.",
}
_SPEC_WORDS: Final = {
    "market_id": "Number", "maker_fee_ppm": "Maker fee, millionths",
    "taker_fee_ppm": "Taker fee, millionths", "band_bps": "Band, hundredths of a percent",
}  # fmt: skip


def _spec_rows(asked: StaffRequest) -> list[tuple[str, object]]:
    fields: dict[str, object] = json.loads(asked.spec) if asked.spec else {}
    return [
        (_SPEC_WORDS.get(name, name.replace("_", " ").capitalize()), value)
        for name, value in fields.items()
    ]


def _decide(request: HttpRequest, asked: StaffRequest) -> None:
    acts: dict[str, tuple[Callable[..., object], str]] = {
        "approve": (approvals.approve, "carried out"),
        "reject": (approvals.reject, "turned down"),
    }
    if request.POST.get("act") not in acts:
        raise PermissionDenied
    action, words = acts[request.POST["act"]]
    try:
        done = action(actor=cast(User, request.user), request_id=asked.pk, now=clock.now())
        if isinstance(done, int):
            wait_for_seq(done, CATCH_UP_SECONDS)
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"Request {asked.pk} is {words}.")


def _number_in(text: str) -> int:
    """Return the number in an address; what is none names nothing."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


@admin.register(MarketChange)
class MarketChangeAdmin(ReadOnlyAdmin):
    """What was done to markets, by whom and why."""

    list_display = ("at", "instrument", "kind", "changes", "reason", "actor", "approved_by", "seq")
    list_filter = ("instrument", "kind")
    list_select_related = ("instrument", "actor", "approved_by")


@admin.register(Trade)
class TradeAdmin(NarrowedAdmin):
    """The tape of one market: choose it in the filter."""

    narrowed_by = ("instrument__id__exact",)
    list_display = ("id", "at", "instrument", "price", "quantity", "side", "seq")
    list_filter = ("instrument",)
    list_select_related = ("instrument__base", "instrument__quote")

    @admin.display(description="Price")
    def price(self, trade: Trade) -> str:
        return str(trade_json(trade, trade.instrument)["price"])

    @admin.display(description="Quantity")
    def quantity(self, trade: Trade) -> str:
        return str(trade_json(trade, trade.instrument)["quantity"])

    @admin.display(description="Taker")
    def side(self, trade: Trade) -> str:
        return str(trade_json(trade, trade.instrument)["side"])
