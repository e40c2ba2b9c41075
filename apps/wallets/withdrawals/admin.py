"""What staff do to withdrawals: the queue, a page to decide on each, and the limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.timesince import timesince
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from apps.accounts.models import User
from apps.core import clock
from apps.core.admin import QueueFilter, ReadOnlyAdmin
from apps.core.audit import because
from apps.core.errors import DomainError
from apps.core.money import format_minor, parse_decimal
from apps.wallets.assets import asset_by_code
from apps.wallets.presentation import AssetUnits, amount_text
from apps.wallets.withdrawals import reviewing
from apps.wallets.withdrawals.desk import desk_of, worth_text
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalLimit
from apps.wallets.withdrawals.moving import REASON_LENGTH_MAX, SHOWN_STATES, State
from apps.wallets.worth import VALUE_ASSET

_DECISIONS: Final[dict[str, Callable[..., Withdrawal]]] = {
    "approve": reviewing.approve_withdrawal,
    "refuse": reviewing.refuse_withdrawal,
    "hold": reviewing.hold_withdrawal,
    "let_go_on": reviewing.let_go_on,
}


class ReasonForm(ActionForm):
    """What is decided is decided for a reason."""

    reason = forms.CharField(
        required=False, max_length=REASON_LENGTH_MAX,
        widget=UnfoldAdminTextInputWidget({"placeholder": "Why"}),
    )  # fmt: skip


class Standing(QueueFilter):
    waiting: ClassVar = (State.RISK_REVIEW, State.HELD)
    states: ClassVar = SHOWN_STATES


@admin.register(Withdrawal)
class WithdrawalAdmin(ReadOnlyAdmin):
    """The queue, longest waiting first. Each is decided on its own page; to stop is one click."""

    action_form = ReasonForm
    list_display = ("id", "waiting", "owner", "amount", "worth", "state", "reason", "agreed",
                    "address")  # fmt: skip
    list_filter = (Standing, "asset", "chain")
    search_fields = ("owner__email", "address", "txid", "=id")
    search_help_text = "E-mail address of the owner, address, transaction or number"
    list_select_related = ("owner", "asset")
    actions = ("hold",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Withdrawal]:
        rows: QuerySet[Withdrawal] = super().get_queryset(request)
        staff = Q(approvals__staff__is_active=True, approvals__staff__is_staff=True)
        return rows.exclude(code_sent_at=None).annotate(given=Count("approvals", filter=staff))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-id",) if request.GET.get(Standing.parameter_name) else ("id",)

    @admin.display(description="Asked for")
    def waiting(self, row: Withdrawal) -> str:
        return f"{timesince(row.requested_at, clock.now(), depth=1)} ago"

    @admin.display(description="Amount")
    def amount(self, row: Withdrawal) -> str:
        return f"{amount_text(row.amount_minor, row.asset)} {row.asset.code}"

    @admin.display(description="Worth")
    def worth(self, row: Withdrawal) -> str:
        return worth_text(row)

    @admin.display(description="Agreed")
    def agreed(self, row: Any) -> str:
        return f"{row.given} of {row.approvals_needed}" if row.approvals_needed else ""

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(reviewing.REVIEW)

    @admin.action(description="Hold: stop them where they are", permissions=["decide"])
    def hold(self, request: HttpRequest, queryset: QuerySet[Withdrawal]) -> None:
        for row in queryset:
            _decide(request, "hold", row.pk)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One withdrawal: where it stands, what speaks against it, and the decision."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if request.method == "POST":
            _decide(request, request.POST.get("act", ""), row.pk)
            return redirect(request.path)
        desk = desk_of(row, actor=cast(User, request.user), now=clock.now())
        context = {
            **self.admin_site.each_context(request),
            "title": f"Withdrawal {row.pk}",
            "row": row,
            "desk": desk,
            "amount": self.amount(row),
            "worth": worth_text(row),
            "waiting": self.waiting(row),
            "is_last": desk.missing == 1,
            "reason_max": REASON_LENGTH_MAX,
        }
        return render(request, "admin/wallets/withdrawal.html", context)


def _decide(request: HttpRequest, what: str, withdrawal_id: int) -> None:
    decide = _DECISIONS.get(what)
    if decide is None:
        raise PermissionDenied
    try:
        done = decide(
            actor=cast(User, request.user), withdrawal_id=withdrawal_id,
            reason=request.POST.get("reason", ""), now=clock.now(),
        )  # fmt: skip
    except DomainError as refusal:
        messages.error(request, f"Withdrawal {withdrawal_id}: {refusal.message}")
    else:
        words = done.get_state_display().lower()
        messages.success(request, f"Withdrawal {withdrawal_id} is now: {words}.")


class LimitForm(forms.ModelForm):
    """Amounts as decimals of the asset that they are in; who changes a limit says why."""

    day = forms.CharField(
        max_length=40, label="In 24 hours", widget=UnfoldAdminTextInputWidget,
        help_text=f"In the asset, or in {VALUE_ASSET} where none is chosen.",
    )  # fmt: skip
    month = forms.CharField(
        max_length=40, label="In a calendar month", widget=UnfoldAdminTextInputWidget
    )
    reason = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="The audit trail keeps it."
    )

    class Meta:
        model = WithdrawalLimit
        fields = ("tier", "person", "asset", "day", "month", "reason")

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        if self.instance.pk is not None:
            unit = _unit(self.instance.asset)
            self.initial["day"] = format_minor(self.instance.day_minor, unit.scale)
            self.initial["month"] = format_minor(self.instance.month_minor, unit.scale)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        unit = _unit(given.get("asset"))
        for name in ("day", "month"):
            if name not in given:
                continue
            try:
                minor = parse_decimal(given[name], unit.scale)
            except DomainError as refusal:
                self.add_error(name, refusal.message)
            else:
                setattr(self.instance, f"{name}_minor", minor)
        if (given.get("tier") is None) == (given.get("person") is None):
            self.add_error("tier", "Choose either a tier or a person.")
        return given


@admin.register(WithdrawalLimit)
class WithdrawalLimitAdmin(ModelAdmin):
    """Limits for a tier or a person that go before the house's."""

    form = LimitForm
    list_display = ("whose", "asset_code", "day", "month", "reason")
    list_select_related = ("person", "asset")
    fields = ("tier", "person", "asset", "day", "month", "reason")
    autocomplete_fields = ("person",)

    @admin.display(description="For")
    def whose(self, row: WithdrawalLimit) -> str:
        return f"Tier {row.tier}" if row.person is None else row.person.email

    @admin.display(description="Asset")
    def asset_code(self, row: WithdrawalLimit) -> str:
        return "any" if row.asset is None else row.asset.code

    @admin.display(description="In 24 hours")
    def day(self, row: WithdrawalLimit) -> str:
        return _limit_text(row, row.day_minor)

    @admin.display(description="In a month")
    def month(self, row: WithdrawalLimit) -> str:
        return _limit_text(row, row.month_minor)

    def save_model(
        self, request: HttpRequest, obj: WithdrawalLimit, form: LimitForm, change: bool
    ) -> None:
        with because(form.cleaned_data["reason"]):
            obj.save()


def _unit(asset: AssetUnits | None) -> AssetUnits:
    return asset_by_code(VALUE_ASSET) if asset is None else asset


def _limit_text(row: WithdrawalLimit, minor: int) -> str:
    unit = _unit(row.asset)
    return f"{amount_text(minor, unit)} {unit.code}"
