"""Listing markets and changing their terms."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from apps.accounts.models import User
from apps.core.errors import (
    Conflict,
    DomainError,
    Invalid,
    NotAllowed,
    Paused,
    Refused,
    Unavailable,
)
from apps.markets.actions import (
    as_engine_has_it,
    call_auction,
    engine_instrument,
    list_instrument,
    reopen_market,
    set_instrument,
)
from apps.markets.catalogue import STANDARD_MARKETS
from apps.markets.models import Instrument
from apps.markets.presentation import instrument_json
from apps.matching.queries import journaled_seq, projected_seq
from tests.factories import listed, market_staff, person, staff, trader

BTC_USDT = STANDARD_MARKETS[0]


def test_the_standard_markets_are_listed_with_their_steps() -> None:
    for spec in STANDARD_MARKETS:
        list_instrument(actor=None, spec=spec)

    shown = [
        (row["symbol"], row["tick_size"], row["lot_size"], row["min_notional"])
        for row in map(instrument_json, Instrument.objects.select_related("base", "quote"))
    ]
    assert shown == [
        ("BTC-USDT", "0.01", "0.00001", "5.00"),
        ("ETH-USDT", "0.01", "0.0001", "5.00"),
        ("SOL-USDT", "0.01", "0.001", "5.00"),
        ("XRP-USDT", "0.0001", "0.1", "5.00"),
        ("DOGE-USDT", "0.00001", "1", "5.00"),
        ("ETH-BTC", "0.00001", "0.001", "0.00010000"),
    ]


def test_a_market_is_shown_with_all_its_terms() -> None:
    assert instrument_json(listed()) == {
        "symbol": "BTC-USDT", "base": "BTC", "quote": "USDT", "state": "open",
        "tick_size": "0.01", "lot_size": "0.00001", "min_quantity": "0.00001",
        "max_quantity": "1000.00000", "min_notional": "5.00", "max_notional": "20000000.00",
        "maker_fee": "0.0008", "taker_fee": "0.0010", "price_band": "0.10",
        "phase": "trading", "phase_until": None,
        "auction": None, "last_auction": None,
    }  # fmt: skip


def test_listing_again_changes_nothing_and_another_market_is_refused() -> None:
    before = listed()

    list_instrument(actor=None, spec=BTC_USDT)
    # The same market with other terms, as after an upgrade of the catalogue: it stays as it is.
    list_instrument(actor=None, spec=replace(BTC_USDT, maker_fee_ppm=1))
    with pytest.raises(Conflict) as refused:
        list_instrument(actor=None, spec=replace(STANDARD_MARKETS[1], market_id=1))

    assert refused.value.code == "market_exists"
    assert as_engine_has_it(Instrument.objects.get()) == as_engine_has_it(before)


def test_a_market_is_not_listed_under_a_second_number() -> None:
    listed()
    actor, second = market_staff(), market_staff()
    before = journaled_seq()

    with pytest.raises(Conflict) as refused:
        list_instrument(actor=actor, approved_by=second, spec=replace(BTC_USDT, market_id=7))

    assert refused.value.code == "market_exists"
    assert journaled_seq() == before


def test_terms_of_a_market_are_changed_by_market_staff() -> None:
    instrument = listed()

    seq = set_instrument(
        actor=market_staff(), approved_by=market_staff(), instrument=instrument,
        state=Instrument.State.HALTED, taker_fee_ppm=500,
    )  # fmt: skip

    changed = Instrument.objects.get()
    assert (changed.state, changed.taker_fee_ppm, changed.seq) == (3, 500, seq)
    assert (changed.maker_fee_ppm, changed.tick_size_minor) == (800, 1_000_000)


def test_a_change_made_from_an_older_view_undoes_no_other() -> None:
    before = listed()
    set_instrument(actor=market_staff(), instrument=before, state=Instrument.State.HALTED)

    set_instrument(
        actor=market_staff(), approved_by=market_staff(), instrument=before, taker_fee_ppm=500
    )

    changed = Instrument.objects.get()
    assert (changed.state, changed.taker_fee_ppm) == (Instrument.State.HALTED, 500)


def test_while_the_records_are_behind_a_market_can_be_closed_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    instrument = listed()
    monkeypatch.setattr("apps.markets.actions.wait_for_seq", lambda seq, seconds: False)

    changes: tuple[dict[str, Any], ...] = (
        {"taker_fee_ppm": 500},
        {"state": 1},
        {"state": 3, "band_bps": 500},
    )
    for change in changes:
        with pytest.raises(Unavailable) as refused:
            set_instrument(actor=None, instrument=instrument, **change)
        assert refused.value.code == "not_yet_projected"
    set_instrument(actor=None, instrument=instrument, state=Instrument.State.HALTED)

    changed = Instrument.objects.get()
    assert (changed.state, changed.taker_fee_ppm) == (Instrument.State.HALTED, 1000)


@pytest.mark.parametrize("who", [person, staff])
def test_who_does_not_run_markets_lists_and_changes_none(who: Callable[[], User]) -> None:
    instrument, nobody = listed(), who()
    before = projected_seq()

    for work in (
        lambda: list_instrument(actor=nobody, spec=STANDARD_MARKETS[1]),
        lambda: set_instrument(actor=nobody, instrument=instrument, state=3),
    ):
        with pytest.raises(NotAllowed) as refused:
            work()
        assert refused.value.code == "staff_only"

    assert projected_seq() == before


def test_the_engine_refuses_terms_that_make_no_sense() -> None:
    instrument = listed()

    with pytest.raises(Refused) as refused:
        set_instrument(actor=None, instrument=instrument, band_bps=0)

    assert refused.value.code == "invalid_instrument"
    assert Instrument.objects.get().band_bps == 1000


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"base": "XYZ"}, "unknown_asset"),
        ({"tick_size": "0.00000001"}, "invalid_instrument"),
        ({"min_quantity": "0.000015"}, "lot_size"),
        ({"tick_size": "0"}, "invalid_amount"),
        ({"tick_size": "abc"}, "invalid_amount"),
    ],
)
def test_a_spec_that_is_not_whole_is_refused(wrong: dict[str, Any], code: str) -> None:
    with pytest.raises(DomainError) as refused:
        list_instrument(actor=None, spec=replace(BTC_USDT, **wrong))

    assert refused.value.code == code
    assert not Instrument.objects.exists()


def test_one_tick_of_one_lot_is_whole_minor_units() -> None:
    instrument = engine_instrument(BTC_USDT)

    assert (instrument.lot_minor, instrument.tick_lot_minor) == (1_000, 10)
    with pytest.raises(Invalid):
        engine_instrument(replace(BTC_USDT, tick_size="0.0001", lot_size="0.00001"))


def test_a_halted_market_takes_no_orders_and_says_so() -> None:
    instrument = listed()
    ada = trader(USDT="1000")
    set_instrument(actor=None, instrument=instrument, state=Instrument.State.HALTED)

    with pytest.raises(Paused) as refused:
        ada.buy("0.01", "50000")

    assert refused.value.code == "trading_halted"
    assert refused.value.message == (
        "Trading in BTC-USDT is halted. Your open orders rest; try again later."
        " Nothing was ordered."
    )
    assert ada.has("USDT") == (1000 * 10**8, 0)


def test_no_member_of_staff_opens_or_lists_a_market_alone() -> None:
    market, first, other, nobody = listed(), market_staff(), market_staff(), person()
    set_instrument(actor=first, instrument=market, state=Instrument.State.HALTED)
    before = journaled_seq()

    def attempts(second: User | None) -> list[Callable[[], int]]:
        both: dict[str, Any] = {"actor": first, "approved_by": second}
        opened = Instrument.State.OPEN
        return [
            lambda: list_instrument(**both, spec=STANDARD_MARKETS[1]),
            lambda: set_instrument(**both, instrument=market, state=opened),
            lambda: set_instrument(**both, instrument=market, maker_fee_ppm=1),
            lambda: call_auction(**both, instrument=market, seconds=60),
            lambda: reopen_market(**both, instrument=market),
        ]

    codes = []
    for second in (None, first, nobody):
        for attempt in attempts(second):
            with pytest.raises(NotAllowed) as refused:
                attempt()
            codes.append(refused.value.code)

    assert codes == ["second_person_required"] * 10 + ["staff_only"] * 5
    assert journaled_seq() == before
    set_instrument(actor=first, approved_by=other, instrument=market, state=1)
    assert Instrument.objects.get().state == Instrument.State.OPEN


def test_only_these_actions_tell_the_engine_to_list_or_open() -> None:
    commands = r"\b(ListInstrument|SetInstrument|CallAuction|ReopenMarket)\("
    tellers = {
        path.relative_to(settings.BASE_DIR).as_posix()
        for path in (settings.BASE_DIR / "apps").rglob("*.py")
        if "apps/engine" not in path.as_posix() and re.search(commands, path.read_text())
    }

    assert tellers == {"apps/markets/actions.py"}
