"""What takes two members of staff, and phases of a market as its row and the API tell them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError
from apps.engine.messages import SetReference
from apps.markets import approvals
from apps.markets.actions import call_auction, kill_market, reopen_market, set_instrument
from apps.markets.catalogue import STANDARD_MARKETS
from apps.markets.models import Instrument, MarketChange, StaffRequest
from apps.markets.presentation import instrument_json
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from tests.factories import listed, market_staff, person, staff, trader

NOW = clock.parse_iso("2026-11-21T12:00:00Z")


@pytest.fixture
def market() -> Instrument:
    return listed()


def asked(kind: StaffRequest.Kind, market: Instrument | None = None, **more: Any) -> StaffRequest:
    return approvals.ask_for(
        actor=market_staff(), kind=kind, instrument=market, reason="planned", now=NOW, **more
    )


def test_a_halted_market_is_opened_by_two(market: Instrument) -> None:
    set_instrument(actor=None, instrument=market, state=Instrument.State.HALTED)
    request = asked(StaffRequest.Kind.OPEN, market)
    second = market_staff()

    with pytest.raises(DomainError) as alone:
        approvals.approve(actor=request.asked_by, request_id=request.id, now=NOW)
    approvals.approve(actor=second, request_id=request.id, now=NOW)
    with pytest.raises(DomainError) as again:
        approvals.approve(actor=second, request_id=request.id, now=NOW)

    assert (alone.value.code, again.value.code) == ("second_person_required", "request_decided")
    assert Instrument.objects.get().state == Instrument.State.OPEN
    request.refresh_from_db()
    assert (request.status, request.decided_by, request.decided_at) == ("approved", second, NOW)


def test_a_request_expires_and_can_be_turned_down(market: Instrument) -> None:
    request = asked(StaffRequest.Kind.OPEN, market)
    second = market_staff()

    with pytest.raises(DomainError) as late:
        approvals.approve(actor=second, request_id=request.id, now=NOW + timedelta(hours=24))
    approvals.reject(actor=request.asked_by, request_id=request.id, now=NOW)
    with pytest.raises(DomainError) as rejected:
        approvals.approve(actor=second, request_id=request.id, now=NOW)

    assert (late.value.code, rejected.value.code) == ("request_expired", "request_decided")


@pytest.mark.parametrize("who", [person, staff])
def test_who_does_not_run_markets_asks_and_approves_nothing(
    market: Instrument, who: Callable[[], User]
) -> None:
    nobody = who()
    request = asked(StaffRequest.Kind.OPEN, market)

    for attempt in (
        lambda: approvals.ask_for(
            actor=nobody, kind="open", instrument=market, reason="why", now=NOW
        ),
        lambda: approvals.approve(actor=nobody, request_id=request.id, now=NOW),
        lambda: approvals.reject(actor=nobody, request_id=request.id, now=NOW),
    ):
        with pytest.raises(DomainError) as refused:
            attempt()
        assert refused.value.code == "staff_only"
    request.refresh_from_db()
    assert (request.status, StaffRequest.objects.count()) == ("pending", 1)


@pytest.mark.parametrize("lost", ["is_staff", "is_active"])
def test_what_somebody_asked_who_is_no_longer_staff_is_turned_down(
    market: Instrument, lost: str
) -> None:
    set_instrument(actor=None, instrument=market, state=Instrument.State.HALTED)
    request = asked(StaffRequest.Kind.OPEN, market)
    setattr(request.asked_by, lost, False)
    request.asked_by.save(update_fields=[lost])
    second = market_staff()

    with pytest.raises(DomainError) as refused:
        approvals.approve(actor=second, request_id=request.id, now=NOW)
    approvals.reject(actor=second, request_id=request.id, now=NOW)

    assert refused.value.code == "asker_not_staff"
    assert refused.value.message.startswith("Who asked for this no longer runs the markets.")
    assert Instrument.objects.get().state == Instrument.State.HALTED
    request.refresh_from_db()
    assert request.status == "rejected"


def test_an_auction_is_called_and_ended_by_two(market: Instrument) -> None:
    second = market_staff()
    set_instrument(actor=None, instrument=market, state=Instrument.State.HALTED)
    call = asked(StaffRequest.Kind.CALL_AUCTION, market)
    approvals.approve(actor=second, request_id=call.id, now=NOW)
    calling = instrument_json(Instrument.objects.select_related("base", "quote").get())
    end = approvals.ask_for(
        actor=second, kind="reopen", instrument=market, reference="60000.00", reason="now",
        now=NOW,
    )  # fmt: skip

    approvals.approve(actor=call.asked_by, request_id=end.id, now=NOW)

    assert (calling["state"], calling["phase"]) == ("open", "auction")
    assert calling["phase_until"] is not None
    after = Instrument.objects.get()
    assert (after.phase, after.phase_until) == (Instrument.Phase.TRADING, None)


def test_what_the_engine_refuses_stays_to_be_decided(market: Instrument) -> None:
    request = asked(StaffRequest.Kind.REOPEN, market)

    with pytest.raises(DomainError) as refused:
        approvals.approve(actor=market_staff(), request_id=request.id, now=NOW)

    assert refused.value.code == "no_auction"
    request.refresh_from_db()
    assert request.status == "pending"


def test_where_the_reference_is_refused_the_auction_goes_on(market: Instrument) -> None:
    call_auction(actor=market_staff(), approved_by=market_staff(), instrument=market, seconds=60)

    with pytest.raises(DomainError) as refused:
        reopen_market(
            actor=market_staff(), approved_by=market_staff(), instrument=market, reference_ticks=-1
        )

    assert refused.value.code == "invalid_price"
    assert Instrument.objects.get().phase == Instrument.Phase.AUCTION


def test_a_market_is_listed_by_two(market: Instrument) -> None:
    spec = json.dumps(asdict(STANDARD_MARKETS[1]))
    request = asked(StaffRequest.Kind.LIST, spec=spec)

    approvals.approve(actor=market_staff(), request_id=request.id, now=NOW)

    assert Instrument.objects.filter(symbol=STANDARD_MARKETS[1].symbol).exists()


@pytest.mark.parametrize(
    ("kind", "spec", "code"),
    [
        ("shut", "", "invalid_kind"),
        ("open", "", "market_required"),
        ("list", "{", "invalid_spec"),
        ("list", '{"x": 1}', "invalid_spec"),
    ],
)
def test_a_request_that_cannot_be_carried_out_is_not_made(
    market: Instrument, kind: str, spec: str, code: str
) -> None:
    with pytest.raises(DomainError) as refused:
        approvals.ask_for(actor=market_staff(), kind=kind, spec=spec, reason="planned", now=NOW)

    assert refused.value.code == code
    assert not StaffRequest.objects.exists()


def test_terms_are_changed_by_two_with_the_difference_kept(market: Instrument) -> None:
    request = asked(StaffRequest.Kind.CHANGE, market, wanted={
        "maker_fee_ppm": 700, "taker_fee_ppm": 1000, "band_bps": 500})  # fmt: skip
    second = market_staff()

    with pytest.raises(DomainError) as alone:
        approvals.approve(actor=request.asked_by, request_id=request.id, now=NOW)
    before = Instrument.objects.get()
    seq = approvals.approve(actor=second, request_id=request.id, now=NOW)

    assert alone.value.code == "second_person_required"
    assert (before.maker_fee_ppm, before.band_bps) == (800, 1000)
    after = Instrument.objects.get()
    assert (after.maker_fee_ppm, after.taker_fee_ppm, after.band_bps) == (700, 1000, 500)
    assert request.changes == {"maker_fee_ppm": [800, 700], "band_bps": [1000, 500]}
    kept = MarketChange.objects.filter(instrument=market)[0]
    assert (kept.kind, kept.seq, kept.changes, kept.reason, kept.actor, kept.approved_by) == (
        "terms", seq, request.changes, "planned", request.asked_by, second,
    )  # fmt: skip


def test_a_change_of_what_has_changed_since_is_refused(market: Instrument) -> None:
    older = asked(StaffRequest.Kind.CHANGE, market, wanted={"maker_fee_ppm": 700})
    other = asked(StaffRequest.Kind.CHANGE, market, wanted={"maker_fee_ppm": 600})
    second = market_staff()
    approvals.approve(actor=second, request_id=other.id, now=NOW)

    with pytest.raises(DomainError) as refused:
        approvals.approve(actor=second, request_id=older.id, now=NOW)

    assert refused.value.code == "terms_changed"
    assert Instrument.objects.get().maker_fee_ppm == 600
    older.refresh_from_db()
    assert older.status == "pending"


def test_nothing_is_asked_for_without_a_change_or_a_reason(market: Instrument) -> None:
    actor = market_staff()
    for wanted, reason, code in (
        ({"maker_fee_ppm": 800}, "why", "nothing_changed"),
        ({"maker_fee_ppm": 700}, "  ", "reason_required"),
        ({"maker_fee_ppm": 700}, "x" * 201, "reason_required"),
    ):
        with pytest.raises(DomainError) as refused:
            approvals.ask_for(
                actor=actor, kind="change", instrument=market, wanted=wanted, reason=reason,
                now=NOW,
            )  # fmt: skip
        assert refused.value.code == code
    assert not StaffRequest.objects.exists()


def test_a_market_that_cannot_be_listed_is_not_asked_for(market: Instrument) -> None:
    for spec, code in (
        (replace(STANDARD_MARKETS[0], market_id=7), "market_exists"),
        (replace(STANDARD_MARKETS[1], base="XYZ"), "unknown_asset"),
    ):
        with pytest.raises(DomainError) as refused:
            asked(StaffRequest.Kind.LIST, spec=json.dumps(asdict(spec)))
        assert refused.value.code == code
    assert not StaffRequest.objects.exists()


def test_one_is_enough_to_stop_a_market(market: Instrument) -> None:
    kill_market(actor=market_staff(), instrument=market)

    assert Instrument.objects.get().state == Instrument.State.CANCEL_ONLY


def test_an_auction_is_told_before_and_after(
    market: Instrument, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, taker = trader(BTC="1"), trader(USDT="100000")
    call_auction(actor=market_staff(), approved_by=market_staff(), instrument=market, seconds=60)
    maker.sell("0.3", "60000")
    taker.buy("0.5", "60100")
    later_ns = clock.now_ns() + 2_000_000_000
    monkeypatch.setattr("apps.matching.inprocess.time.time_ns", lambda: later_ns)
    get_gateway().submit(SetReference(new_command_id(), valid_until_ns(60), 1, 6_000_000))
    calling = instrument_json(Instrument.objects.select_related("base", "quote").get())

    reopen_market(actor=market_staff(), approved_by=market_staff(), instrument=market)

    assert calling["auction"] == {
        "price": "60000.00", "quantity": "0.30000", "imbalance": "0.20000", "imbalance_side": "buy",
    }  # fmt: skip
    after = instrument_json(Instrument.objects.select_related("base", "quote").get())
    assert after["auction"] is None
    traded = after["last_auction"]
    assert isinstance(traded, dict)
    assert (traded["price"], traded["quantity"]) == ("60000.00", "0.30000")
