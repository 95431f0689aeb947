"""Where the vertices of the hidden network stand: which are drawn, in which column, in which order, how large."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphnn.errors import FormatError, OptionError

OUTPUT_RADIUS = 7.5
_UNKNOWN_RANK = float("-inf")


@dataclass
class Item:
    """A vertex of the picture, or (name None) the point where a long edge crosses a column."""

    column: int
    above: float  # room it needs over and under its centre
    below: float
    name: str | None = None
    y: float = 0.0


@dataclass(frozen=True)
class Scale:
    """What the area of a circle stands for.

    Attributes:
        by: "importance" or "inputs".
        largest: The greatest value of the picture.
    """

    by: str
    largest: float

    def radius(self, value: float | None) -> float:
        """Radius of a circle: its area grows with the value; the smallest one for a value that is not known."""
        share = max(value or 0.0, 0.0) / self.largest if self.largest > 0 else 0.0
        return 3.5 + 8.5 * math.sqrt(share)

    def size(self, node: Mapping[str, Any]) -> float:
        """Half the width of a vertex; outputs are never small."""
        r = self.radius(node["importance"] if self.by == "importance" else node["n_inputs"])
        return max(r, OUTPUT_RADIUS) if node["role"] == "output" else r


def scale_of(nodes: Sequence[Mapping[str, Any]], *, by: str = "importance") -> Scale:
    """The scale of a picture of these vertices; where none has an importance, that of their measured inputs.

    Raises:
        OptionError: `by` is neither "importance" nor "inputs".
    """
    if by not in ("importance", "inputs"):
        raise OptionError("size_by", by, "'importance' or 'inputs'")
    known = [node["importance"] for node in nodes if node["importance"] is not None]
    if by == "importance" and known:
        return Scale("importance", max(known))
    return Scale("inputs", max((node["n_inputs"] for node in nodes), default=0))


def selection(nodes: Mapping[str, Any], edges: Sequence[Mapping[str, Any]], *, limit: int) -> set[str]:
    """Choose what to draw: outputs first, then by importance and fan-in, each vertex with a way to an output."""
    if len(nodes) <= limit:
        return set(nodes)
    outgoing: dict[str, list[str]] = defaultdict(list)
    degree: dict[str, int] = defaultdict(int)
    for edge in edges:
        outgoing[edge["source"]].append(edge["target"])
        degree[edge["source"]] += 1
        degree[edge["target"]] += 1

    def worth(name: str) -> tuple[float, int, str]:
        importance = nodes[name]["importance"]
        return (-(_UNKNOWN_RANK if importance is None else importance), -nodes[name]["n_inputs"] - degree[name], name)

    kept = set(sorted((name for name in nodes if nodes[name]["role"] == "output"), key=worth)[:limit])
    for name in sorted(nodes, key=worth):
        way = _way(name, outgoing, kept)
        if len(kept) + len(way) <= limit:
            kept.update(way)
    return kept


def _way(name: str, outgoing: Mapping[str, list[str]], kept: set[str]) -> list[str]:
    """Vertices of a shortest way from `name` to a vertex already drawn (all it can reach, if it meets none)."""
    if name in kept:
        return []
    before: dict[str, str | None] = {name: None}
    for vertex in (queue := [name]):
        for target in outgoing.get(vertex, ()):
            if target in kept:
                way: list[str] = []
                step: str | None = vertex
                while step is not None:
                    way.append(step)
                    step = before[step]
                return way
            if target not in before:
                before[target] = vertex
                queue.append(target)
    return queue


def column_of(names: Sequence[str], edges: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Column of each vertex, 0 at the left: the longest way to an output, counted from the right."""
    incoming: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(names, 0)
    for edge in edges:
        incoming[edge["target"]].append(edge["source"])
        waiting[edge["source"]] += 1
    steps = dict.fromkeys(names, 0)
    ready = [name for name in names if waiting[name] == 0]
    for name in ready:
        for source in incoming[name]:
            steps[source] = max(steps[source], steps[name] + 1)
            waiting[source] -= 1
            if waiting[source] == 0:
                ready.append(source)
    if len(ready) < len(names):
        raise FormatError("expected the edges of hidden_network to be acyclic, got a cycle; draw a network made by Dag")
    deepest = max(steps.values(), default=0)
    return {name: deepest - step for name, step in steps.items()}


def items(
    nodes: Mapping[str, Any],
    columns: Mapping[str, int],
    edges: Sequence[Mapping[str, Any]],
    *,
    scale: Scale | None = None,
) -> tuple[list[list[Item]], list[tuple[Mapping[str, Any], list[Item]]]]:
    """One list of items a column, and for each edge the chain of items from its source to its target."""
    fed = {edge["target"] for edge in edges}
    scale = scale or scale_of([nodes[name] for name in sorted(columns)])
    levels: list[list[Item]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    item_of = {}
    for name in sorted(columns):
        r = scale.size(nodes[name])
        below = max(r + 2.0, 7.5)
        item = Item(columns[name], above=r + 18.0 if name in fed else below, below=below, name=name)
        item_of[name] = item
        levels[item.column].append(item)
    chains = []
    for edge in edges:
        first, last = item_of[edge["source"]], item_of[edge["target"]]
        bends = [Item(column, above=4.0, below=4.0) for column in range(first.column + 1, last.column)]
        for bend in bends:
            levels[bend.column].append(bend)
        chains.append((edge, [first, *bends, last]))
    return levels, chains


def neighbours(chains: Sequence[tuple[Any, list[Item]]]) -> tuple[dict[int, list[Item]], dict[int, list[Item]]]:
    """Items to the left and to the right of each item, by id()."""
    left: dict[int, list[Item]] = defaultdict(list)
    right: dict[int, list[Item]] = defaultdict(list)
    for _, chain in chains:
        for a, b in itertools.pairwise(chain):
            right[id(a)].append(b)
            left[id(b)].append(a)
    return left, right


def order_levels(levels: list[list[Item]], chains: Sequence[tuple[Any, list[Item]]], *, sweeps: int = 12) -> None:
    """Order the columns for few crossings: depth first from the outputs, then barycentres; the best order stays."""
    left, right = neighbours(chains)
    seen: dict[int, None] = {}
    fresh: list[list[Item]] = [[] for _ in levels]
    stack = [item for level in levels for item in reversed(level)]  # the last column, from the top, comes off first
    while stack:
        item = stack.pop()
        if id(item) not in seen:
            seen[id(item)] = None
            fresh[item.column].append(item)
            stack.extend(reversed(left[id(item)]))
    levels[:] = fresh
    best, fewest = [list(level) for level in levels], _crossings(levels, right)
    for sweep in range(sweeps):
        if fewest == 0:
            break
        side, order = (right, range(len(levels) - 2, -1, -1)) if sweep % 2 == 0 else (left, range(1, len(levels)))
        for column in order:
            place = {id(item): (i + 0.5) / len(level) for level in levels for i, item in enumerate(level)}
            levels[column].sort(key=lambda item: _mean([place[id(n)] for n in side[id(item)]], place[id(item)]))
        crossings = _crossings(levels, right)
        if crossings < fewest:
            best, fewest = [list(level) for level in levels], crossings
    levels[:] = best


def _crossings(levels: Sequence[Sequence[Item]], right: Mapping[int, list[Item]]) -> int:
    """Number of pairs of lines that cross between neighbouring columns."""
    total = 0
    for level, following in itertools.pairwise(levels):
        place = {id(item): i for i, item in enumerate(following)}
        ends: list[int] = []
        for item in level:
            targets = [place[id(target)] for target in right.get(id(item), ())]
            total += sum(len(ends) - bisect_left(ends, target + 1) for target in targets)
            for target in targets:
                insort(ends, target)
    return total


def place(levels: Sequence[Sequence[Item]], chains: Sequence[tuple[Any, list[Item]]], *, sweeps: int = 8) -> None:
    """Give each item its y: near the mean of its neighbours, in the order of its column, without overlap."""
    left, right = neighbours(chains)
    for level in levels:
        _spread(level, [0.0] * len(level))
    for sweep in range(2 * sweeps):
        side, order = (right, reversed(levels)) if sweep % 2 == 0 else (left, iter(levels))
        for level in order:
            _spread(level, [_mean([near.y for near in side[id(item)]], item.y) for item in level])


def _spread(level: Sequence[Item], wanted: Sequence[float]) -> None:
    """Move a column as near as possible (least squares) to the wanted places: pool adjacent violators."""
    offsets, total = [], 0.0
    for above, item in zip([None, *level], level, strict=False):
        total += 0.0 if above is None else above.below + item.above
        offsets.append(total)
    blocks: list[list[float]] = []  # mean, size
    for want, offset in zip(wanted, offsets, strict=True):
        blocks.append([want - offset, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, size = blocks.pop()
            before = blocks[-1]
            before[0] = (before[0] * before[1] + mean * size) / (before[1] + size)
            before[1] += size
    means = [mean for mean, size in blocks for _ in range(int(size))]
    for item, mean, offset in zip(level, means, offsets, strict=True):
        item.y = mean + offset


def _mean(values: Sequence[float], default: float) -> float:
    return math.fsum(values) / len(values) if values else default
