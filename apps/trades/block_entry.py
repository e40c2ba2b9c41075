"""Blocks for the apps above: one order for many accounts, filled at one average price.

Who may send a block, and who is in it, is for the calling app to decide: it has registered in
``routing`` under the kind of its blocks. Whatever is sent twice under the leader's client order id
is carried out once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from django.db import transaction

from apps.core.errors import Conflict, DomainError, Invalid, NotAllowed, Unavailable
from apps.engine.messages import (
    AMOUNT_MAX,
    BLOCK_LEGS_MAX,
    GTC,
    GTD,
    IOC,
    LEGS_PER_COMMAND_MAX,
    LIMIT,
    MARKET,
    SELL,
    AddLegs,
    AmendBlock,
    AnyCommand,
    BlockLeg,
    Cancel,
    LegsAdded,
    OpenBlock,
    RemoveLegs,
    SubmitBlock,
    Terms,
)
from apps.markets.models import Instrument
from apps.markets.queries import recent_instrument
from apps.markets.rules import format_quantity, parse_price, parse_quantity
from apps.matching.gateway import (
    Reply,
    derived_command_id,
    get_gateway,
    new_command_id,
    valid_until_ns,
)
from apps.matching.journal import Entry
from apps.matching.queries import wait_for_seq
from apps.trades import routing
from apps.trades.block_models import Block, BlockEvent
from apps.trades.folding import Folded
from apps.trades.models import Order
from apps.trades.queries import BlockState, block_for, block_state, leader_order, orders_named
from apps.trades.refusals import refusal
from apps.trades.rows import order_of
from apps.trades.rules import PPM
from apps.trades.terms import NOTHING, About, Asked, check_client_order_id, terms_of
from apps.wallets.models import TradingAccount

VALID_SECONDS: Final = 5.0
CATCH_UP_SECONDS: Final = 2.0
UNCHANGED: Final = "The block is as it was."
# By then a block has been submitted, or has run out, and the tables say what became of it. The
# engine may know its commands no longer: it remembers so many, however little time that is.
SENT_AGAIN_FOR: Final = timedelta(seconds=20)
REASON_LENGTH_MAX: Final = 40
_FORCES: Final = frozenset({(LIMIT, GTC), (LIMIT, GTD), (LIMIT, IOC), (MARKET, IOC)})
# What the engine says of a block that has run out before it was submitted.
_TOO_LATE: Final = frozenset({"unknown_block", "block_submitted"})


@dataclass(frozen=True, slots=True)
class Left:
    """An account that does not take part, and the engine's reason."""

    account_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A block that is in the market, or has been: the leader's leg as it stands."""

    block: Block
    order: Order
    left_out: tuple[Left, ...]
    seq: int


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A block as the engine is asked for it."""

    terms: Terms
    fraction_ppm: int
    cap_ticks: int
    legs: tuple[BlockLeg, ...]

    def digest(self, kind: str) -> str:
        fields = [kind, self.terms, self.fraction_ppm, self.cap_ticks, self.legs]
        return hashlib.sha256(msgspec.msgpack.encode(fields)).hexdigest()


def submit_block(
    *,
    kind: str,
    account: TradingAccount,
    order: Mapping[str, Any],
    legs: Sequence[BlockLeg],
    fraction_ppm: int = 0,
    worst_price: str | None = None,
    now: datetime,
) -> Submitted:
    """Send one order for the leader's ``account`` and for all legs; return how that stands.

    ``order`` are the arguments of ``place_order`` without actor, account and now; it must have a
    client order id. A sell may say which part of the leader's holding it is in place of a
    quantity. Nobody pays more, or gets less, than ``worst_price``. Legs that cannot take part are
    left out, each with its reason; what objects to the leader's own objects to the block.
    """
    if not routing.is_known(kind):
        raise NotAllowed("unknown_block_kind", f"Nobody owns blocks of kind {kind[:20]!r} here.")
    asked = Asked(**order)
    instrument = recent_instrument(asked.market)
    name = check_client_order_id(asked.client_order_id)
    before = Block.objects.filter(account=account, client_order_id=name).first()
    # What comes again is read as of when it came first: its date may have passed since.
    terms = _terms(asked, instrument, fraction_ppm, now if before is None else before.created_at)
    wanted = _Wanted(
        terms, fraction_ppm, _cap_ticks(worst_price, instrument), _checked(legs, account, terms)
    )
    block = _noted(kind, account, instrument, name, wanted, now)
    if now - block.created_at > SENT_AGAIN_FOR:
        known = leader_order(block=block)
        if known is not None:
            return Submitted(block, known, _left_out(block), known.last_seq)
    return _send(block, wanted)


def cancel_block(*, kind: str, block_id: int) -> BlockState:
    """End a block; what has filled is allotted. One that has ended already stays as it is."""
    block = block_for(kind=kind, block_id=block_id)
    reply = get_gateway().submit(_cancel(block))
    if reply.rejected is not None and reply.rejected.reason != "order_not_found":
        raise _refusal_of(reply.rejected.reason, block)
    return _state_after(reply, block)


def amend_block(
    *, kind: str, block_id: int, quantity: str | None = None, price: str | None = None
) -> BlockState:
    """Ask for less of a block, or for another price than it has.

    ``quantity`` is the new total of all its legs, what has filled included. The price may not go
    beyond what the legs have reserved by.
    """
    block = block_for(kind=kind, block_id=block_id)
    with About("quantity", UNCHANGED):
        lots = 0 if quantity is None else parse_quantity(quantity, block.instrument)
    with About("price", UNCHANGED):
        ticks = 0 if price is None else parse_price(price, block.instrument)
    if not lots and not ticks:
        raise Invalid("nothing_to_amend", f"Give a new quantity or price. {UNCHANGED}")
    reply = get_gateway().submit(
        AmendBlock(*_head(), block.id, block.account_id, lots, ticks)
    )  # fmt: skip
    if reply.rejected is not None:
        raise _refusal_of(reply.rejected.reason, block, price_ticks=ticks, lots=lots)
    return _state_after(reply, block)


def remove_legs(
    *, kind: str, block_id: int, account_ids: Sequence[int], reason: str = "leg_removed"
) -> BlockState:
    """Take accounts out of a block; each keeps its part of what has filled.

    Those that are not in it, or not any more, are passed over.
    """
    block = block_for(kind=kind, block_id=block_id)
    if not account_ids or len(set(account_ids)) > BLOCK_LEGS_MAX:
        raise Invalid("too_many_legs", f"Name 1 to {BLOCK_LEGS_MAX} accounts. {UNCHANGED}")
    if not reason.isidentifier() or len(reason) > REASON_LENGTH_MAX:
        raise Invalid("invalid_reason", f"A reason is one word, like leg_removed. {UNCHANGED}")
    named = list(dict.fromkeys(account_ids))
    replies: list[Reply] = []
    for start in range(0, len(named), LEGS_PER_COMMAND_MAX):
        part = tuple(named[start : start + LEGS_PER_COMMAND_MAX])
        replies.append(get_gateway().submit(RemoveLegs(*_head(), block.id, part, reason)))
        rejected = replies[-1].rejected
        if rejected is not None:
            raise _refusal_of(rejected.reason, block)
    return _state_after(replies[-1], block)


def _refusal_of(reason: str, block: Block, *, price_ticks: int = 0, lots: int = 0) -> DomainError:
    """Return the error that says why nothing has changed about a block."""
    terms = Terms(block.instrument_id, SELL, LIMIT, GTC, lots, price_ticks=price_ticks)
    return refusal(
        reason, terms=terms, instrument=block.instrument, account=block.account, nothing=UNCHANGED
    )


# ---------------------------------------------------------------- what is asked for


def _terms(asked: Asked, instrument: Instrument, fraction_ppm: int, now: datetime) -> Terms:
    if fraction_ppm:
        if asked.quantity is not None or not 1 <= fraction_ppm <= PPM:
            raise Invalid("invalid_fraction", f"Give a quantity, or a part of a holding. {NOTHING}")
        # The engine knows the holding; until then one lot stands for the quantity.
        one_lot = format_quantity(1, instrument)
        terms = terms_of(replace(asked, quantity=one_lot), instrument, now)
        terms = msgspec.structs.replace(terms, quantity_lots=0)
        if terms.side != SELL:
            raise Invalid("invalid_fraction", f"Only what is sold is part of a holding. {NOTHING}")
    else:
        terms = terms_of(asked, instrument, now)
    plain = terms.special is None and not terms.quote_minor
    if (terms.order_type, terms.time_in_force) not in _FORCES or not plain:
        raise Invalid(
            "block_terms",
            "An order that others take part in is a limit order (gtc, gtd or ioc) or a market"
            f" order by quantity. {NOTHING}",
            field="type",
        )
    return terms


def _cap_ticks(worst_price: str | None, instrument: Instrument) -> int:
    with About("worst_price"):
        return 0 if worst_price is None else parse_price(worst_price, instrument)


def _checked(
    legs: Sequence[BlockLeg], leader: TradingAccount, terms: Terms
) -> tuple[BlockLeg, ...]:
    """Return the legs where each can be one: what an account has is for the engine to see."""
    if len(legs) >= BLOCK_LEGS_MAX:
        raise Invalid("too_many_legs", f"A block has at most {BLOCK_LEGS_MAX} legs. {NOTHING}")
    seen = {leader.id}
    for leg in legs:
        by_lots = 1 <= leg.lots <= AMOUNT_MAX and not leg.fraction_ppm
        by_part = terms.side == SELL and not leg.lots and 1 <= leg.fraction_ppm <= PPM
        valid = (by_lots or by_part) and 0 <= leg.cap_ticks <= AMOUNT_MAX
        if not valid or leg.account_id in seen:
            raise Invalid(
                "invalid_leg",
                f"The leg of account {leg.account_id} has no possible size or price, or comes"
                f" twice. {NOTHING}",
            )
        seen.add(leg.account_id)
    return tuple(legs)


def _noted(
    kind: str,
    account: TradingAccount,
    instrument: Instrument,
    name: str,
    wanted: _Wanted,
    now: datetime,
) -> Block:
    """Note the block before it is sent: its id is the row's, and a repeat finds it."""
    digest = wanted.digest(kind)
    with transaction.atomic():
        block, is_new = Block.objects.get_or_create(
            account=account,
            client_order_id=name,
            defaults={
                "kind": kind, "instrument": instrument, "digest": digest, "created_at": now,
            },
        )  # fmt: skip
        placed = orders_named(account=account, client_order_ids=[name]) if is_new else []
        if block.digest != digest or placed:
            raise Conflict(
                "id_reused",
                "You have used this client order id for another order. Choose a new one."
                f" {NOTHING}",
                field="client_order_id",
            )
    return block


# ---------------------------------------------------------------- on its way to the engine


def _send(block: Block, wanted: _Wanted) -> Submitted:
    """Open, join, submit. Commands of other people run in between, where there are many legs."""
    name, terms = block.client_order_id, wanted.terms
    account_id = block.account_id
    pieces: list[AnyCommand] = [
        OpenBlock(
            *_head(block, "open"), block.id, account_id, name, terms, wanted.fraction_ppm,
            wanted.cap_ticks,
        )
    ]  # fmt: skip
    for start in range(0, len(wanted.legs), LEGS_PER_COMMAND_MAX):
        part = wanted.legs[start : start + LEGS_PER_COMMAND_MAX]
        pieces.append(AddLegs(*_head(block, f"legs {start}"), block.id, part))
    submit = SubmitBlock(*_head(block, "submit"), block.id)
    gateway = get_gateway()
    if len(pieces) <= 2:
        replies = gateway.submit_many([*pieces, submit])
        _check_opened(replies[0], block, terms)
    else:
        replies = [gateway.submit(pieces[0])]
        _check_opened(replies[0], block, terms)
        replies += [gateway.submit(piece) for piece in pieces[1:]]
        replies.append(gateway.submit(submit))
    left_out = tuple(
        Left(each.account_id, each.reason)
        for reply in replies
        for event in reply.events
        if isinstance(event, LegsAdded) and event.block_id == block.id
        for each in event.left_out
    )
    order = _leader_leg(block, replies, terms)
    return Submitted(block, order, left_out, replies[-1].seq)


def _check_opened(reply: Reply, block: Block, terms: Terms) -> None:
    if reply.rejected is None:
        return
    if reply.rejected.reason == "block_exists":
        # It is this one, which the engine has and of which it has forgotten the command.
        raise _taken()
    # A refusal uses up no client order id.
    block.delete()
    raise refusal(
        reply.rejected.reason, terms=terms, instrument=block.instrument, account=block.account
    )


def _leader_leg(block: Block, replies: Sequence[Reply], terms: Terms) -> Order:
    """Return the leader's order; where the block was not let in, its legs go home first."""
    last = replies[-1]
    rejected = last.rejected
    if rejected is not None and rejected.reason not in _TOO_LATE:
        get_gateway().submit(_cancel(block))
        raise refusal(
            rejected.reason, terms=terms, instrument=block.instrument, account=block.account
        )
    if wait_for_seq(last.seq, CATCH_UP_SECONDS):
        order = leader_order(block=block)
        if order is not None:
            return order
    # The tables are behind: the engine's own words are the order.
    entries = [Entry(reply.seq, reply.at_ns, reply.events) for reply in replies]
    for change in Folded(entries).changes.values():
        if change.block_id == block.id and change.account_id == block.account_id:
            return order_of(change, block.account, block.instrument)
    raise _taken()


def _taken() -> Unavailable:
    return Unavailable(
        "not_yet_projected",
        "The order was taken; how it stands can be read in a moment.",
        retry_after_seconds=1,
    )


def _left_out(block: Block) -> tuple[Left, ...]:
    """Return who was left out of a block that was sent before."""
    events = BlockEvent.objects.filter(block_id=block.id, what=BlockEvent.What.LEFT_OUT)
    legs = (leg for each in events.values_list("legs", flat=True) for leg in each)
    return tuple(Left(account_id, reason) for account_id, *_, reason in legs)


def _cancel(block: Block) -> Cancel:
    return Cancel(*_head(), block.account_id, 0, block.client_order_id)


def _head(block: Block | None = None, what: str = "") -> tuple[bytes, int]:
    """Return command id and time: of a piece of a block the id is the same every time."""
    command_id = new_command_id()
    if block is not None:
        command_id = derived_command_id("block", str(block.id), what)
    return command_id, valid_until_ns(VALID_SECONDS)


def _state_after(reply: Reply, block: Block) -> BlockState:
    wait_for_seq(reply.seq, CATCH_UP_SECONDS)
    return block_state(block=block)
