"""Signing up, in and out, and what a person sees of their account."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import expect

from tests.browser.conftest import Visit, soon

PASSWORD = "three-plain-words-here"


def test_who_signs_up_finds_demo_funds(visit: Visit) -> None:
    page = visit().page
    page.goto("/")
    page.get_by_role("main").get_by_role("link", name="Sign up").click()

    page.get_by_label("Display name").fill("Grace")
    page.get_by_label("Email").fill(f"grace-{uuid.uuid4().hex[:12]}@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()

    expect(page.get_by_text("Hello Grace")).to_be_visible()
    page.goto("/portfolio")
    for asset, amount in (("USDT", "100,000.00"), ("BTC", "1.00"), ("ETH", "10.00")):
        row = page.locator(f".balance-table tr[data-id={asset}]")
        expect(row.locator("[data-field=total]")).to_have_text(amount)
    total = page.locator(".page-head [data-total]")
    before = total.inner_text()
    expect(total).not_to_have_text(before)


def test_a_sign_up_that_is_wrong_says_so_at_the_field(visit: Visit) -> None:
    page = visit().page
    page.goto("/accounts/signup/")

    page.get_by_label("Display name").fill("Grace")
    page.get_by_label("Email").fill("grace@example.com")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_role("main").get_by_role("button", name="Sign up").click()

    expect(page.locator(".field[data-invalid]")).to_contain_text("too short")
    expect(page.get_by_label("Email")).to_have_value("grace@example.com")


def test_wrong_passwords_are_refused_and_logging_out_works(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    page.goto("/accounts/login/?next=/orders")
    page.get_by_label("Email").fill("trader3@example.com")
    page.get_by_label("Password", exact=True).fill("not the password")
    page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()

    visitor.sign_in("staff@example.com")
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_role("link", name="Log in").first).to_be_visible()
    page.goto("/portfolio")
    expect(page).to_have_url(re.compile(r"/accounts/login/\?next=/portfolio"))


def test_pages_that_are_not_there_say_so(visit: Visit) -> None:
    visitor = visit()
    visitor.expect_complaint("404")
    page = visitor.page

    answer = page.goto("/trade/NO-SUCH")

    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_text("unknown_market")).to_be_visible()
    expect(page.get_by_role("link", name="Look at the markets")).to_be_visible()


def test_orders_are_filtered_by_the_address(visit: Visit) -> None:
    visitor = visit("trader1@example.com")
    page = visitor.page
    page.goto("/orders")

    page.get_by_role("combobox", name="Market").select_option("XRP-USDT")

    page.wait_for_url("**/orders?market=XRP-USDT")
    expect(page.get_by_text("Nothing fits this filter")).to_be_visible()
    page.get_by_role("link", name="Clear the filter").click()
    page.wait_for_url(re.compile(r"/orders\??$"))


def test_older_orders_come_as_one_scrolls(visit: Visit) -> None:
    page = visit("trader3@example.com").page
    page.goto("/trade/DOGE-USDT")
    place = """async () => {
      const csrf = document.querySelector("input[name=csrfmiddlewaretoken]").value;
      const headers = { "Content-Type": "application/json", "X-CSRFToken": csrf };
      const last = (await (await fetch("/api/v1/markets/DOGE-USDT/ticker")).json()).last;
      const orders = Array.from({ length: 60 }, (_, step) => ({
        market: "DOGE-USDT", side: "buy", type: "limit", quantity: String(60 + step),
        price: (Number(last) * 0.95).toFixed(5),
      }));
      const body = JSON.stringify({ orders });
      const placed = await fetch("/api/v1/orders/batch", { method: "POST", headers, body });
      const path = "/api/v1/orders?market=DOGE-USDT";
      const cancelled = await fetch(path, { method: "DELETE", headers });
      return [placed.status, (await cancelled.json()).seq];
    }"""
    status, seq = page.evaluate(place)
    assert status == 200
    # The page shows what is in the tables, which may be a moment behind.
    assert soon(lambda: page.request.get(f"/api/v1/orders?limit=1&min_seq={seq}").ok)

    page.goto("/orders?market=DOGE-USDT")
    rows = page.locator(".order-table tbody tr:not(.more-row)")
    expect(rows).to_have_count(50)
    rows.last.scroll_into_view_if_needed()
    page.mouse.wheel(0, 4000)

    expect(rows.nth(59)).to_be_attached()
    ids = rows.evaluate_all("rows => rows.map((row) => row.dataset.id)")
    assert len(set(ids)) == len(ids)


def test_the_portfolio_tells_its_value_by_the_keyboard_too(visit: Visit) -> None:
    page = visit("trader1@example.com").page
    page.goto("/portfolio")

    # Above and in the sums of the day it is one figure, at any moment.
    page.wait_for_function(
        """() => {
            const [above, below] = [".dash-value [data-total]", ".since [data-total]"].map(
                (each) => document.querySelector(each).textContent);
            window.seen ??= above;
            return above === below && above !== window.seen;
        }"""
    )
    picture = page.locator(".value-chart")
    if picture.count():
        picture.focus()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".value-figure [data-tip]")).to_contain_text("USDT")
    page.get_by_role("link", name="30d").click()
    expect(page.get_by_role("link", name="30d")).to_have_attribute("aria-current", "true")
