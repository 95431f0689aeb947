"""What every figure of the report needs: templates, an axis, lengths in pixels.

Of graphnn this module imports only the words beside it.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from graphnn.report.text import (
    change_text,
    count_text,
    metric_label,
    number_text,
    objective_label,
    output_label,
    p_text,
    percent_text,
    short_name,
    significant_text,
)

CHARACTER_PX = 6.1


@cache
def environment() -> jinja2.Environment:
    """The templates of the report; autoescape is always on, and a missing value is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("graphnn.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=number_text,
        significant=significant_text,
        change=change_text,
        count=count_text,
        p_value=p_text,
        percent=percent_text,
        change_percent=lambda reduction: change_text(-reduction, digits=1),
        metric=metric_label,
        output=output_label,
        objective=objective_label,
        capital=lambda text: text[:1].upper() + text[1:],
        short=short_name,
        shortest=lambda text: text[:12],
        share=lambda value: px(min(max(value, 0.0), 100.0)),
        px=px,
    )
    return made


def ticks_of(values: Iterable[float]) -> tuple[list[float], int]:
    """Round numbers that enclose the values, four to seven of them, and the decimals they need."""
    known = [float(value) for value in values]
    low, high = min(known), max(known)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.01 * max(1.0, abs(low)), high + 0.01 * max(1.0, abs(high))
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = next((digits for digits in range(7) if abs(round(step, digits) - step) < 1e-9 * step), 6)
    return [round(index * step, 10) for index in range(first, last + 1)], decimals


@dataclass(frozen=True)
class Axis:
    """A horizontal axis: where a value stands, and the round numbers under it.

    Attributes:
        low: Value at its left end.
        high: Value at its right end.
        left: Its left end in pixels.
        width: Its length in pixels.
        ticks: Place in pixels and text of each round number.
    """

    low: float
    high: float
    left: float
    width: float
    ticks: tuple[tuple[float, str], ...]

    def x(self, value: float) -> float:
        """Place of a value, in pixels."""
        return self.left + self.width * (value - self.low) / (self.high - self.low)


def axis_of(values: Iterable[float], *, left: float, width: float) -> Axis:
    """An axis that holds all values, at least one."""
    ticks, decimals = ticks_of(values)
    bare = Axis(ticks[0], ticks[-1], left, width, ())
    return Axis(
        bare.low, bare.high, left, width, tuple((bare.x(tick), number_text(tick, digits=decimals)) for tick in ticks)
    )


def text_px(text: str) -> float:
    """Width of a text at the size of labels, roughly."""
    return CHARACTER_PX * sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def px(value: float) -> str:
    """A length as it is written into the markup."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")  # + 0.0: no "-0"


def render(template: str, **values: Any) -> str:
    """Fill a template; every value is escaped."""
    return environment().get_template(template).render(values)
