"""Feed, desk, gateway, engine, journal and projections together, on a real database."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from apps.core import clock
from apps.core.errors import Invalid
from apps.engine.messages import BUY, SELL
from apps.markets.actions import list_instrument
from apps.markets.catalogue import STANDARD_MARKETS
from apps.markets.feeds import sources
from apps.markets.models import Candle, Instrument, Trade
from apps.matching.journal import Batch
from apps.trades.liquidity.assembly import assemble
from apps.wallets.actions import MAKER_ACCOUNT_ID, TAKER_ACCOUNT_ID, open_house_accounts
from apps.wallets.models import Balance, LedgerEntry
from tests.feeds.captures import small_capture, write


@pytest.fixture
def instruments(transactional_db, engine_gateway) -> list[Instrument]:
    # Real transactions: a process that lives long gives up connections that are open too long.
    open_house_accounts(now=clock.now())
    for spec in STANDARD_MARKETS:
        list_instrument(actor=None, spec=spec)
    return sources.fed_instruments()


def silent(after_seq: int, stop: threading.Event) -> Iterator[Batch | None]:
    stop.wait()
    yield None


def test_a_capture_reaches_the_public_tape_and_the_house_is_funded_by_deposits(
    engine_gateway, instruments, tmp_path
):
    stop = threading.Event()

    def until_all_is_printed(after_seq: int, stop: threading.Event) -> Iterator[Batch | None]:
        while process.counters().get("prints", 0) < 4:
            stop.wait(0.02)
            yield None
        stop.set()

    process = assemble(
        instruments=instruments[:1],
        gateway=engine_gateway,
        follow=until_all_is_printed,
        seed=1,
        captures=[write(tmp_path / "a.raw.gz", small_capture())],
    )

    process.run(stop)

    tape = Trade.objects.order_by("id").values_list("price_ticks", "quantity_lots", "taker_side")
    assert list(tape)[:4] == [
        (10_002, 40_000, BUY),
        (10_002, 60_000, BUY),
        (10_003, 10_000, BUY),
        (10_002, 1, SELL),
    ]
    assert Candle.objects.filter(instrument_id=1, synthetic=False).exists()
    deposits = LedgerEntry.objects.filter(kind=LedgerEntry.Kind.DEPOSIT, amount_minor__gt=0)
    assert set(deposits.values_list("account_id", flat=True)) == {
        MAKER_ACCOUNT_ID,
        TAKER_ACCOUNT_ID,
    }
    assert set(Balance.objects.values_list("held_minor", flat=True)) == {0}


def test_what_cannot_be_replayed_is_refused_before_anything_is_sent(engine_gateway, instruments):
    with pytest.raises(Invalid) as refusal:
        assemble(
            instruments=instruments, gateway=engine_gateway, follow=silent, seed=1, speed="fast"
        )

    assert refusal.value.code == "invalid_amount"
