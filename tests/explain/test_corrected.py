"""Importance beside that on control inputs: calibration without a difference, a planted vertex, what cannot be said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from graphnn.data.demo import demo_inputs, demo_network
from graphnn.errors import DataError, MismatchError, OptionError
from graphnn.evaluate.compare import compare
from graphnn.evaluate.control_inputs import control_cells
from graphnn.explain.corrected import control_importance
from graphnn.extract.extract import extract_dag
from tests.evaluate.small import TRAINING, cells, comparison, networks
from tests.explain.test_stability import table

COLUMNS = ["network", "output", "node", "observed", "control", "ratio", "log2_ratio", "p", "q"]


def drawn(rng: np.random.Generator, n_sets: int, n_fits: int, *, topology, own=0.4) -> np.ndarray:
    """Skewed scores that follow the topology: what is common to the fits of a data set, and what is not.

    Shape (n_sets * n_fits, n_nodes), fits of one data set side by side.
    """
    n_nodes = len(topology)
    common = np.repeat(rng.lognormal(sigma=own, size=(n_sets, n_nodes)), n_fits, axis=0)
    sure = rng.gamma(2.0, size=(n_sets * n_fits, 1))
    return sure * topology * common * rng.lognormal(sigma=0.2, size=common.shape)


def by_set(scores: np.ndarray, n_fits: int) -> pd.DataFrame:
    """As a table, with a column that tells data sets apart."""
    frames = [table(scores[at : at + n_fits]).assign(draw=at) for at in range(0, len(scores), n_fits)]
    return pd.concat(frames, ignore_index=True)


@pytest.mark.parametrize("n_sets", [4, 10])
def test_without_a_difference_p_values_are_uniform(n_sets):
    """The observed data are one more draw; 25 fits of it are no 25 replicates."""
    rng = np.random.default_rng(0)
    topology = rng.gamma(2.0, size=400) + 0.1
    found, naive = [], []
    for _ in range(6):
        observed, control = drawn(rng, 1, 25, topology=topology), drawn(rng, n_sets, 5, topology=topology)
        found.append(control_importance(table(observed), by_set(control, 5)))
        shares = [scores / scores.mean(axis=1, keepdims=True) for scores in (observed, control)]
        naive.append(stats.mannwhitneyu(*shares, axis=0).pvalue)
    p = np.concatenate([frame["p"].to_numpy() for frame in found])
    for level in (0.05, 0.1, 0.25, 0.5):
        assert abs((p <= level).mean() - level) <= 4 * np.sqrt(level * (1 - level) / len(p)) + 0.01
    assert sum((frame["q"] < 0.05).sum() for frame in found) <= 3
    assert (np.concatenate(naive) <= 0.05).mean() > 0.2  # what counting fits as replicates would claim
    assert found[0]["observed"].max() / found[0]["observed"].min() > 10


def test_a_planted_vertex_is_found_where_topology_ranks_others_higher():
    rng = np.random.default_rng(1)
    topology = np.linspace(0.1, 5.0, 60)
    observed = drawn(rng, 1, 15, topology=topology, own=0.2)
    control = drawn(rng, 10, 5, topology=topology, own=0.2)
    observed[:, 4] *= 5
    found = control_importance(table(observed), by_set(control, 5))
    first = found.iloc[0]
    assert first["node"] == "n004"
    assert first["q"] < 0.01
    assert first["ratio"] > 3
    assert first["log2_ratio"] == pytest.approx(np.log2(first["ratio"]))
    assert (found["q"] < 0.05).sum() == 1
    by_score = found.sort_values("observed", ascending=False)["node"].tolist()
    assert by_score.index("n004") > 10


def test_by_hand():
    observed = np.array([[1.0, 3.0], [4.0, 4.0], [1.0, 7.0]])
    control = np.array([[2.0, 2.0], [30.0, 10.0], [1.0, 3.0], [3.0, 1.0], [1.0, 9.0], [2.0, 3.0]])
    ours = table(observed, nodes=["a", "b"])
    theirs = pd.concat([table(control[at : at + 2], nodes=["a", "b"]).assign(draw=at) for at in (0, 2, 4)])
    found = control_importance(ours, theirs)
    assert found.columns.tolist() == COLUMNS
    rows = found.set_index("node")
    shares = [scores / scores.mean(axis=1, keepdims=True) for scores in (observed, control)]
    for column, node in enumerate("ab"):
        row = rows.loc[node]
        seen, draws = shares[0][:, column].mean(), shares[1][:, column].reshape(3, 2).mean(axis=1)
        assert row["observed"] == pytest.approx(seen)
        assert row["control"] == pytest.approx(draws.mean())
        assert row["ratio"] == pytest.approx(seen / draws.mean())
        logs = np.log(draws + 0.01)
        low, high = stats.t.interval(1 - row["p"], 2, logs.mean(), logs.std(ddof=1) * np.sqrt(4 / 3))
        assert min(abs(np.log(seen + 0.01) - end) for end in (low, high)) < 1e-9  # on the edge of the interval
    assert rows["q"].tolist() == pytest.approx(stats.false_discovery_control(rows["p"]).tolist())


def test_the_scale_of_a_fit_and_the_order_of_rows_say_nothing():
    rng = np.random.default_rng(2)
    observed, control = (rng.gamma(1.0, size=(6, 9)) for _ in range(2))
    found = control_importance(table(observed), table(control))
    scaled = table(observed * rng.uniform(0.01, 100, size=(6, 1))).sample(frac=1, random_state=0)
    again = control_importance(scaled, table(control))
    pd.testing.assert_frame_equal(found, again)


def test_zeros_constants_and_few_draws():
    observed = np.array([[0.0, 1.0, 2.0, 1.0], [0.0, 2.0, 1.0, 1.0], [0.0, 1.5, 1.5, 1.0]])
    control = np.array([[0.0, 0.0, 3.0, 1.0]] * 3 + [[0.0, 0.0, 0.0, 0.0]])
    nodes = ["never", "gained", "other", "same"]
    ours, theirs = table(observed, nodes=nodes), table(control, nodes=nodes)
    theirs["draw"] = theirs["fold"]
    rows = control_importance(ours, theirs).set_index("node")
    assert np.isnan(rows.loc["never", "ratio"])
    assert rows.loc["never", "p"] == 1.0
    assert rows.loc["gained", "ratio"] == rows.loc["gained", "log2_ratio"] == np.inf
    assert np.isnan(rows.loc["gained", "p"])  # no spread to compare with
    assert rows.loc["same", "p"] == 1.0  # a share of 1 in each fit; the draw without any score was left out
    few = control_importance(ours, theirs[theirs["draw"] < 2])
    assert few[["p", "q"]].isna().all(axis=None)
    assert few["ratio"].notna().any()
    nothing = control_importance(table(np.zeros((3, 4)), nodes=nodes), theirs)
    assert nothing[["observed", "p", "q"]].isna().all(axis=None)
    assert len(control_importance(ours.iloc[:0], theirs.iloc[:0])) == 0


def test_several_networks_and_outputs_stay_apart_and_in_order():
    rng = np.random.default_rng(3)
    parts = [table(rng.gamma(1.0, size=(3, 4)), network=name).assign(output=o) for name in "ba" for o in "zy"]
    observed = pd.concat(parts)
    found = control_importance(observed, observed.sample(frac=1, random_state=1))
    keys = found[["network", "output"]].drop_duplicates().itertuples(index=False, name=None)
    assert list(keys) == [("b", "z"), ("b", "y"), ("a", "z"), ("a", "y")]
    np.testing.assert_allclose(found["ratio"], 1.0)
    assert found.index.tolist() == list(range(16))


def test_draws_are_told_apart_by_their_column_or_by_the_seed():
    rng = np.random.default_rng(4)
    scores = rng.gamma(1.0, size=(6, 5))
    draws = [table(scores[at : at + 2]) for at in (0, 2, 4)]
    observed = table(rng.gamma(1.0, size=(3, 5)))
    by_draw = pd.concat([frame.assign(draw=at) for at, frame in enumerate(draws)])
    by_seed = pd.concat([frame.assign(seed=at) for at, frame in enumerate(draws)])
    pd.testing.assert_frame_equal(control_importance(observed, by_draw), control_importance(observed, by_seed))
    with pytest.raises(DataError, match="draw"):
        control_importance(observed, by_draw.drop(columns="draw"))


def test_tables_that_do_not_fit_are_refused():
    ours = table(np.ones((2, 3)))
    with pytest.raises(MismatchError, match="'y of other'"):
        control_importance(ours, table(np.ones((2, 3)), network="other"))
    with pytest.raises(MismatchError, match="'n003'"):
        control_importance(ours, table(np.ones((2, 4))))
    with pytest.raises(MismatchError, match="gaps"):
        control_importance(ours.iloc[:-1], ours)
    for wrong in (-1.0, np.nan):
        with pytest.raises(DataError, match="0 or more"):
            control_importance(ours.assign(score=wrong), ours)


def test_from_cells_to_ratios():
    found = comparison()
    (x, y), (full, compressed) = cells(), networks()
    values = pd.DataFrame(control_cells(y, x.shape[1], seed=0), index=x.index, columns=x.columns)
    control = compare(full, compressed, values, y, folds=3, seeds=3, seed=4, training=TRAINING)
    frame = control_importance(found.importance(), control.importance())
    assert frame.columns.tolist() == COLUMNS
    assert frame["network"].drop_duplicates().tolist() == ["full", "compressed"]
    for name in found.networks:
        rows = frame[frame["network"] == name]
        assert sorted(rows["node"]) == sorted(found.networks[name].hidden)
        assert rows["observed"].mean() == pytest.approx(1.0)
    assert np.isfinite(frame[["ratio", "p", "q"]]).all(axis=None)


# -- control inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_inputs", [1, 30, 1_000])
def test_the_sum_of_all_inputs_predicts_well_but_not_perfectly(n_inputs):
    labels = np.arange(4_000) % 2
    x = control_cells(labels, n_inputs, seed=1)
    assert x.dtype == np.float32
    assert x.shape == (4_000, n_inputs)
    total = x.sum(axis=1)
    yes, no = total[labels == 1], total[labels == 0]
    spread = np.sqrt((yes.var() + no.var()) / 2)
    assert (yes.mean() - no.mean()) / spread == pytest.approx(3.0, abs=0.2)


def test_every_input_tells_as_much_as_every_other():
    """The differences between inputs are those of noise: their squared z scores follow chi square."""
    labels = np.random.default_rng(0).permutation(np.arange(3_000) % 3 == 0).astype(float)
    x = control_cells(labels, 300, seed=2).astype(np.float64)
    gap = x[labels == 1].mean(axis=0) - x[labels == 0].mean(axis=0)
    error = np.sqrt(1 / 1_000 + 1 / 2_000)
    expected = 1.5 / np.sqrt(300) / labels.std()
    assert stats.kstest((gap - expected) / error, "norm").pvalue > 0.01


def test_several_outputs_are_each_carried_by_all_inputs():
    labels = np.random.default_rng(1).integers(0, 2, size=(6_000, 3))
    x = control_cells(labels, 200, seed=3).astype(np.float64)
    correlation = np.corrcoef(x.T, labels.T)[:200, 200:]
    expected = 1.5 / np.sqrt(200) / np.sqrt(1 + 3 * 1.5**2 / 200)
    np.testing.assert_allclose(np.abs(correlation).mean(axis=0), expected, atol=0.01)
    assert (np.sign(correlation) == 1).mean() == pytest.approx(0.5, abs=0.1)
    assert np.linalg.matrix_rank(correlation, tol=0.1) == 3


def test_strength_and_seed_are_followed():
    labels = np.arange(500.0)
    strong = control_cells(labels, 5, seed=0, strength=10.0)
    assert (np.corrcoef(strong.T, labels)[-1, :-1] > 0.98).all()
    first, again, other = (control_cells(labels, 5, seed=seed) for seed in (0, 0, 1))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    np.testing.assert_array_equal(control_cells(pd.DataFrame({"y": labels}), 5, seed=0), first)


@pytest.mark.parametrize("labels", [["x", "y"], [1.0, np.nan], [], [1.0, 1.0], [[0, 1], [1, 1]], np.zeros((2, 2, 2))])
def test_labels_that_say_nothing_are_refused(labels):
    with pytest.raises(DataError):
        control_cells(labels, 3, seed=0)


@pytest.mark.parametrize("option", [{"n_inputs": 0}, {"seed": -1}, {"strength": 0.0}, {"strength": np.inf}])
def test_options_of_control_inputs(option):
    with pytest.raises(OptionError, match=next(iter(option))):
        control_cells([0, 1], **{"n_inputs": 3, "seed": 0, **option})


@pytest.mark.slow
def test_real_fits_of_control_inputs_are_no_findings():
    """The whole way: cells that are themselves control inputs, two repeats of five folds, against eight draws."""
    pruned = demo_network().prune(demo_inputs(), ["TCR"])
    full = extract_dag(pruned, demo_inputs(), ["TCR"], objective="shortest_paths")
    minimal = extract_dag(pruned, demo_inputs(), ["TCR"])
    p, n_findings = [], 0
    for seed in range(10):
        barcodes = [f"c{number}" for number in range(200)]
        y = pd.Series(np.random.default_rng(seed).permutation(np.arange(200) % 2), index=barcodes)
        values = control_cells(y, len(full.inputs), seed=1000 + seed)
        x = pd.DataFrame(values, columns=list(full.inputs), index=barcodes)
        found = compare(full, minimal, x, y, folds=5, seeds=2, seed=seed, controls=["control-inputs"], draws=8)
        table_ = found.corrected_importance()
        p += table_["p"].tolist()
        n_findings += int((table_["q"] < 0.05).any())
    assert 0.01 < np.mean(np.array(p) <= 0.05) < 0.09
    assert n_findings <= 2
