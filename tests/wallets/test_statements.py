"""Statements: sums that agree with the ledger, every entry, files that are bounded and safe."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from apps.core import clock
from apps.core.errors import Invalid
from apps.core.paper import Column, Document, Table, pdf_of
from apps.wallets.actions import deposit, open_sub_account
from apps.wallets.models import LedgerEntry
from apps.wallets.statements import files
from apps.wallets.statements.queries import entries_of, statement_of
from apps.wallets.statements.rules import Period, period_of, recent_months
from tests.api.conftest import code_of
from tests.factories import Trader, house, listed, trader

TODAY = date(2026, 3, 10)
API = "/api/v1/statements"


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ({}, date(2026, 3, 1), date(2026, 3, 31)),
        ({"period": "2024-02"}, date(2024, 2, 1), date(2024, 2, 29)),
        ({"period": "2025-12"}, date(2025, 12, 1), date(2025, 12, 31)),
        ({"period": "2024"}, date(2024, 1, 1), date(2024, 12, 31)),
        ({"first": "2025-03-10", "last": "2026-03-10"}, date(2025, 3, 10), date(2026, 3, 10)),
    ],
)
def test_a_period_is_whole_days(asked: Any, first: date, last: date) -> None:
    assert period_of(**asked, today=TODAY) == Period(first, last)


@pytest.mark.parametrize(
    "asked",
    [
        {"period": "2026-13"}, {"period": "2026-00"}, {"period": "20261"}, {"period": "1999"},
        {"period": "9999"}, {"period": "٢٠٢٦"}, {"period": "2026-04"}, {"period": "0000-01"},
        {"first": "2026-02-30", "last": "2026-03-01"}, {"first": "2026-03-01"},
        {"first": "2026-03-02", "last": "2026-03-01"}, {"first": "20260301", "last": "20260302"},
        {"first": "2025-03-09", "last": "2026-03-10"}, {"period": "2026", "first": "2026-01-01"},
        {"first": "9999-12-31", "last": "9999-12-31"}, {"first": "-", "last": "\x00"},
    ],
)  # fmt: skip
def test_what_is_no_period_is_refused(asked: Any) -> None:
    with pytest.raises(Invalid) as failure:
        period_of(**asked, today=TODAY)

    assert failure.value.code == "invalid_period"


def test_months_go_back_over_the_new_year() -> None:
    assert recent_months(date(2026, 2, 28), 3) == ["2026-02", "2026-01", "2025-12"]


@pytest.fixture
def ada(engine_gateway: Any) -> Iterator[Trader]:
    """Ada got 1,000 USDT in January, bought 0.001 BTC twice in February, sold one in March."""
    with time_machine.travel(datetime(2026, 1, 15, 12, tzinfo=UTC), tick=False) as clock_hand:
        house()
        listed()
        ada, bob = trader("ada@example.com", USDT="1000"), trader(BTC="1", USDT="1000")
        clock_hand.move_to(datetime(2026, 2, 15, 12, tzinfo=UTC))
        for _ in range(2):
            bob.sell("0.001", "60000")
            ada.buy("0.001", "60000")
        clock_hand.move_to(datetime(2026, 3, 5, 12, tzinfo=UTC))
        bob.buy("0.001", "61000")
        ada.sell("0.001", "61000")
        clock_hand.move_to(datetime(2026, 3, 10, 12, tzinfo=UTC))
        yield ada


def _sums(ada: Trader, **asked: str) -> dict[str, tuple[int, ...]]:
    period = period_of(**asked, today=TODAY)
    found = statement_of(viewer=ada.user, period=period, now=clock.now())
    running = {line.asset.code: line.opening_minor for line in found.lines}
    for each in entries_of(found):
        running[each.asset.code] += each.entry.amount_minor
        assert running[each.asset.code] == each.balance_minor
    assert running == {line.asset.code: line.closing_minor for line in found.lines}
    return {
        line.asset.code: (
            line.opening_minor, line.came_minor, line.went_minor, line.fees_minor,
            line.closing_minor,
        )
        for line in found.lines
    }  # fmt: skip


@pytest.mark.django_db
def test_each_period_opens_where_the_one_before_has_closed(ada: Trader) -> None:
    unit = 10**8

    january, february = _sums(ada, period="2026-01"), _sums(ada, period="2026-02")
    march, year = _sums(ada, period="2026-03"), _sums(ada, period="2026")

    assert january == {"USDT": (0, 1000 * unit, 0, 0, 1000 * unit)}
    assert february["USDT"] == (
        1000 * unit, 0, 12012 * unit // 100, 12 * unit // 100, 87988 * unit // 100
    )  # fmt: skip
    assert february["BTC"] == (0, 200_000, 0, 0, 200_000)
    assert march["BTC"] == (200_000, 0, 100_000, 0, 100_000)
    assert march["USDT"][0] == february["USDT"][4]
    assert (march["USDT"][4], march["BTC"][4]) == (ada.has("USDT")[0], ada.has("BTC")[0])
    assert year["USDT"][0] == 0
    assert year["USDT"][4] == march["USDT"][4]


def _client(who: Trader) -> Client:
    client = Client()
    client.force_login(who.user)
    return client


@pytest.mark.django_db
def test_the_csv_has_both_ends_and_every_entry_and_runs_nothing(ada: Trader) -> None:
    usdt = ada.account.balances.get(asset__code="USDT").asset
    deposit(account=ada.account, asset=usdt, amount_minor=1, reference="=1+1")

    with time_machine.travel(datetime(2026, 3, 10, 12, 1, tzinfo=UTC), tick=False):
        answer = _client(ada).get("/wallet/statements.csv", {"period": "2026-03"})
    head, *rows = csv.reader(answer.getvalue().decode().splitlines())

    assert answer["Content-Disposition"] == (
        'attachment; filename="sum1-statement-main-2026-03-01-2026-03-31.csv"'
    )
    assert answer["Cache-Control"] == "no-store"
    assert head[:7] == ["at", "asset", "kind", "reason", "amount", "fee", "balance"]
    assert [row[2] for row in rows] == (
        ["opening"] * 2 + ["trade", "trade", "deposit"] + ["closing"] * 2
    )
    assert rows[2][1:7] == [
        "BTC", "trade", "Given in trade 3", "-0.00100000", "0.00000000", "0.00100000",
    ]  # fmt: skip
    assert rows[4][7] == "'=1+1"
    assert LedgerEntry.objects.filter(account=ada.account).count() == 8


@pytest.mark.django_db
def test_the_pdf_is_the_same_each_time_and_says_what_it_is(ada: Trader) -> None:
    client = APIClient()
    client.force_authenticate(ada.user)

    first, second = (client.get(f"{API}.pdf", {"period": "2026-02"}) for _ in range(2))
    other = client.get(f"{API}.pdf", {"period": "2026-01"})

    assert first["Content-Type"] == "application/pdf"
    assert first.content.startswith(b"%PDF-1.")
    assert first.content == second.content
    assert first.content != other.content
    assert b"Account statement" in first.content
    assert "2026-02-28.pdf" in first["Content-Disposition"]


def test_pages_are_counted_before_they_are_drawn() -> None:
    columns = (Column("Text", 2), Column("Number", 1, True))
    rows = [["=cmd|' /C calc'!A0 \u202e \u0416 😀", "-1.00"]] * 200

    made = pdf_of(Document("Many", "About", [("A", "b")], [Table("T", columns, rows)]))
    wide = pdf_of(Document("Many", "About", [], [Table("T", columns, rows)], ("Note",), wide=True))
    empty = pdf_of(Document("None", "About", [], [Table("T", columns, [])]))

    assert [len(re.findall(rb"/Type /Page\b", pdf)) for pdf in (made, wide, empty)] == [4, 6, 1]
    assert made == pdf_of(Document("Many", "About", [("A", "b")], [Table("T", columns, rows)]))


@pytest.mark.django_db
def test_what_is_too_long_is_refused_with_a_way_out(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PDF_ENTRIES_MAX", 3)
    client = APIClient()
    client.force_authenticate(ada.user)

    refused = client.get(f"{API}.pdf", {"period": "2026-02"})
    page = _client(ada).get("/wallet/statements", {"period": "2026-02"}).content.decode()

    assert code_of(refused) == (422, "statement_too_long")
    assert "Choose a shorter period" in refused.json()["detail"]
    assert client.get(f"{API}.csv", {"period": "2026-02"}).status_code == 200
    assert "statements.pdf" not in page
    assert "take CSV" in page


@pytest.mark.django_db
def test_the_page_and_the_api_say_the_same(ada: Trader) -> None:
    client = APIClient()
    client.force_authenticate(ada.user)

    body = client.get(API, {"first": "2026-02-15", "last": "2026-02-15"}).json()
    page = _client(ada).get("/wallet/statements", {
        "period": "days", "first": "2026-02-15", "last": "2026-02-15",
    }).content.decode()  # fmt: skip
    wrong = _client(ada).get("/wallet/statements", {"period": "soon"})
    now = client.get(API).json()

    assert body["items"][0] == {
        "asset": "USDT", "opening": "1000.00", "came_in": "0.00", "went_out": "120.12",
        "fees": "0.12", "closing": "879.88", "entries": 2,
    }  # fmt: skip
    assert "879.88" in page
    assert "first=2026-02-15&amp;last=2026-02-15" in page
    assert wrong.status_code == 400
    assert (now["first_day"], now["until"]) == ("2026-03-01", "2026-03-10T12:00:00Z")


@pytest.mark.django_db
def test_nobody_reads_a_statement_of_somebody_else(ada: Trader) -> None:
    inside = open_sub_account(actor=ada.user, name="=cmd Ж", now=clock.now())
    stranger = trader("eve@example.com")
    client = APIClient()
    client.force_authenticate(stranger.user)
    theirs = {"account": str(inside.public_id)}

    for path in (API, f"{API}.csv", f"{API}.pdf"):
        assert code_of(client.get(path, theirs)) == (404, "unknown_account")
    for path in ("/wallet/statements", "/wallet/statements.csv", "/wallet/statements.pdf"):
        assert _client(stranger).get(path, theirs).status_code == 404
        assert Client().get(path)["Location"].startswith("/accounts/login/")
    mine = _client(ada).get("/wallet/statements.pdf", theirs)
    assert 'filename="sum1-statement-cmd-2026-03-01-2026-03-31.pdf"' in mine["Content-Disposition"]
    refused = [client.get(f"{API}.csv").status_code for _ in range(20)]
    assert refused[-1] == 429
