"""`Rules`: what a network has to respect besides covering its inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from solvers.errors import ProblemError


@dataclass(frozen=True)
class Sample:
    """Inputs and outputs of one sample (condition): each of the inputs must reach one of the outputs, and so on."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Rules:
    """Options of a problem. S is the set of chosen edges, V(S) the vertices at their ends.

    Attributes:
        forced_edges: Edges that are in S.
        forbidden_edges: Edges that are not.
        forced_vertices: Vertices that are in V(S).
        forbidden_vertices: Vertices that are not; no input and no output.
        rewards: Of inputs that may be left out: an input that is not in V(S) adds its reward (>= 0) to the objective.
            Inputs that are not named here are required. Of the others nothing is asked, in whatever sample; one is in
            V(S) also where only the way of another passes it.
        max_parents: No vertex has more than so many edges of S into it (fan-in).
        max_depth: No directed path of S has more than so many edges.
        min_routes: Every input in V(S) keeps at least so many routes in S, or as many as there are, if those are fewer:
            over all edges that are not forbidden and lie on a walk from an input to an output of one sample that is
            not longer than `max_depth`. Routes are counted by the vertices that follow the input and lead to an output
            without it (regulators; parallel edges are one route); see `disjoint_routes`.
        disjoint_routes: Count paths from the input to outputs instead that share no vertex but the input and outputs
            (an output ends a path).
        signs: Of each edge, 1, -1 or 0 (unknown, free). Given, every vertex of V(S) has one state, 1 or -1, and along
            every edge of S with a sign the state of the head is the sign times the state of the tail.
        states: States that are known, by vertex; they bind vertices of V(S) only, and need `signs`.
        samples: Several samples share S, and the roles are read by sample: every (required) input of a sample reaches
            an output of that sample, every output of a sample is reached from an input of that sample, and every edge
            of S lies on a walk in S from an input to an output of one sample. None: one sample.
        shared_order: With samples: S as a whole is acyclic. False: S contains, for each sample, an acyclic network
            that covers the sample, and is the union of such networks; S itself may have cycles. Forced edges and
            vertices, `max_depth`, `min_routes`, `excluded` and negative costs speak of one acyclic network and are
            refused then.
        excluded: Sets of edges that S must not be, to enumerate networks one after the other.
    """

    forced_edges: tuple[int, ...] = ()
    forbidden_edges: tuple[int, ...] = ()
    forced_vertices: tuple[int, ...] = ()
    forbidden_vertices: tuple[int, ...] = ()
    rewards: Mapping[int, float] = field(default_factory=dict)
    max_parents: int | None = None
    max_depth: int | None = None
    min_routes: int = 1
    disjoint_routes: bool = False
    signs: tuple[int, ...] | None = None
    states: Mapping[int, int] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    shared_order: bool = True
    excluded: tuple[tuple[int, ...], ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether nothing is asked beyond covering."""
        return self == Rules()

    def checked(self, *, n_vertices: int, n_edges: int, inputs: Sequence[int], outputs: Sequence[int]) -> Rules:
        """The rules with sorted tuples of plain numbers, if they can be meant.

        Raises:
            ProblemError: A number is out of range, or two rules contradict each other.
        """
        edges = {name: _numbers(getattr(self, name), n_edges, name) for name in ("forced_edges", "forbidden_edges")}
        vertices = {
            name: _numbers(getattr(self, name), n_vertices, name) for name in ("forced_vertices", "forbidden_vertices")
        }
        _disjoint(edges["forced_edges"], edges["forbidden_edges"], "edges that are forced and forbidden")
        _disjoint(vertices["forced_vertices"], vertices["forbidden_vertices"], "vertices that are forced and forbidden")
        _disjoint(vertices["forbidden_vertices"], [*inputs, *outputs], "forbidden vertices that are inputs or outputs")
        rewards = {_whole(vertex, "rewards"): float(reward) for vertex, reward in self.rewards.items()}
        rewards = dict(sorted(rewards.items()))
        known = {*inputs}
        for vertex, reward in rewards.items():
            if vertex not in known:
                raise ProblemError(f"expected rewards of inputs, got one for vertex {vertex}, which is none")
            if not 0 <= reward < float("inf"):
                raise ProblemError(f"expected rewards that are finite and >= 0, got {reward} for vertex {vertex}")
        for name, least in (("max_parents", 1), ("max_depth", 1), ("min_routes", 1)):
            value = getattr(self, name)
            if value is not None and not _is_count(value, least):
                raise ProblemError(f"expected {name} to be a whole number of at least {least}, got {value!r}")
        if self.states and self.signs is None:
            raise ProblemError("expected signs beside states, got none; give the sign of each edge")
        if self.samples and not self.shared_order:
            self._refuse_what_speaks_of_one_order()
        return Rules(
            **edges,
            **vertices,
            rewards=rewards,
            max_parents=None if self.max_parents is None else int(self.max_parents),
            max_depth=None if self.max_depth is None else int(self.max_depth),
            min_routes=int(self.min_routes),
            disjoint_routes=bool(self.disjoint_routes) and self.min_routes > 1,
            signs=_signs(self.signs, n_edges),
            states=_states(self.states, n_vertices),
            samples=_samples(self.samples, inputs, outputs),
            shared_order=bool(self.shared_order) or len(self.samples) < 2,
            excluded=tuple(_numbers(edges, n_edges, "excluded edges") for edges in self.excluded),
        )

    def _refuse_what_speaks_of_one_order(self) -> None:
        named = [name for name in ("forced_edges", "forced_vertices", "max_depth", "excluded") if getattr(self, name)]
        named += ["min_routes"] if self.min_routes > 1 else []
        if named:
            raise ProblemError(f"expected shared_order=True with {', '.join(named)}, got samples with their own orders")


def _whole(value: Any, what: str) -> int:
    """A number that is whole already; nothing is rounded."""
    try:
        if not isinstance(value, bool | str) and int(value) == value:
            return int(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ProblemError(f"expected whole numbers as {what}, got {value!r}")


def _is_count(value: Any, least: int) -> bool:
    try:
        return _whole(value, "counts") >= least
    except ProblemError:
        return False


def _numbers(values: Iterable[Any], limit: int, what: str) -> tuple[int, ...]:
    numbers = sorted({_whole(value, what) for value in values})
    if numbers and not 0 <= numbers[0] <= numbers[-1] < limit:
        raise ProblemError(f"expected {what} in [0, {limit}), got {numbers[0]} .. {numbers[-1]}")
    return tuple(numbers)


def _disjoint(one: Iterable[int], other: Iterable[int], what: str) -> None:
    both = sorted({*one} & {*other})
    if both:
        raise ProblemError(f"expected no {what}, got {', '.join(map(str, both[:5]))}")


def _signs(signs: Sequence[int] | None, n_edges: int) -> tuple[int, ...] | None:
    if signs is None:
        return None
    values = tuple(_whole(sign, "signs") for sign in signs)
    if len(values) != n_edges or not {*values} <= {-1, 0, 1}:
        raise ProblemError(f"expected {n_edges} signs of -1, 0 and 1, got {len(values)}: {sorted({*values})[:5]}")
    return values


def _states(states: Mapping[int, int], n_vertices: int) -> dict[int, int]:
    values = {_whole(vertex, "states"): _whole(state, "states") for vertex, state in states.items()}
    values = dict(sorted(values.items()))
    _numbers(values, n_vertices, "vertices with a state")
    if not {*values.values()} <= {-1, 1}:
        raise ProblemError(f"expected states of 1 and -1, got {sorted({*values.values()})}")
    return values


def _samples(samples: Sequence[Sample], inputs: Sequence[int], outputs: Sequence[int]) -> tuple[Sample, ...]:
    """Samples with sorted roles that together are the inputs and the outputs of the problem."""
    if not samples:
        return ()
    checked = tuple(
        Sample(
            tuple(sorted({_whole(vertex, "samples") for vertex in sample.inputs})),
            tuple(sorted({_whole(vertex, "samples") for vertex in sample.outputs})),
        )
        for sample in samples
    )
    if any(not sample.inputs or not sample.outputs for sample in checked):
        raise ProblemError("expected inputs and outputs in every sample, got a sample without")
    together = (
        sorted({v for sample in checked for v in sample.inputs}),
        sorted({v for sample in checked for v in sample.outputs}),
    )
    if together != ([int(v) for v in inputs], [int(v) for v in outputs]):
        raise ProblemError("expected samples whose inputs and outputs together are those of the problem, got others")
    return checked
