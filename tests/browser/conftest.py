"""A real Chromium on a real copy of SUM+1. A page that complains fails its test."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from apps.local.browser import find_browser
from tests.browser.stack import DEMO_PASSWORD, Stack, shared_stack

DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 20_000
# Counts what moved although nobody touched the page, from the moment the page begins.
COUNT_SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: "layout-shift", buffered: true });
window.refusals = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refusals.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.path.as_posix():
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with shared_stack() as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Ends with these tests: while it lives, no test of this process can run an event loop."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield chromium
        chromium.close()


def soon(ask: Callable[[], Any]) -> Any:
    """What is asked for, as soon as there is something."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while not (found := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


class Visitor:
    """Somebody with a browser. ``complaints`` is what their pages said that they should not."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        self.complaints: list[str] = []
        self.expected: list[str] = []
        self.context: BrowserContext = browser.new_context(
            base_url=url, **{"viewport": DESKTOP, **options}
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.add_init_script(COUNT_SHIFTS)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def expect_complaint(self, part: str) -> None:
        """A refused request shows in the console, however well the page handles it."""
        self.expected.append(part)

    def unexpected(self) -> list[str]:
        found = [each for each in self.complaints if not any(p in each for p in self.expected)]
        if not self.page.is_closed() and self.page.url.startswith(self.url):
            found += self.page.evaluate("window.refusals ?? []")
        return found

    def sign_in(self, email: str) -> None:
        self.page.goto("/accounts/login/")
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password", exact=True).fill(DEMO_PASSWORD)
        self.page.get_by_role("main").get_by_role("button", name="Log in", exact=True).click()
        self.page.wait_for_url("**/")

    def open_market(self, symbol: str, query: str = "") -> None:
        """Open a trading page and wait until everything on it is there and live."""
        self.page.goto(f"/trade/{symbol}{query}")
        self.page.locator("html[data-ready]").wait_for()
        self.page.locator(".light[data-state=live]").wait_for(state="attached")
        self.page.locator("[data-bids] tr[data-side] button:not(:empty)").first.wait_for(
            state="attached"
        )
        self.page.locator("[data-loading]").wait_for(state="hidden")


Visit = Callable[..., Visitor]


@pytest.fixture(scope="session")
def signed_in() -> dict[str, Any]:
    """Cookies of those who have signed in: once is enough, checking a password takes its time."""
    return {}


@pytest.fixture
def visit(browser: Browser, stack: Stack, signed_in: dict[str, Any]) -> Iterator[Visit]:
    """Makes visitors: ``visit()``, ``visit(email=...)``, ``visit(viewport=PHONE)``."""
    visitors: list[Visitor] = []

    def make(email: str = "", **options: Any) -> Visitor:
        if email in signed_in:
            options["storage_state"] = signed_in[email]
        visitor = Visitor(browser, stack.url, **options)
        visitors.append(visitor)
        if email and email not in signed_in:
            visitor.sign_in(email)
            signed_in[email] = visitor.context.storage_state()
        return visitor

    yield make
    complaints = [complaint for visitor in visitors for complaint in visitor.unexpected()]
    for visitor in visitors:
        visitor.context.close()
    assert complaints == []
