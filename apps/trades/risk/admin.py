"""Staff's pages of risk: the venue at a glance, one account's limits, and the kill switches.

They look by queries and act by actions, like every face. What was done, by whom and why, is in the
admin's own history and, of accounts, in the rows of their restrictions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, path

from apps.accounts.models import User
from apps.core import clock
from apps.core.admin import ReadOnlyAdmin
from apps.core.errors import DomainError, Invalid
from apps.markets.actions import kill_market
from apps.markets.models import Instrument
from apps.matching.actions import set_venue
from apps.trades import drift
from apps.trades.risk.actions import (
    REASON_LENGTH_MAX,
    lift_restriction,
    restrict_account,
    set_house_limits,
)
from apps.trades.risk.entry import limits_typed, texts_of
from apps.trades.risk.models import Restriction
from apps.trades.risk.presentation import limits_of_json, losses_json, standing_json
from apps.trades.risk.queries import limits_as_set, losses_as_measured, standing_as_decided
from apps.trades.risk.rules import OUTSIDE_NAMES
from apps.trades.surveillance import open_orders_of, overview
from apps.wallets.models import TradingAccount

VENUE: Final = "VENUE"
MAY_KILL: Final = "markets.change_instrument"
MAY_RESTRICT: Final = "trades.change_restriction"
MAY_LIMIT: Final = "trades.change_risklimits"


@admin.register(Restriction)
class RestrictionAdmin(ReadOnlyAdmin):
    """Every restriction there was, newest first; the pages beside it act."""

    list_display = ("id", "account", "cause", "state", "own_limit", "since", "until", "lifted_at",
                    "lifted_by", "lift_reason")  # fmt: skip
    list_filter = ("cause", "state", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("account", "lifted_by")
    search_fields = ("=account__id",)
    search_help_text = "Number of a trading account"
    change_list_template = "admin/trades/restriction_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("overview/", view(self.overview), name="trades_overview"),
            path("account/<int:account_id>/", view(self.account), name="trades_risk_account"),
            path("kill/<str:target>/", view(self.kill), name="trades_kill"),
            *super().get_urls(),
        ]

    def overview(self, request: HttpRequest) -> HttpResponse:
        """Open interest, largest orders, markets and senders; read-only."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": "The venue at a glance",
            "now": overview(now=clock.now()),
            "checked": drift.last_check(),
            "may_kill": request.user.has_perm(MAY_KILL),
            "venue": VENUE,
        }
        return render(request, "admin/trades/overview.html", context)

    def account(self, request: HttpRequest, account_id: int) -> HttpResponse:
        """One account: its limits and standing, and what staff can do about them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = get_object_or_404(
            TradingAccount.objects.select_related("owner"), id=account_id, owner__isnull=False
        )
        typed = None
        if request.method == "POST":
            if self._act(request, account):
                return redirect("admin:trades_risk_account", account_id)
            typed = texts_of(request.POST)
        return render(request, "admin/trades/risk_account.html", self._account(request, account,
                      typed))  # fmt: skip

    def _account(
        self, request: HttpRequest, account: TradingAccount, typed: dict[str, str] | None
    ) -> dict[str, Any]:
        found = cast("dict[str, dict[str, Any]]", limits_of_json(limits_as_set(account.id)))
        losses = losses_as_measured(account.id, now=clock.now())
        return {
            **self.admin_site.each_context(request),
            "title": f"Risk of account {account.id}",
            "account": account,
            "rows": [
                {
                    "name": name,
                    "label": name.replace("_", " ").capitalize(),
                    "house": typed[name] if typed else found["house"][name],
                    "own": found["own"][name],
                    "effective": found["effective"][name],
                }
                for name in OUTSIDE_NAMES.values()
            ],
            "later": found["later"],
            "standing": standing_json(standing_as_decided(account.id)),
            "losses": None if losses is None else losses_json(losses),
            "may_limit": request.user.has_perm(MAY_LIMIT),
            "may_restrict": request.user.has_perm(MAY_RESTRICT),
        }

    def _act(self, request: HttpRequest, account: TradingAccount) -> bool:
        """Carry out what a form of the account's page asks for; False shows it again."""
        acts: dict[str, tuple[str, Callable[[HttpRequest, TradingAccount], str]]] = {
            "limits": (MAY_LIMIT, _set_limits),
            "restrict": (MAY_RESTRICT, _restrict),
            "lift": (MAY_RESTRICT, _lift),
        }
        found = acts.get(request.POST.get("act", ""))
        if found is None:
            raise PermissionDenied
        permission, act = found
        if not request.user.has_perm(permission):
            raise PermissionDenied
        try:
            words = act(request, account)
        except DomainError as error:
            messages.error(request, error.message)
            return False
        _note(request, account, words)
        messages.success(request, words)
        return True

    def kill(self, request: HttpRequest, target: str) -> HttpResponse:
        """The kill switch of a market or the venue: its name has to be typed, and why."""
        if not request.user.has_perm(MAY_KILL):
            raise PermissionDenied
        instrument = None
        if target != VENUE:
            instrument = get_object_or_404(Instrument, symbol=target)
        if request.method == "POST":
            try:
                words = _kill(request, instrument, target)
            except DomainError as error:
                messages.error(request, error.message)
            else:
                _note(request, instrument, words)
                messages.success(request, words)
                return redirect("admin:trades_overview")
        context = {
            **self.admin_site.each_context(request),
            "title": f"Stop {target}",
            "target": target,
            "orders": open_orders_of(market_id=instrument.id if instrument else None),
            "reason_max": REASON_LENGTH_MAX,
        }
        return render(request, "admin/trades/kill.html", context)


def _kill(request: HttpRequest, instrument: Instrument | None, target: str) -> str:
    reason = request.POST.get("reason", "").strip()
    if request.POST.get("confirm") != target:
        raise Invalid("not_confirmed", f"Type {target} to confirm. Nothing has changed.")
    if not 1 <= len(reason) <= REASON_LENGTH_MAX:
        raise Invalid("reason_required", "Say why: it is kept. Nothing has changed.")
    if instrument is None:
        seq = set_venue(state="cancel_only", cancel_all=True)
    else:
        seq = kill_market(actor=_person(request), instrument=instrument, reason=reason)
    return f"{target} takes only cancellations and has no orders since seq {seq}: {reason}"


def _set_limits(request: HttpRequest, account: TradingAccount) -> str:
    wanted = limits_typed(request.POST)
    set_house_limits(actor=_person(request), account=account, wanted=wanted, now=clock.now())
    return f"The limits of account {account.id} are set."


def _restrict(request: HttpRequest, account: TradingAccount) -> str:
    states = {"reduce_only": Restriction.State.REDUCE_ONLY, "blocked": Restriction.State.BLOCKED}
    state = states.get(request.POST.get("state", ""))
    if state is None or request.POST.get("confirm") != str(account.id):
        raise Invalid("not_confirmed", f"Type {account.id} to confirm. Nothing has changed.")
    reason = request.POST.get("reason", "").strip()
    restrict_account(
        actor=_person(request), account=account, state=state, reason=reason, now=clock.now()
    )
    return f"Account {account.id}: {state.label}, {reason}"


def _lift(request: HttpRequest, account: TradingAccount) -> str:
    number = request.POST.get("restriction", "")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise Invalid("unknown_restriction", "There is no such restriction.")
    restriction = get_object_or_404(Restriction, id=int(number), account=account)
    reason = request.POST.get("reason", "").strip()
    lift_restriction(
        actor=_person(request), restriction=restriction, reason=reason, now=clock.now()
    )
    return f"Lifted from account {account.id} ({restriction.cause}): {reason}"


def _note(request: HttpRequest, about: Model | None, words: str) -> None:
    kind = None if about is None else ContentType.objects.get_for_model(about)
    LogEntry.objects.create(
        user=_person(request), content_type=kind, object_id=VENUE if about is None else about.pk,
        object_repr=VENUE if about is None else str(about)[:200], action_flag=CHANGE,
        change_message=words,
    )  # fmt: skip


def _person(request: HttpRequest) -> User:
    return cast(User, request.user)
