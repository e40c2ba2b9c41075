"""Finds a Chromium for the browser tests, and installs one where there is none.

Debian's own through apt where we may, else the one that Playwright brings.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def find_browser() -> str | None:
    """Return the program of an installed Chromium; None lets Playwright use its own."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def ensure_browser() -> bool:
    """Return whether there is a browser now."""
    if find_browser() is not None or _playwrights_own_is_there():
        return True
    if os.geteuid() == 0 and shutil.which("apt-get"):
        _say("Installing Debian's chromium with apt …")
        for command in (
            ["apt-get", "-qq", "update"],
            ["apt-get", "-qq", "-y", "--no-install-recommends", "install", "chromium"],
        ):
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
        if find_browser() is not None:
            return True
    _say("Installing Playwright's Chromium …")
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    return _playwrights_own_is_there()


def _playwrights_own_is_there() -> bool:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path).exists()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if not ensure_browser():
        _say("No Chromium could be installed. Install one (Debian: apt install chromium).")
        raise SystemExit(1)
