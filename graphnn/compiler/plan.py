"""`LayerPlan`: an acyclic network as levels of edges, with every name; NumPy only, JSON both ways.

May import `graphnn.errors`, `graphnn.graph` and `graphnn.extract.dag`; knows no Keras.

Block 0 is the data: all inputs, sorted. Level k >= 1 holds the vertices whose longest path from a source has k edges:
hidden vertices, then outputs, then *fed inputs* (measured vertices into which edges lead), each group sorted. A level
owns every edge into it, skip edges included, so no edge can be forgotten or counted twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from graphnn.compiler.level import Level
from graphnn.compiler.wiring import expand
from graphnn.errors import FormatError, MismatchError, VerificationError, quoted
from graphnn.extract.dag import Dag
from graphnn.graph.order import longest_path_levels
from graphnn.graph.reach import IntVector

FORMAT = "graphnn-plan/1"
_KEYS = ("format", "fingerprint", "inputs", "outputs", "levels")
_HIDDEN, _OUTPUT, _FED = range(3)


Array = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """The layers of a network. The constructor refuses what is no longest-path layering of named vertices.

    Attributes:
        inputs: Columns of the model's data, sorted.
        outputs: Columns of the model's prediction.
        levels: `levels[k - 1]` is level k; its sources are columns of block 0 (the data) or of earlier levels.

    Raises:
        FormatError: Names or wiring contradict each other.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    levels: tuple[Level, ...]

    def __post_init__(self) -> None:
        _check_names(self)
        _check_wiring(self)

    @property
    def depth(self) -> int:
        """Number of levels: edges of the longest path."""
        return len(self.levels)

    @property
    def n_edges(self) -> int:
        """Number of edges, each of which has one weight."""
        return sum(level.n_edges for level in self.levels)

    @property
    def n_parameters(self) -> int:
        """Edges and vertices that are no inputs: each edge has a weight, each such vertex a bias."""
        return self.n_edges + sum(level.n_biases for level in self.levels)

    def count_parameters(self, units: int = 1) -> int:
        """Trainable numbers with so many units in each hidden vertex: weights of edges of units, and biases of units.

        With one unit this is `n_parameters`.
        """
        count = 0
        for level in self.levels:
            n_targets = np.where(level.target_column < level.n_hidden, units, 1)
            for block, edges in level.edges_of_block.items():
                n_sources = np.where(level.source_column[edges] < self._n_hidden(block), units, 1)
                count += int((n_sources * n_targets[edges]).sum())
            count += level.n_hidden * units + level.n_outputs
        return count

    def hidden_counts(self, number: int) -> tuple[int, ...]:
        """Hidden vertices of each block that level `number` reads."""
        return tuple(self._n_hidden(block) for block in self.levels[number - 1].blocks)

    def _n_hidden(self, block: int) -> int:
        return 0 if block == 0 else self.levels[block - 1].n_hidden

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over names, wiring and interactions: equal for equal plans, on every machine."""
        digest = hashlib.sha256()
        _digest_names(digest, self.inputs)
        _digest_names(digest, self.outputs)
        for level in self.levels:
            _digest_names(digest, level.nodes)
            digest.update(np.array([level.n_hidden, level.n_outputs, level.n_fed], dtype="<i8").tobytes())
            for array in level.arrays:
                digest.update(np.array([len(array)], dtype="<i8").tobytes() + array.astype("<i8").tobytes())
        return digest.hexdigest()

    def block(self, number: int) -> tuple[str, ...]:
        """Names of the columns of a block: 0 is the data, k is level k."""
        return self.inputs if number == 0 else self.levels[number - 1].nodes

    def level_edges(self, number: int) -> tuple[tuple[str, str], ...]:
        """(source, target) of each edge of level `number`, in the order of that level's kernel."""
        level = self.levels[number - 1]
        names = {block: self.block(block) for block in level.blocks}
        blocks, columns = level.source_level.tolist(), level.source_column.tolist()
        sources = [names[block][column] for block, column in zip(blocks, columns, strict=True)]
        return tuple(zip(sources, (level.nodes[column] for column in level.target_column.tolist()), strict=True))

    def edges(self) -> tuple[tuple[str, str], ...]:
        """(source, target) of every edge: the kernels of all levels, one after the other."""
        return tuple(edge for number in range(1, self.depth + 1) for edge in self.level_edges(number))

    def weights_by_level(self, trainable: Sequence[Array], *, units: int = 1) -> list[tuple[Array, Array | None]]:
        """Kernel and bias (None where a level has none) of each level, from a model's trainable arrays in its order.

        Args:
            trainable: What `model.trainable_variables` holds: for each level its kernel, then its bias.
            units: Of each hidden vertex. With several, an edge gets the mean weight of its edges of units, and a vertex
                the mean bias of its units.

        Returns:
            Shapes (n_edges,) and (n_biases,).

        Raises:
            MismatchError: They are too many or too few, or of other shapes.
        """
        waiting = iter(trainable)
        found: list[tuple[Array, Array | None]] = []
        for number, level in enumerate(self.levels, start=1):
            kernel, bias = next(waiting, None), next(waiting, None) if level.n_biases else None
            columns = expand(level, units=units, hidden_counts=self.hidden_counts(number))
            shapes = tuple(None if array is None else array.shape for array in (kernel, bias))
            expected = ((columns.wiring.n_edges,), (columns.wiring.n_biases,) if level.n_biases else None)
            if kernel is None or shapes != expected:
                raise MismatchError(f"expected arrays of the shapes {expected}, got {shapes}; give those of this plan")
            if units > 1:
                kernel = _means(kernel, columns.edge)
                bias = None if bias is None else _means(bias, columns.node[: len(bias)])
            found.append((kernel, bias))
        if next(waiting, None) is not None:
            raise MismatchError("expected the arrays of the plan's levels, got more; give those of this plan")
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LayerPlan) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return (
            f"LayerPlan({len(self.inputs):,} inputs, {len(self.outputs):,} outputs, {self.depth} levels, "
            f"{self.n_edges:,} edges, {self.n_parameters:,} parameters)"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types."""
        return {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "levels": [level.to_dict() for level in self.levels],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> LayerPlan:
        """Inverse of `to_dict`.

        Raises:
            FormatError: It is no such dictionary, it contradicts itself, or its fingerprint does not fit it.
        """
        if not isinstance(data, Mapping) or data.get("format") != FORMAT:
            raise FormatError(
                f"expected a plan with format {FORMAT!r}, got {str(data)[:60]!r}; write it with to_json()"
            )
        if set(data) != set(_KEYS):
            raise FormatError(f"expected the keys {', '.join(_KEYS)}, got {', '.join(map(str, data))}; write it again")
        for key in ("inputs", "outputs", "levels"):
            if not isinstance(data[key], list):
                raise FormatError(f"expected a list under {key!r}, got {str(data[key])[:60]!r}; write the plan again")
        levels = tuple(Level.from_dict(level) for level in data["levels"])
        plan = cls(tuple(data["inputs"]), tuple(data["outputs"]), levels)
        if plan.fingerprint != data["fingerprint"]:
            raise FormatError(
                f"expected a plan that fits its fingerprint {str(data['fingerprint'])[:16]}, got one with "
                f"{plan.fingerprint[:16]}; it was changed, so plan the network again"
            )
        return plan

    @classmethod
    def from_json(cls, text: str) -> LayerPlan:
        """Inverse of `to_json`; raises like `from_dict`, and FormatError where the text is no JSON."""
        try:
            data = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise FormatError(f"expected a plan in JSON, got text that is not ({error}); is this the file?") from error
        return cls.from_dict(data)


def plan_layers(dag: Dag) -> LayerPlan:
    """Lay an acyclic network out in levels by longest path.

    Law: each edge of the network is in exactly one level.

    Args:
        dag: Acyclic, every vertex on some input-to-output path.

    Raises:
        VerificationError: A vertex is both input and output.

    Example:
        >>> from graphnn.graph.prior import PriorGraph
        >>> g = PriorGraph.from_sif_tuples([("a", 1, "h"), ("h", 1, "y"), ("a", -1, "y")])
        >>> plan = plan_layers(Dag.from_graph(g, ["a"], ["y"]))
        >>> [level.nodes for level in plan.levels], plan.edges(), plan.n_parameters
        ([('h',), ('y',)], (('a', 'h'), ('a', 'y'), ('h', 'y')), 5)
    """
    both = sorted({*dag.inputs} & {*dag.outputs})
    if both:
        raise VerificationError(
            "roles", f"expected inputs and outputs to be different vertices, but {quoted(both)} is both", names=both
        )
    graph = dag.graph
    depth_of = longest_path_levels(graph.n_nodes, graph.sources, graph.targets)
    kind = np.full(graph.n_nodes, _HIDDEN)
    kind[graph.indices(dag.outputs, role="outputs")] = _OUTPUT
    kind[graph.indices(dag.inputs, role="inputs")] = _FED
    inputs = tuple(sorted(dag.inputs))
    column = _columns(depth_of, kind)
    column_of_input = np.full(graph.n_nodes, -1, dtype=np.int64)
    column_of_input[graph.indices(inputs)] = np.arange(len(inputs))
    column[depth_of == 0] = column_of_input[depth_of == 0]
    levels = []
    for number in range(1, int(depth_of.max(initial=0)) + 1):
        members = np.flatnonzero(depth_of == number)
        members = members[np.argsort(column[members])]
        edges = np.flatnonzero(depth_of[graph.targets] == number)
        tails, heads = graph.sources[edges], graph.targets[edges]
        order = np.lexsort((column[tails], column[heads], depth_of[tails]))
        count = np.bincount(kind[members], minlength=3).tolist()
        levels.append(
            Level(
                nodes=tuple(graph.nodes[vertex] for vertex in members.tolist()),
                n_hidden=count[_HIDDEN],
                n_outputs=count[_OUTPUT],
                n_fed=count[_FED],
                input_columns=column_of_input[members[kind[members] == _FED]],
                source_level=depth_of[tails[order]],
                source_column=column[tails[order]],
                target_column=column[heads[order]],
                interaction=graph.interactions[edges[order]].astype(np.int64),
            )
        )
    return LayerPlan(inputs, tuple(dag.outputs), tuple(levels))


def describe_difference(expected: LayerPlan, got: LayerPlan) -> str:
    """The first things in which two plans differ, in words; empty where they are equal."""
    found = []
    for role, ours, theirs in (
        ("inputs", expected.inputs, got.inputs),
        ("outputs", expected.outputs, got.outputs),
        ("vertices", _nodes(expected), _nodes(got)),
        ("edges", map(" -> ".join, expected.edges()), map(" -> ".join, got.edges())),
    ):
        left, right = dict.fromkeys(ours), dict.fromkeys(theirs)
        missing, extra = [name for name in left if name not in right], [name for name in right if name not in left]
        found += [f"it lacks the {role} {quoted(missing, limit=3)}"] if missing else []
        found += [f"it has the further {role} {quoted(extra, limit=3)}"] if extra else []
    if not found and expected != got:
        found = ["interactions or the order of columns differ"]
    return "; ".join(found)


def _means(values: Array, group: IntVector) -> Array:
    """Mean of each group, which are numbered from 0."""
    return (np.bincount(group, weights=values) / np.bincount(group)).astype(np.float32)


def _columns(depth_of: IntVector, kind: IntVector) -> IntVector:
    """Rank of each vertex within its level, by kind and then by name (vertices are numbered by name)."""
    order = np.lexsort((np.arange(len(kind)), kind, depth_of))
    first = np.searchsorted(depth_of[order], np.arange(int(depth_of.max(initial=0)) + 1))
    column = np.empty(len(kind), dtype=np.int64)
    column[order] = np.arange(len(kind)) - first[depth_of[order]]
    return column


def _nodes(plan: LayerPlan) -> Iterable[str]:
    return (*plan.inputs, *(name for level in plan.levels for name in level.nodes))


def _digest_names(digest: Any, names: Sequence[str]) -> None:
    """Length before name: no character, not even NUL, can make two lists of names look alike."""
    digest.update(b"%d;" % len(names))
    for name in names:
        encoded = name.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(encoded) + encoded)


def _check_names(plan: LayerPlan) -> None:
    for role, names in (("inputs", plan.inputs), ("outputs", plan.outputs)):
        if not names or any(not isinstance(name, str) or not name for name in names):
            raise FormatError(f"expected {role} to be non-empty names, got {str(names)[:60]}; plan the network again")
    if list(plan.inputs) != sorted(set(plan.inputs)):
        raise FormatError("expected the inputs sorted and each once, got another order; plan the network again")
    fed = [name for level in plan.levels for name in level.fed]
    computed = [name for level in plan.levels for name in level.nodes[: level.n_biases]]
    outputs = [name for level in plan.levels for name in level.outputs]
    if len({*computed, *plan.inputs}) != len(computed) + len(plan.inputs) or len(set(fed)) != len(fed):
        raise FormatError("expected every vertex in one place, but a name stands twice; plan the network again")
    if sorted(outputs) != sorted(plan.outputs):
        raise FormatError(
            f"expected the outputs {quoted(plan.outputs)} in the levels, got {quoted(outputs)}; plan the network again"
        )
    for level in plan.levels:
        columns = level.input_columns
        if (columns >= len(plan.inputs)).any() or [plan.inputs[column] for column in columns.tolist()] != [*level.fed]:
            raise FormatError("expected fed inputs to name their data column, got another; plan the network again")


def _check_wiring(plan: LayerPlan) -> None:
    used = [np.zeros(len(plan.block(number)), dtype=bool) for number in range(plan.depth + 1)]
    for number, level in enumerate(plan.levels, start=1):
        if (level.source_level >= number).any():
            raise FormatError(f"expected level {number} to read earlier levels only; plan the network again")
        nearest = np.full(level.n_nodes, -1)
        np.maximum.at(nearest, level.target_column, level.source_level)
        if (nearest != number - 1).any():
            raise FormatError(
                f"expected every vertex of level {number} to read level {number - 1} (longest path), but "
                f"{quoted([level.nodes[column] for column in np.flatnonzero(nearest != number - 1)])} does not; "
                "plan the network again"
            )
        for block, edges in level.edges_of_block.items():
            if (level.source_column[edges] >= len(used[block])).any():
                raise FormatError(f"expected sources within block {block}, got a column beyond it; plan it again")
            used[block][level.source_column[edges]] = True
    _check_use(plan, used)


def _check_use(plan: LayerPlan, used: list[Any]) -> None:
    """Every vertex but an output feeds another; a fed input does so from its level, never from the data."""
    fed = np.zeros(len(plan.inputs), dtype=bool)
    for number, level in enumerate(plan.levels, start=1):
        fed[level.input_columns] = True
        needs = np.ones(level.n_nodes, dtype=bool)
        needs[level.n_hidden : level.n_biases] = False
        idle = np.flatnonzero(needs & ~used[number])
        if idle.size:
            names = quoted([level.nodes[column] for column in idle])
            raise FormatError(f"expected every vertex but outputs to feed another, but not so {names}; plan it again")
    wrong = np.flatnonzero(used[0] == fed)
    if wrong.size:
        raise FormatError(
            f"expected the data of {quoted([plan.inputs[i] for i in wrong])} to be read in one place; plan it again"
        )
