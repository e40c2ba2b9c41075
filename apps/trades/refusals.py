"""What a refusal of the engine says to people: what happened, that nothing was ordered, what to do.

One table from every reason that the engine and its gateway have to the one answer that API, socket
and site give: family (and so the status), stable code, words, field. A reason without a row is
shown by its name, so a new one is never hidden, and a test asks for its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apps.core.errors import (
    Conflict,
    DomainError,
    Invalid,
    NotFound,
    Paused,
    Refused,
    TooMany,
    Unavailable,
)
from apps.engine.messages import BUY, Terms
from apps.markets.models import Asset, Instrument
from apps.markets.rules import format_amount, format_price, format_quantity
from apps.trades.rules import needed_minor
from apps.wallets.models import Balance, TradingAccount

NOTHING: Final = "Nothing was ordered."


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to one reason. ``field`` is where an order form shows it, "" the whole order.

    ``{about}`` in the words is an ``About``: only the numbers that they name are looked up.
    """

    family: type[DomainError]
    code: str
    words: str
    field: str = ""
    retry_after_seconds: int | None = None


# A halt is lifted by people: whoever asks more often than this learns nothing new.
HALT_RETRY_SECONDS: Final = 10

REFUSALS: Final = {
    "amend_below_filled": Refusal(
        Conflict, "amend_below_filled",
        "As much as that has filled already. Give a larger quantity, or cancel the rest.",
        "quantity",
    ),
    "account_blocked": Refusal(
        Refused, "account_blocked", "Your account is blocked for trading."
        " The page of your limits says why, and until when."
    ),
    "amount_out_of_range": Refusal(
        Invalid, "notional",
        "The amount is larger than anything that can be held here. Order less.", "quantity",
    ),
    "auction_limit_only": Refusal(
        Paused, "auction_limit_only",
        "{about.market} is paused and collects orders for an auction: limit orders that may rest"
        " are taken, others wait until it trades again.",
        retry_after_seconds=HALT_RETRY_SECONDS,
    ),
    "auction_uncrossing": Refusal(
        Paused, "auction_uncrossing",
        "The auction in {about.market} is trading at this moment. Send it again in a second.",
        retry_after_seconds=1,
    ),
    "block_ended": Refusal(
        Conflict, "block_ended", "This block has ended. There was nothing to change."
    ),
    "block_exists": Refusal(
        Conflict, "block_exists", "There is a block of this number already. Send it as a new one."
    ),
    "block_not_submitted": Refusal(
        Conflict, "block_not_submitted", "This block is not in the market yet. Try again."
    ),
    "block_submitted": Refusal(
        Conflict, "block_submitted", "This block is in the market already, or has run out."
    ),
    "bracket_needs_buy": Refusal(
        Invalid, "bracket_needs_buy",
        "Take-profit and stop-loss protect a purchase. Only an order to buy has them.",
    ),
    "cancel_only": Refusal(
        Paused, "trading_halted",
        "{about.market} takes only cancellations at the moment. Try again later.",
        retry_after_seconds=HALT_RETRY_SECONDS,
    ),
    "client_order_id_required": Refusal(
        Invalid, "client_order_id_required",
        "The order has no client order id. Send one of your own.", "client_order_id",
    ),
    "duplicate_leg": Refusal(
        Invalid, "duplicate_leg", "This account takes part in the block already."
    ),
    "expired_command": Refusal(
        Unavailable, "expired_command",
        "The exchange could not take your order in time. Send it again.", retry_after_seconds=1,
    ),
    "id_reused": Refusal(
        Conflict, "id_reused",
        "You have used this client order id for another order. Choose a new one.",
        "client_order_id",
    ),
    "insufficient_balance": Refusal(
        Refused, "insufficient_funds",
        "Your balance is too small: {about.needed}{about.available} available."
        " Order less, or deposit more.",
        "quantity",
    ),
    "invalid_block": Refusal(
        Invalid, "invalid_block", "The block has no possible number. Send it as a new one."
    ),
    "invalid_bracket": Refusal(
        Refused, "invalid_bracket",
        "A take-profit is above the price that is paid, and a stop-loss below it; for a market"
        " order that is the last price. Choose prices on either side of it.",
    ),
    "invalid_command": Refusal(
        Invalid, "invalid_command", "The order could not be read. Send it again."
    ),
    "invalid_order": Refusal(
        Invalid, "invalid_order",
        "The parts of this order do not go together. Check its type and its terms.",
    ),
    "invalid_pair": Refusal(
        Refused, "invalid_pair",
        "The two orders of a pair are on either side of the last price: to sell, the limit above"
        " it and the stop below; to buy, the other way round. Choose such prices.",
        "price",
    ),
    "invalid_price": Refusal(
        Invalid, "invalid_amount", "The price is not possible. Give one of more than zero.", "price"
    ),
    "invalid_quantity": Refusal(
        Invalid, "invalid_amount", "The quantity is not possible. Give one of more than zero.",
        "quantity",
    ),
    "invalid_reference": Refusal(
        Invalid, "invalid_reference", "The reason is too long or cannot be written down."
    ),
    "leader_leg": Refusal(
        Refused, "leader_leg", "The leader's part is the block itself: cancel the block instead."
    ),
    "linked_order": Refusal(
        Refused, "linked_order",
        "This order is linked with another. Its prices can be changed, its amount is the"
        " other's as well: cancel them, and place new ones.",
    ),
    "malformed": Refusal(
        Unavailable, "malformed",
        "The exchange could not read your order. The mistake is ours, and it has been noted."
        " Try again in a minute; if it stays like this, ask support.",
        retry_after_seconds=60,
    ),
    "market_halted": Refusal(
        Paused, "trading_halted",
        "Trading in {about.market} is halted. Your open orders rest; try again later.",
        retry_after_seconds=HALT_RETRY_SECONDS,
    ),
    "max_notional": Refusal(
        Refused, "max_notional",
        "An order in {about.market} is worth at most {about.max_notional}. Split yours.",
        "quantity",
    ),
    "max_order_notional": Refusal(
        Refused, "max_order_value",
        "An order of yours in {about.market} may be worth less: your limits say how much."
        " Order less, or see your limits. What is paid in something that has no price yet cannot"
        " be valued, so a limit refuses it.",
        "quantity",
    ),
    "max_open_orders": Refusal(
        Refused, "max_open_orders",
        "You have as many open orders as an account may have. Cancel one first.",
    ),
    "max_position": Refusal(
        Refused, "max_position",
        "You would hold more than the {about.max_position} that {about.market} allows."
        " Order less.",
        "quantity",
    ),
    "max_quantity": Refusal(
        Refused, "max_quantity",
        "An order in {about.market} is at most {about.max_quantity}. Split yours.", "quantity",
    ),
    "min_notional": Refusal(
        Invalid, "notional",
        "An order in {about.market} must be worth at least {about.min_notional}. Order more.",
        "quantity",
    ),
    "min_quantity": Refusal(
        Invalid, "min_quantity",
        "An order in {about.market} is at least {about.min_quantity}. Order more.", "quantity",
    ),
    "no_reference": Refusal(
        Refused, "no_reference",
        "{about.market} has no price yet for this order to go by. Place a limit order.",
    ),
    "nothing_to_sell": Refusal(
        Refused, "nothing_to_sell",
        "Of what the account holds, not one lot is free to be sold.", "quantity",
    ),
    "order_not_found": Refusal(NotFound, "order_not_found", "You have no such open order."),
    "post_only_would_take": Refusal(
        Refused, "post_only_would_take",
        "Your price would trade at once, and a post-only order may not."
        " Move the price away from the market, or drop post-only.",
        "price",
    ),
    "price_band": Refusal(
        Refused, "price_collar",
        "Your price is more than {about.band} away from the market's. Move it closer.", "price",
    ),
    "quarantined": Refusal(
        Unavailable, "quarantined",
        "Your order set off an alarm and was put aside, and the exchange takes only cancellations"
        " until its staff have looked. Try again later; your open orders can be cancelled.",
        retry_after_seconds=60,
    ),
    "rate_limit": Refusal(
        TooMany, "rate_limited",
        "You are sending orders faster than your account may. Wait a second.",
        retry_after_seconds=1,
    ),
    "replace_mismatch": Refusal(
        Invalid, "replace_mismatch",
        "A replacement is in the same market and on the same side. Cancel the order instead, and"
        " place another.",
        "market",
    ),
    "reduce_only": Refusal(
        Refused, "reduce_only", "Your account may only sell at present."
        " The page of your limits says why, and until when."
    ),
    "repeated_order": Refusal(
        TooMany, "repeated_order",
        "You have sent this same order too often in one second. Wait a second, and"
        " check that nothing sends it by mistake.",
        retry_after_seconds=1,
    ),
    "slippage_cap": Refusal(
        Refused, "slippage_cap",
        "The block may trade at a worse price than this account agrees to.", "price",
    ),
    "too_many_legs": Refusal(
        Invalid, "too_many_legs", "A block has at most 20,000 legs. Take some out."
    ),
    "unknown_account": Refusal(
        Unavailable, "account_not_open",
        "This trading account is not open yet. Try again in a moment.", retry_after_seconds=1,
    ),
    "unknown_block": Refusal(NotFound, "unknown_block", "There is no such block."),
    "unknown_market": Refusal(
        NotFound, "unknown_market", "There is no such market here.", "market"
    ),
    "venue_halted": Refusal(
        Paused, "trading_halted",
        "All trading is halted. Your open orders rest; try again later.",
        retry_after_seconds=HALT_RETRY_SECONDS,
    ),
    "worst_price": Refusal(
        Refused, "worst_price",
        "The members of the block have agreed to no price beyond the one it was sent with.",
        "price",
    ),
    "would_trigger": Refusal(
        Refused, "would_trigger",
        "The market has reached your stop price of {about.stop_price} already."
        " Choose one that it has yet to reach, or place a market order.",
        "stop_price",
    ),
}  # fmt: skip


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
    reason: str,
    *,
    terms: Terms,
    instrument: Instrument,
    account: TradingAccount,
    nothing: str = NOTHING,
) -> DomainError:
    """Return the error that tells a person why an order was refused.

    ``nothing`` says what has not happened.
    """
    row = REFUSALS.get(reason)
    if row is None:
        return Refused(reason, f"The exchange refused this order ({reason}). {nothing}")
    words = row.words.format(about=About(terms, instrument, account))
    data: dict[str, object] = {}
    if row.field:
        by_budget = row.field == "quantity" and terms.quote_minor > 0
        data["field"] = "quote_amount" if by_budget else row.field
    if row.retry_after_seconds is not None:
        data["retry_after_seconds"] = row.retry_after_seconds
    return row.family(row.code, f"{words} {nothing}", **data)


def _amount(minor: int, asset: Asset) -> str:
    return f"{format_amount(minor, asset)} {asset.code}"
