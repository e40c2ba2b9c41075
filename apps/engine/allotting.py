"""A slice of a block on its way to the legs: who gets how many lots, and what of the money.

Arithmetic only. It goes over the legs in pieces, so that no command works on all of twenty
thousand: first lots, then money; what is left over is given out once all legs are known.
"""

from __future__ import annotations

from typing import Final

import msgspec

from apps.engine.balances import Account, InvariantViolation

# What a slice waits for: each leg's lots, then what is left over of them; its money, and what is
# left over of that, and of what was made; at last each leg gets its part.
LOTS: Final = 1
ODD_LOTS: Final = 2
MONEY: Final = 3
ODD_MONEY: Final = 4
ODD_MADE: Final = 5
POSTING: Final = 6


class Member(msgspec.Struct, eq=False, gc=False):
    """One leg of a block. ``reserve_minor`` is what of its money is in the escrow account.

    ``given_lots`` are allotted, of ``made_minor`` and ``taken_minor`` notional. ``share_lots`` are
    its part of the slice at work, at ``quote_minor``, of which ``slice_made_minor`` as maker. A
    member that has ``left`` takes part in no further fills: ``owed_lots`` of what has filled since
    the last slice are its own, and when those are allotted it has ``ended``.
    """

    order_id: int
    account: Account
    trade_group: int
    lots: int
    reserve_minor: int
    given_lots: int = 0
    made_minor: int = 0
    taken_minor: int = 0
    share_lots: int = 0
    quote_minor: int = 0
    slice_made_minor: int = 0
    left: bool = False
    owed_lots: int = 0
    ended: bool = False
    status: int = 0
    reason: str = ""


class Slice(msgspec.Struct, gc=False):
    """What has filled since the last one, and how far its allotment has come.

    ``pool_lots`` of it belong to the members that have not left, who wanted ``rest_lots`` more
    when it was cut. Their sizes add up to ``size_lots``, and ``filled_lots`` are theirs with this
    slice. ``cursor`` is the next member; ``keys`` rank those that may get of what is left over.
    """

    number: int
    lots: int
    quote_minor: int
    made_minor: int
    pool_lots: int
    rest_lots: int
    size_lots: int
    filled_lots: int
    final: bool
    phase: int
    cursor: int = 0
    given_lots: int = 0
    given_minor: int = 0
    given_made_minor: int = 0
    keys: list[int] = []
    made_keys: list[int] = []

    def settle(self, member: Member) -> int:
        """The lots of this slice that are the member's own, who leaves now.

        While lots are still being shared out he takes his part rounded down, and the others begin
        anew without him.
        """
        if self.phase in (LOTS, ODD_LOTS):
            wanted = member.lots - member.given_lots
            share = self.pool_lots * wanted // self.rest_lots if wanted else 0
            member.share_lots = share
            self.pool_lots -= share
            self.rest_lots -= wanted
            self.size_lots -= member.lots
            self.filled_lots -= member.given_lots + share
            self._go_on(LOTS)
            self.given_lots = 0
        return member.share_lots

    def carry_on(self, members: list[Member], work: int) -> int:
        """Does so much of what comes before posting; returns how much work that was."""
        count = len(members)
        if self.phase in (LOTS, MONEY):
            stop = min(count, self.cursor + work)
            done = max(1, stop - self.cursor)
            if self.phase == LOTS:
                self._share_lots(members, stop)
            else:
                self._share_money(members, stop)
            return done
        if self.phase == ODD_LOTS:
            self._give_odd_lots(members)
        elif self.phase == ODD_MONEY:
            self._give_odd_money(members)
        else:
            self._give_odd_made(members)
        return count

    def _go_on(self, phase: int) -> None:
        self.phase, self.cursor, self.keys = phase, 0, []

    def _share_lots(self, members: list[Member], stop: int) -> None:
        """Each gets its part of the pool rounded down; its deficit is noted."""
        pool, rest, size, filled = (
            self.pool_lots, self.rest_lots, self.size_lots, self.filled_lots,
        )  # fmt: skip
        count, number = len(members), self.number
        keys: list[int] = []
        for index in range(self.cursor, stop):
            member = members[index]
            if member.left or member.ended:
                continue
            wanted = member.lots - member.given_lots
            share = pool * wanted // rest if wanted else 0
            member.share_lots = share
            self.given_lots += share
            if share < wanted:
                deficit = member.lots * filled - (member.given_lots + share) * size
                # The leader comes after his copiers, unless a whole lot is due to him.
                if index or deficit >= size:
                    keys.append(deficit * count + count - 1 - (index - number) % count)
        self.cursor = stop
        # Sorted here in pieces, so that sorting the whole is little work.
        self.keys += sorted(keys, reverse=True)
        if stop == count:
            self.phase = ODD_LOTS

    def _give_odd_lots(self, members: list[Member]) -> None:
        """Leftover lots go one each to the largest deficits; round again while there are any."""
        left = self.pool_lots - self.given_lots
        if left < 0:
            raise InvariantViolation(f"{-left} lots more were given than there are")
        self.keys.sort(reverse=True)
        count, number = len(members), self.number
        given = -1
        while left and given:
            given = 0
            for key in self.keys:
                member = members[(count - 1 - key % count + number) % count]
                if member.share_lots < member.lots - member.given_lots:
                    member.share_lots += 1
                    given += 1
                    if given == left:
                        break
            left -= given
        # Nobody else can have them.
        members[0].share_lots += left
        self._go_on(MONEY)

    def _share_money(self, members: list[Member], stop: int) -> None:
        """Each pays its part of the whole, and of what was made, rounded down."""
        lots, quote, made = self.lots, self.quote_minor, self.made_minor
        count, number = len(members), self.number
        is_mixed = 0 < made < quote
        keys: list[int] = []
        made_keys: list[int] = []
        for index in range(self.cursor, stop):
            member = members[index]
            share = member.share_lots
            if not share:
                continue
            turn = count - 1 - (index - number) % count
            member.quote_minor, over = divmod(quote * share, lots)
            self.given_minor += member.quote_minor
            keys.append(over * count + turn)
            if is_mixed:
                member.slice_made_minor, over = divmod(made * share, lots)
                self.given_made_minor += member.slice_made_minor
                made_keys.append(over * count + turn)
        self.cursor = stop
        self.keys += sorted(keys, reverse=True)
        self.made_keys += sorted(made_keys, reverse=True)
        if stop == count:
            self.phase = ODD_MONEY

    def _give_odd_money(self, members: list[Member]) -> None:
        """Odd units go one each to the largest remainders."""
        left = self.quote_minor - self.given_minor
        self.keys.sort(reverse=True)
        count, number = len(members), self.number
        for key in self.keys[:left]:
            members[(count - 1 - key % count + number) % count].quote_minor += 1
        self._go_on(ODD_MADE if self.made_keys else POSTING)

    def _give_odd_made(self, members: list[Member]) -> None:
        """As with money; but nobody has made more than it pays in all."""
        left = self.made_minor - self.given_made_minor
        self.made_keys.sort(reverse=True)
        count, number = len(members), self.number
        while left:
            for key in self.made_keys:
                member = members[(count - 1 - key % count + number) % count]
                if left and member.slice_made_minor < member.quote_minor:
                    member.slice_made_minor += 1
                    left -= 1
        self.made_keys = []
        self._go_on(POSTING)
