"""What staff see of the whole venue: who has how much open, the largest orders, who sends most.

For staff pages alone: it is scoped to no viewer. Every table here is bounded in rows, and read in a
number of queries that does not depend on how many accounts there are. Orders of the house's own
accounts are in no table and so not in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection

from apps.markets.models import Instrument
from apps.matching.queries import CommandRate, command_rate
from apps.trades.positions import FIGURE_MAX_MINOR, VALUE_ASSET_ID
from apps.trades.risk.marks import Mark, known_marks

ACCOUNTS_SHOWN: Final = 25
ORDERS_SHOWN: Final = 25
SENDERS_SHOWN: Final = 25
RATE_WINDOW: Final = timedelta(minutes=5)

# An open order at its own price, else at its stop; a quote other than the value asset at its mark.
# What has no price of its own, as a trailing stop, is worth what it moves at the mark of that.
# Of a pair only one fills: the second of the two is an open order, and worth nothing more.
_OPEN_ORDERS: Final = """
    WITH mark (asset_id, price_ticks, tick_lot_minor, lot_minor) AS (
        SELECT * FROM unnest(%s::integer[], %s::bigint[], %s::bigint[], %s::bigint[])
    ), open_order AS (
        SELECT orders.id, orders.account_id, orders.instrument_id, orders.side, orders.created_at,
            CASE WHEN orders.pair_order_id < orders.id THEN 0
                WHEN quote.minor IS NULL THEN div(
                    left_lots.number * instrument.lot_minor * own.price_ticks * own.tick_lot_minor,
                    own.lot_minor)
                WHEN instrument.quote_id = %s THEN quote.minor
                ELSE div(quote.minor * mark.price_ticks * mark.tick_lot_minor, mark.lot_minor)
            END AS value_minor
        FROM trades_order AS orders
        JOIN markets_instrument AS instrument ON instrument.id = orders.instrument_id
        LEFT JOIN mark ON mark.asset_id = instrument.quote_id
        LEFT JOIN mark AS own ON own.asset_id = instrument.base_id
        CROSS JOIN LATERAL (
            SELECT (orders.quantity_lots - orders.filled_lots)::numeric AS number
        ) AS left_lots
        CROSS JOIN LATERAL (
            SELECT left_lots.number
                * coalesce(nullif(orders.price_ticks, 0), nullif(orders.stop_ticks, 0))
                * instrument.tick_lot_minor AS minor
        ) AS quote
        WHERE orders.status IN ('open', 'partially_filled')
    )
"""
_BY_ACCOUNT: Final = f"""
    , holding AS (
        SELECT position.account_id,
            sum(div(quantity_minor::numeric * price_ticks * tick_lot_minor, lot_minor)) AS minor
        FROM trades_position AS position JOIN mark ON mark.asset_id = position.asset_id
        WHERE quantity_minor > 0 GROUP BY position.account_id
    ), ordered AS (
        SELECT account_id, count(*) AS orders,
            coalesce(sum(value_minor) FILTER (WHERE side = 1), 0) AS buys_minor,
            coalesce(sum(value_minor) FILTER (WHERE side = 2), 0) AS sells_minor
        FROM open_order GROUP BY account_id
    )
    SELECT account.id, coalesce(owner.email, account.name), coalesce(orders, 0),
        least(coalesce(buys_minor, 0), {FIGURE_MAX_MINOR})::bigint,
        least(coalesce(sells_minor, 0), {FIGURE_MAX_MINOR})::bigint,
        least(coalesce(holding.minor, 0), {FIGURE_MAX_MINOR})::bigint
    FROM ordered FULL JOIN holding USING (account_id)
    JOIN wallets_tradingaccount AS account ON account.id = account_id
    LEFT JOIN accounts_user AS owner ON owner.id = account.owner_id
    ORDER BY coalesce(buys_minor, 0) + coalesce(sells_minor, 0) + coalesce(holding.minor, 0) DESC,
        account.id
    LIMIT %s
"""  # nosec B608  # a whole number of ours
_LARGEST: Final = f"""
    SELECT open_order.id, account_id, coalesce(owner.email, account.name), instrument.symbol, side,
        least(value_minor, {FIGURE_MAX_MINOR})::bigint, open_order.created_at
    FROM open_order
    JOIN markets_instrument AS instrument ON instrument.id = instrument_id
    JOIN wallets_tradingaccount AS account ON account.id = account_id
    LEFT JOIN accounts_user AS owner ON owner.id = account.owner_id
    WHERE value_minor > 0
    ORDER BY value_minor DESC, open_order.id LIMIT %s
"""  # nosec B608  # a whole number of ours
_BY_MARKET: Final = f"""
    SELECT instrument.id, instrument.symbol, instrument.state, count(open_order.id),
        least(coalesce(sum(value_minor), 0), {FIGURE_MAX_MINOR})::bigint
    FROM markets_instrument AS instrument
    LEFT JOIN open_order ON open_order.instrument_id = instrument.id
    GROUP BY instrument.id ORDER BY instrument.id
"""  # nosec B608  # a whole number of ours
_SENDERS: Final = """
    SELECT sent.account_id, coalesce(owner.email, account.name), sent.orders, sent.ended,
        sent.traded, sent.busiest
    FROM (
        SELECT account_id, sum(orders)::bigint AS orders, sum(ended)::bigint AS ended,
            sum(traded)::bigint AS traded, max(orders) AS busiest
        FROM (
            SELECT account_id, count(*) AS orders,
                count(*) FILTER (WHERE status = 'cancelled') AS ended,
                count(*) FILTER (WHERE filled_lots > 0) AS traded
            FROM trades_order WHERE created_at >= %s AND created_at <= %s
            GROUP BY account_id, date_trunc('second', created_at)
        ) AS each_second
        GROUP BY account_id ORDER BY sum(orders) DESC, account_id LIMIT %s
    ) AS sent
    JOIN wallets_tradingaccount AS account ON account.id = sent.account_id
    LEFT JOIN accounts_user AS owner ON owner.id = account.owner_id
    ORDER BY sent.orders DESC, sent.account_id
"""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What one account has at stake: what it wants to buy and to sell, and what it holds."""

    account_id: int
    owner: str
    orders: int
    buys_minor: int
    sells_minor: int
    holdings_minor: int

    @property
    def total_minor(self) -> int:
        return self.buys_minor + self.sells_minor + self.holdings_minor


@dataclass(frozen=True, slots=True)
class LargeOrder:
    order_id: int
    account_id: int
    owner: str
    market: str
    side: int
    value_minor: int
    at: datetime


@dataclass(frozen=True, slots=True)
class MarketNow:
    market_id: int
    symbol: str
    state: int
    orders: int
    value_minor: int

    @property
    def state_word(self) -> str:
        return Instrument.State(self.state).label.lower()


@dataclass(frozen=True, slots=True)
class Sender:
    """How an account has ordered of late. ``busiest`` is the most orders within one second."""

    account_id: int
    owner: str
    orders: int
    cancelled: int
    traded: int
    busiest: int

    @property
    def per_minute(self) -> int:
        return self.orders // (RATE_WINDOW // timedelta(minutes=1))

    @property
    def cancelled_percent(self) -> int:
        return self.cancelled * 100 // self.orders


@dataclass(frozen=True, slots=True)
class Overview:
    """``judged``: there is a fresh mark, so the watch is at work and can tell who loses."""

    at: datetime
    judged: bool
    exposures: list[Exposure]
    largest: list[LargeOrder]
    markets: list[MarketNow]
    senders: list[Sender]
    commands: CommandRate


def overview(*, now: datetime) -> Overview:
    """Return the venue as it is now, in as few queries however many there are."""
    marks = known_marks(now=now)
    prices = _prices(marks)
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_ORDERS + _BY_ACCOUNT, [*prices, ACCOUNTS_SHOWN])
        exposures = [Exposure(*row) for row in cursor.fetchall()]
        cursor.execute(_OPEN_ORDERS + _LARGEST, [*prices, ORDERS_SHOWN])
        largest = [LargeOrder(*row) for row in cursor.fetchall()]
        cursor.execute(_OPEN_ORDERS + _BY_MARKET, prices)
        markets = [MarketNow(*row) for row in cursor.fetchall()]
        cursor.execute(_SENDERS, [now - RATE_WINDOW, now, SENDERS_SHOWN])
        senders = [Sender(*row) for row in cursor.fetchall()]
    judged = any(mark.fresh for mark in marks)
    commands = command_rate(now=now, window=RATE_WINDOW)
    return Overview(now, judged, exposures, largest, markets, senders, commands)


def markets_now(*, now: datetime) -> list[MarketNow]:
    """Return each market with the open orders of people in it, and what they are worth."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN_ORDERS + _BY_MARKET, _prices(known_marks(now=now)))
        return [MarketNow(*row) for row in cursor.fetchall()]


def open_orders_of(*, account_id: int | None = None, market_id: int | None = None) -> int:
    """Return how many orders of people a kill would end."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM trades_order WHERE status IN ('open', 'partially_filled')"
            " AND (%s::bigint IS NULL OR account_id = %s)"
            " AND (%s::integer IS NULL OR instrument_id = %s)",
            [account_id, account_id, market_id, market_id],
        )
        return int(cursor.fetchone()[0])


def _prices(marks: Sequence[Mark]) -> list[Any]:
    return [
        [mark.instrument.base_id for mark in marks],
        [mark.price_ticks for mark in marks],
        [mark.instrument.tick_lot_minor for mark in marks],
        [mark.instrument.lot_minor for mark in marks],
        VALUE_ASSET_ID,
    ]
