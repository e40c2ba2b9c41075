"""What an account has realised in a period, folded anew from its movements whenever it is asked.

Nothing of it is stored, so nothing can be wrong for long: the movements are checked against the
ledger every night (``manage.py check_positions``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from apps.accounts.models import User
from apps.core import clock
from apps.core.errors import Refused
from apps.markets.models import Asset
from apps.trades.models import Movement
from apps.trades.position_queries import as_moved, value_asset
from apps.trades.tax.rules import Disposal, Method, Passage, TaxLot, TaxLots
from apps.wallets.models import TradingAccount
from apps.wallets.queries import ROWS_FETCHED, account_for
from apps.wallets.statements.rules import Period

# About two seconds of work.
MOVEMENTS_MAX: Final = 200_000


@dataclass(frozen=True, slots=True)
class AssetGains:
    """One asset: what was sold in the period, what came and left, what is open at its end."""

    asset: Asset
    disposals: list[Disposal] = field(default_factory=list)
    passages: list[Passage] = field(default_factory=list)
    lots: list[TaxLot] = field(default_factory=list)

    @property
    def quantity_minor(self) -> int:
        return sum(each.quantity_minor for each in self.disposals)

    @property
    def proceeds_minor(self) -> int:
        return sum(each.proceeds_minor for each in self.disposals)

    @property
    def cost_minor(self) -> int:
        return sum(each.cost_minor for each in self.disposals)

    @property
    def fees_minor(self) -> int:
        return sum(each.fees_minor for each in self.disposals)

    @property
    def gain_minor(self) -> int:
        return self.proceeds_minor - self.cost_minor - self.fees_minor


@dataclass(frozen=True, slots=True)
class Gains:
    """Everything about one account, method and period. Money is in the value asset."""

    owner: User
    account: TradingAccount
    method: Method
    period: Period
    ends: datetime
    goes_on: bool
    value: Asset
    assets: list[AssetGains]

    @property
    def gain_minor(self) -> int:
        return sum(each.gain_minor for each in self.assets)

    @property
    def disposals(self) -> int:
        return sum(len(each.disposals) for each in self.assets)

    @property
    def rows(self) -> int:
        """How many lines a document of it has."""
        return sum(len(each.disposals) + len(each.passages) for each in self.assets)


def gains_of(
    *, viewer: User, method: Method, period: Period, now: datetime, account: object = None
) -> Gains:
    """Return what the viewer's account has realised in the period."""
    found = account_for(viewer=viewer, public_id=account)
    ends = period.ends(now)
    rows = Movement.objects.filter(account_id=found.pk, at__lt=ends)
    if rows.order_by()[: MOVEMENTS_MAX + 1].count() > MOVEMENTS_MAX:
        raise Refused(
            "history_too_long",
            f"There are more than {MOVEMENTS_MAX} movements up to the end of this period, more"
            " than can be counted while you wait. The fills and the ledger have all of them.",
        )
    assets = Asset.objects.in_bulk()
    moved = map(as_moved, rows.order_by("asset_id", "at", "id").iterator(chunk_size=ROWS_FETCHED))
    begins_ns = clock.to_ns(period.begins)
    gains = []
    for asset_id, group in groupby(moved, attrgetter("asset_id")):
        lots, one = TaxLots(method), AssetGains(assets[asset_id])
        for outcome in lots.fold(group):
            if isinstance(outcome, Disposal):
                if outcome.disposed_ns >= begins_ns:
                    one.disposals.append(outcome)
            elif outcome.at_ns >= begins_ns:
                one.passages.append(outcome)
        one.lots.extend(lots.open())
        if one.disposals or one.passages or one.lots:
            gains.append(one)
    return Gains(viewer, found, method, period, ends, period.goes_on(now), value_asset(), gains)
