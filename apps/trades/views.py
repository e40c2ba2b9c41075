"""The trading page and the list of orders; their forms work without scripts too."""

from __future__ import annotations

import uuid
from typing import Any, Final, cast

import redis.exceptions
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import DomainError, Invalid, NotFound
from apps.core.money import format_minor
from apps.core.web import describe
from apps.markets.books import stored_books
from apps.markets.models import Instrument
from apps.markets.presentation import candle_json, instrument_json, ticker_json, trade_json
from apps.markets.queries import (
    INTERVALS,
    Ticker24h,
    candles,
    instrument_by_symbol,
    recent_trades,
    tickers,
)
from apps.trades.actions import cancel_all, cancel_order, place_order
from apps.trades.entry import PAIR, Entry, entry_of, field_of
from apps.trades.exports import fills_csv, ledger_csv, orders_csv
from apps.trades.listing import listing_of
from apps.trades.models import OPEN_STATUSES, Order
from apps.trades.pairing import place_pair
from apps.trades.position_queries import positions_of, value_asset
from apps.trades.presentation import fill_json, order_json, position_json
from apps.trades.queries import (
    ended_its_purchase,
    fills_page,
    open_among,
    open_orders,
    orders_page,
)
from apps.trades.risk.presentation import standing_json
from apps.trades.risk.queries import standing_of
from apps.trades.rules import ORDER_TYPES
from apps.wallets.queries import main_account

VALUE_ASSET: Final = "USDT"
DEFAULT_INTERVAL: Final = "15m"
DEFAULT_MARKET: Final = "BTC-USDT"
LAST_MARKET_COOKIE: Final = "sum1_market"
TABS: Final = (
    {"key": "open", "label": "Open orders", "shortcut": "o"},
    {"key": "positions", "label": "Positions", "shortcut": "p"},
    {"key": "history", "label": "History", "shortcut": "h"},
    {"key": "fills", "label": "Fills", "shortcut": "f"},
    {"key": "balances", "label": "Balances", "shortcut": "w"},
)
KINDS: Final = (
    ("limit", "Limit", "Trades at your price or better, and rests in the book until it does."),
    ("market", "Market", "Trades at once at the best prices there are."),
    ("stop", "Stop", "Becomes a market order when the last price reaches your stop: out of a"
     " holding that falls, or into a market that rises."),
    ("stop_limit", "Stop-limit", "Like a stop, but then trades at your limit or better, or waits."),
    ("take_profit", "Take-profit", "Becomes a market order when the last price gets as good as"
     " your trigger."),
    ("take_profit_limit", "Take-profit-limit", "Like a take-profit, but then trades at your limit"
     " or better, or waits."),
    ("trailing_stop", "Trailing stop", "A stop that follows the price at a distance while it goes"
     " your way, and stays where it is when it turns."),
    (PAIR, "Limit and stop together", "A limit and a stop on either side of the price: what fills"
     " of one comes off the other, and when one ends, so does the other."),
)  # fmt: skip
SHARES: Final = (25, 50, 75, 100)
TAPE_ROWS: Final = 40
BOOK_ROWS: Final = 10
PAGE_ROWS: Final = 50
GROUPING_STEPS: Final = (1, 10, 100, 1000)


@require_safe
def trade(request: HttpRequest) -> HttpResponse:
    """The market that this browser looked at last, or the first one."""
    symbol = request.COOKIES.get(LAST_MARKET_COOKIE, "")
    try:
        symbol = instrument_by_symbol(symbol).symbol
    except NotFound:
        symbol = DEFAULT_MARKET
    return redirect("trades:market", symbol)


@require_safe
def market(request: HttpRequest, symbol: str) -> HttpResponse:
    instrument = instrument_by_symbol(symbol)
    if symbol != instrument.symbol:
        return redirect("trades:market", instrument.symbol)
    response = render(request, "trades/market.html", _desk(request, instrument, Entry()))
    response.set_cookie(
        LAST_MARKET_COOKIE, instrument.symbol, samesite="Lax", secure=request.is_secure()
    )
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def place(request: HttpRequest, symbol: str) -> HttpResponse:
    """The order form, sent without scripts. A refusal comes back at the field it is about."""
    instrument = instrument_by_symbol(symbol)
    page = reverse("trades:market", args=[instrument.symbol])
    if request.method != "POST":
        # Where a refusal was shown: links and forms on that page lead here.
        query = request.META.get("QUERY_STRING", "")
        return redirect(f"{page}?{query}" if query else page)
    if not request.user.is_authenticated:
        return redirect_to_login(page)
    entry = entry_of(request.POST)
    try:
        words = _place(_person(request), instrument, entry)
    except DomainError as error:
        context = _desk(request, instrument, entry) | {"errors": {field_of(error): error.message}}
        problem = describe(error)
        refused = render(request, "trades/market.html", context, status=problem.status)
        for name, value in problem.headers.items():
            refused[name] = value
        return refused
    messages.success(request, words)
    return redirect(page)


def _place(person: User, instrument: Instrument, entry: Entry) -> str:
    """Carry out what the form asks for; return what to say of it."""
    asked: dict[str, Any] = {
        "actor": person,
        "account": main_account(viewer=person),
        "market": instrument.symbol,
        "now": clock.now(),
    }
    if entry.type == PAIR:
        first, second = place_pair(**asked, **entry.pair_terms())
        return f"Your orders {first.id} and {second.id} are in. Their state is below."
    placed = place_order(**asked, **entry.terms())
    return f"Your order {placed.id} is in. Its state is below."


@require_POST
def cancel(request: HttpRequest, order_id: str) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect_to_login(_page_of_form(request, "trades:orders"))
    try:
        ended = cancel_order(actor=_person(request), order_id=order_id)
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _cancelled_words(ended))
    return redirect(_page_of_form(request, "trades:orders"))


def _cancelled_words(ended: Order) -> str:
    if ended_its_purchase(ended):
        which = "Both exits are" if ended.pair_order_id else "The exit is"
        return f"{which} cancelled, and so is what was left of the purchase."
    if ended.pair_order_id:
        return "Both orders are cancelled: they were linked."
    return "The order is cancelled."


@require_POST
def cancel_everything(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect_to_login(_page_of_form(request, "trades:orders"))
    try:
        cancel_all(
            actor=_person(request), account=main_account(viewer=_person(request)),
            market=request.POST.get("market") or None,
        )  # fmt: skip
    except DomainError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, "Your open orders are cancelled.")
    return redirect(_page_of_form(request, "trades:orders"))


@require_safe
@vary_on_headers("HX-Request")
def candle_table(request: HttpRequest, symbol: str) -> HttpResponse:
    """The chart as a table, for those who cannot see it."""
    instrument = instrument_by_symbol(symbol)
    interval = request.GET.get("interval", DEFAULT_INTERVAL)
    rows = candles(instrument=instrument, interval=interval, limit=100)
    context = {
        "market": instrument,
        "symbol": instrument.symbol,
        "interval": interval,
        "intervals": INTERVALS,
        "rows": [candle_json(row, instrument) for row in reversed(rows)],
    }
    name = "trades/_candles.html" if _rows_only(request) else "trades/candles.html"
    return render(request, name, context)


@require_safe
@login_required
@vary_on_headers("HX-Request")
def order_list(request: HttpRequest) -> HttpResponse:
    """Orders or fills, filtered, page by page; a page asked for by script comes as rows alone."""
    show = "fills" if request.GET.get("show") == "fills" else "orders"
    listing = listing_of(request.GET, show)
    viewer = _person(request)
    asked: dict[str, Any] = {
        "viewer": viewer,
        "account": main_account(viewer=viewer),
        "before": request.GET.get("before") or None,
        "limit": PAGE_ROWS,
        "wanted": listing.wanted,
    }
    parents: set[int] = set()
    if show == "fills":
        fills = fills_page(**asked)
        rows, following = [fill_json(fill) for fill in fills.items], fills.next
    else:
        orders = orders_page(**asked)
        rows, following = [order_json(order) for order in orders.items], orders.next
        parents = {
            order.parent_order_id
            for order in orders.items
            if order.parent_order_id and order.status in OPEN_STATUSES
        }
    kept = [part for part in ("show=fills" if show == "fills" else "", listing.query) if part]
    context = {
        "show": show,
        "filters": listing.filters,
        "rows": rows,
        "open_purchases": open_among(parents),
        "next_query": "&".join([*kept, f"before={following}"]) if following else "",
        "download_query": listing.query,
        "filtered": listing.filtered,
        "markets": [ticker.instrument.symbol for ticker in tickers()],
        "types": tuple(ORDER_TYPES),
        "statuses": ("open", "filled", "cancelled", "expired"),
    }
    name = "trades/_order_rows.html" if _rows_only(request) else "trades/orders.html"
    return render(request, name, context)


@require_safe
@login_required
def download(request: HttpRequest, what: str) -> HttpResponseBase:
    """Orders, fills or ledger as a file; it is sent while it is read."""
    viewer = _person(request)
    # What is refused is refused here: once the file has begun, it is too late.
    if what == "ledger":
        lines = ledger_csv(viewer=viewer)
    elif what == "fills":
        lines = fills_csv(viewer=viewer, wanted=listing_of(request.GET, "fills").wanted)
    else:
        lines = orders_csv(viewer=viewer, wanted=listing_of(request.GET, "orders").wanted)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="sum1-{what}.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _desk(request: HttpRequest, instrument: Instrument, entry: Entry) -> dict[str, Any]:
    interval = request.GET.get("interval", DEFAULT_INTERVAL)
    if interval not in INTERVALS:
        raise Invalid("invalid_interval", f"An interval is one of {', '.join(INTERVALS)}.")
    tab = request.GET.get("tab", "")
    tab = tab if any(each["key"] == tab for each in TABS) else TABS[0]["key"]
    found = tickers()
    described = instrument_json(instrument)
    return {
        "market": instrument,
        "symbol": instrument.symbol,
        "instrument": described,
        "ticker": next(
            ticker_json(each) for each in found if each.instrument.id == instrument.id
        ),
        "markets": [ticker_json(each) for each in found],
        "tickers": found,
        "quote_worth": _worth_of(instrument.quote.code, found),
        "interval": interval,
        "intervals": INTERVALS,
        "groupings": [
            format_minor(step * instrument.tick_size_minor, instrument.quote.scale)
            for step in GROUPING_STEPS
        ],
        "book": _first_book(instrument.symbol),
        "tape": [trade_json(each, instrument) for each in recent_trades(
            instrument=instrument, limit=TAPE_ROWS)],
        "fees": {
            "maker": format_minor(instrument.maker_fee_ppm, 4, min_decimals=2),
            "taker": format_minor(instrument.taker_fee_ppm, 4, min_decimals=2),
        },
        "kinds": KINDS,
        "shares": SHARES,
        "form": entry,
        "errors": {},
        "advanced_open": entry.advanced,
        "client_order_id": uuid.uuid4().hex,
        "tabs": TABS,
        "tab": tab,
        **_mine(request, tab),
    }  # fmt: skip


def _worth_of(code: str, found: list[Ticker24h]) -> str:
    """Return what one of an asset is worth in the value asset; empty where nobody knows."""
    if code == VALUE_ASSET:
        return "1"
    for each in found:
        if (each.instrument.base.code, each.instrument.quote.code) == (code, VALUE_ASSET):
            return str(ticker_json(each)["last"] or "")
    return ""


def _first_book(symbol: str) -> dict[str, list[list[str]]]:
    """Return the best levels for the first sight of the page, asks in the order they are shown."""
    try:
        stored = stored_books([symbol])[symbol]
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
        # The page is worth having without the book; its own connection brings it later.
        stored = None
    if stored is None:
        return {"bids": [], "asks": []}
    data = stored["data"]
    return {"bids": data["bids"][:BOOK_ROWS], "asks": data["asks"][:BOOK_ROWS][::-1]}


def _mine(request: HttpRequest, tab: str) -> dict[str, Any]:
    """Return the viewer's rows of the open tab; a script fetches those of the others when asked."""
    rows: dict[str, Any] = {"open_orders": [], "positions": [], "history": [], "fills": []}
    rows |= {"standing": None, "open_purchases": set()}
    if not request.user.is_authenticated:
        return rows
    try:
        account = main_account(viewer=_person(request))
    except NotFound:
        return rows
    viewer: dict[str, Any] = {"viewer": request.user, "account": account}
    rows["standing"] = standing_json(standing_of(**viewer))
    rows["open_orders"] = [order_json(order) for order in open_orders(**viewer)]
    rows["open_purchases"] = {order["id"] for order in rows["open_orders"]}
    if tab == "history":
        recent = orders_page(**viewer, limit=PAGE_ROWS).items
        rows["history"] = [
            order_json(order) for order in recent if order.status not in OPEN_STATUSES
        ]
    elif tab == "positions":
        value = value_asset()
        held = [row for row in positions_of(**viewer) if row.quantity_minor]
        rows["positions"] = [position_json(row, value) for row in held]
    elif tab == "fills":
        page = fills_page(**viewer, limit=PAGE_ROWS)
        rows["fills"] = [fill_json(fill) for fill in page.items]
    return rows


def _person(request: HttpRequest) -> User:
    """Who is signed in; only where that has been checked."""
    return cast(User, request.user)


def _rows_only(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _page_of_form(request: HttpRequest, fallback: str) -> str:
    """Return the page that the form was on; an address outside this site is ignored."""
    target = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(
        target, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return target
    return reverse(fallback)
