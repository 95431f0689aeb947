"""Violins: the density is the textbook's, and what is drawn is what was given."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gaussian_kde

from graphnn.report.violin import LEAST_FITS, MAX_DOTS, Violin, bandwidth, density, violin_figure

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*rows: Violin) -> ElementTree.Element:
    return ElementTree.fromstring(violin_figure(rows, title="t <&>", axis="importance", kind="full"))


def rows_of(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [group for group in root.iter(f"{SVG}g") if group.get("class") == "row"]


def part(row: ElementTree.Element, kind: str) -> ElementTree.Element | None:
    return next((element for element in row if element.get("class") == kind), None)


def outline(row: ElementTree.Element) -> np.ndarray:
    """Corners of a shape, (x, y)."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", part(row, "shape").get("d"))
    return np.array(numbers, dtype=float).reshape(-1, 2)


def dots(row: ElementTree.Element) -> list[float]:
    return [float(x) for x in re.findall(r"M(-?[\d.]+) ", part(row, "fits").get("d"))]


@pytest.mark.parametrize("n", [2, 5, 40])
def test_the_density_is_that_of_scipy(n):
    rng = np.random.default_rng(n)
    values, at = rng.gamma(2.0, 0.01, n), np.linspace(-0.02, 0.1, 50)
    oracle = gaussian_kde(values, bw_method="silverman")
    assert density(values, at) == pytest.approx(oracle(at), rel=1e-9)
    assert bandwidth(values) == pytest.approx(float(np.sqrt(oracle.covariance[0, 0])))
    assert density(values, at) != pytest.approx(gaussian_kde(values, bw_method="scott")(at), rel=1e-3)


@given(st.lists(st.floats(-1e3, 1e3), min_size=LEAST_FITS, max_size=40), st.floats(1e-3, 1e3))
def test_every_shape_ends_at_the_least_and_the_greatest_value(values, scale):
    row = Violin("n", tuple(scale * value for value in values))
    root = drawn(row, Violin("frame", (-1e6, 1e6)))
    shape = part(rows_of(root)[0], "shape")
    if shape is None:
        assert bandwidth(np.array(row.values)) == 0.0
        return
    corners = outline(rows_of(root)[0])
    box = [float(value) for value in root.get("viewBox").split()]
    assert (corners >= 0).all()
    assert (corners <= box[2:]).all()
    width = float(np.ptp(corners[:, 0]))
    axis = 300.0 * np.ptp(row.values) / 2e6
    assert width == pytest.approx(axis, abs=0.2)


def test_a_shape_has_as_many_hills_as_the_values():
    two = Violin("two", (*np.linspace(0.0, 0.1, 20), *np.linspace(0.9, 1.0, 20)))
    one = Violin("one", tuple(np.linspace(0.0, 1.0, 20) ** 2 - 0.5))
    hills = []
    for row in rows_of(drawn(two, one)):
        corners = outline(row)
        upper = corners[: len(corners) // 2, 1]
        rises = np.sign(np.diff(-upper))
        rises = rises[rises != 0]
        hills.append(int((np.diff(rises) < 0).sum()))
    assert hills[0] == 2
    assert hills[1] <= 1


def test_a_value_that_moves_moves_its_dot_and_the_mean():
    frame = Violin("frame", (0.0, 1.0))
    before = rows_of(drawn(Violin("n", (0.2, 0.3, 0.4, 0.5, 0.6)), frame))[0]
    after = rows_of(drawn(Violin("n", (0.2, 0.3, 0.4, 0.5, 0.9)), frame))[0]
    assert dots(before)[:4] == dots(after)[:4]
    assert dots(before)[4] < dots(after)[4]
    assert float(part(before, "mean").get("x1")) < float(part(after, "mean").get("x1"))
    assert outline(after)[:, 0].max() == pytest.approx(dots(after)[4])
    mean = float(part(before, "mean").get("x1"))
    assert mean == pytest.approx(dots(before)[2], abs=0.1)


def test_a_constant_is_a_line():
    row = rows_of(drawn(Violin("n", (0.25,) * 6), Violin("frame", (0.0, 1.0))))[0]
    assert part(row, "shape") is None
    assert part(row, "constant") is not None
    assert part(row, "constant").get("x1") == part(row, "constant").get("x2") == part(row, "mean").get("x1")
    every = rows_of(drawn(Violin("zero", (0.0,) * 9)))[0]  # nothing else on the axis
    assert part(every, "constant") is not None


@pytest.mark.parametrize(
    ("n", "has_shape", "n_dots"),
    [(1, False, 1), (LEAST_FITS - 1, False, LEAST_FITS - 1), (MAX_DOTS, True, MAX_DOTS), (MAX_DOTS + 1, True, 0)],
)
def test_few_fits_are_dots_and_many_a_shape(n, has_shape, n_dots):
    row = rows_of(drawn(Violin("n", tuple(np.linspace(0, 1, n)))))[0]
    assert (part(row, "shape") is not None) is has_shape
    assert (len(dots(row)) if part(row, "fits") is not None else 0) == n_dots
    assert part(row, "constant") is None


def test_whole_names_can_be_read_and_rows_do_not_touch():
    names = [f'{"family_" * 6}<b>"{i}' for i in range(4)]
    rows = rows_of(drawn(*(Violin(name, tuple(np.linspace(0, 1, 9))) for name in names)))
    assert [row.find(f"{SVG}title").text.split(": 9 fits")[0] for row in rows] == names
    assert all("…" in part(row, "axis").text for row in rows)
    for above, below in pairwise(outline(row)[:, 1] for row in rows):
        assert above.max() < below.min()
