"""The page's own arithmetic against Python's: the same texts in, the same digits out."""

from __future__ import annotations

import random
from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest
from playwright.sync_api import Page

from apps.pages.templatetags.frame import amount, compact, direction, fixed, percent, trimmed
from apps.trades.templatetags.orders import brief
from tests.browser.conftest import Visit

MINOR = Decimal("0.00000001")
SAMPLES = [
    "0", "0.00", "1", "12", "123", "1234.5", "64231.50", "0.00001", "0.12345678", "999999.999",
    "1234567.891", "123456789012.5", "1000000000000", "100240.697179", "0.1", "10.00000000",
]  # fmt: skip
SIGNED = [*SAMPLES, "-1.23", "-0.00", "-1234.5"]


@pytest.fixture
def page(visit: Visit) -> Page:
    found = visit().page
    found.goto("/trade/BTC-USDT")
    return found


def _with(page: Page, module: str, body: str, argument: Any) -> Any:
    script = f"async input => {{ const m = await import('{module}'); {body} }}"
    return page.evaluate(script, argument)


def test_numbers_look_the_same_from_server_and_script(page: Page) -> None:
    body = """return input.map((text) => [m.amount(text, 2), m.fixed(text, 2), m.compact(text),
      m.percent(text), m.direction(text)]);"""
    assert _with(page, "format", body, SIGNED) == [
        [amount(text, 2), fixed(text, 2), compact(text), percent(text), direction(text)]
        for text in SIGNED
    ]
    body = "return input.map((text) => [m.trimmed(text), m.brief(text)]);"
    assert _with(page, "format", body, SAMPLES) == [[trimmed(t), brief(t)] for t in SAMPLES]


def test_decimals_survive_every_way_exactly(page: Page) -> None:
    dice = random.Random(7)
    texts = [
        f"{dice.randrange(10 ** dice.randrange(1, 12))}.{dice.randrange(10**8):08d}"
        for _ in range(200)
    ]
    body = "return input.map((text) => m.text(m.parse(text), 8));"
    assert _with(page, "decimal", body, texts) == texts

    wrong = ["", ".", "1.", ".5", "01", "1e3", "+1", " 1", "1,0", "NaN", "--1", "1.2.3", "٣"]
    body = "return input.map((text) => m.parse(text));"
    assert _with(page, "decimal", body, wrong) == [None] * len(wrong)


def test_fees_round_up_to_the_smallest_unit(page: Page) -> None:
    dice = random.Random(11)
    cases = [
        (f"{dice.randrange(10**9)}.{dice.randrange(10**8):08d}", f"0.{dice.randrange(10**4):04d}")
        for _ in range(200)
    ]
    body = """const d = await import("decimal");
      return input.map(([value, rate]) => d.text(m.feeOf(d.parse(value), d.parse(rate))));"""
    found = _with(page, "order-rules", body, cases)

    assert [Decimal(text) for text in found] == [
        (Decimal(value) * Decimal(rate)).quantize(MINOR, ROUND_CEILING) for value, rate in cases
    ]


def test_an_estimate_walks_the_book(page: Page) -> None:
    body = """const d = await import("decimal");
      const units = (pairs) => pairs.map(([p, q]) => [d.parse(p), d.parse(q)]);
      const book = { asks: units([["100", "1"], ["101", "2"]]), bids: units([["99", "1"]]) };
      const market = { lot: d.parse("0.001"), tick: d.parse("0.01"), makerFee: d.parse("0.0008"),
        takerFee: d.parse("0.001") };
      return input.map((order) => {
        for (const name of ["price", "stop", "quantity", "budget"]) {
          order[name] = order[name] ? d.parse(order[name]) : null;
        }
        const e = m.estimate(order, market, book);
        return e && [d.text(e.quantity), d.text(e.notional), d.text(e.fee), d.text(e.resting),
          String(e.slippageBasis), e.short];
      });"""
    cases = [
        {"side": "buy", "type": "market", "quantity": "2"},
        {"side": "buy", "type": "market", "quantity": "5"},
        {"side": "buy", "type": "market", "budget": "100.1"},
        {"side": "buy", "type": "limit", "quantity": "2", "price": "100"},
        {"side": "buy", "type": "limit", "quantity": "2", "price": "90"},
        {"side": "sell", "type": "market", "quantity": "0.5"},
        {"side": "sell", "type": "stop", "quantity": "1", "stop": "95"},
        {"side": "buy", "type": "limit", "quantity": "2"},
    ]

    assert _with(page, "order-rules", body, cases) == [
        ["2", "201", "0.201", "0", "50", False],
        ["3", "302", "0.302", "0", "66", True],
        ["1", "100", "0.1", "0", "0", False],
        ["2", "200", "0.18", "1", "0", False],
        ["2", "180", "0.144", "2", "0", False],
        ["0.5", "49.5", "0.0495", "0", "0", False],
        ["1", "95", "0.095", "1", "0", False],
        None,
    ]


def test_what_can_be_afforded_never_reserves_more_than_there_is(page: Page) -> None:
    dice = random.Random(13)
    cases = [
        (
            f"{dice.randrange(1, 10**6)}.{dice.randrange(10**8):08d}",
            f"{dice.randrange(1, 10**5)}.01",
        )
        for _ in range(100)
    ]
    body = """const d = await import("decimal");
      const market = { lot: d.parse("0.00001"), makerFee: d.parse("0.0008"),
        takerFee: d.parse("0.001"), maxQuantity: 0n };
      return input.map(([money, price]) => {
        const most = m.mostAffordable(d.parse(money), d.parse(price), market);
        const need = (q) => d.text(m.reserve(q, d.parse(price), market.takerFee));
        return [d.text(most), need(most), need(most + market.lot)];
      });"""

    for (money, _), (most, need, more) in zip(
        cases, _with(page, "order-rules", body, cases), strict=True
    ):
        assert Decimal(need) <= Decimal(money) or Decimal(most) == 0
        assert Decimal(more) > Decimal(money)


def test_an_order_is_explained_with_its_numbers(page: Page) -> None:
    body = """const d = await import("decimal");
      const market = { base: "BTC", quote: "USDT", pricePlaces: 2, quotePlaces: 2,
        tick: d.parse("0.01"), lot: d.parse("0.001") };
      const names = ["price", "stop", "stopLimit", "quantity", "last", "takeProfit", "stopLoss"];
      return input.map((order) => {
        for (const name of names) order[name] = order[name] ? d.parse(order[name]) : null;
        if (order.trail) order.trail = { basis: 150n, text: "1.5" };
        return m.explainUnusual(order, null, market);
      });"""
    base = {"quantity": "0.5", "last": "60000"}
    cases = [
        {**base, "side": "sell", "type": "stop", "stop": "58000"},
        {**base, "side": "buy", "type": "stop_limit", "stop": "61000", "price": "61100"},
        {**base, "side": "sell", "type": "take_profit", "stop": "70000"},
        {**base, "side": "sell", "type": "trailing_stop", "trail": True},
        {**base, "side": "buy", "type": "limit", "price": "59000"},
        {**base, "side": "sell", "type": "oco", "price": "63000", "stop": "58000"},
        {**base, "side": "buy", "type": "limit", "price": "59000", "takeProfit": "63000",
         "stopLoss": "58000"},
    ]  # fmt: skip

    assert _with(page, "order-explain", body, cases) == [
        [
            "If the last trade falls to 58,000.00 or below, 0.5 BTC is sold at once at the best"
            " prices then.",
            "The price you get may be below 58,000.00.",
        ],
        [
            "If the last trade rises to 61,000.00 or above, an order to buy 0.5 BTC at 61,100.00"
            " or lower is placed.",
            "If the market runs past that price first, it waits in the book and may not fill.",
        ],
        [
            "If the last trade rises to 70,000.00 or above, 0.5 BTC is sold at once at the best"
            " prices then.",
            "The price you get may be below 70,000.00.",
        ],
        [
            "The stop follows the highest trade, 1.5% behind, now at 59,100.00, and never moves"
            " back.",
            "When the last trade falls to it, 0.5 BTC is sold at once at the best prices then.",
        ],
        [],
        [
            "An order to sell 0.5 BTC at 63,000.00 or higher waits in the book.",
            "If the last trade falls to 58,000.00 or below, 0.5 BTC is sold at once at the best"
            " prices then.",
            "What fills of one comes off the other; when one ends, so does the other.",
            "You get about 31,500.00 USDT or about 29,000.00 USDT, before fees; your balance is"
            " set aside for one of them.",
        ],
        [
            "What it has bought is sold at 63,000.00 or higher.",
            "Or, if the last trade falls to 58,000.00 or below, it is sold at once at the best"
            " prices then.",
            "Whichever comes first ends the other.",
        ],
    ]
