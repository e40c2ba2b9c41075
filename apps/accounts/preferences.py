"""What a browser remembers of its owner's taste, in cookies: theme, colours, favourite markets.

It holds nothing personal and nothing that matters if it is lost. Values that are not on the list
count as absent: a cookie is input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse

THEMES: Final = ("dark", "light", "system")
PALETTES: Final = ("standard", "safe")
THEME_COOKIE: Final = "sum1_theme"
PALETTE_COOKIE: Final = "sum1_palette"
FAVOURITES_COOKIE: Final = "sum1_favourites"
FAVOURITES_MAX: Final = 50
LIFE_SECONDS: Final = 400 * 24 * 3600
# Written by scripts too, so the separator is one that needs no quoting in a cookie.
_SYMBOL: Final = re.compile(r"[A-Z0-9]{1,12}-[A-Z0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Preferences:
    theme: str = THEMES[0]
    palette: str = PALETTES[0]
    favourites: tuple[str, ...] = ()


def preferences_of(request: HttpRequest) -> Preferences:
    """Return the preferences, or the defaults where a cookie says nothing that is known."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    palette = request.COOKIES.get(PALETTE_COOKIE, "")
    symbols = request.COOKIES.get(FAVOURITES_COOKIE, "").split("_")[:FAVOURITES_MAX]
    return Preferences(
        theme=theme if theme in THEMES else THEMES[0],
        palette=palette if palette in PALETTES else PALETTES[0],
        favourites=tuple(symbol for symbol in symbols if is_symbol(symbol)),
    )


def is_symbol(text: str) -> bool:
    """Say whether the text looks like a market's symbol; whether there is one is not asked."""
    return _SYMBOL.fullmatch(text) is not None


def toggle_favourite(favourites: tuple[str, ...], symbol: str) -> tuple[str, ...]:
    """Return the favourites with the market added, or removed where it was one."""
    if symbol in favourites:
        return tuple(other for other in favourites if other != symbol)
    return (*favourites, symbol)[-FAVOURITES_MAX:]


def remember(response: HttpResponse, request: HttpRequest, name: str, value: str) -> None:
    """Set one preference on the response; scripts may read it, other sites do not get it."""
    response.set_cookie(
        name, value, max_age=LIFE_SECONDS, samesite="Lax", secure=request.is_secure()
    )
