"""Ways to score hidden vertices, one function each, from passes and cells to means over cells. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from graphnn.explain.circuit import Floats
from graphnn.explain.options import ImportanceOptions
from graphnn.explain.passes import Passes, Run
from graphnn.explain.paths import Gap, integrate

_CELLS = 1_024  # at a time, so that memory does not grow with the cells


class Question(NamedTuple):
    """What is asked of one fit.

    Attributes:
        passes: Of the fit.
        base: What the reported cells bring to each unit, shape (n_units, n_cells).
        start: The same of the baseline, shape (n_units, 1).
        options: How it is measured.
    """

    passes: Passes
    base: Floats
    start: Floats
    options: ImportanceOptions

    def parts(self) -> Iterator[Floats]:
        """Some cells after the other."""
        for first in range(0, self.base.shape[1], _CELLS):
            yield self.base[:, first : first + _CELLS]


class Effects(NamedTuple):
    """Effects of hidden vertices on outputs.

    Attributes:
        signed: Mean over cells, shape (n_outputs, n_hidden).
        absolute: Mean over cells of the absolute value, the same shape.
        gap: Completeness gap of each output, shape (n_outputs,); NaN where nothing was integrated.
    """

    signed: Floats
    absolute: Floats
    gap: Floats

    def score(self, over: str) -> Floats:
        """What is reported."""
        return self.absolute if over == "mean_absolute" else np.abs(self.signed)


class Means:
    """Means over cells that come part by part."""

    def __init__(self, n_outputs: int, n_rows: int, n_cells: int) -> None:
        self._signed, self._absolute = np.zeros((n_outputs, n_rows)), np.zeros((n_outputs, n_rows))
        self._n_cells = n_cells

    def add(self, output: int, effects: Floats) -> None:
        """Effects on one output, shape (n_rows, n_cells of the part)."""
        self._signed[output] += effects.sum(axis=1)
        self._absolute[output] += np.abs(effects).sum(axis=1)

    def add_row(self, row: int, effects: Floats) -> None:
        """Effects of one row on all outputs, shape (n_outputs, n_cells of the part)."""
        self._signed[:, row] += effects.sum(axis=1)
        self._absolute[:, row] += np.abs(effects).sum(axis=1)

    def done(self, gap: Floats | None = None) -> Effects:
        """The means."""
        none = np.full(len(self._signed), np.nan)
        return Effects(self._signed / self._n_cells, self._absolute / self._n_cells, none if gap is None else gap)


def gradient(ask: Question) -> Effects:
    """d output / d value of each hidden vertex, by one reverse pass; several units move together."""
    passes, means = ask.passes, _means(ask)
    for part in ask.parts():
        run = passes.forward(part)
        bends = passes.bends(run)
        for output in range(len(passes.circuit.output_units)):
            slopes = passes.reverse(run, output=output, of=ask.options.of, bends=bends)
            means.add(output, passes.circuit.by_vertex(slopes.by_value))
    return means.done()


def numerical(ask: Question) -> Effects:
    """(F(value + epsilon) - F(value - epsilon)) / (2 epsilon), vertex by vertex, as the KPNN paper takes it."""
    passes, means, step = ask.passes, _means(ask), ask.options.epsilon
    for part in ask.parts():
        run = passes.forward(part)
        for row, units, level in _deepest_first(passes):
            before = run.values[units].copy()
            up, down = (_changed(ask, run, part, units, before + sign * step, level) for sign in (1, -1))
            run.values[units] = before
            means.add_row(row, (up - down) / (2 * step))
    return means.done()


def knockout(ask: Question) -> Effects:
    """F(value set to its mean over the cells, or to zero) - F(value), vertex by vertex."""
    passes, means = ask.passes, _means(ask)
    fixed = np.zeros(passes.circuit.n_units)
    if ask.options.knockout_to == "mean":
        for part in ask.parts():
            fixed += passes.forward(part).values.sum(axis=1) / ask.base.shape[1]
    for part in ask.parts():
        run = passes.forward(part)
        as_is = passes.read(run, ask.options.of)
        for row, units, level in _deepest_first(passes):
            before = run.values[units].copy()
            without = _changed(ask, run, part, units, np.broadcast_to(fixed[units][:, None], before.shape), level)
            run.values[units] = before
            means.add_row(row, without - as_is)
    return means.done()


def conductance(ask: Question) -> Effects:
    """How much of F(x) - F(baseline) flows through each hidden vertex; see `graphnn.explain.paths.integrate`."""
    passes, means, gaps = ask.passes, _means(ask), []
    for part in ask.parts():
        path = integrate(passes, part, start=ask.start, of=ask.options.of, tolerance=ask.options.tolerance)
        gaps.append(path.gap)
        for output, flows in enumerate(path.conductance):
            means.add(output, flows)
    return means.done(total_gap(gaps).share)


def squared_bias(ask: Question) -> Effects:
    """The learnt bias, squared; the mean over units. It has no sign that would mean an effect."""
    circuit = ask.passes.circuit
    squares = (circuit.bias_of_hidden(ask.passes.weights.bias) ** 2).mean(axis=1)
    found = np.tile(squares, (len(circuit.output_units), 1))
    return Effects(found, found, np.full(len(found), np.nan))


METHODS: dict[str, Callable[[Question], Effects]] = {
    "gradient": gradient,
    "numerical": numerical,
    "integrated_gradients": conductance,
    "conductance": conductance,
    "knockout": knockout,
    "squared_bias": squared_bias,
}


def total_gap(gaps: list[Gap]) -> Gap:
    """The gap of all cells together."""
    missed, moved = (np.sum([getattr(gap, name) for gap in gaps], axis=0) for name in ("missed", "moved"))
    return Gap(missed, moved, max(gap.steps for gap in gaps))


def _means(ask: Question) -> Means:
    circuit = ask.passes.circuit
    return Means(len(circuit.output_units), len(circuit.hidden), ask.base.shape[1])


def _deepest_first(passes: Passes) -> Iterator[tuple[int, slice, int]]:
    """Number, units and level of each hidden vertex. Those below an earlier one are as they were: only levels above it
    have been overwritten."""
    circuit = passes.circuit
    for row in range(len(circuit.hidden) - 1, -1, -1):
        first = int(circuit.hidden_units[row * circuit.units])
        yield row, slice(first, first + circuit.units), int(circuit.hidden_level[row])


def _changed(ask: Question, run: Run, part: Floats, units: slice, values: Floats, level: int) -> Floats:
    """The outputs when some units of a level have other values and everything above is computed anew, in place."""
    run.values[units] = values
    ask.passes.advance(run, part, above=level)
    return ask.passes.read(run, ask.options.of)
