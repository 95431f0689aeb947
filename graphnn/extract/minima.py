"""What networks of one question have in common: how often each vertex and edge occurs, and what none can do without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from graphnn.errors import OptionError
from graphnn.extract.constraints import ConstraintOptions
from graphnn.extract.dag import Dag
from graphnn.extract.encode import FloatVector, edge_numbers
from graphnn.extract.extract import check_extraction
from graphnn.extract.question import Question, answered, ask, check_answer, check_whole
from graphnn.graph.prior import PriorGraph
from solvers.alternatives import necessary_vertices as necessary
from solvers.check import cost_of, violations
from solvers.problem import IntVector

if TYPE_CHECKING:
    import pandas as pd

NECESSARY, NOT_NECESSARY, OPEN = "necessary", "not necessary", "open"


@dataclass(frozen=True, eq=False)
class NetworkFrequencies:
    """How often vertices and edges occur in several networks.

    Attributes:
        vertices: One row a vertex: vertex, role ("input", "hidden", "output"), count, frequency (count / n_networks),
            in_all; the most frequent first, then by name.
        edges: One row an edge: source, interaction, target, count, frequency, in_all; in the same order.
        n_networks: How many networks were counted.
        complete: Whether these are proved to be all networks of the least cost. Only then does `in_all` prove that a
            vertex is necessary; else it is evidence, and `necessary_vertices` proves it.
    """

    vertices: pd.DataFrame
    edges: pd.DataFrame
    n_networks: int
    complete: bool

    def __repr__(self) -> str:
        known = "all" if self.complete else "some"
        return f"NetworkFrequencies({known} {self.n_networks:,} networks, {len(self.vertices):,} vertices)"


def network_frequencies(networks: Sequence[Dag]) -> NetworkFrequencies:
    """Count in how many networks each vertex and each edge is.

    Args:
        networks: At least one, as `extract_alternatives` gives them; all different.

    Raises:
        OptionError: There are none, one occurs twice, or a name is an input here and no input there.

    Example:
        >>> from graphnn.extract.alternatives import extract_alternatives
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "y")])
        >>> found = network_frequencies(extract_alternatives(g, ["x"], ["y"], k=9))
        >>> found.complete, found.vertices.set_index("vertex")["frequency"].to_dict()
        (True, {'x': 1.0, 'y': 1.0, 'a': 0.5, 'b': 0.5})
    """
    import pandas as pd

    dags = _checked(networks)
    roles = _roles(dags)
    vertices = Counter(name for dag in dags for name in dag.graph.nodes)
    edges = Counter(edge for dag in dags for edge in dag.graph.to_sif_tuples())
    rows = [(name, roles[name], *_counted(count, len(dags))) for name, count in _most_first(vertices)]
    edge_rows = [(*edge, *_counted(count, len(dags))) for edge, count in _most_first(edges)]
    counts = ["count", "frequency", "in_all"]
    return NetworkFrequencies(
        vertices=pd.DataFrame(rows, columns=["vertex", "role", *counts]),
        edges=pd.DataFrame(edge_rows, columns=["source", "interaction", "target", *counts]),
        n_networks=len(dags),
        complete=_is_complete(dags),
    )


def necessary_vertices(
    graph: PriorGraph,
    inputs: Iterable[str],
    outputs: Iterable[str],
    *,
    networks: Sequence[Dag] = (),
    method: str = "auto",
    solver: str = "auto",
    edge_cost: Sequence[float] | FloatVector | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
    **rules: Unpack[ConstraintOptions],
) -> pd.DataFrame:
    """Say of each hidden vertex of a smallest network whether every smallest network has it, with proof.

    A network of the least cost with as few as possible of the vertices in question is found, until it has all that are
    left: then all others have them too (`solvers.alternatives.necessary_vertices`).

    Args:
        graph: As `extract_dag`.
        inputs: As `extract_dag`.
        outputs: As `extract_dag`.
        networks: Networks of the least cost that are known, of the same question; they save searches.
        method: As `extract_dag`.
        solver: As `extract_dag`.
        edge_cost: As `extract_dag`; whole numbers.
        time_limit_s: For all searches together.
        seed: As `extract_dag`.
        **rules: `node_cost`, `forced_edges`, ..., `states`: as `extract_dag`.

    Returns:
        One row a hidden vertex, sorted by name: vertex, status. "necessary": proved to be in every network of the least
        cost; "not necessary": a network of that cost without it is known; "open": the limit came. Hidden vertices
        that are not listed are not necessary.

    Raises:
        OptionError: Costs are no whole numbers, or one of `networks` does not do what is asked, or costs more than the
            least; and as `extract_dag`.
        UnknownNodeError, NoNetworkError, NoAnswerInTimeError, SolverFailedError: as `extract_dag`.

    Example:
        >>> rows = [("x", 1, "a"), ("a", 1, "b"), ("a", 1, "c"), ("b", 1, "y"), ("c", 1, "y")]
        >>> g = PriorGraph.from_sif_tuples(rows)
        >>> necessary_vertices(g, ["x"], ["y"]).set_index("vertex")["status"].to_dict()
        {'a': 'necessary', 'b': 'not necessary'}
    """
    import pandas as pd

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
        rules=rules,
    )
    check_whole(question, "necessary_vertices")
    known = [_edges_of(question, dag, number) for number, dag in enumerate(networks, start=1)]
    found = answered(question, lambda: necessary(question.problem, question.options, known=known))
    first = found.networks[0]
    check_answer(question, first)
    _refuse_dearer(question, known, first.objective)
    ends = np.unique(np.concatenate([graph.sources[first.edges], graph.targets[first.edges]]))
    hidden = sorted({graph.nodes[vertex] for vertex in ends} - {*question.inputs, *question.outputs})
    minimal = first.termination.value == "optimal"
    rows = []
    for name in hidden:
        place = graph.position[name]
        out = NOT_NECESSARY if minimal and not found.shared[place] else OPEN
        rows.append((name, NECESSARY if found.proved[place] else out))
    return pd.DataFrame(rows, columns=["vertex", "status"])


def _checked(networks: Any) -> list[Dag]:
    dags = [] if isinstance(networks, Dag) else list(networks)
    if not dags or not all(isinstance(dag, Dag) for dag in dags):
        raise OptionError("networks", "none" if not dags else "other things", "networks of extract_alternatives")
    if len({dag.fingerprint for dag in dags}) < len(dags):
        raise OptionError("networks", "one that occurs twice", "all different", do="each would be counted twice")
    return dags


def _roles(dags: Sequence[Dag]) -> dict[str, str]:
    """Role of each vertex."""
    roles: dict[str, str] = {}
    for dag in dags:
        inputs, outputs = {*dag.inputs}, {*dag.outputs}
        for name in dag.graph.nodes:
            role = "input" if name in inputs else "output" if name in outputs else "hidden"
            if roles.setdefault(name, role) != role:
                raise OptionError("networks", f"{name!r} as {roles[name]} and as {role}", "of one question")
    return roles


def _most_first(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _counted(count: int, total: int) -> tuple[int, float, bool]:
    return count, count / total, count == total


def _is_complete(dags: Sequence[Dag]) -> bool:
    """Whether all networks of the least cost are among these, and no others."""
    costs = {dag.proof.objective for dag in dags}
    proved = all(dag.proof.is_optimal for dag in dags)
    return bool(len(costs) == 1 and proved and dags[0].proof.details.get("complete"))


def _edges_of(question: Question, dag: Dag, number: int) -> IntVector:
    """Edges of a network that is known, if it does what is asked."""
    place = edge_numbers(question.graph)
    pairs = [(source, target) for source, _, target in dag.graph.to_sif_tuples()]
    edges = np.array(sorted(place[pair] for pair in pairs if pair in place), dtype=np.int64)
    if len(edges) < len(pairs) or violations(question.problem, edges):
        raise OptionError("networks", f"network {number}, which is no answer to this question", "answers to it")
    return edges


def _refuse_dearer(question: Question, networks: Sequence[IntVector], least: float) -> None:
    for number, edges in enumerate(networks, start=1):
        cost = cost_of(question.problem, edges)
        if cost > least:
            got = f"network {number} of cost {cost:g}"
            raise OptionError("networks", got, f"of the least cost, {least:g}", do="leave the dearer ones out")
