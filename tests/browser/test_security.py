"""Second factors in a real browser: an app, a passkey, and logging in with each."""

from __future__ import annotations

import re
import time
import uuid

from playwright.sync_api import Page, expect

from apps.accounts.factors import totp
from tests.browser.conftest import Visit

PASSWORD = "three-plain-words-here"


def _sign_up(page: Page, origin: str) -> str:
    email = f"grace-{uuid.uuid4().hex[:12]}@example.com"
    page.goto(f"{origin}/accounts/signup/")
    page.get_by_label("Display name").fill("Grace")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    expect(page.get_by_text("Hello Grace")).to_be_visible()
    return email


def _log_out(page: Page) -> None:
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("link", name="Log in").first).to_be_visible()


def test_an_app_is_added_and_asked_for(visit: Visit) -> None:
    page = visit().page
    email = _sign_up(page, "")
    page.goto("/security")
    page.get_by_role("link", name="Add an authenticator app").click()
    secret = page.locator("code.secret").inner_text().replace(" ", "")

    page.get_by_label("Code that the app shows now").fill(
        totp.code_at(secret, int(time.time()) // totp.STEP_SECONDS)
    )
    page.get_by_role("button", name="Turn it on").click()

    expect(page.locator(".codes li")).to_have_count(10)
    recovery_code = page.locator(".codes li").first.inner_text()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 of 10 left")).to_be_visible()
    _log_out(page)
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Log in", exact=True).click()
    page.get_by_label("Code from your app").fill("abcde-fghij")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_role("alert").first).to_contain_text("wrong")
    page.get_by_label("Code from your app").fill(recovery_code)
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.get_by_text("Hello Grace")).to_be_visible()


def test_a_passkey_is_added_and_logs_in_alone(visit: Visit) -> None:
    page = visit().page
    page.goto("/")
    # Passkeys belong to a name, and the tests' own address is a number.
    origin = re.sub(r"//127\.0\.0\.1", "//localhost", page.url).rstrip("/")
    protocol = page.context.new_cdp_session(page)
    protocol.send("WebAuthn.enable")
    protocol.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
                "hasUserVerification": True, "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    _sign_up(page, origin)
    page.goto(f"{origin}/security/passkeys/new")

    page.get_by_label("Name").fill("Telephone")
    page.get_by_role("button", name="Add a passkey").click()

    expect(page.locator(".codes li")).to_have_count(10)
    page.goto(f"{origin}/security")
    expect(page.get_by_text("Telephone")).to_be_visible()
    _log_out(page)
    page.goto(f"{origin}/accounts/login/")
    page.get_by_role("button", name="Use a passkey instead").click()
    expect(page.get_by_text("Hello Grace")).to_be_visible()
