"""Opening accounts, deposits, and what their owners can read."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.core import clock
from apps.core.errors import Conflict, DomainError, Invalid, NotFound
from apps.engine.messages import Hold, Release, Settle
from apps.markets.models import Asset
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.matching.queries import projected_seq
from apps.wallets.actions import deposit, open_house_accounts, open_main_account
from apps.wallets.models import Balance, LedgerEntry, TradingAccount
from apps.wallets.presentation import balance_json, entry_json
from apps.wallets.queries import account_for, balances, ledger_page, main_account
from tests.factories import Trader, fund, person, trader

MINOR = 10**8
USDT, BTC = 1, 2


def test_a_person_has_one_main_account_numbered_from_1000() -> None:
    ada = person()

    first = open_main_account(actor=ada, now=clock.now())
    before = projected_seq()
    again = open_main_account(actor=ada, now=clock.now())

    assert first.id >= 1000
    assert again == first == main_account(viewer=ada)
    assert (first.kind, first.trade_group, first.owner) == ("main", ada.pk, ada)
    # The engine was asked again and answered as the first time.
    assert projected_seq() == before + 1
    assert TradingAccount.objects.filter(owner=ada).count() == 1


def test_the_house_has_its_four_accounts() -> None:
    open_house_accounts(now=clock.now())
    before = list(TradingAccount.objects.values())
    open_house_accounts(now=clock.now())

    assert list(TradingAccount.objects.values()) == before
    assert [(row["id"], row["kind"], row["trade_group"]) for row in before] == [
        (1, "external", -1), (2, "house", -2), (10, "house", -10), (11, "house", -11),
    ]  # fmt: skip


def test_a_deposit_comes_from_the_world_outside() -> None:
    ada = trader()

    fund(ada.account, "USDT", "12.5")

    assert ada.has("USDT") == (1_250_000_000, 0)
    entries = LedgerEntry.objects.order_by("id")
    assert [(row.account_id, row.amount_minor, row.kind) for row in entries] == [
        (ada.account.id, 1_250_000_000, "deposit"),
        (1, -1_250_000_000, "deposit"),
    ]
    outside = Balance.objects.get(account_id=1, asset_id=USDT)
    assert outside.available_minor == -1_250_000_000


def paid_in(ada: Trader, amount_minor: int, reference: str, **more: Any) -> Any:
    given = {"account": ada.account, "asset": Asset.objects.get(id=USDT), **more}
    return deposit(amount_minor=amount_minor, reference=reference, **given)


def test_a_deposit_is_made_once_per_reference() -> None:
    ada, bob = trader(), trader()

    first = paid_in(ada, 5, "wire-1")
    again = paid_in(ada, 5, "wire-1")
    with pytest.raises(Conflict) as refused:
        paid_in(ada, 6, "wire-1")
    paid_in(bob, 5, "wire-1")
    paid_in(ada, 5, "wire-1", asset=Asset.objects.get(id=BTC))

    assert (first.again, again.again) == (False, True)
    assert again.seq == first.seq
    assert refused.value.code == "id_reused"
    assert (ada.has("USDT"), ada.has("BTC"), bob.has("USDT")) == ((5, 0), (5, 0), (5, 0))


def test_the_engine_knows_a_repeated_reference_before_the_ledger_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ada = trader()
    first = paid_in(ada, 5, "wire-1")
    monkeypatch.setattr("apps.wallets.actions._earlier_deposit", lambda *_: None)

    again = paid_in(ada, 5, "wire-1")
    with pytest.raises(Conflict) as refused:
        paid_in(ada, 6, "wire-1")

    assert (again.again, again.seq) == (True, first.seq)
    assert refused.value.code == "id_reused"
    assert ada.has("USDT") == (5, 0)


@pytest.mark.parametrize(
    ("more", "code", "family"),
    [
        ({"amount_minor": 0}, "invalid_amount", Invalid),
        ({"amount_minor": -1}, "invalid_amount", Invalid),
        ({"amount_minor": 2**62 + 1}, "invalid_amount", Invalid),
        ({"reference": ""}, "invalid_reference", Invalid),
        ({"reference": "x" * 65}, "invalid_reference", Invalid),
    ],
)
def test_a_deposit_that_makes_no_sense_changes_nothing(
    more: dict[str, Any], code: str, family: type[DomainError]
) -> None:
    ada = trader()
    before = projected_seq()

    with pytest.raises(family) as refused:
        paid_in(ada, **{"amount_minor": 5, "reference": "wire", **more})

    assert refused.value.code == code
    assert projected_seq() == before


def test_what_is_held_for_a_withdrawal_leaves_or_comes_back() -> None:
    ada = trader(USDT="10")
    hold = (ada.account.id, USDT)

    submit = get_gateway().submit
    submit(Hold(new_command_id(), valid_until_ns(5), *hold, 3 * MINOR, 71))
    submit(Hold(new_command_id(), valid_until_ns(5), *hold, 2 * MINOR, 72))
    assert ada.has("USDT") == (5 * MINOR, 5 * MINOR)
    assert LedgerEntry.objects.count() == 2

    submit(Settle(new_command_id(), valid_until_ns(5), 71))
    submit(Release(new_command_id(), valid_until_ns(5), 72))

    assert ada.has("USDT") == (7 * MINOR, 0)
    (left, _) = LedgerEntry.objects.filter(kind="withdrawal").order_by("id")
    assert (left.account_id, left.amount_minor, left.reference) == (
        ada.account.id, -3 * MINOR, "71",
    )  # fmt: skip


def test_balances_and_ledger_are_their_owners_alone(django_assert_num_queries: Any) -> None:
    ada, bob = trader(USDT="1", BTC="2"), trader(USDT="3")

    with django_assert_num_queries(1):
        mine = [balance_json(row) for row in balances(viewer=ada.user, account=ada.account)]
    with django_assert_num_queries(1):
        page = ledger_page(viewer=ada.user, account=ada.account)
        entries = [entry_json(row) for row in page.items]

    assert [(row["asset"], row["available"], row["held"], row["total"]) for row in mine] == [
        ("USDT", "1.00", "0.00", "1.00"), ("BTC", "2.00000000", "0.00000000", "2.00000000"),
    ]  # fmt: skip
    assert [(row["asset"], row["amount"], row["kind"]) for row in entries] == [
        ("BTC", "2.00000000", "deposit"), ("USDT", "1.00", "deposit"),
    ]  # fmt: skip
    assert balances(viewer=bob.user, account=ada.account) == []
    assert ledger_page(viewer=bob.user, account=ada.account).items == []
    for work in (balances, ledger_page):
        with pytest.raises(NotFound):
            work(viewer=None, account=ada.account)


def test_the_ledger_is_read_page_by_page() -> None:
    ada = trader()
    for amount in range(1, 8):
        fund(ada.account, "USDT" if amount % 2 else "BTC", f"0.0000000{amount}")

    first = ledger_page(viewer=ada.user, account=ada.account, limit=3)
    second = ledger_page(viewer=ada.user, account=ada.account, limit=3, before=first.next)
    third = ledger_page(viewer=ada.user, account=ada.account, limit=3, before=second.next)
    of_btc = ledger_page(viewer=ada.user, account=ada.account, asset="btc")

    assert [
        [row.amount_minor for row in page.items] for page in (first, second, third, of_btc)
    ] == [[7, 6, 5], [4, 3, 2], [1], [6, 4, 2]]
    assert third.next is None


@pytest.mark.parametrize(
    ("more", "code"),
    [({"before": "x"}, "invalid_cursor"), ({"before": "-1"}, "invalid_cursor"),
     ({"before": "٣"}, "invalid_cursor"), ({"limit": 0}, "invalid_limit"),
     ({"limit": 501}, "invalid_limit")],
)  # fmt: skip
def test_a_page_is_bounded(more: dict[str, Any], code: str) -> None:
    ada = trader(USDT="1")

    with pytest.raises(Invalid) as refused:
        ledger_page(viewer=ada.user, account=ada.account, **more)

    assert refused.value.code == code


def test_a_foreign_account_looks_like_none() -> None:
    ada, bob = trader(), trader()

    assert account_for(viewer=ada.user, public_id=str(ada.account.public_id)) == ada.account
    messages = set()
    for public_id in (str(bob.account.public_id), str(uuid.uuid4()), "x", 7, "x" * 1000, "\x00"):
        with pytest.raises(NotFound) as refused:
            account_for(viewer=ada.user, public_id=public_id)
        messages.add((refused.value.code, refused.value.message))
    assert messages == {("unknown_account", "You have no such trading account.")}
    with pytest.raises(NotFound):
        main_account(viewer=None)


def test_the_database_refuses_a_second_main_account_and_an_account_of_nobody() -> None:
    ada = trader()
    fields = {"name": "x", "trade_group": 1, "created_at": clock.now()}

    for wrong in ({"kind": "main", "owner": ada.user}, {"kind": "main"},
                  {"kind": "house", "owner": ada.user}):  # fmt: skip
        with pytest.raises(IntegrityError), transaction.atomic():
            TradingAccount.objects.create(**fields, **wrong)

    assert TradingAccount.objects.filter(owner=ada.user).count() == 1
