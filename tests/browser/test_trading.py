"""A person trades: everything that the trading page promises, on the running exchange."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, Visit, Visitor, soon


def _number(text: str) -> Decimal:
    return Decimal(re.sub(r"[^0-9.-]", "", text))


def _choose(page: Page, name: str, value: str) -> None:
    page.locator(f".order-form input[name={name}][value={value}]").check(force=True)


def _best(page: Page, side: str) -> Decimal:
    """The best price of the whole book as the page holds it."""
    script = "async s => (await import('decimal')).text((await import('market')).book[s][0][0])"
    return Decimal(page.evaluate(script, side))


def _price(page: Page, share: str) -> str:
    """A price at this share of the best bid, on a tick."""
    return str((_best(page, "bids") * Decimal(share)).quantize(Decimal("0.01")))


def _order(page: Page, **fields: str) -> None:
    for name in ("side", "type"):
        if name in fields:
            _choose(page, name, fields.pop(name))
    if "unit" in fields:
        page.locator("#order-unit").select_option(fields.pop("unit"))
    for name, value in fields.items():
        page.locator(f".order-form input[name={name}]").fill(value)


def _send(page: Page) -> None:
    page.locator("[data-submit]").click()


def _open_rows(page: Page, price: str) -> Locator:
    shown = f"{Decimal(price):,.2f}"
    return page.locator("[data-open-rows] tr").filter(has_text=shown)


def _api(page: Page, path: str) -> Any:
    """Asked beside the page; again where the tables are not as new yet as was asked for."""

    def ask() -> Any:
        answer = page.request.get(f"/api/v1{path}")
        return answer.json() if answer.ok else None

    return soon(ask)


def _own(page: Page, path: str) -> Any:
    """One's own things, as new as all that this page has been told of them."""
    script = """async () => {
      const { account } = await import("account");
      const told = [account.orders.values(), account.ended, account.balances.values()];
      return Math.max(0, ...told.flatMap((each) => [...each]).map(({ seq }) => seq));
    }"""
    return _api(page, f"{path}{'&' if '?' in path else '?'}min_seq={page.evaluate(script)}")


def _balances(page: Page) -> dict[str, Decimal]:
    rows = _own(page, "/balances")
    return {row["asset"]: Decimal(row["total"]) for row in rows["items"]}


def _quantity_in_book(page: Page, price: str) -> Decimal | None:
    script = """async price => {
      const { book } = await import("market");
      const { parse, text } = await import("decimal");
      const level = book.bids.find(([each]) => each === parse(price));
      return level ? text(level[1]) : null;
    }"""
    found = page.evaluate(script, price)
    return None if found is None else Decimal(found)


def _cancel_everything(visitor: Visitor) -> None:
    visitor.page.get_by_role("button", name="Cancel all").click()
    expect(visitor.page.locator("[data-open-rows] tr")).to_have_count(0)


def test_the_page_has_candles_book_tape_form_orders_and_balances(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page

    assert page.locator("[data-canvas] canvas").count() >= 3
    # All at one moment: the prices move.
    shown = page.locator("[data-asks] button, [data-bids] button").evaluate_all(
        "all => all.map((each) => [each.closest('[data-asks]') ? 'ask' : 'bid', each.innerText])"
    )
    asks = [_number(text) for side, text in shown if side == "ask" and text.strip()]
    bids = [_number(text) for side, text in shown if side == "bid" and text.strip()]
    assert bids[0] < asks[-1] < asks[0]
    trades = page.locator("#panel-tape [data-rows] tr")
    newest = trades.first.inner_text()
    expect(trades.first).not_to_have_text(newest)
    expect(page.get_by_role("tab", name="Open orders")).to_be_visible()
    page.get_by_role("tab", name="Balances").click()
    expect(page.get_by_role("row").filter(has_text="USDT").last).to_contain_text(re.compile(r"\d"))
    assert page.url.endswith("?tab=balances")


def test_a_limit_order_shows_everywhere_at_once_and_cancel_takes_it_away(visit: Visit) -> None:
    first, second = visit("trader1@example.com"), visit("trader1@example.com")
    first.open_market("BTC-USDT")
    second.open_market("BTC-USDT")
    stranger = visit()
    stranger.open_market("BTC-USDT")
    page = first.page
    price = _price(page, "0.97")

    _order(page, side="buy", type="limit", price=price, amount="0.00321")
    expect(page.locator("[data-submit]")).to_have_text("Buy 0.00321 BTC")
    _send(page)

    expect(page.locator("#toasts")).to_contain_text("Buy order for 0.00321 BTC is in the book.")
    expect(_open_rows(page, price)).to_have_count(1)
    expect(_open_rows(second.page, price)).to_have_count(1)
    assert soon(lambda: _quantity_in_book(stranger.page, price)) == Decimal("0.00321")

    _open_rows(second.page, price).get_by_role("button", name="Cancel").click()

    expect(_open_rows(second.page, price)).to_have_count(0)
    expect(_open_rows(page, price)).to_have_count(0)
    assert soon(lambda: _quantity_in_book(stranger.page, price) is None)
    page.get_by_role("tab", name="History").click()
    expect(page.locator("[data-history-rows] tr").first).to_contain_text("Cancelled, by you")


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_fills_and_moves_exactly_its_value_and_fee(visit: Visit, side: str) -> None:
    visitor = visit("trader2@example.com")
    visitor.open_market("ETH-USDT")
    page = visitor.page
    before = _balances(page)

    _order(page, side=side, type="market", unit="base", amount="0.25")
    _send(page)
    verb = "Bought" if side == "buy" else "Sold"
    expect(page.locator("#toasts")).to_contain_text(f"{verb} 0.2500 ETH at")

    order = _own(page, "/orders?market=ETH-USDT&limit=1")["items"][0]
    after = _balances(page)
    fills = _own(page, f"/fills?order_id={order['id']}")["items"]
    value = sum((Decimal(fill["price"]) * Decimal(fill["quantity"]) for fill in fills), Decimal(0))
    fee = sum((Decimal(fill["fee"]) for fill in fills), Decimal(0))
    assert (order["status"], Decimal(order["filled_quantity"])) == ("filled", Decimal("0.25"))
    assert value == Decimal(order["filled_quote"])
    # 0.10 % of the whole, in favour of the house by less than one smallest unit.
    assert fee == Decimal(order["fee"])
    assert Decimal(0) <= fee - value / 1000 < Decimal("0.00000001")
    sign = 1 if side == "buy" else -1
    assert after["ETH"] - before["ETH"] == sign * Decimal("0.25")
    assert after["USDT"] - before["USDT"] == -sign * value - fee
    page.get_by_role("tab", name="Balances").click()
    shown = page.locator("[data-balance-rows] tr[data-id=USDT] [data-field=total]")
    expect(shown).to_have_text(re.compile(re.escape(f"{after['USDT'].normalize():,f}")))


def test_a_purchase_shows_in_positions_with_what_it_cost(visit: Visit) -> None:
    visitor = visit("trader3@example.com")
    visitor.open_market("SOL-USDT")
    page = visitor.page
    page.get_by_role("tab", name="Positions").click()
    expect(page.locator("[data-position-rows] tr[data-id=BTC]")).to_be_visible()

    _order(page, side="buy", type="market", unit="base", amount="2")
    _send(page)
    expect(page.locator("#toasts")).to_contain_text("Bought")
    order = _own(page, "/orders?market=SOL-USDT&limit=1")["items"][0]

    row = page.locator("[data-position-rows] tr[data-id=SOL]")
    expect(row.locator("[data-field=quantity]")).to_have_text("2.00")
    (sol,) = [each for each in _own(page, "/positions")["items"] if each["asset"] == "SOL"]
    assert Decimal(sol["cost"]) == Decimal(order["filled_quote"])
    assert Decimal(sol["fees"]) == Decimal(order["fee"])
    page.goto("/portfolio")
    shown = page.locator(".position-table tr[data-id=SOL] [data-field=average]")
    average = f"{Decimal(sol['average_cost']).quantize(Decimal('0.0001'), 'ROUND_DOWN'):,f}"
    expect(shown).to_have_text(re.compile(re.escape(average.rstrip("0").rstrip("."))))
    moving = page.locator(".position-table tr[data-id=BTC] [data-field=unrealised]")
    expect(moving).not_to_have_text(moving.inner_text())


def test_only_this_market_holds_for_positions_and_balances_too(visit: Visit) -> None:
    visitor = visit("trader2@example.com")
    visitor.open_market("ETH-USDT")
    page = visitor.page

    page.get_by_label("ETH-USDT only").check()

    for tab, rows in (("Positions", "data-position-rows"), ("Balances", "data-balance-rows")):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator(f"[{rows}] tr[data-id=ETH]")).to_be_visible()
        expect(page.locator(f"[{rows}] tr[data-id=BTC]:visible")).to_have_count(0)
    page.get_by_label("ETH-USDT only").uncheck()
    expect(page.locator("[data-balance-rows] tr[data-id=BTC]")).to_be_visible()


def test_a_market_buy_by_quote_spends_no_more_than_its_budget(visit: Visit) -> None:
    visitor = visit("trader2@example.com")
    visitor.open_market("SOL-USDT")
    page = visitor.page
    before = _balances(page)

    _order(page, side="buy", type="market", unit="quote", amount="250")
    expect(page.locator("[data-submit]")).to_have_text("Buy SOL for 250 USDT")
    _send(page)
    expect(page.locator("#toasts")).to_contain_text("Bought")

    spent = before["USDT"] - _balances(page)["USDT"]
    lot_value = _best(page, "asks") / 1000
    assert Decimal(250) - 2 * lot_value < spent <= Decimal(250)


def test_what_is_wrong_is_said_while_typing(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page

    _order(page, side="buy", type="limit", price="60000.001", amount="0.1")
    expect(page.locator("#error-price")).to_have_text("Prices move in steps of 0.01.")
    _order(page, price="60000", amount="0.000001")
    expect(page.locator("#error-price")).to_be_empty()
    expect(page.locator("#error-quantity")).to_have_text("Amounts move in steps of 0.00001 BTC.")
    _order(page, amount="0.00001")
    expect(page.locator("#error-quantity")).to_contain_text("worth at least 5")
    _order(page, amount="1000")
    expect(page.locator("#error-quantity")).to_contain_text("This needs")
    _order(page, amount="one")
    _send(page)
    expect(page.locator("#error-quantity")).to_contain_text("Write digits and a dot")
    expect(page.locator("[data-open-rows] tr")).to_have_count(0)


def test_a_refused_order_says_why_in_words(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page
    before = _balances(page)

    # What only the exchange knows: a post-only order that would trade at once.
    page.locator(".advanced > summary").click()
    page.get_by_label("Post-only").check()
    _order(page, side="buy", type="limit", price=_price(page, "1.02"), amount="0.001")
    _send(page)

    refusal = page.locator("#error-price, [data-message] .notice").filter(has_text=re.compile("."))
    expect(refusal).to_have_count(1)
    expect(refusal).to_contain_text("Nothing was ordered")
    expect(page.locator("#error-price")).not_to_be_empty()
    expect(page.locator("[data-open-rows] tr")).to_have_count(0)
    assert _balances(page) == before


def test_a_double_click_orders_once(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page
    price = _price(page, "0.965")

    _order(page, side="buy", type="limit", price=price, amount="0.002")
    page.locator("[data-submit]").dblclick()
    page.locator("[data-submit]").click(force=True)

    expect(_open_rows(page, price)).to_have_count(1)
    page.reload()
    expect(_open_rows(page, price)).to_have_count(1)
    visitor.open_market("BTC-USDT")
    _cancel_everything(visitor)


def test_orders_go_by_post_while_the_socket_is_down(visit: Visit) -> None:
    visitor = visit("trader3@example.com")
    page = visitor.page
    sockets: list[Any] = []

    def connect(socket: Any) -> None:
        if sockets:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    page.route_web_socket("**/ws", connect)
    visitor.open_market("BTC-USDT")
    price = _price(page, "0.96")
    sockets[0].close()
    expect(page.locator(".light")).to_have_attribute("data-state", "stale")

    _order(page, side="buy", type="limit", price=price, amount="0.001")
    _send(page)

    expect(_open_rows(page, price)).to_have_count(1)
    _open_rows(page, price).get_by_role("button", name="Cancel").click()
    expect(_open_rows(page, price)).to_have_count(0)


def test_orders_show_where_a_socket_never_opens(visit: Visit) -> None:
    visitor = visit("trader3@example.com")
    page = visitor.page
    page.route_web_socket("**/ws", lambda socket: socket.close())
    page.goto("/trade/BTC-USDT")
    expect(page.locator(".light")).to_have_attribute("data-state", "stale")
    best = Decimal(_api(page, "/markets/BTC-USDT/book?depth=1")["bids"][0][0])
    price = str((best * Decimal("0.95")).quantize(Decimal("0.01")))

    _order(page, side="buy", type="limit", price=price, amount="0.001")
    _send(page)

    expect(_open_rows(page, price)).to_have_count(1)
    _open_rows(page, price).get_by_role("button", name="Cancel").click()
    expect(_open_rows(page, price)).to_have_count(0)


def test_what_happened_while_the_connection_was_down_is_caught_up(visit: Visit) -> None:
    visitor, other = visit("trader3@example.com"), visit("trader3@example.com")
    page = visitor.page
    sockets: list[Any] = []
    broken = False

    def connect(socket: Any) -> None:
        if broken:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    page.route_web_socket("**/ws", connect)
    visitor.open_market("ETH-USDT")
    price = _price(page, "0.94")
    _order(page, side="buy", type="limit", price=price, amount="0.0100")
    _send(page)
    expect(_open_rows(page, price)).to_have_count(1)
    broken = True
    sockets[0].close()
    expect(page.locator(".light")).to_have_attribute("data-state", "stale")

    other.page.goto("/orders?status=open&market=ETH-USDT")
    other.page.get_by_role("button", name="Cancel").first.click()
    expect(other.page.locator("#toasts")).to_contain_text("The order is cancelled")
    broken = False

    expect(page.locator(".light")).to_have_attribute("data-state", "live")
    expect(_open_rows(page, price)).to_have_count(0)
    page.get_by_role("tab", name="History").click()
    newest = page.locator("[data-history-rows] tr").first
    expect(newest).to_contain_text(f"{Decimal(price):,.2f}")
    expect(newest).to_contain_text("Cancelled, by you")


def test_a_click_in_the_book_sets_the_price_and_grouping_widens_it(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page

    page.get_by_label("Step of prices in the book").select_option("10")
    level = page.locator("[data-bids] tr[data-side]").nth(3)
    expect(level.locator("button")).to_have_text(re.compile(r"^[\d,]+0$"))
    price = level.locator("button").inner_text().replace(",", "")
    level.click()

    set_price = Decimal(page.locator("#order-price").input_value())
    assert set_price % 10 == 0
    assert abs(set_price - Decimal(price)) <= 100
    level.hover()
    tip = page.locator(".book-tip")
    expect(tip).to_contain_text("Average price")
    assert tip.bounding_box()["x"] + tip.bounding_box()["width"] <= level.bounding_box()["x"]


def test_own_orders_are_marked_at_the_step_that_they_count_to(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page
    below = Decimal(_price(page, "1.001")) // 10 * 10
    _order(page, side="sell", type="limit", price=str(below + Decimal("3.37")), amount="0.001")
    _send(page)
    expect(page.locator("#toasts")).to_contain_text("is in the book")

    page.get_by_label("Step of prices in the book").select_option("10")

    mine = page.locator("[data-asks] tr.is-mine button")
    expect(mine).to_have_text(f"{below + 10:,.0f}")
    _cancel_everything(visitor)


def test_a_market_quoted_in_a_coin_shows_its_small_amounts(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("ETH-BTC")
    page = visitor.page

    _order(page, side="buy", type="limit", price="0.02000", amount="0.1")

    expect(page.locator(".order-form [data-total]")).to_have_text("0.0020016 BTC")
    expect(page.locator("[data-fee]")).to_have_text("0.0000016")
    _order(page, unit="quote")
    expect(page.locator("#order-amount")).to_have_value("0.002")


def test_the_slider_never_asks_for_more_than_there_is(visit: Visit) -> None:
    visitor = visit("trader3@example.com")
    visitor.open_market("ETH-USDT")
    page = visitor.page
    free = _number(page.locator("[data-free]").inner_text())

    _order(page, side="buy", type="limit", price=_price(page, "0.99"))
    page.get_by_role("button", name="100%").click()
    amount = Decimal(page.locator("#order-amount").input_value())

    need = amount * Decimal(page.locator("#order-price").input_value()) * Decimal("1.001")
    assert free * Decimal("0.999") < need <= free + Decimal("0.01")
    expect(page.locator("#error-quantity")).to_be_empty()


def test_everything_works_by_the_keyboard(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page
    price = _price(page, "0.955")

    page.keyboard.press("s")
    expect(page.locator("input[name=side][value=sell]")).to_be_checked()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    expect(page.locator("#order-amount")).to_be_focused()
    page.keyboard.type("0.0015")
    page.locator("#order-price").fill(price)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    higher = str(Decimal(price) + Decimal("0.01"))
    expect(page.locator("#order-price")).to_have_value(higher)
    page.keyboard.press("Enter")

    expect(_open_rows(page, higher)).to_have_count(1)
    page.get_by_role("tab", name="Open orders").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Positions")).to_be_focused()
    _cancel_everything_from_history(visitor)


def _cancel_everything_from_history(visitor: Visitor) -> None:
    visitor.page.get_by_role("tab", name="Open orders").click()
    _cancel_everything(visitor)


def test_nothing_jumps_while_numbers_tick(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page
    page.wait_for_timeout(300)
    page.evaluate("window.shifts = 0")

    tape = page.locator("#panel-tape [data-rows] tr").first
    for _ in range(4):
        newest = tape.inner_text()
        expect(tape).not_to_have_text(newest)

    assert page.evaluate("window.shifts") == 0


def test_the_interval_is_in_the_address_and_sizes_are_kept(visit: Visit) -> None:
    visitor = visit()
    visitor.open_market("BTC-USDT", "?interval=1h")
    page = visitor.page

    expect(page.get_by_role("link", name="1h")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name="4h").click()
    expect(page).to_have_url(re.compile(r"interval=4h"))
    bar = page.get_by_role("separator", name="Width of the order book")
    before = page.locator(".desk-ladder").bounding_box()["width"]
    bar.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.reload()

    assert page.locator(".desk-ladder").bounding_box()["width"] == before + 32
    expect(page.get_by_role("link", name="4h")).to_have_attribute("aria-current", "true")


def test_a_phone_trades_from_a_sheet(visit: Visit) -> None:
    visitor = visit("trader1@example.com", viewport=PHONE, is_mobile=True, has_touch=True)
    visitor.open_market("BTC-USDT")
    page = visitor.page
    price = _price(page, "0.95")

    page.get_by_role("tab", name="Book").first.tap()
    expect(page.locator("#panel-book")).to_be_visible()
    page.get_by_role("button", name="Buy BTC", exact=True).first.tap()
    expect(page.get_by_role("dialog", name="Order form")).to_be_visible()
    _order(page, price=price, amount="0.001")
    _send(page)

    expect(page.get_by_role("dialog", name="Order form")).to_have_count(0)
    expect(_open_rows(page, price)).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    _open_rows(page, price).get_by_role("button", name="Cancel").tap()
    expect(_open_rows(page, price)).to_have_count(0)


def test_the_first_load_before_the_chart_is_small(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")

    sizes = visitor.page.evaluate(
        """() => performance.getEntriesByType("resource")
          .filter((each) => /\\.m?js$/.test(new URL(each.name).pathname))
          .map((each) => [new URL(each.name).pathname, each.encodedBodySize])"""
    )
    before_chart = {path: size for path, size in sizes if "lightweight-charts" not in path}

    assert any("lightweight-charts" in path for path, _ in sizes)
    assert 0 < sum(before_chart.values()) <= 60 * 1024, before_chart
