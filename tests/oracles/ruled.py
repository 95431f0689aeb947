"""Seeded draws of problems with rules, for every kind of rule, and what is known of them by enumeration.

A drawn rule is aimed at the optimum without rules (its edges are forbidden, others forced, its depth is cut), so that
it binds in a good part of the draws. Draws that no network can satisfy stay in: engines have to say so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

from solvers.problem import Problem
from solvers.rules import Rules, Sample
from tests.oracles.cover import Cover, cheapest_cover
from tests.oracles.rules import cheapest, longest_path
from tests.oracles.strategies import Integer, seeded

Solved = tuple[Problem, Cover | None]

KINDS = (
    "vertex_costs",
    "forced_edges",
    "forced_vertices",
    "forbidden",
    "rewards",
    "max_parents",
    "max_depth",
    "min_routes",
    "disjoint_routes",
    "signs",
    "samples_shared",
    "samples_each",
    "excluded",
    "mixed",
)
TRIES = {"vertex_costs": 12, "max_parents": 8}
COSTS = ("unit", "small", "float")


def solved_ruled_problems(count: int, *, seed: int, kind: str, max_edges: int = 10) -> tuple[Solved, ...]:
    """So many drawn problems of a kind, each with its optimum by enumeration (None: there is no network)."""
    return _solved(count, seed, kind, max_edges)


@lru_cache(maxsize=64)
def _solved(count: int, seed: int, kind: str, max_edges: int) -> tuple[Solved, ...]:
    integer = seeded(1000 * seed + KINDS.index(kind))
    return tuple(build_ruled_problem(integer, kind=kind, max_edges=max_edges) for _ in range(count))


def drawn_ruled_problems(count: int, *, seed: int, kind: str, max_edges: int = 10) -> list[Problem]:
    """So many problems of a kind from one seed; see `build_ruled_problem`."""
    return [problem for problem, _ in solved_ruled_problems(count, seed=seed, kind=kind, max_edges=max_edges)]


def build_ruled_problem(integer: Integer, *, kind: str, max_edges: int = 10) -> Solved:
    """Draw a problem with a rule of one kind, or of two or three kinds at once ("mixed"), and solve it.

    Most draws in which the rules change nothing, or leave nothing, are given up for another one, up to `TRIES` times.

    Args:
        integer: Source of chance.
        kind: One of `KINDS`.
        max_edges: At least 7.
    """
    tries = TRIES.get(kind, 5)
    for left in range(tries, -1, -1):
        problem, free = _build(integer, kind=kind, max_edges=max_edges)
        best = cheapest(problem)
        if not left or (best and free and not _shared(free, best)) or integer(0, tries - 1) == 0:
            break
    return problem, best


def _build(integer: Integer, *, kind: str, max_edges: int) -> tuple[Problem, Cover | None]:
    """A problem and its optimum without rules."""
    kinds = _two_or_three(integer) if kind == "mixed" else [kind]
    costs = COSTS[integer(0, 2)]
    base = _graph(
        integer,
        sampled=any(name.startswith("samples") for name in kinds),
        winding=bool({"vertex_costs", "max_depth"} & {*kinds}) or integer(0, 3) == 0,
        parallel=integer(0, 9) == 0,
        max_edges=max_edges,
    )
    samples = base.pop("samples")
    may_pay = "samples_each" not in kinds  # samples with orders of their own refuse what pays
    pays = kind == "mixed" and may_pay and integer(0, 5) == 0
    base["costs"] = [_number(integer, costs, negative=pays) for _ in base["sources"]]
    plain = Problem(**base)
    best = cheapest_cover(plain)
    chosen = sorted(best.edge_sets[integer(0, len(best.edge_sets) - 1)]) if best else []
    rules: dict[str, Any] = {}
    for name in kinds:
        if name.startswith("samples"):
            rules |= {"samples": samples, "shared_order": name == "samples_shared"}
        elif name == "vertex_costs":
            priced = "small" if costs == "unit" else costs
            base["vertex_costs"] = _vertex_costs(integer, plain, chosen, priced, pays=may_pay and integer(0, 3) == 0)
        else:
            rules |= DRAWN[name](integer, plain, chosen, rules, costs)
    return Problem(**base, rules=Rules(**rules)), best


def unruled(problem: Problem) -> Problem:
    """The same graph, roles and edge costs without anything else."""
    return Problem(
        n_vertices=problem.n_vertices,
        sources=problem.sources,
        targets=problem.targets,
        inputs=problem.inputs,
        outputs=problem.outputs,
        costs=problem.costs,
    )


def binds(problem: Problem, best: Cover | None) -> bool:
    """Whether no optimum without rules is one with them."""
    free = cheapest_cover(unruled(problem))
    return free is not None and (best is None or not _shared(free, best))


def recipe(problem: Problem) -> str:
    """Code that makes the problem again, for messages."""
    plain = Rules()
    ruled = ", ".join(
        f"{name}={value!r}" for name, value in vars(problem.rules).items() if value != getattr(plain, name)
    )
    arrays = ", ".join(
        f"{name}={getattr(problem, name).tolist()}"
        for name in ("sources", "targets", "inputs", "outputs", "costs", "vertex_costs")
    )
    return f"Problem(n_vertices={problem.n_vertices}, {arrays}, rules=Rules({ruled}))"


def _shared(one: Cover, other: Cover) -> set[frozenset[int]]:
    return {*one.edge_sets} & {*other.edge_sets}


# -- graphs --------------------------------------------------------------------------------------------------------


def _graph(integer: Integer, *, sampled: bool, winding: bool, parallel: bool, max_edges: int) -> dict[str, Any]:
    """Vertices, edges, roles and samples: ways for what is asked while there is room, then edges anywhere.

    In a winding graph few edges lead straight from an input to an output, so that ways differ in what they pass.
    """
    n_outputs = ((1, 2, 2, 2, 3) if sampled else (1, 1, 2, 2, 3))[integer(0, 4)]
    n_inputs = integer(2, 4) if sampled else ((1, 1, 1, 2, 2) if winding else (1, 2, 2, 3, 4))[integer(0, 4)]
    n_vertices = n_inputs + n_outputs + ((2, 2, 3, 3) if winding else (0, 1, 2, 3))[integer(0, 3)]
    vertices = _shuffled(integer, list(range(n_vertices)))
    inputs, outputs = sorted(vertices[:n_inputs]), sorted(vertices[n_inputs : n_inputs + n_outputs])
    samples = _samples(integer, inputs, outputs) if sampled else (Sample(tuple(inputs), tuple(outputs)),)
    edges: list[tuple[int, int]] = []
    for sample in samples if integer(0, 11) else ():  # one in twelve is wired by chance alone
        for position in range(max(len(sample.inputs), len(sample.outputs))):
            start = sample.inputs[position % len(sample.inputs)]
            late = position >= len(sample.outputs)
            end = sample.outputs[integer(0, len(sample.outputs) - 1) if late else position]
            n_between = ((1, 1, 2, 2) if winding else (0, 1, 1, 2))[integer(0, 3)]
            between = [integer(0, n_vertices - 1) for _ in range(n_between)]
            for edge in pairwise([start, *between, end]):
                edges += [edge] if edge[0] != edge[1] and edge not in edges else []
    edges = edges[:max_edges]
    for _ in range(integer(0, 2 * (max_edges - len(edges)))):
        tail, head = integer(0, n_vertices - 1), integer(0, n_vertices - 1)
        if edges and integer(0, 3) == 0:  # against an edge, for a cycle
            head, tail = edges[integer(0, len(edges) - 1)]
        straight = winding and tail in inputs and head in outputs and integer(0, 3) > 0
        if tail != head and not straight and (parallel or (tail, head) not in edges) and len(edges) < max_edges:
            edges.append((tail, head))
    edges = _shuffled(integer, edges)
    return {
        "n_vertices": n_vertices,
        "sources": [tail for tail, _ in edges],
        "targets": [head for _, head in edges],
        "inputs": inputs,
        "outputs": outputs,
        "samples": samples,
    }


def _samples(integer: Integer, inputs: list[int], outputs: list[int]) -> tuple[Sample, ...]:
    """Two or three samples: every role in one of them, some in several."""
    count = (2, 2, 3)[integer(0, 2)]
    roles = []
    for vertices in (inputs, outputs):
        parts: list[set[int]] = [set() for _ in range(count)]
        for vertex in vertices:
            parts[integer(0, count - 1)].add(vertex)
        for part in parts:
            if not part or integer(0, 3) == 0:
                part.add(vertices[integer(0, len(vertices) - 1)])
        roles.append(parts)
    return tuple(Sample(tuple(sorted(some)), tuple(sorted(others))) for some, others in zip(*roles, strict=True))


# -- rules, each aimed at what is chosen without it ------------------------------------------------------------------

Drawer = Callable[[Integer, Problem, list[int], dict[str, Any], str], dict[str, Any]]


def _vertex_costs(integer: Integer, plain: Problem, chosen: list[int], costs: str, *, pays: bool) -> list[float]:
    """Mostly dear where the optimum without them passes."""
    passed = _ends(plain, chosen) if integer(0, 3) else set()
    return [
        _number(integer, costs, top=6 if v in passed else 2, negative=pays and v not in passed)
        for v in range(plain.n_vertices)
    ]


def _forced_edges(integer: Integer, plain: Problem, chosen: list[int], rules: dict[str, Any], _: str) -> dict[str, Any]:
    barred = {*rules.get("forbidden_edges", ())}
    others = [edge for edge in range(plain.n_edges) if edge not in {*chosen} | barred]
    return {"forced_edges": tuple(sorted({*_some(integer, others, integer(1, 2))}))}


def _forced_vertices(
    integer: Integer, plain: Problem, chosen: list[int], rules: dict[str, Any], _: str
) -> dict[str, Any]:
    barred = {*rules.get("forbidden_vertices", ())}
    others = [v for v in range(plain.n_vertices) if v not in _ends(plain, chosen) | barred]
    linked = [v for v in others if v in _ends(plain, range(plain.n_edges))]
    return {"forced_vertices": tuple(_some(integer, linked if integer(0, 9) else others, integer(1, 2)))}


def _forbidden(integer: Integer, plain: Problem, chosen: list[int], rules: dict[str, Any], _: str) -> dict[str, Any]:
    forced, asked = {*rules.get("forced_edges", ())}, {*rules.get("forced_vertices", ())}
    roles = {*plain.inputs.tolist(), *plain.outputs.tolist()}
    vertices = [v for v in sorted(_ends(plain, chosen)) if v not in roles | asked]
    edges = [edge for edge in chosen if edge not in forced]
    if vertices and integer(0, 1):
        return {"forbidden_vertices": tuple(_some(integer, vertices, 1))}
    return {"forbidden_edges": tuple(_some(integer, edges, integer(1, 2)))}


def _rewards(integer: Integer, plain: Problem, _: list[int], rules: dict[str, Any], costs: str) -> dict[str, Any]:
    return {"rewards": {v: _number(integer, costs, top=3) for v in plain.inputs.tolist() if integer(0, 3)}}


def _max_parents(integer: Integer, plain: Problem, chosen: list[int], rules: dict[str, Any], _: str) -> dict[str, Any]:
    heads = plain.targets[chosen].tolist()
    return {"max_parents": max(1, max(map(heads.count, heads), default=1) - 1)}


def _max_depth(integer: Integer, plain: Problem, chosen: list[int], rules: dict[str, Any], _: str) -> dict[str, Any]:
    depth = longest_path([(int(plain.sources[edge]), int(plain.targets[edge])) for edge in chosen])
    return {"max_depth": max(1, depth - (0, 1, 1, 1)[integer(0, 3)])}


def _min_routes(integer: Integer, *_: Any) -> dict[str, Any]:
    return {"min_routes": (2, 2, 3)[integer(0, 2)]}


def _disjoint_routes(integer: Integer, *_: Any) -> dict[str, Any]:
    return {"min_routes": (2, 2, 3)[integer(0, 2)], "disjoint_routes": True}


def _signs(integer: Integer, plain: Problem, *_: Any) -> dict[str, Any]:
    signs = tuple((-1, -1, 0, 1, 1)[integer(0, 4)] for _ in range(plain.n_edges))
    roles = [*plain.inputs.tolist(), *plain.outputs.tolist()]
    known = [v for v in range(plain.n_vertices) if integer(0, 3) < (3 if v in roles else 1)]
    return {"signs": signs, "states": {v: (-1, 1)[integer(0, 1)] for v in known} if integer(0, 3) else {}}


def _excluded(integer: Integer, plain: Problem, *_: Any) -> dict[str, Any]:
    """The optima, or all but one, and sometimes sets of no meaning."""
    best = cheapest_cover(plain)
    optima = [tuple(sorted(edges)) for edges in best.edge_sets] if best else []
    odd = [tuple(edge for edge in range(plain.n_edges) if integer(0, 1))] if integer(0, 3) == 0 else []
    return {"excluded": tuple(optima[integer(0, 3) == 0 :] + odd)}


DRAWN: dict[str, Drawer] = {
    "forced_edges": _forced_edges,
    "forced_vertices": _forced_vertices,
    "forbidden": _forbidden,
    "rewards": _rewards,
    "max_parents": _max_parents,
    "max_depth": _max_depth,
    "min_routes": _min_routes,
    "disjoint_routes": _disjoint_routes,
    "signs": _signs,
    "excluded": _excluded,
}
ONE_ORDER = ("forced_edges", "forced_vertices", "max_depth", "min_routes", "disjoint_routes", "excluded")


def _two_or_three(integer: Integer) -> list[str]:
    """Kinds that can stand together; one in five are optional inputs of samples."""
    if integer(0, 4) == 0:
        return ["rewards", ("samples_shared", "samples_each")[integer(0, 1)]]
    names = _shuffled(integer, [name for name in KINDS if name != "mixed"])[: 2 + integer(0, 1)]
    if "samples_each" in names:
        names = [name for name in names if name not in (*ONE_ORDER, "samples_shared")]
    if "disjoint_routes" in names:
        names = [name for name in names if name != "min_routes"]
    return names


# -- small draws ---------------------------------------------------------------------------------------------------


def _number(integer: Integer, kind: str, *, top: int = 3, negative: bool = False) -> float:
    lowest = -2 if negative else 0
    if kind == "unit":
        return 1.0 if not negative else float((-1, 1, 1)[integer(0, 2)])
    if kind == "small":
        return float(integer(lowest, top))
    return integer(lowest * 700, top * 700) / 97


def _ends(problem: Problem, edges: Any) -> set[int]:
    return {int(vertex) for edge in edges for vertex in (problem.sources[edge], problem.targets[edge])}


def _some(integer: Integer, values: list[int], count: int) -> list[int]:
    return sorted(_shuffled(integer, values)[:count])


def _shuffled(integer: Integer, values: list) -> list:
    values = list(values)
    for last in range(len(values) - 1, 0, -1):
        other = integer(0, last)
        values[last], values[other] = values[other], values[last]
    return values
