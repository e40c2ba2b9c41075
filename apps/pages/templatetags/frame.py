"""What templates need to draw the frame: the import map, icons, preferences and shown numbers.

The number filters follow the same rules as static/js/format.js, so that a number looks the same
before and after its first live update.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.accounts.preferences import Preferences, preferences_of
from apps.notifications.queries import unread_count
from apps.pages.queries import Holdings, holdings_for, value_cents
from apps.pages.rules import asked_from

register = template.Library()

CHARTS: Final = "vendor/lightweight-charts-5.2.1.mjs"
# Not modules: one runs before the page is painted, the other is the entry that the page names.
_PLAIN: Final = {"early", "app"}
_COINS: Final = {"BTC", "ETH", "SOL", "XRP", "DOGE", "USDT"}
_SCALES: Final = (("T", 12), ("B", 9), ("M", 6), ("K", 3))


@cache
def _module_names() -> tuple[str, ...]:
    root = Path(settings.BASE_DIR) / "static" / "js"
    names = (path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.js"))
    return tuple(sorted(name for name in names if name not in _PLAIN))


@register.simple_tag(takes_context=True)
def import_map(context: dict[str, Any]) -> SafeString:
    """The one inline script: which hashed file each bare module name stands for."""
    imports = {name: static(f"js/{name}.js") for name in _module_names()}
    imports["lightweight-charts"] = static(CHARTS)
    text = json.dumps({"imports": imports}, separators=(",", ":")).replace("<", "\\u003c")
    return format_html(
        '<script type="importmap" nonce="{}">{}</script>',
        context["request"].csp_nonce,
        mark_safe(text),  # nosec B308 B703: JSON of our own file names, without any "<"
    )


@register.simple_tag
def preload_modules(names: str) -> SafeString:
    """Fetch modules side by side instead of one after another as they import each other."""
    links = (
        format_html('<link rel="modulepreload" href="{}">', static(f"js/{name}.js"))
        for name in names.split()
    )
    return mark_safe("".join(links))  # nosec B308 B703: made by format_html above


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """An icon of the sprite. It is decoration: what it stands beside says the same in words."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        extra, static("img/icons.svg"), name,
    )  # fmt: skip


@register.simple_tag
def coin(code: str, extra: str = "") -> SafeString:
    """The mark of an asset; one that has none gets a neutral disc."""
    name = code if code in _COINS else "other"
    return format_html(
        '<svg class="coin {}" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        extra, static("img/coins.svg"), name,
    )  # fmt: skip


@register.simple_tag(takes_context=True)
def preferences(context: dict[str, Any]) -> Preferences:
    request = context.get("request")
    return preferences_of(request) if request is not None else Preferences()


@register.simple_tag
def is_demo() -> bool:
    """Whether this installation gives play money away; only then may a page say so."""
    return bool(settings.DEMO)


@register.simple_tag(takes_context=True)
def holdings(context: dict[str, Any]) -> Holdings | None:
    """What the viewer has; None for who is not signed in. A page that has read it gives it.

    So does one that has read all tickers, which is most of the work.
    """
    known = context.get("mine")
    if isinstance(known, Holdings):
        return known
    request = context.get("request")
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return holdings_for(viewer=user, found=context.get("tickers"))


@register.simple_tag(takes_context=True)
def unread_notices(context: dict[str, Any]) -> int:
    """How much the viewer has been told and not read."""
    return unread_count(viewer=context["request"].user)


@register.filter
def available(mine: Holdings | None, code: str) -> str:
    """What the viewer can spend of an asset."""
    rows = mine.rows if mine else ()
    return next((str(row.data["available"]) for row in rows if row.data["asset"] == code), "0")


@register.filter
def confirm_from(mine: Holdings | None) -> str:
    """From which worth an order is asked about, where its owner has not said."""
    return str(asked_from(value_cents(mine.total_minor) // 100 if mine else 0))


@register.filter
def amount(text: object, least: int = 0) -> str:
    """``64231.5`` with two decimals is ``64,231.50``; what is more precise stays."""
    if text is None or text == "":
        return "–"
    sign, whole, decimals = _parts(str(text))
    decimals = decimals.ljust(least, "0")
    return f"{sign}{int(whole):,}{'.' + decimals if decimals else ''}"


@register.filter
def fixed(text: object, places: int) -> str:
    """Exactly so many decimals, the rest cut off."""
    if text is None or text == "":
        return "–"
    sign, whole, decimals = _parts(str(text))
    decimals = decimals[:places].ljust(places, "0")
    return f"{sign}{int(whole):,}{'.' + decimals if decimals else ''}"


@register.filter
def trimmed(text: object, least: int = 2) -> str:
    """Without zeros at the end beyond ``least`` decimals: for amounts of assets with many."""
    if text is None or text == "":
        return "–"
    sign, whole, decimals = _parts(str(text))
    decimals = decimals.rstrip("0").ljust(least, "0")
    return f"{sign}{int(whole):,}.{decimals}"


@register.filter
def compact(text: object) -> str:
    """``1234567.8`` is ``1.23M``: cut, not rounded up."""
    if text is None or text == "":
        return "–"
    sign, whole, decimals = _parts(str(text))
    for letter, zeros in _SCALES:
        if len(whole) > zeros:
            head = whole[: len(whole) - zeros]
            tail = whole[len(head) :][: max(0, 3 - len(head))]
            return f"{sign}{head}{'.' + tail if tail else ''}{letter}"
    cut = decimals[: 2 if len(whole) > 1 else 4].rstrip("0")
    return f"{sign}{whole}{'.' + cut if cut else ''}"


@register.filter
def percent(text: object) -> str:
    if text is None or text == "":
        return "–"
    return f"{'+' if direction(text) == 'up' else ''}{fixed(text, 2)}%"


@register.filter
def signed(text: object) -> str:
    """Two decimals, grouped, with a plus where it grew."""
    shown = fixed(text, 2)
    return f"+{shown}" if direction(text) == "up" else shown


@register.filter
def day_and_time(text: object) -> str:
    """Part the day of an ISO time from the time of day, for who reads it without scripts."""
    return str(text).replace("T", " ")


@register.filter
def direction(text: object) -> str:
    """``up``, ``down`` or nothing, by the sign of a decimal text."""
    if not str(text or "").strip("-0."):
        return ""
    return "down" if str(text).startswith("-") else "up"


@register.filter
def places(step: str) -> int:
    """How many decimals a step such as ``0.01`` has."""
    return len(_parts(str(step))[2].rstrip("0"))


@register.filter
def as_json(value: object) -> str:
    """The value as JSON for a data attribute; the template escapes it like any other text."""
    return json.dumps(value, separators=(",", ":"))


@register.filter
def words(code: str) -> str:
    """``partially_filled`` as ``Partially filled``."""
    return str(code or "").replace("_", " ").capitalize()


def _parts(text: str) -> tuple[str, str, str]:
    sign = "-" if text.startswith("-") else ""
    whole, _, decimals = text.removeprefix("-").partition(".")
    return sign, whole, decimals
