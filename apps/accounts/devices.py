"""What to call a client, of what it calls itself: a browser on a system, or an app by its name."""

from __future__ import annotations

from typing import Final

# The first that is found names it: most call themselves several things.
_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
)
_LENGTH_MAX: Final = 40


def name_of(client: str) -> str:
    """Return words for a client: "Firefox on Windows", "python-httpx/0.27", "an unknown app"."""
    browser = _first(_BROWSERS, client)
    system = _first(_SYSTEMS, client)
    if browser and client.startswith("Mozilla/"):
        return f"{browser} on {system}" if system else browser
    words = client.split(" ")[0][:_LENGTH_MAX]
    return f"{words} on {system}" if words and system else words or "An unknown app"


def _first(marks: tuple[tuple[str, str], ...], client: str) -> str:
    return next((name for mark, name in marks if mark in client), "")
