"""`Certificate`: a proof that a network is minimal, which anyone can check without trusting the run that made it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from graphnn import __version__
from graphnn.errors import FormatError, NoNetworkError, OptionError, SolverFailedError, VerificationError, quoted
from graphnn.extract.constraints import Constraints
from graphnn.extract.dag import Dag, check_cost
from graphnn.extract.encode import FloatVector, encode
from graphnn.graph.files import read_text
from graphnn.graph.prior import PriorGraph
from solvers import certificate as proofs
from solvers.certify import certify
from solvers.clock import Clock
from solvers.errors import CertificateError, ProblemError, SolverError

FORMAT = "graphnn-certificate/1"
SAME = Fraction(1, 10**9)  # where costs are no whole numbers, a bound so near the cost (relative) meets it
CERTIFIED = ("min_edges", "given")
PRICES = ("node_cost", "rewards")  # constraints that a certificate can speak of: they add to the cost, and ask nothing

Exact = Annotated[str, Field(pattern=r"^[0-9]+(/[0-9]+)?$")]  # a whole number, or one over another


class CertificateFile(BaseModel):
    """The file format, checked field by field; see docs/formats.md."""

    model_config = ConfigDict(extra="forbid", strict=True)

    format: Literal["graphnn-certificate/1"]
    graph: str
    inputs: list[str]
    outputs: list[str]
    edge_cost: list[FiniteFloat] | None
    objective: Exact
    bound: Exact
    denominator: int
    cuts: list[tuple[int | None, list[int]] | tuple[int | None, list[int], list[int], list[int]]]
    nodes: list[dict[str, int | list[tuple[int, int]]]]
    folded: bool = False
    node_cost: dict[str, FiniteFloat] = Field(default_factory=dict)
    rewards: dict[str, FiniteFloat] = Field(default_factory=dict)
    proof: dict[str, Any]
    versions: dict[str, str]


@dataclass(frozen=True)
class CheckedBound:
    """What a certificate was found to prove, in exact numbers.

    Attributes:
        objective: What the network costs.
        bound: No network over the same prior network, inputs, outputs and costs costs less.
        n_cuts: Cuts that were checked.
        n_cases: Cases that the proof distinguishes; 1 without branchings.
    """

    objective: Fraction
    bound: Fraction
    n_cuts: int
    n_cases: int

    @property
    def is_minimal(self) -> bool:
        """Whether the bound meets the cost; exactly, or to 1e-9 (relative) where costs are no whole numbers."""
        if self.objective.denominator == self.bound.denominator == 1:
            return self.objective == self.bound
        return self.objective - self.bound <= SAME * self.objective

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON types; exact numbers as text."""
        return {
            "objective": str(self.objective),
            "bound": str(self.bound),
            "n_cuts": self.n_cuts,
            "n_cases": self.n_cases,
            "is_minimal": self.is_minimal,
        }


@dataclass(frozen=True, eq=False)
class Certificate:
    """A proof of a lower bound on the cost of networks, in the numbers of one prior network.

    Attributes:
        graph: Fingerprint of that network; vertices and edges are numbered as in its `nodes` and `to_frame()`.
        inputs: Measured vertices, sorted.
        outputs: Predicted vertices, sorted.
        edge_cost: Cost of each edge of the prior network, shape (n_edges,); None: 1 each.
        objective: Cost of the network that the certificate was made for, exact.
        bound: What is claimed to be proved, exact.
        proved_by: Cuts, their duals, and the tree of cases; see `solvers.certificate`.
        node_cost: Cost of vertices by name; others cost nothing.
        rewards: Of inputs that may be left out, by name.
        proof: How the run that found the network describes it, as in the network file; nothing rests on it.
        versions: Of what made the certificate.
    """

    graph: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    edge_cost: FloatVector | None
    objective: Fraction
    bound: Fraction
    proved_by: proofs.Certificate
    node_cost: Mapping[str, float] = field(default_factory=dict)
    rewards: Mapping[str, float] = field(default_factory=dict)
    proof: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types; exact numbers as text."""
        return {
            "format": FORMAT,
            "graph": self.graph,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "edge_cost": None if self.edge_cost is None else self.edge_cost.tolist(),
            "objective": str(self.objective),
            "bound": str(self.bound),
            **self.proved_by.to_dict(),
            **{name: dict(getattr(self, name)) for name in PRICES if getattr(self, name)},
            "proof": dict(self.proof),
            "versions": dict(self.versions),
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text, each key on a line."""
        lines = (
            f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(',', ':'))}"
            for key, value in self.to_dict().items()
        )
        return "{\n" + ",\n".join(lines) + "\n}\n"

    def to_bytes(self, *, compress: bool = False) -> bytes:
        """The text as it stands in a file; through gzip, without a time stamp, if `compress`."""
        data = self.to_json().encode()
        return gzip.compress(data, mtime=0) if compress else data

    @classmethod
    def from_json(cls, text: str) -> Certificate:
        """Inverse of `to_json`; nothing is proved by reading, see `verify_certificate`.

        Raises:
            FormatError: The text is not JSON, of another format, or a field is of the wrong kind.
        """
        try:
            file = CertificateFile.model_validate_json(text)
            parts = proofs.Certificate.from_dict(file.model_dump(include={"denominator", "cuts", "nodes", "folded"}))
            objective, bound = Fraction(file.objective), Fraction(file.bound)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise FormatError(_unreadable(f"{where}: {first['msg']}")) from error
        except (CertificateError, ValueError, ZeroDivisionError) as error:
            raise FormatError(_unreadable(str(error))) from error
        cost = None if file.edge_cost is None else np.array(file.edge_cost, dtype=np.float64)
        return cls(
            graph=file.graph,
            inputs=tuple(file.inputs),
            outputs=tuple(file.outputs),
            edge_cost=cost,
            objective=objective,
            bound=bound,
            proved_by=parts,
            node_cost=file.node_cost,
            rewards=file.rewards,
            proof=file.proof,
            versions=file.versions,
        )

    @classmethod
    def read(cls, path: str | Path) -> Certificate:
        """Read a file that `graphnn extract --certificate` wrote; raises like `from_json`, and MissingFileError."""
        try:
            return cls.from_json(read_text(path, what="a certificate"))
        except FormatError as error:
            raise FormatError(error.reason, path=path) from error


def certify_dag(
    graph: PriorGraph,
    dag: Dag,
    *,
    edge_cost: Sequence[float] | FloatVector | None = None,
    time_limit_s: float | None = None,
    seed: int = 0,
) -> Certificate:
    """Prove, without the run that found it, that no network costs less than `dag`; or prove as much as can be.

    Args:
        graph: The prior network that `dag` was extracted from.
        dag: A network with objective "min_edges", or one that you gave roles yourself; of constraints it may have costs
            of vertices and rewards.
        edge_cost: Cost of each edge of `graph`, as it was given to `extract_dag`; None: 1 each.
        time_limit_s: Wall clock in seconds, > 0; what is proved by then is returned.
        seed: Of the engine.

    Returns:
        A certificate whose bound was checked; `bound` may be below `objective`.

    Raises:
        OptionError: `dag` has another objective or further rules, or costs other than `edge_cost` on its edges.
        VerificationError: An edge of `dag` is not in `graph`.
        SolverFailedError: The engine failed.

    Example:
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "a"), ("x", 1, "b"), ("a", 1, "y"), ("b", 1, "a")])
        >>> dag = Dag.from_graph(g.keep_edges([0, 2]), ["x"], ["y"])
        >>> proof = certify_dag(g, dag)
        >>> verify_certificate(g, dag, proof).is_minimal
        True
    """
    if dag.proof.objective_name not in CERTIFIED:
        raise OptionError(
            "objective", dag.proof.objective_name, "'min_edges'", do="a certificate is about least cost; leave it out"
        )
    constraints = Constraints.from_dict(dag.proof.details.get("constraints", {}))
    if _further(constraints):
        known = f"none but {' and '.join(PRICES)}"
        raise OptionError("constraints", _further(constraints), known, do="leave the certificate out")
    if time_limit_s is not None and not time_limit_s > 0:
        raise OptionError("time_limit_s", time_limit_s, "a number of seconds > 0, or None for no limit")
    cost = None if edge_cost is None else check_cost(edge_cost, n_edges=graph.n_edges)
    if not _same_costs(graph, dag, cost):
        raise OptionError("edge_cost", "other costs", "the costs that the network was extracted with")
    problem = encode(graph, _asked(graph, dag, constraints), dag.outputs, cost, constraints)
    objective = exact_cost(dag)
    try:
        parts = certify(problem, objective, clock=Clock(time_limit_s), seed=int(seed))
    except SolverError as error:
        raise SolverFailedError(str(error)) from error
    return Certificate(
        graph=graph.fingerprint,
        inputs=dag.inputs,
        outputs=dag.outputs,
        edge_cost=cost,
        objective=objective,
        bound=proofs.checked_bound(problem, parts),
        proved_by=parts,
        node_cost=constraints.node_cost,
        rewards=constraints.rewards,
        proof=dag.proof.to_dict(),
        versions={"graphnn": __version__},
    )


def verify_certificate(graph: PriorGraph, dag: Dag, certificate: Certificate) -> CheckedBound:
    """Check, in exact arithmetic and without any solver, what a certificate proves about a network.

    Rules, in order: `certificate problem` (nothing was asked of the network but covering, at what costs and rewards),
    `certificate network` (its fingerprint is that of `graph`, as given or pruned to the inputs that were asked for and
    the outputs), `certificate roles` (inputs and outputs are those of the network), `certificate cost` (costs agree on
    the network's edges, costs of vertices and rewards altogether, and no cost of an edge is negative), `certificate
    objective` (the network costs what is stated), the rules of `solvers.certificate` (`certificate cut`, `certificate
    node`, ...), `certificate bound` (what is proved is what is stated).

    Args:
        graph: The prior network, pruned or not.
        dag: The network; `verify_dag` checks it.
        certificate: What is claimed to be a proof.

    Returns:
        The bound. It may be below the network's cost: then the network is not proved to be minimal.

    Raises:
        VerificationError: The first rule that is broken.
    """
    try:
        constraints = Constraints.from_dict(dag.proof.details.get("constraints", {}))
    except FormatError as error:
        raise VerificationError("constraints", str(error)) from error
    if _further(constraints):
        named = ", ".join(_further(constraints))
        raise VerificationError(
            "certificate problem", f"expected a network without further rules, got one that has some ({named})"
        )
    network = _network(graph, dag, certificate, constraints)
    if (certificate.inputs, certificate.outputs) != (dag.inputs, dag.outputs):
        raise VerificationError("certificate roles", "expected the inputs and outputs of the network, got others")
    try:
        cost = None if certificate.edge_cost is None else check_cost(certificate.edge_cost, n_edges=network.n_edges)
    except OptionError as error:
        raise VerificationError("certificate cost", str(error)) from error
    if not _same_costs(network, dag, cost):
        raise VerificationError("certificate cost", "expected the costs of the network's edges, got others")
    for name in PRICES:
        if getattr(certificate, name) != getattr(constraints, name):
            raise VerificationError("certificate cost", f"expected the {name} of the network, got others")
    objective = exact_cost(dag)
    if certificate.objective != objective:
        raise VerificationError(
            "certificate objective", f"expected {objective}, what the network costs, got {certificate.objective}"
        )
    try:
        asked = _asked(network, dag, constraints)
        problem = encode(network, asked, dag.outputs, cost, constraints)
        bound = proofs.checked_bound(problem, certificate.proved_by)
    except ProblemError as error:
        raise VerificationError("constraints", f"expected costs and rewards that can be: {error}") from error
    except CertificateError as error:
        raise VerificationError(f"certificate {error.rule}", str(error)) from error
    if bound != certificate.bound:
        raise VerificationError("certificate bound", f"expected {bound}, what is proved, got {certificate.bound}")
    if bound > objective:
        raise VerificationError(
            "certificate bound", f"expected a network that costs at least {bound}, got {objective}: it misses a rule"
        )
    return CheckedBound(objective, bound, len(certificate.proved_by.cuts), certificate.proved_by.n_leaves)


def _further(constraints: Constraints) -> list[str]:
    """Names of constraints that a certificate cannot speak of."""
    return [name for name in constraints.to_dict() if name not in PRICES]


def _asked(graph: PriorGraph, dag: Dag, constraints: Constraints) -> list[str]:
    """Inputs of the problem: those of the network, and those that it leaves out for their reward."""
    optional = [name for name in constraints.rewards if name in graph and name not in dag.outputs]
    return sorted({*dag.inputs, *optional})


def _network(graph: PriorGraph, dag: Dag, certificate: Certificate, constraints: Constraints) -> PriorGraph:
    if graph.fingerprint == certificate.graph:
        return graph
    try:
        pruned = graph.prune(_asked(graph, dag, constraints), dag.outputs)
    except NoNetworkError as error:
        raise VerificationError("certificate network", str(error)) from error
    if pruned.fingerprint != certificate.graph:
        raise VerificationError(
            "certificate network",
            f"expected a certificate for this prior network ({pruned.fingerprint[:12]} when pruned), "
            f"got one for {certificate.graph[:12]}",
        )
    return pruned


def _same_costs(graph: PriorGraph, dag: Dag, cost: FloatVector | None) -> bool:
    """Whether the costs of the prior network agree with those of the network's edges; without any, both are 1."""
    if cost is None or dag.edge_cost is None:
        return cost is None and dag.edge_cost is None
    place = {edge: index for index, edge in enumerate(graph.to_sif_tuples())}
    edges = dag.graph.to_sif_tuples()
    foreign = [edge for edge in edges if edge not in place]
    if foreign:
        names = [f"{source} -> {target} ({sign})" for source, sign, target in foreign]
        raise VerificationError("subgraph", f"expected edges of the prior network, got {quoted(names)}", names=names)
    return bool((cost[[place[edge] for edge in edges]] == dag.edge_cost).all())


def exact_cost(dag: Dag) -> Fraction:
    """What a network costs, without rounding: its edges, and what its constraints add for vertices and inputs."""
    beside = Constraints.from_dict(dag.proof.details.get("constraints", {})).cost_beside_edges(dag.graph.nodes)
    edges = [1] * dag.graph.n_edges if dag.edge_cost is None else dag.edge_cost.tolist()
    return sum(map(Fraction, [*edges, *beside]), Fraction(0))


def _unreadable(reason: str) -> str:
    return (
        f"expected a certificate of format {FORMAT!r}, but at {reason}; write it with `graphnn extract --certificate`"
    )
