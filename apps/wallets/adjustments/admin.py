"""Corrections of balances: what waits, a page to ask for one, a page to decide on each."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Final, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from apps.accounts.models import User
from apps.core import clock
from apps.core.admin import QueueFilter, ReadOnlyAdmin
from apps.core.errors import DomainError, Unavailable
from apps.wallets.adjustments import actions
from apps.wallets.adjustments.models import Adjustment
from apps.wallets.adjustments.rules import CATEGORIES, HOUSE_NAMES, legs_of
from apps.wallets.assets import all_assets
from apps.wallets.models import Balance, TradingAccount
from apps.wallets.presentation import amount_text

_FIELDS: Final = ("account", "category", "asset", "amount", "reason", "case", "key")
_State: Final = Adjustment.State


class Standing(QueueFilter):
    waiting: ClassVar = (_State.REQUESTED, _State.APPROVED)
    states: ClassVar = list(_State.choices)


@admin.register(Adjustment)
class AdjustmentAdmin(ReadOnlyAdmin):
    list_display = ("id", "requested_at", "owner", "change", "category", "case", "requested_by",
                    "state", "decided_by")  # fmt: skip
    list_filter = (Standing, "category", "asset")
    list_select_related = ("account__owner", "asset", "requested_by", "decided_by")
    search_fields = ("account__owner__email", "case", "=account__id", "=id")
    search_help_text = "E-mail address of the owner, number of the account, or the case"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(actions.MAY_ASK)

    @admin.display(description="Whose")
    def owner(self, row: Adjustment) -> str:
        owner = row.account.owner
        return "" if owner is None else f"{owner.email} ({row.account_id})"

    @admin.display(description="Change")
    def change(self, row: Adjustment) -> str:
        sign = "+" if CATEGORIES[row.category].gives else "-"
        return f"{sign}{amount_text(row.amount_minor, row.asset)} {row.asset.code}"

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for one. Nothing moves before somebody else has agreed."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        given = request.POST if request.method == "POST" else request.GET
        typed = {name: given.get(name, "").strip()[:300] for name in _FIELDS}
        if request.method == "POST":
            try:
                row = _ask(cast(User, request.user), typed)
            except DomainError as refusal:
                messages.error(request, refusal.message)
            else:
                messages.success(request, "Asked for. Somebody else has to agree to it.")
                return redirect("admin:wallets_adjustment_change", row.pk)
        number = typed["account"]
        account = _account(number)
        context = {
            **self.admin_site.each_context(request),
            "title": "Ask for a correction",
            "typed": {**typed, "key": typed["key"] or uuid.uuid4().hex},
            "account": account,
            "balances": [] if account is None else _balances(account.id),
            "categories": CATEGORIES,
            "assets": all_assets(),
            "reason_max": actions.REASON_LENGTH_MAX,
            "case_max": actions.CASE_LENGTH_MAX,
        }
        return render(request, "admin/wallets/adjustment_new.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One request: what would move, who wants it and why, and the decision."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows = Adjustment.objects.select_related(*self.list_select_related)
        row = rows.filter(pk=_number(object_id)).first()
        if row is None:
            raise Http404
        actor = cast(User, request.user)
        if request.method == "POST":
            self._decide(request, actor, row)
            return redirect(request.path)
        waits = row.state == _State.REQUESTED and actor.has_perm(actions.MAY_DECIDE)
        own = actor.pk == row.account.owner_id
        context = {
            **self.admin_site.each_context(request),
            "title": f"Correction {row.pk}",
            "row": row,
            "category": CATEGORIES[row.category],
            "legs": _legs(row),
            "may_approve": waits and not own and actor.pk != row.requested_by_id,
            "may_refuse": waits and not own,
            "is_asker": actor.pk == row.requested_by_id,
            "is_old": row.expires_at <= clock.now(),
            "reason_max": actions.REASON_LENGTH_MAX,
        }
        return render(request, "admin/wallets/adjustment.html", context)

    def _decide(self, request: HttpRequest, actor: User, row: Adjustment) -> None:
        decide = (
            actions.approve_adjustment
            if request.POST.get("act") == "approve"
            else actions.refuse_adjustment
        )
        try:
            done = decide(
                actor=actor, adjustment_id=row.pk, reason=request.POST.get("reason", ""),
                now=clock.now(),
            )  # fmt: skip
        except Unavailable as failure:
            row.refresh_from_db()
            if row.state == _State.APPROVED:
                messages.warning(
                    request, "Agreed to. The engine has not answered yet: it goes on by itself."
                )
            else:
                messages.error(request, failure.message)
        except DomainError as refusal:
            messages.error(request, refusal.message)
        else:
            tell = messages.error if done.state == _State.FAILED else messages.success
            tell(request, f"{done.get_state_display()}.")


def _ask(actor: User, typed: dict[str, str]) -> Adjustment:
    return actions.request_adjustment(
        actor=actor, account_id=_number(typed["account"]), category=typed["category"],
        asset=typed["asset"], amount=typed["amount"], reason=typed["reason"], case=typed["case"],
        effect_id=f"staff:{actor.pk}:{typed['key'][:32]}" if typed["key"] else "",
        now=clock.now(),
    )  # fmt: skip


def _account(text: str) -> TradingAccount | None:
    rows = TradingAccount.objects.select_related("owner")
    return rows.filter(pk=_number(text), owner__isnull=False).first()


def _balances(account_id: int) -> list[dict[str, str]]:
    rows = Balance.objects.filter(account_id=account_id).select_related("asset")
    return [
        {
            "asset": row.asset.code,
            "available": amount_text(row.available_minor, row.asset),
            "held": amount_text(row.held_minor, row.asset),
        }
        for row in rows.order_by("asset_id")
    ]


def _legs(row: Adjustment) -> list[dict[str, Any]]:
    """What moves, and what each side has of it now."""
    legs = legs_of(
        row.category, account_id=row.account_id, asset_id=row.asset_id,
        amount_minor=row.amount_minor,
    )  # fmt: skip
    has = dict(
        Balance.objects.filter(
            account_id__in=[leg.account_id for leg in legs], asset_id=row.asset_id
        ).values_list("account_id", "available_minor")
    )
    return [
        {
            "account_id": leg.account_id,
            "name": HOUSE_NAMES.get(leg.account_id) or row.account.owner,
            "amount": amount_text(leg.amount_minor, row.asset),
            "available": amount_text(has.get(leg.account_id, 0), row.asset),
        }
        for leg in legs
    ]


def _number(text: str) -> int:
    """Return the number in an address or a field; what is none names no row."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0
