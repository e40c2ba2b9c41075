"""What is held is accounted for to the last minor unit, whatever people do."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from apps.accounts import roles
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, NotFound
from apps.engine.messages import BlockLeg
from apps.trades import routing
from apps.trades.actions import cancel_order, submit_block
from apps.trades.models import OPEN_STATUSES, Order
from apps.wallets.holds import AssetHolds, holds_json, holds_of
from apps.wallets.models import Balance
from apps.wallets.withdrawals.actions import cancel_withdrawal
from apps.wallets.withdrawals.models import Withdrawal
from tests import factories
from tests.wallets.withdrawing import NOW, confirm, go_on, request, rested, rich

pytestmark = pytest.mark.django_db
STEPS = 90


def inside(holds: AssetHolds) -> dict[str, int]:
    return {part.reason: part.amount_minor for part in holds.parts if part.inside}


def check(who: factories.Trader) -> None:
    """Nothing is held without a reason, and no reason takes more than is held."""
    found = {each.asset.code: each for each in holds_of(viewer=who.user, account=who.account)}
    for row in Balance.objects.filter(account=who.account).select_related("asset"):
        parts = inside(found[row.asset.code]) if row.asset.code in found else {}
        assert sum(parts.values()) == row.held_minor
        assert "other" not in parts
        assert all(amount > 0 for amount in parts.values())


def test_whatever_people_do_all_that_is_held_has_its_reasons() -> None:
    ada = rich(USDT="10000", BTC="1")
    bob = factories.trader("bob@example.com", USDT="10000", BTC="1")
    rested(ada.user)
    chance = random.Random(11)
    seen: set[str] = set()

    for _ in range(STEPS):
        step = chance.choice(_STEPS)
        try:
            step(ada, bob, chance)
        except DomainError:
            continue
        for who in (ada, bob):
            check(who)
        for each in holds_of(viewer=ada.user, account=ada.account):
            seen.update(inside(each))

    assert seen == {"orders", "withdrawals"}


def _price(chance: random.Random) -> str:
    return f"{chance.randrange(59000, 61000)}.00"


def _quantity(chance: random.Random) -> str:
    return f"0.0{chance.randrange(10, 400):04d}"


def _buy(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    chance.choice((ada, bob)).buy(_quantity(chance), _price(chance))


def _sell(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    chance.choice((ada, bob)).sell(_quantity(chance), _price(chance))


def _stop(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    ada.sell(_quantity(chance), "50000.00", order_type="stop_limit", stop_price="55000.00")


def _cancel(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    who = chance.choice((ada, bob))
    rows = list(Order.objects.filter(account=who.account, status__in=OPEN_STATUSES).order_by("id"))
    if rows:
        cancel_order(actor=who.user, order_id=chance.choice(rows).id)


def _withdraw(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    request(ada, str(chance.randrange(1, 90)))


def _confirm(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    row = Withdrawal.objects.filter(state="requested").first()
    if row is not None:
        confirm(ada, row)


def _call_off(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    row = Withdrawal.objects.filter(state__in=["requested", "risk_review"]).first()
    if row is not None:
        cancel_withdrawal(actor=ada.user, public_id=row.public_id, now=NOW)


def _blocks(ada: factories.Trader, bob: factories.Trader, chance: random.Random) -> None:
    go_on(blocks=chance.randrange(1, 4))


_STEPS: list[Callable[..., Any]] = [
    _buy, _buy, _sell, _sell, _stop, _cancel, _withdraw, _confirm, _call_off, _blocks,
]  # fmt: skip


def test_who_may_see_whose(client: Client) -> None:
    ada, bob = rich(USDT="1000"), factories.trader("bob@example.com")
    ada.buy("0.00100", "50000.00")
    helper = factories.staff("sue@example.com")
    helper.groups.add(Group.objects.get(name=roles.SUPPORT))
    helper = User.objects.get(pk=helper.pk)

    with pytest.raises(NotFound):
        holds_of(viewer=bob.user, account=ada.account)
    (found,) = holds_of(viewer=ada.user, account=ada.account)

    assert holds_json(found) == {
        "asset": "USDT", "held": "50.05000001",
        "parts": [
            {"reason": "orders", "words": "Open orders", "amount": "50.05000001", "count": 1,
             "inside": True},
        ],
    }  # fmt: skip
    client.force_login(ada.user)
    page = client.get("/wallet").content.decode()
    assert "Why is something held?" in page
    assert "50.05000001" in page
    client.force_login(helper)
    staff_page = client.get(f"/admin/wallets/tradingaccount/{ada.account.id}/change/")
    assert "Open orders" in staff_page.content.decode()
    client.force_login(factories.staff())
    assert client.get(f"/admin/wallets/tradingaccount/{ada.account.id}/change/").status_code == 403


def test_what_a_leg_of_a_block_takes_is_aside_of_what_is_held() -> None:
    factories.listed("BTC-USDT")
    ada, bob = (factories.trader(USDT="100000") for _ in range(2))
    whole = bob.has("USDT")[0]
    routing.register("copying", lambda news: None)
    try:
        submit_block(
            kind="copying", account=ada.account, legs=[BlockLeg(bob.account.id, 2000)],
            order={"market": "BTC-USDT", "side": "buy", "order_type": "limit", "quantity": "0.01",
                   "price": "50000", "client_order_id": "lead"},
            now=clock.now(),
        )  # fmt: skip
    finally:
        routing.forget("copying")

    (found,) = holds_of(viewer=bob.user, account=bob.account)
    (part,) = found.parts
    free, held = bob.has("USDT")
    assert (part.reason, part.inside, part.count) == ("blocks", False, 1)
    assert (part.amount_minor, held, found.held_minor) == (whole - free, 0, 0)
