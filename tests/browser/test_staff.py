"""The staff's side in one walk: what people wait for is decided, a market is run, somebody frozen.

Helen is new: the superuser makes her staff, and she gets in with a second factor. Only XRP-USDT is
stopped here, which no other test trades.
"""

from __future__ import annotations

import io
import re

from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Visit, Visitor
from tests.browser.stack import REPOSITORY, Stack
from tests.browser.test_joining import Joined, add_app, letter_to, sign_in, sign_out, sign_up

FOLDER = REPOSITORY / "artifacts" / "screenshots"
SYMBOL = "XRP-USDT"
MARKET = "/admin/markets/instrument/4/change/"
THEME = "(dark) => document.documentElement.classList.toggle('dark', dark)"
PAYER = "trader3@example.com"


def shots(page: Page, name: str) -> None:
    """The page wide and narrow, light and dark; nothing may stick out of a telephone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for width, size in ((390, PHONE), (1440, DESKTOP)):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        for theme in ("light", "dark"):
            page.evaluate(THEME, theme == "dark")
            page.screenshot(path=FOLDER / f"staff-{name}-{theme}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} {width}"


def picture() -> bytes:
    into = io.BytesIO()
    Image.new("RGB", (640, 480), (20, 90, 160)).save(into, "JPEG")
    return into.getvalue()


def ask_to_be_verified(page: Page) -> None:
    page.goto("/verification")
    page.get_by_label("Name, as in your passport").fill("Grace Hopper")
    page.get_by_label("Date of birth").fill("1986-12-09")
    page.get_by_label("Country where you live").select_option("GB")
    page.get_by_role("button", name="Confirm", exact=True).click()
    for kind in ("identity_front", "selfie"):
        # It is made small, and sent at once.
        page.locator(f"#file-{kind}").set_input_files(
            {"name": "x.jpg", "mimeType": "image/jpeg", "buffer": picture()}
        )
        there = page.locator("li.document").filter(has=page.locator(f"#file-{kind}"))
        expect(there.get_by_role("link", name="Uploaded: look at it")).to_be_visible()
    page.get_by_role("button", name="Send to be verified").click()
    expect(page.get_by_text("We are looking at it").first).to_be_visible()


def ask_for_coins(visitor: Visitor, stack: Stack) -> None:
    visitor.sign_in(PAYER)
    page = visitor.page
    page.goto("/wallet/withdraw/USDT")
    page.get_by_label("Amount").fill("2000")
    page.get_by_role("button", name="Withdraw USDT").click()
    page.get_by_label("The code from our e-mail").wait_for()
    code = re.search(r"the code is\s+(\d{6})\s", letter_to(stack, PAYER, "wants to send 2"))
    assert code is not None
    page.get_by_label("The code from our e-mail").fill(code[1])
    page.get_by_role("button", name="Confirm and send").click()
    expect(page.get_by_text("We look at it before it goes out.").first).to_be_visible()


def make_staff(page: Page, joined: Joined) -> None:
    page.goto(f"/admin/accounts/user/?q={joined.email}")
    page.get_by_role("link", name=joined.email).click()
    page.locator("input[name=is_staff]").check(force=True)
    page.locator("input[name=is_superuser]").check(force=True)
    page.locator("[name=reason]").fill("She joins the team.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()


def open_waiting(page: Page, words: str) -> None:
    page.goto("/admin/queues/")
    page.get_by_role("link", name=words).first.click()


def agree_to_the_coins(page: Page) -> None:
    open_waiting(page, f"2000.00 USDT of {PAYER}")
    form = page.locator("form").filter(has=page.locator("input[name=act][value=approve]"))
    form.locator("input[name=reason]").fill("Known address.")
    form.get_by_role("button", name="Agree").click()
    expect(form).to_have_count(0)


def approve_what_is_asked_for(page: Page, words: str) -> None:
    open_waiting(page, words)
    page.get_by_role("button", name="Approve and carry out").click()
    expect(page.get_by_text("is carried out")).to_be_visible()


def run_the_market(first: Page, second: Page) -> None:
    """A fee by two; a halt by one, and the opening by two."""
    first.goto(MARKET)
    first.get_by_label("Maker fee").fill("0.07")
    first.get_by_label("Why").first.fill("Deeper books.")
    first.get_by_role("button", name="Ask for this change").click()
    expect(first.get_by_text("pays less: 0.70 USDT of a trade of 1000 USDT")).to_be_visible()
    expect(first.get_by_role("button", name="Approve and carry out")).to_have_count(0)
    shots(first, "request")
    approve_what_is_asked_for(second, f"Change terms of a market {SYMBOL}: Deeper books.")

    first.goto(MARKET)
    expect(first.get_by_text("Maker fee: 0.08 % → 0.07 %")).to_be_visible()
    first.get_by_label("Why").last.fill("Odd prices.")
    first.get_by_role("button", name="Halt now").click()
    expect(first.get_by_text(f"{SYMBOL}: halted since seq")).to_be_visible()
    first.get_by_label("Why").last.fill("Prices are sound.")
    first.get_by_role("button", name="Ask to open", exact=True).click()
    approve_what_is_asked_for(second, f"Open a market {SYMBOL}: Prices are sound.")
    first.goto(MARKET)
    expect(first.locator("h2 .state").first).to_have_text("open")
    shots(first, "market")


def test_staff_decide_run_a_market_and_freeze_somebody(visit: Visit, stack: Stack) -> None:
    grace, helen, root, second = visit(), visit(), visit("staff@example.com"), visit()
    for each in (helen, root, second):
        each.expect_complaint("favicon.ico")
    person = sign_up(grace.page)
    ask_to_be_verified(grace.page)
    ask_for_coins(visit(), stack)
    joined = sign_up(helen.page, "Helen")
    add_app(helen.page, joined)
    make_staff(root.page, joined)
    sign_out(helen.page)
    sign_in(helen.page, joined)
    second.sign_in("staff2@example.com")

    page = helen.page
    page.goto("/admin/")
    expect(page.get_by_role("heading", name="System")).to_be_visible()
    shots(page, "desk")
    open_waiting(page, f"Level 2 of {person.email}")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text(f"{person.email}: approved.")).to_be_visible()
    page.goto("/admin/queues/")
    shots(page, "queues")

    agree_to_the_coins(page)
    agree_to_the_coins(second.page)

    run_the_market(page, second.page)

    page.goto(f"/admin/accounts/user/?q={person.email}")
    page.get_by_role("link", name="Open", exact=True).click()
    page.locator("#freezes").get_by_label("Why").fill("Taken over.")
    page.get_by_role("button", name="Freeze this account").click()
    expect(page.get_by_text("frozen by staff")).to_be_visible()
    shots(page, "person-frozen")
    grace.page.goto("/portfolio")
    expect(grace.page).to_have_url(re.compile("/accounts/login/"))
    # Somebody with a history has more to show.
    page.goto(f"/admin/accounts/user/?q={PAYER}")
    page.get_by_role("link", name="Open", exact=True).click()
    shots(page, "person")
