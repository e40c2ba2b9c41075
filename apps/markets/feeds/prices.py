"""How synthetic prices move: one common factor, regimes of volatility, rare jumps.

Whole numbers and one seeded source of random bits throughout, so that a seed gives the same prices
on every machine. Prices are ``fine``: minor units of USDT times ``FINE``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from math import isqrt
from typing import Final

from apps.markets.feeds.world import ASSETS

FINE: Final = 10**6
PICO: Final = 10**12
MILLI: Final = 1000
YEAR_NS: Final = 31_557_600 * 10**9
MINUTE_NS: Final = 60 * 10**9

# Volatility that a regime pulls towards (thousandths of usual) and how long it lasts on average.
REGIMES: Final = ((600, 90), (1000, 150), (2300, 35))
_HEAT_PULL_MINUTES: Final = 12
_HEAT_NOISE_PPM: Final = 70_000
_HEAT_MIN_MICRO, _HEAT_MAX_MICRO = 350_000, 4_500_000
_ANCHOR_PULL_MINUTES: Final = 20 * 1440
_JUMP_DAYS: Final = 2
_COMMON_LIMIT: Final = 128


class Chance:
    """Random whole numbers from one seed, the same for every version of Python."""

    def __init__(self, seed: int) -> None:
        self.bits = random.Random(seed).getrandbits
        self.sizes = _POWERS

    def below(self, limit: int) -> int:
        """Return a number from zero up to, not including, the limit."""
        return (self.bits(32) * limit) >> 32

    def once_in(self, limit: int) -> bool:
        return (self.bits(40) * limit) >> 40 == 0

    def normal16(self) -> int:
        """Return a normal number in sixteenths of its standard deviation."""
        return self.bits(1024).bit_count() - 512

    def spread(self, typical: int) -> int:
        """Return a positive number around the typical one, now and then a multiple of it."""
        return max(typical * _POWERS[self.bits(64).bit_count()] // _POWERS[32], 1)


def _powers() -> tuple[int, ...]:
    powers = [1_000_000]
    for _ in range(64):
        powers.append(powers[-1] * 127 // 100)
    return tuple(powers)


_POWERS: Final = _powers()


class PriceProcess:
    """Prices of all assets of the world, advanced together by one fixed step of time."""

    def __init__(self, chance: Chance, start_fine: Mapping[str, int], step_ns: int) -> None:
        self._chance = chance
        self._step_ns = step_ns
        self._anchor_pull = _ANCHOR_PULL_MINUTES * MINUTE_NS // step_ns
        self._regime = 1
        self._jump_odds = _JUMP_DAYS * 1440 * MINUTE_NS // step_ns
        self._heat_micro = 1_000_000
        self._heat_share_ppm = step_ns * 1_000_000 // (_HEAT_PULL_MINUTES * MINUTE_NS)
        self._heat_noise_ppm = isqrt(_HEAT_NOISE_PPM**2 * step_ns // MINUTE_NS)
        self._assets = [
            (
                code,
                _step_volatility_pico(asset.year_volatility_bps, step_ns),
                asset.common_ppm,
                isqrt(10**12 - asset.common_ppm**2),
                asset.start_minor * FINE,
            )
            for code, asset in ASSETS.items()
        ]
        self.fine = {code: start_fine[code] for code in ASSETS}

    @property
    def heat_milli(self) -> int:
        """Volatility now, in thousandths of usual."""
        return self._heat_micro // MILLI

    def advance(self, common16: int | None = None) -> None:
        """Move all prices by one step; a common move may be given in place of a drawn one."""
        chance, fine, bits = self._chance, self.fine, self._chance.bits
        heat = self._advance_heat()
        if common16 is None:
            common16 = chance.normal16()
            if chance.once_in(self._jump_odds):
                common16 *= 6
        for code, volatility, common_ppm, own_ppm, anchor in self._assets:
            price = fine[code]
            # The same draw as normal16, without the call: this line is most of a long history.
            shock = common_ppm * common16 + own_ppm * (bits(1024).bit_count() - 512)
            move = volatility * heat * shock // (16 * MILLI * 1_000_000)
            pull = (anchor - price) // self._anchor_pull
            fine[code] = max(price + price * move // PICO + pull, FINE)

    def steer(self, code: str, price_fine: int) -> None:
        """Advance all, one asset to a price from elsewhere, so that the others follow it."""
        before = self.fine[code]
        volatility = _step_volatility_pico(ASSETS[code].year_volatility_bps, self._step_ns)
        move16 = (price_fine - before) * PICO * 16 // (before * volatility)
        self.advance(max(-_COMMON_LIMIT, min(_COMMON_LIMIT, move16)))
        self.fine[code] = price_fine

    def _advance_heat(self) -> int:
        chance = self._chance
        if chance.once_in(max(REGIMES[self._regime][1] * MINUTE_NS // self._step_ns, 1)):
            self._regime = chance.below(len(REGIMES))
        target, heat = REGIMES[self._regime][0] * MILLI, self._heat_micro
        heat += (target - heat) * self._heat_share_ppm // 1_000_000
        heat += heat * self._heat_noise_ppm * chance.normal16() // (16 * 1_000_000)
        self._heat_micro = max(_HEAT_MIN_MICRO, min(_HEAT_MAX_MICRO, heat))
        return self.heat_milli


def _step_volatility_pico(year_bps: int, step_ns: int) -> int:
    return isqrt((year_bps * 10**8) ** 2 * step_ns // YEAR_NS)
