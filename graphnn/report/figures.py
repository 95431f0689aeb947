"""Figures of the report as inline SVG: metrics per fold, changes with their intervals, the layered network.

Geometry is computed here, the markup is in `templates/*.svg.j2`, where every name is escaped; colours come from
the style sheet of the page, so that one figure serves the light and the dark scheme. The same payload gives the
same bytes. Of graphnn this module imports only `graphnn.errors` and what lies beside it.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphnn.errors import FormatError
from graphnn.report.canvas import CHARACTER_PX, px, render, text_px, ticks_of
from graphnn.report.layout import Item, Scale, column_of, items, order_levels, place, scale_of, selection
from graphnn.report.text import change_text, metric_label, number_text, output_label, short_name

MAX_VERTICES = 120
MAX_INTERVALS = 40
MARGIN_PX = 22.0
PAGE_PX, MIN_GAP_PX, MAX_GAP_PX = 1000.0, 48.0, 130.0
IMPORTANCE_STEPS = 5

ERROR_METRICS = ("mse", "mae", "rmse", "loss")  # in units of the output: not on one axis with the others


@dataclass(frozen=True)
class NetworkFigure:
    """The picture of the hidden network and what its legend must say.

    Attributes:
        svg: The figure.
        shown: Number of vertices drawn.
        left_out: Number of vertices that found no place.
        scale: What the areas of the circles stand for.
        importance_range: Least and greatest importance drawn; None where no vertex has one.
        interactions: The kinds of edges drawn, of 1, -1 and 0.
        absent: Names of the vertices that found no place, sorted.
    """

    svg: str
    shown: int
    left_out: int
    scale: Scale
    importance_range: tuple[float, float] | None
    interactions: tuple[int, ...]
    absent: tuple[str, ...] = ()


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
    ticks, decimals = ticks_of([value for pair in pairs for value in pair])
    low, high = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return top + (height - top - bottom) * (high - value) / (high - low)

    mean_full = math.fsum(pair[0] for pair in pairs) / len(pairs)
    mean_compressed = math.fsum(pair[1] for pair in pairs) / len(pairs)
    plot = width - left - right
    return render(
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
    several = len({row["output"] for row in rows[:MAX_INTERVALS]}) > 1
    names = [metric_label(row["metric"]) + (f" · {output_label(row['output'])}" if several else "") for row in rows]
    return _intervals(rows, names, title=title, axis="compressed − full", label=210.0 if several else 140.0)


def contrast_figure(rows: Sequence[Mapping[str, Any]], *, title: str) -> str:
    """Draw how far each network or control is from the compressed network, with intervals.

    Args:
        rows: Rows of the contrasts in one metric, with network, output, change, ci_low and ci_high; at least one.
        title: What the figure shows, for readers who cannot see it.

    Returns:
        An SVG element; at most `MAX_INTERVALS` rows are drawn.
    """
    several = len({row["output"] for row in rows[:MAX_INTERVALS]}) > 1
    names = [row["network"] + (f" · {output_label(row['output'])}" if several else "") for row in rows]
    label = min(max(100.0, *(text_px(name) + 14 for name in names[:MAX_INTERVALS])), 210.0)
    return _intervals(rows, names, title=title, axis="difference to the compressed network", label=label)


def _intervals(rows: Sequence[Mapping[str, Any]], names: Sequence[str], *, title: str, axis: str, label: float) -> str:
    """A mark and an interval a row, and the line of no difference."""
    rows, names = rows[:MAX_INTERVALS], names[:MAX_INTERVALS]
    plot, numbers, line, top = 380.0, 190.0, 30.0, 12.0
    ends = [row[key] for row in rows for key in ("change", "ci_low", "ci_high") if row[key] is not None]
    ticks, decimals = ticks_of([*ends, 0.0])
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
    return render(
        "change.svg.j2",
        title=title,
        axis=axis,
        width=label + plot + numbers + 30,
        height=top + line * len(rows) + 34,
        label=label,
        bottom=top + line * len(rows),
        top=top,
        zero=x(0.0),
        numbers=label + plot + 28,
        ticks=[{"x": x(tick), "text": "0" if tick == 0 else change_text(tick, digits=decimals)} for tick in ticks],
        rows=drawn,
        characters=int((label - 4) / CHARACTER_PX),
    )


# --- the network ---------------------------------------------------------------------------------------------------


def network_figure(
    hidden: Mapping[str, Any], *, title: str, max_vertices: int = MAX_VERTICES, size_by: str = "importance"
) -> NetworkFigure:
    """Draw the hidden part of a network from left to right.

    The column of a vertex is the number of steps of its longest way to an output, so that edges between
    neighbouring columns are the rule; the order within columns is improved by barycentres, the places by
    isotonic regression towards the neighbours.

    Args:
        hidden: "nodes" and "edges" as in the payload of the report.
        title: What the figure shows, for readers who cannot see it.
        max_vertices: With more vertices, the most important ones (then the best connected) are drawn, each
            with its way to an output.
        size_by: What the areas of the circles stand for, "importance" or "inputs" (measured inputs attached to a
            vertex); where no vertex has an importance, the inputs in any case. Colours stand for importance.

    Raises:
        OptionError: `size_by` is another word.
        FormatError: An edge ends at no vertex of the list, or the edges form a cycle.
    """
    nodes = {node["name"]: node for node in hidden["nodes"]}
    edges = sorted(hidden["edges"], key=lambda edge: (edge["source"], edge["target"], edge["interaction"]))
    lost = sorted({edge[end] for edge in edges for end in ("source", "target")} - set(nodes))
    if lost:
        raise FormatError(f"expected the edges of hidden_network between its nodes, got an edge at {lost[0]!r}")
    kept = selection(nodes, edges, limit=max_vertices)
    edges = [edge for edge in edges if edge["source"] in kept and edge["target"] in kept]
    columns = column_of(sorted(kept), edges)
    scale = scale_of([nodes[name] for name in sorted(kept)], by=size_by)
    levels, chains = items(nodes, columns, edges, scale=scale)
    order_levels(levels, chains)
    place(levels, chains)
    return _network_svg(nodes, levels, chains, title=title, scale=scale)


def _network_svg(
    nodes: Mapping[str, Any],
    levels: Sequence[Sequence[Item]],
    chains: Sequence[tuple[Mapping[str, Any], list[Item]]],
    *,
    title: str,
    scale: Scale,
) -> NetworkFigure:
    """Draw the placed items: edges first, vertices over them."""
    drawn = [(nodes[item.name], item) for level in levels for item in level if item.name is not None]
    fed = {edge["target"] for edge, _ in chains}
    known = [node["importance"] for node, _ in drawn if node["importance"] is not None]
    span = (min(known), max(known)) if known else None
    columns_x, width = _columns_x(levels, fed, most=max((scale.size(node) for node, _ in drawn), default=0.0))
    top = min((item.y - item.above for level in levels for item in level), default=0.0) - MARGIN_PX
    bottom = max((item.y + item.below for level in levels for item in level), default=0.0) + MARGIN_PX
    circles = [
        {
            "node": node,
            "x": columns_x[item.column],
            "y": item.y - top,
            "r": scale.size(node),
            "step": _importance_step(node["importance"], span),
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
    svg = render("network.svg.j2", title=title, width=width, height=max(bottom - top, 60.0), nodes=circles, edges=lines)
    present = {edge["interaction"] for edge, _ in chains}
    kinds = tuple(kind for kind in (1, -1, 0) if kind in present)
    absent = tuple(sorted(set(nodes) - {node["name"] for node, _ in drawn}))
    return NetworkFigure(svg, len(drawn), len(absent), scale, span, kinds, absent)


def _columns_x(levels: Sequence[Sequence[Item]], fed: set[str], *, most: float) -> tuple[list[float], float]:
    """Centre of each column and the width of the picture; columns move apart until the page is filled."""
    room_left, room_right = [], []
    for level in levels:
        names = [item.name for item in level if item.name is not None]
        beside = max((text_px(short_name(name)) for name in names if name not in fed), default=0.0)
        over = max((text_px(short_name(name)) / 2 for name in names if name in fed), default=0.0)
        room_left.append(max(beside + most + 6, over))
        room_right.append(max(0.55 * over, most))
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
    chains: Sequence[tuple[Mapping[str, Any], list[Item]]], radius_of: Mapping[str, float]
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
    path = f"M{px(points[0][0])} {px(points[0][1])}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        middle = (x0 + x1) / 2
        path += f"C{px(middle)} {px(y0)} {px(middle)} {px(y1)} {px(x1)} {px(y1)}"
    return path


def _importance_step(importance: float | None, span: tuple[float, float] | None) -> int | None:
    """Colour of a vertex, 0 (least) to IMPORTANCE_STEPS - 1 (greatest)."""
    if importance is None or span is None:
        return None
    low, high = span
    share = 1.0 if high == low else (importance - low) / (high - low)
    return min(int(share * IMPORTANCE_STEPS), IMPORTANCE_STEPS - 1)
