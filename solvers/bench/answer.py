"""What a contestant says, and what we say of it: every answer is checked here, and none is dropped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from solvers.bench.instances import Instance, digest
from solvers.check import cost_of, violations
from solvers.errors import SolverError
from solvers.problem import Problem

OPTIMAL, LIMIT, NOTHING = "optimal", "limit", "nothing"  # as in solvers.Termination
TIME_OUT, FAILED, INVALID = "time out", "failed", "invalid"  # stopped from outside; ended in an error; checked, wrong
NOT_INSTALLED, NOT_APPLICABLE = "not installed", "not applicable"
STATED = (OPTIMAL, LIMIT, NOTHING, FAILED, NOT_INSTALLED, NOT_APPLICABLE)  # what a program may say
TOLERANCE = 1e-6  # relative, between what a contestant states and what we compute


@dataclass(frozen=True)
class Answer:
    """What a contestant says.

    Attributes:
        status: One of `STATED`, or `TIME_OUT`.
        edges: Indices of the chosen edges.
        objective: Their cost as stated; None where there is no network.
        bound: Stated bound; None where there is none.
        build_s: Seconds from the problem to a model, where the contestant has such a step.
        seconds: Seconds in all, without starting the program and loading its packages.
        first_s: Seconds to the first network, where known.
        last_s: Seconds to the last improvement of network or bound, where known.
        peak_mb: Peak memory of the process, where known.
        message: Why there is no answer, in one line.
        versions: Version of each package that took part.
        details: Further facts.
    """

    status: str
    edges: tuple[int, ...] = ()
    objective: float | None = None
    bound: float | None = None
    build_s: float | None = None
    seconds: float | None = None
    first_s: float | None = None
    last_s: float | None = None
    peak_mb: float | None = None
    message: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One contestant on one instance, as we judge it; the columns of the table.

    `gap` is (objective - bound) / objective. `open_gap` has below the line only what is not certain beforehand: each
    input pays at least its cheapest edge out, whatever the network, so that part says nothing about a solver.
    """

    instance: str
    family: str
    seed: int | None
    digest: str
    n: int
    m: int
    k: int
    outputs: int
    contestant: str
    status: str
    valid: bool | None = None  # None: there is no network to check
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    open_gap: float | None = None
    build_s: float | None = None
    first_s: float | None = None
    last_s: float | None = None
    proof_s: float | None = None
    seconds: float | None = None
    peak_mb: float | None = None
    message: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return asdict(self)


def certain_cost(problem: Problem) -> float:
    """What every network pays: the cheapest edge out of each input, for costs >= 0; those edges are all different."""
    cheapest = np.full(problem.n_vertices, np.inf)
    np.minimum.at(cheapest, problem.sources, problem.costs)
    least = cheapest[problem.inputs]
    return float(np.maximum(least[np.isfinite(least)], 0.0).sum())


def judged(instance: Instance, problem: Problem, contestant: str, answer: Answer) -> Row:
    """The row of an answer: statuses and figures are those that pass the check."""
    row = Row(
        instance=instance.name,
        family=instance.family,
        seed=instance.seed,
        digest=digest(problem),
        n=problem.n_vertices,
        m=problem.n_edges,
        k=len(problem.inputs),
        outputs=len(problem.outputs),
        contestant=contestant,
        status=answer.status,
        bound=_finite(answer.bound),
        build_s=answer.build_s,
        first_s=answer.first_s,
        last_s=answer.last_s,
        seconds=answer.seconds,
        peak_mb=answer.peak_mb,
        message=answer.message,
        versions=dict(answer.versions),
        details=dict(answer.details),
    )
    if answer.status not in (OPTIMAL, LIMIT):
        return row
    why, cost = _faults(problem, answer), math.inf
    if not why:
        cost = cost_of(problem, np.array(answer.edges, dtype=np.int64))
        why = _misstated(cost, answer, instance.optimum)
    if why:
        return replace(row, status=INVALID, valid=False, message=f"invalid: {why}", bound=None, first_s=None)
    bound = _usable(problem, answer, cost)
    gap = _share(cost, bound, 0.0)
    row = replace(row, valid=True, objective=cost, bound=bound, gap=gap)
    row = replace(row, open_gap=_share(cost, bound, _certain(problem, answer)))
    if gap == 0.0:  # proved by its own figures, whatever it calls it
        return replace(row, status=OPTIMAL, proof_s=answer.seconds)
    if answer.status == OPTIMAL and gap:
        row = replace(row, message=f"calls a gap of {gap:.2g} optimal: counted as not proved")
    return replace(row, status=LIMIT)


def cross_checked(rows: Sequence[Row]) -> list[Row]:
    """The rows, where a bound above a network that another contestant found is called invalid.

    Neither check can be made on one answer alone: a network is proved by a bound, and a bound is refuted by a network.
    """
    best: dict[tuple[str, str], tuple[float, str]] = {}
    for row in rows:
        key = row.instance, row.digest
        if row.valid and row.objective is not None and row.objective < best.get(key, (math.inf, ""))[0]:
            best[key] = row.objective, row.contestant
    return [_refuted(row, *best.get((row.instance, row.digest), (math.inf, ""))) for row in rows]


def _refuted(row: Row, cost: float, by: str) -> Row:
    if row.bound is None or row.bound <= cost + TOLERANCE * max(1.0, abs(cost)):
        return row
    message = f"invalid: states the bound {row.bound:.10g}, but {by} has a network of cost {cost:.10g}"
    return replace(row, status=INVALID, valid=False, message=message, gap=None, open_gap=None, proof_s=None)


def versions_of(rows: Iterable[Row]) -> dict[str, dict[str, str]]:
    """For each contestant the packages that took part: rivals live in environments of their own."""
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        found.setdefault(row.contestant, {}).update(row.versions)
    return found


def _faults(problem: Problem, answer: Answer) -> str:
    """What is wrong with the edges, in words; empty where nothing is."""
    try:
        broken = violations(problem, np.array(answer.edges, dtype=np.int64))
    except (SolverError, ValueError, OverflowError) as error:
        return f"the edges cannot be checked ({error})"
    return "; ".join(map(str, broken))


def _misstated(cost: float, answer: Answer, optimum: float | None) -> str:
    """What is wrong with the figures, in words; empty where nothing is."""
    slack = TOLERANCE * max(1.0, abs(cost))
    bound = answer.bound
    if answer.objective is None or abs(answer.objective - cost) > slack:
        return f"states the cost {answer.objective}, but the edges cost {cost:.10g}"
    if bound is not None and bound > cost + slack:
        return f"states the bound {bound:.10g} above its own cost {cost:.10g}"
    if optimum is not None and cost < optimum - slack:
        return f"the cost {cost:.10g} is below the known optimum {optimum:.10g}"
    if optimum is not None and bound is not None and bound > optimum + slack:
        return f"states the bound {bound:.10g} above the known optimum {optimum:.10g}"
    return ""


def _usable(problem: Problem, answer: Answer, cost: float) -> float | None:
    """The stated bound, rounded up where costs are whole, at most the cost; "optimal" without a bound states the cost.

    Rounding is done for everyone, so that an engine is not held to say what follows from its bound.
    """
    bound = _finite(answer.bound)
    if bound is None:
        return cost if answer.status == OPTIMAL else None
    if problem.has_integer_costs:
        bound = float(math.ceil(bound - TOLERANCE * max(1.0, abs(bound))))
    return min(bound, cost)


def _certain(problem: Problem, answer: Answer) -> float:
    """The certain part of the cost: ours, or more where the contestant's reductions settled more."""
    settled = answer.details.get("settled_cost", 0.0)
    return max(certain_cost(problem), settled if isinstance(settled, int | float) else 0.0)


def _share(cost: float, bound: float | None, certain: float) -> float | None:
    """(cost - bound) / (cost - certain); 0 where they meet, None where there is no bound."""
    if bound is None:
        return None
    missing = cost - bound
    if missing <= TOLERANCE * max(1.0, abs(cost)):
        return 0.0
    return missing / (cost - certain) if cost > certain else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
