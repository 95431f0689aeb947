"""`PriorGraph`, the prior knowledge network: frozen, sorted by name, edges as index arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from graphnn.errors import FormatError, NoNetworkError, UnknownNodeError, did_you_mean, quoted
from graphnn.graph.interaction import parse_interaction
from graphnn.graph.reach import BoolVector, IntVector, reachable

if TYPE_CHECKING:
    import networkx as nx
    import pandas as pd

SignVector = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Ingestion:
    """What was merged or left out when a network was read; every policy of `PriorGraph.from_edges` is counted here.

    Attributes:
        n_rows: Edges that were given.
        self_loops: Vertices whose edge to themselves was left out (a vertex cannot compute from its own result).
        duplicates: Edges (source, target) that were given more than once with no contradiction; kept once.
        sign_conflicts: Edges given both as activating and inhibiting; kept once, with interaction 0 (unknown).
    """

    n_rows: int = 0
    self_loops: tuple[str, ...] = ()
    duplicates: tuple[tuple[str, str], ...] = ()
    sign_conflicts: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Counts and names, as JSON types."""
        return {
            "n_rows": self.n_rows,
            "self_loops": list(self.self_loops),
            "duplicates": [list(edge) for edge in self.duplicates],
            "sign_conflicts": [list(edge) for edge in self.sign_conflicts],
        }


@dataclass(frozen=True)
class Dropped:
    """What `prune` took away, and why. Each name stands in one group of vertices only.

    Attributes:
        absent_inputs: Requested inputs that are not in the network.
        absent_outputs: Requested outputs that are not in the network.
        unreachable: Vertices that no input reaches.
        dead_end: Vertices that an input reaches, or that are inputs, from which no output can be reached.
        lost_inputs: Requested inputs among `dead_end`.
        lost_outputs: Requested outputs among `unreachable`.
        n_edges: Edges that were dropped with them.
    """

    absent_inputs: tuple[str, ...] = ()
    absent_outputs: tuple[str, ...] = ()
    unreachable: tuple[str, ...] = ()
    dead_end: tuple[str, ...] = ()
    lost_inputs: tuple[str, ...] = ()
    lost_outputs: tuple[str, ...] = ()
    n_edges: int = 0

    @property
    def absent(self) -> tuple[str, ...]:
        """Requested inputs and outputs that are not in the network, sorted."""
        return tuple(sorted({*self.absent_inputs, *self.absent_outputs}))

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        return {
            "absent_inputs": len(self.absent_inputs),
            "absent_outputs": len(self.absent_outputs),
            "unreachable": len(self.unreachable),
            "dead_end": len(self.dead_end),
            "lost_inputs": len(self.lost_inputs),
            "lost_outputs": len(self.lost_outputs),
            "edges": self.n_edges,
        }

    def to_dict(self) -> dict[str, Any]:
        """Counts and names, as JSON types."""
        names = ("absent_inputs", "absent_outputs", "unreachable", "dead_end", "lost_inputs", "lost_outputs")
        return {"counts": self.counts, **{name: list(getattr(self, name)) for name in names}}

    def to_frame(self) -> pd.DataFrame:
        """One row a lost name: node, role (input, output, hidden), reason (absent, unreachable, dead end)."""
        import pandas as pd

        rows = [(name, "input", "absent") for name in self.absent_inputs]
        rows += [(name, "output", "absent") for name in self.absent_outputs]
        lost = {**dict.fromkeys(self.lost_inputs, "input"), **dict.fromkeys(self.lost_outputs, "output")}
        rows += [(name, lost.get(name, "hidden"), "unreachable") for name in self.unreachable]
        rows += [(name, lost.get(name, "hidden"), "dead end") for name in self.dead_end]
        return pd.DataFrame(rows, columns=["node", "role", "reason"])


@dataclass(frozen=True, eq=False)
class PriorGraph:
    """A simple directed graph of named vertices with signed edges, in the direction of computation.

    Make one with `from_sif_tuples`, `from_edges`, `from_networkx` or a reader; the constructor expects what those
    guarantee. Two graphs are equal when their names, edges and interactions are.

    Attributes:
        nodes: Names, sorted by code point.
        sources: Index into `nodes` of each edge's tail, shape (n_edges,), read-only.
        targets: Index into `nodes` of each edge's head, shape (n_edges,), read-only.
        interactions: 1 activates, -1 inhibits, 0 unknown, shape (n_edges,), read-only.
        ingestion: What reading merged or left out.
        dropped: What pruning took away.

    Edges are sorted by (source, target), so row i of `to_frame()` is edge i everywhere.
    """

    nodes: tuple[str, ...]
    sources: IntVector
    targets: IntVector
    interactions: SignVector
    ingestion: Ingestion = field(default_factory=Ingestion)
    dropped: Dropped = field(default_factory=Dropped)

    def __post_init__(self) -> None:
        for name in ("sources", "targets", "interactions"):
            view = getattr(self, name).view()  # read-only for us; the caller's array stays as it was
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    # -- making one ------------------------------------------------------------------------------------------

    @classmethod
    def from_sif_tuples(cls, tuples: Iterable[tuple[str, object, str]]) -> PriorGraph:
        """Build from (source, interaction, target) triples.

        Args:
            tuples: Interaction is 1, -1, 0 or a word such as "activates", "-|" (see `graphnn.graph.interaction`).

        Raises:
            FormatError: A triple is not a triple, a name is empty or no string, or an interaction is unknown.

        Example:
            >>> PriorGraph.from_sif_tuples([("a", 1, "b"), ("b", "inhibits", "c")]).shape
            (3, 2)
        """
        rows = list(tuples)
        for position, row in enumerate(rows, start=1):
            if not isinstance(row, tuple | list) or len(row) != 3:
                raise FormatError(
                    f"expected (source, interaction, target), got {row!r} at position {position}; give three fields"
                )
        signs: dict[str, int] = {}
        words = [str(row[1]) for row in rows]
        for word in words:
            if word not in signs:
                signs[word] = parse_interaction(word)
        return cls.from_edges([row[0] for row in rows], [row[2] for row in rows], [signs[word] for word in words])

    @classmethod
    def from_edges(
        cls,
        sources: Sequence[str],
        targets: Sequence[str],
        interactions: Sequence[int] | npt.NDArray[Any],
        *,
        isolated: Sequence[str] = (),
    ) -> PriorGraph:
        """Build from three columns of equal length.

        Policies, each counted in `ingestion`: an edge from a vertex to itself is left out (the vertex stays); an edge
        given twice is kept once; where one copy has sign 0 the known sign wins; where copies contradict each other
        the edge is kept once with interaction 0.

        Args:
            sources: Names of the tails, shape (n_rows,).
            targets: Names of the heads, shape (n_rows,).
            interactions: 1, -1 or 0, shape (n_rows,).
            isolated: Names of further vertices, with or without edges.

        Raises:
            FormatError: A name is empty or not a string, an interaction is none, or columns differ in length.
        """
        import pandas as pd

        if not len(sources) == len(targets) == len(interactions):
            raise FormatError(
                f"expected columns of one length, got {len(sources)} sources, {len(targets)} targets and "
                f"{len(interactions)} interactions"
            )
        signs = np.asarray(interactions)
        odd = signs[~np.isin(signs, (-1, 0, 1))]
        if len(odd):
            raise FormatError(f"expected interactions 1, -1 or 0, got {odd[0]}; use parse_interaction for words")
        labels = np.empty(2 * len(sources) + len(isolated), dtype=object)
        labels[: len(sources)] = sources
        labels[len(sources) : 2 * len(sources)] = targets
        labels[2 * len(sources) :] = isolated
        try:
            codes, unique = pd.factorize(labels, use_na_sentinel=False)
        except TypeError as error:
            raise FormatError(f"expected every vertex name to be a string, got another type ({error})") from error
        for name in unique:
            if not isinstance(name, str) or not name or not _is_text(name):
                raise FormatError(f"expected every vertex name to be a non-empty text, got {name!r}; rename the vertex")
        nodes = tuple(sorted(unique))
        rank = {name: index for index, name in enumerate(nodes)}
        index = np.fromiter((rank[name] for name in unique), dtype=np.int64, count=len(unique))[codes]
        tails, heads = index[: len(sources)], index[len(sources) : 2 * len(sources)]
        return _simple_graph(nodes, tails, heads, signs.astype(np.int8))

    @classmethod
    def from_networkx(cls, graph: nx.DiGraph, *, interaction: str = "interaction") -> PriorGraph:
        """Build from a networkx DiGraph or MultiDiGraph with string nodes; see `graphnn.graph.networkx`."""
        from graphnn.graph.networkx import from_networkx

        return from_networkx(graph, interaction=interaction)

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def n_nodes(self) -> int:
        """Number of vertices."""
        return len(self.nodes)

    @property
    def n_edges(self) -> int:
        """Number of edges between vertices; source and sink edges of flow models are never among them."""
        return len(self.sources)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_nodes, n_edges)."""
        return self.n_nodes, self.n_edges

    @cached_property
    def position(self) -> dict[str, int]:
        """Index of each name in `nodes`."""
        return {name: index for index, name in enumerate(self.nodes)}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, edges and signs: equal for equal graphs, on every machine."""
        digest = hashlib.sha256()
        for name in self.nodes:
            text = name.encode()
            digest.update(len(text).to_bytes(4, "little") + text)
        digest.update(b"edges")
        for array, kind in ((self.sources, "<i8"), (self.targets, "<i8"), (self.interactions, "<i1")):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return digest.hexdigest()

    def indices(self, names: Iterable[str], *, role: str = "vertices") -> IntVector:
        """Index of each name, shape (n_names,).

        Raises:
            UnknownNodeError: Some names are not in the network.
        """
        names = list(names)
        absent = [name for name in names if name not in self.position]
        if absent:
            raise UnknownNodeError(
                absent, role=role, do="check the spelling, or prune() first, which reports and drops them"
            )
        return np.array([self.position[name] for name in names], dtype=np.int64)

    def __contains__(self, name: object) -> bool:
        return name in self.position

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PriorGraph) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"PriorGraph({self.n_nodes:,} nodes, {self.n_edges:,} edges)"

    # -- giving it away --------------------------------------------------------------------------------------

    def to_frame(self) -> pd.DataFrame:
        """Edges as a table with the columns source, interaction, target; row i is edge i."""
        import pandas as pd

        names = np.array(self.nodes, dtype=object)
        return pd.DataFrame(
            {
                "source": names[self.sources],
                "interaction": self.interactions.astype(np.int64),
                "target": names[self.targets],
            }
        )

    def to_sif_tuples(self) -> list[tuple[str, int, str]]:
        """Edges as (source, interaction, target), in edge order."""
        triples = zip(self.sources.tolist(), self.interactions.tolist(), self.targets.tolist(), strict=True)
        return [(self.nodes[source], sign, self.nodes[target]) for source, sign, target in triples]

    def to_networkx(self) -> nx.DiGraph:
        """A networkx DiGraph with the edge attribute `interaction`."""
        from graphnn.graph.networkx import to_networkx

        return to_networkx(self)

    # -- taking parts of it ----------------------------------------------------------------------------------

    def keep_nodes(self, keep: BoolVector) -> PriorGraph:
        """The subgraph of the marked vertices and all edges among them; `keep` has shape (n_nodes,)."""
        inside = keep[self.sources] & keep[self.targets]
        return self._subgraph(keep, inside)

    def keep_edges(self, keep: BoolVector | IntVector) -> PriorGraph:
        """The subgraph of the chosen edges (mask or indices) and exactly the vertices that they touch."""
        inside = np.zeros(self.n_edges, dtype=bool)
        inside[keep] = True
        touched = np.zeros(self.n_nodes, dtype=bool)
        touched[self.sources[inside]] = touched[self.targets[inside]] = True
        return self._subgraph(touched, inside)

    def _subgraph(self, nodes: BoolVector, edges: BoolVector) -> PriorGraph:
        renumber = np.cumsum(nodes) - 1
        return PriorGraph(
            nodes=tuple(name for name, kept in zip(self.nodes, nodes.tolist(), strict=True) if kept),
            sources=renumber[self.sources[edges]],
            targets=renumber[self.targets[edges]],
            interactions=self.interactions[edges],
            ingestion=self.ingestion,
        )

    def prune(self, inputs: Iterable[str], outputs: Iterable[str], *, strict: bool = False) -> PriorGraph:
        """Keep exactly the vertices on some walk from an input to an output, and all edges among them.

        Args:
            inputs: Names of the measured vertices. Names that are not in the network are reported in `dropped`.
            outputs: Names of the predicted vertices.
            strict: Raise for absent inputs and outputs instead of reporting them.

        Returns:
            The pruned network; its `dropped` says what was lost and why. Pruning it again changes nothing.

        Raises:
            UnknownNodeError: `strict`, and an input or output is not in the network.
            NoNetworkError: No input is in the network, no output is, or none of them are connected.

        Example:
            >>> g = PriorGraph.from_sif_tuples([("x", 1, "h"), ("h", 1, "y"), ("h", 1, "dead"), ("lost", 1, "y")])
            >>> p = g.prune(["x", "absent"], ["y"])
            >>> p.nodes, p.dropped.absent, p.dropped.dead_end, p.dropped.unreachable
            (('h', 'x', 'y'), ('absent',), ('dead',), ('lost',))
        """
        wanted_in, wanted_out = as_names(inputs, role="inputs"), as_names(outputs, role="outputs")
        absent_in = tuple(name for name in wanted_in if name not in self.position)
        absent_out = tuple(name for name in wanted_out if name not in self.position)
        if strict and (absent_in or absent_out):
            role = "inputs" if absent_in else "outputs"
            raise UnknownNodeError(
                absent_in or absent_out, role=role, do="correct the names or prune with strict=False"
            )
        starts = self.indices(name for name in wanted_in if name in self.position)
        ends = self.indices(name for name in wanted_out if name in self.position)
        for found, wanted, role in ((starts, wanted_in, "input"), (ends, wanted_out, "output")):
            if not len(found):
                raise NoNetworkError(
                    f"expected at least one {role} in the network, but none of {len(wanted):,} is in it "
                    f"({quoted(wanted)}); check names and suffixes such as '_gene'" + did_you_mean(wanted, self.nodes),
                    inputs=absent_in,
                    outputs=absent_out,
                )
        forward = reachable(self.n_nodes, self.sources, self.targets, starts)
        backward = reachable(self.n_nodes, self.targets, self.sources, ends)
        keep = forward & backward
        if not keep.any():
            raise NoNetworkError(
                f"expected a path from an input to an output, but none of {len(starts):,} inputs reaches "
                f"{quoted([self.nodes[end] for end in ends])}; check the direction of the edges "
                "(computation runs from measured genes to the output; reverse a KPNN edge list on reading)",
                inputs=[self.nodes[start] for start in starts],
                outputs=[self.nodes[end] for end in ends],
            )
        kept = self.keep_nodes(keep)
        return replace(kept, dropped=self._dropped(kept, forward, backward, starts, ends, absent_in, absent_out))

    def _dropped(
        self,
        kept: PriorGraph,
        forward: BoolVector,
        backward: BoolVector,
        starts: IntVector,
        ends: IntVector,
        absent_inputs: tuple[str, ...],
        absent_outputs: tuple[str, ...],
    ) -> Dropped:
        return Dropped(
            absent_inputs=absent_inputs,
            absent_outputs=absent_outputs,
            unreachable=self._named(np.flatnonzero(~forward)),
            dead_end=self._named(np.flatnonzero(forward & ~backward)),
            lost_inputs=self._named(np.sort(starts[~backward[starts]])),
            lost_outputs=self._named(np.sort(ends[~forward[ends]])),
            n_edges=self.n_edges - kept.n_edges,
        )

    def _named(self, indices: IntVector) -> tuple[str, ...]:
        return tuple(self.nodes[index] for index in indices.tolist())


def as_names(names: Iterable[str], *, role: str) -> tuple[str, ...]:
    """Names as given, each once, sorted.

    Raises:
        FormatError: A bare string was given where a list of names is meant, or a name is not a string.
    """
    if isinstance(names, str):
        raise FormatError(f"expected {role} to be a list of names, got the single string {names!r}; write [{names!r}]")
    unique = list(dict.fromkeys(names))
    odd = [name for name in unique if not isinstance(name, str)]
    if odd:
        raise FormatError(f"expected {role} to be names (str), got {odd[0]!r}; convert them to str")
    return tuple(sorted(unique))


def _simple_graph(nodes: tuple[str, ...], tails: IntVector, heads: IntVector, signs: SignVector) -> PriorGraph:
    """Merge parallel edges and leave self-loops out; count both."""
    loops = tails == heads
    proper = ~loops
    key = tails[proper] * len(nodes) + heads[proper]
    edges, group, copies = np.unique(key, return_inverse=True, return_counts=True)
    positive = np.bincount(group, weights=signs[proper] > 0, minlength=len(edges)) > 0
    negative = np.bincount(group, weights=signs[proper] < 0, minlength=len(edges)) > 0
    sources, targets = edges // max(len(nodes), 1), edges % max(len(nodes), 1)
    conflict = positive & negative
    repeated = (copies > 1) & ~conflict

    def named(mask: BoolVector) -> tuple[tuple[str, str], ...]:
        pairs = zip(sources[mask].tolist(), targets[mask].tolist(), strict=True)
        return tuple((nodes[source], nodes[target]) for source, target in pairs)

    return PriorGraph(
        nodes=nodes,
        sources=sources,
        targets=targets,
        interactions=(positive.astype(np.int8) - negative.astype(np.int8)),
        ingestion=Ingestion(
            n_rows=len(tails),
            self_loops=tuple(nodes[index] for index in np.unique(tails[loops]).tolist()),
            duplicates=named(repeated),
            sign_conflicts=named(conflict),
        ),
    )


def _is_text(name: str) -> bool:
    """Whether a name can be written to a file: lone surrogates, as broken decoding leaves them, cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
