"""Trading accounts and the ledger, as staff see them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.admin import NarrowedAdmin, ReadOnlyAdmin
from apps.wallets.adjustments import (
    admin as adjustments,  # noqa: F401  # Registers what staff correct.
)
from apps.wallets.liabilities import (
    admin as liabilities,  # noqa: F401  # Registers what treasury compares.
)
from apps.wallets.models import Balance, InternalTransfer, LedgerEntry, TradingAccount
from apps.wallets.presentation import amount_text, balance_json, entry_json
from apps.wallets.withdrawals import (
    admin as withdrawals,  # noqa: F401  # Registers what staff do to withdrawals.
)


@admin.register(TradingAccount)
class TradingAccountAdmin(ReadOnlyAdmin):
    """An account with what it has, and the way to its orders, fills and ledger."""

    list_display = ("id", "name", "kind", "owner", "trade_group", "created_at")
    list_filter = ("kind",)
    search_fields = ("owner__email", "public_id", "=id")
    search_help_text = "E-mail address of the owner, public id or number"
    list_select_related = ("owner",)
    fields = (
        "id", "public_id", "owner", "kind", "name", "trade_group", "created_at", "balances",
        "more",
    )  # fmt: skip
    readonly_fields = fields

    @admin.display(description="Balances")
    def balances(self, account: TradingAccount) -> SafeString:
        rows = Balance.objects.filter(account=account).select_related("asset").order_by("asset_id")
        cells = (
            (shown["asset"], shown["available"], shown["held"], shown["total"], shown["seq"])
            for shown in map(balance_json, rows)
        )
        body = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            cells,
        )
        return format_html(
            "<table><thead><tr><th>Asset</th><th>Available</th><th>Held</th><th>Total</th>"
            "<th>As of seq</th></tr></thead><tbody>{}</tbody></table>",
            body,
        )

    @admin.display(description="More")
    def more(self, account: TradingAccount) -> SafeString:
        lists = (
            ("admin:trades_order_changelist", "Orders"),
            ("admin:trades_fill_changelist", "Fills"),
            ("admin:trades_movement_changelist", "Positions"),
            ("admin:wallets_ledgerentry_changelist", "Ledger"),
        )
        links = [(reverse(name), "account__id__exact", account.id, words) for name, words in lists]
        if account.owner_id is not None:
            ask = reverse("admin:wallets_adjustment_add")
            links.append((ask, "account", account.id, "Ask for a correction"))
        return format_html_join(" · ", '<a href="{}?{}={}">{}</a>', links)


@admin.register(InternalTransfer)
class InternalTransferAdmin(ReadOnlyAdmin):
    """What people sent to each other here."""

    list_display = ("id", "at", "sender", "receiver", "amount", "state")
    list_filter = ("state", "asset")
    list_select_related = ("sender", "receiver", "asset")
    search_fields = ("sender__email", "receiver__email", "=public_id")
    search_help_text = "E-mail address of either side, or the transfer's id"
    fields = ("public_id", "at", "sender", "from_account", "receiver", "to_account", "amount",
              "state")  # fmt: skip
    readonly_fields = fields

    @admin.display(description="Amount")
    def amount(self, row: InternalTransfer) -> str:
        return f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(NarrowedAdmin):
    """The entries of one account: from its page, or by its number."""

    narrowed_by = ("account__id__exact", "q")

    list_display = ("id", "at", "account", "asset", "amount", "fee", "kind", "reference", "seq")
    list_filter = ("kind", "asset")
    search_fields = ("account__id",)
    search_help_text = "Number of a trading account"
    list_select_related = ("account", "asset")

    @admin.display(description="Amount")
    def amount(self, entry: LedgerEntry) -> str:
        return str(entry_json(entry)["amount"])

    @admin.display(description="Of it fee")
    def fee(self, entry: LedgerEntry) -> str:
        return str(entry_json(entry)["fee"])

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LedgerEntry], search_term: str
    ) -> tuple[QuerySet[LedgerEntry], bool]:
        return of_account(queryset, search_term), False


def of_account(rows: QuerySet[LedgerEntry], text: str) -> QuerySet[LedgerEntry]:
    """Return the rows of one account; anything but a number finds nothing, and costs nothing."""
    text = text.strip()
    if not text:
        return rows
    is_number = text.isascii() and text.isdigit() and len(text) <= 18
    return rows.filter(account_id=int(text)) if is_number else rows.none()
