"""Assets, markets and the tape, as staff see them; markets can be halted here."""

from __future__ import annotations

from typing import cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.accounts.models import User
from apps.core.admin import NarrowedAdmin, ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.markets.actions import kill_market, set_instrument
from apps.markets.models import Asset, Instrument, Trade
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
    actions = ("halt", "cancel_only", "open", "kill")

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

    @admin.action(description="Open trading", permissions=["set_state"])
    def open(self, request: HttpRequest, queryset: QuerySet[Instrument]) -> None:
        self._set_state(request, queryset, Instrument.State.OPEN)

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
