"""Figures: what is drawn is what was given, nothing overlaps, bounds are kept."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphnn.errors import FormatError, OptionError
from graphnn.report import canvas, figures, layout, text
from tests.report.sample import sample_payload

SVG = "{http://www.w3.org/2000/svg}"


def network(names, edges, output="out"):
    nodes = [{"name": n, "level": 1, "role": "hidden", "n_inputs": 1, "importance": None} for n in names]
    nodes.append({"name": output, "level": 2, "role": "output", "n_inputs": 0, "importance": None})
    kinds = [{"source": a, "target": b, "interaction": 1, "weight": None} for a, b in edges]
    return {"nodes": nodes, "edges": kinds}


def parsed(figure):
    return ElementTree.fromstring(figure.svg)


def vertices(root):
    return [group for group in root.iter(f"{SVG}g") if "node" in (group.get("class") or "").split()]


@pytest.mark.parametrize("long_names", [False, True])
def test_every_vertex_and_edge_is_drawn_once(long_names):
    hidden = sample_payload(long_names=long_names)["hidden_network"]
    figure = figures.network_figure(hidden, title="t")
    root = parsed(figure)
    assert figure.shown == len(hidden["nodes"]) == len(vertices(root))
    assert figure.left_out == 0
    edges = [path for path in root.iter(f"{SVG}path") if "edge" in (path.get("class") or "").split()]
    assert len(edges) == len(hidden["edges"])
    titles = {group.find(f"{SVG}title").text.split(": ")[0] for group in vertices(root)}
    assert titles >= {node["name"].split(": ")[0] for node in hidden["nodes"]}


def test_signs_differ_in_more_than_colour():
    figure = figures.network_figure(sample_payload()["hidden_network"], title="t")
    assert figure.interactions == (1, -1, 0)
    for kind in ("activates", "inhibits", "unknown"):
        assert f'marker-end="url(#{kind})"' in figure.svg
        assert f'id="{kind}"' in figure.svg


@given(st.data())
def test_edges_run_from_left_to_right_and_nothing_overlaps(data):
    n = data.draw(st.integers(1, 12))
    names = [f"v{i}" for i in range(n)]
    edges = [(name, "out") for name in names[:1]]
    for i in range(1, n):
        targets = data.draw(st.lists(st.integers(0, i - 1), min_size=1, max_size=3, unique=True))
        edges += [(names[i], names[target]) for target in targets]
    hidden = network(names, edges)
    root = parsed(figures.network_figure(hidden, title="t"))
    box = [float(value) for value in root.get("viewBox").split()]
    places = {}
    for group in vertices(root):
        shape = group.find(f"{SVG}circle")
        name = group.find(f"{SVG}title").text.split(":")[0]
        if shape is not None:
            places[name] = (float(shape.get("cx")), float(shape.get("cy")), float(shape.get("r")))
        else:
            shape = group.find(f"{SVG}rect")
            half = float(shape.get("width")) / 2
            places[name] = (float(shape.get("x")) + half, float(shape.get("y")) + half, half)
    for source, target in edges:
        assert places[source][0] < places[target][0]
    for name, (x, y, r) in places.items():
        assert r <= x <= box[2] - r + 1e-6
        assert r <= y <= box[3] - r + 1e-6
        others = [place for other, place in places.items() if other != name and abs(place[0] - x) < 1]
        assert all(abs(place[1] - y) >= place[2] + r - 0.2 for place in others)


def test_a_tree_is_drawn_without_crossings():
    hidden = sample_payload(skips=0, n_hidden=80)["hidden_network"]
    nodes = {node["name"]: node for node in hidden["nodes"]}
    columns = layout.column_of(sorted(nodes), hidden["edges"])
    levels, chains = layout.items(nodes, columns, hidden["edges"])
    layout.order_levels(levels, chains)
    assert layout._crossings(levels, layout.neighbours(chains)[1]) == 0


def test_crossings_are_counted():
    hidden = network(["a", "b", "c", "d"], [("a", "d"), ("b", "c"), ("c", "out"), ("d", "out")])
    nodes = {node["name"]: node for node in hidden["nodes"]}
    levels, chains = layout.items(nodes, layout.column_of(sorted(nodes), hidden["edges"]), hidden["edges"])
    right = layout.neighbours(chains)[1]
    assert layout._crossings(levels, right) == 1
    layout.order_levels(levels, chains)
    assert layout._crossings(levels, right) == 0


def test_a_large_network_is_bounded_and_keeps_the_important_connected():
    hidden = sample_payload(n_hidden=400)["hidden_network"]
    figure = figures.network_figure(hidden, title="t", max_vertices=50)
    assert figure.shown <= 50
    assert figure.shown + figure.left_out == len(hidden["nodes"])
    root = parsed(figure)
    drawn = {group.find(f"{SVG}title").text.split(": ")[0] for group in vertices(root)}
    best = sorted(hidden["nodes"], key=lambda node: -node["importance"])[:5]
    assert {node["name"] for node in best} <= drawn
    sources = {edge["source"] for edge in hidden["edges"] if edge["source"] in drawn and edge["target"] in drawn}
    assert drawn - sources == {"TCR"}  # each drawn vertex has a way on


def radii(figure):
    found = {}
    for group in vertices(parsed(figure)):
        circle = group.find(f"{SVG}circle")
        if circle is not None:
            found[group.get("data-name")] = float(circle.get("r"))
    return found


def test_circles_grow_with_importance_or_with_inputs():
    hidden = sample_payload()["hidden_network"]
    inner = [node for node in hidden["nodes"] if node["role"] != "output"]
    for size_by, key in (("importance", "importance"), ("inputs", "n_inputs")):
        figure = figures.network_figure(hidden, title="t", size_by=size_by)
        found = radii(figure)
        assert figure.scale.by == size_by
        ordered = sorted(inner, key=lambda node: node[key])
        sizes = [found[node["name"]] for node in ordered]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1]
        for node in inner:
            share = node[key] / figure.scale.largest
            assert found[node["name"]] == pytest.approx(3.5 + 8.5 * share**0.5, abs=0.051)
    assert radii(figures.network_figure(hidden, title="t")) != radii(figure)


def test_without_importance_circles_grow_with_inputs():
    hidden = sample_payload()["hidden_network"]
    for node in hidden["nodes"]:
        node["importance"] = None
    figure = figures.network_figure(hidden, title="t")
    assert figure.scale.by == "inputs"
    assert figure.importance_range is None
    assert len(set(radii(figure).values())) > 5
    with pytest.raises(OptionError, match="expected size_by to be 'importance' or 'inputs', got 'weight'"):
        figures.network_figure(hidden, title="t", size_by="weight")


def test_names_that_are_not_drawn_are_known():
    hidden = sample_payload(n_hidden=400, long_names=True)["hidden_network"]
    figure = figures.network_figure(hidden, title="t", max_vertices=50)
    drawn = {group.get("data-name") for group in vertices(parsed(figure))}
    assert len(drawn) == figure.shown
    assert len(figure.absent) == figure.left_out
    assert drawn | set(figure.absent) == {node["name"] for node in hidden["nodes"]}
    assert drawn.isdisjoint(figure.absent)


def test_a_cycle_or_a_loose_edge_is_refused():
    with pytest.raises(FormatError, match="acyclic"):
        figures.network_figure(network(["a", "b"], [("a", "b"), ("b", "a"), ("a", "out")]), title="t")
    with pytest.raises(FormatError, match="an edge at 'ghost'"):
        figures.network_figure(network(["a"], [("a", "out"), ("ghost", "out")]), title="t")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_every_fold_is_inside_its_axis(pairs):
    root = ElementTree.fromstring(figures.folds_figure(pairs, title="AUC <&>"))
    height = float(root.get("viewBox").split()[3])
    dots = list(root.iter(f"{SVG}circle"))
    assert len(dots) == len(pairs)
    assert all(0 <= float(dot.get("cy")) <= height for dot in dots)
    higher = [a > b for a, b in pairs]
    squares = [float(r.get("y")) + 3.3 for r in root.iter(f"{SVG}rect")]
    for is_higher, dot, square in zip(higher, dots, squares, strict=True):
        assert (float(dot.get("cy")) <= square + 0.11) if is_higher else (float(dot.get("cy")) >= square - 0.11)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
def test_ticks_enclose_the_values(values):
    ticks, _ = canvas.ticks_of(values)
    step = ticks[1] - ticks[0]
    assert ticks == sorted(ticks)
    assert 2 <= len(ticks) <= 8
    assert ticks[0] <= min(values) + 1e-6 * step
    assert ticks[-1] >= max(values) - 1e-6 * step


def test_the_change_shows_its_interval():
    rows = sample_payload()["summary"]
    svg = figures.change_figure(rows, title="t")
    root = ElementTree.fromstring(svg)
    assert len([line for line in root.iter(f"{SVG}line") if line.get("class") == "interval"]) == 3 * len(rows)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert any(re.fullmatch(r"[+−]\d\.\d{3} \[[+−]\d\.\d{3}, [+−]\d\.\d{3}\]", text or "") for text in texts)
    for row in rows:
        row |= {"ci_low": None, "ci_high": None}
    bare = ElementTree.fromstring(figures.change_figure(rows, title="t"))
    assert not [line for line in bare.iter(f"{SVG}line") if line.get("class") == "interval"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.9431, "0.943"),
        (1234.5, "1,234.500"),
        (-0.00042, "−0.00042"),
        (2e-9, "2.0e−09"),
        (0.0, "0.000"),
        (None, "n/a"),
    ],
)
def test_numbers_are_written_one_way(value, written):
    assert text.number_text(value) == written


def test_short_names_keep_both_ends():
    names = [f"{'family_' * 6}{i}" for i in range(3)]
    shorts = [text.short_name(name) for name in names]
    assert len(set(shorts)) == 3
    assert all(len(short) == text.LABEL_WIDTH for short in shorts)
