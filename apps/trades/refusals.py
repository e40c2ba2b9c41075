"""What a refusal of the engine says to people: what happened, that nothing was ordered, what to do.

One sentence for every reason that the engine has. A reason without one is shown by its code, so a
new reason is never hidden, and a test asks for its sentence.
"""

from __future__ import annotations

from typing import Final

from apps.core.errors import Conflict, DomainError, NotFound, Refused, TooMany, Unavailable
from apps.engine.messages import BUY, Terms
from apps.markets.models import Asset, Instrument
from apps.markets.rules import format_amount, format_price, format_quantity
from apps.trades.rules import needed_minor
from apps.wallets.models import Balance, TradingAccount

NOTHING: Final = "Nothing was ordered."

# At which field of an order a refusal is shown; the rest is about the order as a whole.
FIELDS: Final = {
    "invalid_quantity": "quantity",
    "min_quantity": "quantity",
    "max_quantity": "quantity",
    "min_notional": "quantity",
    "max_notional": "quantity",
    "max_position": "quantity",
    "insufficient_balance": "quantity",
    "amount_out_of_range": "quantity",
    "invalid_price": "price",
    "price_band": "price",
    "post_only_would_take": "price",
    "would_trigger": "stop_price",
    "unknown_market": "market",
    "id_reused": "client_order_id",
    "client_order_id_required": "client_order_id",
}

# ``{about}`` is an ``About``: only the numbers that a sentence names are looked up.
SENTENCES: Final = {
    "account_blocked": "Your account is blocked for trading. Ask support why.",
    "amount_out_of_range": "The amount is larger than anything that can be held here.",
    "cancel_only": "{about.market} takes only cancellations at the moment. Try again later.",
    "client_order_id_required": "The order has no client order id. Send one of your own.",
    "expired_command": "The exchange could not take your order in time. Send it again.",
    "id_reused": "You have used this client order id for another order. Choose a new one.",
    "insufficient_balance": "Your balance is too small: {about.needed}{about.available} available."
    " Order less, or deposit more.",
    "invalid_command": "The order could not be read. Send it again.",
    "invalid_order": "The parts of this order do not go together. Check its type and its terms.",
    "invalid_price": "The price is not possible. Give one of more than zero.",
    "invalid_quantity": "The quantity is not possible. Give one of more than zero.",
    "market_halted": "Trading in {about.market} is halted. Your open orders rest; try again later.",
    "max_notional": "An order in {about.market} is worth at most {about.max_notional}."
    " Split yours.",
    "max_open_orders": "You have as many open orders as an account may have. Cancel one first.",
    "max_position": "You would hold more than the {about.max_position} that {about.market} allows."
    " Order less.",
    "max_quantity": "An order in {about.market} is at most {about.max_quantity}. Split yours.",
    "min_notional": "An order in {about.market} must be worth at least {about.min_notional}."
    " Order more.",
    "min_quantity": "An order in {about.market} is at least {about.min_quantity}. Order more.",
    "no_reference": "{about.market} has no price yet for a market order to go by."
    " Place a limit order.",
    "order_not_found": "You have no such open order.",
    "post_only_would_take": "Your price would trade at once, and a post-only order may not."
    " Move the price away from the market, or drop post-only.",
    "price_band": "Your price is more than {about.band} away from the market's."
    " Move it closer.",
    "rate_limit": "You are sending orders faster than your account may. Wait a second.",
    "reduce_only": "Your account may only sell what it has. Ask support why.",
    "repeated_order": "You have sent this same order too often in one second. Wait a second, and"
    " check that nothing sends it by mistake.",
    "unknown_account": "This trading account is not open yet. Try again in a moment.",
    "unknown_market": "There is no such market here.",
    "venue_halted": "All trading is halted. Your open orders rest; try again later.",
    "would_trigger": "The market has passed your stop price of {about.stop_price} already."
    " Choose a stop that it has yet to reach, or place a market order.",
}  # fmt: skip

_FAMILIES: Final[dict[str, type[DomainError]]] = {
    "id_reused": Conflict,
    "order_not_found": NotFound,
    "unknown_market": NotFound,
    "rate_limit": TooMany,
    "repeated_order": TooMany,
    # The order waited too long for the engine: the same order may well work now.
    "expired_command": Unavailable,
}


class About:
    """The numbers that a sentence may name, looked up when it does."""

    def __init__(self, terms: Terms, instrument: Instrument, account: TradingAccount) -> None:
        self._terms = terms
        self._instrument = instrument
        self._account = account

    @property
    def market(self) -> str:
        return self._instrument.symbol

    @property
    def spends(self) -> Asset:
        return self._instrument.quote if self._terms.side == BUY else self._instrument.base

    @property
    def needed(self) -> str:
        """What the order would reserve, where that is one figure; with a comma behind it."""
        needed = needed_minor(self._terms, self._instrument)
        return "" if needed is None else f"{_amount(needed, self.spends)} needed, "

    @property
    def available(self) -> str:
        balance = Balance.objects.filter(account=self._account, asset=self.spends).first()
        return _amount(balance.available_minor if balance else 0, self.spends)

    @property
    def min_quantity(self) -> str:
        return self._quantity(self._instrument.min_quantity_lots)

    @property
    def max_quantity(self) -> str:
        return self._quantity(self._instrument.max_quantity_lots)

    @property
    def max_position(self) -> str:
        return self._quantity(self._instrument.max_position_lots)

    @property
    def min_notional(self) -> str:
        return _amount(self._instrument.min_notional_minor, self._instrument.quote)

    @property
    def max_notional(self) -> str:
        return _amount(self._instrument.max_notional_minor, self._instrument.quote)

    @property
    def stop_price(self) -> str:
        return format_price(self._terms.stop_ticks, self._instrument)

    @property
    def band(self) -> str:
        whole, rest = divmod(self._instrument.band_bps, 100)
        return f"{whole}.{rest:02} %" if rest else f"{whole} %"

    def _quantity(self, lots: int) -> str:
        return f"{format_quantity(lots, self._instrument)} {self._instrument.base.code}"


def refusal(
    reason: str, *, terms: Terms, instrument: Instrument, account: TradingAccount
) -> DomainError:
    """Return the error that tells a person why an order was refused."""
    sentence = SENTENCES.get(reason, "The exchange refused this order ({reason}).")
    words = sentence.format(about=About(terms, instrument, account), reason=reason)
    data: dict[str, object] = {}
    if reason in FIELDS:
        data["field"] = "quote_amount" if _is_budget(reason, terms) else FIELDS[reason]
    family = _FAMILIES.get(reason, Refused)
    if issubclass(family, TooMany | Unavailable):
        data["retry_after_seconds"] = 1
    return family(reason, f"{words} {NOTHING}", **data)


def _is_budget(reason: str, terms: Terms) -> bool:
    return FIELDS[reason] == "quantity" and terms.quote_minor > 0


def _amount(minor: int, asset: Asset) -> str:
    return f"{format_amount(minor, asset)} {asset.code}"
