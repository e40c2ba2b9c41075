"""The worked examples of docs/ledger.md are true: each line is done, or checked exactly."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Sum

from apps.core import clock
from apps.core.money import format_minor, parse_decimal
from apps.engine.messages import (
    EXTERNAL_ACCOUNT_ID,
    FEE_ACCOUNT_ID,
    NORMAL,
    REDUCE_ONLY,
    Hold,
    Release,
    Settle,
)
from apps.markets.models import Asset
from apps.matching.gateway import get_gateway, new_command_id, valid_until_ns
from apps.trades.actions import cancel_all
from apps.trades.models import Position
from apps.trades.position_queries import lots_of
from apps.trades.risk import marks, watch
from apps.trades.risk.actions import set_own_limits
from apps.trades.risk.queries import losses_of, standing_of
from apps.trades.risk.rules import LimitSet
from apps.wallets.models import Balance, LedgerEntry
from apps.wallets.presentation import entry_json
from tests.factories import Trader, fund, house, listed, trader

PAGE = Path(settings.BASE_DIR) / "docs" / "ledger.md"
EXAMPLES = re.findall(r"^```ledger\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)

Line = Callable[..., None]


class Story:
    """The people of one example, by name, and what the lines of the page mean."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        house()
        listed()
        self.people: dict[str, Trader] = {}
        self.book: dict[str, Any] = {}
        monkeypatch.setattr(
            marks, "stored_books", lambda symbols: dict.fromkeys(symbols, self.book)
        )

    def who(self, name: str) -> Trader:
        if name not in self.people:
            self.people[name] = trader()
        return self.people[name]

    def tell(self, line: str) -> None:
        for pattern, meaning in _MEANINGS.items():
            found = re.fullmatch(pattern, line.strip())
            if found:
                meaning(self, *found.groups())
                return
        pytest.fail(f"Nobody knows what this line means: {line!r}")

    def deposits(self, name: str, amount: str, code: str) -> None:
        fund(self.who(name).account, code, amount)

    def limit(self, name: str, verb: str, quantity: str, price: str) -> None:
        order = getattr(self.who(name), verb)(quantity, price)
        assert order.status in ("open", "filled"), order.status

    def market(self, name: str, quantity: str) -> None:
        order = self.who(name).place(side="buy", order_type="market", quantity=quantity)
        assert order.status == "filled"

    def budget(self, name: str, amount: str) -> None:
        order = self.who(name).place(side="buy", order_type="market", quote_amount=amount)
        assert order.status == "filled"

    def cancels(self, name: str) -> None:
        who = self.who(name)
        assert cancel_all(actor=who.user, account=who.account).order_ids

    def holds(self, name: str, amount: str, code: str, hold_id: str) -> None:
        asset = Asset.objects.get(code=code)
        minor = parse_decimal(amount, asset.scale)
        account_id = self.who(name).account.id
        command = Hold(
            new_command_id(), valid_until_ns(5), account_id, asset.id, minor, int(hold_id)
        )
        assert get_gateway().submit(command).rejected is None

    def ends(self, hold_id: str, how: str) -> None:
        kind = Settle if how == "settled" else Release
        command = kind(new_command_id(), valid_until_ns(5), int(hold_id))
        assert get_gateway().submit(command).rejected is None

    def has(self, name: str, available: str, code: str, held: str) -> None:
        assert self.who(name).has(code) == (parse_decimal(available, 8), parse_decimal(held, 8))

    def ledger(self, name: str, code: str, entries: str) -> None:
        rows = LedgerEntry.objects.filter(account=self.who(name).account, asset__code=code)
        found = [_entry(row) for row in rows.order_by("id")]
        assert ", ".join(found) == entries
        assert [entry_json(row)["asset"] for row in rows] == [code] * len(found)

    def position(self, name: str, code: str, *figures: str) -> None:
        row = Position.objects.get(account=self.who(name).account, asset__code=code)
        found = (row.quantity_minor, row.cost_minor, row.realised_minor, row.fees_minor)
        assert tuple(format_minor(minor, 8) for minor in found) == figures

    def lots(self, name: str, code: str, lots: str, realised: str) -> None:
        who = self.who(name)
        found = lots_of(viewer=who.user, account=who.account, asset=code).lots
        assert format_minor(found.realised_minor, 8) == realised
        said = [
            f"{format_minor(lot.quantity_minor, 8)} for {format_minor(lot.cost_minor, 8)}"
            for lot in found.open
        ]
        assert (", ".join(said) or "none") == lots

    def bounds(self, name: str, amount: str) -> None:
        who = self.who(name)
        wanted = LimitSet(max_daily_loss_minor=parse_decimal(amount, 8))
        set_own_limits(actor=who.user, account=who.account, wanted=wanted, now=clock.now())

    def mark(self, price: str) -> None:
        self.book["data"] = {"bids": [[price, "1"]], "asks": [[price, "1"]]}
        assert watch.look_once(now=clock.now()) > 0

    def losses(self, name: str, equity: str, loss: str, percent: str) -> None:
        who = self.who(name)
        found = losses_of(viewer=who.user, account=who.account, now=clock.now())
        assert found is not None
        said = (format_minor(found.equity_minor, 8), format_minor(found.day_loss_minor, 8),
                format_minor(found.drawdown_bps, 2))  # fmt: skip
        assert said == (equity, loss, percent)

    def may(self, name: str, what: str) -> None:
        who = self.who(name)
        state = standing_of(viewer=who.user, account=who.account).state
        assert state == (NORMAL if what == "buy" else REDUCE_ONLY)

    def fixed(self, account_id: int, amount: str, code: str) -> None:
        balance = Balance.objects.get(account_id=account_id, asset__code=code)
        assert format_minor(balance.available_minor + balance.held_minor, 8) == amount


def _entry(row: LedgerEntry) -> str:
    said = f"{row.kind} {format_minor(row.amount_minor, 8)}"
    return f"{said} (fee {format_minor(row.fee_minor, 8)})" if row.fee_minor else said


def _fixed(account_id: int) -> Line:
    return lambda story, amount, code: story.fixed(account_id, amount, code)


_NAME, _NUMBER, _CODE = r"([A-Z][a-z]+)", r"(-?[\d.]+)", r"([A-Z]+)"
_FIGURES = rf"{_NUMBER} for {_NUMBER}, realised {_NUMBER}, fees {_NUMBER}"
_MEANINGS: dict[str, Line] = {
    rf"{_NAME} deposits {_NUMBER} {_CODE}": Story.deposits,
    rf"{_NAME} (buy|sell)s {_NUMBER} BTC at {_NUMBER}": Story.limit,
    rf"{_NAME} buys {_NUMBER} BTC at market": Story.market,
    rf"{_NAME} buys for {_NUMBER} USDT at market": Story.budget,
    rf"{_NAME} cancels": Story.cancels,
    rf"{_NAME} holds {_NUMBER} {_CODE} as (\d+)": Story.holds,
    r"(\d+) is (settled|released)": Story.ends,
    rf"{_NAME} has {_NUMBER} {_CODE} and {_NUMBER} held": Story.has,
    rf"{_NAME}'s ledger in {_CODE}: (.+)": Story.ledger,
    rf"{_NAME}'s position in {_CODE}: {_FIGURES}": Story.position,
    rf"{_NAME} wants to lose at most {_NUMBER} USDT in a day": Story.bounds,
    rf"the mark is {_NUMBER}": Story.mark,
    rf"{_NAME} is worth {_NUMBER}, has lost {_NUMBER} today, and is {_NUMBER} % below her highest"
    " value": Story.losses,
    rf"{_NAME} may (buy|only sell)": Story.may,
    rf"{_NAME}'s lots in {_CODE}: (.+); realised {_NUMBER}": Story.lots,
    rf"the house has {_NUMBER} {_CODE}": _fixed(FEE_ACCOUNT_ID),
    rf"the world outside has {_NUMBER} {_CODE}": _fixed(EXTERNAL_ACCOUNT_ID),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_worked_example_is_true(example: str, monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story(monkeypatch)

    for line in example.splitlines():
        story.tell(line)

    sums = LedgerEntry.objects.order_by().values("asset_id").annotate(total=Sum("amount_minor"))
    assert {row["total"] for row in sums} == {0}


def test_the_page_has_its_examples() -> None:
    assert len(EXAMPLES) == 8
