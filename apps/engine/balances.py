"""Accounts and what they own: available and held amounts per asset, and the holds of withdrawals.

Every change moves value between two balances, so that each asset sums to zero over all accounts,
the external one included. It alone may go below zero; anything else that would is a bug and raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from apps.engine.idempotency import Remembered
from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCKED,
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    NORMAL,
    Leg,
    Limits,
    Terms,
)

ASSET_ID_MAX: Final = 2**31 - 1

# Of an account that has not placed an order yet.
NO_SECOND: Final = -1
NO_TERMS: Final = Terms(0, 0, 0, 0)


class InvariantViolation(Exception):
    """The engine contradicts itself. Nothing may be decided any more: the process must stop."""


class Balance:
    """What one account owns of one asset: free to use, and set aside for orders or withdrawals."""

    __slots__ = ("available_minor", "held_minor")

    def __init__(self, available_minor: int = 0, held_minor: int = 0) -> None:
        self.available_minor = available_minor
        self.held_minor = held_minor

    def hold(self, amount_minor: int) -> None:
        self.available_minor -= amount_minor
        self.held_minor += amount_minor
        if self.available_minor < 0:
            raise InvariantViolation(f"available fell to {self.available_minor}")

    def release(self, amount_minor: int) -> None:
        self.held_minor -= amount_minor
        self.available_minor += amount_minor
        if self.held_minor < 0:
            raise InvariantViolation(f"held fell to {self.held_minor}")


class Account:
    """One trading account.

    ``open_orders`` maps the ids of live orders to their market; ``client_ids`` maps the owner's
    own order ids to the command that used them. ``legs`` maps the ids of its legs in blocks to the
    block, ``leg_lots`` has per market what it may still buy by them. ``placed_orders`` and
    ``repeated_orders`` count within ``throttle_second``, ``last_terms`` is what the last of them
    asked for. ``*_max`` are
    the limits, with a number that is never reached for none. ``plain_orders_max`` is zero unless
    the state is normal and orders may be of any value: then no order passes unseen, and the long
    way knows what is allowed.
    At ``cancel_after_ns`` all its orders end, as command ``cancel_after_seq`` asked; zero: never.
    """

    __slots__ = (
        "account_id",
        "balances",
        "cancel_after_ns",
        "cancel_after_seq",
        "client_ids",
        "last_terms",
        "leg_lots",
        "legs",
        "limits",
        "open_orders",
        "open_orders_max",
        "placed_orders",
        "placed_orders_max",
        "plain_orders_max",
        "repeated_orders",
        "repeated_orders_max",
        "state",
        "throttle_second",
        "trade_group",
    )

    def __init__(self, account_id: int, trade_group: int, limits: Limits, state: int) -> None:
        self.account_id = account_id
        self.trade_group = trade_group
        self.admit(state, limits)
        self.balances: dict[int, Balance] = {}
        self.open_orders: dict[int, int] = {}
        self.client_ids: dict[str, Remembered] = {}
        self.legs: dict[int, int] = {}
        self.leg_lots: dict[int, int] = {}
        self.throttle_second = NO_SECOND
        self.placed_orders = 0
        self.repeated_orders = 0
        self.last_terms = NO_TERMS
        self.cancel_after_ns = 0
        self.cancel_after_seq = 0

    def admit(self, state: int, limits: Limits) -> None:
        """What the owner may do from now on."""
        self.state = state
        self.limits = limits
        self.open_orders_max = limits.max_open_orders or AMOUNT_MAX
        plain = state == NORMAL and not limits.max_order_notional_minor
        self.plain_orders_max = self.open_orders_max if plain else 0
        self.placed_orders_max = limits.orders_per_second or AMOUNT_MAX
        self.repeated_orders_max = limits.repeated_orders_per_second or AMOUNT_MAX

    def count_orders(self, second: int, orders: int) -> bool:
        """Counts what comes besides new orders among them; answers whether there were too many.

        Of what is repeated it says nothing.
        """
        if self.throttle_second != second:
            self.throttle_second = second
            self.placed_orders = self.repeated_orders = 0
            self.last_terms = NO_TERMS
        self.placed_orders += orders
        return self.placed_orders > self.placed_orders_max

    def balance(self, asset_id: int) -> Balance:
        found = self.balances.get(asset_id)
        if found is None:
            found = self.balances[asset_id] = Balance()
        return found

    def rows(self) -> Iterator[tuple[int, int, int, int]]:
        """(account, asset, available, held) by asset; what is absent is zero."""
        for asset_id in sorted(self.balances):
            balance = self.balances[asset_id]
            if balance.available_minor or balance.held_minor:
                yield self.account_id, asset_id, balance.available_minor, balance.held_minor

    def available_minor(self, asset_id: int) -> int:
        found = self.balances.get(asset_id)
        return 0 if found is None else found.available_minor


class Reserve:
    """Value held for a withdrawal until it is settled or released."""

    __slots__ = ("account_id", "amount_minor", "asset_id", "hold_id")

    def __init__(self, hold_id: int, account_id: int, asset_id: int, amount_minor: int) -> None:
        self.hold_id = hold_id
        self.account_id = account_id
        self.asset_id = asset_id
        self.amount_minor = amount_minor


class Ledger:
    """All accounts. Methods that return a string answer with the reason of a refusal, or "".

    ``recent_holds`` keeps the ids of holds as long as their command is remembered, so that one
    that has ended is not opened again.
    """

    __slots__ = ("accounts", "recent_holds", "reserves")

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.reserves: dict[int, Reserve] = {}
        self.recent_holds: dict[int, None] = {}
        for account_id in (EXTERNAL_ACCOUNT_ID, FEE_ACCOUNT_ID):
            # Group numbers of the fixed accounts play no part: a blocked account never trades.
            self.accounts[account_id] = Account(account_id, -account_id, Limits(), BLOCKED)

    def open_account(self, account_id: int, trade_group: int, limits: Limits) -> Account:
        account = self.accounts[account_id] = Account(account_id, trade_group, limits, NORMAL)
        return account

    def deposit(self, account_id: int, asset_id: int, amount_minor: int) -> str:
        account = self.accounts.get(account_id)
        if not 1 <= asset_id <= ASSET_ID_MAX:
            return "invalid_asset"
        if account is None or account_id == EXTERNAL_ACCOUNT_ID:
            return "unknown_account"
        if not 1 <= amount_minor <= AMOUNT_MAX:
            return "amount_out_of_range"
        external = self.accounts[EXTERNAL_ACCOUNT_ID]
        # All other balances are at least zero and the sum is zero, so this one bound keeps every
        # balance of the asset within range.
        if external.available_minor(asset_id) - amount_minor < -AMOUNT_MAX:
            return "amount_out_of_range"
        external.balance(asset_id).available_minor -= amount_minor
        account.balance(asset_id).available_minor += amount_minor
        return ""

    def reserve(self, hold_id: int, account_id: int, asset_id: int, amount_minor: int) -> str:
        account = self.accounts.get(account_id)
        if account is None:
            return "unknown_account"
        if account.state == BLOCKED:
            return "account_blocked"
        if hold_id in self.reserves or hold_id in self.recent_holds:
            return "hold_exists"
        if not (1 <= amount_minor <= AMOUNT_MAX and 0 <= hold_id <= AMOUNT_MAX):
            return "amount_out_of_range"
        if account.available_minor(asset_id) < amount_minor:
            return "insufficient_balance"
        account.balance(asset_id).hold(amount_minor)
        self.reserves[hold_id] = Reserve(hold_id, account_id, asset_id, amount_minor)
        self.recent_holds[hold_id] = None
        return ""

    def settle(self, hold_id: int) -> Reserve | None:
        """The held value leaves for the world outside."""
        reserve = self.reserves.pop(hold_id, None)
        if reserve is None:
            return None
        balance = self.accounts[reserve.account_id].balance(reserve.asset_id)
        balance.held_minor -= reserve.amount_minor
        if balance.held_minor < 0:
            raise InvariantViolation(f"hold {hold_id} is larger than what is held")
        external = self.accounts[EXTERNAL_ACCOUNT_ID].balance(reserve.asset_id)
        external.available_minor += reserve.amount_minor
        return reserve

    def release(self, hold_id: int) -> Reserve | None:
        reserve = self.reserves.pop(hold_id, None)
        if reserve is None:
            return None
        balance = self.accounts[reserve.account_id].balance(reserve.asset_id)
        balance.release(reserve.amount_minor)
        return reserve

    def transfer(self, legs: tuple[Leg, ...]) -> str:
        """All legs or none. Legs of one account and asset count together."""
        sums: dict[int, int] = {}
        changes: dict[tuple[int, int], int] = {}
        for leg in legs:
            reason = self._leg_refusal(leg)
            if reason:
                return reason
            sums[leg.asset_id] = sums.get(leg.asset_id, 0) + leg.amount_minor
            key = (leg.account_id, leg.asset_id)
            changes[key] = changes.get(key, 0) + leg.amount_minor
        if len(legs) < 2 or any(sums.values()):
            return "transfer_unbalanced"
        for (account_id, asset_id), change in changes.items():
            after = self.accounts[account_id].available_minor(asset_id) + change
            if account_id == EXTERNAL_ACCOUNT_ID:
                if after < -AMOUNT_MAX:
                    return "amount_out_of_range"
            elif after < 0:
                return "insufficient_balance"
        for (account_id, asset_id), change in changes.items():
            self.accounts[account_id].balance(asset_id).available_minor += change
        return ""

    def _leg_refusal(self, leg: Leg) -> str:
        if not 1 <= leg.asset_id <= ASSET_ID_MAX:
            return "invalid_asset"
        if leg.account_id not in self.accounts:
            return "unknown_account"
        if leg.amount_minor == 0 or abs(leg.amount_minor) > AMOUNT_MAX:
            return "amount_out_of_range"
        return ""

    def rows(self) -> Iterator[tuple[int, int, int, int]]:
        """(account, asset, available, held), ordered; what is absent is zero."""
        for account_id in sorted(self.accounts):
            yield from self.accounts[account_id].rows()
