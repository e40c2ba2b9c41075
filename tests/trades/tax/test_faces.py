"""Gains on the page, over the API and as files: what they say, and to whom."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from rest_framework.test import APIClient

from apps.core import clock
from apps.trades.models import Position
from apps.trades.tax import files, queries
from apps.wallets.actions import open_sub_account
from apps.wallets.transfers.actions import move_between_own
from tests.api.conftest import code_of
from tests.factories import Trader, house, listed, trader

pytestmark = pytest.mark.django_db
API = "/api/v1/gains"


@pytest.fixture
def ada(engine_gateway: Any) -> Iterator[Trader]:
    """Ada bought 0.001 BTC at 60,000 and at 62,000 in 2025, and sold one at 61,000 in 2026."""
    with time_machine.travel(datetime(2025, 11, 1, 12, tzinfo=UTC), tick=False) as clock_hand:
        house()
        listed()
        ada, bob = trader("ada@example.com", USDT="1000"), trader(BTC="1", USDT="1000")
        for month, price in ((11, "60000"), (12, "62000")):
            clock_hand.move_to(datetime(2025, month, 2, 12, tzinfo=UTC))
            bob.sell("0.001", price)
            ada.buy("0.001", price)
        clock_hand.move_to(datetime(2026, 3, 2, 18, tzinfo=UTC))
        bob.buy("0.001", "61000")
        ada.sell("0.001", "61000")
        clock_hand.move_to(datetime(2026, 3, 10, 12, tzinfo=UTC))
        yield ada


def _api(who: Trader) -> APIClient:
    client = APIClient()
    client.force_authenticate(who.user)
    return client


def _site(who: Trader) -> Client:
    client = Client()
    client.force_login(who.user)
    return client


def test_each_method_sells_another_lot(ada: Trader) -> None:
    client = _api(ada)

    found = {
        method: client.get(API, {"method": method, "period": "2026"}).json()
        for method in ("fifo", "lifo", "hifo")
    }
    before = client.get(API, {"period": "2025"}).json()

    assert found["fifo"]["items"] == [
        {
            "asset": "BTC", "quantity": "0.00100000", "acquired_at": "2025-11-02T12:00:00Z",
            "disposed_at": "2026-03-02T18:00:00Z", "days_held": 120, "acquired_by": "purchase",
            "proceeds": "61.00", "cost": "60.00", "fees": "0.121", "gain": "0.879",
            "lot": found["fifo"]["items"][0]["lot"], "sale": found["fifo"]["items"][0]["sale"],
        }
    ]  # fmt: skip
    assert [found[method]["gain"] for method in found] == ["0.879", "-1.123", "-1.123"]
    assert found["fifo"]["assets"][0]["cost_open"] == "62.062"
    assert found["lifo"]["assets"][0]["cost_open"] == "60.06"
    assert (before["count"], before["assets"][0]["lots_open"]) == (0, 2)


def test_when_all_is_sold_it_is_the_position_less_its_fees(ada: Trader) -> None:
    bob = trader(USDT="1000")
    bob.buy("0.001", "64000")
    ada.sell("0.001", "64000")
    position = Position.objects.get(account=ada.account)
    unit = 10**8

    with time_machine.travel(datetime(2026, 3, 11, tzinfo=UTC), tick=False):
        sums = {
            _api(ada).get(API, {"method": method, "period": "2026"}).json()["gain"]
            for method in ("fifo", "lifo", "hifo")
        }

    (gain,) = sums
    assert position.quantity_minor == 0
    assert round(float(gain) * unit) == position.realised_minor - position.fees_minor


def test_what_moves_between_accounts_makes_no_gain(ada: Trader) -> None:
    inside = open_sub_account(actor=ada.user, name="Long term", now=clock.now())
    move_between_own(
        actor=ada.user, to_account=inside.public_id, asset="BTC", amount="0.0005", now=clock.now()
    )

    with time_machine.travel(datetime(2026, 3, 11, tzinfo=UTC), tick=False):
        there = _api(ada).get(API, {"period": "2026", "account": str(inside.public_id)}).json()
        here = _api(ada).get(API, {"period": "2026"}).json()
        paper = _api(ada).get(f"{API}.pdf", {"period": "2026"})

    assert (there["count"], there["assets"][0]["cost_open"]) == (0, "30.50")
    assert (here["gain"], here["assets"][0]["cost_open"]) == ("0.879", "31.031")
    assert paper.content.startswith(b"%PDF-1.")


def test_the_page_and_the_files(ada: Trader) -> None:
    client = _site(ada)

    page = client.get("/gains", {"period": "2026", "method": "lifo"}).content.decode()
    head, row = csv.reader(
        client.get("/gains.csv", {"period": "2026", "method": "lifo"})
        .getvalue().decode().splitlines()
    )  # fmt: skip
    papers = [client.get("/gains.pdf", {"period": "2026"}).content for _ in range(2)]

    assert "Last in, first out" in page
    assert "-1.12" in page
    assert "2025-12-02 12:00" in page
    assert row[head.index("gain")] == "-1.123"
    assert papers[0] == papers[1]


def test_what_is_too_long_or_unknown_is_refused(
    ada: Trader, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, site = _api(ada), _site(ada)

    for wrong in ({"method": "best"}, {"period": "2026-3"}, {"method": "fifo", "lots": "1"}):
        assert client.get(API, wrong).status_code == 400
    assert site.get("/gains", {"method": "best"}).status_code == 400
    monkeypatch.setattr(files, "PDF_ROWS_MAX", 0)
    paper = client.get(f"{API}.pdf", {"period": "2026"})
    monkeypatch.setattr(queries, "MOVEMENTS_MAX", 2)
    assert code_of(paper) == (422, "statement_too_long")
    assert code_of(client.get(API, {"period": "2026"})) == (422, "history_too_long")


def test_nobody_reads_the_gains_of_somebody_else(ada: Trader) -> None:
    eve = trader("eve@example.com")
    theirs = {"account": str(ada.account.public_id)}

    for path in (API, f"{API}.csv", f"{API}.pdf"):
        assert code_of(_api(eve).get(path, theirs)) == (404, "unknown_account")
    for path in ("/gains", "/gains.csv", "/gains.pdf"):
        assert _site(eve).get(path, theirs).status_code == 404
        assert Client().get(path)["Location"].startswith("/accounts/login/")
