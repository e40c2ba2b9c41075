"""What treasury reads every morning: whether chains and ledger agree, and what is owed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core.admin import ReadOnlyAdmin
from apps.core.money import format_minor
from apps.wallets.liabilities.models import LiabilityTree, Reconciliation
from apps.wallets.presentation import AssetUnits


class Agreement(admin.SimpleListFilter):
    title = "agreement"
    parameter_name = "agreement"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("differs", "They differ"), ("agrees", "They agree")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Reconciliation]
    ) -> QuerySet[Reconciliation]:
        if self.value() == "differs":
            return queryset.exclude(problem="")
        return queryset.filter(problem="") if self.value() == "agrees" else queryset


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyAdmin):
    """One line per asset and night. A difference is an alarm, and says how much of what."""

    list_display = ("made_at", "asset", "verdict", "came", "credited", "left", "settled",
                    "by_hand", "owed")  # fmt: skip
    list_filter = (Agreement, "asset")
    list_select_related = ("asset",)
    date_hierarchy = "made_at"
    fields = list_display
    readonly_fields = fields

    @admin.display(description="Verdict")
    def verdict(self, row: Reconciliation) -> SafeString | str:
        if not row.problem:
            return "They agree"
        # The amounts in it are minor units, as the log has them.
        return format_html("<strong>They differ: {}</strong>", row.problem)

    @admin.display(description="Came by chain")
    def came(self, row: Reconciliation) -> str:
        return _text(row.chain_in_minor, row.asset)

    @admin.display(description="Of it credited")
    def credited(self, row: Reconciliation) -> str:
        return _text(row.credited_minor, row.asset)

    @admin.display(description="Left by chain")
    def left(self, row: Reconciliation) -> str:
        return _text(row.chain_out_minor, row.asset)

    @admin.display(description="Withdrawals settled")
    def settled(self, row: Reconciliation) -> str:
        return _text(row.settled_minor, row.asset)

    @admin.display(description="Without a chain")
    def by_hand(self, row: Reconciliation) -> str:
        return _text(row.by_hand_minor, row.asset)

    @admin.display(description="On all accounts")
    def owed(self, row: Reconciliation) -> str:
        return _text(row.owed_minor, row.asset)


@admin.register(LiabilityTree)
class LiabilityTreeAdmin(ReadOnlyAdmin):
    """What was published of what people are owed: the same as on the page for everybody."""

    list_display = ("made_at", "asset", "total", "leaves", "root")
    list_filter = ("asset",)
    list_select_related = ("asset",)
    fields = list_display
    readonly_fields = fields

    @admin.display(description="Owed to people")
    def total(self, row: LiabilityTree) -> str:
        return _text(row.total_minor, row.asset)


def _text(minor: Decimal, asset: AssetUnits) -> str:
    return format_minor(int(minor), asset.scale, min_decimals=asset.display_decimals)
