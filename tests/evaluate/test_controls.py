"""Controls of a comparison, contrasts with them, and where the network falls among random ones."""

from __future__ import annotations

import copy
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import graphnn as gn
from graphnn.errors import DataError, MismatchError, OptionError
from graphnn.evaluate.association import label_association
from graphnn.evaluate.compare import compare
from graphnn.evaluate.comparison import Comparison
from graphnn.evaluate.controls import dealt_labels
from graphnn.evaluate.engine import Table
from graphnn.evaluate.linear import LinearTrainer
from graphnn.evaluate.options import CONTROLS, TrainingOptions, check_controls
from graphnn.evaluate.statistics import corrected_resampled_t, empirical_p
from tests.evaluate.small import PRIOR, TRAINING, bytes_of, cells, comparison, networks, splits_of

FULL, COMPRESSED = networks()
EVERY = [name for name in CONTROLS if name not in ("minima", "label-preferred")]


@cache
def controlled() -> Comparison:
    """3 folds x 2 seeds with every control that small networks have, and a further network."""
    x, y = cells()
    prior = gn.PriorGraph.from_sif_tuples(PRIOR).prune(FULL.inputs, FULL.outputs)
    return compare(
        FULL, COMPRESSED, x, y, folds=3, seeds=2, seed=4, training=TRAINING, controls=[*EVERY, "minima"], draws=5,
        others={"again": COMPRESSED}, prior=prior,
    )  # fmt: skip


def test_networks_are_what_they_are_without_controls() -> None:
    before, found = comparison(), controlled()
    for name in ("full", "compressed"):
        assert list(map(bytes_of, found.fits[name])) == list(map(bytes_of, before.fits[name]))
    pd.testing.assert_frame_equal(found.summary(), before.summary())
    assert found.importance()["network"].unique().tolist() == ["full", "compressed", "again"]


def test_every_control_is_trained_as_often_as_it_says() -> None:
    sizes = controlled().sizes.set_index("name")
    assert sizes.loc[["dense", "elastic-net", "again"], "n_fits"].tolist() == [6, 6, 6]
    for control in ("rewired", "random", "shuffled"):
        rows = sizes[sizes["control"] == control]
        assert rows["draw"].tolist() == [1, 2, 3, 4, 5]
        assert (rows["n_fits"] == 3).all()
        assert (rows["edges"] == COMPRESSED.graph.n_edges).all()
    assert sizes[sizes["control"] == "control-inputs"]["n_fits"].tolist() == [3] * 5
    assert np.isnan(sizes.loc["elastic-net", "edges"])


def test_draws_take_the_repeats_in_turn_and_differ() -> None:
    found = controlled()
    seeds = [{fit.split.seed for fit in found.fits[f"shuffled {draw}"]} for draw in (1, 2, 3)]
    assert seeds == [{4}, {5}, {4}]
    labels = [found.controls[f"shuffled {draw}"].labels for draw in (1, 2, 3, 4, 5)]
    assert len({label.tobytes() for label in labels}) == 5
    assert all(label.sum() == labels[0].sum() for label in labels)


def test_a_network_against_itself_does_not_differ() -> None:
    rows = controlled().contrasts().query("network == 'again'")
    assert (rows["change"] == 0).all()
    assert (rows["p"] == 1).all()


def test_contrasts_are_the_corrected_t_of_the_scores() -> None:
    found = controlled()
    scores = found.scores.set_index("network")
    gain = scores.loc["dense", "roc_auc"].to_numpy() - scores.loc["compressed", "roc_auc"].to_numpy()
    row = found.contrasts().query("network == 'dense' and metric == 'roc_auc'").iloc[0]
    tested = np.array([len(fit.split.test) for fit in found.fits["full"]])
    expected = corrected_resampled_t(gain, test_to_train=np.mean(tested / (71 - tested)))
    assert (row["change"], row["p"]) == (pytest.approx(expected.mean), pytest.approx(expected.p))
    turned = found.contrasts(reference="dense").query("network == 'compressed' and metric == 'roc_auc'").iloc[0]
    assert turned["change"] == pytest.approx(-row["change"])


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(OptionError, match="dense"):
        controlled().contrasts(reference="dens")


def test_null_tests_count_draws_in_their_own_repeat() -> None:
    found = controlled()
    mean = found.scores.groupby(["network", "seed"])["roc_auc"].mean()
    for control in ("rewired", "random", "shuffled"):
        pairs = [(mean[f"{control} {draw}", 4 + (draw - 1) % 2], mean["compressed", 4 + (draw - 1) % 2])
                 for draw in range(1, 6)]  # fmt: skip
        as_good = sum(value >= observed for value, observed in pairs)
        row = found.null_tests().query("control == @control and metric == 'roc_auc'").iloc[0]
        assert (row["n_draws"], row["n_as_good"]) == (5, as_good)
        if control == "shuffled":  # too few edges of so small a network can be moved
            assert row["p"] == pytest.approx((1 + as_good) / 6)
        assert row["null_mean"] == pytest.approx(np.mean([value for value, _ in pairs]))


def test_empirical_p_keeps_its_level() -> None:
    """By simulation: an observed value that is a draw like any other, its draws spread over three repeats."""
    rng = np.random.default_rng(0)
    p = []
    for _ in range(4000):
        own, repeat = rng.normal(), rng.normal(size=3)
        observed = own + repeat + rng.normal(size=3) * 0.5
        draws = np.array([rng.normal() + repeat[k % 3] + rng.normal() * 0.5 for k in range(19)])
        p.append(empirical_p(int((draws >= observed[np.arange(19) % 3]).sum()), 19))
    for level in (0.05, 0.1, 0.2, 0.5):
        assert np.mean(np.array(p) <= level) <= level + 0.02
    assert np.mean(np.array(p) <= 0.5) > 0.4  # and it is no empty promise


def test_two_runs_and_any_number_of_workers_give_the_same() -> None:
    x, y = cells(40)
    runs = [
        compare(FULL, COMPRESSED, x, y, folds=2, training=TRAINING, controls=EVERY, draws=2, workers=workers)
        for workers in (1, 3)
    ]
    pd.testing.assert_frame_equal(runs[0].scores, runs[1].scores)
    pd.testing.assert_frame_equal(runs[0].corrected_importance(), runs[1].corrected_importance())


def test_names_of_controls() -> None:
    assert check_controls(["Control_Inputs", "dense", "dense"]) == ("dense", "control-inputs")
    with pytest.raises(OptionError, match="did you mean 'shuffled'"):
        check_controls(["shufled"])
    with pytest.raises(OptionError, match="list of names"):
        check_controls("dense")
    with pytest.raises(OptionError):
        check_controls([3])  # type: ignore[list-item]


@pytest.mark.parametrize("name", ["full", "compressed", "dense", "rewired 3", "", 7])
def test_taken_names_of_further_networks_are_refused(name) -> None:
    x, y = cells()
    with pytest.raises(OptionError, match="another name"):
        compare(FULL, COMPRESSED, x, y, others={name: COMPRESSED})


def test_a_further_network_with_other_inputs_is_refused() -> None:
    x, y = cells()
    other = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples([("a", 1, "h"), ("h", 1, "y")]), ["a"], ["y"])
    with pytest.raises(MismatchError, match="same inputs"):
        compare(FULL, COMPRESSED, x, y, others={"small": other})


def test_what_needs_a_control_says_so() -> None:
    with pytest.raises(OptionError, match="control-inputs"):
        comparison().corrected_importance()
    with pytest.raises(OptionError, match="minima"):
        comparison().minima_stability()


def test_all_inputs_tell_the_label_of_control_inputs() -> None:
    found = controlled()
    values, others = (found.controls[f"control-inputs {draw}"].own_cells(4) for draw in (1, 2))
    assert not np.array_equal(values, others)
    y = found.labels["y"].to_numpy()
    gaps = values[y == 1].mean(axis=0) - values[y == 0].mean(axis=0)
    assert (gaps > 0.3).all()
    fit = found.fits["control-inputs 1"][0]
    np.testing.assert_allclose(found.inputs_of(fit), fit.scaler.transform(values[fit.split.test]))
    with pytest.raises(OptionError, match="control-inputs"):
        found.controls["dense"].own_cells(4)


# -- elastic net ------------------------------------------------------------------------------------------------------


def linear(y: np.ndarray, x: np.ndarray, task: str, **options):
    """A fit on two thirds of the cells."""
    split = splits_of(y, stratify=task != "regression")[0]
    return split, LinearTrainer(Table(x, y.astype(np.float32)), TrainingOptions(**options), task=task).fit(split)


def test_the_elastic_net_is_that_of_scikit_learn() -> None:
    x, y = cells(150)
    values, labels = x.to_numpy(dtype=np.float32), y.to_numpy(dtype=np.float64)[:, None]
    split, fit = linear(labels, values, "binary")
    z = fit.scaler.transform(values)
    coefficients, intercepts = fit.state[0]
    called = 1 / (1 + np.exp(-(z[split.test] @ coefficients[:, 0] + intercepts[0])))
    np.testing.assert_allclose(fit.prediction[:, 0], called, atol=1e-5)
    plain = LogisticRegression(C=1e4).fit(z[split.train], labels[split.train, 0])
    assert stats.spearmanr(called, plain.predict_proba(z[split.test])[:, 1]).statistic > 0.97
    assert fit.losses[fit.best_epoch - 1] == fit.losses.min()
    assert len(fit.losses) == 4


def test_the_strength_is_chosen_by_cells_that_are_not_reported() -> None:
    x, y = cells(90)
    values, labels = x.to_numpy(dtype=np.float32), y.to_numpy(dtype=np.float64)[:, None]
    split, before = linear(labels, values, "binary")
    turned = labels.copy()
    turned[split.test] = 1 - turned[split.test]
    after = LinearTrainer(Table(values, turned.astype(np.float32)), TrainingOptions(), task="binary").fit(split)
    assert before.prediction.tobytes() == after.prediction.tobytes()


def test_classes_and_numbers() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(160, 5)).astype(np.float32)
    kinds = np.digitize(x[:, 0] + 0.3 * rng.normal(size=160), [-0.5, 0.5])
    split, fit = linear(np.eye(3)[kinds], x, "multiclass")
    np.testing.assert_allclose(fit.prediction.sum(axis=1), 1, atol=1e-5)
    assert (fit.prediction.argmax(axis=1) == kinds[split.test]).mean() > 0.7
    number = (2 * x[:, 1] - x[:, 2])[:, None] * 30 + 100
    split, fit = linear(number, x, "regression")
    assert stats.pearsonr(fit.prediction[:, 0], number[split.test, 0]).statistic > 0.95
    assert abs(fit.prediction.mean() - 100) < 15


def test_a_part_of_one_class_gives_a_constant() -> None:
    x = np.random.default_rng(2).normal(size=(30, 3)).astype(np.float32)
    y = np.zeros((30, 1))
    split = splits_of(np.arange(30.0)[:, None], stratify=False)[0]
    y[split.test[0]] = 1
    fit = LinearTrainer(Table(x, y.astype(np.float32)), TrainingOptions(), task="binary").fit(split)
    assert (fit.prediction == 0).all()


# -- labels of classes ------------------------------------------------------------------------------------------------


def of_classes() -> tuple[gn.Dag, gn.Dag, pd.DataFrame, pd.Series]:
    """Three classes that two inputs tell apart."""
    edges = [(name, 1, hidden) for name in "abc" for hidden in "hk"]
    edges += [(hidden, 1, output) for hidden in "hk" for output in ("B", "NK", "T")]
    full = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(edges), list("abc"), ["B", "NK", "T"])
    kept = [(name, 1, "h") for name in "abc"] + [edge for edge in edges if edge[0] == "h"]
    small = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples(kept), list("abc"), ["B", "NK", "T"])
    rng = np.random.default_rng(3)
    x = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"), index=[f"c{i}" for i in range(120)])
    kind = np.where(x["a"] > 0.5, "T", np.where(x["b"] > 0, "NK", "B"))
    return full, small, x, pd.Series(kind, index=x.index, name="cell_type")


@pytest.mark.parametrize("engine", ["auto", "jax"])
def test_classes_by_name_or_by_column_are_the_same(engine) -> None:
    full, small, x, y = of_classes()
    how = gn.NetworkOptions(task="multiclass")
    training = TrainingOptions(epochs=30, learning_rate=0.05, engine=engine)
    by_name = compare(full, small, x, y, folds=3, network=how, training=training, controls=["elastic-net"])
    columns = pd.DataFrame({name: (y == name).astype(int) for name in ("T", "B", "NK")})
    by_column = compare(full, small, x, columns, folds=3, network=how, training=training, controls=["elastic-net"])
    pd.testing.assert_frame_equal(by_name.scores, by_column.scores)
    summary = by_name.summary()
    assert summary["output"].unique().tolist() == ["B", "NK", "T", "(mean)"]
    assert summary.query("output == '(mean)' and metric == 'roc_auc'")["full"].item() > 0.9
    predictions = by_name.predictions().query("network == 'full'")
    np.testing.assert_allclose(predictions.groupby("barcode")["prediction"].sum(), 1, atol=1e-5)
    confusing = by_name.confusing_cells(n=4)
    assert len(confusing) == 4
    assert confusing["label"].tolist() == y[confusing["barcode"]].tolist()
    assert confusing["distance"].is_monotonic_increasing


def test_one_against_the_rest_calls_the_most_probable() -> None:
    full, small, x, y = of_classes()
    found = compare(full, small, x, y, folds=2, network=gn.NetworkOptions(task="multiclass"),
                    training=TrainingOptions(epochs=5))  # fmt: skip
    fit = found.fits["full"][0]
    called = fit.prediction.argmax(axis=1) == 2
    truth = found.labels["T"].to_numpy()[fit.split.test] == 1
    row = found.scores.query("network == 'full' and output == 'T' and fold == 0").iloc[0]
    assert row["accuracy"] == pytest.approx((called == truth).mean())


def test_what_is_no_class_is_refused() -> None:
    full, small, x, y = of_classes()
    how = {"network": gn.NetworkOptions(task="multiclass")}
    with pytest.raises(DataError, match="did you mean 'NK'"):
        compare(full, small, x, y.replace("NK", "Nk"), **how)
    with pytest.raises(DataError, match="expected a class for every cell"):
        compare(full, small, x, y.where(y != "B"), **how)
    lone = y.where(y != "B", "T")
    lone.iloc[0] = "B"
    with pytest.raises(DataError, match="at least two cells of each class, but 'B'"):
        compare(full, small, x, lone, **how)
    both = pd.DataFrame({"B": 1, "T": (y == "T").astype(int), "NK": 0})
    with pytest.raises(DataError, match="exactly one class"):
        compare(full, small, x, both, **how)
    with pytest.raises(OptionError, match="class_weight"):
        compare(FULL, COMPRESSED, *cells(), network=gn.NetworkOptions(task="regression"),
                training=TrainingOptions(class_weight="balanced"))  # fmt: skip


# -- cells near a tie -------------------------------------------------------------------------------------------------


def test_confusing_cells_by_hand() -> None:
    found = controlled()
    mean = found.predictions().pivot_table(index="barcode", columns="network", values="prediction", aggfunc="mean")
    distance = (mean[["full", "compressed"]] - 0.5).abs().mean(axis=1).sort_values()
    table = found.confusing_cells(n=7)
    assert table["barcode"].tolist() == distance.index[:7].tolist()
    np.testing.assert_allclose(table["distance"], distance[:7], atol=1e-6)
    wrong = [(mean.loc[row.barcode] >= 0.5).astype(int).ne(int(row.label)).sum() for row in table.itertuples()]
    assert table["n_wrong"].tolist() == wrong
    assert table.columns.tolist() == [
        "output",
        "barcode",
        "label",
        "full",
        "compressed",
        "again",
        "distance",
        "n_wrong",
    ]
    with pytest.raises(OptionError, match="n"):
        found.confusing_cells(n=0)


def test_a_regression_has_no_ties() -> None:
    x, _ = cells(30)
    found = compare(FULL, COMPRESSED, x, x["a"], folds=2, network=gn.NetworkOptions(task="regression"),
                    training=TrainingOptions(epochs=1))  # fmt: skip
    with pytest.raises(OptionError, match="regression"):
        found.confusing_cells()


# -- activities, association ------------------------------------------------------------------------------------------


def test_activities_are_those_of_fits_that_did_not_see_the_cell() -> None:
    from graphnn.explain.activities import node_activities

    found = comparison()
    table = found.activities("full")
    assert table.index.tolist() == found.labels.index.tolist()
    assert table.columns.tolist() == list(FULL.hidden)
    barcode = table.index[3]
    own = [fit for fit in found.fits["full"] if barcode in found.labels.index[fit.split.test]]
    assert len(own) == 2
    expected = np.mean([node_activities(found, "full", fit).loc[barcode] for fit in own], axis=0)
    np.testing.assert_allclose(table.loc[barcode], expected)


def test_association_is_spearmans() -> None:
    rng = np.random.default_rng(4)
    x = np.round(rng.normal(size=(60, 700)), 1).astype(np.float32)
    x[:, 5] = 2.0
    y = np.stack([(x[:, 0] > 0), rng.integers(0, 2, 60)], axis=1).astype(float)
    found = label_association(x, y)
    for column in (0, 1, 511, 512, 699):
        expected = max(abs(stats.spearmanr(x[:, column], y[:, k]).statistic) for k in (0, 1))
        assert found[column] == pytest.approx(expected, abs=1e-9)
    assert found[5] == 0


# -- what controls must not claim -------------------------------------------------------------------------------------


def dealt_out(n_cells: int = 40, *, groups: np.ndarray | None = None, labels: np.ndarray | None = None):
    """Labels and splits before and after they are dealt."""
    given = np.arange(n_cells, dtype=float)[:, None] if labels is None else labels[:, None]
    splits = splits_of(given, stratify=False, groups=groups)
    return given, splits, *dealt_labels(given, splits, groups, np.random.default_rng(3))


def test_cells_are_dealt_with_the_place_of_their_label() -> None:
    """Each part of each split holds the labels that it held, of other cells."""
    before, splits, labels, moved = dealt_out()
    assert (labels != before).mean() > 0.9
    for old, new in zip(splits, moved, strict=True):
        for part in ("train", "validation", "test"):
            rows = getattr(new, part)
            assert sorted(labels[rows, 0]) == sorted(before[getattr(old, part), 0])
            assert rows.tolist() == sorted(set(rows.tolist()))
        assert len({*new.train, *new.validation, *new.test}) == len(labels)


def test_labels_of_donors_are_dealt_among_donors() -> None:
    groups = np.repeat(np.arange(8), 5)
    donors = np.repeat(np.arange(8) % 2, 5).astype(float)
    before, _, labels, _ = dealt_out(groups=groups, labels=donors)
    assert all(len(set(labels[groups == number, 0])) == 1 for number in range(8))
    assert labels.sum() == before.sum()
    assert not np.array_equal(labels, before)


def test_labels_within_donors_stay_with_the_donor() -> None:
    groups = np.repeat(np.arange(8), 5)
    before, _, labels, _ = dealt_out(groups=groups)
    for number in range(8):
        assert sorted(labels[groups == number, 0]) == sorted(before[groups == number, 0])
    assert (labels != before).any()


def test_a_network_that_cannot_be_rewired_has_no_p_value() -> None:
    found = controlled()
    moved = np.mean([found.controls[f"rewired {draw}"].dag.proof.details["moved"] for draw in range(1, 6)])
    row = found.null_tests().query("control == 'rewired' and metric == 'roc_auc'").iloc[0]
    assert np.isnan(row["p"]) == (moved < 0.5)
    star = gn.Dag.from_graph(gn.PriorGraph.from_sif_tuples([(name, 1, "y") for name in "abcd"]), list("abcd"), ["y"])
    stuck = compare(star, star, *cells(), folds=2, training=TRAINING, controls=["rewired"], draws=2)
    assert stuck.null_tests()["p"].isna().all()
    assert any("could be moved" in note for note in stuck.notes)


def test_minima_have_no_p_value() -> None:
    rows = controlled().null_tests().query("control == 'minima'")
    assert rows["p"].isna().all()


def test_minima_need_the_prior_network_and_the_right_one() -> None:
    for name in ("minima", "label-preferred"):
        with pytest.raises(OptionError, match="prior"):
            compare(FULL, COMPRESSED, *cells(), controls=[name])
    edges = [("a", 1, "y"), ("b", 1, "y"), ("c", 1, "y"), ("d", 1, "y")]
    with pytest.raises(OptionError, match="smallest networks have 4 edges"):
        compare(FULL, COMPRESSED, *cells(), controls=["minima"], prior=gn.PriorGraph.from_sif_tuples(edges),
                folds=2, training=TRAINING)  # fmt: skip
    prior = gn.PriorGraph.from_sif_tuples(PRIOR).prune(FULL.inputs, FULL.outputs)
    with pytest.raises(OptionError, match="without costs or rules"):
        compare(
            FULL, gn.extract_dag(prior, FULL.inputs, ["y"], min_routes=2), *cells(), controls=["minima"], prior=prior
        )


def interrupting(monkeypatch, after: int) -> None:
    """Ctrl-C when the so-manieth group of runs is about to be trained; half of that group is done."""
    import graphnn.evaluate.runs as runs

    real, calls = runs.fit_all, []

    def stopped(jobs, **how):
        calls.append(len(jobs))
        if len(calls) < after:
            return real(jobs, **how)
        done = real(jobs[: len(jobs) // 2], **how)
        return [*done, *[None] * (len(jobs) - len(done))]

    monkeypatch.setattr(runs, "fit_all", stopped)


def test_what_is_stopped_within_a_control_keeps_the_rest(monkeypatch) -> None:
    interrupting(monkeypatch, 2)
    x, y = cells()
    found = compare(FULL, COMPRESSED, x, y, folds=5, training=TRAINING, controls=["dense", "shuffled"], draws=2)
    assert found.is_partial
    assert found.lost_controls == ("dense", "shuffled")
    assert any("dense, shuffled" in note for note in found.notes)
    assert len(found.fits["full"]) == 5
    assert len(found.fits["dense"]) == 2
    rows = found.contrasts().query("network == 'dense' and metric == 'roc_auc'").iloc[0]
    assert rows["n_splits"] == 2
    scores = found.scores.set_index(["network", "fold"])["roc_auc"]
    folds = [fit.split.fold for fit in found.fits["dense"]]
    assert rows["change"] == pytest.approx(np.mean(scores["dense"][folds] - scores["compressed"][folds]))


def test_half_a_draw_is_none(monkeypatch) -> None:
    interrupting(monkeypatch, 2)
    x, y = cells()
    found = compare(FULL, COMPRESSED, x, y, folds=2, training=TRAINING, controls=["shuffled"], draws=3)
    assert [name for name in found.fits if name not in ("full", "compressed")] == ["shuffled 1"]  # 3 of 6 runs


def test_an_interrupted_search_is_no_control(monkeypatch) -> None:
    import graphnn.evaluate.controls as module

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "extract_alternatives", interrupted)
    prior = gn.PriorGraph.from_sif_tuples(PRIOR).prune(FULL.inputs, FULL.outputs)
    found = compare(
        FULL, COMPRESSED, *cells(), folds=2, training=TRAINING, controls=["minima", "dense"], draws=2, prior=prior
    )
    assert found.lost_controls == ("minima",)  # the order is that of the list of controls: dense came first
    assert "dense" in found.fits
    assert found.is_partial


def test_a_comparison_with_controls_holds_nothing_that_cannot_be_copied() -> None:
    found = controlled()
    found.corrected_importance()
    again = copy.deepcopy(found)
    pd.testing.assert_frame_equal(again.contrasts(), found.contrasts())
    pd.testing.assert_frame_equal(again.corrected_importance(), found.corrected_importance())


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_the_elastic_net_sees_dense_and_sparse_cells_alike_and_does_as_well_as_it_can(shift) -> None:
    import scipy.sparse as sp

    rng = np.random.default_rng(7)
    x = np.maximum(rng.normal(size=(300, 60)) + shift, 0).astype(np.float32)
    y = (x[:, :8].sum(axis=1) + rng.normal(size=300) * 1.5 > np.median(x[:, :8].sum(axis=1))).astype(float)[:, None]
    split = splits_of(y)[0]
    fits = [
        LinearTrainer(Table(cells, y.astype(np.float32)), TrainingOptions(), task="binary").fit(split)
        for cells in (x, sp.csr_array(x))
    ]
    np.testing.assert_allclose(fits[0].prediction, fits[1].prediction, atol=1e-3)
    z = (x - x[split.train].mean(axis=0)) / x[split.train].std(axis=0)
    best = max(
        roc_auc_score(y[split.test], LogisticRegression(C=c, max_iter=2000).fit(z[split.train], y[split.train, 0])
                      .predict_proba(z[split.test])[:, 1])
        for c in (0.001, 0.01, 0.1, 1.0)
    )  # fmt: skip
    assert roc_auc_score(y[split.test], fits[0].prediction[:, 0]) > best - 0.03


def test_nothing_is_said_to_the_user_behind_our_back() -> None:
    x, y = cells(90)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare(FULL, COMPRESSED, x, y, folds=2, training=TRAINING, controls=["elastic-net"])


def test_two_classes_with_two_outputs() -> None:
    x, y = cells(90)
    columns = np.stack([1 - y.to_numpy(), y.to_numpy()], axis=1).astype(float)
    split = splits_of(columns)[0]
    values = x.to_numpy(dtype=np.float32)
    fit = LinearTrainer(Table(values, columns.astype(np.float32)), TrainingOptions(), task="multiclass").fit(split)
    assert fit.prediction.shape == (len(split.test), 2)
    np.testing.assert_allclose(fit.prediction.sum(axis=1), 1, atol=1e-5)


def test_means_over_outputs_are_over_the_same_outputs_of_both(monkeypatch) -> None:
    """One network has no value of one output in one fold: neither side counts it there."""
    full, small, x, y = of_classes()
    found = compare(full, small, x, y, folds=3, network=gn.NetworkOptions(task="multiclass"),
                    training=TrainingOptions(epochs=2))  # fmt: skip
    scores = found.scores.copy()
    row = (scores["network"] == "full") & (scores["output"] == "T") & (scores["fold"] == 1)
    scores.loc[row, "roc_auc"] = np.nan
    object.__setattr__(found, "scores", scores)
    summary = found.summary().set_index(["output", "metric"]).loc["(mean)", "roc_auc"]
    table = scores.pivot(index=["fold", "output"], columns="network", values="roc_auc").dropna()
    by_fold = table.groupby("fold").mean().mean()
    assert summary["full"] == pytest.approx(by_fold["full"])
    assert summary["compressed"] == pytest.approx(by_fold["compressed"])
