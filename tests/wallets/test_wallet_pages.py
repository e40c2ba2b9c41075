"""The wallet's pages, as a person and as staff see them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from apps.accounts.confirming import step_up
from apps.core import clock
from apps.core.models import AuditedRow
from apps.wallets.assets import asset_by_code
from apps.wallets.custody import simulated
from apps.wallets.deposits.actions import address_for, follow_all
from apps.wallets.withdrawals import codes
from apps.wallets.withdrawals.demo import give_demo_addresses
from apps.wallets.withdrawals.models import Withdrawal, WithdrawalAddress, WithdrawalLimit
from apps.wallets.withdrawals.sending import advance_all
from tests import factories
from tests.wallets.withdrawing import outside, rich

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_engine")]


@pytest.fixture
def ada() -> factories.Trader:
    trader = rich()
    give_demo_addresses(person=trader.user, now=clock.now())
    return trader


def _client(user: Any, *, proved: bool = False) -> Client:
    client = Client()
    client.force_login(user)
    if proved:
        session = client.session
        session[step_up._SESSION_KEY] = clock.iso(clock.now())
        session.save()
    return client


def _ask(client: Client, ada: factories.Trader, amount: str, key: str = "k") -> Any:
    entry = WithdrawalAddress.objects.get(person=ada.user, asset__code="USDT")
    typed = {"amount": amount, "address_id": str(entry.public_id), "key": key}
    return client.post("/wallet/withdraw/USDT", typed)


def test_nobody_sees_a_wallet_without_signing_in() -> None:
    for path in ("/wallet", "/wallet/deposit/BTC", "/wallet/withdraw/BTC", "/wallet/addresses"):
        assert Client().get(path)["Location"].startswith("/accounts/login/"), path


def test_the_wallet_shows_what_there_is(ada: factories.Trader) -> None:
    page = _client(ada.user).get("/wallet").content.decode()

    assert "10,000.00" in page
    assert page.count('aria-label="Deposit ') == 6
    assert "Nothing has come yet" in page


def test_a_deposit_shows_from_the_moment_it_is_seen(ada: factories.Trader) -> None:
    client = _client(ada.user)
    address = address_for(actor=ada.user, asset="BTC", now=clock.now()).address

    sent = client.post("/wallet/deposit/BTC/demo", {"amount": "0.5"})
    follow_all(now=clock.now())
    page = client.get("/wallet/deposit/BTC").content.decode()

    assert sent["Location"] == "/wallet/deposit/BTC"
    assert address in page
    assert '<path d="M' in page
    assert "+0.50 BTC" in page
    assert "0 of 3 confirmations" in page


@pytest.mark.parametrize("amount", ["", "-1", "x", "2"])
def test_play_money_has_its_bounds(ada: factories.Trader, amount: str) -> None:
    client = _client(ada.user)

    client.post("/wallet/deposit/BTC/demo", {"amount": amount})

    assert simulated.ChainTransaction.objects.count() == 0


def test_a_withdrawal_from_the_form_to_its_end(ada: factories.Trader) -> None:
    client = _client(ada.user)
    first, again = _ask(client, ada, "100"), _ask(client, ada, "100")
    row = Withdrawal.objects.get()
    where = f"/wallet/withdrawals/{row.public_id}"

    wrong = client.post(where, {"do": "confirm", "code": "x"})
    client.post(where, {"do": "confirm", "code": codes.code_of(row)})
    for _ in range(7):
        advance_all(now=clock.now())
        simulated.mine("ethereum", now=clock.now())
    advance_all(now=clock.now())
    page = client.get(where).content.decode()

    assert first["Location"] == again["Location"] == where
    assert wrong.status_code == 400
    assert "This is not the code" in wrong.content.decode()
    assert "arrived" in page
    assert "<dt>Broadcast</dt>" in page
    assert "hx-get" not in page
    assert Withdrawal.objects.get().txid in page


def test_a_withdrawal_that_is_not_possible_says_why_at_the_field(ada: factories.Trader) -> None:
    client = _client(ada.user)

    page = _ask(client, ada, "20000")
    empty = _ask(client, ada, "0")

    assert page.status_code == 422
    assert "left of your limit" in page.content.decode()
    assert 'value="20000"' in page.content.decode()
    assert empty.status_code == 400


def test_it_is_called_off_on_its_page(ada: factories.Trader) -> None:
    client = _client(ada.user)
    where = _ask(client, ada, "100")["Location"]

    client.post(where, {"do": "cancel"})

    assert "cancelled by you" in client.get(where).content.decode()
    assert ada.has("USDT")[1] == 0


def test_a_strangers_withdrawal_is_not_there(ada: factories.Trader) -> None:
    where = _ask(_client(ada.user), ada, "100")["Location"]
    bob = _client(factories.trader("bob@example.com").user)

    for answer in (bob.get(where), bob.post(where, {"do": "cancel"})):
        assert answer.status_code == 404
    assert Withdrawal.objects.get().state == "requested"


def test_the_address_book_takes_a_proof_and_a_day(ada: factories.Trader) -> None:
    typed = {"do": "add", "asset": "BTC", "label": "Cold", "address": outside("BTC", "cold")}

    asked = _client(ada.user).post("/wallet/addresses", typed)
    client = _client(ada.user, proved=True)
    added = client.post("/wallet/addresses", typed)
    again = client.post("/wallet/addresses", typed)
    page = client.get("/wallet/addresses").content.decode()
    form = client.get("/wallet/withdraw/BTC").content.decode()

    assert (asked.status_code, "confirm" in asked["Location"]) == (302, True)
    assert added["Location"] == "/wallet/addresses"
    assert again.status_code == 409
    assert "Cold" in page
    assert "disabled" in form


def test_staff_agree_in_the_admin(ada: factories.Trader) -> None:
    one, two = (factories.person(f"s{n}@example.com", is_staff=True, is_superuser=True)
                for n in (1, 2))  # fmt: skip
    where = _ask(_client(ada.user), ada, "1000")["Location"]
    row = Withdrawal.objects.get()
    _client(ada.user).post(where, {"do": "confirm", "code": codes.code_of(row)})
    told, pages = [], []

    for who, reason in ((one, ""), (one, "known"), (one, "again"), (two, "known too")):
        client, address = _client(who), f"/admin/wallets/withdrawal/{row.pk}/change/"
        pages.append(client.get(address).content.decode())
        client.post(address, {"act": "approve", "reason": reason})
        row.refresh_from_db()
        told.append((row.state, row.approvals.count()))
    page = _client(one).get(f"/admin/wallets/withdrawal/{row.pk}/change/").content.decode()
    listed = _client(one).get("/admin/wallets/withdrawal/?standing=approved")

    assert told == [("risk_review", 0), ("risk_review", 1), ("risk_review", 1), ("approved", 2)]
    assert "known too" in page
    assert "Refuse: the money goes back" in page
    assert "It needs 2 who agree" in pages[0]
    assert "Somebody looks because: it is large" in pages[0]
    assert "It needs 1 more who agree, and you are none of them" in pages[2]
    assert "Yours is the last yes that it needs" in pages[3]
    assert f"/admin/wallets/withdrawal/{row.pk}/change/" in listed.content.decode()


def test_staff_stop_several_at_once_and_nobody_without_the_right_does(
    ada: factories.Trader,
) -> None:
    boss = factories.person("boss@example.com", is_staff=True, is_superuser=True)
    where = _ask(_client(ada.user), ada, "1000")["Location"]
    row = Withdrawal.objects.get()
    _client(ada.user).post(where, {"do": "confirm", "code": codes.code_of(row)})
    asked = {"action": "hold", "_selected_action": row.pk, "reason": "An alarm"}
    helper = factories.staff("sue@example.com")
    helper.groups.add(Group.objects.get(name="support"))
    address = f"/admin/wallets/withdrawal/{row.pk}/change/"

    _client(helper).post("/admin/wallets/withdrawal/", asked)
    _client(helper).post(address, {"act": "refuse", "reason": "no"})
    _client(helper).post(address, {"act": "steal", "reason": "no"})
    row.refresh_from_db()
    untouched = row.state
    shown = _client(helper).get(address).content.decode()
    _client(boss).post("/admin/wallets/withdrawal/", asked)
    row.refresh_from_db()

    assert (untouched, row.state, row.reason) == ("risk_review", "held", "An alarm")
    assert "Decide" not in shown
    kept = AuditedRow.objects.filter(table_name="wallets_withdrawal").last()
    assert kept is not None
    assert (kept.row["state"], kept.pgh_context.metadata["reason"]) == ("held", "An alarm")
    assert kept.pgh_context.metadata["user"] == boss.pk


def test_limits_are_typed_as_amounts_and_kept_in_the_trail(ada: factories.Trader) -> None:
    boss = factories.person("boss@example.com", is_staff=True, is_superuser=True)
    client, new = _client(boss), "/admin/wallets/withdrawallimit/add/"
    form = {"tier": "0", "person": "", "asset": "", "day": "12.5", "month": "100", "reason": "Tips"}

    wrong = [
        client.post(new, {**form, **change}).status_code
        for change in ({"day": "-1"}, {"day": "1e3"}, {"month": "x"}, {"tier": ""},
                       {"person": str(ada.user.pk)}, {"reason": ""})
    ]  # fmt: skip
    made = client.post(new, form)

    assert (set(wrong), made.status_code) == ({200}, 302)
    row = WithdrawalLimit.objects.get()
    unit = 10 ** asset_by_code("USDT").scale
    assert (row.day_minor * 2, row.month_minor) == (25 * unit, 100 * unit)
    assert "12.5" in client.get(f"/admin/wallets/withdrawallimit/{row.pk}/change/").content.decode()
    WithdrawalLimit.objects.filter(pk=row.pk).update(day_minor=1)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM wallets_withdrawallimit")
    kept = AuditedRow.objects.filter(table_name="wallets_withdrawallimit").order_by("pk")
    assert [each.label for each in kept] == ["insert", "update", "delete"]
    assert kept[0].pgh_context.metadata["reason"] == "Tips"
    assert kept[0].pgh_context.metadata["user"] == boss.pk


@pytest.mark.parametrize("name", ["withdrawal", "withdrawallimit", "chaindeposit", "chainvault"])
def test_staff_pages_open(ada: factories.Trader, name: str) -> None:
    boss = factories.person("boss@example.com", is_staff=True, is_superuser=True)

    assert _client(boss).get(f"/admin/wallets/{name}/").status_code == 200


def test_staff_fill_the_hot_wallet(ada: factories.Trader) -> None:
    boss = factories.person("boss@example.com", is_staff=True, is_superuser=True)
    vault = simulated.ChainVault.objects.get(asset="USDT")
    asked = {"action": "fill_up", "_selected_action": vault.pk, "amount": "5"}

    _client(boss).post("/admin/wallets/chainvault/", asked)

    before = vault.added_minor
    vault.refresh_from_db()
    assert vault.added_minor > before
