"""Proof that the net catches fish: each planted bug must be found within a few seeds.

A bug is one replaced piece of the engine's source. A piece that is not there any more fails the
test, so that this list keeps step with the code.
"""

from __future__ import annotations

import importlib
import inspect
import types

import pytest

from apps.engine import (
    allotting,
    amend,
    auction,
    balances,
    block_entry,
    block_snapshot,
    blocks,
    book,
    brackets,
    control,
    entry,
    escrow,
    halts,
    matching,
    pairs,
    rates,
    remainder,
    risk,
    snapshot,
    state,
    sweeping,
    timers,
    trails,
    triggers,
)
from tests.simulation.bugs_of_auctions import BUGS_OF_AUCTIONS
from tests.simulation.bugs_of_blocks import AMONG_ORDERS, OF_BLOCKS
from tests.simulation.bugs_of_pairs import OF_PAIRS
from tests.simulation.bugs_of_triggers import OF_TRIGGERS
from tests.simulation.flow import Flow
from tests.simulation.flow_crowds import CallingFlow, CrowdedFlow, LinkedFlow
from tests.simulation.run import Failed, restart, simulate

pytestmark = pytest.mark.needs_source

BLOCK_MODULES = (allotting, block_entry, block_snapshot, blocks, escrow)
MODULES = (
    *BLOCK_MODULES,
    *(amend, auction, halts, balances, book, brackets, control, entry, matching, pairs),
    *(rates, remainder, risk, snapshot, state, sweeping, timers, trails, triggers),
)
# Where functions are found by what they are for.
TABLES = ("_CARRY_OUT", "_RUN_OUT", "_DUE_NS")
SEEDS = 100
COMMANDS = 2_000
CUT_EVERY = 50

BUGS = {
    **BUGS_OF_AUCTIONS,
    "maker's fee rounded down": (
        matching,
        "(traded * maker.instrument.maker_fee_ppm + 999_999)",
        "(traded * maker.instrument.maker_fee_ppm)",
    ),
    "taker charged at the maker's rate": (
        matching,
        "(traded * taker.instrument.taker_fee_ppm",
        "(traded * taker.instrument.maker_fee_ppm",
    ),
    "fees of today, not of entry": (
        matching,
        "(traded * maker.instrument.maker_fee_ppm",
        "(traded * instrument.maker_fee_ppm",
    ),
    "hold not released at the end": (
        matching,
        "spends.available_minor += released",
        "spends.available_minor += 0",
    ),
    "hold not shrunk by a fill": (
        matching,
        "keep = worst if worst < left else left",
        "keep = left",
    ),
    "no self-trade prevention": (
        matching,
        "if maker.account.trade_group == group or (",
        "if maker.account.trade_group == group + 10**9 or (",
    ),
    "prevention by account, not by group": (
        matching,
        "if maker.account.trade_group == group or (",
        "if maker.account is taker.account or (",
    ),
    "both expire, but only the taker does": (
        matching,
        "if mode != EXPIRE_TAKER:",
        "if mode == EXPIRE_MAKER:",
    ),
    "does not trade at its own limit": (
        matching,
        "if key < limit_key:",
        "if key <= limit_key:",
    ),
    "newest first within a level": (
        matching,
        "maker = next(iter(level.orders.values()))",
        "maker = next(reversed(level.orders.values()))",
    ),
    "fill or kill fills in part": (
        matching,
        "if force == FOK and not self._fillable(",
        "if force == 0 and not self._fillable(",
    ),
    "fill or kill counts the own orders": (
        matching,
        "            if maker.account.trade_group == group:\n",
        "            if maker.account.trade_group != maker.account.trade_group:\n",
    ),
    "immediate or cancel rests": (
        matching,
        "if force in (GTC, GTD):",
        "if force != FOK:",
    ),
    "budget forgets the fee": (
        matching,
        "return notional_within_minor(order.hold_minor, order.instrument.taker_fee_ppm)",
        "return order.hold_minor",
    ),
    **OF_TRIGGERS,
    "volume does not weigh the reference": (
        matching,
        "self.traded_value += value",
        "self.traded_value += price_ticks",
    ),
    "reference window one second too long": (
        book,
        "buckets[0][0] <= second - WINDOW_SECONDS",
        "buckets[0][0] < second - WINDOW_SECONDS",
    ),
    "band moves within a command's second only": (
        matching,
        "            book.loosen_band()\n",
        "",
    ),
    "band excludes its own edge": (
        risk,
        "if price > book.upper_ticks if side == BUY else price < book.lower_ticks:",
        "if price >= book.upper_ticks if side == BUY else price <= book.lower_ticks:",
    ),
    "post-only takes at the touch": (
        risk,
        "opposite.keys[-1] >= price_ticks * opposite.sign",
        "opposite.keys[-1] > price_ticks * opposite.sign",
    ),
    "plain orders may be below the minimum": (
        risk,
        "and book.notional_min_minor <= notional <= book.notional_max_minor",
        "and notional <= book.notional_max_minor",
    ),
    "a blocked account places plain orders": (
        balances,
        "plain = state == NORMAL and not limits",
        "plain = not limits",
    ),
    "a closed venue takes plain orders": (
        state,
        "book.set_venue(venue_state)",
        "book.set_venue(OPEN)",
    ),
    "throttle one too generous": (
        entry,
        "if placed > account.placed_orders_max",
        "if placed - 1 > account.placed_orders_max",
    ),
    "hold one short": (
        risk,
        "return notional + (notional * book.fee_ppm_max + 999_999) // PPM + 1",
        "return notional + (notional * book.fee_ppm_max + 999_999) // PPM",
    ),
    "client order ids may be used twice": (
        entry,
        "if client_order_id in account.client_ids:",
        "if client_order_id in account.open_orders:",
    ),
    "commands forgotten too late": (
        state,
        "remembered[0].at_ns <= horizon_ns",
        "remembered[0].at_ns <= horizon_ns - REMEMBERED_NS",
    ),
    "good till date lives a little longer": (
        timers,
        "while timers and timers[0][0] <= state.now_ns:",
        "while timers and timers[0][0] < state.now_ns - SECOND_NS // 10:",
    ),
    "cancel of a foreign order": (
        control,
        "if order is None or order.account.account_id != command.account_id:",
        "if order is None:",
    ),
    "halted venue pays out": (
        control,
        "if state.venue_state == HALTED:",
        "if state.venue_state == HALTED + 1:",
    ),
    "transfer into debt": (
        balances,
        "elif after < 0:",
        "elif after < -1_000_000:",
    ),
    "less of an order loses its place": (
        amend,
        "and less_lots >= 0:",
        "and less_lots < 0:",
    ),
    "more of an order keeps its place": (
        amend,
        "if not _changes_price(order, terms) and less_lots",
        "if not _changes_price(order, terms) or less_lots",
    ),
    "an amendment forgets what has filled": (
        amend,
        'return "amend_below_filled" if terms.quantity_lots <= filled_lots else ""',
        'return "amend_below_filled" if terms.quantity_lots < filled_lots else ""',
    ),
    "who amends is not counted among who orders": (
        amend,
        "if account.count_orders(state.second, 1):",
        "if account.count_orders(state.second, 0):",
    ),
    "a closed market keeps orders from becoming smaller": (
        amend,
        "        reason = _shape_refusal(state, order, book, terms, command) or risk.size_refusal(",
        "        reason = risk.state_refusal(\n"
        "            order.account.state, state.venue_state, book.instrument.state, order.side\n"
        "        ) or risk.size_refusal(",
    ),
    "a smaller order holds as much as before": (
        remainder,
        "hold_minor = min(order.hold_minor, needed_minor)",
        "hold_minor = order.hold_minor",
    ),
    "fees begin anew with an amendment": (
        matching,
        "order.traded_minor, order.aside_minor = order.aside_minor, order.traded_minor",
        "order.traded_minor, order.aside_minor = 0, 0",
    ),
    "the body of entry lost in the snapshot": (
        snapshot,
        "entry_terms = found.entry_terms or terms",
        "entry_terms = terms",
    ),
    "value of an account's order unbounded where it is plain": (
        balances,
        "plain = state == NORMAL and not limits.max_order_notional_minor",
        "plain = state == NORMAL",
    ),
    "greatest value of an order refused itself": (
        risk,
        "book.worth_minor(notional_minor, asset_id) > most",
        "book.worth_minor(notional_minor, asset_id) >= most",
    ),
    "an account's bound counted as if it were in the quote": (
        book,
        "        if quote_id == asset_id:\n",
        "        if quote_id:\n",
    ),
    "a change of limits lifts a block": (
        control,
        "account_state = account.state if command.keeps_state else command.state",
        "account_state = command.state",
    ),
    "a refused replacement ends what it was to replace": (
        entry,
        "        _put_back(order)\n        # By number",
        "        del state.orders[order.order_id]\n        # By number",
    ),
    "a replacement needs a hold of its own": (
        entry,
        "    order.spends.release(order.hold_minor)\n    del account",
        "    order.spends.release(0)\n    del account",
    ),
    "cancel-all looks at no side": (
        sweeping,
        "(not side or order.side == side)",
        "(not side or order.side != 0)",
    ),
    "a kill loosens a halt": (
        sweeping,
        "if state.venue_state == OPEN:",
        "if state.venue_state:",
    ),
    "the dead man's switch cannot be taken back": (
        sweeping,
        "    account.cancel_after_ns = due_ns\n",
        "    account.cancel_after_ns = due_ns or account.cancel_after_ns\n",
    ),
    "the dead man's switch lost in the snapshot": (
        snapshot,
        "if found.cancel_after is not None:",
        "if found.cancel_after == ():",
    ),
    **AMONG_ORDERS,
    **OF_BLOCKS,
    **OF_PAIRS,
    "leavers lost in the snapshot": (
        block_snapshot,
        "block.leavers = [by_order[order_id] for order_id in found.leavers]",
        "block.leavers = []",
    ),
    "a refilled iceberg keeps its place": (
        matching,
        "        del level.orders[maker.order_id]\n        level.orders[maker.order_id] = maker\n",
        "",
    ),
    "the book shows all of an iceberg": (
        remainder,
        "order.remaining_lots = min(special.display_lots, left_lots)",
        "order.remaining_lots = left_lots",
    ),
    "fill or kill sees only what is shown": (
        matching,
        "return min(shown + hidden, wanted_lots)",
        "return min(shown, wanted_lots)",
    ),
    "an iceberg reserves only for what it shows": (
        matching,
        "lots_left = buyer.remaining_lots + buyer.hidden_lots",
        "lots_left = buyer.remaining_lots",
    ),
    "an amendment takes what is shown first": (
        amend,
        "shown_lots = max(0, less_lots - order.hidden_lots)",
        "shown_lots = min(less_lots, order.remaining_lots)",
    ),
    "hidden lots are lost in the snapshot": (
        snapshot,
        "hidden_lots=found.hidden_lots,",
        "hidden_lots=0,",
    ),
    "of two orders that meet only the maker loses": (
        matching,
        "self._decrease(taker, lots, events)",
        "self._decrease(taker, 0, events)",
    ),
    "an order that is decremented holds what it held": (
        remainder,
        "needed_minor = needed_hold_minor(order, order.price_ticks, left_lots)",
        "needed_minor = needed_hold_minor(order, order.price_ticks, left_lots + lots)",
    ),
    "remembered commands lost in the snapshot": (
        snapshot,
        "list(state.remembered),",
        "[],",
    ),
    "queue order lost in the snapshot": (
        snapshot,
        "for order_id in level.orders]",
        "for order_id in sorted(level.orders)]",
    ),
    "throttle lost in the snapshot": (
        snapshot,
        "account.throttle_second == now_ns // SECOND_NS",
        "account.throttle_second == 0",
    ),
    "frozen fees lost in the snapshot": (
        snapshot,
        "_frozen_fees(book.instrument, found)\n",
        "book.instrument\n",
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str) -> None:
    assert found(name)


def found(name: str) -> bool:
    """Whether a bug of the list is found; the engine is sound again afterwards."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        module, sound, planted = BUGS[name]
        plant(monkeypatch, module, sound, planted)
        draws: type[Flow] = Flow
        if "auction" in name:
            draws = CallingFlow
        elif name in OF_PAIRS:
            draws = LinkedFlow
        elif name not in AMONG_ORDERS and module in BLOCK_MODULES or "copier" in name:
            draws = CrowdedFlow
        return _is_found(draws, in_snapshot=module in (snapshot, block_snapshot))


def _is_found(draws: type[Flow], *, in_snapshot: bool) -> bool:
    for seed in range(SEEDS):
        try:
            journal = simulate(seed, COMMANDS, flow=draws(seed))
            if in_snapshot:
                for cut in range(CUT_EVERY, COMMANDS, CUT_EVERY):
                    assert restart(journal, cut).state_hash() == journal.final_hash
        except (Failed, AssertionError, KeyError):
            return True
    return False


def plant(
    monkeypatch: pytest.MonkeyPatch, module: types.ModuleType, sound: str, planted: str
) -> None:
    """Compiles the module with the bug and puts its functions where the sound ones are in use."""
    source = inspect.getsource(module)
    assert source.count(sound) >= 1, f"{module.__name__} has no such piece any more: {sound}"
    mutant = types.ModuleType(module.__name__)
    mutant.__dict__["__file__"] = module.__file__
    exec(compile(source.replace(sound, planted, 1), str(module.__file__), "exec"), mutant.__dict__)
    users = [*MODULES, importlib.import_module("apps.engine.engine")]
    for name, thing in list(vars(module).items()):
        other = vars(mutant).get(name)
        if isinstance(thing, types.FunctionType) and thing.__module__ == module.__name__:
            for user in users:
                if vars(user).get(name) is thing:
                    monkeypatch.setattr(user, name, other)
                for table in (vars(user).get(name, {}) for name in TABLES):
                    for key in [key for key in table if table[key] is thing]:
                        monkeypatch.setitem(table, key, other)
        elif isinstance(thing, type) and thing.__module__ == module.__name__:
            for method, function in vars(thing).items():
                if isinstance(function, types.FunctionType) and method in vars(other):
                    monkeypatch.setattr(thing, method, vars(other)[method])
