"""A world in which one person, Ada, has a row of everything there is, for who must not see it.

Whoever adds an address with an id of somebody's row makes such a row here and names it in ``IDS``;
whoever registers a model with the admin makes one of its rows. ``test_two_people`` says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.utils.http import int_to_base36

from apps.accounts import actions as people
from apps.accounts import roles
from apps.accounts.casework.actions import add_note
from apps.accounts.factors import actions as factors
from apps.accounts.factors import totp
from apps.accounts.kyc import actions as kyc
from apps.accounts.models import SignIn, User
from apps.accounts.personal import actions as personal
from apps.accounts.personal.models import Deletion
from apps.core import clock, outbox
from apps.markets import approvals
from apps.markets.models import Asset, StaffRequest
from apps.notifications.actions import notify
from apps.trades.pairing import place_pair
from apps.trades.risk.actions import restrict_account, set_own_limits
from apps.trades.risk.models import Restriction
from apps.trades.risk.rules import LimitSet
from apps.wallets.actions import open_sub_account
from apps.wallets.adjustments.actions import request_adjustment
from apps.wallets.custody import simulated
from apps.wallets.deposits.actions import address_for, follow_all
from apps.wallets.liabilities import actions as liabilities
from apps.wallets.transfers.actions import send_to_person
from apps.wallets.withdrawals import addresses
from apps.wallets.withdrawals.actions import request_withdrawal
from apps.wallets.withdrawals.models import WithdrawalLimit
from tests import factories
from tests.accounts.key_client import key_for
from tests.accounts.kyc_world import ADA, picture
from tests.wallets.withdrawing import outside, rich

NO_UUID: Final = "00000000-0000-4000-8000-000000000000"
NO_NUMBER: Final = "999999999999"
NAME: Final = "Adelaide Unmistakable"
TELEPHONE: Final = "adas-own-telephone"
LABEL: Final = "adas-cold-store"
PLACE: Final = "198.51.100.77"
POCKET: Final = "adas-second-pocket"


@dataclass(frozen=True)
class World:
    """Whose rows they are, and what of hers each name in an address stands for."""

    ada: factories.Trader
    rows: dict[str, Any]
    # Words that are in nobody's answer but hers.
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Id:
    """How an id of Ada's is found, and one of the same form that nothing has."""

    of: Callable[[World], object]
    absent: str


def _row(name: str, attribute: str = "pk") -> Callable[[World], object]:
    return lambda world: getattr(world.rows[name], attribute)


# By the name of the parameter, in addresses, queries and bodies.
IDS: Final[dict[str, Id]] = {
    "account": Id(lambda world: world.ada.account.public_id, NO_UUID),
    "account_id": Id(lambda world: world.ada.account.pk, NO_NUMBER),
    "address_id": Id(_row("address", "public_id"), NO_UUID),
    "connection_id": Id(_row("connection"), NO_NUMBER),
    "content_type_id": Id(lambda _: ContentType.objects.get_for_model(User).pk, NO_NUMBER),
    "document_id": Id(_row("document"), NO_UUID),
    "factor_id": Id(_row("factor"), NO_NUMBER),
    "key_id": Id(_row("key"), NO_UUID),
    "notice_id": Id(_row("notice"), NO_NUMBER),
    "object_id": Id(lambda world: world.ada.user.pk, NO_NUMBER),
    "order_id": Id(_row("order"), NO_NUMBER),
    "place_id": Id(_row("place"), NO_UUID),
    "public_id": Id(lambda world: world.ada.user.public_id, NO_UUID),
    "export_id": Id(_row("export"), NO_UUID),
    "to_account": Id(_row("pocket", "public_id"), NO_UUID),
    "withdrawal_id": Id(_row("withdrawal", "public_id"), NO_UUID),
    # What is secret in itself: her numbers in its place open as little as any other word.
    "key": Id(lambda world: world.ada.user.pk, "999999"),
    "token": Id(lambda world: world.ada.user.public_id, NO_UUID),
    "uidb36": Id(lambda world: int_to_base36(world.ada.user.pk), int_to_base36(999_999)),
}
# What says nothing of anybody, with one that there is.
PUBLIC: Final[dict[str, str]] = {
    "app_label": "accounts", "asset": "BTC", "provider_id": "github", "site_id": "github",
    "symbol": "BTC-USDT", "target": "BTC-USDT", "url": "none",
}  # fmt: skip
# Names that everybody gives to what is his own.
OWN_NAMES: Final = frozenset({"client_order_id"})


def build() -> World:
    """Make everybody and everything. It takes ``DEMO`` off, simulated chains, private files."""
    now = clock.now()
    ada = rich("ada@example.com", USDT="100000", BTC="5")
    User.objects.filter(pk=ada.user.pk).update(display_name=NAME)
    carol = factories.trader("carol@example.com", BTC="1")
    rows: dict[str, Any] = {}
    rows["order"] = ada.buy("0.01", "50000.00")
    carol.sell("0.001", "50000.00")
    pair = place_pair(
        actor=ada.user, account=ada.account, market="BTC-USDT", side="sell", quantity="0.01",
        price="52000.00", stop_price="48000.00", now=now,
    )  # fmt: skip
    rows["pair"] = pair[0]
    set_own_limits(actor=ada.user, account=ada.account, wanted=LimitSet(max_open_orders=9), now=now)
    rows |= _moving(ada, carol)
    rows |= _access(ada.user)
    rows |= _verification(ada.user)
    _staff(ada, carol)
    rows["export"] = personal.ask_for_export(actor=ada.user, proved_at=now, now=clock.now())
    personal.make_exports(now=clock.now())
    outbox.deliver(now=clock.now())
    marks = (
        ada.user.email, NAME, TELEPHONE, LABEL, PLACE, POCKET, outside(), str(ada.user.public_id),
        str(ada.account.public_id), *(str(row.pk) for row in rows.values() if _is_long(row)),
        str(rows["withdrawal"].public_id), str(rows["address"].public_id),
        str(rows["transfer"].public_id), str(rows["pocket"].public_id),
        rows["deposit_address"].address,
    )  # fmt: skip
    return World(ada, rows, marks)


def newest(model: type[Model]) -> Model | None:
    """Return a row of a model, for its pages in the admin."""
    return model._base_manager.order_by("-pk").first()


def admin_models() -> list[type[Model]]:
    """Return every model that the admin shows."""
    return list(admin.site._registry)


def _is_long(row: Model) -> bool:
    return isinstance(row.pk, uuid.UUID)


def _moving(ada: factories.Trader, carol: factories.Trader) -> dict[str, Any]:
    now = clock.now()
    before = now - timedelta(days=2)
    entry = addresses.add_address(
        actor=ada.user, asset="USDT", address=outside(), label=LABEL, proved_at=before, now=before
    )
    sent = request_withdrawal(
        actor=ada.user, asset="USDT", amount="100", address_id=entry.public_id, now=now
    )
    transfer = send_to_person(
        actor=ada.user, to=carol.user.email, asset="USDT", amount="10", proved_at=now, now=now
    )
    into = address_for(actor=ada.user, asset="BTC", now=now)
    simulated.pay_in(outputs=[(into.address, "BTC", 10**7)], now=now)
    simulated.mine("bitcoin", now=now)
    follow_all(now=now)
    addresses.set_book_only(actor=ada.user, wanted=True, proved_at=now, now=now)
    liabilities.reconcile(now=now)
    liabilities.publish_liabilities(now=now)
    return {
        "address": entry, "withdrawal": sent, "transfer": transfer, "deposit_address": into,
        "pocket": open_sub_account(actor=ada.user, name=POCKET, now=now),
    }  # fmt: skip


def _access(ada: User) -> dict[str, Any]:
    now = clock.now()
    people.open_sign_in(actor=ada, client=TELEPHONE, address=PLACE, now=now)
    secret = totp.new_secret()
    code = totp.code_at(secret, int(now.timestamp()) // totp.STEP_SECONDS)
    factors.add_totp(actor=ada, secret=secret, code=code, proved_at=now, now=now)
    return {
        "connection": SocialAccount.objects.create(user=ada, provider="github", uid="4711"),
        "place": SignIn.objects.get(user=ada),
        "factor": Authenticator.objects.get(user=ada, type="totp"),
        "key": key_for(ada, name="adas-robot").key,
        "notice": notify(person=ada, kind="kyc_approved", data={"tier": "1"}, now=now),
    }


def _verification(ada: User) -> dict[str, Any]:
    now = clock.now()
    kyc.begin(actor=ada, details=ADA, now=now)
    kyc.submit(actor=ada, now=now)
    row = kyc.begin(actor=ada, details={}, now=now)
    document = kyc.add_document(actor=ada, kind="selfie", data=picture(), now=now)
    return {"verification": row, "document": document}


def _staff(ada: factories.Trader, carol: factories.Trader) -> None:
    """What members of staff have done, about Ada and otherwise."""
    roles.make_roles()
    now, boss = clock.now(), factories.market_staff("boss@example.com")
    boss.groups.add(Group.objects.get(name=roles.SUPPORT))
    boss.user_permissions.add(Permission.objects.get(codename="view_order"))
    Deletion.objects.create(person=ada.user, asked_at=now, due_at=now + timedelta(days=14))
    tess = factories.staff("tess@example.com")
    tess.groups.add(Group.objects.get(name=roles.TREASURY))
    request_adjustment(
        actor=tess, account_id=ada.account.pk, category="missed_deposit", asset="USDT",
        amount="5", reason="Ticket says so", case="T-7", now=now,
    )  # fmt: skip
    add_note(actor=boss, person=ada.user, text=f"{NAME} called.", now=now)
    approvals.ask_for(
        actor=boss, kind=StaffRequest.Kind.OPEN, instrument=factories.listed(), reason="Asked",
        now=now,
    )  # fmt: skip
    WithdrawalLimit.objects.create(
        person=ada.user, asset_id=Asset.objects.get(code="USDT").pk, day_minor=10**10,
        month_minor=10**11, reason="Known for years",
    )  # fmt: skip
    restrict_account(
        actor=boss, account=carol.account, state=Restriction.State.REDUCE_ONLY,
        reason="Asked for", now=now,
    )  # fmt: skip
