"""Addresses and networks, IPv4 and IPv6: reading them, and whether one is inside another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

_KEPT: Final = 1024


def is_inside(address: str, networks: Sequence[str]) -> bool:
    """Whether the address belongs to one of the networks; what is no address belongs to none."""
    found = parse_address(address)
    return found is not None and any(found in network for network in _parsed(tuple(networks)))


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address; one of IPv4 that is written as IPv6 is the same as itself."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """Return the network, or the one address as a network; raise ValueError for anything else."""
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError("Write an IPv4 network as one.")
    return network


@lru_cache(maxsize=_KEPT)
def _parsed(networks: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(network) for network in networks]
