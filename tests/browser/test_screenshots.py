"""Every page as it looks, dark and light, wide and narrow, with live data in it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit, Visitor
from tests.browser.stack import REPOSITORY

FOLDER = REPOSITORY / "artifacts" / "screenshots"
THEMES = ("dark", "light")
SIZES: dict[int, dict[str, Any]] = {
    1440: {"viewport": DESKTOP},
    390: {"viewport": PHONE, "is_mobile": True, "has_touch": True},
}
SIGNED_OUT = {
    "home": "/",
    "markets": "/markets",
    "log-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "reset-password": "/accounts/password/reset/",
    "not-found": "/nowhere",
}
SIGNED_IN = {
    "dashboard": "/",
    "trade": "/trade/BTC-USDT",
    "trade-positions": "/trade/BTC-USDT?tab=positions",
    "trade-fills": "/trade/ETH-USDT?tab=fills&interval=1h",
    "orders": "/orders",
    "portfolio": "/portfolio",
    "notices": "/notifications",
    "verification": "/verification",
    "security": "/security",
    "security-app": "/security/app",
    "security-passkey": "/security/passkeys/new",
    "security-password": "/security/password",
    "your-data": "/security/data",
}


@pytest.mark.parametrize("width", SIZES)
def test_screenshots(visit: Visit, browser: Browser, width: int) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    # Still pictures: nothing is caught halfway through a change of colour.
    options = {**SIZES[width], "reduced_motion": "reduce"}
    stranger = visit(**options)
    stranger.expect_complaint("404")
    for name, path in SIGNED_OUT.items():
        _take(stranger, name, path, width)
    trader = visit("trader2@example.com", **options)
    _make_history(trader.page)
    for name, path in SIGNED_IN.items():
        _take(trader, name, path, width)
    if width == 390:
        _take_sheet(trader)
    _write_contact_sheet(browser)

    taken = {path.name for path in FOLDER.glob(f"*-{width}.png")}
    pages = {*SIGNED_OUT, *SIGNED_IN} | ({"order-sheet"} if width == 390 else set())
    assert taken >= {f"{page}-{theme}-{width}.png" for page in pages for theme in THEMES}


def _take(visitor: Visitor, name: str, path: str, width: int) -> None:
    page = visitor.page
    page.goto(path)
    page.locator("html[data-ready]").wait_for()
    if path.startswith("/trade/"):
        page.locator("[data-loading]").wait_for(state="hidden")
        page.locator("[data-bids] tr[data-side] button:not(:empty)").first.wait_for(
            state="attached"
        )
        page.wait_for_timeout(700)
    _save(page, name, width)


def _take_sheet(visitor: Visitor) -> None:
    page = visitor.page
    page.goto("/trade/BTC-USDT")
    page.locator("html[data-ready]").wait_for()
    page.get_by_role("button", name="Buy BTC", exact=True).first.tap()
    expect(page.get_by_role("dialog", name="Order form")).to_be_visible()
    page.get_by_role("button", name="25%").tap()
    page.wait_for_timeout(500)
    _save(page, "order-sheet", 390)


def _save(page: Page, name: str, width: int) -> None:
    """Both themes from one load: the page follows the change as it does for a person."""
    for theme in THEMES:
        page.evaluate(
            """theme => {
              document.documentElement.dataset.theme = theme;
              document.dispatchEvent(new CustomEvent("appearance"));
            }""",
            theme,
        )
        page.wait_for_timeout(150)
        page.screenshot(path=FOLDER / f"{name}-{theme}-{width}.png")


def _make_history(page: Page) -> None:
    """Orders of every kind, so that no list is empty; those that rest are far from the price."""
    page.goto("/trade/BTC-USDT")
    last = float(
        page.evaluate("async () => (await (await fetch('/api/v1/tickers')).json()).items[0].last")
    )
    orders: list[dict[str, Any]] = [
        {"side": "buy", "type": "market", "quote_amount": "1500", "market": "BTC-USDT"},
        {"side": "buy", "type": "market", "quantity": "0.8000", "market": "ETH-USDT"},
        {"side": "sell", "type": "market", "quantity": "0.5000", "market": "ETH-USDT"},
        {"side": "buy", "type": "market", "quantity": "900", "market": "XRP-USDT"},
        {
            "side": "buy", "type": "market", "quantity": "0.02500", "market": "BTC-USDT",
            "take_profit_price": f"{last * 1.015:.2f}", "stop_loss_price": f"{last * 0.99:.2f}",
        },
        {"side": "buy", "type": "limit", "quantity": "0.02500", "price": f"{last * 0.985:.2f}"},
        {"side": "sell", "type": "limit", "quantity": "0.04000", "price": f"{last * 1.012:.2f}"},
        {
            "side": "sell", "type": "stop_limit", "quantity": "0.10000",
            "stop_price": f"{last * 0.96:.2f}", "price": f"{last * 0.955:.2f}",
        },
        {
            "side": "buy", "type": "limit", "quantity": "0.01000", "price": f"{last * 0.95:.2f}",
            "post_only": True,
        },
    ]  # fmt: skip
    place = """async orders => {
      const csrf = document.querySelector("input[name=csrfmiddlewaretoken]").value;
      const refused = [];
      await fetch("/api/v1/orders", { method: "DELETE", headers: { "X-CSRFToken": csrf } });
      for (const order of orders) {
        const response = await fetch("/api/v1/orders", {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-CSRFToken": csrf },
          body: JSON.stringify({ market: "BTC-USDT", ...order }),
        });
        if (!response.ok) refused.push(await response.text());
      }
      return refused;
    }"""
    assert page.evaluate(place, orders) == []


def _write_contact_sheet(browser: Browser) -> None:
    """All screenshots side by side, small, in one picture."""
    pictures = sorted(FOLDER.glob("*-1440.png")) + sorted(FOLDER.glob("*-390.png"))
    cells = "".join(_cell(path) for path in pictures)
    page = browser.new_page(viewport={"width": 1600, "height": 900})
    page.set_content(
        "<style>body{margin:16px;background:#20242c;color:#dde;font:12px sans-serif}"
        "main{display:flex;flex-wrap:wrap;gap:16px}figure{margin:0}img{display:block;height:240px}"
        f"figcaption{{padding-top:4px}}</style><main>{cells}</main>"
    )
    page.screenshot(path=FOLDER / "contact-sheet.png", full_page=True)
    page.close()


def _cell(path: Path) -> str:
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}">'
        f"<figcaption>{path.stem}</figcaption></figure>"
    )
