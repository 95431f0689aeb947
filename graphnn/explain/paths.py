"""Integrated gradients: effects along the straight line from a baseline to each cell, by Gauss-Legendre quadrature.

NumPy only. What the data bring to a unit is linear in the data, so it is computed at both ends alone; between them a
step costs the edges between units.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from graphnn.explain.circuit import Floats
from graphnn.explain.passes import Passes

FIRST_STEPS, MOST_STEPS = 8, 512


class Gap(NamedTuple):
    """How far integration is from complete, per output.

    Attributes:
        missed: Sum over cells of |sum of attributions - (F(x) - F(baseline))|.
        moved: Sum over cells of |F(x) - F(baseline)|.
        steps: Of the quadrature.
    """

    missed: Floats
    moved: Floats
    steps: int

    @property
    def share(self) -> Floats:
        """missed / moved; 0 where both are 0 but for rounding."""
        nothing = self.missed <= 1e-12 * np.maximum(self.moved, 1.0)
        return np.where(nothing, 0.0, self.missed / np.where(self.moved > 0, self.moved, np.nan))


class Path(NamedTuple):
    """Integrals over the line.

    Attributes:
        conductance: How much of F(x) - F(baseline) flows through each hidden vertex, shape (n_outputs, n_hidden,
            n_cells).
        by_sum: Mean over the line of d output / d sum of each unit, shape (n_outputs, n_units, n_cells).
        moved: F(x) - F(baseline), shape (n_outputs, n_cells).
        gap: Of completeness, per output.
    """

    conductance: Floats
    by_sum: Floats
    moved: Floats
    gap: Gap


def integrate(passes: Passes, base: Floats, *, start: Floats, of: str, tolerance: float) -> Path:
    """Integrate the derivatives of every output from a baseline to each cell.

    The number of steps is doubled, from 8 to at most 512, until the completeness gap of these cells,
    sum |sum of attributions - (F(x) - F(baseline))| / sum |F(x) - F(baseline)|, is below the tolerance for every
    output. Integrals of attributions over all inputs are those of the derivative along the line, so the gap costs no
    attribution.

    Args:
        passes: Of the fit.
        base: What the data bring to each unit, shape (n_units, n_cells).
        start: The same of the baseline, shape (n_units, 1).
        of: "prediction" or "logit".
        tolerance: Of the gap.

    Reference:
        M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML (2017), arXiv:1703.01365;
        K. Dhamdhere, M. Sundararajan, Q. Yan, "How important is a neuron?", ICLR (2019), arXiv:1805.12233.
    """
    change = base - start
    ends = [passes.read(passes.forward(part), of) for part in (base, start)]
    moved = ends[0] - ends[1]
    steps = FIRST_STEPS
    while True:
        path = _quadrature(passes, start, change, steps=steps, of=of, moved=moved)
        if (path.gap.share < tolerance).all() or steps >= MOST_STEPS:
            return path
        steps *= 2


def _quadrature(passes: Passes, start: Floats, change: Floats, *, steps: int, of: str, moved: Floats) -> Path:
    n_outputs, n_cells = moved.shape
    conductance = np.zeros((n_outputs, len(passes.circuit.hidden), n_cells), dtype=change.dtype)
    by_sum = np.zeros((n_outputs, *change.shape), dtype=change.dtype)
    reached = np.zeros_like(moved)
    for place, weight in zip(*_nodes(steps), strict=True):
        run = passes.forward(start + place * change)
        bends = passes.bends(run)
        along = passes.along(change, bends)
        reached += weight * passes.read_along(run, along, of)
        for output in range(n_outputs):
            slopes = passes.reverse(run, output=output, of=of, bends=bends)
            conductance[output] += weight * passes.circuit.by_vertex(slopes.by_value * along.values)
            by_sum[output] += weight * slopes.by_sum
    missed = np.abs(reached - moved).sum(axis=1)
    return Path(conductance, by_sum, moved, Gap(missed, np.abs(moved).sum(axis=1), steps))


@lru_cache(maxsize=16)
def _nodes(steps: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Places and weights of the quadrature on [0, 1]."""
    places, weights = np.polynomial.legendre.leggauss(steps)
    return (places + 1) / 2, weights / 2
