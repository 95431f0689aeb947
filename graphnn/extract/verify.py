"""`verify_dag`: whether a network is what it says, without trusting the run that made it."""

from __future__ import annotations

import math

import numpy as np

from graphnn.errors import VerificationError, quoted
from graphnn.extract.dag import Dag
from graphnn.extract.encode import encode
from graphnn.graph.prior import PriorGraph
from solvers.check import violations


def verify_dag(graph: PriorGraph, dag: Dag) -> None:
    """Check a network against the prior knowledge network it claims to come from.

    Rules, in order: `roles` (inputs and outputs are vertices of the network, sorted and disjoint), `subgraph` (every
    edge, with its sign, is in `graph`), the rules of `solvers.check` (`cycle`, `uncovered input`, `unfed output`,
    `stray edge`), `stray vertex` (every vertex is on an edge), `order` (topological, all vertices), `objective` (the
    proof's objective is what the edges cost), `bound` (on the right side of the objective; met if "optimal").

    Args:
        graph: The prior knowledge network.
        dag: The network to check.

    Raises:
        VerificationError: The first rule that is broken, with the names concerned.
    """
    _check_roles(dag)
    _check_subgraph(graph, dag)
    broken = violations(encode(dag.graph, dag.inputs, dag.outputs), range(dag.graph.n_edges))
    if broken:
        names = [dag.graph.nodes[item] for item in broken[0].items] if "edge" not in broken[0].rule else []
        names = names or [" -> ".join(_edge(dag.graph, item)) for item in broken[0].items]
        raise VerificationError(broken[0].rule, quoted(names), names=names)
    _check_vertices_and_order(dag)
    _check_proof(dag)


def _check_roles(dag: Dag) -> None:
    absent = [name for name in (*dag.inputs, *dag.outputs) if name not in dag.graph]
    both = sorted({*dag.inputs} & {*dag.outputs})
    if absent or both or not dag.inputs or not dag.outputs:
        raise VerificationError(
            "roles",
            "expected inputs and outputs among the vertices, disjoint and some of each; "
            f"absent: {quoted(absent) or 'none'}, in both: {quoted(both) or 'none'}",
            names=absent or both,
        )
    for role in (dag.inputs, dag.outputs):
        if list(role) != sorted(set(role)):
            raise VerificationError("roles", f"expected sorted names without repeats, got {quoted(role)}", names=role)


def _check_subgraph(graph: PriorGraph, dag: Dag) -> None:
    known = set(graph.to_sif_tuples())
    foreign = [edge for edge in dag.graph.to_sif_tuples() if edge not in known]
    if foreign:
        names = [f"{source} -> {target} ({sign})" for source, sign, target in foreign]
        raise VerificationError(
            "subgraph", f"expected edges of the prior network with their signs, got {quoted(names)}", names=names
        )


def _check_vertices_and_order(dag: Dag) -> None:
    graph = dag.graph
    touched = np.zeros(graph.n_nodes, dtype=bool)
    touched[graph.sources] = touched[graph.targets] = True
    idle = [name for name, used in zip(graph.nodes, touched.tolist(), strict=True) if not used]
    if idle:
        raise VerificationError(
            "stray vertex", f"expected every vertex on an edge, but {quoted(idle)} is not", names=idle
        )
    place = {name: position for position, name in enumerate(dag.order)}
    late = [
        f"{source} -> {target}"
        for source, _, target in graph.to_sif_tuples()
        if place.get(source, graph.n_nodes) >= place.get(target, -1)
    ]
    if len(place) != len(dag.order) or set(place) != set(graph.nodes) or late:
        raise VerificationError(
            "order", f"expected all vertices in topological order; backward edges: {quoted(late) or 'none'}", names=late
        )


def _check_proof(dag: Dag) -> None:
    proof = dag.proof
    if dag.edge_cost is not None and len(dag.edge_cost) != dag.graph.n_edges:
        raise VerificationError("objective", f"expected {dag.graph.n_edges} edge costs, got {len(dag.edge_cost)}")
    cost = float(dag.graph.n_edges) if dag.edge_cost is None else math.fsum(dag.edge_cost.tolist())
    if not math.isclose(cost, proof.objective, rel_tol=1e-9, abs_tol=1e-9):
        raise VerificationError(
            "objective", f"expected {cost:g}, what the edges cost, but the proof says {proof.objective:g}"
        )
    if proof.bound is not None and not math.isfinite(proof.bound):
        raise VerificationError("bound", f"expected a finite bound, got {proof.bound}")
    if proof.bound is None:
        if proof.termination == "optimal":
            raise VerificationError("bound", "expected a bound beside the word optimal, got none")
        return
    beyond = proof.bound < cost if proof.objective_name == "max_edges" else proof.bound > cost
    slack = 1e-9 * max(1.0, abs(cost))
    if (beyond and abs(proof.bound - cost) > slack) or (
        proof.termination == "optimal" and abs(proof.bound - cost) > slack
    ):
        raise VerificationError(
            "bound", f"expected a bound that fits an objective of {cost:g} ({proof.termination}), got {proof.bound:g}"
        )


def _edge(graph: PriorGraph, edge: int) -> tuple[str, str]:
    return graph.nodes[graph.sources[edge]], graph.nodes[graph.targets[edge]]
