"""Assets, markets and the tape, as staff see them; markets can be halted here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.models import User
from apps.core import clock
from apps.core.admin import NarrowedAdmin, ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.markets import approvals
from apps.markets.actions import kill_market, set_instrument
from apps.markets.models import Asset, Instrument, StaffRequest, Trade
from apps.markets.presentation import instrument_json, trade_json


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
    list_display = ("id", "code", "name", "scale", "display_decimals")


@admin.register(Instrument)
class InstrumentAdmin(ReadOnlyAdmin):
    """Markets as the engine has them. The actions below are commands to the engine."""

    list_display = ("symbol", "state", "tick_size", "lot_size", "min_notional", "maker_fee",
                    "taker_fee", "price_band")  # fmt: skip
    list_filter = ("state",)
    search_fields = ("symbol",)
    list_select_related = ("base", "quote")
    actions = ("halt", "cancel_only", "ask_to_open", "ask_for_auction", "kill")

    @admin.display(description="Tick")
    def tick_size(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["tick_size"])

    @admin.display(description="Lot")
    def lot_size(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["lot_size"])

    @admin.display(description="Minimum value")
    def min_notional(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["min_notional"])

    @admin.display(description="Maker fee")
    def maker_fee(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["maker_fee"])

    @admin.display(description="Taker fee")
    def taker_fee(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["taker_fee"])

    @admin.display(description="Band")
    def price_band(self, instrument: Instrument) -> str:
        return str(instrument_json(instrument)["price_band"])

    @admin.action(description="Halt trading (open orders rest)", permissions=["set_state"])
    def halt(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        self._set_state(request, queryset, Instrument.State.HALTED)

    @admin.action(description="Allow cancellations only", permissions=["set_state"])
    def cancel_only(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        self._set_state(request, queryset, Instrument.State.CANCEL_ONLY)

    @admin.action(description="Ask to open trading", permissions=["set_state"])
    def ask_to_open(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        self._ask(request, queryset, StaffRequest.Kind.OPEN)

    @admin.action(description="Ask to open trading by an auction", permissions=["set_state"])
    def ask_for_auction(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        self._ask(request, queryset, StaffRequest.Kind.CALL_AUCTION)

    def _ask(
        self, request: HttpRequest, queryset: QuerySet[Instrument], kind: StaffRequest.Kind
    ) -> None:
        actor = cast(User, request.user)
        for instrument in queryset:
            approvals.ask_for(actor=actor, kind=kind, instrument=instrument, now=clock.now())
            words = f"{instrument.symbol}: asked for. Another member of staff has to approve it."
            messages.success(request, words)

    @admin.action(description="Kill: end all orders, cancellations only", permissions=["set_state"])
    def kill(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        for instrument in queryset:
            try:
                seq = kill_market(actor=cast(User, request.user), instrument=instrument)
            except DomainError as error:
                messages.error(request, f"{instrument.symbol}: {error.message}")
            else:
                words = f"{instrument.symbol}: all orders ended at seq {seq}."
                messages.success(request, words)

    def has_set_state_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("markets.change_instrument")

    def _set_state(
        self, request: HttpRequest, queryset: QuerySet[Instrument], state: Instrument.State
    ) -> None:
        actor = cast(User, request.user)
        for instrument in queryset.select_related("base", "quote"):
            try:
                seq = set_instrument(actor=actor, instrument=instrument, state=state)
            except DomainError as error:
                messages.error(request, f"{instrument.symbol}: {error.message}")
            else:
                words = f"{instrument.symbol}: {state.label.lower()} since seq {seq}."
                messages.success(request, words)


@admin.register(StaffRequest)
class StaffRequestAdmin(ReadOnlyAdmin):
    """What takes two: asked for by one member of staff, approved by another."""

    list_display = ("id", "kind", "instrument", "reference", "asked_by", "asked_at", "status",
                    "decided_by", "decided_at")  # fmt: skip
    list_filter = ("status", "kind")
    list_select_related = ("instrument", "asked_by", "decided_by")
    fields = ("kind", "instrument", "reference", "spec")
    actions = ("approve", "reject")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_decide_permission(request)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("markets.change_instrument")

    def save_model(self, request: HttpRequest, obj: StaffRequest, form: Any, change: bool) -> None:
        asked = approvals.ask_for(
            actor=cast(User, request.user), kind=obj.kind, instrument=obj.instrument,
            reference=obj.reference, spec=obj.spec, now=clock.now(),
        )  # fmt: skip
        obj.pk = asked.pk

    @admin.action(description="Approve", permissions=["decide"])
    def approve(self, request: HttpRequest, queryset: QuerySet[StaffRequest]) -> None:
        self._decide(request, queryset, approvals.approve, "carried out")

    @admin.action(description="Reject", permissions=["decide"])
    def reject(self, request: HttpRequest, queryset: QuerySet[StaffRequest]) -> None:
        self._decide(request, queryset, approvals.reject, "rejected")

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[StaffRequest],
        action: Callable[..., object],
        words: str,
    ) -> None:
        for asked in queryset:
            try:
                action(actor=cast(User, request.user), request_id=asked.id, now=clock.now())
            except DomainError as error:
                messages.error(request, f"Request {asked.id}: {error.message}")
            else:
                messages.success(request, f"Request {asked.id} is {words}.")


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
