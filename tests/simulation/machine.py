"""What state machines of the engine have in common: the model beside it, and what always holds."""

from __future__ import annotations

from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.engine.engine import Engine
from apps.engine.messages import AnyCommand, Place, Terms
from tests.simulation.audit import Auditor
from tests.simulation.naive_blocks import NaiveBlocks

SECOND = 1_000_000_000
START_NS = 1_700_000_000 * SECOND


class Machine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine, self.naive, self.auditor = Engine(), NaiveBlocks(), Auditor()
        self.journal: list[tuple[AnyCommand, int]] = []
        self.now_ns = START_NS
        self.clients = 0

    def send(self, kind: Any, *values: Any) -> None:
        head = (len(self.journal).to_bytes(16, "big"), self.now_ns + SECOND)
        self.carry_out(kind(*head, *values))

    def carry_out(self, command: AnyCommand) -> None:
        self.journal.append((command, self.now_ns))
        events = self.engine.apply(command, self.now_ns)
        assert events == self.naive.apply(command, self.now_ns)
        self.auditor.follow(self.engine, events)

    def place(self, account_id: int, terms: Terms) -> None:
        self.clients += 1
        self.send(Place, account_id, f"c{self.clients}", terms)

    @rule()
    def restart_from_a_snapshot(self) -> None:
        before = self.engine.snapshot()
        self.engine = Engine.restore(before)
        assert self.engine.snapshot() == before

    @rule()
    def replay_from_the_beginning(self) -> None:
        replayed = Engine()
        for command, now_ns in self.journal:
            replayed.apply(command, now_ns)
        assert replayed.state_hash() == self.engine.state_hash()

    @invariant()
    def books_and_balances_add_up(self) -> None:
        self.auditor.full_check(self.engine)
