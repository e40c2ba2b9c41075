"""Transfers on the site: to somebody else, between one's own accounts, and what took place."""

from __future__ import annotations

import uuid
from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts import step_up
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, NotFound, TooMany, Unavailable
from apps.core.money import parse_positive
from apps.core.web import describe
from apps.wallets import queries
from apps.wallets.actions import ACCOUNT_NAME_LENGTH_MAX, SUB_ACCOUNTS_MAX, open_sub_account
from apps.wallets.assets import all_assets, asset_by_code
from apps.wallets.presentation import amount_text
from apps.wallets.transfers.actions import move_between_own, send_to_person
from apps.wallets.transfers.presentation import transfer_json
from apps.wallets.transfers.queries import transfers_page
from apps.wallets.welcome import account_of
from apps.wallets.withdrawals.actions import check_may_withdraw

SHOWN: Final = 20
_FIELDS: Final = ("to", "to_account", "account", "asset", "amount")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def transfers(request: HttpRequest) -> HttpResponse:
    """The forms and the list; what goes to somebody else is shown once more before it goes."""
    viewer, problem, review = cast(User, request.user), None, None
    if request.method == "POST":
        try:
            review = _review(request) if request.POST.get("do") == "review" else None
            if review is None:
                _send(request, viewer)
                return redirect("wallets:transfers")
        except (Unavailable, TooMany):
            raise
        except DomainError as refusal:
            if refusal.code == "step_up_required":
                # Whoever has to prove who he is is asked to by the frame of the site.
                raise
            problem = refusal
    context = _page(request, viewer) | {
        "problem": problem,
        "field": None if problem is None else problem.data.get("field"),
        "typed": request.POST,
        "review": review,
        # Each form is one transfer, however often it is sent.
        "key": uuid.uuid4(),
    }
    status = 200 if problem is None else describe(problem).status
    return render(request, "wallets/transfers.html", context, status=status)


@require_POST
@login_required
def open_account(request: HttpRequest) -> HttpResponse:
    """Open a further trading account."""
    try:
        made = open_sub_account(
            actor=cast(User, request.user), name=request.POST.get("name", "")[:100],
            now=clock.now(),
        )  # fmt: skip
    except Unavailable:
        raise
    except DomainError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{made.name} is open. Move something into it.")
    return redirect("wallets:transfers")


def _review(request: HttpRequest) -> dict[str, str]:
    """Return what is about to be sent, as far as it can be sent at all."""
    given = {name: request.POST.get(name, "").strip() for name in _FIELDS}
    asset = asset_by_code(given["asset"])
    amount_minor = parse_positive(given["amount"], asset.scale)
    return given | {"asset": asset.code, "shown": amount_text(amount_minor, asset)}


def _send(request: HttpRequest, viewer: User) -> None:
    given, now = request.POST, clock.now()
    key = given.get("key", "")[:36]
    asked: dict[str, Any] = {
        "actor": viewer, "asset": given.get("asset", ""), "now": now,
        "amount": given.get("amount", "").strip(), "account": given.get("account") or None,
        "effect_id": f"site:{viewer.pk}:{key}" if key else "",
    }  # fmt: skip
    if given.get("do") == "send":
        made = send_to_person(
            **asked, to=given.get("to", "").strip()[:254], proved_at=step_up.proved_at(request)
        )
        whom = made.written_to
    elif given.get("do") == "move":
        made = move_between_own(**asked, to_account=given.get("to_account", "-") or "-")
        whom = made.to_account.name
    else:
        raise NotFound("not_found", "There is nothing here.")
    amount = amount_text(made.amount_minor, made.asset)
    messages.success(request, f"{amount} {made.asset.code} went to {whom}.")


def _page(request: HttpRequest, viewer: User) -> dict[str, Any]:
    main = account_of(viewer=viewer)
    accounts = queries.accounts_of(viewer=viewer)
    names = {str(each.public_id): each.name for each in accounts}
    page = transfers_page(viewer=viewer, before=request.GET.get("before"), limit=SHOWN)
    rows = [transfer_json(row, viewer) for row in page.items]
    for row in rows:
        row["account_name"] = names.get(str(row["account"]), "")
        row["to_name"] = names.get(str(row["to_account"]), "")
    return {
        "accounts": accounts,
        "main": main,
        "funds": _funds(viewer, accounts),
        "assets": list(all_assets().values()),
        "rows": rows,
        "next": page.next,
        "first": "before" not in request.GET,
        "fresh": step_up.is_fresh(step_up.proved_at(request), now=clock.now()),
        "barred": _why_barred(viewer),
        "more": SUB_ACCOUNTS_MAX + 1 - len(accounts),
        "name_length": ACCOUNT_NAME_LENGTH_MAX,
    }


def _funds(viewer: User, accounts: list[Any]) -> list[dict[str, Any]]:
    """Return what is free in each account, for those who choose where to take it from."""
    found = []
    for account in accounts:
        held = queries.balances(viewer=viewer, account=account)
        free = [
            {"amount": amount_text(row.available_minor, row.asset), "asset": row.asset.code}
            for row in held
            if row.available_minor
        ]
        found.append({"account": account, "free": free})
    return found


def _why_barred(viewer: User) -> str:
    """Say before anything is typed that nothing can leave now."""
    try:
        check_may_withdraw(viewer, clock.now())
    except DomainError as refusal:
        return refusal.message
    return ""
