"""The wallet on the site: what one has, where to send coins to, how to take them out."""

from __future__ import annotations

import uuid
from typing import Any, Final, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts import step_up
from apps.accounts.factors.actions import Given
from apps.accounts.factors.ceremony import PasskeyField
from apps.accounts.factors.passkeys import host_name
from apps.accounts.factors.queries import has_second_factor
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, Invalid, NotAllowed, NotFound, TooMany, Unavailable
from apps.core.web import describe
from apps.wallets import queries
from apps.wallets.assets import Asset, all_assets, asset_by_code
from apps.wallets.custody.interface import NETWORKS, is_simulated, network_of
from apps.wallets.deposits.actions import address_for
from apps.wallets.deposits.demo import UNITS_MAX, send_demo_deposit
from apps.wallets.deposits.presentation import address_json, deposit_json
from apps.wallets.deposits.queries import deposits_page
from apps.wallets.holds import holds_json, holds_of
from apps.wallets.models import TradingAccount
from apps.wallets.presentation import amount_text, balance_json
from apps.wallets.qr import qr_code
from apps.wallets.welcome import account_of
from apps.wallets.withdrawals import actions, addresses, passkeys
from apps.wallets.withdrawals.limits import room_for
from apps.wallets.withdrawals.moving import State
from apps.wallets.withdrawals.presentation import (
    entry_json,
    policy_json,
    room_json,
    ways_to_confirm,
    withdrawal_json,
)
from apps.wallets.withdrawals.queries import withdrawal_of, withdrawals_page
from apps.wallets.worth import VALUE_ASSET, worth_minor

SHOWN: Final = 8


@require_safe
@login_required
def wallet(request: HttpRequest) -> HttpResponse:
    """Balances with what can be done with each, and what came and went lately."""
    viewer = cast(User, request.user)
    account = account_of(viewer=viewer, public_id=request.GET.get("account") or None)
    is_main = account.kind == TradingAccount.Kind.MAIN
    held = {row.asset_id: row for row in queries.balances(viewer=viewer, account=account)}
    value = asset_by_code(VALUE_ASSET)
    rows, now = [], clock.now()
    chains = {code for network in NETWORKS for code in network.assets}
    for asset in all_assets().values():
        row = held.get(asset.id)
        total = 0 if row is None else row.available_minor + row.held_minor
        worth = worth_minor(asset.id, total, now=now) if total else 0
        zero = {"available": amount_text(0, asset), "held": amount_text(0, asset)}
        rows.append(
            {
                "asset": asset,
                "data": zero if row is None else balance_json(row),
                "worth": None if worth is None else amount_text(worth, value),
                # Coins come to the main account and leave from it.
                "moves": is_main and asset.code in chains,
            }
        )
    context = {
        "rows": rows,
        "account": account,
        "is_main": is_main,
        "accounts": queries.accounts_of(viewer=viewer),
        "holds": [holds_json(each) for each in holds_of(viewer=viewer, account=account)],
        **_history(viewer, SHOWN),
    }
    return render(request, "wallets/wallet.html", context)


@require_safe
@login_required
def deposit(request: HttpRequest, asset: str) -> HttpResponse:
    """Where to send an asset to, and what of it has come."""
    viewer, found = cast(User, request.user), _asset(asset)
    address = address_for(actor=viewer, asset=found.code, now=clock.now())
    incoming = [
        deposit_json(row)
        for row in deposits_page(viewer=viewer, limit=50).items
        if row.asset_id == found.id
    ]
    context = {
        "asset": found,
        "others": _others(),
        "address": address_json(address, found.code),
        "code": qr_code(address.address),
        "deposits": incoming[:SHOWN],
        "demo": is_simulated(),
        "most": UNITS_MAX.get(found.code),
    }
    return render(request, "wallets/deposit.html", context)


@require_POST
@login_required
def demo_deposit(request: HttpRequest, asset: str) -> HttpResponse:
    """Send oneself play money over the simulated chain."""
    viewer, found = cast(User, request.user), _asset(asset)
    try:
        send_demo_deposit(
            actor=viewer, asset=found.code, amount=request.POST.get("amount", ""), now=clock.now()
        )
    except DomainError as refusal:
        messages.error(request, refusal.message)
    return redirect("wallets:deposit", asset=found.code)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def withdraw(request: HttpRequest, asset: str) -> HttpResponse:
    """The form that asks for a withdrawal."""
    viewer, found = cast(User, request.user), _asset(asset)
    if request.method != "POST":
        return render(request, "wallets/withdraw.html", _form(viewer, found, request, None))
    typed_address = request.POST.get("address", "").strip() or None
    entry = request.POST.get("address_id", "") or None
    key = request.POST.get("key", "")[:36]
    try:
        made = actions.request_withdrawal(
            actor=viewer, asset=found.code, amount=request.POST.get("amount", "").strip(),
            address_id=None if entry is None else _uuid(entry), address=typed_address,
            effect_id=f"site:{viewer.pk}:{key}" if key else "", now=clock.now(),
        )  # fmt: skip
    except (Unavailable, TooMany):
        raise
    except DomainError as refusal:
        context = _form(viewer, found, request, refusal)
        return render(request, "wallets/withdraw.html", context, status=describe(refusal).status)
    return redirect("wallets:withdrawal", withdrawal_id=made.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def withdrawal(request: HttpRequest, withdrawal_id: uuid.UUID) -> HttpResponse:
    """One withdrawal: where it is, and what its owner can do."""
    viewer, problem, now = cast(User, request.user), None, clock.now()
    if request.method == "POST":
        try:
            _act(request, viewer, withdrawal_id)
        except DomainError as refusal:
            problem = refusal
        else:
            return redirect("wallets:withdrawal", withdrawal_id=withdrawal_id)
    found = withdrawal_of(viewer=viewer, public_id=withdrawal_id)
    # What refreshes a part of the page must not begin anew what the page has begun.
    asks_passkey = "passkey" in ways_to_confirm(found) and "HX-Request" not in request.headers
    context = {
        "row": withdrawal_json(found, now),
        "options": (
            passkeys.begin(found, host=host_name(request.get_host())) if asks_passkey else None
        ),
        "asset": found.asset,
        "steps": [
            {"words": State(step.state).label.capitalize(), "at": clock.iso(step.at)}
            for step in found.steps.all()
        ],
        "problem": problem,
        "over": found.ended_at is not None,
    }
    status = 200 if problem is None else describe(problem).status
    return render(request, "wallets/withdrawal.html", context, status=status)


def _act(request: HttpRequest, viewer: User, withdrawal_id: uuid.UUID) -> None:
    asked: dict[str, Any] = {"actor": viewer, "public_id": withdrawal_id, "now": clock.now()}
    what = request.POST.get("do", "")
    if what == "confirm":
        actions.confirm_withdrawal(
            **asked, code=request.POST.get("code", "")[:20],
            passkey=_passkey(request, viewer, withdrawal_id),
        )  # fmt: skip
    elif what == "code":
        actions.send_code_again(**asked)
        messages.success(request, "Another code is on its way.")
    elif what == "cancel":
        actions.cancel_withdrawal(**asked)
    else:
        raise NotFound("not_found", "There is nothing here.")


def _passkey(request: HttpRequest, viewer: User, withdrawal_id: uuid.UUID) -> Given | None:
    """Return what a passkey has answered, where one was used in place of a code."""
    try:
        answer = PasskeyField(required=False).clean(request.POST.get("passkey", ""))
    except ValidationError:
        raise Invalid("invalid_passkey", "The passkey's answer cannot be used.") from None
    if answer is None:
        return None
    found = withdrawal_of(viewer=viewer, public_id=withdrawal_id)
    return passkeys.given(found, answer, host=host_name(request.get_host()))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def address_book(request: HttpRequest) -> HttpResponse:
    """The address book, and whether coins can go anywhere else."""
    viewer, problem, now = cast(User, request.user), None, clock.now()
    if request.method == "POST":
        try:
            _change_book(request, viewer)
        except NotAllowed:
            # Whoever has to prove who he is is asked to by the frame of the site.
            raise
        except DomainError as refusal:
            problem = refusal
        else:
            return redirect("wallets:addresses")
    context = {
        "rows": [entry_json(entry, now) for entry in addresses.book_of(viewer=viewer)],
        "policy": policy_json(addresses.policy_of(viewer=viewer), now),
        "others": _others(),
        "problem": problem,
        "typed": request.POST,
        "chosen": request.POST.get("asset") or request.GET.get("asset", ""),
    }
    status = 200 if problem is None else describe(problem).status
    return render(request, "wallets/addresses.html", context, status=status)


def _change_book(request: HttpRequest, viewer: User) -> None:
    given, now, proved_at = request.POST, clock.now(), step_up.proved_at(request)
    what = given.get("do", "")
    if what == "add":
        addresses.add_address(
            actor=viewer, asset=given.get("asset", ""), address=given.get("address", "").strip(),
            label=given.get("label", ""), proved_at=proved_at, now=now,
        )  # fmt: skip
        messages.success(request, "Added. It can be used in 24 hours.")
    elif what == "remove":
        addresses.remove_address(actor=viewer, public_id=_uuid(given.get("id", "")), now=now)
    elif what in ("open", "close"):
        addresses.set_book_only(actor=viewer, wanted=what == "close", proved_at=proved_at, now=now)
    else:
        raise NotFound("not_found", "There is nothing here.")


def _form(
    viewer: User, asset: Asset, request: HttpRequest, problem: DomainError | None
) -> dict[str, Any]:
    now = clock.now()
    held = queries.balances(viewer=viewer, account=account_of(viewer=viewer))
    mine = next((row.available_minor for row in held if row.asset_id == asset.id), 0)
    book = [entry_json(entry, now) for entry in addresses.book_of(viewer=viewer)]
    return {
        "asset": asset,
        "others": _others(),
        "network": network_of(asset.code),
        "available": amount_text(mine, asset),
        "room": room_json(room_for(person=viewer, asset=asset, now=now), asset),
        "book": [entry for entry in book if entry["asset"] == asset.code],
        "policy": policy_json(addresses.policy_of(viewer=viewer), now),
        "problem": problem,
        "field": None if problem is None else problem.data.get("field"),
        "typed": request.POST,
        # Each form is one withdrawal, however often it is sent; what was refused is another.
        "key": uuid.uuid4(),
        "barred": _why_barred(viewer),
        "second_factor": has_second_factor(person=viewer),
    }


def _why_barred(viewer: User) -> str:
    """Say before anything is typed that nothing can leave now."""
    try:
        actions.check_may_withdraw(viewer, clock.now())
    except DomainError as refusal:
        return refusal.message
    return ""


def _history(viewer: User, count: int) -> dict[str, Any]:
    now = clock.now()
    went = withdrawals_page(viewer=viewer, limit=count).items
    came = deposits_page(viewer=viewer, limit=count).items
    return {
        "withdrawals": [withdrawal_json(row, now) for row in went],
        "deposits": [deposit_json(row) for row in came],
    }


def _others() -> list[Asset]:
    known = all_assets()
    return [known[code] for network in NETWORKS for code in network.assets if code in known]


def _asset(code: str) -> Asset:
    found = asset_by_code(code)
    network_of(found.code)
    return found


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise NotFound("unknown_address", "Your address book has no such entry.") from None
