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
    page.get_by_label("From").fill("2026-01-31")

    expect(page).to_have_url(re.compile(r"side=sell&from=2026-01-31"))
    file = page.get_by_role("link", name="These orders as CSV").get_attribute("href")
    assert file == "/orders/orders.csv?side=sell&from=2026-01-31&zone=Europe%2FBerlin"
    page.get_by_role("link", name="Clear", exact=True).click()
    expect(page).to_have_url(re.compile(r"/orders\??$"))
