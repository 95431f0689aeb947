"""`verify_dag`: whether a network is what it says, without trusting the run that made it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphnn.errors import FormatError, VerificationError, quoted
from graphnn.extract.constraints import Constraints
from graphnn.extract.dag import Dag
from graphnn.extract.encode import edge_numbers, encode
from graphnn.graph.order import longest_path_levels
from graphnn.graph.prior import PriorGraph
from solvers.check import Violation, violations
from solvers.errors import ProblemError


def verify_dag(graph: PriorGraph, dag: Dag) -> None:
    """Check a network against the prior knowledge network it claims to come from.

    Rules, in order: `roles` (inputs and outputs are vertices of the network, sorted and disjoint), `subgraph` (every
    edge, with its sign, is in `graph`), the rules of `solvers.check` (`cycle`, `uncovered input`, `unfed output`,
    `stray edge`), `stray vertex` (every vertex is on an edge), `order` (topological, all vertices), `constraints` (what
    the proof says was asked can be read), what was asked (the further rules of `solvers.check`), `objective` (the
    proof's objective is what edges, vertices and lost rewards cost), `bound` (on the right side of the objective; met
    if "optimal"), `second criterion` (weight, score or depth as stated, its bound on the right
    side of it).

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
        raise _in_names(dag.graph, broken[0])
    _check_vertices_and_order(dag)
    try:
        constraints = Constraints.from_dict(dag.proof.details.get("constraints", {}))
    except FormatError as error:
        raise VerificationError("constraints", str(error)) from error
    if not constraints.is_trivial:
        _check_constraints(graph, dag, constraints)
    _check_proof(dag, constraints)
    _check_second_criterion(dag)


def _in_names(graph: PriorGraph, broken: Violation) -> VerificationError:
    """A broken rule of `solvers.check` with the names of its vertices or edges."""
    of_edges = "edge" in broken.rule or broken.rule == "excluded network"
    names = [" -> ".join(_edge(graph, item)) if of_edges else graph.nodes[item] for item in broken.items]
    return VerificationError(broken.rule, quoted(names), names=names)


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


def _check_constraints(graph: PriorGraph, dag: Dag, constraints: Constraints) -> None:
    """Everything that was asked, on the prior network: how many routes an input could have is read off it."""
    edge = edge_numbers(graph)
    chosen = {(source, target) for source, _, target in dag.graph.to_sif_tuples()}
    lacking = [f"{source} -> {target}" for source, target in constraints.forced_edges if (source, target) not in chosen]
    if lacking:
        raise VerificationError("missing edge", quoted(lacking), names=lacking)
    lacking = [name for name in constraints.forced_nodes if name not in dag.graph]
    if lacking:
        raise VerificationError("missing vertex", quoted(lacking), names=lacking)
    if dag.fingerprint in constraints.excluded:
        raise VerificationError("excluded network", "expected another network than those before it, got one of them")
    optional = [name for name in constraints.rewards if name in graph and name not in dag.outputs]
    try:
        problem = encode(graph, sorted({*dag.inputs, *optional}), dag.outputs, constraints=constraints)
    except (ProblemError, KeyError) as error:
        raise VerificationError("constraints", f"expected rules that fit the network, got others ({error})") from error
    broken = violations(problem, [edge[pair] for pair in sorted(chosen)])
    if broken:
        raise _in_names(graph, broken[0])


def _check_second_criterion(dag: Dag) -> None:
    stated = dag.proof.details.get("prefer")
    if stated is None:
        return
    try:
        value, bound = float(stated["value"]), float(stated["bound"])
        found = _second_criterion(dag, stated)
        greatest, resolution = stated["criterion"] == "score", float(stated.get("resolution", 0.0))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise VerificationError(
            "second criterion", f"expected value, bound and weights or scores, got others ({error})"
        ) from error
    slack = 1e-9 * max(1.0, abs(value))
    beyond = value - bound if greatest else bound - value  # > 0: on the wrong side
    if not math.isclose(found, value, rel_tol=1e-9, abs_tol=1e-9) or not beyond <= slack:
        side = "below" if greatest else "above"
        raise VerificationError(
            "second criterion", f"expected {found:g} and a bound not {side} it, got {value:g} and {bound:g}"
        )
    met = abs(bound - value) <= resolution + (slack if greatest else 0.0)
    if bool(stated.get("proved")) and not (met and resolution >= 0 and dag.proof.termination == "optimal"):
        raise VerificationError("second criterion", "expected a met bound beside the word proved, got none")


def _second_criterion(dag: Dag, stated: Mapping[str, Any]) -> float:
    """What the network has of it, from weights or scores as the proof states them."""
    if stated["criterion"] == "depth":
        return float(max(longest_path_levels(dag.graph.n_nodes, dag.graph.sources, dag.graph.targets)))
    if stated["criterion"] not in ("weight", "score"):
        raise ValueError(f"no criterion {stated['criterion']!r}")
    parts = stated["scores" if stated["criterion"] == "score" else "weights"]
    of_vertices = stated["criterion"] == "score" and stated["kind"] == "vertices"
    if len(parts) != (dag.graph.n_nodes if of_vertices else dag.graph.n_edges):
        raise ValueError("another number of them than of edges or vertices")
    return math.fsum(map(float, parts))


def _check_proof(dag: Dag, constraints: Constraints) -> None:
    proof = dag.proof
    if dag.edge_cost is not None and len(dag.edge_cost) != dag.graph.n_edges:
        raise VerificationError("objective", f"expected {dag.graph.n_edges} edge costs, got {len(dag.edge_cost)}")
    costs = [1.0] * dag.graph.n_edges if dag.edge_cost is None else dag.edge_cost.tolist()
    cost = math.fsum([*costs, *constraints.cost_beside_edges(dag.graph.nodes)])
    if not math.isclose(cost, proof.objective, rel_tol=1e-9, abs_tol=1e-9):
        raise VerificationError(
            "objective", f"expected {cost:g}, what the network costs, but the proof says {proof.objective:g}"
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
