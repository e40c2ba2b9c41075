"""A market whose price runs away, as people see it: its band, the auction, and what it traded.

Only DOGE-USDT is paused here, which no other test trades.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from tests.browser.conftest import PHONE, Visit, Visitor
from tests.browser.stack import REPOSITORY

MARKET = "DOGE-USDT"
MARKET_ID = 5
# What a screen reader is told, each time that it is told something.
NOTE_TOLD = """() => {
  window.told = [];
  const status = document.querySelector("[data-phase-status]");
  const note = () => window.told.push(status.textContent);
  new MutationObserver(note).observe(status, { childList: true });
}"""
FOLDER = REPOSITORY / "artifacts" / "screenshots"
# What has moved on the desk by itself, in words, so that a failure says where to look.
NOTE_MOVES = """() => {
  window.moved = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      for (const { node } of entry.sources) {
        const element = node?.nodeType === Node.TEXT_NODE ? node.parentElement : node;
        if (element?.closest(".desk")) window.moved.push(element.outerHTML.slice(0, 90));
      }
    }
  }).observe({ type: "layout-shift" });
}"""
ADMIN_POST = """async ([path, fields]) => {
  const csrf = document.querySelector("input[name=csrfmiddlewaretoken]").value;
  const body = new URLSearchParams({ ...fields, csrfmiddlewaretoken: csrf });
  const answer = await fetch(path, { method: "POST", body });
  return answer.text();
}"""


def send(page: Page, path: str, **fields: str) -> str:
    return str(page.evaluate(ADMIN_POST, [path, fields]))


def staff_agree(visit: Visit, kind: str) -> None:
    """One asks in the admin, another approves."""
    staff = [visit(email) for email in ("staff@example.com", "staff2@example.com")]
    for each in staff:
        each.expect_complaint("favicon.ico")
    first, second = (each.page for each in staff)
    market = f"/admin/markets/instrument/{MARKET_ID}/change/"
    first.goto(market)
    assert "It is asked for." in send(first, market, act=kind, reason="A test.", reference="")
    second.goto("/admin/queues/")
    request = second.get_by_role("link", name="A test.").first.get_attribute("href")
    assert request is not None
    assert "is carried out" in send(second, request, act="approve")


def banner(page: Page) -> Locator:
    return page.locator(".market-phase")


def order(page: Page, kind: str, amount: str, price: str = "") -> None:
    page.locator(f".order-form input[name=type][value={kind}]").check(force=True)
    if price:
        page.locator("#order-price").fill(price)
    page.locator("#order-amount").fill(amount)
    page.locator("[data-submit]").click()


def picture(page: Page, name: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=FOLDER / f"halt-{name}.png")


def pair(visit: Visit) -> dict[str, Visitor]:
    """The market at both widths; what moves from now on is counted."""
    both = {
        "1440": visit("trader2@example.com"),
        "390": visit("trader2@example.com", viewport=PHONE, is_mobile=True, has_touch=True),
    }
    for visitor in both.values():
        visitor.open_market(MARKET)
        visitor.page.wait_for_timeout(300)
        visitor.page.evaluate(NOTE_MOVES)
    return both


def test_an_auction_is_seen_from_its_call_to_what_it_traded(visit: Visit) -> None:
    both = pair(visit)
    wide = both["1440"].page
    expect(banner(wide)).to_be_hidden()
    # What is read out is there, and empty, before there is anything to say.
    status = wide.locator("[data-phase-status]")
    expect(status).to_be_visible()
    expect(status).to_have_role("status")
    expect(status).to_have_text("")
    wide.evaluate(NOTE_TOLD)
    last = Decimal(wide.evaluate("async () => (await import('market')).ticker.now.last"))

    staff_agree(visit, "call_auction")

    for visitor in both.values():
        seen = banner(visitor.page)
        expect(seen).to_contain_text("The market is paused for an auction.")
        expect(seen).to_contain_text("Limit orders are collected")
        expect(seen.locator("[data-countdown]")).to_have_text(re.compile("^[0-5]:[0-5][0-9]$"))
    first_count = banner(wide).locator("[data-countdown]").inner_text()

    for visitor in both.values():
        assert visitor.page.evaluate("window.moved") == []
    expect(banner(wide).locator("[data-countdown]")).not_to_have_text(first_count)
    told = wide.evaluate("window.told")
    assert [words[:39] for words in told] == ["The market is paused for an auction. Li"]

    both["1440"].expect_complaint("503")
    order(wide, "market", "1000")
    message = wide.locator(".order-form [data-message]")
    expect(message).to_contain_text("is paused and collects orders for an auction")

    # Above what the house asks, so that it would trade; and a part of it would be left over.
    order(wide, "limit", "1000", str((last * Decimal("1.02")).quantize(Decimal("0.00001"))))
    for width, visitor in both.items():
        seen = banner(visitor.page)
        expect(seen.locator("[data-auction-quantity]")).to_have_text(re.compile("^[1-9].* DOGE$"))
        expect(seen.locator("[data-auction-price]")).to_have_text(re.compile(r"^0\.[0-9]+$"))
        picture(visitor.page, f"auction-{width}")
    expect(wide.locator("[data-auction-line]")).to_have_text(re.compile(r"^Auction at 0\.[0-9]+$"))
    row = wide.locator("[data-open-rows] tr").filter(has_text=MARKET)
    expect(row).to_have_count(1)

    staff_agree(visit, "reopen")

    for width, visitor in both.items():
        seen = banner(visitor.page)
        expect(seen).to_contain_text("The market trades again.")
        expect(seen).to_contain_text(
            re.compile(r"The auction has traded [0-9,]+ DOGE at 0\.[0-9]+")
        )
        picture(visitor.page, f"reopened-{width}")
    assert both["390"].page.evaluate("window.moved") == []


def test_a_market_at_its_band_says_what_happens_next(visit: Visit) -> None:
    """The feed brings no price to the band, so the ticker is told so on its way to the page."""

    def at_the_band(route: WebSocketRoute) -> None:
        server = route.connect_to_server()

        def change(message: Any) -> None:
            ends_at = datetime.now(UTC) + timedelta(seconds=15)
            until = f'"limit_state","phase_until":"{ends_at.isoformat()}"'
            route.send(str(message).replace('"trading","phase_until":null', until))

        server.on_message(change)

    for width, options in (("1440", {}), ("390", {"viewport": PHONE})):
        visitor = visit("trader3@example.com", **options)
        page = visitor.page
        page.route_web_socket(re.compile("/ws$"), at_the_band)
        visitor.open_market("XRP-USDT")

        expect(banner(page)).to_contain_text("The price is at its band.")
        expect(banner(page)).to_contain_text("an auction is called")
        expect(banner(page).locator("[data-of-auction]").first).to_be_hidden()
        picture(page, f"band-{width}")
