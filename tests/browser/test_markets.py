"""The list of markets, the palette and the frame, as a visitor without an account sees them."""

from __future__ import annotations

import pytest
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.conftest import PHONE, Visit

SYMBOLS = ["BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT", "DOGE-USDT", "ETH-BTC"]


def _symbols(page) -> list[str]:
    return page.eval_on_selector_all(
        "[data-rows] tr:not([hidden])", "rows => rows.map(row => row.dataset.symbol)"
    )


def _expect_symbols(page, symbols: list[str]) -> None:
    """Wait a moment for the rows to become these, as ``expect`` does for one element."""
    for _ in range(100):
        if _symbols(page) == symbols:
            return
        page.wait_for_timeout(50)
    assert _symbols(page) == symbols


def test_prices_are_there_at_once_and_move(visit: Visit) -> None:
    page = visit().page
    page.goto("/markets")

    assert _symbols(page) == SYMBOLS
    last = page.locator("tr[data-symbol=BTC-USDT] [data-live=last]")
    before = last.inner_text()
    assert float(before.replace(",", "")) > 0
    expect(last).not_to_have_text(before)
    expect(page.locator(".light")).to_have_attribute("data-state", "live")


def test_searching_and_sorting_stay_in_the_address(visit: Visit) -> None:
    page = visit().page
    page.goto("/markets")
    page.locator("html[data-ready]").wait_for()

    page.get_by_role("searchbox", name="Search a market").fill("doge")
    _expect_symbols(page, ["DOGE-USDT"])
    assert page.url.endswith("?q=doge")
    page.reload()
    _expect_symbols(page, ["DOGE-USDT"])
    page.locator("html[data-ready]").wait_for()
    page.get_by_role("searchbox", name="Search a market").fill("eth")
    _expect_symbols(page, ["ETH-USDT", "ETH-BTC"])
    page.get_by_role("searchbox", name="Search a market").fill("nothing")
    expect(page.get_by_text("No market is called like that")).to_be_visible()
    page.get_by_role("searchbox", name="Search a market").fill("")
    page.get_by_role("link", name="Market", exact=True).click()
    _expect_symbols(page, sorted(SYMBOLS))
    page.get_by_role("link", name="Market", exact=True).click()
    _expect_symbols(page, sorted(SYMBOLS, reverse=True))

    page.reload()

    _expect_symbols(page, sorted(SYMBOLS, reverse=True))
    heading = page.get_by_role("columnheader", name="Market", exact=True)
    expect(heading).to_have_attribute("aria-sort", "descending")


def test_a_favourite_is_remembered(visit: Visit) -> None:
    page = visit().page
    page.goto("/markets")
    page.locator("html[data-ready]").wait_for()

    page.get_by_role("button", name="SOL-USDT is a favourite").click()
    page.goto("/markets?show=starred")

    _expect_symbols(page, ["SOL-USDT"])
    star = page.get_by_role("button", name="SOL-USDT is a favourite")
    expect(star).to_have_attribute("aria-pressed", "true")


def test_the_palette_finds_markets_by_the_keyboard(visit: Visit) -> None:
    page = visit().page
    page.goto("/")
    page.locator("html[data-ready]").wait_for()

    page.keyboard.press("/")
    expect(page.get_by_role("dialog", name="Search")).to_be_visible()
    page.keyboard.type("xrp")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")

    page.wait_for_url("**/trade/XRP-USDT")


def test_theme_and_colours_change_at_once_and_stay(visit: Visit) -> None:
    page = visit().page
    page.goto("/markets")
    root = page.locator("html")

    page.get_by_label("Settings").click()
    page.get_by_role("button", name="Light").click()
    page.get_by_role("button", name="Blue and orange").click()

    expect(root).to_have_attribute("data-theme", "light")
    page.reload()
    expect(root).to_have_attribute("data-theme", "light")
    expect(root).to_have_attribute("data-palette", "safe")


def test_the_light_tells_that_the_connection_is_gone(visit: Visit) -> None:
    page = visit().page
    sockets: list[WebSocketRoute] = []
    broken = False

    def connect(socket: WebSocketRoute) -> None:
        if broken:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    page.route_web_socket("**/ws", connect)
    page.goto("/markets")
    expect(page.locator(".light")).to_have_attribute("data-state", "live")

    broken = True
    sockets[0].close()

    expect(page.locator(".light")).to_have_attribute("data-state", "stale")
    expect(page.get_by_text("Not live since")).to_be_visible()
    broken = False
    expect(page.locator(".light")).to_have_attribute("data-state", "live")


def test_everything_is_there_without_scripts(visit: Visit) -> None:
    page = visit(java_script_enabled=False).page

    page.goto("/markets?sort=market&dir=desc")

    rows = page.locator("[data-rows] tr")
    expect(rows).to_have_count(len(SYMBOLS))
    expect(rows.first).to_contain_text("XRP")
    page.goto("/trade/BTC-USDT")
    expect(page.locator(".bids .level")).to_have_count(10)
    page.get_by_role("link", name="Candles as a table").last.click()
    expect(page.get_by_role("columnheader", name="Close")).to_be_visible()


@pytest.mark.parametrize(
    ("email", "paths"),
    [
        ("", ("/", "/markets", "/trade/BTC-USDT", "/accounts/signup/")),
        ("trader1@example.com", ("/", "/trade/BTC-USDT", "/orders", "/portfolio")),
    ],
    ids=["signed-out", "signed-in"],
)
def test_no_page_is_wider_than_a_small_phone(
    visit: Visit, email: str, paths: tuple[str, ...]
) -> None:
    page = visit(email, viewport={**PHONE, "width": 360}, is_mobile=True, has_touch=True).page
    # A connection that does not come is what the top bar has most to say about.
    page.route_web_socket("**/ws", lambda socket: socket.close())

    for path in paths:
        page.goto(path)
        expect(page.get_by_text("Not live since")).to_be_visible()
        # Not its inner width: a phone zooms out until what is too wide fits.
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path
