"""The ledger for staff: whole movements, found by what staff have in hand, at a fixed price."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.accounts import roles
from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import NotAllowed
from apps.matching.queries import projected_seq
from apps.wallets.custody import simulated
from apps.wallets.deposits.actions import address_for, follow_all
from apps.wallets.deposits.models import ChainDeposit
from apps.wallets.explorer import queries
from apps.wallets.explorer.queries import Found, Wanted, movements_page
from apps.wallets.models import InternalTransfer, LedgerEntry
from apps.wallets.transfers.actions import send_to_person
from apps.wallets.withdrawals.models import Withdrawal
from tests import factories
from tests.wallets.withdrawing import confirmed, go_on, rich

pytestmark = pytest.mark.django_db
LEDGER = "/admin/wallets/ledgerentry/"
BLOCKS_TO_FINAL = 8


@pytest.fixture
def ada(settings: Any) -> factories.Trader:
    """Ada and Bob have traded, she has sent him something, and coins came and went by chain."""
    settings.DEMO = False
    settings.CUSTODY = "apps.wallets.custody.simulated.SimulatedCustody"
    factories.house()
    ada = rich("ada@example.com", USDT="10000", BTC="1")
    bob = factories.trader("bob@example.com", USDT="10000", BTC="1")
    bob.sell("0.00200", "50000.00")
    ada.buy("0.00100", "50000.00")
    send_to_person(actor=ada.user, to="bob@example.com", asset="USDT", amount="7",
                   proved_at=clock.now(), now=clock.now())  # fmt: skip
    withdrawal = confirmed(ada, "100")
    go_on(rounds=BLOCKS_TO_FINAL)
    withdrawal.refresh_from_db()
    assert withdrawal.state == "settled"
    return ada


def treasurer(name: str = "tess") -> User:
    person = factories.staff(f"{name}@example.com")
    person.groups.add(Group.objects.get(name=roles.TREASURY))
    return User.objects.get(pk=person.pk)


def look(viewer: User, before: int | None = None, **wanted: Any) -> Found:
    return movements_page(viewer=viewer, wanted=Wanted(**wanted), before=before)


def kinds(found: Found) -> list[str]:
    return [row.kind for row in found.movements]


def test_each_movement_has_all_its_legs_which_sum_to_zero(ada: factories.Trader) -> None:
    tess = treasurer()
    found = look(tess, account_id=ada.account.id)

    assert kinds(found) == ["withdrawal", "transfer", "trade", "deposit", "deposit"]
    trade = found.movements[2]
    assert [leg.kind for leg in trade.legs] == ["trade"] * 4 + ["fee"]
    assert (trade.legs_in_all, trade.legs_left_out, trade.is_balanced) == (5, 0, True)
    assert set(trade.sums.values()) == {0}
    assert {leg.account_id for leg in trade.legs} >= {ada.account.id, 2}
    assert all(row.is_balanced for row in found.movements)
    assert (found.next, found.looked_back_to) == (None, None)


def test_it_is_found_by_whatever_staff_have_in_hand(ada: factories.Trader) -> None:
    tess = treasurer()
    withdrawal, sent = Withdrawal.objects.get(), InternalTransfer.objects.get()
    trade = LedgerEntry.objects.filter(kind="trade")[0]
    usdt = LedgerEntry.objects.filter(kind="transfer")[0].asset_id

    by: dict[str, list[str]] = {
        "txid": kinds(look(tess, reference=withdrawal.txid)),
        "public id": kinds(look(tess, reference=str(withdrawal.public_id))),
        "transfer": kinds(look(tess, reference=str(sent.public_id))),
        "its own": kinds(look(tess, reference=f"transfer:{sent.public_id}")),
        "trade": kinds(look(tess, reference=trade.reference, kind="trade")),
        "seq": kinds(look(tess, seq=trade.seq)),
        "kind": kinds(look(tess, kind="withdrawal")),
        "asset": kinds(look(tess, kind="transfer", asset_id=usdt)),
        "nothing": kinds(look(tess, reference="no such thing")),
        "no seq": kinds(look(tess, seq=10**9)),
    }

    assert by == {
        "txid": ["withdrawal"], "public id": ["withdrawal"], "transfer": ["transfer"],
        "its own": ["transfer"], "trade": ["trade"], "seq": ["trade"], "kind": ["withdrawal"],
        "asset": ["transfer"], "nothing": [], "no seq": [],
    }  # fmt: skip


def test_a_period_holds_what_is_in_it(ada: factories.Trader) -> None:
    tess, now = treasurer(), clock.now()
    hour = timedelta(hours=1)

    inside = look(tess, since=now - hour, until=now + hour)
    later = look(tess, since=now + hour)
    earlier = look(tess, until=now - hour)
    mine = look(tess, account_id=ada.account.id, until=now - hour)

    assert len(inside.movements) == 7
    assert (later.movements, earlier.movements, mine.movements) == ([], [], [])


def test_pages_follow_each_other_and_lose_nothing(
    ada: factories.Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    tess = treasurer()
    whole = [(row.seq, row.event_index) for row in look(tess).movements]
    monkeypatch.setattr(queries, "MOVEMENTS_SHOWN", 2)

    for wanted in ({}, {"kind": "deposit"}, {"account_id": ada.account.id}):
        expected = [(r.seq, r.event_index) for r in _all(tess, wanted, monkeypatch, shown=100)]
        turned = [(r.seq, r.event_index) for r in _all(tess, wanted, monkeypatch, shown=2)]
        assert turned == expected
        assert len(set(turned)) == len(turned)
    assert len(whole) == 7


def _all(
    tess: User, wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch, shown: int
) -> list[queries.MovementRow]:
    monkeypatch.setattr(queries, "MOVEMENTS_SHOWN", shown)
    rows, before = [], None
    for _ in range(20):
        found = look(tess, before, **wanted)
        rows += found.movements
        if found.next is None:
            return rows
        before = int(found.next)
    raise AssertionError("The pages do not end.")


def test_what_names_no_account_is_looked_for_among_so_many_commands(
    ada: factories.Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    tess = treasurer()
    monkeypatch.setattr(queries, "COMMANDS_LOOKED_AT", 3)

    first = look(tess, kind="trade")

    assert first.movements == []
    assert first.looked_back_to == projected_seq() + 1 - 3
    assert kinds(Found(_all(tess, {"kind": "trade"}, monkeypatch, 25), None, None)) == ["trade"]


def test_it_costs_the_same_however_much_there_is(ada: factories.Trader, client: Client) -> None:
    client.force_login(treasurer())
    address = f"{LEDGER}?account={ada.account.id}"
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for _ in range(12):
        factories.fund(ada.account, "USDT", "1")
        send_to_person(
            actor=ada.user,
            to="bob@example.com",
            asset="USDT",
            amount="1",
            proved_at=clock.now(),
            now=clock.now(),
        )

    with CaptureQueriesContext(connection) as many:
        page = client.get(address).content.decode()

    assert len(many) == len(few)
    assert page.count("legs together") == queries.MOVEMENTS_SHOWN
    assert "Older" in page


def test_the_page_leads_to_what_is_behind_each(
    ada: factories.Trader, client: Client, settings: Any
) -> None:
    address = address_for(actor=ada.user, asset="BTC", now=clock.now()).address
    simulated.pay_in(outputs=[(address, "BTC", 10**7)], now=clock.now())
    simulated.mine("bitcoin", now=clock.now(), blocks=BLOCKS_TO_FINAL)
    follow_all(now=clock.now())
    came = ChainDeposit.objects.get(state="credited")
    withdrawal, sent = Withdrawal.objects.get(), InternalTransfer.objects.get()
    client.force_login(treasurer())

    page = client.get(LEDGER, {"account": "ada@example.com"}).content.decode()
    by_transaction = client.get(LEDGER, {"reference": came.txid}).content.decode()

    assert f"/admin/wallets/chaindeposit/{came.pk}/change/" in page
    assert f"/admin/wallets/withdrawal/{withdrawal.pk}/change/" in page
    assert f"/admin/wallets/internaltransfer/{sent.pk}/change/" in page
    assert f"/admin/trades/fill/?account__id__exact={ada.account.id}&amp;trade_id=" in page
    assert "bob@example.com" in page
    assert "do not sum to zero" not in page
    assert by_transaction.count("legs together") == 1
    # Links of lists name the account as the admin's filters do.
    linked = client.get(LEDGER, {"account__id__exact": str(ada.account.id)}).content.decode()
    assert linked.count("legs together") == page.count("legs together")


@pytest.mark.parametrize(
    "asked",
    [
        {"account": "nobody@example.com"}, {"account": "x"}, {"account": "9" * 30},
        {"account": "\x00"}, {"asset": "NONE"}, {"kind": "gift"}, {"seq": "-1"}, {"seq": "٣"},
        {"seq": "9" * 18}, {"since": "yesterday"}, {"before": "x"}, {"since": "2026-11-22 99:99"},
        {"since": "2026-11-23", "until": "2026-11-22"}, {"reference": "'; DROP TABLE x; --"},
        {"account": "-7"}, {"reference": "block 9999999999999999"}, {"reference": "9" * 40},
        {"before": "99999999999999999999"}, {"since": "0001-01-01"}, {"until": "9999-12-31"},
    ],
)  # fmt: skip
def test_hostile_questions_find_nothing_and_break_nothing(
    ada: factories.Trader, client: Client, asked: dict[str, str]
) -> None:
    client.force_login(treasurer())

    answer = client.get(LEDGER, asked)

    assert answer.status_code == 200
    if "since" not in asked and "until" not in asked:
        assert "legs together" not in answer.content.decode()


def test_who_has_no_right_sees_nothing(ada: factories.Trader, client: Client) -> None:
    helper = factories.staff("sue@example.com")
    helper.groups.add(Group.objects.get(name=roles.SUPPORT))
    client.force_login(helper)

    assert client.get(LEDGER).status_code == 403
    assert client.get(f"{LEDGER}1/change/").status_code == 403
    for viewer in (ada.user, helper):
        with pytest.raises(NotAllowed):
            look(viewer)
    client.force_login(treasurer())
    assert client.get(f"{LEDGER}1/change/").status_code == 404


@pytest.mark.breaks_ledger
def test_legs_that_do_not_sum_to_zero_are_an_alarm(ada: factories.Trader, client: Client) -> None:
    entry = LedgerEntry.objects.filter(kind="transfer")[0]
    LedgerEntry.objects.filter(pk=entry.pk).update(amount_minor=entry.amount_minor + 1)
    client.force_login(treasurer())

    page = client.get(LEDGER, {"seq": str(entry.seq)}).content.decode()

    assert "These legs do not sum to zero" in page


@pytest.mark.parametrize(
    "wanted",
    [{"seq": 3}, {"reference": "transfer:x"}, {"kind": "withdrawal"}, {"account_id": 1000}],
)
def test_no_question_reads_the_whole_ledger(ada: factories.Trader, wanted: dict[str, Any]) -> None:
    tess = treasurer()
    with CaptureQueriesContext(connection) as asked:
        look(tess, since=clock.now() - timedelta(hours=1), **wanted)
    plans = []
    with connection.cursor() as cursor:
        # Where a table is small PostgreSQL reads all of it, whatever indexes there are.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for query in asked.captured_queries:
            if "wallets_ledgerentry" in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(line for (line,) in cursor.fetchall()))

    assert plans
    assert [plan for plan in plans if "Seq Scan on wallets_ledgerentry" in plan] == []
