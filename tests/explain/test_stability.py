"""Agreement of ranks: worked values, extremes, and laws."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn.errors import OptionError
from graphnn.explain.stability import rank_intervals, rank_stability, stability_across
from tests.evaluate.small import comparison


def table(scores, *, nodes=None, network="full") -> pd.DataFrame:
    """Importances from an array of shape (n_fits, n_nodes)."""
    scores = np.asarray(scores, dtype=float)
    names = nodes or [f"n{number:03}" for number in range(scores.shape[1])]
    rows = [
        {"node": name, "network": network, "output": "y", "fold": fit % 5, "seed": fit // 5, "score": value}
        for fit, row in enumerate(scores)
        for name, value in zip(names, row, strict=True)
    ]
    return pd.DataFrame(rows)


def test_the_worked_example_of_a_text_book():
    """S. Siegel, N. J. Castellan, "Nonparametric statistics" (1988), 9.6: three judges of six applicants, W = 0.162."""
    ranks = np.array([[1, 6, 3, 2, 5, 4], [1, 5, 6, 4, 2, 3], [6, 3, 2, 5, 4, 1]])
    sums = ranks.sum(axis=0)
    by_hand = 12 * ((sums - sums.mean()) ** 2).sum() / (9 * (6**3 - 6))
    assert by_hand == pytest.approx(0.162, abs=5e-4)
    assert rank_stability(table(-ranks)).loc[0, "kendall_w"] == pytest.approx(by_hand)


def test_one_order_is_full_agreement_and_drawn_orders_are_little():
    same = rank_stability(table([[5, 4, 3, 2, 1]] * 6), top=2).iloc[0]
    assert (same["kendall_w"], same["jaccard"]) == (1.0, 1.0)
    drawn = rank_stability(table(np.random.default_rng(0).normal(size=(20, 40))), top=8).iloc[0]
    assert drawn["kendall_w"] < 0.1
    assert drawn["p"] > 0.01
    assert drawn["jaccard"] == pytest.approx(drawn["jaccard_by_chance"], abs=0.03)


def test_the_index_by_chance_is_the_mean_over_all_choices():
    choices = [set(choice) for choice in combinations(range(6), 3)]
    expected = np.mean([len(a & b) / len(a | b) for a in choices for b in choices])
    assert rank_stability(table(np.eye(6)[:2]), top=3).loc[0, "jaccard_by_chance"] == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_fits=st.integers(2, 7),
    n_nodes=st.integers(3, 12),
    top=st.integers(1, 14),
    noise=st.sampled_from([0.0, 0.3, 3.0]),
)
def test_laws(seed, n_fits, n_nodes, top, noise):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=n_nodes) + noise * rng.normal(size=(n_fits, n_nodes))
    frame = table(scores)
    row = rank_stability(frame, top=top).iloc[0]
    assert 0 <= row["kendall_w"] <= 1 + 1e-12
    assert 0 <= row["jaccard"] <= 1
    assert row["top"] == min(top, n_nodes)
    # an order-preserving change of all scores, and another order of rows, change nothing
    moved = frame.assign(score=np.exp(frame["score"])).sample(frac=1, random_state=seed)
    again = rank_stability(moved, top=top).iloc[0]
    assert again["kendall_w"] == pytest.approx(row["kendall_w"])
    assert again["jaccard"] == row["jaccard"]
    found = rank_intervals(frame, top=top)
    assert (found["rank_low"] <= found["rank"]).all()
    assert (found["rank"] <= found["rank_high"]).all()
    assert found["in_top"].sum() == pytest.approx(min(top, n_nodes))
    assert found["rank"].is_monotonic_increasing
    order = np.argsort(-frame.pivot(index=["seed", "fold"], columns="node", values="score").to_numpy(), axis=1)
    ranks = pd.DataFrame(np.argsort(order, axis=1) + 1, columns=sorted(frame["node"].unique()))
    for row in found.itertuples():
        assert ranks[row.node].between(row.rank_low, row.rank_high).mean() >= 0.9


def test_a_vertex_that_is_first_in_every_fit_is_known_to_be():
    scores = np.random.default_rng(1).normal(size=(20, 10))
    scores[:, 3] = 10
    first = rank_intervals(table(scores)).iloc[0]
    assert (first["node"], first["rank"], first["rank_low"], first["rank_high"]) == ("n003", 1, 1, 1)


def test_what_cannot_be_said_is_left_open():
    nothing = table([[1, 2, 3]]).iloc[:0]
    assert len(rank_stability(nothing)) == len(rank_intervals(nothing)) == 0
    assert list(rank_intervals(nothing).columns) == list(rank_intervals(table([[1, 2, 3]])).columns)
    alone = rank_stability(table([[1, 2, 3]])).iloc[0]
    assert np.isnan([alone["kendall_w"], alone["p"], alone["jaccard"]]).all()
    assert np.isnan(rank_stability(table([[1, 2], [2, 1]])).loc[0, "kendall_w"])
    assert np.isnan(rank_stability(table(np.ones((3, 4)))).loc[0, "kendall_w"])


@pytest.mark.parametrize("top", [0, -1, 1.5, "3", True])
def test_a_number_that_is_none_is_refused(top):
    with pytest.raises(OptionError, match="top"):
        rank_stability(table([[1, 2, 3]]), top=top)


@pytest.mark.parametrize("level", [0, 1, 1.5, "x", True])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(OptionError, match="level"):
        rank_intervals(table([[1, 2, 3]]), level=level)


def test_a_comparison_tells_it_of_both_networks():
    found = comparison()
    assert found.stability(top=1)["network"].tolist() == ["full", "compressed"]
    assert set(found.stability()["n_fits"]) == {6}
    assert set(found.rank_intervals()["node"]) == set(found.importance()["node"])


# -- across networks -----------------------------------------------------------------------------------------------


def test_networks_agree_on_the_vertices_that_they_share():
    rng = np.random.default_rng(0)
    order = np.arange(1.0, 9.0)
    first = table(order * rng.uniform(0.9, 1.1, size=(4, 8)), network="first")
    names = [f"n{number:03}" for number in range(2, 8)] + ["own"]
    scores = np.append(order[2:], 50.0) * 100  # another scale, and a vertex that the other lacks
    second = table(scores * rng.uniform(0.95, 1.05, size=(3, 7)), network="second", nodes=names)
    row = stability_across(pd.concat([first, second]), top=3).iloc[0]
    assert (row["output"], row["n_networks"], row["n_absent"], row["n_nodes"], row["top"]) == ("y", 2, 3, 6, 3)
    assert row["kendall_w"] == pytest.approx(1.0)
    assert row["jaccard"] == 1.0
    turned = second.assign(score=1 / second["score"])
    assert stability_across(pd.concat([first, turned]), top=3).loc[0, "kendall_w"] < 0.2


def test_networks_may_be_chosen_and_may_share_little():
    parts = [table([[1, 2, 3], [1, 2, 3]], network=name, nodes=list(nodes)) for name, nodes in
             (("p", "abc"), ("q", "abd"), ("r", "xyz"))]  # fmt: skip
    every = pd.concat(parts)
    assert stability_across(every).loc[0, ["n_networks", "n_nodes", "n_absent"]].tolist() == [3, 0, 7]
    two = stability_across(every, networks=["p", "q"]).iloc[0]
    assert (two["n_networks"], two["n_nodes"], two["jaccard"]) == (2, 2, 1.0)
    assert np.isnan(two["kendall_w"])
    with pytest.raises(OptionError, match="networks"):
        stability_across(every, networks=["s"])
    assert stability_across(comparison().importance())["n_networks"].tolist() == [2]
