"""Coins that come, are traded and leave again, in one walk; and what the wallet says of it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.browser.stack import REPOSITORY, Stack
from tests.browser.test_joining import letter_to

FOLDER = REPOSITORY / "artifacts" / "screenshots"
# Blocks come every few seconds, and final takes several of them.
CHAIN_MS = 120_000
WHO = "trader1@example.com"
SELL = """async () => {
  const csrf = document.querySelector("input[name=csrfmiddlewaretoken]").value;
  const answer = await fetch("/api/v1/orders", {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
    body: JSON.stringify({
      market: "BTC-USDT", side: "sell", type: "market", quantity: "0.25",
    }),
  });
  return answer.status;
}"""


def shot(page: Page, name: str) -> None:
    """The page as it is now, wide and narrow; nothing may stick out of a telephone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for width, size in ((390, PHONE), (1440, DESKTOP)):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.screenshot(path=FOLDER / f"{name}-dark-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} {width}"


def test_coins_come_are_traded_and_leave(visit: Visit, stack: Stack) -> None:
    visitor = visit(WHO)
    # A wrong code is refused, which the browser's console tells as well.
    visitor.expect_complaint("400 (Bad Request)")
    page = visitor.page

    page.goto("/wallet")
    page.get_by_role("link", name="Deposit BTC").click()
    page.get_by_label("Try it with play money").fill("0.5")
    page.get_by_role("button", name="Send it to me").click()
    coming = page.locator(".move").first
    expect(coming).to_contain_text("+0.50 BTC")
    shot(page, "wallet-deposit")
    expect(coming).to_contain_text("credited", timeout=CHAIN_MS)

    page.goto("/wallet/withdraw/USDT")
    assert page.evaluate(SELL) == 201
    page.get_by_label("Amount").fill("123.45")
    shot(page, "wallet-withdraw")
    page.get_by_role("button", name="Withdraw USDT").click()
    page.get_by_label("The code from our e-mail").wait_for()
    shot(page, "wallet-withdrawal")
    letter = letter_to(stack, WHO, "wants to send 123.45 USDT")
    code = re.search(r"the code is\s+(\d{6})\s", letter)
    assert code is not None
    page.get_by_label("The code from our e-mail").fill("000000" if code[1] != "000000" else "1")
    page.get_by_role("button", name="Confirm and send").click()
    expect(page.locator(".notice--danger")).to_contain_text("This is not the code")
    page.get_by_label("The code from our e-mail").fill(code[1])
    page.get_by_role("button", name="Confirm and send").click()
    expect(page.locator(".panel-head .badge")).to_have_text("arrived", timeout=CHAIN_MS)
    shot(page, "wallet-withdrawal-done")
    page.goto("/wallet")
    expect(page.get_by_text("−123.45 USDT")).to_be_visible()
    shot(page, "wallet")


def test_what_is_moved_shows_in_lists_and_statements(visit: Visit) -> None:
    page = visit("trader2@example.com").page

    page.goto("/wallet/transfers")
    page.get_by_label("Name of a further account").fill("Long term")
    page.get_by_role("button", name="Open another account").click()
    expect(page.get_by_text("Long term is open.")).to_be_visible()
    form = page.get_by_role("form", name="Between your accounts")
    form.get_by_label("Amount").fill("50")
    form.get_by_label("Asset").select_option("USDT")
    form.get_by_role("button", name="Move it").click()
    expect(page.get_by_text("50.00 USDT went to Long term.")).to_be_visible()

    form = page.get_by_role("form", name="To somebody else")
    form.get_by_label("Their email address").fill("trader3@example.com")
    form.get_by_label("Asset").select_option("USDT")
    form.get_by_label("Amount").fill("25")
    shot(page, "wallet-transfers-form")
    form.get_by_role("button", name="Check it").click()
    shot(page, "wallet-transfers-review")
    page.get_by_role("button", name="Send 25.00 USDT").click()
    expect(page.get_by_text("25.00 USDT went to trader3@example.com.")).to_be_visible()
    shot(page, "wallet-transfers")

    page.goto("/wallet")
    page.get_by_role("link", name="Long term", exact=True).click()
    expect(page.get_by_role("row", name="USDT Tether")).to_contain_text("50.00")
    shot(page, "wallet-further")
    page.goto("/wallet/statements")
    expect(page.locator("tbody tr").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="PDF").click()
    assert download.value.suggested_filename.startswith("sum1-statement-main-")
    shot(page, "wallet-statements")
    page.goto("/gains?method=hifo")
    shot(page, "wallet-gains")
    page.goto("/wallet/addresses")
    shot(page, "wallet-addresses")
    page.goto("/wallet/proof")
    shot(page, "wallet-proof")
