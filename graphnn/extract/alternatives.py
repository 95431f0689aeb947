"""`extract_alternatives`: several networks for one question, the cheapest in order or cheapest ones far apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Unpack

from graphnn.errors import OptionError
from graphnn.extract.constraints import ConstraintOptions
from graphnn.extract.dag import Dag
from graphnn.extract.encode import FloatVector
from graphnn.extract.extract import check_extraction
from graphnn.extract.question import Question, answered, ask, build, check_answer, check_whole
from graphnn.graph.prior import PriorGraph
from solvers.alternatives import Alternatives, best_networks, diverse_networks
from solvers.result import Progress

KINDS = ("diverse", "best")


def extract_alternatives(
    graph: PriorGraph,
    inputs: Iterable[str],
    outputs: Iterable[str],
    *,
    k: int,
    kind: str = "diverse",
    within: float | None = None,
    method: str = "auto",
    solver: str = "auto",
    edge_cost: Sequence[float] | FloatVector | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    **rules: Unpack[ConstraintOptions],
) -> tuple[Dag, ...]:
    """Find up to k networks that all do what is asked; the first is a minimal one.

    "diverse": all cost the least. Each next one shares as little as possible with those before it: an edge counts as
    often as there are earlier networks that hold it, and no other network of that cost has a lower total. "best": the k
    cheapest networks in the order of their cost, whatever they share; networks with edges that could be left out count
    too. Both are exact (`solvers.alternatives`).

    Args:
        graph: As `extract_dag`.
        inputs: As `extract_dag`.
        outputs: As `extract_dag`.
        k: How many networks, at least 1.
        kind: "diverse" or "best".
        within: With "best": only networks that cost at most so much more than the least; with unit costs, a number of
            edges. None: no limit. `complete` then says whether these are all of them.
        method: As `extract_dag`.
        solver: As `extract_dag`.
        edge_cost: As `extract_dag`; whole numbers for "diverse".
        time_limit_s: For all networks together.
        seed: As `extract_dag`.
        on_progress: Called during the search for the first network.
        **rules: `node_cost`, `forced_edges`, ..., `states`: as `extract_dag`.

    Returns:
        The networks, all different. Fewer than k where no further ones exist, or where the limit came; the last one is
        then the only one that may be unproved. Of each, `proof.details["alternative"]` holds kind, number, and for
        "diverse" what it shares (`shared`) and what any other would share at least (`shared_bound`); of the first,
        `proof.details["unique"]` says whether it is proved to be the only network of its cost (None: not known), and
        `proof.details["complete"]` whether all networks that were asked for exist in the answer.

    Raises:
        OptionError, UnknownNodeError, NoNetworkError, NoAnswerInTimeError, SolverFailedError: as `extract_dag`.

    Example:
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "y")])
        >>> [dag.hidden for dag in extract_alternatives(g, ["x"], ["y"], k=3)]
        [('a',), ('b',)]
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("x", 1, "y"), ("a", 1, "y")])
        >>> [dag.graph.n_edges for dag in extract_alternatives(g, ["x"], ["y"], k=9, kind="best", within=1)]
        [1, 2]
    """
    check_alternatives(k, kind)
    most = _check_within(within, kind)
    check_extraction("min_edges", method=method, solver=solver, time_limit_s=time_limit_s, seed=seed)
    question = ask(
        graph,
        inputs,
        outputs,
        method=method,
        solver=solver,
        edge_cost=edge_cost,
        time_limit_s=time_limit_s,
        seed=seed,
        on_progress=on_progress,
        rules=rules,
    )
    if kind == "diverse":
        check_whole(question, "kind='diverse'")
        found = answered(question, lambda: diverse_networks(question.problem, int(k), question.options))
    else:
        found = answered(question, lambda: best_networks(question.problem, int(k), question.options, within=most))
    check_answer(question, found.networks[0].solution)
    return _named(question, found, kind)


def check_alternatives(k: object, kind: object) -> None:
    """Refuse, before anything is read or solved, numbers and kinds that cannot be.

    Raises:
        OptionError: `k` is no whole number of at least 1, or `kind` is another word.
    """
    if isinstance(k, bool) or not isinstance(k, Integral) or k < 1:
        raise OptionError("k", k, "a whole number of at least 1")
    if kind not in KINDS:
        raise OptionError("kind", kind, f"one of {', '.join(KINDS)}")


def _check_within(within: Any, kind: str) -> float:
    if within is None:
        return math.inf
    if kind != "best":
        raise OptionError("within", within, "absent with kind='diverse'", do="all of those cost the least")
    if isinstance(within, bool) or not isinstance(within, Real) or not float(within) >= 0:
        raise OptionError("within", within, "a number of at least 0, or None for no limit")
    return float(within)


def _named(question: Question, found: Alternatives, kind: str) -> tuple[Dag, ...]:
    dags: list[Dag] = []
    for number, each in enumerate(found.networks, start=1):
        facts: dict[str, Any] = {"alternative": {"kind": kind, "number": number}}
        asked = question
        if kind == "diverse":
            facts["alternative"] |= {"shared": each.shared, "shared_bound": each.shared_bound}
        elif dags:
            excluded = tuple(dag.fingerprint for dag in dags)
            asked = replace(question, constraints=replace(question.constraints, excluded=excluded))
        if number == 1:
            facts |= {"unique": found.unique, "complete": found.complete}
        dags.append(build(asked, each.solution, facts))
    return tuple(dags)
