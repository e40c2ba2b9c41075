"""What has come in over the chains, as staff see it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from apps.core.admin import ReadOnlyAdmin
from apps.wallets.custody.interface import network_by_name
from apps.wallets.deposits.actions import reference_of
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.presentation import amount_text


class Trouble(admin.SimpleListFilter):
    title = "trouble"
    parameter_name = "trouble"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Waits for people"), ("no", "Goes by itself")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ChainDeposit]
    ) -> QuerySet[ChainDeposit]:
        if self.value() == "yes":
            return queryset.exclude(problem="")
        return queryset.filter(problem="") if self.value() == "no" else queryset


@admin.register(ChainDeposit)
class ChainDepositAdmin(ReadOnlyAdmin):
    """One output that pays an address of ours. One with a problem waits for people."""

    list_display = ("id", "seen_at", "account", "amount", "state", "progress", "trouble", "txid")
    list_filter = ("state", Trouble, "chain")
    search_fields = ("txid", "address", "account__owner__email")
    search_help_text = "Transaction, address, or e-mail address of the owner"
    list_select_related = ("account", "asset")
    fields = ("account", "amount", "chain", "address", "txid", "output_index", "state", "progress",
              "trouble", "seen_at", "credited_at", "ledger")  # fmt: skip
    readonly_fields = fields

    @admin.display(description="Amount")
    def amount(self, row: ChainDeposit) -> str:
        return f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"

    @admin.display(description="Confirmations")
    def progress(self, row: ChainDeposit) -> str:
        needed = network_by_name(row.chain).confirmations
        return f"{min(row.confirmations, needed)} of {needed}"

    @admin.display(description="Trouble")
    def trouble(self, row: ChainDeposit) -> str:
        if row.problem == "gone":
            return "It was credited and has left its chain: ask for a correction"
        return f"It cannot be credited: {row.problem}" if row.problem else ""

    @admin.display(description="In the ledger")
    def ledger(self, row: ChainDeposit) -> SafeString | str:
        if row.credited_at is None:
            return "Not yet"
        which = urlencode({"reference": reference_of(row.chain, row.txid, row.output_index)})
        page = reverse("admin:wallets_ledgerentry_changelist")
        return format_html('<a href="{}?{}">Its movement</a>', page, which)
