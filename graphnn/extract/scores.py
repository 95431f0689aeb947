"""Scores of edges or vertices by name, and the grid of whole numbers on which they are compared."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from graphnn.errors import OptionError, quoted
from graphnn.extract.constraints import Edge, known_edges, known_names
from graphnn.extract.encode import FloatVector, edge_numbers
from graphnn.graph.prior import PriorGraph
from solvers.prefer import Weights
from solvers.problem import IntVector

EDGES, VERTICES = "edges", "vertices"
STEPS = 20  # 2**20 of them from 0 to the largest score; scores with so few digits are exact
EXACT = 2.0**52  # total of scores, in steps, times total cost; floats hold whole numbers up to twice that
DECIMALS = 6
LARGEST = 1e100


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of which the total is to be the greatest.

    Attributes:
        kind: "edges" or "vertices".
        values: Of each edge or vertex of the prior network, 0 where none was given.
        step: Of the grid; a grid value is at most one step above the score.
        exact: Whether all scores lie on the grid.
    """

    kind: str
    values: FloatVector
    step: float
    exact: bool

    def weights(self, graph: PriorGraph) -> Weights:
        """Whole numbers to be minimised: scores with the sign turned, in steps, rounded down.

        Rounding has one direction, so that a bound on the whole numbers, turned back, is a bound on the scores.
        """
        steps = -self.values / self.step
        whole = (np.round(steps) if self.exact else np.floor(steps)).astype(np.int64)
        none = {EDGES: np.zeros(graph.n_edges, dtype=np.int64), VERTICES: np.zeros(graph.n_nodes, dtype=np.int64)}
        return Weights(**{**none, self.kind: whole})

    def of(self, graph: PriorGraph, edges: IntVector) -> FloatVector:
        """Scores of the edges, or of the vertices at their ends, in the order of the network of these edges."""
        if self.kind == EDGES:
            return np.asarray(self.values[edges])
        return np.asarray(self.values[np.unique(np.concatenate([graph.sources[edges], graph.targets[edges]]))])

    def resolution(self, parts: FloatVector) -> float:
        """By how much the total of these scores may lie below a bound that their grid values meet."""
        return 0.0 if self.exact else float(np.count_nonzero(parts)) * self.step


def is_scores(prefer: Any) -> bool:
    """Whether a second criterion is given by name: a mapping, or a pandas Series whose index holds names or pairs."""
    if isinstance(prefer, Mapping):
        return True
    if not (hasattr(prefer, "items") and hasattr(prefer, "index")) or hasattr(prefer, "columns"):
        return False
    return any(isinstance(key, str | tuple) for key, _ in prefer.items())


def read_scores(graph: PriorGraph, given: Any, *, wanted: Sequence[str] = (), cost: float = 0.0) -> Scores:
    """Check scores and put them in the order of the network.

    Args:
        graph: The prior network.
        given: Scores by vertex name, or by (source, target): a mapping, or a pandas Series with such an index.
        wanted: Inputs that were asked for; scores of those that are not in the network are known, and left out.
        cost: Of everything together; the grid is so coarse that scores times cost are exact.

    Raises:
        OptionError: There are none, keys are of both kinds or repeated, an edge is not in the network, or a score is no
            finite number.
        UnknownNodeError: A name is neither in the network nor among what pruning dropped.
    """
    pairs = list(given.items())
    kind = _kind([key for key, _ in pairs])
    keys = [key if kind == VERTICES else (key[0], key[1]) for key, _ in pairs]
    scores: dict[Any, float] = {key: _score(key, value) for key, (_, value) in zip(keys, pairs, strict=True)}
    if len(scores) < len(pairs):
        repeated = sorted(str(key) for key, count in Counter(keys).items() if count > 1)
        raise OptionError("prefer", f"{quoted(repeated)} (repeated)", "one score a name")
    if kind == VERTICES:
        values = np.zeros(graph.n_nodes)
        for name in known_names(graph, sorted(scores), "prefer", wanted=wanted):
            values[graph.position[name]] = scores[name]
    else:
        values = np.zeros(graph.n_edges)
        number = edge_numbers(graph)
        for pair in known_edges(graph, sorted(scores), "prefer", wanted=wanted):
            values[number[pair]] = scores[pair]
    return Scores(kind, values, *_grid(values, cost))


def _kind(keys: list[Any]) -> str:
    if not keys:
        raise OptionError("prefer", "no scores", "scores of at least one vertex or edge")
    if all(isinstance(key, str) for key in keys):
        return VERTICES
    if all(_is_pair(key) for key in keys):
        return EDGES
    odd = next(key for key in keys if isinstance(key, str) is not isinstance(keys[0], str) or not _is_name(key))
    raise OptionError("prefer", odd, "scores by vertex name, or all by (source, target)")


def _is_name(key: Any) -> bool:
    return isinstance(key, str) or _is_pair(key)


def _is_pair(key: Any) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and all(isinstance(name, str) for name in key)


def _score(key: str | Edge, value: Any) -> float:
    name = key if isinstance(key, str) else " -> ".join(key)
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | np.number):
        raise OptionError(f"prefer of {name!r}", value, "a finite number")
    score = float(value)
    if not abs(score) <= LARGEST:
        raise OptionError(f"prefer of {name!r}", score, "a finite number", do="leave it out if it is not known")
    return score


def _grid(values: FloatVector, cost: float) -> tuple[float, bool]:
    """Step of the grid, and whether all values lie on it.

    Decimals are tried first: with up to six of them, and no more than 2**20 steps to the largest score (fewer in very
    large networks), a grid of decimals holds the scores as they are. Else the step is a power of two, a division by
    which is exact.
    """
    largest: float = float(np.abs(values).max(initial=0.0))
    if largest == 0.0:
        return 1.0, True
    total = max(1.0, float(np.count_nonzero(values))) * (cost + 1.0)
    steps = math.ldexp(1.0, min(STEPS, int(math.log2(EXACT / total) // 1)))
    for decimals in range(DECIMALS + 1):
        unit = 10.0**decimals
        if largest * unit > steps:
            break
        if (np.round(values * unit) / unit == values).all():
            return 1.0 / unit, True
    step = 2.0 ** max(math.ceil(math.log2(largest) - math.log2(steps)), -1000)
    return step, bool((np.round(values / step) * step == values).all())
