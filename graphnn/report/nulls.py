"""Where the compressed network falls among random ones: every draw a dot, the network a marked line.

Of graphnn this module imports only what draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphnn.report.canvas import axis_of, render, text_px
from graphnn.report.text import change_text, number_text

MAX_DRAWS = 200
LANES = 9
DOT_PX, LANE_PX = 3.2, 7.0
WIDTH_PX, SIDE_PX, TOP_PX = 330.0, 22.0, 24.0


@dataclass(frozen=True)
class Draw:
    """One draw of a control.

    Attributes:
        number: Of the draw.
        value: Its metric, mean over the folds of its repeat.
        observed: The compressed network's in the same repeat.
        is_as_good: Whether the draw does at least as well.
    """

    number: int
    value: float
    observed: float
    is_as_good: bool


def null_figure(draws: Sequence[Draw], *, observed: float, title: str, axis: str) -> str:
    """Draw all draws of a control over one axis, and a line at the compressed network's mean.

    A dot is filled where the draw does at least as well as the compressed network in the same repeat. Since that is
    asked repeat by repeat, a filled dot may lie a little before the line, which is the mean over repeats.

    Args:
        draws: At least one; the first `MAX_DRAWS` are drawn.
        observed: Mean of the compressed network.
        title: What the figure shows, for readers who cannot see it.
        axis: Name of the metric.

    Returns:
        An SVG element.
    """
    draws = sorted(draws[:MAX_DRAWS], key=lambda draw: (draw.value, draw.number))
    scale = axis_of([observed, *(draw.value for draw in draws)], left=SIDE_PX, width=WIDTH_PX - 2 * SIDE_PX)
    lanes = _lanes([scale.x(draw.value) for draw in draws])
    reach = max(map(abs, lanes)) * LANE_PX + DOT_PX + 5
    middle, bottom = TOP_PX + reach, TOP_PX + 2 * reach
    dots = [
        {
            "x": scale.x(draw.value),
            "y": middle + LANE_PX * lane,
            "is_as_good": draw.is_as_good,
            "says": f"draw {draw.number}: {number_text(draw.value)}, "
            f"{change_text(draw.value - draw.observed)} against the compressed network in its repeat",
        }
        for draw, lane in zip(draws, lanes, strict=True)
    ]
    label = f"compressed {number_text(observed)}"
    half = 0.62 * text_px(label)  # it is bold
    return render(
        "null.svg.j2",
        title=title,
        axis=axis,
        width=WIDTH_PX,
        height=bottom + 36,
        top=TOP_PX,
        bottom=bottom,
        middle=WIDTH_PX / 2,
        ticks=scale.ticks,
        dots=dots,
        observed=scale.x(observed),
        label=label,
        label_x=min(max(scale.x(observed), half + 2), WIDTH_PX - half - 2),
    )


def _lanes(places: Sequence[float]) -> list[int]:
    """Lane of each dot, 0 in the middle: the nearest in which it touches no other; where all are full, the middle.

    Example:
        >>> _lanes([10.0, 11.0, 12.0, 40.0])
        [0, 1, -1, 0]
    """
    order = sorted(range(-(LANES // 2), LANES // 2 + 1), key=lambda lane: (abs(lane), -lane))
    last = dict.fromkeys(order, float("-inf"))
    found = []
    for place in places:
        lane = next((lane for lane in order if place - last[lane] >= 2 * DOT_PX), 0)
        last[lane] = place
        found.append(lane)
    return found
