"""`extract_samples`: one network for several samples (conditions), and each sample's part of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np

from graphnn import __version__
from graphnn.errors import NoNetworkError, OptionError, quoted
from graphnn.extract.constraints import ConstraintOptions, Roles
from graphnn.extract.dag import Dag, Proof
from graphnn.extract.encode import FloatVector, roles
from graphnn.extract.extract import check_extraction
from graphnn.extract.question import Preference, Question, ask, build, find, origin, plain, preference
from graphnn.extract.verify import verify_dag
from graphnn.graph.prior import PriorGraph, as_names
from graphnn.graph.reach import reachable
from solvers.cover import Roles as Cover
from solvers.cover import tidy
from solvers.problem import IntVector
from solvers.result import Progress

FORMAT = "graphnn-samples/1"


@dataclass(frozen=True, eq=False)
class SampleNetworks:
    """A network for several samples.

    Attributes:
        names: Of the samples, in the order in which they were given.
        union: All edges, of whatever sample.
        dag: The same as one acyclic network, with the inputs and outputs of all samples; None where samples have orders
            of their own, so that the union may have cycles.
        dags: The acyclic network of each sample: of the shared one, the edges on walks from the sample's inputs to the
            sample's outputs; else a part of the union that covers the sample and has no edge to spare.
        proof: What is known about the size of the union.
        inputs_left_out: Of each sample, inputs that are absent or reach none of its outputs.
        edge_cost: Cost of each edge of the union, shape (union.n_edges,); None: 1 each.
    """

    names: tuple[str, ...]
    union: PriorGraph
    dag: Dag | None
    dags: Mapping[str, Dag]
    proof: Proof
    inputs_left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edge_cost: FloatVector | None = None

    def __repr__(self) -> str:
        return f"SampleNetworks({len(self.names):,} samples, {self.union.n_edges:,} edges, {self.proof.termination})"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types; the networks of samples as `Dag.to_dict` gives them."""
        return {
            "format": FORMAT,
            "samples": list(self.names),
            "edges": [list(edge) for edge in self.union.to_sif_tuples()],
            "edge_cost": None if self.edge_cost is None else self.edge_cost.tolist(),
            "proof": self.proof.to_dict(),
            "dag": None if self.dag is None else self.dag.to_dict(),
            "dags": {name: self.dags[name].to_dict() for name in self.names},
            "inputs_left_out": {name: list(self.inputs_left_out[name]) for name in self.names},
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def extract_samples(
    graph: PriorGraph,
    samples: Mapping[str, tuple[Iterable[str], Iterable[str]]],
    *,
    shared_order: bool = True,
    method: str = "auto",
    solver: str = "auto",
    edge_cost: Sequence[float] | FloatVector | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
    on_progress: Callable[[Progress], None] | None = None,
    prefer: Preference | None = None,
    **rules: Unpack[ConstraintOptions],
) -> SampleNetworks:
    """Find the cheapest set of edges that serves several samples at once: an edge that several use costs once.

    In it, every input of a sample reaches an output of that sample, every output of a sample is reached from an input
    of that sample, and every edge is of use to a sample.

    Args:
        graph: The prior knowledge network, usually pruned to the inputs and outputs of all samples.
        samples: Inputs and outputs of each sample, by its name. Inputs that are absent or reach none of the sample's
            outputs are left out and reported; an output that cannot be served is an error.
        shared_order: The whole is acyclic, as one model for all samples needs it. False: each sample has an acyclic
            network of its own inside the whole, which may have cycles; then nothing that speaks of one order can be
            asked (`forced_edges`, `forced_nodes`, `max_depth`, `min_routes`, "shallow", negative costs).
        method: As `extract_dag`.
        solver: As `extract_dag`.
        edge_cost: As `extract_dag`.
        time_limit_s: As `extract_dag`.
        seed: As `extract_dag`.
        on_progress: As `extract_dag`.
        prefer: As `extract_dag`.
        **rules: `node_cost`, `forced_edges`, ..., `states`: as `extract_dag`, of the whole. A vertex has one state in
            all samples.

    Raises:
        OptionError: No samples, a vertex that is an input in one sample and an output in another; and as `extract_dag`.
        UnknownNodeError, NoNetworkError, NoAnswerInTimeError, SolverFailedError: as `extract_dag`.

    Example:
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("w", 1, "a"), ("a", 1, "y"), ("a", 1, "z")])
        >>> found = extract_samples(g, {"day 1": (["x"], ["y"]), "day 2": (["w"], ["z"])})
        >>> found.union.n_edges, found.dags["day 2"].graph.to_sif_tuples()
        (4, [('a', 1, 'z'), ('w', 1, 'a')])
    """
    check_extraction("min_edges", method=method, solver=solver, time_limit_s=time_limit_s, seed=seed)
    served, left_out = _served(graph, samples)
    inputs = sorted({name for some, _ in served.values() for name in some})
    outputs = sorted({name for _, some in served.values() for name in some})
    both = sorted({*inputs} & {*outputs})
    if both:
        raise OptionError("samples", quoted(both), "without vertices that are inputs here and outputs there")
    question = ask(
        graph,
        sorted({*inputs, *(name for names in left_out.values() for name in names)}),
        outputs,
        served=inputs,
        samples=served,
        shared_order=shared_order,
        method=method,
        solver=solver,
        edge_cost=edge_cost,
        time_limit_s=time_limit_s,
        seed=seed,
        on_progress=on_progress,
        rules=rules,
    )
    found = find(question, prefer)
    edges, facts = found.solution.edges, preference(question, found, prefer)
    if shared_order:
        dag = build(question, found.solution, facts)
        proof = dag.proof
        parts = {name: _on_walks(question, edges, roles_) for name, roles_ in served.items()}
    else:
        dag = None
        proof = _proof(question, found.solution, facts)
        parts = {name: _tidy(question, edges, roles_) for name, roles_ in served.items()}
    return SampleNetworks(
        names=tuple(served),
        union=graph.keep_edges(edges),
        dag=dag,
        dags={name: _part(question, name, parts[name], served[name], left_out[name]) for name in served},
        proof=proof,
        inputs_left_out=left_out,
        edge_cost=None if question.cost is None else question.cost[edges],
    )


def _served(graph: PriorGraph, samples: Any) -> tuple[dict[str, Roles], dict[str, tuple[str, ...]]]:
    """Roles that the network can serve, and the inputs that are left out, by sample."""
    if not isinstance(samples, Mapping) or not samples:
        raise OptionError("samples", samples, "a mapping of sample names to (inputs, outputs), with at least one")
    served: dict[str, Roles] = {}
    left_out = {}
    for name, pair in samples.items():
        if not isinstance(name, str) or isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise OptionError(f"sample {name!r}", pair, "a name with a pair (inputs, outputs)")
        wanted, asked = (as_names(names, role=f"sample {name!r}") for names in pair)
        try:
            served[name] = roles(graph, wanted, asked)
        except NoNetworkError as error:
            raise NoNetworkError(f"sample {name!r}: {error}", inputs=error.inputs, outputs=error.outputs) from error
        left_out[name] = tuple(sorted({*wanted} - {*served[name][0]}))
    return served, left_out


def _on_walks(question: Question, edges: IntVector, pair: Roles) -> IntVector:
    """The edges that lie on walks from the sample's inputs to its outputs."""
    graph = question.graph
    tails, heads = graph.sources[edges], graph.targets[edges]
    fed = reachable(graph.n_nodes, tails, heads, graph.indices(pair[0]))
    out = reachable(graph.n_nodes, heads, tails, graph.indices(pair[1]))
    return np.asarray(edges[fed[tails] & out[heads]])


def _tidy(question: Question, edges: IntVector, pair: Roles) -> IntVector:
    """An acyclic part of the union that covers what the union covers of the sample."""
    graph = question.graph
    starts, ends = graph.indices(pair[0]), graph.indices(pair[1])
    out = reachable(graph.n_nodes, graph.targets[edges], graph.sources[edges], ends)
    sample = Cover(graph.n_nodes, graph.sources, graph.targets, starts[out[starts]], ends)
    return tidy(sample, edges)


def _part(question: Question, name: str, edges: IntVector, pair: Roles, left_out: tuple[str, ...]) -> Dag:
    """The network of one sample; nothing is claimed of its size."""
    network = question.graph.keep_edges(edges)
    cost = None if question.cost is None else question.cost[edges]
    taken = [vertex for vertex in pair[0] if vertex in network]
    proof = Proof(
        objective_name="given",
        termination="constructed",
        objective=float(network.n_edges) if cost is None else float(sum(cost.tolist())),
        bound=None,
        method=f"taking the part of sample {name!r} out of the network of all samples",
        solver="none",
        versions={"graphnn": __version__},
        details={"unit_costs": cost is None, "inputs_not_taken": [v for v in pair[0] if v not in network]},
    )
    dag = Dag.from_graph(network, taken, pair[1], proof=proof, edge_cost=cost)
    verify_dag(question.graph, dag)
    return replace(dag, origin=origin(question.graph, left_out=list(left_out)))


def _proof(question: Question, solution: Any, facts: Mapping[str, Any]) -> Proof:
    """Of a union that is no `Dag`; the solvers checked the network, sample by sample."""
    rules = question.constraints
    return Proof(
        objective_name="min_edges",
        termination=solution.termination.value,
        objective=solution.objective,
        bound=solution.bound,
        method=solution.method,
        solver=solution.backend,
        seconds=solution.seconds,
        versions={"graphnn": __version__, **solution.versions},
        details={
            "unit_costs": question.cost is None and rules.counts_edges_only,
            **plain(solution.details),
            "constraints": rules.to_dict(),
            **facts,
        },
    )
