"""The desk from which staff run markets: terms and fees, stopping, listing, each by its right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from apps.accounts import roles
from apps.markets.models import Instrument, MarketChange, StaffRequest
from apps.markets.terms import effects, parse_terms, typed_of
from apps.matching.queries import journaled_seq
from tests.factories import listed, market_staff, person, staff

NEW = {
    "base": "SOL", "quote": "BTC", "tick_size": "0.000001", "lot_size": "0.01",
    "min_quantity_lots": "0.01", "max_quantity_lots": "1000", "min_notional_minor": "0.0001",
    "max_notional_minor": "", "maker_fee_ppm": "0.05", "taker_fee_ppm": "0.1", "band_bps": "10",
    "max_position_lots": "", "limit_state_seconds": "15", "halt_seconds": "300",
    "reason": "asked for by many",
}  # fmt: skip


@pytest.fixture
def market() -> Instrument:
    return listed()


def page_of(market: Instrument) -> str:
    return f"/admin/markets/instrument/{market.id}/change/"


def words(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_a_fee_is_changed_by_two_who_see_what_it_does(market: Instrument, client: Client) -> None:
    client.force_login(market_staff())
    typed = {**typed_of(market), "act": "terms", "maker_fee_ppm": "0.07", "reason": "cheaper"}
    asked = client.post(page_of(market), typed, follow=True)
    alone = client.post(asked.redirect_chain[-1][0], {"act": "approve"}, follow=True)
    fee_alone = Instrument.objects.get().maker_fee_ppm

    client.force_login(market_staff())
    waiting = words(client.get(page_of(market)))
    client.post(asked.redirect_chain[-1][0], {"act": "approve"})

    shown = words(asked)
    assert '<td class="number">0.08 %</td><td class="number"><strong>0.07 %' in shown
    assert (
        "An order that rests and is filled later pays less: 0.70 USDT of a trade of 1000 USDT,"
        " instead of 0.80 USDT." in shown
    )
    assert "Approve and carry out" not in shown
    assert "Another member of staff has to approve this." in words(alone)
    assert fee_alone == 800
    assert "Change terms of a market</a> waits for a second person" in waiting
    assert Instrument.objects.get().maker_fee_ppm == 700
    assert "Maker fee: 0.08 % → 0.07 %" in words(client.get(page_of(market)))


def test_what_is_typed_wrongly_is_said_at_its_field_and_kept(
    market: Instrument, client: Client
) -> None:
    client.force_login(market_staff())
    wrong = {
        "maker_fee_ppm": "11", "taker_fee_ppm": "0.00001", "band_bps": "0",
        "min_notional_minor": "1e3", "max_notional_minor": "4", "min_quantity_lots": "0.000001",
        "max_quantity_lots": "-1", "halt_seconds": "86401",
    }  # fmt: skip

    answer = client.post(page_of(market), {**typed_of(market), **wrong, "act": "terms"})

    shown = words(answer)
    for said in (
        "A fee is from 0 to 10 %, with at most four decimals.",
        "The band is from 0.01 to 100 %, with at most two decimals.",
        "An amount of USDT with at most 8 decimals, like 5 or 0.25.",
        "Quantities of BTC-USDT go in steps of 0.00001 BTC.",
        "A quantity of BTC with at most 8 decimals, like 5 or 0.25.",
        "Whole seconds, from 0 to 86400.",
    ):
        assert said in shown, said
    assert 'value="0.000001"' in shown
    assert not StaffRequest.objects.exists()


def test_a_maximum_below_its_minimum_is_refused(market: Instrument) -> None:
    typed = {**typed_of(market), "min_notional_minor": "10", "max_notional_minor": "5"}

    read, wrong = parse_terms(typed, market)

    assert wrong == {
        "max_notional_minor": "Maximum value of an order is below: minimum value of an order."
    }
    assert read["max_notional_minor"] == 5 * 10**8


def test_effects_are_told_in_plain_words(market: Instrument) -> None:
    changes = {
        "taker_fee_ppm": [1000, 1500], "max_notional_minor": [20_000_000 * 10**8, 0],
        "band_bps": [1000, 500],
    }  # fmt: skip

    assert effects(changes, market) == [
        "An order that is filled at once pays more: 1.50 USDT of a trade of 1000 USDT, instead of"
        " 1.00 USDT.",
        "There is no upper limit to what an order is worth.",
        "Prices more than 5.00 % away from the reference of five minutes are not traded.",
        "Orders that are open keep the fees that they were placed with.",
        "Orders that are open stay as they are.",
    ]


def test_a_market_is_halted_by_one_for_a_reason_and_opened_by_two(
    market: Instrument, client: Client
) -> None:
    first, second = market_staff(), market_staff()
    client.force_login(first)
    silent = client.post(page_of(market), {"act": "halt", "reason": " "})
    state_silent = Instrument.objects.get().state
    client.post(page_of(market), {"act": "halt", "reason": "odd prices"})
    state_halted = Instrument.objects.get().state
    asked = client.post(page_of(market), {"act": "open", "reason": "prices are sound"})
    client.post(asked["Location"], {"act": "approve"})
    state_alone = Instrument.objects.get().state
    client.force_login(second)
    client.post(asked["Location"], {"act": "approve"})

    assert "Say why, in up to 200 characters" in words(silent)
    assert (state_silent, state_halted, state_alone) == (1, 3, 3)
    assert Instrument.objects.get().state == Instrument.State.OPEN
    rows = MarketChange.objects.filter(instrument=market).values_list(
        "kind", "reason", "actor", "approved_by"
    )
    assert list(rows)[:2] == [
        ("opened", "prices are sound", first.pk, second.pk),
        ("halted", "odd prices", first.pk, None),
    ]


def test_a_market_is_listed_from_the_desk(market: Instrument, client: Client) -> None:
    client.force_login(market_staff())
    bad = client.post("/admin/markets/instrument/new/", {**NEW, "max_quantity_lots": ""})
    same = client.post("/admin/markets/instrument/new/", {**NEW, "quote": "SOL"})
    rough = client.post("/admin/markets/instrument/new/", {**NEW, "tick_size": "0.00000001"})
    asked = client.post("/admin/markets/instrument/new/", NEW)
    client.force_login(market_staff())
    client.post(asked["Location"], {"act": "approve"})

    assert "A new market needs a maximum quantity." in words(bad)
    assert "Choose two assets that are not the same." in words(same)
    assert "One tick times one lot must be whole minor units." in words(rough)
    made = Instrument.objects.get(symbol="SOL-BTC")
    assert (made.id, made.maker_fee_ppm, made.max_notional_minor, made.state) == (2, 500, 0, 1)
    assert json.loads(StaffRequest.objects.get().spec)["market_id"] == 2


def test_who_has_no_right_sees_and_changes_nothing(market: Instrument, client: Client) -> None:
    nobody, support, looks = person(), staff(), staff()
    before = journaled_seq()
    support.groups.add(Group.objects.get(name=roles.SUPPORT))
    looks.user_permissions.add(
        *Group.objects.get(name=roles.MARKET_OPERATIONS).permissions.filter(
            codename__startswith="view_"
        )
    )
    halt = {"act": "halt", "reason": "because"}
    request = StaffRequest.objects.create(
        kind="open", instrument=market, asked_by=looks, asked_at="2026-01-01T00:00:00Z",
        expires_at="2099-01-01T00:00:00Z",
    )  # fmt: skip
    decision = f"/admin/markets/staffrequest/{request.pk}/change/"

    codes = []
    for who in (nobody, support, looks):
        client.force_login(who)
        for path in (page_of(market), decision, "/admin/markets/instrument/new/"):
            codes.append((client.get(path).status_code, client.post(path, halt).status_code))
    client.force_login(looks)
    decided = client.post(decision, {"act": "approve"}, follow=True)

    # Who is no staff is sent to sign in; who looks may look, and is refused by the action.
    assert codes[3:] == [(403, 403)] * 3 + [(200, 403), (200, 403), (403, 403)]
    assert all(got in (302, 403) and posted in (302, 403) for got, posted in codes[:3])
    assert "Only staff who run the markets" in words(decided)
    assert journaled_seq() == before
    assert Instrument.objects.get().state == Instrument.State.OPEN
    request.refresh_from_db()
    assert request.status == "pending"


def test_the_page_of_a_market_takes_the_same_queries_however_much_was_done(
    market: Instrument, client: Client, django_assert_num_queries: Any
) -> None:
    client.force_login(market_staff())
    client.get(page_of(market))
    for _ in range(3):
        client.post(page_of(market), {"act": "halt", "reason": "again"})
        client.post(page_of(market), {"act": "open", "reason": "again"})

    with django_assert_num_queries(QUERIES):
        client.get(page_of(market))


# Session, person, rights twice (own and of roles), the market, what waits, what was done.
QUERIES = 7
