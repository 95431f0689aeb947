"""Violins: how the values of single fits spread, one row a node.

The shape is a kernel density, so that it shows where fits lie and not their mean alone; it ends at the least and the
greatest value, and where there are few fits each is a dot. Of graphnn this module imports only what draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from graphnn.report.canvas import axis_of, px, render
from graphnn.report.text import short_name, significant_text

FloatVector = npt.NDArray[np.float64]

LEAST_FITS = 5  # with fewer, a density would say more than is known: dots alone
MAX_DOTS = 30  # with more, dots would hide the shape
GRID = 33
LABEL_PX, PLOT_PX, ROW_PX, HALF_PX = 128.0, 300.0, 25.0, 9.5


@dataclass(frozen=True)
class Violin:
    """One row: the values of a node.

    Attributes:
        name: The node.
        values: One finite number a fit; at least one.
    """

    name: str
    values: tuple[float, ...]


def bandwidth(values: FloatVector) -> float:
    """Width of the kernels by Silverman's rule for one dimension: sd (3 n / 4)^(-1/5), sd with n - 1.

    Args:
        values: Shape (n,), n >= 2.

    Returns:
        0 where all values are the same.

    Example:
        >>> round(bandwidth(np.array([0.0, 1.0, 2.0, 3.0])), 3)
        1.036

    Reference:
        B. W. Silverman, Density Estimation for Statistics and Data Analysis (1986), section 4.3.2.
    """
    spread = float(np.ptp(values))
    if spread <= 1e-12 * float(np.abs(values).max()):
        return 0.0
    return spread * float((values / spread).std(ddof=1)) * (0.75 * len(values)) ** -0.2


def density(values: FloatVector, at: FloatVector) -> FloatVector:
    """Density of Gaussian kernels of width `bandwidth(values)`.

    Args:
        values: Shape (n,), n >= 2, not all the same.
        at: Where to compute it, shape (m,).

    Returns:
        Shape (m,).
    """
    width = bandwidth(values)
    kernels = np.exp(-0.5 * ((at[:, None] - values[None, :]) / width) ** 2)
    return np.asarray(kernels.sum(axis=1) / (len(values) * width * math.sqrt(2.0 * math.pi)))


def violin_figure(rows: Sequence[Violin], *, title: str, axis: str, kind: str) -> str:
    """Draw one violin a row over one axis.

    From `LEAST_FITS` values on, the shape is their density between the least and the greatest; all shapes are equally
    high, so heights of two rows do not compare. Up to `MAX_DOTS` values are also dots. Values that are all the same
    give a line. A longer mark is the mean.

    Args:
        rows: From top to bottom; at least one.
        title: What the figure shows, for readers who cannot see it.
        axis: What the values are.
        kind: Class of the style sheet that colours it.

    Returns:
        An SVG element.
    """
    scale = axis_of([value for row in rows for value in row.values], left=LABEL_PX + 12, width=PLOT_PX)
    top = 6.0
    drawn = []
    for index, row in enumerate(rows):
        values = np.array(row.values, dtype=np.float64)
        y = top + ROW_PX * (index + 0.5)
        low, high, mean = float(values.min()), float(values.max()), math.fsum(row.values) / len(values)
        is_constant = len(values) > 1 and bandwidth(values) == 0.0
        drawn.append(
            {
                "y": y,
                "label": short_name(row.name),
                "says": f"{row.name}: {len(values):,} fits, mean {significant_text(mean)}, "
                f"{significant_text(low)} to {significant_text(high)}",
                "shape": "" if is_constant or len(values) < LEAST_FITS else _shape(values, y, scale.x),
                "constant": scale.x(low) if is_constant else None,
                "dots": [scale.x(value) for value in sorted(row.values)] if len(values) <= MAX_DOTS else [],
                "mean": scale.x(mean),
            }
        )
    bottom = top + ROW_PX * len(rows)
    return render(
        "violin.svg.j2",
        title=title,
        axis=axis,
        kind=kind,
        width=scale.left + PLOT_PX + 16,
        height=bottom + 36,
        top=top,
        bottom=bottom,
        label=LABEL_PX,
        middle=scale.left + PLOT_PX / 2,
        half=HALF_PX,
        ticks=scale.ticks,
        rows=drawn,
    )


def _shape(values: FloatVector, y: float, x: Callable[[float], float]) -> str:
    """The outline, upper side from left to right, lower side back."""
    at = np.linspace(values.min(), values.max(), GRID)
    heights = density(values, at)
    heights = HALF_PX * heights / heights.max()
    places = [x(float(value)) for value in at]
    upper = [f"{px(a)} {px(y - h)}" for a, h in zip(places, heights, strict=True)]
    lower = [f"{px(a)} {px(y + h)}" for a, h in zip(places[::-1], heights[::-1], strict=True)]
    return "M" + "L".join([*upper, *lower]) + "z"
