"""What may be concluded from numbers that engines compute with tolerances; the one place where that is decided."""

from __future__ import annotations

import math

SLACK = 1e-6  # engines work to this: a bound so little above an integer is that integer
RELATIVE = 1e-9  # and to this beside large numbers


def rounded_up(bound: float, *, slack: float = SLACK) -> float:
    """The integer below which no integer optimum is, if `bound` is right to `slack` and to a relative 1e-9."""
    return float(math.ceil(bound - max(slack, RELATIVE * abs(bound))))


def to_beat(cost: float, *, integral: bool) -> float:
    """Answers that cost at least this are no improvement on `cost`."""
    return cost - 1 + SLACK if integral else cost * (1 - RELATIVE)


def meets(objective: float, bound: float) -> bool:
    """Whether the bound proves the objective: exactly for whole numbers, else to the engines' relative 1e-7."""
    if float(objective).is_integer() and float(bound).is_integer():
        return bound >= objective
    return bound >= objective - 1e-7 * abs(objective)
