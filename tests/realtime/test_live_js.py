"""The browser's half of live data, in a real Chromium against a real web process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from playwright.sync_api import Page, sync_playwright

from apps.core.realtime.connections import key
from apps.local.browser import find_browser
from tests.realtime.conftest import Source
from tests.realtime.test_servers import WebServer
from tests.services import Services

pytestmark = pytest.mark.browser

# Records what the page is told, and keeps the state that deltas lead to.
SCRIPT = """
async () => {
  const live = await import("/static/js/live.js");
  window.live = live;
  window.states = [];
  window.heard = [];
  window.numbers = [];
  live.onState((state) => window.states.push(state));
  window.off = live.subscribe("tickers", {
    snapshot(data) { window.heard.push("snapshot"); window.numbers = [...data.all]; },
    delta(data) { window.heard.push("delta"); window.numbers.push(data.add); },
    stale() { window.heard.push("stale"); },
    error(error) { window.heard.push(error.code); },
  });
}
"""


@pytest.fixture(scope="module")
def web(services: Services) -> Iterator[WebServer]:
    server = WebServer("uvicorn")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def browser_page() -> Iterator[Page]:
    # Playwright keeps an event loop in this thread, in which Django would refuse to work.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        yield browser.new_page()
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def tickers(valkey: redis.Redis) -> Source:
    valkey.set(key("live:source:markets"), "1")
    source = Source("tickers")
    source.start()
    return source


@pytest.fixture
def page(browser_page: Page, web: WebServer, tickers: Source) -> Iterator[Page]:
    """A page of our own site that follows all tickers."""
    browser_page.goto(f"http://127.0.0.1:{web.port}/no-such-page")
    browser_page.evaluate(SCRIPT)
    wait_for(browser_page, "heard.length === 1")
    yield browser_page
    browser_page.goto("about:blank")


def wait_for(page: Page, condition: str) -> Any:
    return page.wait_for_function(f"() => {condition}", timeout=15_000)


def test_a_page_follows_a_topic(page: Page, tickers: Source) -> None:
    for _ in range(3):
        tickers.add()

    wait_for(page, "numbers.length === 3")
    assert page.evaluate("heard") == ["snapshot", "delta", "delta", "delta"]
    # The page's own light has asked for the connection already: how far it was is a matter of time.
    states = page.evaluate("states")
    assert states == ["offline", "connecting", "live"][-len(states) :]


def test_a_lost_message_ends_in_the_right_state(page: Page, tickers: Source) -> None:
    tickers.add()
    tickers.add(lost=True)
    tickers.add()

    wait_for(page, "numbers.length === 3")
    assert page.evaluate("numbers") == [1, 2, 3]


def test_a_second_reader_of_a_topic_gets_the_state_too(page: Page, tickers: Source) -> None:
    tickers.add()
    wait_for(page, "numbers.length === 1")

    page.evaluate(
        "() => { live.subscribe('tickers', {snapshot(data) { window.second = [...data.all]; },"
        " delta(data) { window.second.push(data.add); }}); }"
    )
    wait_for(page, "window.second")
    tickers.add()

    wait_for(page, "second.length === 2 && numbers.length === 2")
    assert page.evaluate("[second, numbers]") == [[1, 2], [1, 2]]


def test_who_leaves_hears_nothing_more(page: Page, tickers: Source) -> None:
    page.evaluate("off()")
    tickers.add()

    refused = page.evaluate("live.call('order.place', {}).catch((error) => error.code)")

    assert refused == "authentication_required"
    assert page.evaluate("heard") == ["snapshot"]


def test_a_topic_that_does_not_exist_is_told_to_its_reader(page: Page) -> None:
    page.evaluate(
        "() => { live.subscribe('no.such', {error(error) { window.refusal = error.code; }}); }"
    )

    wait_for(page, "window.refusal")
    assert page.evaluate("refusal") == "unknown_topic"


def test_a_restarted_server_is_found_again(page: Page, web: WebServer, tickers: Source) -> None:
    tickers.add()
    wait_for(page, "numbers.length === 1")
    web.restart()
    tickers.add()

    wait_for(page, "numbers.length === 2 && states.at(-1) === 'live'")
    assert page.evaluate("heard.includes('stale')")
    assert page.evaluate("states").count("live") == 2


def test_a_page_that_follows_nothing_says_that_nothing_is_live(
    browser_page: Page, web: WebServer
) -> None:
    browser_page.goto(f"http://127.0.0.1:{web.port}/no-such-page")
    light = browser_page.locator(".light")

    browser_page.locator(".light[data-state=live]").wait_for(state="attached")
    browser_page.locator(".light[data-state=idle]").wait_for(state="attached", timeout=15_000)

    assert light.get_attribute("title") == "Nothing on this page is live"
    browser_page.goto("about:blank")
