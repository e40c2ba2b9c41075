"""A block: its members, its escrow account, its one order in the market, and what it owes to whom.

To matching a block is an ordinary order of an account of its own. What fills settles with that
account at once; slice by slice it is then allotted to the members.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine.allotting import LOTS, ODD_LOTS, POSTING, Member, Slice
from apps.engine.balances import Account, Balance, InvariantViolation
from apps.engine.book import RESTING, Order
from apps.engine.messages import (
    BUY,
    CANCELLED,
    FILLED,
    NORMAL,
    Allotted,
    AnyEvent,
    Closed,
    Instrument,
    LegFill,
    LegReleased,
    LegsReleased,
    Limits,
    Terms,
    escrow_account_id,
    leg_name,
)
from apps.engine.rates import buy_hold_minor, fee_minor
from apps.engine.remainder import less_by, note_amended

FULL: Final = "block_filled"
# Of what a block changes of its own order, and of legs that are not filled for it.
AMENDED: Final = "block_amended"

# So many copiers of one block may leave it at once because another block has them, too.
SHARED_LEGS_MAX: Final = 500

# To share out lots or money to a leg is a quarter of the work of posting it.
WORK_PER_LEG: Final = 4


class Block:
    """One block, from its opening to its closing.

    ``instrument`` is the market as it was at the opening, which freezes the fee rates, and
    ``worst_ticks`` the price that the members reserve by. ``groups`` are the trade groups of the
    copiers that take part in what fills. ``order`` is there once it was submitted; ``status`` and
    ``reason`` once nothing more will fill. Since the last slice ``mark_lots`` less what remains of
    the order have filled, for ``quote_minor``, of which ``made_minor`` as maker; ``owed_lots`` of
    them are of ``leavers``.
    ``is_aged``: its opening is not remembered any more, and its leader's client order id is kept
    for the sake of his leg alone.
    ``reduced_lots`` are members' lots that the order does not ask for any more. ``size_lots`` and
    ``given_lots`` are sums over the members that have not left. ``due_ns`` is when the next slice
    is cut, ``due_seq`` the command that made it due.
    """

    __slots__ = (
        "block_id", "by_account", "client_order_id", "due_ns", "due_seq", "escrow", "fee_ppm",
        "given_lots", "groups", "instrument", "is_aged", "leavers", "live_legs", "made_minor",
        "mark_lots", "members", "open_until_ns", "opened_seq", "order", "owed_lots",
        "quote_minor", "reason", "reduced_lots", "size_lots", "slice", "slices", "status",
        "submitted_seq", "terms", "worst_ticks",
    )  # fmt: skip

    def __init__(
        self,
        block_id: int,
        client_order_id: str,
        trade_group: int,
        terms: Terms,
        instrument: Instrument,
        worst_ticks: int,
        fee_ppm: int,
    ) -> None:
        self.block_id = block_id
        self.client_order_id = client_order_id
        self.terms = terms
        self.instrument = instrument
        self.worst_ticks = worst_ticks
        self.fee_ppm = fee_ppm
        no_limits = Limits(0, 0, 0, True)
        self.escrow = Account(escrow_account_id(block_id), trade_group, no_limits, NORMAL)
        self.members: list[Member] = []
        self.by_account: dict[int, Member] = {}
        self.groups: dict[int, dict[int, Member]] = {}
        self.live_legs = 0
        self.opened_seq = 0
        self.is_aged = False
        self.open_until_ns = 0
        self.submitted_seq = 0
        self.order: Order | None = None
        self.status = 0
        self.reason = ""
        self.mark_lots = 0
        self.quote_minor = 0
        self.made_minor = 0
        self.owed_lots = 0
        self.leavers: list[Member] = []
        self.reduced_lots = 0
        self.size_lots = 0
        self.given_lots = 0
        self.slice: Slice | None = None
        self.slices = 0
        self.due_ns = 0
        self.due_seq = 0

    # ------------------------------------------------------------ what it is

    @property
    def buys(self) -> bool:
        return self.terms.side == BUY

    @property
    def spent_asset_id(self) -> int:
        instrument = self.instrument
        return instrument.quote_asset_id if self.buys else instrument.base_asset_id

    @property
    def money(self) -> Balance:
        """What of the members' reserves is not held by the order."""
        return self.escrow.balance(self.spent_asset_id)

    @property
    def open_lots(self) -> int:
        """What has filled since the last slice."""
        return 0 if self.order is None else self.mark_lots - self.order.remaining_lots

    def reserve_minor(self, lots: int, *, leads: bool = False) -> int:
        """What a leg reserves for so many lots still to come.

        The order of a buy holds one unit more than its lots can cost, as any does: that is the
        leader's, as long as the block lives.
        """
        if not self.buys:
            return lots * self.instrument.lot_minor
        spare_minor = 1 if leads else 0
        if not lots:
            return spare_minor
        notional_minor = lots * self.worst_ticks * self.instrument.tick_lot_minor
        return buy_hold_minor(notional_minor, self.fee_ppm) + spare_minor

    def order_hold_minor(self, lots: int, price_ticks: int) -> int:
        """What of that the order holds: the members' fees are charged when it is allotted."""
        if not lots:
            return 0
        if not self.buys:
            return lots * self.instrument.lot_minor
        return buy_hold_minor(lots * price_ticks * self.instrument.tick_lot_minor, 0)

    # ------------------------------------------------------------ members

    def add(self, member: Member) -> None:
        self.size_lots += member.lots
        self.restore(member)

    def restore(self, member: Member) -> None:
        """Notes a member as it is; sums over the members are somebody else's."""
        account = member.account
        is_copier = bool(self.members)
        self.members.append(member)
        self.by_account[account.account_id] = member
        if member.ended:
            return
        self.live_legs += 1
        account.legs[member.order_id] = self.block_id
        if is_copier and not member.left:
            self.groups.setdefault(member.trade_group, {})[member.order_id] = member
        if self.buys:
            expected = member.lots - member.given_lots
            if member.left:
                expected = member.owed_lots + member.share_lots
            self._expect(account, expected)

    def new_order(self, order_id: int, terms: Terms, price_ticks: int, hold_minor: int) -> Order:
        """The block's order. Its fees are zero: each leg is charged when it is allotted."""
        instrument = msgspec.structs.replace(self.instrument, maker_fee_ppm=0, taker_fee_ppm=0)
        base = self.escrow.balance(instrument.base_asset_id)
        quote = self.escrow.balance(instrument.quote_asset_id)
        spends, gains = (quote, base) if self.buys else (base, quote)
        return Order(
            order_id, self.escrow, leg_name(self.block_id), terms, instrument, terms.side,
            price_ticks, terms.quantity_lots, hold_minor, 0, spends, gains,
        )  # fmt: skip

    def legs_of(self, trade_groups: list[int]) -> list[Member]:
        """Copiers of some trade groups that take part in what fills, in the order of their legs."""
        found: dict[int, Member] = {}
        for trade_group in trade_groups:
            found.update(self.groups.get(trade_group, {}))
        return [found[order_id] for order_id in sorted(found)]

    def leave(
        self, members: list[Member], status: int, reason: str, events: list[AnyEvent]
    ) -> None:
        """Members take part in no further fills; what of their reserves is not owed goes home.

        Of what has filled and is not allotted yet each keeps its part, rounded down: "first
        allot, then remove".
        """
        off_lots = 0
        released: list[LegReleased] = []
        leaving = [each for each in members if not each.left and not each.ended]
        owed = []
        for member in leaving:
            member.left, member.status, member.reason = True, status, reason
            self._forget_group(member)
            self.size_lots -= member.lots
            self.given_lots -= member.given_lots
            wanted = member.lots - member.given_lots
            pending = 0
            if self.slice is not None:
                pending = self.slice.settle(member)
            off_lots += self._settle_open(member, wanted - pending)
            owed.append(pending + member.owed_lots)
            if self.buys:
                self._expect(member.account, pending + member.owed_lots - wanted)
        self.reduce_order(off_lots, events)
        for member, lots in zip(leaving, owed, strict=True):
            released.append(self._release(member, lots))
        if released:
            events.append(self._released(released))
        order = self.order
        if order is not None and not order.remaining_lots and order.place != RESTING and leaving:
            # It was taking when the last that it still wanted left: matching forgets it.
            self._tell_filled(order, events)

    def _settle_open(self, member: Member, wanted: int) -> int:
        """Notes what is owed of the fills since the last slice; returns what the order loses."""
        order = self.order
        if order is None:
            return 0
        pool = self.open_lots - self.owed_lots
        owed, from_order = _parted(wanted, pool, order.remaining_lots, self.reduced_lots)
        self.reduced_lots -= wanted - owed - from_order
        order.remaining_lots -= from_order
        self.mark_lots -= from_order
        if owed:
            member.owed_lots = owed
            self.owed_lots += owed
            self.leavers.append(member)
        return from_order

    def lots_without(self, members: list[Member]) -> int:
        """What the order would still ask for if these left now, one after the other."""
        order = self.order
        if order is None:
            return 0
        remaining, reduced = order.remaining_lots, self.reduced_lots
        pool = self.open_lots - self.owed_lots
        slice_pool = slice_rest = 0
        is_sharing = self.slice is not None and self.slice.phase in (LOTS, ODD_LOTS)
        if self.slice is not None and is_sharing:
            slice_pool, slice_rest = self.slice.pool_lots, self.slice.rest_lots
        for member in members:
            wanted = member.lots - member.given_lots
            pending = member.share_lots if self.slice is not None else 0
            if is_sharing:
                pending = slice_pool * wanted // slice_rest if wanted else 0
                slice_pool -= pending
                slice_rest -= wanted
            wanted -= pending
            owed, from_order = _parted(wanted, pool, remaining, reduced)
            reduced -= wanted - owed - from_order
            remaining -= from_order
            pool -= owed
        return remaining

    def reduce_order(self, lots: int, events: list[AnyEvent]) -> None:
        """Tells that the order asks for so many lots less, where it stands."""
        order = self.order
        if order is None or not lots:
            return
        hold_minor = self.order_hold_minor(order.remaining_lots, order.price_ticks)
        hold_minor = min(order.hold_minor, hold_minor)
        order.terms = less_by(order.terms, lots)
        rests = order.place == RESTING
        price_ticks = order.price_ticks if rests else 0
        note_amended(order, hold_minor, price_ticks, lots, AMENDED, events)

    def _tell_filled(self, order: Order, events: list[AnyEvent]) -> None:
        events.append(
            Closed(
                order.order_id, self.escrow.account_id, self.instrument.market_id, order.side,
                FILLED, FULL, 0, 0, 0,
            )
        )  # fmt: skip

    def _release(self, member: Member, pending_lots: int) -> LegReleased:
        """Sends home what of a reserve is not needed for lots that are owed yet."""
        keep = min(member.reserve_minor, self.reserve_minor(pending_lots))
        released = member.reserve_minor - keep
        member.reserve_minor = keep
        self.money.available_minor -= released
        member.account.balance(self.spent_asset_id).available_minor += released
        if not pending_lots:
            self._end(member)
        return LegReleased(
            member.order_id, member.account.account_id, member.status, member.reason, released,
            pending_lots,
        )  # fmt: skip

    def _released(self, legs: list[LegReleased]) -> LegsReleased:
        return LegsReleased(self.block_id, self.instrument.market_id, self.terms.side, tuple(legs))

    def _end(self, member: Member) -> None:
        member.ended = True
        self.live_legs -= 1
        self._forget_group(member)
        del member.account.legs[member.order_id]
        if self.is_aged and member is self.members[0]:
            del member.account.client_ids[self.client_order_id]

    def _forget_group(self, member: Member) -> None:
        group = self.groups.get(member.trade_group)
        if group is not None and group.pop(member.order_id, None) is not None and not group:
            del self.groups[member.trade_group]

    def _expect(self, account: Account, change_lots: int) -> None:
        """Notes by how much what an account may still buy has changed."""
        market_id = self.instrument.market_id
        lots = account.leg_lots.get(market_id, 0) + change_lots
        if lots:
            account.leg_lots[market_id] = lots
        else:
            account.leg_lots.pop(market_id, None)

    # ------------------------------------------------------------ slices

    def cut(self) -> Slice:
        """What has filled since the last slice becomes one, and its allotment begins."""
        lots = self.open_lots
        pool = lots - self.owed_lots
        remaining = 0 if self.order is None else self.order.remaining_lots
        for member in self.leavers:
            member.share_lots, member.owed_lots = member.owed_lots, 0
        found = self.slice = Slice(
            self.slices, lots, self.quote_minor, self.made_minor, pool,
            remaining + self.reduced_lots + pool, self.size_lots, self.given_lots + pool,
            bool(self.status), LOTS if lots else POSTING,
        )  # fmt: skip
        self.slices += 1
        self.mark_lots = remaining
        self.leavers = []
        self.owed_lots = self.quote_minor = self.made_minor = 0
        self.due_ns = 0
        return found

    def allot(self, legs: int, house: Balance, trade_id: int, events: list[AnyEvent]) -> int:
        """Carries the slice at work so many legs further; returns how many executions it made."""
        work = WORK_PER_LEG * legs
        fills: list[LegFill] = []
        released: list[LegReleased] = []
        at_work = self.slice
        if at_work is None:
            return 0
        count = len(self.members)
        while work > 0:
            if at_work.phase == POSTING:
                stop = min(count, at_work.cursor + max(1, work // WORK_PER_LEG))
                work -= WORK_PER_LEG * max(1, stop - at_work.cursor)
                self._post_all(at_work, stop, house, fills, released)
                if stop == count:
                    self.slice = None
                    break
                continue
            work -= at_work.carry_on(self.members, work)
        if fills:
            events.append(
                Allotted(
                    self.block_id, self.instrument.market_id, self.terms.side, at_work.number,
                    trade_id, tuple(fills), self.instrument.tick_lot_minor,
                )
            )  # fmt: skip
        if released:
            events.append(self._released(released))
        return len(fills)

    def _post_all(
        self,
        at_work: Slice,
        stop: int,
        house: Balance,
        fills: list[LegFill],
        released: list[LegReleased],
    ) -> None:
        members = self.members
        for index in range(at_work.cursor, stop):
            member = members[index]
            if member.ended:
                continue
            if member.share_lots:
                fills.append(self._post(member, at_work, house))
                if member.given_lots == member.lots and not member.reserve_minor:
                    self._end(member)
                    continue
            if at_work.final and not member.left:
                member.status, member.reason = self._how_it_ends(member)
                if self.buys:
                    self._expect(member.account, member.given_lots - member.lots)
                released.append(self._release(member, 0))
            elif member.left and not member.owed_lots:
                released.append(self._release(member, 0))
        at_work.cursor = stop

    def _how_it_ends(self, member: Member) -> tuple[int, str]:
        """What an order that was reduced has filled is not all that its legs were in for."""
        if member.given_lots == member.lots:
            return FILLED, FULL
        return (CANCELLED, AMENDED) if self.status == FILLED else (self.status, self.reason)

    def _post(self, member: Member, at_work: Slice, house: Balance) -> LegFill:
        """One leg's part of a slice: its lots, its money, its fee, and what it need not reserve."""
        instrument, account = self.instrument, member.account
        lots, quote = member.share_lots, member.quote_minor
        made = member.slice_made_minor
        if at_work.made_minor == at_work.quote_minor:
            made = quote
        elif not at_work.made_minor:
            made = 0
        charged = self._charged_minor(member)
        member.made_minor += made
        member.taken_minor += quote - made
        fee = self._charged_minor(member) - charged
        base = lots * instrument.lot_minor
        member.given_lots += lots
        member.share_lots = member.slice_made_minor = 0
        released = 0
        if not member.left:
            self.given_lots += lots
        if self.buys:
            coming = member.owed_lots if member.left else member.lots - member.given_lots
            left = member.reserve_minor - quote - fee
            leads = member is self.members[0]
            keep = min(left, self.reserve_minor(coming, leads=leads))
            released = left - keep
            member.reserve_minor = keep
            self.money.available_minor -= fee + released
            self.escrow.balance(instrument.base_asset_id).available_minor -= base
            account.balance(instrument.quote_asset_id).available_minor += released
            account.balance(instrument.base_asset_id).available_minor += base
            self._expect(account, -lots)
        else:
            member.reserve_minor -= base
            self.escrow.balance(instrument.quote_asset_id).available_minor -= quote
            account.balance(instrument.quote_asset_id).available_minor += quote - fee
        house.available_minor += fee
        if member.reserve_minor < 0:
            raise InvariantViolation(f"leg {member.order_id} has paid more than it reserved")
        return LegFill(
            member.order_id, account.account_id, lots, base, quote, made, fee, released,
            member.lots - member.given_lots, member.reserve_minor,
        )  # fmt: skip

    def _charged_minor(self, member: Member) -> int:
        """Fees of a leg on all that it has traded, by role."""
        instrument = self.instrument
        return fee_minor(member.made_minor, instrument.maker_fee_ppm) + fee_minor(
            member.taken_minor, instrument.taker_fee_ppm
        )

    def check_escrow(self, closed: bool) -> None:
        for asset_id, balance in self.escrow.balances.items():
            if balance.available_minor < 0 or (
                closed and (balance.available_minor or balance.held_minor)
            ):
                raise InvariantViolation(f"escrow of block {self.block_id}, asset {asset_id}")


def _parted(wanted: int, pool: int, remaining: int, reduced: int) -> tuple[int, int]:
    """Of the lots that a leaver wants: those owed to him, and those that the order loses."""
    outside = remaining + reduced
    owed = pool * wanted // (outside + pool) if wanted else 0
    off = wanted - owed
    return owed, off * remaining // outside if off else 0


def share_copiers(blocks: dict[int, Block], maker: Order, taker: Order) -> bool:
    """Whether one of the two is a block in which the other's owner has a leg."""
    resting, coming = blocks.get(maker.order_id), blocks.get(taker.order_id)
    if coming is None:
        return resting is not None and taker.account.trade_group in resting.groups
    if maker.account.trade_group in coming.groups:
        return True
    if resting is None:
        return False
    return taker.account.trade_group in resting.groups or any(
        group in resting.groups for group in coming.groups
    )
