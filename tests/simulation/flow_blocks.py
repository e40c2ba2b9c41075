"""Random blocks for the flow: opened, joined, submitted, allotted piece by piece, spoilt."""

from __future__ import annotations

import random

from apps.engine.messages import (
    BUY,
    GTC,
    GTD,
    IOC,
    LIMIT,
    MARKET,
    SELL,
    AddLegs,
    Allot,
    AmendBlock,
    AnyCommand,
    AnyEvent,
    BlockClosed,
    BlockEnded,
    BlockLeg,
    BlockOpened,
    Cancel,
    LegsAdded,
    OpenBlock,
    RemoveLegs,
    SliceCut,
    SubmitBlock,
    Terms,
)

SECOND = 1_000_000_000


class BlockFlow:
    """What a flow knows of blocks; ``Flow`` has the world around them."""

    random: random.Random
    accounts: list[int]
    markets: list[int]
    lots: int
    hostile: float
    now_ns: int
    live: dict[int, tuple[int, str, int]]

    def begin_blocks(self) -> None:
        self.blockiness = self.random.choice((0.0, 0.05, 0.2, 0.5))
        self.block_legs = self.random.choice((1, 3, 8, 40))
        self.allotting = 0.3
        self.opened_blocks: dict[int, bool] = {}  # whether it was submitted
        self.ended_blocks: set[int] = set()
        self.cut_blocks: set[int] = set()
        self.block_orders: dict[int, list[tuple[int, int]]] = {}  # account, order
        self.block_names: dict[int, tuple[int, str]] = {}
        self.blocks_made = 0

    def learn_blocks(self, event: AnyEvent) -> None:
        match event:
            case BlockOpened():
                self.opened_blocks[event.block_id] = False
                self.block_names[event.block_id] = event.account_id, event.client_order_id
                self.block_orders[event.block_id] = []
            case LegsAdded():
                self.block_orders[event.block_id] += [
                    (leg.account_id, leg.order_id) for leg in event.legs
                ]
            case SliceCut():
                self.cut_blocks.add(event.block_id)
            case BlockEnded():
                self.ended_blocks.add(event.block_id)
            case BlockClosed():
                del self.opened_blocks[event.block_id], self.block_orders[event.block_id]
                self.ended_blocks.discard(event.block_id)
                self.cut_blocks.discard(event.block_id)
            case _:
                pass

    def block_command(self) -> AnyCommand:
        draw = self.random
        due = sorted(self.cut_blocks | self.ended_blocks)
        if due and draw.random() < self.allotting:
            return Allot(b"", 0, draw.choice(due), draw.choice((1, 1, 1, 2, 3, 500)))
        if draw.random() < self.hostile / 5:
            return self._wild_block()
        coming = [number for number, submitted in self.opened_blocks.items() if not submitted]
        if coming and draw.random() < 0.8:
            block_id = coming[0]
            if len(self.block_orders[block_id]) < self.block_legs and draw.random() < 0.7:
                return AddLegs(*self._head(), block_id, self._block_legs())
            self.opened_blocks[block_id] = True
            return SubmitBlock(*self._head(), block_id)
        if not self.opened_blocks or (len(self.opened_blocks) < 4 and draw.random() < 0.3):
            return self._open_block()
        return self._disturb(draw.choice(list(self.opened_blocks)))

    def _open_block(self) -> AnyCommand:
        draw = self.random
        self.blocks_made += 1
        market_id, side = draw.choice(self.markets), draw.choice((BUY, SELL))
        kind = draw.choice((LIMIT, LIMIT, LIMIT, MARKET))
        force = draw.choice((GTC, GTC, GTD, IOC)) if kind == LIMIT else IOC
        by_fraction = side == SELL and draw.random() < 0.6
        terms = Terms(
            market_id,
            side,
            kind,
            force,
            0 if by_fraction else self._leg_size(),
            price_ticks=self._price(market_id) if kind == LIMIT else 0,
            expires_at_ns=self.now_ns + draw.randint(1, 20 * SECOND) if force == GTD else 0,
            post_only=force in (GTC, GTD) and draw.random() < 0.2,
        )
        fraction = draw.choice((1, 300_000, 1_000_000)) if by_fraction else 0
        cap = self._price(market_id) if draw.random() < 0.2 else 0
        account_id = draw.choice(self.accounts)
        self.sells = side == SELL
        return OpenBlock(
            *self._head(),
            self.blocks_made,
            account_id,
            self._block_name(account_id),
            terms,
            fraction,
            cap,
        )

    def _block_name(self, account_id: int) -> str:
        """Mostly a new one, seldom one that its leader has used already."""
        used = [name for owner, name, _ in self.live.values() if owner == account_id]
        used += [name for owner, name in self.block_names.values() if owner == account_id]
        if used and self.random.random() < 0.1:
            return self.random.choice(used)
        return f"b{self.blocks_made}"

    def _leg_size(self) -> int:
        return self.random.randint(1, self.random.choice((1, 2, self.lots, 4 * self.lots)))

    def _block_legs(self) -> tuple[BlockLeg, ...]:
        draw = self.random
        legs = []
        for account_id in draw.sample(
            self.accounts, min(len(self.accounts), draw.randint(1, self.block_legs))
        ):
            cap = self._price(draw.choice(self.markets)) if draw.random() < 0.1 else 0
            if self.sells and draw.random() < 0.7:
                fraction = draw.choice((1, 250_000, 999_999, 1_000_000))
                legs.append(BlockLeg(account_id, 0, fraction, cap))
            else:
                legs.append(BlockLeg(account_id, self._leg_size(), 0, cap))
        return tuple(legs)

    def _disturb(self, block_id: int) -> AnyCommand:
        draw = self.random
        account_id, order_id = draw.choice(self.block_orders[block_id])
        leader_id = self.block_orders[block_id][0][0]
        chance = draw.random()
        if chance < 0.3:
            named = draw.sample(self.accounts, draw.randint(1, min(4, len(self.accounts))))
            return RemoveLegs(*self._head(), block_id, tuple(named))
        if chance < 0.55:
            return Cancel(*self._head(), account_id, order_id)
        if chance < 0.58:
            name = draw.choice(("", self.block_names[block_id][1]))
            number = 0 if name else self.block_orders[block_id][0][1]
            return Cancel(*self._head(), leader_id, number, name)
        lots = draw.choice((0, 0, 1, draw.randint(1, 2 * self.lots)))
        price = draw.choice((0, 0, self._price(draw.choice(self.markets))))
        return AmendBlock(*self._head(), block_id, leader_id, lots, price)

    def _wild_block(self) -> AnyCommand:
        draw = self.random
        block_id = draw.choice((0, -1, 1, 10**9, 2**63, *self.opened_blocks))
        number = draw.choice((0, -1, 1, 3, 2**62 + 1, 2**63))
        account_id = draw.choice((*self.accounts, 1, 2, 77))
        terms = Terms(
            draw.choice((0, *self.markets)), draw.choice((0, 1, 2)), draw.randint(0, 6),
            draw.randint(0, 5), number, draw.choice((0, 0, 5)), draw.choice((0, 50, number)),
        )  # fmt: skip
        legs = (BlockLeg(account_id, number, draw.choice((0, 0, 5, number)), 0),)
        return draw.choice(
            (
                OpenBlock(*self._head(), block_id, account_id, "wild", terms, 0, number),
                OpenBlock(*self._head(), 10**6, account_id, "é", terms, number),
                AddLegs(*self._head(), block_id, draw.choice(((), legs, legs * 501))),
                SubmitBlock(*self._head(), block_id),
                Allot(b"", 0, block_id, draw.choice((0, 1, 501))),
                RemoveLegs(*self._head(), block_id, draw.choice(((), (account_id,) * 3))),
                RemoveLegs(*self._head(), block_id, (account_id,), draw.choice(("", "\x00"))),
                AmendBlock(*self._head(), block_id, account_id, number, number),
            )
        )

    def _head(self, ahead: int = 5) -> tuple[bytes, int]:
        raise NotImplementedError

    def _price(self, market_id: int, side: int = 0) -> int:
        raise NotImplementedError
