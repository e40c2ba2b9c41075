"""Orders, fills and movements of positions, as staff see them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from apps.core import clock
from apps.core.admin import NarrowedAdmin
from apps.core.money import format_minor
from apps.trades.models import Fill, Movement, Order
from apps.trades.presentation import fill_json, order_json
from apps.trades.risk.admin import RestrictionAdmin  # noqa: F401  # Admins are looked for here.

RECENT: Final = timedelta(hours=1)
VALUE_SCALE: Final = 8


@admin.register(Order)
class OrderAdmin(NarrowedAdmin):
    """The orders of one account, one order by its number, or everybody's of the last hour."""

    narrowed_by = ("account__id__exact", "q")
    list_display = ("id", "created_at", "account", "instrument", "side_word", "type_word",
                    "quantity", "price", "filled", "status", "reason")  # fmt: skip
    list_filter = ("status", "instrument")
    search_fields = ("=id",)
    search_help_text = "Number of an order"
    list_select_related = ("account", "instrument__base", "instrument__quote")

    @admin.display(description="Side")
    def side_word(self, order: Order) -> str:
        return str(order_json(order)["side"])

    @admin.display(description="Type")
    def type_word(self, order: Order) -> str:
        return str(order_json(order)["type"])

    @admin.display(description="Quantity", empty_value="by value")
    def quantity(self, order: Order) -> Any:
        return order_json(order)["quantity"]

    @admin.display(description="Price", empty_value="market")
    def price(self, order: Order) -> Any:
        return order_json(order)["price"]

    @admin.display(description="Filled")
    def filled(self, order: Order) -> str:
        return str(order_json(order)["filled_quantity"])

    def without_narrowing(self, rows: QuerySet[Order]) -> QuerySet[Order]:
        return rows.filter(created_at__gte=clock.now() - RECENT)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        is_number = text.isascii() and text.isdigit() and len(text) <= 18
        return queryset.filter(id=int(text)) if is_number else queryset.none(), False


@admin.register(Fill)
class FillAdmin(NarrowedAdmin):
    """The fills of one account: from its page."""

    list_display = ("id", "at", "account", "order_id", "instrument", "side_word", "role", "price",
                    "quantity", "fee")  # fmt: skip
    list_filter = ("instrument", "is_maker")
    list_select_related = ("account", "instrument__base", "instrument__quote")

    @admin.display(description="Side")
    def side_word(self, fill: Fill) -> str:
        return str(fill_json(fill)["side"])

    @admin.display(description="Role")
    def role(self, fill: Fill) -> str:
        return str(fill_json(fill)["role"])

    @admin.display(description="Price")
    def price(self, fill: Fill) -> str:
        return str(fill_json(fill)["price"])

    @admin.display(description="Quantity")
    def quantity(self, fill: Fill) -> str:
        return str(fill_json(fill)["quantity"])

    @admin.display(description="Fee")
    def fee(self, fill: Fill) -> str:
        return str(fill_json(fill)["fee"])


@admin.register(Movement)
class MovementAdmin(NarrowedAdmin):
    """The movements of one account's positions, each with the position after it."""

    list_display = ("id", "at", "account", "asset", "kind", "change", "quantity", "cost",
                    "realised", "fees")  # fmt: skip
    list_filter = ("asset", "kind")
    list_select_related = ("account", "asset")

    @admin.display(description="Change")
    def change(self, movement: Movement) -> str:
        return format_minor(movement.change_minor, movement.asset.scale)

    @admin.display(description="Quantity")
    def quantity(self, movement: Movement) -> str:
        return format_minor(movement.quantity_minor, movement.asset.scale)

    @admin.display(description="Cost")
    def cost(self, movement: Movement) -> str:
        return format_minor(movement.cost_minor, VALUE_SCALE)

    @admin.display(description="Realised")
    def realised(self, movement: Movement) -> str:
        return format_minor(movement.realised_minor, VALUE_SCALE)

    @admin.display(description="Fees")
    def fees(self, movement: Movement) -> str:
        return format_minor(movement.fees_minor, VALUE_SCALE)
