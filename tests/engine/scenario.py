"""Scenarios in words: the book before, what people do, what comes of it, the book after.

    market   maker fee 800 ppm, taker fee 1000 ppm, reference 100
    before   ask 102  carl 4
             ask 101  ben 2, cleo 1
             bid  99  anna 3
             stop sell 95 eve 3
             take sell 110 fay 3
             trail sell 5 gus 3
    do       dora buys 5 @ 102
    events   trade 2 @ 101 ben dora
             ...
    after    ask 102  carl 2
             bid  99  anna 3
    money    dora  quote 395 held 0, base 105 held 0

Everybody starts with the money that ``start`` names (10,000 of each asset otherwise). ``anna.2``
is another account of anna's trade group. ``dora orders up to 900`` in ``start`` bounds the value
of her orders, ``as mine`` behind an order is its client order id. What a section does not name is
not checked, but for ``after``: where it stands, it is the whole book. After seconds that ``pass``
what is due happens at once.
"""

from __future__ import annotations

import re
from typing import Any

from apps.engine.book import Order
from apps.engine.messages import (
    BUY,
    CANCELLED,
    DECREMENT,
    EXPIRED,
    FILLED,
    FOK,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    STOP,
    STOP_LIMIT,
    TAKE_PROFIT,
    TAKE_PROFIT_LIMIT,
    TRAILING_STOP,
    Accepted,
    Amend,
    Amended,
    AnyEvent,
    CallAuction,
    Cancel,
    Closed,
    Duplicate,
    Indicated,
    Limits,
    PhaseChanged,
    Prevented,
    Rejected,
    ReopenMarket,
    Rested,
    SetReference,
    Special,
    Terms,
    Tick,
    Trade,
    Triggered,
    Uncrossed,
)
from tests.engine import block_scenario
from tests.engine.venue import MARKET_ID, QUOTE, SECOND, Venue, market

SECTIONS = ("market", "start", "before", "do", "events", "after", "money")
SIDES = {"buys": BUY, "sells": SELL, "buy": BUY, "sell": SELL, "bid": BUY, "ask": SELL}
FORCES = {"ioc": IOC, "fok": FOK, "gtd": GTD}
STATUS = {FILLED: "filled", CANCELLED: "cancelled", EXPIRED: "expired"}
PHASES = ("open", "limit state", "auction", "extended", "staff")
START = 10_000


def sections(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    current = ""
    for line in text.strip("\n").splitlines():
        if not line.strip():
            continue
        first, _, rest = line.strip().partition(" ")
        if first in SECTIONS and True:
            current, line = first, rest
            found.setdefault(current, [])
        if line.strip():
            found[current].append(" ".join(line.split()))
    return found


def play(text: str) -> None:
    """Plays one scenario and asserts all that it tells."""
    told = sections(text)
    venue = _opened(told)
    for line in told.get("before", []):
        _put(venue, line)
    events: list[AnyEvent] = []
    for line in told["do"]:
        of_block = block_scenario.act(venue, line)
        events += _act(venue, line) if of_block is None else of_block
    if "events" in told:
        assert _in_words(venue, events) == told["events"]
    if "after" in told:
        assert _book(venue) == [line for line in told["after"] if line != "empty"]
    for line in told.get("money", []):
        assert _money(venue, line.partition(" ")[0]) == line


def _opened(told: dict[str, list[str]]) -> Venue:
    words = " ".join(told.get("market", []))
    names = {
        "maker_fee_ppm": r"maker fee (\d+)",
        "taker_fee_ppm": r"taker fee (\d+)",
        "band_bps": r"band (\d+)",
        "min_notional_minor": r"minimum (\d+)",
        "limit_state_seconds": r"limit state (\d+)",
        "halt_seconds": r"pause (\d+)",
    }
    changes = {}
    for field, pattern in names.items():
        match = re.search(pattern, words)
        if match:
            changes[field] = int(match[1])
    venue = Venue(market(**changes), plenty=0)
    reference = re.search(r"reference (\d+)", words)
    if reference:
        venue.set_reference(int(reference[1]))
    last = re.search(r"last (\d+)", words)
    if last:
        venue.open("before.1")
        venue.open("earlier.1")
        venue.fund("before.1", quote=10**9)
        venue.fund("earlier.1", base=10)
        venue.buy("before.1", 1, int(last[1]))
        venue.sell("earlier.1", 1, int(last[1]))
    everybody = "\n".join(told.get("before", []) + told["do"])
    special = {}
    limits = {}
    for line in told.get("start", []):
        match = re.fullmatch(r"(\S+) orders up to (\d+)", line)
        if match:
            limits[match[1]] = Limits(0, 0, 0, False, int(match[2]), QUOTE)
            continue
        match = re.fullmatch(r"(\S+) quote (\d+), base (\d+)", line)
        assert match, line
        special[match[1]] = (int(match[2]), int(match[3]))
    for name in dict.fromkeys(re.findall(r"\b[a-z]+(?:\.\d)?\b", everybody)):
        if name in _WORDS:
            continue
        venue.open(name, limits.get(name))
        quote, base = special.get(name, (START, START))
        venue.fund(name, quote=quote, base=base)
    return venue


# Words of the language that look like names.
_WORDS = (
    ("bid", "ask", "stop", "buy", "sell", "limit", "buys", "sells", "for", "quote", "market")
    + ("ioc", "fok", "gtd", "post", "only", "cancels", "wait", "seconds", "the", "order")
    + ("amends", "to", "expire", "taker", "maker", "both", "take", "trail", "bps", "from")
    + ("or", "then", "as", "mine", "shows", "of", "decrement")
    + block_scenario.WORDS
    + ("pass", "staff", "call", "an", "auction", "set", "reference", "reopen")
)


def _put(venue: Venue, line: str) -> None:
    waits = re.fullmatch(
        r"(?P<word>stop|take|trail) (?P<side>buy|sell) (?P<at>\d+)(?P<bps> bps)?"
        r"(?: limit (?P<price>\d+))?(?: from (?P<start>\d+))? (?P<name>\S+) (?P<lots>\d+)",
        line,
    )
    if waits:
        kind, fields = _waiting(waits)
        terms = Terms(MARKET_ID, SIDES[waits["side"]], kind, GTC, int(waits["lots"]), **fields)
        events = venue.place(waits["name"], terms)
        assert isinstance(events[-1], Accepted), events
        return
    match = re.fullmatch(r"(bid|ask) (\d+) (.+)", line)
    assert match, line
    for part in match[3].split(","):
        name, shown, *of_lots = part.split()
        # "ben 2 of 10" is an iceberg of which the book shows two lots.
        lots = of_lots[-1] if of_lots else shown
        more = {"special": Special(display_lots=int(shown))} if of_lots else {}
        events = venue.limit(name, SIDES[match[1]], int(lots), int(match[2]), **more)
        assert isinstance(events[-1], Rested), events


def _waiting(match: re.Match[str]) -> tuple[int, dict[str, Any]]:
    """The type of an order that may wait for a price, and the fields that say for which."""
    price, at = int(match["price"] or 0), int(match["at"] or 0)
    if match["word"] != "trail":
        kinds = {
            None: (MARKET, LIMIT),
            "stop": (STOP, STOP_LIMIT),
            "take": (TAKE_PROFIT, TAKE_PROFIT_LIMIT),
        }
        return kinds[match["word"]][bool(price)], {"price_ticks": price, "stop_ticks": at}
    special = Special(trail_bps=at) if match["bps"] else Special(trail_ticks=at)
    return TRAILING_STOP, {"stop_ticks": int(match["start"] or 0), "special": special}


def _act(venue: Venue, line: str) -> list[AnyEvent]:
    if line.startswith("staff ") or line.endswith((" seconds", " pass")):
        return _act_of_staff(venue, line)
    amends = re.fullmatch(r"(\S+) amends the order @ (\d+) to(?: (\d+))?(?: @ (\d+))?", line)
    if amends:
        changed = (int(amends[3] or 0), int(amends[4] or 0))
        number = _number(venue, amends[1], int(amends[2]))
        return venue.do(Amend, venue.ids[amends[1]], number, "", *changed)
    cancels = re.fullmatch(r"(\S+) cancels the order @ (\d+)", line)
    if cancels:
        return _cancel(venue, cancels[1], int(cancels[2]))
    pair = re.fullmatch(
        r"(\S+) (buys|sells) (\d+) @ (\d+) or stop (\d+)(?: limit (\d+))?(?: as (\S+))?", line
    )
    if pair:
        side, lots = SIDES[pair[2]], int(pair[3])
        stop = (int(pair[5]), int(pair[6] or 0))
        return venue.pair(pair[1], side, lots, int(pair[4]), *stop, client_order_id=pair[7] or "")
    match = re.fullmatch(
        r"(?P<name>\S+) (?P<side>buys|sells) (?:for (?P<quote>\d+) quote|(?P<lots>\d+))"
        r"(?: @ (?P<price>\d+))?(?: (?P<word>stop|take|trail) (?P<at>\d+)(?P<bps> bps)?)?"
        r"(?: from (?P<start>\d+))?(?P<more>.*)",
        line,
    )
    assert match, line
    more = match["more"].split()
    kind, fields = _waiting(match)
    fields |= _more_terms(more)
    force = next((FORCES[word] for word in more if word in FORCES), GTC)
    if kind == MARKET and force == GTC:
        force = IOC
    if force == GTD:
        fields["expires_at_ns"] = venue.now_ns + int(more[more.index("gtd") + 1]) * SECOND
    terms = Terms(
        MARKET_ID,
        SIDES[match["side"]],
        kind,
        force,
        int(match["lots"] or 0),
        int(match["quote"] or 0),
        **fields,
    )
    own_id = more[more.index("as") + 1] if "as" in more else ""
    return venue.place(match["name"], terms, own_id)


def _more_terms(more: list[str]) -> dict[str, Any]:
    """What the words behind quantity and prices ask for besides."""
    fields: dict[str, Any] = {"post_only": "post" in more}
    if "shows" in more:
        fields["special"] = Special(display_lots=int(more[more.index("shows") + 1]))
    if "then" in more:
        # "then 110 or 95": what is bought is sold at 110, or when the price falls to 95.
        take_profit, _, stop_loss = more[more.index("then") + 1 :][:3]
        fields["special"] = Special(
            take_profit_ticks=int(take_profit), stop_loss_ticks=int(stop_loss)
        )
    if "decrement" in more:
        fields["self_trade"] = DECREMENT
    if "expire" in more:
        expire = {"taker": 1, "maker": 2, "both": 3}
        fields["self_trade"] = expire[more[more.index("expire") + 1]]
    return fields


def _act_of_staff(venue: Venue, line: str) -> list[AnyEvent]:
    """Or of time."""
    number = int(found[0]) if (found := re.search(r"\d+", line)) else 0
    if line == f"staff call an auction of {number} seconds":
        return venue.do(CallAuction, MARKET_ID, number)
    if line == "staff reopen":
        return venue.do(ReopenMarket, MARKET_ID)
    if line == f"staff set the reference {number}":
        return venue.do(SetReference, MARKET_ID, number)
    assert line in (f"wait {number} seconds", f"{number} seconds pass"), line
    venue.wait(number)
    return venue.do(Tick) if line.endswith("pass") else []


def _cancel(venue: Venue, name: str, price: int) -> list[AnyEvent]:
    return venue.do(Cancel, venue.ids[name], _number(venue, name, price))


def _number(venue: Venue, name: str, price: int) -> int:
    for row in venue.engine.open_orders():
        if row[1] == venue.ids[name] and row[4] == price:
            return row[0]
    return 10**9


def _in_words(venue: Venue, events: list[AnyEvent]) -> list[str]:
    found = []
    for event in events:
        match event:
            case Trade():
                maker, taker = event.maker_account_id, event.taker_account_id
                words = f"{event.quantity_lots} @ {event.price_ticks}"
                found.append(f"trade {words} {venue.name(maker)} {venue.name(taker)}")
            case Rested():
                words = f"{event.quantity_lots} @ {event.price_ticks}"
                found.append(f"rests {words} {venue.name(event.account_id)}")
            case Closed():
                name = venue.name(event.account_id)
                found.append(f"{STATUS[event.status]} {name}: {event.reason}")
            case Rejected():
                found.append(f"refused: {event.reason}")
            case Triggered():
                found.append(f"triggered {venue.name(event.account_id)}")
            case Amended():
                words = f"{event.remaining_lots} @ {event.price_ticks}"
                found.append(f"amended {words} {venue.name(event.account_id)}")
            case Prevented() | Duplicate():
                found.append("prevented" if isinstance(event, Prevented) else "again")
            case PhaseChanged() | Uncrossed() | Indicated():
                found.append(_phase_in_words(event))
            case _:
                found += block_scenario.in_words(venue, event)
    return found


def _phase_in_words(event: PhaseChanged | Uncrossed | Indicated) -> str:
    if isinstance(event, PhaseChanged):
        return f"phase {PHASES[event.phase]}: {event.reason}"
    if isinstance(event, Uncrossed):
        return f"auction {event.quantity_lots} @ {event.price_ticks}"
    surplus = event.surplus_lots
    over = f", {abs(surplus)} to {'buy' if surplus > 0 else 'sell'} left over" if surplus else ""
    return f"would trade {event.quantity_lots} @ {event.price_ticks}{over}"


def _book(venue: Venue) -> list[str]:
    lines: list[str] = []
    for word, side in (("ask", SELL), ("bid", BUY)):
        levels: dict[int, list[str]] = {}
        for price, name, lots, hidden in venue.queue(side):
            words = f"{name} {lots} of {lots + hidden}" if hidden else f"{name} {lots}"
            levels.setdefault(price, []).append(words)
        side_lines = [f"{word} {price} {', '.join(who)}" for price, who in levels.items()]
        lines += reversed(side_lines) if side == SELL else side_lines
    book = venue.engine.books[MARKET_ID]
    for waiting in sorted(book.armed.values(), key=_waits_for):
        limit = f"limit {waiting.terms.price_ticks} " if waiting.terms.price_ticks else ""
        way = "buy" if waiting.side == BUY else "sell"
        word, at = _waits_for(waiting)
        name = venue.name(waiting.account.account_id)
        lines.append(f"{word} {way} {at} {limit}{name} {waiting.remaining_lots}")
    return lines


def _waits_for(order: Order) -> tuple[str, str]:
    terms, special = order.terms, order.terms.special
    if special is None:
        takes_profit = terms.order_type in (TAKE_PROFIT, TAKE_PROFIT_LIMIT)
        return "take" if takes_profit else "stop", str(terms.stop_ticks)
    start = f" from {terms.stop_ticks}" if terms.stop_ticks else ""
    distance = f"{special.trail_bps} bps" if special.trail_bps else str(special.trail_ticks)
    return "trail", distance + start


def _money(venue: Venue, name: str) -> str:
    if name == "house":
        fees = {row[1]: row[2] for row in venue.engine.balances() if row[0] == 2}
        return f"house quote {fees.get(1, 0)}"
    quote, quote_held, base, base_held = venue.money(name)
    return f"{name} quote {quote} held {quote_held}, base {base} held {base_held}"
