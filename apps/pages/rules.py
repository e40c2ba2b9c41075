"""Arithmetic of what things are worth: whole minor units of the common quote asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BPS = 10_000


@dataclass(frozen=True, slots=True)
class Flow:
    """What came to (or left) an account during one step, of one asset, for one reason."""

    step: int
    asset_id: int
    kind: str
    amount_minor: int


def share_bps(part: int, whole: int) -> int:
    """Return the part in basis points of the whole; nothing is a share of nothing."""
    return part * BPS // whole if whole > 0 else 0


def shares_of_1000(parts: Sequence[int]) -> list[int]:
    """Return the parts in thousandths of their sum, rounded so that together they are the whole.

    Those that lose most by rounding down are rounded up (largest remainder).
    """
    whole = sum(parts)
    if whole <= 0:
        return [0] * len(parts)
    shares = [part * 1000 // whole for part in parts]
    losses = sorted(range(len(parts)), key=lambda place: -(parts[place] * 1000 % whole))
    for place in losses[: 1000 - sum(shares)]:
        shares[place] += 1
    return shares


def balances_by_step(steps: int, now_minor: int, flows: Sequence[Flow]) -> list[int]:
    """Return the balance at the end of each step, counted back from what it is now."""
    changes = [0] * steps
    for flow in flows:
        changes[flow.step] += flow.amount_minor
    found = [now_minor] * steps
    for step in range(steps - 1, 0, -1):
        found[step - 1] = found[step] - changes[step]
    return found


def asked_from(whole: int) -> int:
    """Return from which size an order is asked about: a tenth of the whole, as a round number.

    Round is 1, 2 or 5 times a power of ten, not above the tenth; at least 10.
    """
    tenth = max(whole // 10, 10)
    power: int = 10 ** (len(str(tenth)) - 1)
    return max(round_ * power for round_ in (1, 2, 5) if round_ * power <= tenth)
