"""From nothing to a person with a proved address and a second factor, as one walk.

Each step is a function, for walks that go on from there.
"""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, expect

from apps.accounts.factors import totp
from tests.browser.conftest import Visit, soon
from tests.browser.stack import Stack

PASSWORD = "three-plain-words-here"


@dataclass
class Joined:
    """Somebody who has signed up, and what they keep to get in."""

    email: str
    secret: str = ""
    last_step: int = 0
    recovery_codes: list[str] = field(default_factory=list)

    def a_code(self) -> str:
        """A code that is good now and was not used yet: of the app, or one for recovery."""
        now = int(time.time()) // totp.STEP_SECONDS
        step = max(now, self.last_step + 1)
        if step > now + totp.TOLERANCE_STEPS:
            return self.recovery_codes.pop()
        self.last_step = step
        return totp.code_at(self.secret, step)


def sign_up(page: Page, name: str = "Grace") -> Joined:
    joined = Joined(f"{name.lower()}-{uuid.uuid4().hex[:12]}@example.com")
    page.goto("/accounts/signup/")
    page.get_by_label("Display name").fill(name)
    page.get_by_label("Email").fill(joined.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up", exact=True).click()
    expect(page.get_by_text(f"Hello {name}")).to_be_visible()
    return joined


def letter_to(stack: Stack, email: str, words: str) -> str:
    """The newest letter to this address with these words in it, as soon as it was sent."""

    def found() -> str:
        texts = [path.read_text() for path in sorted(Path(stack.mail).glob("*.log"))]
        mine = [text for text in texts if f"To: {email}" in text and words in text]
        return mine[-1] if mine else ""

    text: str = soon(found)
    assert text, f"no letter to {email} says {words!r}"
    return text


def verify_address(page: Page, stack: Stack, joined: Joined) -> None:
    """Open the link of the letter, and say yes."""
    text = letter_to(stack, joined.email, "confirm-email")
    link = re.search(r"http\S+/accounts/confirm-email/\S+", text)
    assert link is not None
    page.goto(link.group())
    page.get_by_role("button", name="Yes, confirm it").click()
    page.goto("/security")
    expect(page.get_by_text("Verified", exact=True)).to_be_visible()


def add_app(page: Page, joined: Joined) -> None:
    """Turn an authenticator app on, and keep the recovery codes."""
    page.goto("/security")
    page.get_by_role("link", name="Add an authenticator app").click()
    joined.secret = page.locator("code.secret").inner_text().replace(" ", "")
    page.get_by_label("Code that the app shows now").fill(joined.a_code())
    page.get_by_role("button", name="Turn it on").click()
    codes = page.locator(".codes li")
    expect(codes).to_have_count(10)
    joined.recovery_codes = codes.all_inner_texts()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 of 10 left")).to_be_visible()


def sign_out(page: Page) -> None:
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in").first).to_be_visible()


def sign_in(page: Page, joined: Joined) -> None:
    """With password and, where there is one, a code."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(joined.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in", exact=True).click()
    if joined.secret:
        page.get_by_label("Code from your app").fill(joined.a_code())
        page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_text("Hello")).to_be_visible()


def test_who_joins_proves_the_address_and_comes_back_with_a_code(
    visit: Visit, stack: Stack
) -> None:
    page = visit().page

    joined = sign_up(page)
    verify_address(page, stack, joined)
    add_app(page, joined)
    sign_out(page)
    sign_in(page, joined)

    page.goto("/security")
    expect(page.get_by_text("Authenticator app", exact=True)).to_be_visible()
    expect(page.get_by_role("cell", name="Signed in").first).to_be_visible()
    assert "A second factor was added" in letter_to(stack, joined.email, "second factor")
