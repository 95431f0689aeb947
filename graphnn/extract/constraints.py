"""`Constraints`: what a network has to respect besides joining its inputs to its outputs, by names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, FiniteFloat, TypeAdapter, ValidationError

from graphnn.errors import FormatError, NoNetworkError, OptionError, UnknownNodeError, did_you_mean, quoted
from graphnn.graph.prior import PriorGraph, as_names

FloatVector = npt.NDArray[np.float64]
Edge = tuple[str, str]
Roles = tuple[tuple[str, ...], tuple[str, ...]]


class ConstraintOptions(TypedDict, total=False):
    """The options that `constrain` takes; each is explained in `Constraints`."""

    node_cost: Mapping[str, float] | Sequence[float] | FloatVector | None
    forced_edges: Iterable[Edge]
    forbidden_edges: Iterable[Edge]
    forced_nodes: Iterable[str]
    forbidden_nodes: Iterable[str]
    rewards: Mapping[str, float] | None
    max_parents: int | None
    max_depth: int | None
    min_routes: int
    disjoint_routes: bool
    signs: bool
    states: Mapping[str, int] | None


@dataclass(frozen=True)
class Constraints:
    """Rules of an extraction, checked and in the order of names.

    Attributes:
        node_cost: Cost >= 0 of vertices, paid once for each vertex of the network; vertices not named cost nothing.
        forced_edges: (source, target) of edges that are in the network.
        forbidden_edges: Of edges that are not.
        forced_nodes: Vertices that are in the network.
        forbidden_nodes: Vertices that are not.
        rewards: Of inputs that may be left out: one that is left out adds its reward to the objective.
        max_parents: No vertex has more edges into it.
        max_depth: No path has more edges.
        min_routes: Every input keeps so many ways out, or all it has where those are fewer: vertices that follow it.
        disjoint_routes: Count paths to outputs instead that share no vertex but the input and outputs.
        signs: Every vertex has a state, 1 or -1, and every edge with a sign passes it on: unchanged along an activating
            edge, turned along an inhibiting one.
        states: States that are known, of vertices that need not be in the network.
        samples: Inputs and outputs of each sample, by its name; empty for a single one.
        shared_order: With samples: the network as a whole is acyclic; else only each sample's part of it.
        excluded: Fingerprints of networks that this one must not be.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    node_cost: Mapping[str, FiniteFloat] = field(default_factory=dict)
    forced_edges: tuple[Edge, ...] = ()
    forbidden_edges: tuple[Edge, ...] = ()
    forced_nodes: tuple[str, ...] = ()
    forbidden_nodes: tuple[str, ...] = ()
    rewards: Mapping[str, FiniteFloat] = field(default_factory=dict)
    max_parents: int | None = None
    max_depth: int | None = None
    min_routes: int = 1
    disjoint_routes: bool = False
    signs: bool = False
    states: Mapping[str, int] = field(default_factory=dict)
    samples: Mapping[str, Roles] = field(default_factory=dict)
    shared_order: bool = True
    excluded: tuple[str, ...] = ()

    @property
    def is_trivial(self) -> bool:
        """Whether nothing is asked beyond joining inputs to outputs."""
        return self == Constraints()

    @property
    def counts_edges_only(self) -> bool:
        """Whether nothing but edges adds to the objective."""
        return not self.node_cost and not self.rewards

    def cost_beside_edges(self, nodes: Iterable[str]) -> list[float]:
        """What vertices cost, and the rewards that are lost, in a network with these vertices."""
        present = set(nodes)
        costs = [cost for name, cost in self.node_cost.items() if name in present]
        return costs + [reward for name, reward in self.rewards.items() if name not in present]

    def to_dict(self) -> dict[str, Any]:
        """What differs from the default, as JSON types."""
        plain = Constraints()
        changed = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: json.loads(json.dumps(value, ensure_ascii=False))
            for name, value in changed.items()
            if value != getattr(plain, name)
        }

    @classmethod
    def from_dict(cls, data: Any) -> Constraints:
        """Inverse of `to_dict`.

        Raises:
            FormatError: A key is unknown, or a value of the wrong kind.
        """
        try:
            return TypeAdapter(cls).validate_json(json.dumps(data))
        except (ValidationError, TypeError, ValueError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": str(error)}
            where = ".".join(["constraints", *map(str, first["loc"])])
            raise FormatError(f"expected the rules of an extraction, but at {where}: {first['msg']}") from error


def constrain(
    graph: PriorGraph,
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    wanted: Sequence[str],
    node_cost: Mapping[str, float] | Sequence[float] | FloatVector | None = None,
    forced_edges: Iterable[Edge] = (),
    forbidden_edges: Iterable[Edge] = (),
    forced_nodes: Iterable[str] = (),
    forbidden_nodes: Iterable[str] = (),
    rewards: Mapping[str, float] | None = None,
    max_parents: int | None = None,
    max_depth: int | None = None,
    min_routes: int = 1,
    disjoint_routes: bool = False,
    signs: bool = False,
    states: Mapping[str, int] | None = None,
    samples: Mapping[str, Roles] | None = None,
    shared_order: bool = True,
) -> Constraints:
    """Check options against a network and against each other.

    Names that pruning dropped from `graph` are known: rules about them hold by themselves, or cannot hold.

    Args:
        graph: The prior network.
        inputs: Those that it can serve.
        outputs: Predicted vertices.
        wanted: Inputs as they were asked for; rewards may name any of them.

    Raises:
        OptionError: A value is out of its range, an option needs another one, or two contradict each other.
        UnknownNodeError: A name is not in the network.
        NoNetworkError: What is forced was dropped by pruning.
        FormatError: A single string stands where a list of names is meant.
    """
    known = _Known(graph, wanted)
    found = Constraints(
        node_cost=_node_cost(known, node_cost),
        forced_edges=known.edges(forced_edges, "forced_edges", forced=True),
        forbidden_edges=known.edges(forbidden_edges, "forbidden_edges"),
        forced_nodes=known.names(as_names(forced_nodes, role="forced_nodes"), "forced_nodes", forced=True),
        forbidden_nodes=known.names(as_names(forbidden_nodes, role="forbidden_nodes"), "forbidden_nodes"),
        rewards=_rewards(rewards, inputs, wanted),
        max_parents=_count("max_parents", max_parents),
        max_depth=_count("max_depth", max_depth),
        min_routes=_count("min_routes", min_routes) or 1,
        disjoint_routes=_flag("disjoint_routes", disjoint_routes),
        signs=_flag("signs", signs),
        states=_states(known, states or {}),
        samples=dict(samples or {}),
        shared_order=_flag("shared_order", shared_order),
    )
    if min_routes is None:
        raise OptionError("min_routes", None, "a whole number of at least 1")
    _refuse_contradictions(found, inputs, outputs)
    _refuse_what_needs_more(found)
    return found


def known_names(graph: PriorGraph, names: Sequence[str], option: str, *, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Those of the names that are in the network; others must have been dropped by pruning, or asked for as inputs.

    Raises:
        UnknownNodeError: A name is none of these.
    """
    return _Known(graph, wanted).names(names, option)


def known_edges(
    graph: PriorGraph, edges: Iterable[Edge], option: str, *, wanted: Sequence[str] = ()
) -> tuple[Edge, ...]:
    """As `known_names`, of (source, target) pairs, sorted.

    Raises:
        OptionError: A pair is no edge of the network.
        UnknownNodeError: A name is not known.
    """
    return _Known(graph, wanted).edges(edges, option)


class _Known:
    """The names that an option may use: of the network, dropped from it by pruning, or asked for as inputs."""

    def __init__(self, graph: PriorGraph, wanted: Sequence[str]) -> None:
        self.graph = graph
        self.dropped = {*graph.dropped.unreachable, *graph.dropped.dead_end, *wanted}

    def names(self, names: Sequence[str], option: str, *, forced: bool = False) -> tuple[str, ...]:
        """The names that are in the network.

        Raises:
            UnknownNodeError: A name is neither in it nor among those that are known.
            NoNetworkError: A forced one is not in the network.
        """
        absent = [name for name in names if name not in self.graph]
        unknown = [name for name in absent if name not in self.dropped]
        if unknown:
            hint = did_you_mean(unknown, self.graph.nodes).removeprefix("; ")
            raise UnknownNodeError(unknown, role=f"vertices of {option}", do=hint or "check the spelling")
        if absent and forced:
            raise NoNetworkError(
                f"expected a network with {quoted(absent)}, but no input-to-output path of the prior network leads "
                f"there; take it out of {option}, or add inputs or outputs",
                nodes=absent,
            )
        return tuple(name for name in names if name in self.graph)

    def edges(self, edges: Iterable[Edge], option: str, *, forced: bool = False) -> tuple[Edge, ...]:
        """The edges that are in the network, sorted.

        Raises:
            OptionError: One is no pair of names, or not in the prior network.
            UnknownNodeError, NoNetworkError: as `names`.
        """
        pairs = _pairs(edges, option)
        self.names(sorted({name for pair in pairs for name in pair}), option, forced=forced)
        there = [pair for pair in pairs if pair[0] in self.graph and pair[1] in self.graph]
        present = set(self.pairs) if there else set()
        absent = [pair for pair in there if pair not in present]
        if absent:
            names = [f"{source} -> {target}" for source, target in absent]
            turned = [pair for pair in absent if (pair[1], pair[0]) in present]
            do = "it runs the other way" if turned else "an extraction only chooses among its edges"
            raise OptionError(option, f"{quoted(names)} (absent)", "edges of the prior network", do=do)
        return tuple(there)

    @property
    def pairs(self) -> list[Edge]:
        """All edges of the network, in its order."""
        nodes = self.graph.nodes
        ends = zip(self.graph.sources.tolist(), self.graph.targets.tolist(), strict=True)
        return [(nodes[source], nodes[target]) for source, target in ends]


def _pairs(edges: Iterable[Edge], option: str) -> list[Edge]:
    if isinstance(edges, str | Mapping):
        raise OptionError(option, edges, "a list of (source, target) pairs of names")
    listed = list(edges)
    for pair in listed:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
            raise OptionError(option, pair, "a list of (source, target) pairs of names")
        if not all(isinstance(name, str) for name in pair):
            raise OptionError(option, pair, "a list of (source, target) pairs of names")
    return sorted({(pair[0], pair[1]) for pair in listed})


def _node_cost(known: _Known, given: Any) -> dict[str, float]:
    """Costs by name, without those that are 0."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        values = _numbers(given)
        if values.shape != (known.graph.n_nodes,):
            shape = f"of shape ({known.graph.n_nodes},)"
            raise OptionError("node_cost", values.shape, shape, do="give one cost a name of graph.nodes")
        given = dict(zip(known.graph.nodes, values.tolist(), strict=True))
    names = known.names(as_names(given, role="node_cost"), "node_cost")
    costs = {name: _number("node_cost", name, given[name]) for name in names}
    return {name: cost for name, cost in costs.items() if cost}


def _numbers(given: Any) -> FloatVector:
    try:
        return np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError("node_cost", type(given).__name__, "a mapping of names to costs, or an array") from error


def _number(option: str, name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{option} of {name!r}", value, "a number that is finite and at least 0") from error
    if not (math.isfinite(number) and number >= 0):
        raise OptionError(f"{option} of {name!r}", number, "a number that is finite and at least 0")
    return number


def _rewards(given: Mapping[str, float] | None, inputs: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise OptionError("rewards", type(given).__name__, "a mapping of input names to rewards")
    names, asked, served = as_names(given, role="rewards"), set(wanted), set(inputs)
    strange = [name for name in names if name not in asked]
    if strange:
        hint = did_you_mean(strange, list(wanted)).removeprefix("; ")
        raise OptionError("rewards", quoted(strange), "of inputs", do=hint or "only inputs may be left out")
    values = {name: _number("rewards", name, given[name]) for name in names}
    return {name: value for name, value in values.items() if name in served}


def _states(known: _Known, given: Mapping[str, int]) -> dict[str, int]:
    if not isinstance(given, Mapping):
        raise OptionError("states", type(given).__name__, "a mapping of names to 1 or -1")
    for name, state in given.items():
        if isinstance(state, bool) or state not in (1, -1):
            raise OptionError(f"states of {name!r}", state, "1 or -1")
    names = known.names(as_names(given, role="states"), "states")
    return {name: int(given[name]) for name in names}


def _count(option: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise OptionError(option, value, "a whole number of at least 1")
    return int(value)


def _flag(option: str, value: Any) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise OptionError(option, value, "True or False")
    return bool(value)


def _refuse_contradictions(found: Constraints, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    both = sorted({*found.forced_edges} & {*found.forbidden_edges})
    if both:
        names = quoted([f"{source} -> {target}" for source, target in both])
        raise OptionError("forced_edges and forbidden_edges", names, "disjoint")
    barred = {*found.forbidden_nodes}
    for option, names_ in (
        ("forced_nodes", found.forced_nodes),
        ("ends of forced_edges", [name for edge in found.forced_edges for name in edge]),
        ("inputs", inputs),
        ("outputs", outputs),
    ):
        hit = sorted(barred & {*names_})
        if hit:
            raise OptionError(f"{option} and forbidden_nodes", quoted(hit), "disjoint")


def _refuse_what_needs_more(found: Constraints) -> None:
    """Nothing is accepted and then not used."""
    if found.disjoint_routes and found.min_routes < 2:
        raise OptionError("disjoint_routes", True, "False with min_routes=1", do="give min_routes=2 or more")
    if found.states and not found.signs:
        raise OptionError("states", quoted(list(found.states)), "absent without signs=True")
    if found.samples and not found.shared_order:
        asked = [name for name in ("forced_edges", "forced_nodes", "max_depth") if getattr(found, name)]
        asked += ["min_routes"] if found.min_routes > 1 else []
        if asked:
            raise OptionError("shared_order", False, f"True with {', '.join(asked)}", do="they speak of one order")
