"""What staff do to withdrawals, and what they look at first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.accounts.models import User
from apps.core import clock
from apps.core.admin import ReadOnlyAdmin
from apps.core.errors import DomainError
from apps.core.money import parse_positive
from apps.wallets.assets import asset_by_code
from apps.wallets.custody import simulated
from apps.wallets.custody.interface import get_custody, is_simulated
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.models import ChainVault
from apps.wallets.presentation import amount_text
from apps.wallets.withdrawals import reviewing
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalLimit
from apps.wallets.worth import VALUE_ASSET


class ReasonForm(ActionForm):
    """What is decided is decided for a reason."""

    reason = forms.CharField(
        required=False, max_length=200, widget=UnfoldAdminTextInputWidget({"placeholder": "Why"})
    )


class AmountForm(ActionForm):
    """How much is moved."""

    amount = forms.CharField(
        required=False, max_length=40, widget=UnfoldAdminTextInputWidget({"placeholder": "Amount"})
    )


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    """The queue: filter by state. Two have to agree to a large one, and nobody to his own."""

    action_form = ReasonForm
    list_display = (
        "id", "requested_at", "owner", "amount", "worth", "state", "reason", "agreed", "address",
    )  # fmt: skip
    list_filter = ("state", "asset", "chain")
    search_fields = ("owner__email", "address", "txid", "=id")
    search_help_text = "E-mail address of the owner, address, transaction or number"
    list_select_related = ("owner", "asset")
    fields = (
        "public_id", "owner", "account", "amount", "worth", "chain", "address", "in_book", "state",
        "ends_as", "reason", "agreed", "history", "txid", "confirmations", "short_since",
        "requested_at", "approved_at", "marked_at", "ended_at",
    )  # fmt: skip
    readonly_fields = fields
    actions = ("approve", "refuse", "hold", "let_go_on")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Withdrawal]:
        rows: QuerySet[Withdrawal] = super().get_queryset(request)
        shown = rows.exclude(code_sent_at=None)
        return shown.annotate(given=Count("approvals")).order_by("-id")

    @admin.display(description="Amount")
    def amount(self, row: Withdrawal) -> str:
        return f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"

    @admin.display(description="Worth")
    def worth(self, row: Withdrawal) -> str:
        if row.worth_minor is None:
            return "no price"
        value = asset_by_code(VALUE_ASSET)
        return f"{amount_text(row.worth_minor, value)} {value.code}"

    @admin.display(description="Agreed")
    def agreed(self, row: Any) -> str:
        return f"{row.given} of {row.approvals_needed}" if row.approvals_needed else ""

    @admin.display(description="History")
    def history(self, row: Withdrawal) -> SafeString:
        steps = row.steps.select_related("actor")
        agreed = row.approvals.select_related("staff")
        lines = [(step.at, step.state, step.actor or "", step.reason) for step in steps]
        lines += [(each.at, "agreed", each.staff, each.reason) for each in agreed]
        lines.sort(key=lambda line: line[0])
        cells = ((f"{at:%Y-%m-%d %H:%M:%S}", *rest) for at, *rest in lines)
        body = format_html_join("", "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>", cells)
        return format_html("<table><tbody>{}</tbody></table>", body)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(reviewing.REVIEW)

    @admin.action(description="Agree", permissions=["decide"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        self._decide(request, queryset, reviewing.approve_withdrawal)

    @admin.action(description="Refuse: the money goes back", permissions=["decide"])
    def refuse(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        self._decide(request, queryset, reviewing.refuse_withdrawal)

    @admin.action(description="Hold", permissions=["decide"])
    def hold(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        self._decide(request, queryset, reviewing.hold_withdrawal)

    @admin.action(description="Let a held one go on to review", permissions=["decide"])
    def let_go_on(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        self._decide(request, queryset, reviewing.let_go_on)

    def _decide(
        self,
        request: HttpRequest,
        queryset: QuerySet[Withdrawal],
        action: Callable[..., Withdrawal],
    ) -> None:
        reason = request.POST.get("reason", "")
        for row in queryset:
            try:
                done = action(
                    actor=cast(User, request.user), withdrawal_id=row.pk, reason=reason,
                    now=clock.now(),
                )  # fmt: skip
            except DomainError as refusal:
                messages.error(request, f"Withdrawal {row.pk}: {refusal.message}")
            else:
                messages.success(request, f"Withdrawal {row.pk} is {done.get_state_display()}.")


@admin.register(WithdrawalLimit)
class WithdrawalLimitAdmin(ModelAdmin):
    """Limits for a tier or a person that go before the house's."""

    list_display = ("tier", "person", "asset", "day_minor", "month_minor", "reason")
    fields = list_display
    autocomplete_fields = ("person",)


@admin.register(ChainDeposit)
class ChainDepositAdmin(ReadOnlyAdmin):
    """What has come in over the chains. One with a problem waits for people."""

    list_display = (
        "id", "seen_at", "account", "amount", "state", "confirmations", "problem", "txid",
        "output_index",
    )  # fmt: skip
    list_filter = ("state", "chain", "problem")
    search_fields = ("txid", "address", "account__owner__email")
    list_select_related = ("account", "asset")

    @admin.display(description="Amount")
    def amount(self, row: ChainDeposit) -> str:
        return f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"


@admin.register(ChainVault)
class ChainVaultAdmin(ReadOnlyAdmin):
    """The simulated hot wallet. What can leave is what was put in, came in, and has not left."""

    action_form = AmountForm
    list_display = ("asset", "chain", "spendable")
    actions = ("fill_up",)

    @admin.display(description="Can leave now")
    def spendable(self, row: ChainVault) -> str:
        minor = get_custody().spendable_minor(chain=row.chain, asset=row.asset)
        return amount_text(minor, asset_by_code(row.asset))

    def has_fill_permission(self, request: HttpRequest) -> bool:
        return is_simulated() and request.user.has_perm("wallets.change_chainvault")

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
