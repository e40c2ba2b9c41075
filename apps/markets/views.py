"""The markets page."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.preferences import preferences_of
from apps.markets.listing import market_rows

SEARCH_MAX = 25


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; ``rest`` is what a narrow screen leaves out of its label.

    ``query`` is where a click on it leads, empty where it does not sort.
    """

    key: str
    label: str
    rest: str
    number: bool
    query: str = ""
    sorted: str = ""


_COLUMNS = (
    ("market", "Market", "", False, True),
    ("last", "Last", " price", True, True),
    ("change", "24 h", " change", True, True),
    ("high", "24 h", " high", True, False),
    ("low", "24 h", " low", True, False),
    ("volume", "24 h", " volume", True, True),
    ("spark", "Last 24 hours", "", False, False),
)


@require_safe
def market_list(request: HttpRequest) -> HttpResponse:
    search = request.GET.get("q", "")[:SEARCH_MAX]
    sort = request.GET.get("sort", "")
    descending = request.GET.get("dir") == "desc"
    only_favourites = request.GET.get("show") == "starred"
    favourites = preferences_of(request).favourites
    rows = market_rows(
        search=search, sort=sort, descending=descending,
        favourites=favourites, only_favourites=only_favourites,
    )  # fmt: skip
    state = {"q": search, "sort": sort, "dir": "desc" if descending else ""}
    starred = {"show": "starred"} if only_favourites else {}
    context = {
        "rows": rows,
        "any_fits": any(row.fits for row in rows),
        "search": search,
        "sort": sort,
        "dir": state["dir"],
        "only_favourites": only_favourites,
        "all_query": _query(state),
        "starred_query": _query({**state, "show": "starred"}),
        "columns": [_column(each, {**state, **starred}) for each in _COLUMNS],
    }
    return render(request, "markets/list.html", context)


def _column(column: tuple[str, str, str, bool, bool], state: dict[str, str]) -> Column:
    key, label, rest, number, sorts = column
    if not sorts:
        return Column(key, label, rest, number)
    chosen, falling = state["sort"] == key, state["dir"] == "desc"
    # Numbers are wanted largest first, names from A to Z; a second click turns the order round.
    next_falling = not falling if chosen else number
    query = _query({**state, "sort": key, "dir": "desc" if next_falling else ""})
    direction = ("descending" if falling else "ascending") if chosen else ""
    return Column(key, label, rest, number, query, direction)


def _query(values: dict[str, str]) -> str:
    return urlencode({name: value for name, value in values.items() if value})
