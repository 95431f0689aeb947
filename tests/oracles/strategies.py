"""Drawn graphs and problems: by hypothesis (they shrink) and by seeded NumPy (their number is exact).

Both draw through the same builder, which asks for integers in a range. It wires a few walks from inputs to outputs,
so that most draws can be covered, and adds edges anywhere, so that there are cycles, inputs on other inputs' paths,
outputs with successors and vertices without use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from solvers.problem import Problem
from tests.oracles.closure import Triple
from tests.oracles.cover import uncoverable

Integer = Callable[[int, int], int]  # draws from lowest .. highest, both included

NAMES = (
    "a", "B", "c", "TP53_gene", "HLA-A", "x/y", "p:q", "NA", "nan", "None", "T cell", "é", "β-catenin", "名", "0",
    "1", "-1", "#7", "long_" * 16,
)  # fmt: skip


@dataclass(frozen=True)
class PriorCase:
    """Rows of a prior network with its requested inputs and outputs; all of them occur in the rows."""

    triples: tuple[Triple, ...]
    isolated: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


# -- one builder for both kinds of draws -----------------------------------------------------------------------


def build_problem(
    integer: Integer,
    *,
    max_edges: int,
    costs: str = "unit",
    n_outputs: int | None = None,
    parallel: bool = False,
    acyclic: bool = False,
) -> Problem:
    """Draw a problem that can be covered.

    Args:
        integer: Source of chance.
        max_edges: At least 6.
        costs: "unit", "small" (0 to 3), "float" (>= 0, often no integers), "negative" (-3 to 4).
        n_outputs: 1, 2 or 3; None: drawn, mostly 1 and 2.
        parallel: Whether an edge may occur twice (with another cost, perhaps).
        acyclic: Whether every edge runs from a lower to a higher number before the vertices are renamed.
    """
    n_outputs = n_outputs or (1, 1, 2, 2, 3)[integer(0, 4)]
    n_inputs = integer(1, 4)
    n_hidden = integer(0, 3)
    n_vertices = n_inputs + n_outputs + n_hidden
    inputs, outputs = list(range(n_inputs)), list(range(n_vertices - n_outputs, n_vertices))
    edges = _walks(integer, n_vertices, inputs, outputs, max_edges=max_edges, acyclic=acyclic)
    for _ in range(integer(0, max_edges - len(edges))):
        tail, head = integer(0, n_vertices - 1), integer(0, n_vertices - 1)
        if acyclic and tail > head:
            tail, head = head, tail
        if tail != head and (parallel or (tail, head) not in edges):
            edges.append((tail, head))
    edges = _shuffled(integer, edges)
    rename = _shuffled(integer, list(range(n_vertices)))
    return Problem(
        n_vertices=n_vertices,
        sources=[rename[tail] for tail, _ in edges],
        targets=[rename[head] for _, head in edges],
        inputs=sorted(rename[vertex] for vertex in inputs),
        outputs=sorted(rename[vertex] for vertex in outputs),
        costs=[_cost(integer, costs) for _ in edges],
    )


def build_any_problem(integer: Integer, *, max_edges: int) -> Problem:
    """Draw a problem with edges anywhere; often it cannot be covered."""
    n_vertices = integer(2, 7)
    vertices = _shuffled(integer, list(range(n_vertices)))
    n_inputs = integer(1, min(3, n_vertices - 1))
    n_outputs = integer(1, min(2, n_vertices - n_inputs))
    edges = {(integer(0, n_vertices - 1), integer(0, n_vertices - 1)) for _ in range(integer(0, max_edges))}
    proper = [(tail, head) for tail, head in sorted(edges) if tail != head]
    return Problem(
        n_vertices=n_vertices,
        sources=[tail for tail, _ in proper],
        targets=[head for _, head in proper],
        inputs=sorted(vertices[:n_inputs]),
        outputs=sorted(vertices[n_inputs : n_inputs + n_outputs]),
    )


def build_prior(integer: Integer, *, max_rows: int, max_nodes: int = 8) -> PriorCase:
    """Draw rows with parallel edges, self-loops and contradictions, isolated vertices, and roles."""
    names = _shuffled(integer, list(NAMES))[: integer(2, max_nodes)]
    n_inputs = integer(1, max(1, len(names) // 2))
    n_outputs = integer(1, min(3, len(names) - n_inputs))
    rows = [
        (names[integer(0, len(names) - 1)], integer(-1, 1), names[integer(0, len(names) - 1)])
        for _ in range(integer(1, max_rows))
    ]
    rows += [rows[integer(0, len(rows) - 1)] for _ in range(integer(0, 2))]
    return PriorCase(tuple(rows), tuple(names), tuple(names[:n_inputs]), tuple(names[-n_outputs:]))


# -- hypothesis ------------------------------------------------------------------------------------------------


@st.composite
def coverable_problems(
    draw: st.DrawFn,
    *,
    max_edges: int = 9,
    costs: str = "unit",
    n_outputs: int | None = None,
    parallel: bool = False,
    acyclic: bool = False,
) -> Problem:
    """Problems that have an answer; see `build_problem`."""
    return build_problem(
        _drawing(draw), max_edges=max_edges, costs=costs, n_outputs=n_outputs, parallel=parallel, acyclic=acyclic
    )


@st.composite
def any_problems(draw: st.DrawFn, *, max_edges: int = 9) -> Problem:
    """Problems with and without an answer."""
    return build_any_problem(_drawing(draw), max_edges=max_edges)


@st.composite
def prior_cases(draw: st.DrawFn, *, max_rows: int = 14, max_nodes: int = 8) -> PriorCase:
    """Prior networks with roles; some inputs reach nothing, some outputs are reached by nothing."""
    return build_prior(_drawing(draw), max_rows=max_rows, max_nodes=max_nodes)


@st.composite
def index_graphs(draw: st.DrawFn, *, acyclic: bool, max_nodes: int = 8) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """(n_nodes, sources, targets) of simple graphs; the vertices of acyclic ones are numbered at random."""
    integer = _drawing(draw)
    n_nodes = integer(0, max_nodes)
    rename = _shuffled(integer, list(range(n_nodes)))
    pairs = {tuple(sorted((integer(0, n_nodes - 1), integer(0, n_nodes - 1)))) for _ in range(3 * n_nodes)}
    edges = sorted((rename[tail], rename[head]) for tail, head in pairs if tail != head)
    if not acyclic:
        edges = sorted({edge[::-1] if integer(0, 1) else edge for edge in edges} | {edge[::-1] for edge in edges[:1]})
    return n_nodes, tuple(tail for tail, _ in edges), tuple(head for _, head in edges)


# -- seeded draws: exactly so many, the same on every machine ----------------------------------------------------


def drawn_problems(
    count: int,
    *,
    seed: int,
    max_edges: int = 10,
    costs: str = "unit",
    n_outputs: int | None = None,
    parallel: bool = False,
    acyclic: bool = False,
) -> list[Problem]:
    """So many problems that can be covered, from one seed; see `build_problem`."""
    integer = seeded(seed)
    problems = [
        build_problem(
            integer, max_edges=max_edges, costs=costs, n_outputs=n_outputs, parallel=parallel, acyclic=acyclic
        )
        for _ in range(count)
    ]
    if any(any(uncoverable(problem)) for problem in problems):
        raise AssertionError("the builder drew a problem without an answer")
    return problems


def seeded(seed: int) -> Integer:
    """A source of integers for the builders."""
    generator = np.random.default_rng(seed)
    return lambda lowest, highest: int(generator.integers(lowest, highest + 1))


def _drawing(draw: st.DrawFn) -> Integer:
    return lambda lowest, highest: draw(st.integers(lowest, highest))


def _walks(
    integer: Integer, n_vertices: int, inputs: list[int], outputs: list[int], *, max_edges: int, acyclic: bool
) -> list[tuple[int, int]]:
    """Edges of one walk for each input and each output, with up to two vertices between, while there is room."""
    edges: list[tuple[int, int]] = []
    n_walks = max(len(inputs), len(outputs))
    for number in range(n_walks):
        start = inputs[number % len(inputs)]
        end = outputs[number if number < len(outputs) else integer(0, len(outputs) - 1)]
        room = max_edges - len(edges) - (n_walks - number)
        between = [integer(0, n_vertices - 1) for _ in range(min(integer(0, 2), room))]
        if acyclic:
            between = sorted(middle for middle in set(between) if start < middle < end)
        for edge in pairwise([start, *between, end]):
            if edge[0] != edge[1] and edge not in edges:
                edges.append(edge)
    return edges


def _cost(integer: Integer, kind: str) -> float:
    if kind == "unit":
        return 1.0
    if kind == "small":
        return float(integer(0, 3))
    if kind == "float":
        return integer(0, 2000) / 97
    if kind == "negative":
        return float(integer(-3, 4))
    raise ValueError(f"expected costs to be unit, small, float or negative, got {kind!r}")


def _shuffled(integer: Integer, values: list) -> list:
    values = list(values)
    for last in range(len(values) - 1, 0, -1):
        other = integer(0, last)
        values[last], values[other] = values[other], values[last]
    return values
