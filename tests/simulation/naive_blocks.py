"""Blocks in the naive engine: how they come together, meet others, and are left."""

from __future__ import annotations

import msgspec

from apps.engine.messages import (
    AMOUNT_MAX,
    BUY,
    CANCELLED,
    EXPIRE_MAKER,
    EXPIRE_TAKER,
    EXPIRED,
    FILLED,
    GTC,
    GTD,
    IOC,
    KILL_ACCOUNT,
    LIMIT,
    MARKET,
    SELL,
    Accepted,
    AddLegs,
    Allot,
    AmendBlock,
    Amended,
    AnyCommand,
    BlockLeg,
    BlockOpened,
    Cancel,
    CancelAll,
    Closed,
    Kill,
    LegEntered,
    LegLeftOut,
    LegsAdded,
    LegsReleased,
    OpenBlock,
    Place,
    Quarantined,
    RemoveLegs,
    SubmitBlock,
    Terms,
    Trade,
)
from tests.simulation.naive_slices import NaiveBlock, NaiveLeg, NaiveSlices
from tests.simulation.naive_world import (
    LEFT,
    SECOND,
    NaiveAccount,
    NaiveMarket,
    NaiveOrder,
    Refused,
    check,
)


class NaiveBlocks(NaiveSlices):
    """The naive engine with blocks."""

    # ------------------------------------------------------------ a command

    def timers(self) -> list[tuple[int, int, str, int]]:
        found = super().timers()
        for block in self.blocks.values():
            if block.order is None and not block.status:
                at, seq = block.opened
                found.append((at + 10 * SECOND, seq, "opening", block.number))
            if block.due is not None:
                found.append((*block.due, "slice", block.number))
        return found

    def on_opening(self, number: int) -> None:
        self.finish(self.blocks[number], EXPIRED, "not_submitted")

    def on_slice(self, number: int) -> None:
        self.watch()
        block = self.blocks[number]
        block.due = None
        if block.status:
            return
        if block.slice:
            block.due = (self.now + self.pause(block), self.seq)
        else:
            self.cut(block)

    def on_silence(self, account_id: int) -> None:
        super().on_silence(account_id)
        self.cancel_legs(account_id, 0, 0, "cancel_after")

    def run_timers(self) -> None:
        self.watched = 0
        super().run_timers()
        self.watch()

    def dispatch(self, command: AnyCommand) -> None:
        if isinstance(command, Allot):
            self.allot(command)
            return
        if isinstance(command, Quarantined):
            self.waiting = [block for block in self.waiting if block.number != command.block_id]
        super().dispatch(command)
        self.watch()

    def position(self, account_id: int, m: NaiveMarket) -> int:
        return super().position(account_id, m) + self.coming(account_id, m.instrument.market_id)

    def coming(self, account_id: int, market_id: int) -> int:
        """Lots that the account may still get by the blocks it is in."""
        lots = 0
        for block, leg in self.legs_of(account_id):
            if block.buys and block.terms.market_id == market_id:
                lots += leg.share + leg.owed if leg.left else leg.wanted
        return lots

    def legs_of(self, account_id: int) -> list[tuple[NaiveBlock, NaiveLeg]]:
        found = [
            (block, leg)
            for block in self.blocks.values()
            for leg in block.legs
            if leg.account_id == account_id and not leg.ended
        ]
        return sorted(found, key=lambda pair: pair[1].number)

    # ------------------------------------------------------------ coming together

    def names_a_block(self, account_id: int, name: str) -> bool:
        """Whether an owner's id stands for a block he leads, or led a short while ago."""
        ordered = [m[3] for m in self.ordered.get(account_id, {}).values()]
        return name in [c.client_order_id for c in ordered if isinstance(c, OpenBlock)] or any(
            block.name == name and leg is block.legs[0] for block, leg in self.legs_of(account_id)
        )

    def check_repeated(self, c: Place) -> None:
        super().check_repeated(c)
        check(not self.names_a_block(c.account_id, c.client_order_id), "id_reused")

    def check_name(self, account_id: int, name: str) -> None:
        printable = all(" " <= letter <= "~" for letter in name)
        check(printable and 1 <= len(name) <= 64, "invalid_order")
        check(not self.is_taken(account_id, name), "id_reused")

    def is_taken(self, account_id: int, client_order_id: str) -> bool:
        taken = super().is_taken(account_id, client_order_id)
        return taken or self.names_a_block(account_id, client_order_id)

    def check_weight(self, account: NaiveAccount) -> None:
        """A block counts as ten orders, or as many as there may be."""
        second = self.now // SECOND
        before = [p for p in account.placed if p[0] == second]
        most = account.limits.orders_per_second
        account.placed = [(second, None)] * min(10, most or 10) + before
        check(not most or len(account.placed) <= most, "rate_limit")

    def do_OpenBlock(self, c: OpenBlock) -> int:
        t = c.terms
        check(c.account_id in self.accounts, "unknown_account")
        account = self.accounts[c.account_id]
        check(1 <= c.block_id <= AMOUNT_MAX, "invalid_block")
        seen = {m[3].block_id for m in self.memory.values() if isinstance(m[3], OpenBlock)}
        check(c.block_id not in self.blocks and c.block_id not in seen, "block_exists")
        self.check_name(c.account_id, c.client_order_id)
        self.check_weight(account)
        check(t.market_id in self.markets, "unknown_market")
        m = self.markets[t.market_id]
        if c.fraction_ppm:
            check(t.side == SELL and t.quantity_lots == 0, "invalid_order")
        known = {(LIMIT, GTC), (LIMIT, GTD), (LIMIT, IOC), (MARKET, IOC)}
        check((t.order_type, t.time_in_force) in known and not t.quote_minor, "invalid_order")
        check(t.special is None, "invalid_order")
        check(0 <= c.cap_ticks <= AMOUNT_MAX, "invalid_price")
        self.check_states(account, m, t)
        self.check_shape(msgspec.structs.replace(t, quantity_lots=1) if c.fraction_ppm else t)
        around = self.check_prices(m, t)
        worst = t.price_ticks or self.band(m, t.side, around)
        ppm = self.highest_ppm(m.instrument, t)
        i = m.instrument
        opened = (self.now, self.seq)
        block = NaiveBlock(c.block_id, c.client_order_id, t, i, worst, ppm, opened, account.group)
        if c.cap_ticks:
            block.worst = block.tighter(worst, c.cap_ticks)
        lots = self.leg_lots(block, BlockLeg(c.account_id, t.quantity_lots, c.fraction_ppm))
        self.check_leg(block, c.account_id, lots)
        self.blocks[c.block_id] = block
        self.events.append(
            BlockOpened(
                c.block_id,
                c.account_id,
                c.client_order_id,
                t,
                block.worst,
                i.maker_fee_ppm,
                i.taker_fee_ppm,
            )
        )
        entered = self.enter_leg(block, c.account_id, lots)
        self.events.append(
            LegsAdded(c.block_id, t.market_id, t.side, (entered,), (), c.client_order_id, t)
        )
        return entered.order_id

    def check_prices(self, m: NaiveMarket, t: Terms) -> int:
        reference = self.reference(t.market_id)
        around = reference or self.best_price(m, SELL if t.side == BUY else BUY)
        self.check_price(m, t, reference, around)
        return around

    def do_AddLegs(self, c: AddLegs) -> None:
        check(c.block_id in self.blocks, "unknown_block")
        block = self.blocks[c.block_id]
        check(block.order is None and not block.status, "block_submitted")
        check(1 <= len(c.legs) <= min(500, 20_000 - len(block.legs)), "too_many_legs")
        entered, left_out = [], []
        for leg in c.legs:
            try:
                entered.append(self.join(block, leg))
            except Refused as refusal:
                left_out.append(LegLeftOut(leg.account_id, str(refusal)))
        t = block.terms
        self.events.append(
            LegsAdded(
                c.block_id,
                t.market_id,
                t.side,
                tuple(entered),
                tuple(left_out),
                f"block:{c.block_id}",
                t,
            )
        )

    def join(self, block: NaiveBlock, leg: BlockLeg) -> LegEntered:
        check(leg.account_id in self.accounts and leg.account_id > 0, "unknown_account")
        mine = [other.account_id for other in block.legs]
        check(leg.account_id not in mine, "duplicate_leg")
        m = self.markets[block.terms.market_id]
        self.check_states(self.accounts[leg.account_id], m, block.terms)
        if leg.cap_ticks:
            reaches = block.worst <= leg.cap_ticks if block.buys else block.worst >= leg.cap_ticks
            check(reaches, "slippage_cap")
        lots = self.leg_lots(block, leg)
        self.check_leg(block, leg.account_id, lots)
        return self.enter_leg(block, leg.account_id, lots)

    def leg_lots(self, block: NaiveBlock, leg: BlockLeg) -> int:
        if not leg.fraction_ppm:
            check(1 <= leg.lots <= AMOUNT_MAX, "invalid_quantity")
            return leg.lots
        check(not block.buys and not leg.lots, "invalid_quantity")
        check(1 <= leg.fraction_ppm <= 1_000_000, "invalid_quantity")
        key = (leg.account_id, block.market.base_asset_id)
        free = self.available.get(key, 0)
        holding = free + self.held.get(key, 0)
        holding += sum(
            other.reserve for b, other in self.legs_of(leg.account_id) if b.spends == key[1]
        )
        lots = min(holding * leg.fraction_ppm // 1_000_000, free) // block.market.lot_minor
        check(lots, "nothing_to_sell")
        return lots

    def check_leg(self, block: NaiveBlock, account_id: int, lots: int) -> None:
        m = self.markets[block.terms.market_id]
        i = m.instrument
        most = i.max_quantity_lots or AMOUNT_MAX
        check(lots <= most and lots * i.lot_minor <= AMOUNT_MAX, "max_quantity")
        notional = lots * block.worst * i.tick_lot_minor
        check(notional <= (i.max_notional_minor or AMOUNT_MAX), "max_notional")
        limits = self.accounts[account_id].limits
        if limits.max_order_notional_minor and limits.notional_asset_id:
            worth = self.worth(i, notional, limits.notional_asset_id)
            check(worth <= limits.max_order_notional_minor, "max_order_notional")
        mine = [o for o in self.orders if o.account_id == account_id]
        most = limits.max_open_orders or AMOUNT_MAX
        check(len(mine) + len(self.legs_of(account_id)) < most, "max_open_orders")
        if block.buys and i.max_position_lots:
            check(self.position(account_id, m) + lots <= i.max_position_lots, "max_position")
        free = self.free(account_id, block.spends)
        check(block.reserve(lots, not block.legs) <= free, "insufficient_balance")

    def enter_leg(self, block: NaiveBlock, account_id: int, lots: int) -> LegEntered:
        reserve = block.reserve(lots, not block.legs)
        self.move(account_id, block.spends, -reserve)
        self.move(block.escrow, block.spends, reserve)
        self.numbers += 1
        group = self.accounts[account_id].group
        block.legs.append(NaiveLeg(self.numbers, account_id, group, lots, reserve))
        return LegEntered(self.numbers, account_id, lots, reserve)

    def do_SubmitBlock(self, c: SubmitBlock) -> None:
        check(c.block_id in self.blocks, "unknown_block")
        block = self.blocks[c.block_id]
        check(block.order is None and not block.status, "block_submitted")
        lots = sum(leg.lots for leg in block.stayers())
        t = msgspec.structs.replace(block.terms, quantity_lots=lots, self_trade=EXPIRE_MAKER)
        m = self.markets[t.market_id]
        leader = self.accounts[block.legs[0].account_id]
        self.check_states(leader, m, t)
        self.check_shape(t)
        around = self.check_prices(m, t)
        i = m.instrument
        check(lots * i.lot_minor <= AMOUNT_MAX, "max_quantity")
        check(lots * block.worst * i.tick_lot_minor <= AMOUNT_MAX, "max_notional")
        if not leader.limits.below_minimums:
            check(lots >= i.min_quantity_lots, "min_quantity")
            notional = lots * (t.price_ticks or around) * i.tick_lot_minor
            check(notional >= i.min_notional_minor, "min_notional")
        worst = block.tighter(block.worst, t.price_ticks or self.band(m, t.side, around))
        if t.order_type == LIMIT:
            t = msgspec.structs.replace(t, price_ticks=worst)
        hold = self.order_hold(block, lots, worst)
        self.move(block.escrow, block.spends, -hold, hold)
        self.numbers += 1
        name = f"block:{block.number}"
        order = NaiveOrder(self.numbers, block.escrow, name, t, worst, hold, lots, 0, 0)
        block.order, block.submitted = order, self.seq
        self.orders.append(order)
        self.entered[order.number] = self.seq
        self.events.append(Accepted(order.number, block.escrow, name, t, block.spends, hold, 0, 0))
        self.arrive(order, m)

    def order_hold(self, block: NaiveBlock, lots: int, price: int) -> int:
        if not block.buys:
            return lots * block.market.lot_minor
        return lots * price * block.market.tick_lot_minor + 1 if lots else 0

    # ------------------------------------------------------------ meeting oneself

    def block_of(self, order: NaiveOrder) -> NaiveBlock | None:
        return self.blocks.get(-order.account_id)

    def group_of(self, order: NaiveOrder) -> int:
        block = self.block_of(order)
        return block.group if block else super().group_of(order)

    def groups_of(self, order: NaiveOrder) -> set[int]:
        block = self.block_of(order)
        copiers = self.copiers(block) if block else []
        return super().groups_of(order) | {leg.group for leg in copiers}

    def copiers(self, block: NaiveBlock) -> list[NaiveLeg]:
        return [leg for leg in block.legs[1:] if not leg.left and not leg.ended]

    def conflict(self, maker: NaiveOrder, taker: NaiveOrder) -> int:
        """Which order has to go, or LEFT when legs have gone instead."""
        coming, resting = self.block_of(taker), self.block_of(maker)
        maker_group, taker_group = self.group_of(maker), self.group_of(taker)
        if coming is None and resting is None:
            return super().conflict(maker, taker)
        in_resting = {leg.group for leg in self.copiers(resting)} if resting else set()
        if coming is None:
            shared = taker_group in in_resting or taker_group == maker_group
            return EXPIRE_TAKER if shared else 0
        if maker_group == taker_group:
            return EXPIRE_TAKER if resting else EXPIRE_MAKER
        if taker_group in in_resting:
            return EXPIRE_TAKER
        shared_legs = [
            leg for leg in self.copiers(coming) if leg.group in in_resting | {maker_group}
        ]
        if not shared_legs:
            return 0
        self.leave(coming, shared_legs, CANCELLED, "self_trade")
        return LEFT

    def spoils_fill(self, maker: NaiveOrder, taker: NaiveOrder) -> bool:
        resting = self.block_of(maker)
        group = self.group_of(taker)
        if resting is None:
            return False
        return group in {resting.group, *(leg.group for leg in self.copiers(resting))}

    # ------------------------------------------------------------ leaving, cancelling, amending

    def leave(self, block: NaiveBlock, legs: list[NaiveLeg], status: int, reason: str) -> None:
        off = 0
        gone = [leg for leg in legs if not leg.left and not leg.ended]
        for leg in gone:
            if block.slice is not None and block.slice.step in ("lots", "odd lots"):
                # Lots are not shared out yet: his part rounded down, and they begin anew.
                pool = block.slice.lots - sum(x.share for x in block.legs if x.left)
                wanted = sum(each.wanted for each in block.stayers())
                leg.share = pool * leg.wanted // wanted if leg.wanted else 0
                block.slice.step, block.slice.at = "lots", 0
            leg.left, leg.status, leg.reason = True, status, reason
            if block.order is not None:
                off += self.leave_order(block, block.order, leg)
        if block.order is not None and off:
            self.shrink(block, block.order, off)
        found = [self.release(block, leg) for leg in gone]
        t = block.terms
        if found:
            self.events.append(LegsReleased(block.number, t.market_id, t.side, tuple(found)))
        order = block.order
        if order is None or order.left or order not in self.orders or not gone:
            return
        if order.rank:
            self.end(order, FILLED, "block_filled")
        else:
            self.events.append(
                Closed(
                    order.number, block.escrow, t.market_id, t.side, FILLED, "block_filled", 0, 0, 0
                )
            )

    def leave_order(self, block: NaiveBlock, order: NaiveOrder, leg: NaiveLeg) -> int:
        """How much less the order asks for without this leg."""
        filled = sum(fill[0] for fill in block.pot) + self.unseen(block)
        pool = filled - sum(each.owed for each in block.legs)
        wanted = leg.wanted - leg.share
        whole = order.left + block.reduced + pool
        leg.owed = pool * wanted // whole if wanted else 0
        rest = wanted - leg.owed
        off = rest * order.left // (order.left + block.reduced) if rest else 0
        block.reduced -= rest - off
        order.left -= off
        order.shown = order.left if order.rank else 0
        return off

    def unseen(self, block: NaiveBlock) -> int:
        """Lots of trades of this command that are not in the pot yet."""
        escrow, lots = block.escrow, 0
        for event in self.events[self.watched :]:
            if isinstance(event, Trade) and escrow in (
                event.maker_account_id,
                event.taker_account_id,
            ):
                lots += event.quantity_lots
        return lots

    def shrink(self, block: NaiveBlock, order: NaiveOrder, off: int) -> None:
        hold = min(order.hold, self.order_hold(block, order.left, order.worst))
        total = order.terms.quantity_lots - off
        order.terms = msgspec.structs.replace(order.terms, quantity_lots=total)
        gone = (order.worst, off) if order.rank else (0, 0)
        self.tell_amended(block, order, hold, *gone)

    def tell_amended(
        self, block: NaiveBlock, order: NaiveOrder, hold: int, price: int, lots: int
    ) -> None:
        change = hold - order.hold
        self.move(block.escrow, block.spends, -change, change)
        order.hold = hold
        t = order.terms
        self.events.append(
            Amended(
                order.number,
                block.escrow,
                t.market_id,
                t.side,
                t,
                order.worst,
                order.left,
                hold,
                change,
                price,
                lots,
                "block_amended",
            )
        )

    def do_RemoveLegs(self, c: RemoveLegs) -> None:
        check(c.block_id in self.blocks, "unknown_block")
        block = self.blocks[c.block_id]
        check(not block.status, "block_ended")
        check(1 <= len(c.account_ids) <= 500, "too_many_legs")
        sane = 1 <= len(c.reason) <= 40 and "\x00" not in c.reason
        check(sane, "invalid_reference")
        check(block.legs[0].account_id not in c.account_ids, "leader_leg")
        legs = {leg.account_id: leg for leg in block.legs}
        named = [legs[each] for each in dict.fromkeys(c.account_ids) if each in legs]
        self.leave(block, named, CANCELLED, c.reason)

    def do_Cancel(self, c: Cancel) -> None:
        for block, leg in self.legs_of(c.account_id):
            by_name = leg is block.legs[0] and block.name == c.client_order_id
            if leg.number == c.order_id if c.order_id else by_name:
                check(not block.status and not leg.left, "order_not_found")
                self.cancel_leg(block, leg, "user")
                return
        super().do_Cancel(c)

    def cancel_leg(self, block: NaiveBlock, leg: NaiveLeg, reason: str) -> None:
        if leg is not block.legs[0]:
            self.leave(block, [leg], CANCELLED, reason)
        elif block.order is None:
            self.finish(block, CANCELLED, reason)
        else:
            self.end(block.order, CANCELLED, reason)

    def do_CancelAll(self, c: CancelAll) -> None:
        super().do_CancelAll(c)
        if c.account_id:
            own = "reduce_only" if c.reduce_only else "cancel_all"
            self.cancel_legs(c.account_id, c.market_id, c.side, own)
        else:
            self.cancel_openings(c.market_id, c.side)

    def do_Kill(self, c: Kill) -> None:
        super().do_Kill(c)
        if c.scope == KILL_ACCOUNT:
            self.cancel_legs(c.target_id, 0, 0, "kill")
        else:
            self.cancel_openings(c.target_id, 0)

    def cancel_legs(self, account_id: int, market_id: int, side: int, reason: str) -> None:
        self.watch()
        for block, leg in self.legs_of(account_id):
            t = block.terms
            named = market_id in (0, t.market_id) and side in (0, t.side)
            if named and not block.status and not leg.left:
                self.cancel_leg(block, leg, reason)

    def cancel_openings(self, market_id: int, side: int) -> None:
        for block in self.blocks.values():
            t = block.terms
            named = market_id in (0, t.market_id) and side in (0, t.side)
            if named and block.order is None and not block.status:
                self.finish(block, CANCELLED, "kill")

    def do_AmendBlock(self, c: AmendBlock) -> None:
        block = self.blocks.get(c.block_id)
        check(block and block.legs[0].account_id == c.account_id, "unknown_block")
        assert block is not None
        order = block.order
        check(order, "block_not_submitted")
        assert order is not None
        check(not block.status and order.rank, "block_ended")
        m = self.markets[block.terms.market_id]
        price = c.price_ticks or order.worst
        if price != order.worst:
            self.check_another(self.accounts[c.account_id])
        self.check_states(self.accounts[c.account_id], m, order.terms)
        total = c.quantity_lots or order.terms.quantity_lots
        check(1 <= price <= AMOUNT_MAX, "invalid_price")
        check(1 <= total <= order.terms.quantity_lots, "invalid_quantity")
        off = order.terms.quantity_lots - total
        check(off < order.left, "amend_below_filled")
        check(block.tighter(price, block.worst) == price, "worst_price")
        if price != order.worst:
            t = msgspec.structs.replace(order.terms, price_ticks=price)
            self.check_limit(m, t, self.reference(t.market_id))
        before = order.left
        order.left -= off
        order.shown = order.left
        block.reduced += off
        if price == order.worst:
            if off:
                self.shrink(block, order, off)
            return
        old = order.worst
        order.worst, order.rank, order.shown = price, 0, 0
        order.arrived = (self.numbers, self.seq)
        order.terms = msgspec.structs.replace(order.terms, quantity_lots=total, price_ticks=price)
        hold = self.order_hold(block, order.left, price)
        self.tell_amended(block, order, hold, old, before)
        self.arrive(order, m)
