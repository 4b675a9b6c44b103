"""Amounts as scenario files write them: a number, a range, a choice, or "about so much".

======================  ===========================================================================
``40``, ``30 s``        always this
``5-10 min``            any between the two, evenly; whole numbers where both are whole
``about 12 kB x2``      a median, and how widely it varies: two in three lie within half and double
``[22, 22, 2222]``      one of these; an entry may itself be any of the above
======================  ===========================================================================

Units are ``ms s min h d`` for times (base: seconds) and ``B kB MB GB`` for sizes (base: bytes).
"""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

_UNITS = {
    "": 1.0, "ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9,
}  # fmt: skip
_NUMBER = r"(\d+(?:\.\d+)?)"
_RANGE = re.compile(rf"{_NUMBER}(?:\s*-\s*{_NUMBER})?\s*([A-Za-z]*)")
_ABOUT = re.compile(rf"about\s+{_NUMBER}\s*([A-Za-z]*)\s+x{_NUMBER}")


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount, to be drawn again and again.

    ``low`` and ``high`` bound an even draw; with ``spread`` (sigma of a log-normal) ``low`` is the median; ``choices`` go before.
    """

    low: float = 0.0
    high: float = 0.0
    spread: float = 0.0
    choices: tuple[Amount, ...] = ()

    def draw(self, rng: random.Random) -> float:
        if self.choices:
            return rng.choice(self.choices).draw(rng)
        if self.spread:
            return self.low * rng.lognormvariate(0, self.spread)
        if self.low == self.high:
            return self.low
        if self.low.is_integer() and self.high.is_integer():
            return float(rng.randint(int(self.low), int(self.high)))
        return rng.uniform(self.low, self.high)

    def whole(self, rng: random.Random) -> int:
        """A draw, as a whole number."""
        return int(self.draw(rng))


def parse_amount(written: object) -> Amount:
    """Read an amount. Raises ValueError that says how one is written."""
    if isinstance(written, bool) or written is None:
        raise ValueError(f"{written!r} is no amount: write 40, '5-10 min', 'about 12 kB x2' or a list of these")
    if isinstance(written, (int, float)):
        return Amount(float(written), float(written))
    if isinstance(written, Sequence) and not isinstance(written, str):
        if not written:
            raise ValueError("a choice needs at least one amount")
        return Amount(choices=tuple(parse_amount(each) for each in written))
    text = str(written).strip()
    if match := _ABOUT.fullmatch(text):
        wide = float(match[3])
        if wide <= 1:
            raise ValueError(f"{text!r}: the factor after x must be above 1")
        return Amount(float(match[1]) * _unit(match[2], text), spread=math.log(wide))
    if match := _RANGE.fullmatch(text):
        unit = _unit(match[3], text)
        low, high = float(match[1]) * unit, float(match[2] or match[1]) * unit
        if low > high:
            raise ValueError(f"{text!r}: the range runs backwards")
        return Amount(low, high)
    raise ValueError(f"{text!r} is no amount: write 40, '5-10 min', 'about 12 kB x2' or a list of these")


def _unit(name: str, text: str) -> float:
    if name not in _UNITS:
        raise ValueError(f"{text!r}: {name!r} is no unit, use one of {' '.join(filter(None, _UNITS))}")
    return _UNITS[name]
