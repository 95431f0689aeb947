"""`KPNNClassifier` and `KPNNRegressor`: scikit-learn's own checks, columns by name, and its tools around them."""

from __future__ import annotations

import pickle  # noqa: TID251 - what joblib does between processes

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import graphnn as gn
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.data.demo import DEMO_OUTPUT, INPUT_SUFFIX, demo_inputs, demo_network
from graphnn.errors import DataError, MismatchError, OptionError
from graphnn.evaluate.engine.able import missing_numba
from graphnn.evaluate.estimators import DENSE_HIDDEN, KPNNClassifier, KPNNRegressor, dense_plan
from graphnn.evaluate.train import train
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph
from tests.evaluate.small import INPUTS, cells, networks

QUICK = {"epochs": 8, "patience": 4, "batch_size": 16, "learning_rate": 0.05, "random_state": 3}
LONGER = {**QUICK, "epochs": 60, "patience": 20}
EXPECTED_FAILED = {
    "KPNNClassifier": {
        "check_class_weight_classifiers": "class_weight is None or 'balanced'; the check gives a dictionary"
    },
    "KPNNRegressor": {},
}


def classifier(**changes):
    return KPNNClassifier(networks()[0], **{**QUICK, **changes})


def named(y):
    return y.map({0: "rest", 1: "stimulated"})


def three_classes():
    """A network with one output a class, cells, and the class of each."""
    edges = [("a", 1, "h"), ("b", 1, "h"), ("b", 1, "k"), ("c", 1, "k"), ("d", 1, "h")]
    edges += [(hidden, 1, output) for hidden in ("h", "k") for output in ("B", "T", "NK")]
    x, _ = cells(120)
    y = np.array(["T", "B", "NK"])[x[["a", "b", "c"]].to_numpy().argmax(axis=1)]
    return Dag.from_graph(PriorGraph.from_sif_tuples(edges), INPUTS, ["B", "T", "NK"]), x, y


# -- scikit-learn's own checks -----------------------------------------------------------------------------------------


@(pytest.mark.slow if missing_numba() else lambda test: test)  # the other engine compiles a program for every fit
@parametrize_with_checks(
    [KPNNClassifier(**LONGER), KPNNRegressor(**LONGER)],
    expected_failed_checks=lambda estimator: EXPECTED_FAILED[type(estimator).__name__],
)
def test_every_check_of_scikit_learn(estimator, check):
    check(estimator)


# -- columns by name ---------------------------------------------------------------------------------------------------


def test_columns_are_matched_by_name_and_others_ignored():
    x, y = cells()
    fitted = classifier().fit(x, y)
    other = x.assign(noise=1.0, words="no number")[["noise", "d", "words", "b", "c", "a"]]
    np.testing.assert_array_equal(fitted.predict_proba(other), fitted.predict_proba(x))
    np.testing.assert_array_equal(classifier().fit(other, y).predict_proba(x), fitted.predict_proba(x))


def test_a_swap_of_names_changes_the_prediction():
    """A negative control: matching by position would see no difference."""
    x, y = cells()
    fitted = classifier().fit(x, y)
    assert not np.allclose(fitted.predict_proba(x.rename(columns={"a": "b", "b": "a"})), fitted.predict_proba(x))


def test_a_suffix_and_a_column_that_feeds_two_inputs():
    edges = [("a_gene", 1, "h"), ("a", 1, "h"), ("b_gene", 1, "h"), ("h", 1, "y")]
    dag = Dag.from_graph(PriorGraph.from_sif_tuples(edges), ["a_gene", "a", "b_gene"], ["y"])
    x, y = cells()
    fitted = KPNNClassifier(dag, input_suffix="_gene", **QUICK).fit(x, y)
    assert fitted.features_.columns == ("a", "a", "b")
    assert fitted.predict(x[["b", "a"]]).shape == (71,)
    with pytest.raises(MismatchError, match="'a_gene', 'b_gene' have none"):
        KPNNClassifier(dag, **QUICK).fit(x, y)


@pytest.mark.parametrize("wrap", [np.asarray, sp.csr_array, lambda x: x.set_axis(range(4), axis="columns")])
def test_what_has_no_names_is_refused_with_a_network(wrap):
    x, y = cells()
    with pytest.raises(DataError, match=r"pass pandas\.DataFrame"):
        classifier().fit(wrap(x), y)
    with pytest.raises((DataError, MismatchError)):
        classifier().fit(x, y).predict(wrap(x))


def test_missing_and_repeated_columns_are_named():
    x, y = cells()
    fitted = classifier().fit(x, y)
    for act in (lambda table: classifier().fit(table, y), fitted.predict):
        with pytest.raises(MismatchError, match="'c' have none") as error:
            act(x.drop(columns="c"))
        assert error.value.got == ("c",)
        with pytest.raises(DataError, match="'b' occur several times"):
            act(pd.concat([x, x[["b"]]], axis=1))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
@pytest.mark.parametrize("dense", [True, False])
def test_columns_with_values_that_are_not_finite_are_named(value, dense):
    x, y = cells()
    fitted = classifier().fit(x, y)
    bad = x.copy()
    bad.iloc[5, 1] = value
    bad = bad if dense else bad.astype(pd.SparseDtype(float, 0.0))
    for act in (lambda table: classifier().fit(table, y), fitted.predict):
        with pytest.raises(DataError, match="columns 'b'") as error:
            act(bad)
        assert error.value.names == ("b",)
    assert np.isfinite(fitted.predict_proba(x.assign(unused=np.nan))).all()


def test_sparse_columns_give_the_same_model():
    x, y = cells()
    x = x.where(x > 1, 0.0)
    sparse = x.astype(pd.SparseDtype(float, 0.0))
    dense = classifier().fit(x, y).predict_proba(x)
    np.testing.assert_allclose(classifier().fit(sparse, y).predict_proba(sparse), dense, rtol=1e-5)
    plain = KPNNClassifier(**QUICK).fit(x.to_numpy(), y)
    other = KPNNClassifier(**QUICK).fit(sp.csr_matrix(x.to_numpy()), y)
    np.testing.assert_allclose(other.predict_proba(sp.coo_array(x.to_numpy())), plain.predict_proba(x.to_numpy()), 1e-5)


def test_rows_may_share_a_label():
    """Bootstrap samples have rows twice."""
    x, y = cells()
    rows = np.random.default_rng(0).integers(0, len(x), 60)
    assert classifier().fit(x.iloc[rows], y.iloc[rows]).predict(x.iloc[rows]).shape == (60,)


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["jax", "auto"])
def test_it_trains_what_train_trains(engine):
    x, y = cells()
    options = NetworkOptions(hidden_activation="tanh")
    fitted = classifier(engine=engine, options=options).fit(x, y)
    training = gn.TrainingOptions(epochs=8, patience=4, batch_size=16, learning_rate=0.05, engine=engine)
    trained = train(networks()[0], x, y, seed=3, training=training, options=options)
    np.testing.assert_array_equal(fitted.predict_proba(x)[:, 1], trained.predict(x)["y"].to_numpy())
    assert (fitted.n_iter_, fitted.best_epoch_) == (len(trained.losses), trained.best_epoch)
    assert fitted.engine_ == trained.engine
    np.testing.assert_array_equal(fitted.validation_loss_, trained.losses)
    np.testing.assert_array_equal(fitted.features_.mean, trained.features.mean)


def test_a_plan_does_as_well_as_a_network():
    x, y = cells()
    by_plan = KPNNClassifier(plan_layers(networks()[0]), **QUICK).fit(x, y)
    np.testing.assert_array_equal(by_plan.predict_proba(x), classifier().fit(x, y).predict_proba(x))


def test_random_state_as_scikit_learn_has_it():
    x, y = cells()

    def found(state):
        return classifier(random_state=state).fit(x, y).predict_proba(x)

    np.testing.assert_array_equal(found(7), found(np.int64(7)))
    assert not np.array_equal(found(7), found(8))
    np.testing.assert_array_equal(found(np.random.RandomState(1)), found(np.random.RandomState(1)))
    state = np.random.RandomState(1)
    assert not np.array_equal(found(state), found(state))
    np.testing.assert_array_equal(found(None).shape, (71, 2))
    with pytest.raises(OptionError, match="seed"):
        found(-1)


def test_a_balanced_weight_finds_more_of_the_rare_class():
    x, y = cells(300)
    rows = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:15]])
    x, y = x.iloc[rows], y.iloc[rows]
    plain, balanced = (classifier(class_weight=how, **{"epochs": 60}).fit(x, y) for how in (None, "balanced"))
    assert balanced.predict(x).sum() > plain.predict(x).sum()


# -- labels ------------------------------------------------------------------------------------------------------------


def test_two_classes_in_sorted_order():
    x, y = cells()
    fitted = classifier(**LONGER).fit(x, named(y))
    assert fitted.classes_.tolist() == ["rest", "stimulated"]
    found = fitted.predict_proba(x)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_array_equal(found, classifier(**LONGER).fit(x, y).predict_proba(x))
    np.testing.assert_array_equal(found, classifier(**LONGER).fit(x, y == 1).predict_proba(x))
    assert set(fitted.predict(x)) == {"rest", "stimulated"}
    assert fitted.score(x, named(y)) > 0.7


@pytest.mark.parametrize("engine", ["jax", "auto"])
def test_each_of_three_classes_has_its_output(engine):
    dag, x, y = three_classes()
    fitted = KPNNClassifier(dag, **{**LONGER, "engine": engine}).fit(x, y)
    assert fitted.classes_.tolist() == ["B", "NK", "T"]
    assert fitted.outputs_ == ("B", "NK", "T")
    found = fitted.predict_proba(x)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert fitted.score(x, y) > 0.8
    np.testing.assert_array_equal(fitted.classes_[found.argmax(axis=1)], fitted.predict(x))
    training = gn.TrainingOptions(epochs=60, patience=20, batch_size=16, learning_rate=0.05, engine=engine)
    trained = train(dag, x, y, seed=3, training=training, options=NetworkOptions(task="multiclass"))
    np.testing.assert_allclose(found, trained.predict(x)[["B", "NK", "T"]].to_numpy(), rtol=1e-5)


def test_classes_that_do_not_fit_the_outputs():
    dag, x, y = three_classes()
    with pytest.raises(MismatchError, match="'Mono', 'NK' are outputs or classes only"):
        KPNNClassifier(dag, **QUICK).fit(x, np.where(y == "NK", "Mono", y))
    with pytest.raises(DataError, match="two classes for a network with one output"):
        classifier().fit(x, y)
    with pytest.raises(MismatchError, match="'NK'"):
        KPNNClassifier(dag, **QUICK).fit(x, np.where(y == "NK", "T", y))


@pytest.mark.parametrize("labels", [["a"] * 71, [None] * 10 + ["a"] * 61, np.linspace(0, 1, 71), [[0, 1]] * 71])
def test_labels_that_are_no_classes(labels):
    with pytest.raises(ValueError, match=r"class|continuous|array of shape"):
        classifier().fit(cells()[0], labels)


def test_a_class_with_a_single_row_trains():
    x, _ = cells()
    fitted = classifier().fit(x, ["a"] * 70 + ["b"])
    assert fitted.classes_.tolist() == ["a", "b"]
    assert np.isfinite(fitted.predict_proba(x)).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_only_row_of_a_third_class_trains(seed):
    dag, x, y = three_classes()
    y = np.where(y == "NK", "T", y)
    y[5] = "NK"
    x.iloc[5] = 50.0
    fitted = KPNNClassifier(dag, **{**LONGER, "random_state": seed, "scaling": "max"}).fit(x, y)
    assert fitted.predict_proba(x)[:, 1].argmax() == 5


def test_numbers_for_several_outputs_by_name():
    graph = PriorGraph.from_sif_tuples([(name, 1, "h") for name in INPUTS] + [("h", 1, "y"), ("h", 1, "z")])
    dag = Dag.from_graph(graph, INPUTS, ["y", "z"])
    x, _ = cells()
    y = pd.DataFrame({"z": x["a"] - x["b"], "y": x["b"] - x["a"]})
    fitted = KPNNRegressor(dag, **LONGER).fit(x, y)
    assert fitted.outputs_ == ("z", "y")
    assert fitted.score(x, y) > 0.8
    turned = KPNNRegressor(dag, **LONGER).fit(x, y[["y", "z"]])
    np.testing.assert_array_equal(turned.predict(x), fitted.predict(x)[:, ::-1])
    with pytest.raises(DataError, match="a name for each of 2 outputs"):
        KPNNRegressor(dag, **QUICK).fit(x, y.to_numpy())
    with pytest.raises(MismatchError, match="'q', 'z'"):
        KPNNRegressor(dag, **QUICK).fit(x, y.rename(columns={"z": "q"}))


def test_the_shape_of_predicted_numbers_is_that_of_the_labels():
    x, _ = cells()
    regressor = KPNNRegressor(networks()[0], **QUICK)
    assert regressor.fit(x, x["a"]).predict(x).shape == (71,)
    assert regressor.fit(x, x[["a"]]).predict(x).shape == (71, 1)


def test_a_fit_that_fails_leaves_nothing_fitted():
    x, y = cells()
    fitted = classifier().fit(x, y)
    with pytest.raises(OptionError):
        fitted.set_params(engine="abacus").fit(x, named(y))
    with pytest.raises(NotFittedError):
        fitted.predict(x)


# -- without a network -------------------------------------------------------------------------------------------------


def test_the_stand_in_is_dense_and_keeps_names_apart():
    x, y = cells()
    fitted = KPNNRegressor(**QUICK).fit(x.rename(columns={"d": "hidden 1"}), y.to_frame("a"))
    assert fitted.plan_.inputs == ("a", "b", "c", "hidden 1")
    assert fitted.outputs_ == ("a_",)
    assert fitted.plan_ == dense_plan(["a", "b", "c", "hidden 1"], ["a_"])
    assert fitted.plan_.n_edges == 5 * DENSE_HIDDEN
    turned = fitted.predict(x[["d", "c", "b", "a"]].rename(columns={"d": "hidden 1"}))
    np.testing.assert_array_equal(turned, fitted.predict(x.rename(columns={"d": "hidden 1"})))


# -- tools of scikit-learn ---------------------------------------------------------------------------------------------


def test_parameters_are_stored_as_given():
    dag, options = networks()[0], NetworkOptions(units=2)
    estimator = KPNNClassifier(dag, options=options, epochs=7)
    assert estimator.network is dag
    assert estimator.get_params()["options"] is options
    copy = clone(estimator).set_params(epochs=9)
    assert (copy.epochs, estimator.epochs) == (9, 7)
    assert copy.network.graph == dag.graph
    with pytest.raises(NotFittedError):
        copy.predict(cells()[0])


@pytest.mark.parametrize("options", [None, NetworkOptions(units=2, dropout=0.2, input_normalization=True)])
def test_a_fitted_estimator_survives_pickling(options):
    x, y = cells()
    fitted = classifier(options=options).fit(x, named(y))
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    np.testing.assert_array_equal(again.predict_proba(x), fitted.predict_proba(x))
    assert again.classes_.tolist() == fitted.classes_.tolist()
    for kept, loaded in zip(fitted.model_.get_weights(), again.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, kept)


def demo_cells(n_cells):
    simulation = gn.simulate_cells(demo_network(), demo_inputs(), [DEMO_OUTPUT], n_cells=n_cells, seed=1)
    cells = simulation.to_cells().log_normalized()
    frame = pd.DataFrame(cells.matrix.toarray(), index=list(cells.barcodes), columns=list(cells.genes))
    dag = gn.extract_dag(demo_network().prune(demo_inputs(), [DEMO_OUTPUT]), demo_inputs(), [DEMO_OUTPUT])
    return dag, frame, named(simulation.labels[DEMO_OUTPUT])


def test_a_search_over_options_and_networks():
    dag, x, y = demo_cells(200)
    shortest = gn.extract_dag(dag.graph, dag.inputs, dag.outputs, objective="shortest_paths")
    grid = {"learning_rate": [0.005, 0.02], "network": [dag, shortest]}
    estimator = KPNNClassifier(input_suffix=INPUT_SUFFIX, epochs=20, random_state=0)
    search = GridSearchCV(estimator, grid, cv=2, scoring="roc_auc", error_score="raise").fit(x, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.predict(x).shape == (200,)


@pytest.mark.slow
def test_a_search_in_two_processes():
    x, y = cells()
    grid = {"learning_rate": [0.01, 0.05]}
    found = [
        GridSearchCV(classifier(), grid, cv=2, n_jobs=jobs, error_score="raise").fit(x, named(y)) for jobs in (1, 2)
    ]
    first, second = (search.cv_results_["mean_test_score"] for search in found)
    np.testing.assert_array_equal(first, second)


def test_a_pipeline_keeps_the_names_where_it_is_told_to():
    x, y = cells()
    pipeline = make_pipeline(StandardScaler(), classifier()).set_output(transform="pandas")
    assert np.isfinite(cross_val_score(pipeline, x, y, cv=3, error_score="raise")).all()
    with pytest.raises(DataError, match=r"pass pandas\.DataFrame"):
        make_pipeline(StandardScaler(), classifier()).fit(x, y)


def test_labels_of_another_scale():
    x, _ = cells()
    y = 1000 + 50 * (x["a"] - x["b"])
    scaled = TransformedTargetRegressor(KPNNRegressor(networks()[0], **LONGER), transformer=StandardScaler())
    assert scaled.fit(x, y).score(x, y) > 0.7


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "epochs"),
        ({"engine": "abacus"}, "engine"),
        ({"class_weight": "even"}, "class_weight"),
        ({"network": demo_network()}, "extract_dag"),
        ({"options": NetworkOptions(task="regression", output_activation="softplus")}, "output_activation"),
    ],
)
def test_options_are_checked_in_fit(changes, words):
    x, y = cells()
    with pytest.raises(OptionError, match=words):
        classifier().set_params(**changes).fit(x, y)


def test_anndata_is_sent_elsewhere():
    anndata = pytest.importorskip("anndata")
    x, y = cells()
    with pytest.raises(DataError, match=r"adata\.to_df"):
        classifier().fit(anndata.AnnData(x), y)
