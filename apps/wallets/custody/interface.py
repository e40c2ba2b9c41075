"""What the wallets ask of whoever keeps the coins: addresses, what came in, what went out.

A custody never decides whether something may leave. It promises one thing beyond its answers: a
payment is named by our own id, and asking for the same id again pays nothing again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from apps.core.errors import NotFound


@dataclass(frozen=True, slots=True)
class Network:
    """A chain that assets live on. What has so many confirmations is final."""

    name: str
    title: str
    assets: tuple[str, ...]
    confirmations: int
    block_seconds: int

    @property
    def final_seconds(self) -> int:
        """How long until a payment is final, where blocks come as they should."""
        return self.confirmations * self.block_seconds


NETWORKS: Final = (
    Network("bitcoin", "Bitcoin", ("BTC",), 3, 10),
    Network("ethereum", "Ethereum", ("ETH", "USDT"), 6, 5),
    Network("solana", "Solana", ("SOL",), 6, 5),
    Network("xrpl", "XRP Ledger", ("XRP",), 6, 5),
    Network("dogecoin", "Dogecoin", ("DOGE",), 6, 5),
)


SIMULATED: Final = "apps.wallets.custody.simulated.SimulatedCustody"
NOBODY: Final = "apps.wallets.custody.nobody.NoCustody"


@dataclass(frozen=True, slots=True)
class Incoming:
    """One output that pays one of our addresses. ``height`` is None while no block has it."""

    chain: str
    txid: str
    output_index: int
    address: str
    asset: str
    amount_minor: int
    height: int | None
    confirmations: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What became of a payment of ours. One that has failed has moved nothing, for good."""

    own_id: str
    txid: str
    confirmations: int
    has_failed: bool


class Custody(Protocol):
    """All of it is safe to call again."""

    def deposit_address(self, *, chain: str, owner: str) -> str:
        """Return the address of this owner, the same one each time."""
        ...

    def is_address(self, *, chain: str, address: str) -> bool:
        """Whether the text can be an address of the chain, its check digits included."""
        ...

    def height(self, *, chain: str) -> int:
        """Return the height of the newest block."""
        ...

    def watch(self, *, chain: str, since_height: int) -> list[Incoming]:
        """Return what has come in above a height, and what waits for a block."""
        ...

    def broadcast(
        self, *, own_id: str, chain: str, asset: str, address: str, amount_minor: int
    ) -> str:
        """Pay, once per own id, and return the transaction's id. Refuses what is not there."""
        ...

    def status(self, *, own_id: str) -> Outgoing | None:
        """Return what became of a payment; None where it was never asked for."""
        ...

    def spendable_minor(self, *, chain: str, asset: str) -> int:
        """Return what can leave at once."""
        ...

    def flows_minor(self, *, chain: str, asset: str) -> tuple[int, int]:
        """Return all that has come in and is final, and all that has left and is final."""
        ...


def network_of(asset: str) -> Network:
    """Return the chain of an asset."""
    for network in NETWORKS:
        if asset in network.assets:
            return network
    raise NotFound("unknown_asset", "This asset cannot be deposited or withdrawn.")


def network_by_name(name: str) -> Network:
    """Return the chain of this name."""
    for network in NETWORKS:
        if network.name == name:
            return network
    raise NotFound("unknown_network", "There is no such network.")


def get_custody() -> Custody:
    """Return the custody that the settings name; a demo has its own chains, others none."""
    return _made(settings.CUSTODY or (SIMULATED if settings.DEMO else NOBODY))


def is_simulated() -> bool:
    """Whether the chains are our own tables."""
    return settings.DEMO and settings.CUSTODY in ("", SIMULATED)


@cache
def _made(path: str) -> Custody:
    custody: Custody = import_string(path)()
    return custody
