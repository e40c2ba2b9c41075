"""The simulated hot wallet, as treasury sees it."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.core.admin import ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.core.money import parse_positive
from apps.wallets.assets import asset_by_code
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import get_custody, is_simulated
from apps.wallets.custody.models import ChainVault
from apps.wallets.presentation import amount_text
from apps.wallets.withdrawals.models import Withdrawal

MAY_FILL = "wallets.change_chainvault"


class AmountForm(ActionForm):
    """How much is moved."""

    amount = forms.CharField(
        required=False, max_length=40, widget=UnfoldAdminTextInputWidget({"placeholder": "Amount"})
    )


@admin.register(ChainVault)
class ChainVaultAdmin(ReadOnlyAdmin):
    """What can leave is what was put in, came in, and has not left."""

    action_form = AmountForm
    list_display = ("asset", "chain", "spendable", "waits")
    list_display_links = None
    actions = ("fill_up",)

    @admin.display(description="Can leave now")
    def spendable(self, row: ChainVault) -> str:
        minor = get_custody().spendable_minor(chain=row.chain, asset=row.asset)
        return amount_text(minor, asset_by_code(row.asset))

    @admin.display(description="Agreed to, and not sent yet")
    def waits(self, row: ChainVault) -> str:
        open_ones = Withdrawal.objects.filter(
            chain=row.chain, asset__code=row.asset, state=Withdrawal.State.APPROVED
        )
        minor = open_ones.aggregate(total=Sum("amount_minor"))["total"] or 0
        return amount_text(minor, asset_by_code(row.asset))

    def has_fill_permission(self, request: HttpRequest) -> bool:
        return is_simulated() and request.user.has_perm(MAY_FILL)

    @admin.action(description="Fill up from the cold store", permissions=["fill"])
    def fill_up(self, request: HttpRequest, queryset: QuerySet[ChainVault]) -> None:
        for row in queryset:
            try:
                scale = asset_by_code(row.asset).scale
                amount_minor = parse_positive(request.POST.get("amount", ""), scale)
                simulated.fill_hot_wallet(asset=row.asset, amount_minor=amount_minor)
            except DomainError as refusal:
                messages.error(request, f"{row.asset}: {refusal.message}")
            else:
                messages.success(request, f"{row.asset} is filled up.")
