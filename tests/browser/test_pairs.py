"""A limit and a stop together, and purchases with exits: form, chart and list of orders."""

from __future__ import annotations

import re
import time
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PATIENCE_MS, PHONE, Visit, Visitor

TICK = Decimal("0.01")
SIZES: dict[int, dict[str, Any]] = {
    1440: {},
    390: {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}
SEND = """async ([method, path, body]) => {
  const csrf = document.querySelector("input[name=csrfmiddlewaretoken]").value;
  const response = await fetch(`/api/v1/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
    body: body && JSON.stringify(body),
  });
  return response.json();
}"""


def _choose(page: Page, name: str, value: str) -> None:
    page.locator(f".order-form label:has(> input[name={name}][value={value}])").click()


def _choose_both(page: Page) -> None:
    page.locator(".more-kinds summary").click()
    page.locator(".kind-row").filter(has_text="Limit and stop together").click()


def _open_form(page: Page, side: str) -> None:
    """On a phone the form is a sheet."""
    button = page.locator(f"[data-open-order={side}]")
    if button.is_visible():
        button.tap()
        expect(page.get_by_role("dialog", name="Order form")).to_be_visible()
    else:
        _choose(page, "side", side)


def _send(page: Page, method: str, path: str, body: Any = None) -> Any:
    return page.evaluate(SEND, [method, path, body])


def _last(page: Page) -> Decimal:
    return Decimal(page.evaluate("async () => (await import('market')).ticker.now.last"))


def _value(page: Page, name: str) -> Decimal:
    return Decimal(page.locator(f".order-form [name={name}]").input_value())


def _rows(page: Page, symbol: str) -> Locator:
    return page.locator("[data-open-rows] tr").filter(has_text=symbol)


def _reload(page: Page) -> None:
    page.reload()
    page.locator("html[data-ready]").wait_for()
    page.wait_for_function("async () => (await import('account')).account.ready")


def _without_orders(visitor: Visitor, symbol: str) -> Page:
    visitor.open_market(symbol)
    _send(visitor.page, "DELETE", f"orders?market={symbol}")
    expect(_rows(visitor.page, symbol)).to_have_count(0)
    return visitor.page


@pytest.mark.parametrize("width", SIZES)
def test_a_limit_and_a_stop_are_placed_together_and_end_together(visit: Visit, width: int) -> None:
    page = _without_orders(visit("trader1@example.com", **SIZES[width]), "ETH-USDT")
    _open_form(page, "sell")
    _choose_both(page)

    # Prices on either side of the market are proposed; the words follow them.
    last = _last(page)
    assert _value(page, "price") > last * Decimal("1.01")
    assert _value(page, "stop_price") < last * Decimal("0.995")
    page.locator("#order-amount").fill("0.05")
    words = page.locator("[data-explanation]")
    expect(words).to_contain_text("An order to sell 0.05 ETH at")
    expect(words).to_contain_text("when one ends, so does the other")
    button = page.locator("[data-submit]")
    expect(button).to_have_text("Sell 0.05 ETH at limit or stop")
    button.click()

    expect(page.locator("#toasts")).to_contain_text("whichever comes first")
    rows = _rows(page, "ETH-USDT")
    expect(rows).to_have_count(2)
    for row, kind in ((rows.first, "stop"), (rows.last, "limit")):
        expect(row).to_contain_text(kind)
        expect(row).to_contain_text("one of two")
        expect(row).to_have_attribute("data-paired", "")
    _reload(page)
    expect(rows).to_have_count(2)
    rows.last.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change the order")
    expect(dialog).to_contain_text("It is linked with the order to sell 0.05")
    expect(dialog.get_by_label("Amount in all")).to_be_hidden()
    dialog.get_by_role("button", name="Close").click()

    rows.first.get_by_role("button", name="Cancel both").click()

    expect(rows).to_have_count(0)
    expect(page.locator("#toasts")).to_contain_text("Both orders are cancelled")
    page.get_by_role("tab", name="History").click()
    history = page.locator("[data-history-rows] tr")
    expect(history.filter(has_text="a linked order ended").first).to_be_visible()


def test_a_pair_is_asked_about_by_its_size_once(visit: Visit) -> None:
    page = _without_orders(visit("trader1@example.com"), "ETH-USDT")
    ask_from = "async worth => (await import('settings')).set('ask-at', worth)"
    worth = _last(page) * Decimal("0.05")
    _choose(page, "side", "sell")
    _choose_both(page)
    page.locator("#order-amount").fill("0.05")

    page.evaluate(ask_from, f"{worth / 2:.2f}")
    page.locator("[data-submit]").click()
    dialog = page.get_by_role("dialog", name=re.compile("^Sell 0.05 ETH"))
    expect(dialog).to_contain_text("before fees; your balance is set aside for one of them")
    dialog.get_by_role("button", name="Back").click()
    expect(_rows(page, "ETH-USDT")).to_have_count(0)

    page.evaluate(ask_from, f"{worth * Decimal('1.5'):.2f}")
    page.locator("[data-submit]").click()
    expect(_rows(page, "ETH-USDT")).to_have_count(2)
    _rows(page, "ETH-USDT").first.get_by_role("button", name="Cancel both").click()
    expect(_rows(page, "ETH-USDT")).to_have_count(0)


def test_what_does_not_go_together_is_said_at_its_field(visit: Visit) -> None:
    page = _without_orders(visit("trader1@example.com"), "ETH-USDT")
    _choose_both(page)
    page.locator("#order-amount").fill("0.05")
    last = _last(page)

    # A purchase waits below the market, and its stop above.
    page.locator("#order-price").fill(f"{last * 2:.2f}")
    expect(page.locator("#error-price")).to_contain_text("Choose one below")
    page.locator("#order-stop").fill(f"{last / 2:.2f}")
    expect(page.locator("#error-stop_price")).to_contain_text("Choose one above the last price")
    _choose(page, "type", "limit")
    page.locator("input[name=bracket]").check()
    page.locator("#order-price").fill(f"{last:.2f}")
    page.locator("#order-take-profit").fill(f"{last / 2:.2f}")
    page.locator("#order-stop-loss").fill(f"{last * 2:.2f}")
    expect(page.locator("#error-take_profit_price")).to_contain_text("above what you pay")
    expect(page.locator("#error-stop_loss_price")).to_contain_text("below what you pay")
    _choose(page, "side", "sell")
    expect(page.locator(".bracket")).to_be_hidden()


@pytest.mark.parametrize("width", SIZES)
def test_lines_of_what_is_being_written_are_moved_by_key_and_pointer(
    visit: Visit, width: int
) -> None:
    page = _without_orders(visit("trader3@example.com", **SIZES[width]), "ETH-USDT")
    _open_form(page, "buy")
    page.locator("input[name=bracket]").check()
    page.locator("#order-price").fill(f"{_last(page):.2f}")
    page.locator("#order-amount").fill("0.1")
    if width == 390:
        page.locator("[data-close-order]").tap()
    profit = page.get_by_role("slider", name=re.compile("^Profit"))
    expect(profit).to_have_text(re.compile(r"^Profit \+[\d.,]+ USDT$"))
    expect(page.get_by_role("slider", name=re.compile("^Loss"))).to_have_text(
        re.compile(r"^Loss -[\d.,]+ USDT$")
    )
    expect(page.get_by_role("slider", name=re.compile("^Buy 0.1"))).to_be_visible()
    before = _value(page, "take_profit_price")

    profit.focus()
    page.keyboard.press("ArrowUp")
    assert _value(page, "take_profit_price") == before + TICK
    page.keyboard.press("Shift+ArrowUp")
    assert _value(page, "take_profit_price") == before + 11 * TICK
    page.keyboard.press("Escape")
    assert _value(page, "take_profit_price") == before

    box = profit.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.down()
    page.mouse.move(box["x"] + 9, box["y"] + 21, steps=3)
    page.mouse.up()
    assert _value(page, "take_profit_price") < before
    expect(profit).to_have_text(re.compile(r"^Profit [+-][\d.,]+ USDT$"))
    expect(_rows(page, "ETH-USDT")).to_have_count(0)


@pytest.mark.parametrize("width", SIZES)
def test_the_exits_of_a_purchase_appear_when_it_fills(visit: Visit, width: int) -> None:
    page = _without_orders(visit("trader2@example.com", **SIZES[width]), "SOL-USDT")
    _open_form(page, "buy")
    _choose(page, "type", "market")
    page.locator("input[name=bracket]").check()
    page.locator("#order-unit").select_option("base")
    page.locator("#order-amount").fill("0.5")
    words = page.locator("[data-explanation]")
    expect(words).to_contain_text("What it has bought is sold at")
    expect(words).to_contain_text(re.compile(r"about [\d.,]+ USDT gained, or about [\d.,]+ USDT"))
    expect(page.locator("[data-submit]")).to_have_text("Buy 0.5 SOL with exits")
    page.locator("[data-submit]").click()

    rows = _rows(page, "SOL-USDT")
    expect(rows).to_have_count(2)
    for row in (rows.first, rows.last):
        expect(row).to_contain_text("exit, one of two")
        expect(row.locator("[data-field=amount]")).to_have_text("0.500")
    # After a new start the page asks what was paid, and says what each exit makes of it.
    _reload(page)
    loss = page.get_by_role("slider", name=re.compile("^Sell 0.500 stop"))
    profit = page.get_by_role("slider", name=re.compile("^Sell 0.500, price"))
    expect(loss).to_have_text(re.compile(r"^Sell 0.500 stop -[\d.,]+ USDT$"))
    expect(profit).to_have_text(re.compile(r"^Sell 0.500 \+[\d.,]+ USDT$"))
    price = Decimal(profit.get_attribute("aria-valuenow") or "")
    assert Decimal(profit.get_attribute("aria-valuemin") or "") == TICK
    assert Decimal(profit.get_attribute("aria-valuemax") or "") == 10 * price
    expect(rows.first.locator("[data-link-note]")).to_contain_text("so does the other")

    profit.focus()
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Enter")
    expect(rows.last).to_contain_text(f"{price + 10 * TICK:,.2f}")
    rows.last.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change the order")
    expect(dialog).to_contain_text(re.compile(r"It sells what order \d+ has bought at [\d.,]+"))
    dialog.get_by_role("button", name="Close").click()
    rows.first.get_by_role("button", name="Cancel both").click()
    expect(rows).to_have_count(0)


def test_the_exits_grow_with_the_purchase(visit: Visit) -> None:
    page = _without_orders(visit("trader2@example.com"), "ETH-USDT")
    other = visit("trader3@example.com")
    # Whoever has sold all that he had is refused; the market goes on without him.
    other.expect_complaint("422")
    other.open_market("ETH-USDT")
    # What the best offer does not fill rests at its price, where nobody stands before it.
    price = Decimal(page.evaluate(
        "async () => (await import('decimal')).text((await import('market')).book.asks[0][0])"
    ))  # fmt: skip
    placed = _send(page, "POST", "orders", {
        "market": "ETH-USDT", "side": "buy", "type": "limit", "quantity": "2",
        "price": str(price), "take_profit_price": str(price * 2),
        "stop_loss_price": str((price / 2).quantize(TICK)),
    })  # fmt: skip
    assert placed["status"] in ("open", "partially_filled", "filled"), placed

    # Sold to until it is full.
    filled, deadline = Decimal(0), time.monotonic() + PATIENCE_MS / 1000
    while filled < 2 and time.monotonic() < deadline:
        _send(other.page, "POST", "orders", {
            "market": "ETH-USDT", "side": "sell", "type": "limit", "quantity": "0.4",
            "price": str(price), "time_in_force": "ioc",
        })  # fmt: skip
        path = f"orders/{placed['id']}?min_seq={placed['seq']}"
        filled = Decimal(_send(page, "GET", path)["filled_quantity"])
        exits = [
            each for each in _send(page, "GET", "orders?status=open&market=ETH-USDT")["items"]
            if each["parent_order_id"] == placed["id"]
        ]  # fmt: skip
        assert all(Decimal(each["quantity"]) >= filled for each in exits)

    rows = _rows(page, "ETH-USDT").filter(has_text="exit, one of two")
    expect(rows).to_have_count(2)
    for row in (rows.first, rows.last):
        expect(row.locator("[data-field=amount]")).to_have_text("2.0000")
    rows.first.get_by_role("button", name="Cancel both").click()
    expect(rows).to_have_count(0)
