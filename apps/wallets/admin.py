"""Trading accounts and the ledger, as staff see them."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.admin import ReadOnlyAdmin
from apps.wallets.adjustments.admin import AdjustmentAdmin as AdjustmentAdmin
from apps.wallets.custody.admin import ChainVaultAdmin as ChainVaultAdmin
from apps.wallets.deposits.admin import ChainDepositAdmin as ChainDepositAdmin
from apps.wallets.explorer.admin import LedgerEntryAdmin as LedgerEntryAdmin
from apps.wallets.holds import WORDS, holds_of_account
from apps.wallets.liabilities.admin import LiabilityTreeAdmin as LiabilityTreeAdmin
from apps.wallets.models import Balance, InternalTransfer, TradingAccount
from apps.wallets.presentation import amount_text, balance_json
from apps.wallets.withdrawals.admin import WithdrawalAdmin as WithdrawalAdmin

_TABLE = '<div class="staff"><table><tbody>{}</tbody></table></div>'


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
        "holds", "more",
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
            '<div class="staff"><table><thead><tr><th>Asset</th><th>Available</th><th>Held</th>'
            "<th>Total</th><th>As of seq</th></tr></thead><tbody>{}</tbody></table></div>",
            body,
        )

    @admin.display(description="Why something is held")
    def holds(self, account: TradingAccount) -> SafeString | str:
        cells = [
            (
                each.asset.code,
                WORDS[part.reason] + ("" if part.inside else ", aside of what is held"),
                part.count,
                amount_text(part.amount_minor, each.asset),
            )
            for each in holds_of_account(account.id)
            for part in each.parts
        ]
        body = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", cells)
        return format_html(_TABLE, body) if cells else "Nothing is held"

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
