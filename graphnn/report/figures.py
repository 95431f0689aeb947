"""Figures of the report as inline SVG: metrics per fold, the change with its interval, the layered network.

Geometry is computed here, the markup is in `templates/*.svg.j2`, where every name is escaped; colours come from
the style sheet of the page, so that one figure serves the light and the dark scheme. The same payload gives the
same bytes. Of graphnn this module imports only `graphnn.errors`.
"""

from __future__ import annotations

import itertools
import math
import unicodedata
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2

from graphnn.errors import FormatError

MAX_VERTICES = 120
MAX_INTERVALS = 40
LABEL_WIDTH = 17  # characters; longer names are shortened in the middle, the whole name is in the tooltip
CHARACTER_PX = 6.1
OUTPUT_RADIUS = 7.5
MARGIN_PX = 22.0
PAGE_PX, MIN_GAP_PX, MAX_GAP_PX = 1000.0, 48.0, 130.0
IMPORTANCE_STEPS = 5
_UNKNOWN_RANK = float("-inf")

METRIC_LABELS = {
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "spearman": "Spearman ρ",
    "pearson": "Pearson r",
    "r2": "R²",
    "mse": "Mean squared error",
    "mae": "Mean absolute error",
}
OBJECTIVE_LABELS = {
    "min_edges": "the fewest edges that carry every input to an output",
    "shortest_paths": "the union of all shortest input-to-output paths",
    "max_edges": "the most edges without a cycle",
    "given": "as given, nothing was optimised",
}
ERROR_METRICS = ("mse", "mae", "rmse", "loss")  # in units of the output: not on one axis with the others


@dataclass(frozen=True)
class NetworkFigure:
    """The picture of the hidden network and what its legend must say.

    Attributes:
        svg: The figure.
        shown: Number of vertices drawn.
        left_out: Number of vertices that found no place.
        largest_fan_in: Most measured inputs attached to one drawn vertex; the largest circle.
        importance_range: Least and greatest importance drawn; None where no vertex has one.
        interactions: The kinds of edges drawn, of 1, -1 and 0.
    """

    svg: str
    shown: int
    left_out: int
    largest_fan_in: int
    importance_range: tuple[float, float] | None
    interactions: tuple[int, ...]


@dataclass
class _Item:
    """A vertex of the picture, or (name None) the point where a long edge crosses a column."""

    column: int
    above: float  # room it needs over and under its centre
    below: float
    name: str | None = None
    y: float = 0.0


# --- numbers and words ---------------------------------------------------------------------------------------------


def number_text(value: float | None, *, digits: int = 3) -> str:
    """Write a measured number: three decimals, thousands separators, "n/a" for None.

    Example:
        >>> number_text(0.94312), number_text(1234.5), number_text(-0.5), number_text(0.00044), number_text(None)
        ('0.943', '1,234.500', '−0.500', '0.00044', 'n/a')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    if 0 < abs(value) < 0.5 * 10**-digits:  # what is not zero is not written as zero
        text = f"{value:.1e}" if abs(value) < 1e-6 else f"{value:.{1 - math.floor(math.log10(abs(value)))}f}"
    else:
        text = f"{value:,.{digits}f}"
    return text.replace("-", "−")


def change_text(value: float | None, *, digits: int = 3) -> str:
    """Write a difference with its sign.

    Example:
        >>> change_text(0.0123), change_text(-0.004), change_text(0.0)
        ('+0.012', '−0.004', '0.000')
    """
    sign = "+" if value is not None and math.isfinite(value) and value > 0 else ""
    return sign + number_text(value, digits=digits)


def count_text(value: float | None) -> str:
    """Write a count, or a cost that need not be whole.

    Example:
        >>> count_text(12618), count_text(12618.0), count_text(0.25), count_text(None)
        ('12,618', '12,618', '0.25', 'n/a')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    text = f"{value:,.0f}" if value == int(value) else f"{value:,.6g}"
    return text.replace("-", "−")


def percent_text(value: float, digits: int = 1) -> str:
    """Write a percentage without its sign: 51.33 is "51.3"; what is not zero is not written as zero."""
    return "0" if value == 0 else number_text(value, digits=digits)


def p_text(value: float | None) -> str:
    """Write a p value: three decimals, "< 0.001" below, "n/a" for None."""
    return "< 0.001" if value is not None and value < 0.001 else number_text(value)


def objective_label(name: str) -> str:
    """Say what an objective asks for, with its name as the program knows it."""
    return f"{OBJECTIVE_LABELS[name]} ({name})" if name in OBJECTIVE_LABELS else name


def metric_label(metric: str) -> str:
    """Name a metric as it is written in papers: "roc_auc" is "ROC-AUC"."""
    return METRIC_LABELS.get(metric) or (metric[:1].upper() + metric[1:].replace("_", " "))


def short_name(name: str, *, width: int = LABEL_WIDTH) -> str:
    """Shorten a name in the middle: names of one family share their beginnings, so both ends are kept.

    Example:
        >>> short_name("LCK"), short_name("MAPK_signalling_complex_isoform_7", width=11)
        ('LCK', 'MAPK_…orm_7')
    """
    if len(name) <= width:
        return name
    return name[: width // 2] + "…" + name[len(name) - (width - width // 2 - 1) :]


@cache
def environment() -> jinja2.Environment:
    """The templates of the report; autoescape is always on, and a missing value is an error."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("graphnn.report", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number=number_text,
        change=change_text,
        count=count_text,
        p_value=p_text,
        percent=percent_text,
        change_percent=lambda reduction: change_text(-reduction, digits=1),
        metric=metric_label,
        objective=objective_label,
        capital=lambda text: text[:1].upper() + text[1:],
        short=short_name,
        shortest=lambda text: text[:12],
        share=lambda value: _px(min(max(value, 0.0), 100.0)),
        px=_px,
    )
    return made


# --- metrics -------------------------------------------------------------------------------------------------------


def folds_figure(pairs: Sequence[tuple[float, float]], *, title: str) -> str:
    """Draw one metric: a line for each fold from the full to the compressed network, and the two means.

    Args:
        pairs: (full, compressed) of each fold; at least one.
        title: What the figure shows, for readers who cannot see it.

    Returns:
        An SVG element.
    """
    width, height, left, right, top, bottom = 230.0, 200.0, 44.0, 12.0, 10.0, 28.0
    ticks, decimals = _ticks([value for pair in pairs for value in pair])
    low, high = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return top + (height - top - bottom) * (high - value) / (high - low)

    mean_full = math.fsum(pair[0] for pair in pairs) / len(pairs)
    mean_compressed = math.fsum(pair[1] for pair in pairs) / len(pairs)
    plot = width - left - right
    return _render(
        "folds.svg.j2",
        title=title,
        width=width,
        height=height,
        left=left,
        right=width - right,
        x_full=left + 0.25 * plot,
        x_compressed=left + 0.75 * plot,
        ticks=[{"y": y(tick), "text": number_text(tick, digits=decimals)} for tick in ticks],
        lines=[{"full": y(a), "compressed": y(b), "values": (a, b)} for a, b in pairs],
        means={"full": y(mean_full), "compressed": y(mean_compressed)},
    )


def change_figure(rows: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """Draw the change of each metric with its interval against the line of no change.

    Args:
        rows: Rows of the summary, with metric, output, change, ci_low and ci_high; at least one.
        title: What the figure shows, for readers who cannot see it.

    Returns:
        An SVG element; at most `MAX_INTERVALS` rows are drawn.
    """
    rows = rows[:MAX_INTERVALS]
    several = len({row["output"] for row in rows}) > 1
    names = [metric_label(row["metric"]) + (f" · {row['output']}" if several else "") for row in rows]
    label, plot, numbers, line, top = (210.0 if several else 140.0), 380.0, 190.0, 30.0, 12.0
    ends = [row[key] for row in rows for key in ("change", "ci_low", "ci_high") if row[key] is not None]
    ticks, decimals = _ticks([*ends, 0.0])
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> float:
        return label + 10 + plot * (value - low) / (high - low)

    drawn = []
    for index, (row, name) in enumerate(zip(rows, names, strict=True)):
        has_interval = row["ci_low"] is not None and row["ci_high"] is not None
        ends_text = f" [{change_text(row['ci_low'])}, {change_text(row['ci_high'])}]" if has_interval else ""
        drawn.append(
            {
                "y": top + line * (index + 0.5),
                "name": name,
                "x": None if row["change"] is None else x(row["change"]),
                "low": x(row["ci_low"]) if has_interval else None,
                "high": x(row["ci_high"]) if has_interval else None,
                "text": change_text(row["change"]) + ends_text,
            }
        )
    return _render(
        "change.svg.j2",
        title=title,
        width=label + plot + numbers + 30,
        height=top + line * len(rows) + 34,
        label=label,
        bottom=top + line * len(rows),
        top=top,
        zero=x(0.0),
        numbers=label + plot + 28,
        ticks=[{"x": x(tick), "text": "0" if tick == 0 else change_text(round(tick, decimals + 1))} for tick in ticks],
        rows=drawn,
        width_of_label=30 if several else 20,
    )


def _ticks(values: Iterable[float]) -> tuple[list[float], int]:
    """Round numbers that enclose the values, four to seven of them, and the decimals they need."""
    known = [float(value) for value in values]
    low, high = min(known), max(known)
    if high - low < 1e-9 * max(1.0, abs(high)):
        low, high = low - 0.01 * max(1.0, abs(low)), high + 0.01 * max(1.0, abs(high))
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    decimals = next((digits for digits in range(7) if abs(round(step, digits) - step) < 1e-9 * step), 6)
    return [round(index * step, 10) for index in range(first, last + 1)], decimals


# --- the network ---------------------------------------------------------------------------------------------------


def network_figure(hidden: Mapping[str, Any], *, title: str, max_vertices: int = MAX_VERTICES) -> NetworkFigure:
    """Draw the hidden part of a network from left to right.

    The column of a vertex is the number of steps of its longest way to an output, so that edges between
    neighbouring columns are the rule; the order within columns is improved by barycentres, the places by
    isotonic regression towards the neighbours.

    Args:
        hidden: "nodes" and "edges" as in the payload of the report.
        title: What the figure shows, for readers who cannot see it.
        max_vertices: With more vertices, the most important ones (then the best connected) are drawn, each
            with its way to an output.

    Raises:
        FormatError: An edge ends at no vertex of the list, or the edges form a cycle.
    """
    nodes = {node["name"]: node for node in hidden["nodes"]}
    edges = sorted(hidden["edges"], key=lambda edge: (edge["source"], edge["target"], edge["interaction"]))
    lost = sorted({edge[end] for edge in edges for end in ("source", "target")} - set(nodes))
    if lost:
        raise FormatError(f"expected the edges of hidden_network between its nodes, got an edge at {lost[0]!r}")
    kept = _selection(nodes, edges, limit=max_vertices)
    edges = [edge for edge in edges if edge["source"] in kept and edge["target"] in kept]
    columns = _columns(sorted(kept), edges)
    levels, chains = _items(nodes, columns, edges)
    _order(levels, chains)
    _place(levels, chains)
    return _network_svg(nodes, levels, chains, title=title, left_out=len(nodes) - len(kept))


def _selection(nodes: Mapping[str, Any], edges: Sequence[Mapping[str, Any]], *, limit: int) -> set[str]:
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


def _columns(names: Sequence[str], edges: Sequence[Mapping[str, Any]]) -> dict[str, int]:
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


def _items(
    nodes: Mapping[str, Any], columns: Mapping[str, int], edges: Sequence[Mapping[str, Any]]
) -> tuple[list[list[_Item]], list[tuple[Mapping[str, Any], list[_Item]]]]:
    """One list of items a column, and for each edge the chain of items from its source to its target."""
    fed = {edge["target"] for edge in edges}
    largest = max((nodes[name]["n_inputs"] for name in columns), default=0)
    levels: list[list[_Item]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    item_of = {}
    for name in sorted(columns):
        r = _size(nodes[name], largest)
        below = max(r + 2.0, 7.5)
        item = _Item(columns[name], above=r + 18.0 if name in fed else below, below=below, name=name)
        item_of[name] = item
        levels[item.column].append(item)
    chains = []
    for edge in edges:
        first, last = item_of[edge["source"]], item_of[edge["target"]]
        bends = [_Item(column, above=4.0, below=4.0) for column in range(first.column + 1, last.column)]
        for bend in bends:
            levels[bend.column].append(bend)
        chains.append((edge, [first, *bends, last]))
    return levels, chains


def _neighbours(chains: Sequence[tuple[Any, list[_Item]]]) -> tuple[dict[int, list[_Item]], dict[int, list[_Item]]]:
    """Items to the left and to the right of each item, by id()."""
    left: dict[int, list[_Item]] = defaultdict(list)
    right: dict[int, list[_Item]] = defaultdict(list)
    for _, chain in chains:
        for a, b in itertools.pairwise(chain):
            right[id(a)].append(b)
            left[id(b)].append(a)
    return left, right


def _order(levels: list[list[_Item]], chains: Sequence[tuple[Any, list[_Item]]], *, sweeps: int = 12) -> None:
    """Order the columns for few crossings: depth first from the outputs, then barycentres; the best order stays."""
    left, right = _neighbours(chains)
    seen: dict[int, None] = {}
    fresh: list[list[_Item]] = [[] for _ in levels]
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


def _crossings(levels: Sequence[Sequence[_Item]], right: Mapping[int, list[_Item]]) -> int:
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


def _place(levels: Sequence[Sequence[_Item]], chains: Sequence[tuple[Any, list[_Item]]], *, sweeps: int = 8) -> None:
    """Give each item its y: near the mean of its neighbours, in the order of its column, without overlap."""
    left, right = _neighbours(chains)
    for level in levels:
        _spread(level, [0.0] * len(level))
    for sweep in range(2 * sweeps):
        side, order = (right, reversed(levels)) if sweep % 2 == 0 else (left, iter(levels))
        for level in order:
            _spread(level, [_mean([near.y for near in side[id(item)]], item.y) for item in level])


def _spread(level: Sequence[_Item], wanted: Sequence[float]) -> None:
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


def _network_svg(
    nodes: Mapping[str, Any],
    levels: Sequence[Sequence[_Item]],
    chains: Sequence[tuple[Mapping[str, Any], list[_Item]]],
    *,
    title: str,
    left_out: int,
) -> NetworkFigure:
    """Draw the placed items: edges first, vertices over them."""
    drawn = [(nodes[item.name], item) for level in levels for item in level if item.name is not None]
    fed = {edge["target"] for edge, _ in chains}
    largest = max((node["n_inputs"] for node, _ in drawn), default=0)
    known = [node["importance"] for node, _ in drawn if node["importance"] is not None]
    scale = (min(known), max(known)) if known else None
    columns_x, width = _columns_x(levels, fed, most=largest)
    top = min((item.y - item.above for level in levels for item in level), default=0.0) - MARGIN_PX
    bottom = max((item.y + item.below for level in levels for item in level), default=0.0) + MARGIN_PX
    circles = [
        {
            "node": node,
            "x": columns_x[item.column],
            "y": item.y - top,
            "r": _size(node, largest),
            "step": _importance_step(node["importance"], scale),
            "label": short_name(node["name"]),
            "above": node["name"] in fed,
        }
        for node, item in drawn
    ]
    heaviest = max((abs(edge["weight"]) for edge, _ in chains if edge["weight"] is not None), default=0.0)
    radius_of = {circle["node"]["name"]: circle["r"] for circle in circles}
    landings = _landings(chains, radius_of)
    lines = []
    for position, (edge, chain) in enumerate(chains):
        points = [(columns_x[item.column], item.y - top) for item in chain]
        points[0] = (points[0][0] + radius_of[edge["source"]], points[0][1])
        points[-1] = (points[-1][0] + landings[position][0], points[-1][1] + landings[position][1])
        weight = 0.5 if edge["weight"] is None or heaviest == 0 else abs(edge["weight"]) / heaviest
        lines.append({"edge": edge, "path": _curve(points), "width": 0.8 + 1.6 * weight})
    svg = _render(
        "network.svg.j2", title=title, width=width, height=max(bottom - top, 60.0), nodes=circles, edges=lines
    )
    present = {edge["interaction"] for edge, _ in chains}
    kinds = tuple(kind for kind in (1, -1, 0) if kind in present)
    return NetworkFigure(svg, len(drawn), left_out, largest, scale, kinds)


def _columns_x(levels: Sequence[Sequence[_Item]], fed: set[str], *, most: int) -> tuple[list[float], float]:
    """Centre of each column and the width of the picture; columns move apart until the page is filled."""
    room_left, room_right = [], []
    for level in levels:
        names = [item.name for item in level if item.name is not None]
        beside = max((_text_px(short_name(name)) for name in names if name not in fed), default=0.0)
        over = max((_text_px(short_name(name)) / 2 for name in names if name in fed), default=0.0)
        room_left.append(max(beside + radius(most, most) + 6, over))
        room_right.append(max(0.55 * over, radius(most, most)))
    room_right[-1] *= 2.2  # at the right end nothing follows that a name may hang over; outputs are bold
    needed = math.fsum(room_left) + math.fsum(room_right) + 12.0
    gaps = max(len(levels) - 1, 1)
    gap = min(max((PAGE_PX - needed) / gaps, MIN_GAP_PX), MAX_GAP_PX)
    places, x = [], 4.0
    for before, after in zip(room_left, room_right, strict=True):
        places.append(x + before)
        x += before + after + gap
    return places, x - gap + 8.0


def _landings(
    chains: Sequence[tuple[Mapping[str, Any], list[_Item]]], radius_of: Mapping[str, float]
) -> dict[int, tuple[float, float]]:
    """Where each edge (by position) ends, relative to its target: spread over the left side, ordered by origin."""
    arriving: dict[str, list[int]] = defaultdict(list)
    for position, (edge, _) in enumerate(chains):
        arriving[edge["target"]].append(position)
    places = {}
    for name, positions in arriving.items():
        positions.sort(key=lambda position: (chains[position][1][-2].y, position))
        reach = min(1.15, 0.22 * (len(positions) - 1))
        for i, position in enumerate(positions):
            angle = reach * (2 * i / (len(positions) - 1) - 1) if len(positions) > 1 else 0.0
            distance = radius_of[name] + 5.0
            places[position] = (-distance * math.cos(angle), distance * math.sin(angle))
    return places


def _curve(points: Sequence[tuple[float, float]]) -> str:
    """A smooth way through the points, level at each of them."""
    path = f"M{_px(points[0][0])} {_px(points[0][1])}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (x0 + x1) / 2
        path += f"C{_px(middle)} {_px(y0)} {_px(middle)} {_px(y1)} {_px(x1)} {_px(y1)}"
    return path


def _size(node: Mapping[str, Any], largest: int) -> float:
    """Half the width of a vertex; outputs have few measured inputs or none and are never small."""
    r = radius(node["n_inputs"], largest)
    return max(r, OUTPUT_RADIUS) if node["role"] == "output" else r


def radius(n_inputs: int, largest: int) -> float:
    """Radius of a vertex: its area grows with the number of measured inputs."""
    return 3.5 + (8.5 * math.sqrt(n_inputs / largest) if largest else 0.0)


def _importance_step(importance: float | None, scale: tuple[float, float] | None) -> int | None:
    """Colour of a vertex, 0 (least) to IMPORTANCE_STEPS - 1 (greatest)."""
    if importance is None or scale is None:
        return None
    low, high = scale
    share = 1.0 if high == low else (importance - low) / (high - low)
    return min(int(share * IMPORTANCE_STEPS), IMPORTANCE_STEPS - 1)


def _text_px(text: str) -> float:
    return CHARACTER_PX * sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _mean(values: Sequence[float], default: float) -> float:
    return math.fsum(values) / len(values) if values else default


def _px(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")  # + 0.0: no "-0"


def _render(template: str, **values: Any) -> str:
    return environment().get_template(template).render(values)
