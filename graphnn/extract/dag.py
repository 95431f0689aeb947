"""`Dag`, an acyclic network with its roles, and `Proof`, what is known about its size."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.errors import CycleError, FormatError, NoNetworkError, OptionError, quoted
from graphnn.extract.schema import FORMAT, parse_dag
from graphnn.graph.files import read_text
from graphnn.graph.order import HasCycle, topological_order
from graphnn.graph.prior import PriorGraph, as_names
from graphnn.graph.reach import reachable


@dataclass(frozen=True)
class Proof:
    """What was asked of the network and what is proved about the answer.

    Attributes:
        objective_name: "min_edges", "shortest_paths", "max_edges" or "given".
        termination: "optimal" (bound meets objective), "limit" (stopped early; the bound holds),
            "constructed" (built by a rule; nothing was optimised).
        objective: Cost of the edges (their number with unit costs), of vertices that have one, and rewards of inputs
            left out; for "max_edges" the number of edges.
        bound: No network that does what was asked costs less (for "max_edges": has more edges). None: not proved.
        method: "steiner", "milp", "breadth-first search", ...
        solver: Engine that delivered the last word, e.g. "dual ascent", "highs".
        seconds: Wall clock of the extraction.
        versions: Version of each package that took part.
        details: Further facts, e.g. what the reductions removed; JSON types only. `constraints` holds what else was
            asked (see `graphnn.extract.constraints.Constraints`), `inputs_not_taken` the inputs left out for their
            reward, `prefer` the second criterion, `alternative` the place among several networks, `interrupted` is
            True after Ctrl-C.
    """

    objective_name: str
    termination: str
    objective: float
    bound: float | None
    method: str
    solver: str
    seconds: float = 0.0
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def gap(self) -> float | None:
        """|objective - bound| / |objective|, a fraction; None where there is no bound."""
        if self.bound is None:
            return None
        if self.objective == self.bound:
            return 0.0
        return abs(self.objective - self.bound) / max(abs(self.objective), 1e-12)

    @property
    def is_optimal(self) -> bool:
        """Whether bound meets objective (to 1e-9, relative); only then may a network be called minimal or largest."""
        return self.termination == "optimal" and self.gap is not None and self.gap <= 1e-9

    def sentence(self) -> str:
        """The proof in words, for reports and terminals."""
        counted = self.objective_name in ("max_edges", "shortest_paths") or self.details.get("unit_costs", False)
        what = "edges" if counted else "cost"
        reached = f"{_number(self.objective)} edges" if what == "edges" else f"cost {_number(self.objective)}"
        if self.termination == "constructed":
            return f"{reached}, built by {self.method}; nothing was optimised, so nothing is claimed to be minimal."
        word, side = ("largest", "at most") if self.objective_name == "max_edges" else ("minimal", "at least")
        by = f"({self.method}, {self.solver})"
        word += self._but_for()
        if self.bound is None:
            return f"Not proved {word}: {reached}, and no bound is known {by}."
        least = f"{_number(self.bound)} edges" if counted else f"cost {_number(self.bound)}"
        limit = f"{self._others()} has {side} {least}"
        if self.is_optimal:
            return f"Proved {word}: {reached}, and {limit} {by}.{self._second()}"
        return f"Not proved {word}: {reached}, and {limit}; gap {100 * (self.gap or 0):.2f} % {by}.{self._second()}"

    def _but_for(self) -> str:
        """Networks that were excluded from what the proof speaks of."""
        before = len(self.details.get("constraints", {}).get("excluded", ()))
        return f" but for the {_number(before)} before it" if before else ""

    def _others(self) -> str:
        constraints = self.details.get("constraints", {})
        other = "every other network" if constraints.get("excluded") else "every network"
        return f"{other} that does the same" + (" under the same rules" if constraints else "")

    def _second(self) -> str:
        """What is known of a second criterion."""
        words = ""
        stated = self.details.get("prefer")
        if stated is not None:
            greatest = stated["criterion"] == "score"
            of = f" of {stated['kind']}" if greatest else ""
            what = f"{stated['criterion']} {_number(stated['value'])}{of}"
            if stated["proved"]:
                side = "more" if greatest else "less"
                words += f" Second criterion proved: no network of that cost has {side} than {what}"
                words += f" (to {stated['resolution']:.2g})." if stated.get("resolution") else "."
            elif self.is_optimal:
                side = "at most" if greatest else "at least"
                words += f" Second criterion not proved: {what}, {side} {_number(stated['bound'])}."
            else:
                words += f" Second criterion not proved: {what}."
        stated = self.details.get("alternative", {})
        if stated.get("shared") is not None and stated["number"] > 1:
            proved = stated["shared"] == stated["shared_bound"]
            words += f" It shares {_number(stated['shared'])} edges with those before it, summed up; "
            words += "no other network of that cost shares less." if proved else "that this is least is not proved."
        if self.details.get("unique"):
            words += " It is the only network of that cost."
        return words

    def to_dict(self) -> dict[str, Any]:
        """All fields and the gap, as JSON types."""
        return {
            "objective_name": self.objective_name,
            "termination": self.termination,
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "method": self.method,
            "solver": self.solver,
            "seconds": self.seconds,
            "versions": dict(self.versions),
            "details": dict(self.details),
        }


@dataclass(frozen=True, eq=False)
class Dag:
    """An acyclic network in which every input reaches an output and every output is reached from an input.

    Attributes:
        graph: Its vertices and edges, all of them on some input-to-output path.
        inputs: Measured vertices, sorted.
        outputs: Predicted vertices, sorted.
        order: All vertices in topological order.
        proof: What is known about its size.
        edge_cost: Cost of each edge, shape (graph.n_edges,); None: 1 each. Costs of vertices are in the proof.
        origin: Of the prior network it was extracted from: nodes, edges, fingerprint, dropped (what pruning took
            away), inputs_left_out (requested inputs that are absent or reach no output), as JSON types; empty where
            the caller gave the network.
    """

    graph: PriorGraph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    order: tuple[str, ...]
    proof: Proof
    edge_cost: npt.NDArray[np.float64] | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_graph(
        cls,
        graph: PriorGraph,
        inputs: Iterable[str],
        outputs: Iterable[str],
        *,
        proof: Proof | None = None,
        edge_cost: npt.NDArray[np.float64] | None = None,
    ) -> Dag:
        """Give roles to an acyclic network.

        Args:
            graph: Acyclic, with all vertices on input-to-output paths (what `prune` leaves).
            inputs: Measured vertices, all of them in `graph`.
            outputs: Predicted vertices, all of them in `graph`.
            proof: What is known about its size; None: nothing ("given").
            edge_cost: Cost of each edge, shape (n_edges,), finite; None: 1 each.

        Raises:
            OptionError: No inputs, no outputs, a vertex that is both, or costs that are none.
            CycleError: The graph has a cycle.
            UnknownNodeError: An input or output is not in the graph.
            NoNetworkError: A vertex lies on no input-to-output path.
        """
        inputs, outputs = as_names(inputs, role="inputs"), as_names(outputs, role="outputs")
        both = sorted({*inputs} & {*outputs})
        if not inputs or not outputs or both:
            got = f"{quoted(both)} in both" if both else f"{len(inputs)} inputs and {len(outputs)} outputs"
            raise OptionError("inputs and outputs", got, "some of each, and disjoint")
        if edge_cost is not None:
            edge_cost = check_cost(edge_cost, n_edges=graph.n_edges, signed=True)
        try:
            order = topological_order(graph.n_nodes, graph.sources, graph.targets)
        except HasCycle as cycle:
            raise CycleError([graph.nodes[vertex] for vertex in cycle.vertices]) from None
        starts, ends = graph.indices(inputs, role="inputs"), graph.indices(outputs, role="outputs")
        on_path = reachable(graph.n_nodes, graph.sources, graph.targets, starts)
        on_path &= reachable(graph.n_nodes, graph.targets, graph.sources, ends)
        if not on_path.all():
            stray = [name for name, fine in zip(graph.nodes, on_path.tolist(), strict=True) if not fine]
            raise NoNetworkError(
                f"expected every vertex on an input-to-output path, but {quoted(stray)} are not; prune() first"
            )
        total = float(graph.n_edges) if edge_cost is None else math.fsum(edge_cost.tolist())
        proof = proof or Proof("given", "constructed", total, None, "the caller", "none")
        return cls(graph, inputs, outputs, tuple(graph.nodes[vertex] for vertex in order.tolist()), proof, edge_cost)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Vertices that are neither input nor output, sorted."""
        roles = {*self.inputs, *self.outputs}
        return tuple(name for name in self.graph.nodes if name not in roles)

    @property
    def fingerprint(self) -> str:
        """Of the wiring; see `PriorGraph.fingerprint`."""
        return self.graph.fingerprint

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Dag)
            and self.graph == other.graph
            and (self.inputs, self.outputs) == (other.inputs, other.outputs)
        )

    def __hash__(self) -> int:
        return hash((self.graph, self.inputs, self.outputs))

    def __repr__(self) -> str:
        return (
            f"Dag({len(self.inputs):,} inputs, {len(self.hidden):,} hidden, {len(self.outputs):,} outputs, "
            f"{self.graph.n_edges:,} edges, {self.proof.termination})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types; edges as [source, interaction, target]."""
        return {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "edges": [list(edge) for edge in self.graph.to_sif_tuples()],
            "edge_cost": None if self.edge_cost is None else self.edge_cost.tolist(),
            "proof": self.proof.to_dict(),
            "origin": dict(self.origin),
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Dag:
        """Inverse of `to_dict`; raises like `from_json`."""
        try:
            text = json.dumps(data, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise FormatError(f"expected JSON types, got others ({error}); pass what to_dict() gives") from error
        return cls.from_json(text)

    @classmethod
    def from_json(cls, text: str) -> Dag:
        """Inverse of `to_json`.

        Raises:
            FormatError: The text is not JSON, not a network, or its fingerprint does not fit its edges.
        """
        file = parse_dag(text)
        graph = PriorGraph.from_sif_tuples(file.edges)
        if graph.fingerprint != file.fingerprint or graph.to_sif_tuples() != file.edges:
            raise FormatError("expected edges that fit the fingerprint, in order, but they were changed; extract again")
        cost = None if file.edge_cost is None else np.array(file.edge_cost, dtype=np.float64)
        proof = Proof(**file.proof.model_dump(exclude={"gap"}))
        dag = cls.from_graph(graph, file.inputs, file.outputs, proof=proof, edge_cost=cost)
        return replace(dag, origin=file.origin)

    @classmethod
    def read(cls, path: str | Path) -> Dag:
        """Read a file that `graphnn extract` wrote; raises like `from_json`, and MissingFileError."""
        try:
            return cls.from_json(read_text(path, what="a network file"))
        except FormatError as error:
            raise FormatError(error.reason, path=path) from error


def check_cost(edge_cost: Any, *, n_edges: int, signed: bool = False) -> npt.NDArray[np.float64]:
    """Costs as a read-only array of their own, shape (n_edges,).

    Args:
        edge_cost: One number an edge.
        n_edges: How many are expected.
        signed: Let negative costs pass.

    Raises:
        OptionError: They are no numbers, of another length, negative or not finite.
    """
    try:
        cost = np.array(edge_cost, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError("edge_cost", type(edge_cost).__name__, "an array of numbers") from error
    if cost.shape != (n_edges,):
        raise OptionError("edge_cost", cost.shape, f"of shape ({n_edges},)", do="give one cost a row of to_frame()")
    odd = np.flatnonzero(~(np.isfinite(cost) & (signed | (cost >= 0))))
    if len(odd):
        value, fit = float(cost[odd[0]]), "finite" if signed else "finite and at least 0"
        raise OptionError("edge_cost", value, fit, do=f"correct row {odd[0]} of to_frame()")
    cost.setflags(write=False)
    return cost


def _number(value: float) -> str:
    return f"{value:,.6g}" if value % 1 else f"{value:,.0f}"
