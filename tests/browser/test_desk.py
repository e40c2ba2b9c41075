"""The trading page as a place to work at: depth, keys, layout, confirmations."""

from __future__ import annotations

import re
from decimal import Decimal

from playwright.sync_api import expect

from tests.browser.conftest import Visit


def test_the_depth_is_read_off_by_keyboard_and_gives_its_price(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page

    page.get_by_role("tab", name="Depth").click()

    picture = page.get_by_role("img", name="Depth of the book of BTC-USDT")
    expect(picture).to_be_visible()
    expect(page.locator("#depth-summary")).to_contain_text("stand bids for")
    drawn = "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 20"
    assert picture.evaluate(drawn)
    picture.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    said = page.locator("#depth-area [data-readout]")
    expect(said).to_have_text(re.compile(r"^[\d,.]+: bids for .+ BTC, worth .+ USDT$"))
    page.keyboard.press("Enter")
    price = Decimal(said.inner_text().split(":")[0].replace(",", ""))
    assert Decimal(page.locator("#order-price").input_value()) == price
    page.keyboard.press("Escape")
    expect(page.locator(".depth-tip:visible")).to_have_count(0)


def test_a_filter_of_the_orders_applies_at_once_and_holds_for_the_file(visit: Visit) -> None:
    visitor = visit("trader1@example.com", timezone_id="Europe/Berlin")
    page = visitor.page
    page.goto("/orders")
    page.locator("html[data-ready]").wait_for()

    page.get_by_label("Side").select_option("sell")
    expect(page).to_have_url(re.compile(r"\?side=sell$"))
    page.locator("html[data-ready]").wait_for()
    page.get_by_label("From", exact=True).fill("2026-01-31")

    expect(page).to_have_url(re.compile(r"side=sell&from=2026-01-31"))
    file = page.get_by_role("link", name="These orders as CSV").get_attribute("href")
    assert file == "/orders/orders.csv?side=sell&from=2026-01-31&zone=Europe%2FBerlin"
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page).to_have_url(re.compile(r"/orders\??$"))


def test_keys_work_until_they_are_switched_off_and_never_while_typing(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page

    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Candles, depth")
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    expect(keys).to_be_hidden()
    expect(page.locator("#depth-area")).to_be_hidden()
    page.keyboard.press("d")
    expect(page.locator("#depth-area")).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_role("tab", name="Fills")).to_be_focused()
    page.keyboard.press("s")
    expect(page.locator("#order-amount")).to_be_focused()
    page.keyboard.type("1c?")
    expect(page.locator("#depth-area")).to_be_visible()
    expect(keys).to_be_hidden()
    expect(page.locator(".order-form input[name=side][value=sell]")).to_be_checked()

    page.get_by_label("Settings").click()
    page.get_by_role("button", name="Single-key shortcuts").click()
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    expect(page.locator("#depth-area")).to_be_visible()
    page.get_by_label("Settings").click()
    page.get_by_role("button", name="Single-key shortcuts").click()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("p")
    page.wait_for_url("**/portfolio")


def test_the_layout_is_kept_for_its_person_and_can_be_reset(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page

    page.get_by_role("tab", name="Depth").click()
    page.get_by_role("tab", name="Balances").click()
    page.get_by_label("Layout", exact=True).click()
    page.get_by_role("button", name="Latest trades").click()
    visitor.open_market("ETH-USDT")

    expect(page.locator("#panel-tape")).to_be_hidden()
    expect(page.locator("#depth-area")).to_be_visible()
    expect(page.locator("[data-balance-rows] tr").first).to_be_visible()
    page.get_by_label("Layout", exact=True).click()
    page.get_by_role("button", name="Reset the layout").click()
    expect(page.locator("#panel-tape")).to_be_visible()
    expect(page.locator("[data-open-rows]")).to_be_attached()
    expect(page.locator("#depth-area")).to_be_hidden()
    assert page.evaluate("Object.keys(localStorage).filter((each) => /layout/.test(each))") == []


def test_a_large_order_is_asked_about_once_more(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page
    page.get_by_label("Settings").click()
    page.get_by_label("Ask before orders from").fill("100")
    page.keyboard.press("Escape")
    best = "async () => { const m = await import('market'); return String(m.book.bids[0][0]); }"
    price = str((Decimal(page.evaluate(best)).scaleb(-18) * Decimal("0.9")).quantize(Decimal(1)))

    page.locator("#order-price").fill(price)
    page.locator("#order-amount").fill("0.01")
    page.locator("[data-submit]").click()

    dialog = page.get_by_role("dialog", name="Buy 0.01 BTC?")
    said = f"Buys 0.01 BTC at {int(price):,}.00 or lower."
    expect(dialog).to_contain_text(said)
    expect(dialog).to_contain_text("It waits in the book until it fills or you cancel it.")
    dialog.get_by_role("button", name="Back").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("[data-open-rows] tr")).to_have_count(0)
    page.locator("[data-submit]").click()
    dialog.get_by_role("button", name="Buy 0.01 BTC").click()
    expect(page.locator("[data-open-rows] tr")).to_have_count(1)
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator("[data-open-rows] tr")).to_have_count(0)

    # Below the size it goes through as it stands.
    page.locator("#order-amount").fill("0.0005")
    page.locator("[data-submit]").click()
    expect(page.locator("[data-open-rows] tr")).to_have_count(1)
    page.get_by_role("button", name="Cancel all").click()
    expect(page.locator("[data-open-rows] tr")).to_have_count(0)


def test_a_fill_sounds_only_where_that_is_switched_on(visit: Visit) -> None:
    visitor = visit("trader3@example.com")
    page = visitor.page
    count = """window.notes = 0;
      const { start } = OscillatorNode.prototype;
      OscillatorNode.prototype.start = function (at) {
        window.notes += 1;
        start.call(this, at);
      };"""
    page.add_init_script(count)
    visitor.open_market("ETH-USDT")
    page.locator(".order-form input[name=type][value=market]").check(force=True)

    def buy() -> None:
        page.locator("#order-amount").fill("0.01")
        page.locator("[data-submit]").click()
        expect(page.locator("#toasts")).to_contain_text("Bought 0.0100 ETH")
        page.locator("#toasts [data-dismiss]").first.click()

    buy()
    assert page.evaluate("window.notes") == 0
    page.get_by_label("Settings").click()
    page.get_by_role("button", name="Sound when an order fills").click()
    page.wait_for_function("() => window.notes === 2")
    page.keyboard.press("Escape")
    buy()
    page.wait_for_function("() => window.notes >= 4")


def test_a_trailing_stop_is_chosen_explained_and_placed(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    visitor.open_market("BTC-USDT")
    page = visitor.page
    page.keyboard.press("s")
    page.keyboard.press("Escape")

    page.locator(".kind-more").click()
    page.get_by_text("Trailing stop", exact=True).click()
    page.get_by_label("Behind").fill("60")
    page.locator("#order-amount").fill("0.01")
    expect(page.locator("#error-trail")).to_have_text("Between 0.01 and 50 percent.")
    page.get_by_label("Behind").fill("2.5")

    does = page.get_by_role("list", name="What this order does")
    expect(does).to_contain_text("The stop follows the highest trade, 2.5% behind")
    expect(page.locator("[data-submit]")).to_have_text("Sell 0.01 BTC at the stop")
    page.locator("[data-submit]").click()
    row = page.locator("[data-open-rows] tr").filter(has_text="trailing stop")
    expect(row).to_contain_text("2.5% behind")
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_have_count(0)


def test_an_open_order_is_changed_on_the_chart_and_in_its_dialog(visit: Visit) -> None:
    visitor = visit("trader2@example.com")
    visitor.open_market("SOL-USDT")
    page = visitor.page
    last = "async () => (await import('market')).ticker.now.last"
    price = (Decimal(page.evaluate(last)) * Decimal("0.99")).quantize(Decimal("0.01"))
    page.locator("#order-price").fill(str(price))
    page.locator("#order-amount").fill("0.5")
    page.locator("[data-submit]").click()
    rows = page.locator("[data-open-rows] tr").filter(has_text="SOL-USDT")
    expect(rows).to_have_count(1)

    # By the keyboard: ten ticks down, which nobody hears of before Enter.
    handle = page.get_by_role("slider", name=re.compile("^Buy 0.[45]00, price"))
    handle.focus()
    page.keyboard.press("Shift+ArrowDown")
    expect(handle).to_have_text(f"{price - Decimal('0.10'):,.2f}")
    page.keyboard.press("Escape")
    expect(handle).to_have_text("Buy 0.500")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    expect(rows).to_contain_text(f"{price - Decimal('0.10'):,.2f}")

    rows.get_by_role("button", name="Change").click()
    dialog = page.get_by_role("dialog", name="Change the order")
    dialog.get_by_label("Price").fill(f"{price}1")
    dialog.get_by_role("button", name="Change the order").click()
    expect(dialog.locator("#amend-price-error")).to_contain_text("Your order is as it was.")
    dialog.get_by_label("Price").fill(str(price))
    dialog.get_by_label("Amount in all").fill("0.4")
    dialog.get_by_role("button", name="Change the order").click()
    expect(dialog).to_be_hidden()
    expect(rows).to_contain_text(f"{price:,.2f}")
    expect(rows).to_contain_text("0.400")

    # By the pointer: some pixels down is a lower price.
    box = handle.bounding_box()
    page.mouse.move(box["x"] + 9, box["y"] + 9)
    page.mouse.down()
    page.mouse.move(box["x"] + 9, box["y"] + 21, steps=3)
    page.mouse.up()
    expect(rows).not_to_contain_text(f"{price:,.2f}")
    rows.get_by_role("button", name="Cancel").click()
    expect(rows).to_have_count(0)
