"""The custody of an installation that has none: nothing comes in or leaves, and it says so."""

from __future__ import annotations

from typing import NoReturn

from apps.core.errors import Paused
from apps.wallets.custody.interface import Incoming, Outgoing

RETRY_SECONDS = 3600


class NoCustody:
    """Refuses everything but questions about what it cannot have."""

    def deposit_address(self, *, chain: str, owner: str) -> NoReturn:
        raise _closed()

    def is_address(self, *, chain: str, address: str) -> NoReturn:
        raise _closed()

    def height(self, *, chain: str) -> int:
        return 0

    def watch(self, *, chain: str, since_height: int) -> list[Incoming]:
        return []

    def broadcast(
        self, *, own_id: str, chain: str, asset: str, address: str, amount_minor: int
    ) -> NoReturn:
        raise _closed()

    def status(self, *, own_id: str) -> Outgoing | None:
        return None

    def spendable_minor(self, *, chain: str, asset: str) -> int:
        return 0

    def flows_minor(self, *, chain: str, asset: str) -> tuple[int, int]:
        return 0, 0


def _closed() -> Paused:
    return Paused(
        "custody_unavailable",
        "Deposits and withdrawals are not open here yet. Nothing moved.",
        retry_after_seconds=RETRY_SECONDS,
    )
