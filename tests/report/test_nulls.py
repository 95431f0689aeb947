"""Figures of controls: every draw is a dot, the compressed network a line, every contender an interval."""

from __future__ import annotations

from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphnn.report import figures
from graphnn.report.nulls import DOT_PX, MAX_DRAWS, Draw, null_figure

SVG = "{http://www.w3.org/2000/svg}"


def drawn(values, observed=0.9, **changes):
    draws = [Draw(i, value, observed, value >= observed) for i, value in enumerate(values, start=1)]
    options = {"observed": observed, "title": "t <&>", "axis": "ROC-AUC"} | changes
    return ElementTree.fromstring(null_figure(draws, **options))


def dots(root):
    return [dot for dot in root.iter(f"{SVG}circle") if "draw" in dot.get("class").split()]


def line(root):
    return next(float(item.get("x1")) for item in root.iter(f"{SVG}line") if item.get("class") == "observed")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.floats(0, 1))
def test_every_draw_is_a_dot_in_its_place(values, observed):
    root = drawn(values, observed)
    box = [float(value) for value in root.get("viewBox").split()]
    found = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in dots(root)]
    assert len(found) == len(values)
    assert [x for x, _ in found] == sorted(x for x, _ in found)
    assert all(DOT_PX <= x <= box[2] - DOT_PX and DOT_PX <= y <= box[3] - DOT_PX for x, y in found)
    for (x, _), value in zip(found, sorted(values), strict=True):
        assert x <= line(root) + 0.1 if value <= observed else x >= line(root) - 0.1
    filled = [dot for dot in dots(root) if "as-good" in dot.get("class").split()]
    assert len(filled) == sum(value >= observed for value in values)


def test_few_dots_do_not_touch():
    found = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in dots(drawn([0.5] * 4 + [0.51] * 3 + [0.9]))]
    for (x, y), (u, v) in combinations(found, 2):
        assert (x - u) ** 2 + (y - v) ** 2 >= (2 * DOT_PX) ** 2 - 0.5


def test_what_moves_moves():
    before, after = drawn([0.2, 0.5, 1.0], 0.6), drawn([0.2, 0.5, 1.0], 0.8)
    assert line(before) < line(after)
    assert [dot.get("cx") for dot in dots(before)] == [dot.get("cx") for dot in dots(after)]
    moved = drawn([0.2, 0.7, 1.0], 0.6)
    places = [[float(dot.get("cx")) for dot in dots(root)] for root in (before, moved)]
    assert places[0][0] == places[1][0]
    assert places[0][1] < line(before) < places[1][1]
    assert any(text.text == "compressed 0.800" for text in after.iter(f"{SVG}text"))


def test_a_dot_says_which_draw_it_is_and_dots_are_bounded():
    root = drawn([0.7, 0.6])
    assert [dot.find(f"{SVG}title").text for dot in dots(root)] == [
        "draw 2: 0.600, −0.300 against the compressed network in its repeat",
        "draw 1: 0.700, −0.200 against the compressed network in its repeat",
    ]
    assert len(dots(drawn([0.5] * (MAX_DRAWS + 9)))) == MAX_DRAWS


def contrast(network, change, half=0.01, output="y"):
    ends = (None, None) if half is None else (change - half, change + half)
    return {
        "network": network,
        "metric": "roc_auc",
        "output": output,
        "change": change,
        "ci_low": ends[0],
        "ci_high": ends[1],
    }


def marks(rows):
    root = ElementTree.fromstring(figures.contrast_figure(rows, title="t"))
    zero = next(float(item.get("x1")) for item in root.iter(f"{SVG}line") if item.get("class") == "zero")
    squares = [float(square.get("x")) + 4.5 - zero for square in root.iter(f"{SVG}rect")]
    ends = [item for item in root.iter(f"{SVG}line") if item.get("class") == "interval"]
    return squares, [(float(item.get("x1")) - zero, float(item.get("x2")) - zero) for item in ends[::3]], root


def test_contenders_stand_on_their_side_of_zero():
    squares, intervals, root = marks([contrast("dense", -0.05), contrast("net", 0.05), contrast("same", 0.0, None)])
    assert squares[0] == pytest.approx(-squares[1], abs=0.2)
    assert squares[0] < 0 < squares[1]
    assert squares[2] == pytest.approx(0, abs=0.1)
    assert len(intervals) == 2
    assert all(low < square < high for square, (low, high) in zip(squares, intervals, strict=False))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"dense", "net", "same", "difference to the compressed network"} <= set(texts)
    moved, _, _ = marks([contrast("dense", -0.05 + 0.004, 0.014), contrast("net", 0.05), contrast("same", 0.0, None)])
    assert moved[0] > squares[0]
    assert moved[1] == squares[1]


def test_ticks_of_a_narrow_axis_are_not_rounded():
    rows = [contrast("dense", 0.001, 0.0004)]
    texts = [text.text for text in marks(rows)[2].iter(f"{SVG}text") if text.get("class") == "tick"]
    steps = [float(text.replace("−", "-")) for text in texts]
    assert [b - a for a, b in pairwise(steps)] == pytest.approx([steps[1] - steps[0]] * (len(steps) - 1))


def test_intervals_are_bounded():
    rows = [contrast(f"network {i}", 0.01 * i) for i in range(figures.MAX_INTERVALS + 5)]
    assert len(marks(rows)[0]) == figures.MAX_INTERVALS
