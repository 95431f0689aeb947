"""`predict`: the model's own numbers, by name, in any batch size, within the memory that it was given."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import graphnn as gn
from graphnn.compiler.bundle import Bundle, read_bundle
from graphnn.compiler.features import Features, Preprocessing
from graphnn.compiler.layers import EdgeDense
from graphnn.compiler.model import compile_network
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import plan_layers
from graphnn.data.cells import Cells
from graphnn.errors import BatchMemoryError, DataError, MismatchError, MissingFileError, OptionError
from graphnn.evaluate import predict as module
from graphnn.evaluate.predict import fitting_batch, predict, predict_batches
from tests.compiler.drawn import dag_of, everything, randomize
from tests.evaluate.small import INPUTS

FIXTURES = Path(__file__).parents[1] / "compiler" / "fixtures"
GENES = ("A", "B", "C", "F", "G", "H")


def bundle_of(dag=None, *, preprocessing=None, options=None, scaled=True):
    """A model with drawn weights, and scaling of its own for each input; columns are upper-cased names."""
    plan = plan_layers(dag or everything())
    model = compile_network(plan, options)
    randomize(model, seed=2)
    n = len(plan.inputs)
    numbers = (np.arange(n) / 7, 1 + np.arange(n) / 3, np.full(n, 2.5), 10 + np.arange(n) / 9)
    features = Features(plan.inputs, [name.upper() for name in plan.inputs], *numbers) if scaled else None
    return Bundle(model, plan, features, preprocessing)


def table(n_cells=37, *, seed=0, columns=GENES):
    """Cells of which half the values are zero, with further columns."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(n_cells, len(columns))) * draw.integers(0, 2, size=(n_cells, len(columns)))
    return pd.DataFrame(values.astype(np.float32), [f"cell {i}" for i in range(n_cells)], list(columns))


def counts(n_cells=20, *, seed=0):
    draw = np.random.default_rng(seed)
    return pd.DataFrame(draw.poisson(3, (n_cells, len(GENES))), [f"c{i}" for i in range(n_cells)], list(GENES))


def by_hand(bundle, frame):
    """The oracle: columns by name, scaled by the formula in float64, through the model in one piece."""
    f = bundle.features
    x = frame[list(f.columns)].to_numpy(dtype=np.float64)
    x = np.clip((x - f.offset) * f.factor, -f.limit, f.limit)
    return bundle.model.predict(x.astype(np.float32), batch_size=len(x), verbose=0)


@pytest.fixture(scope="module")
def bundle():
    return bundle_of()


@pytest.fixture(autouse=True, params=["numba", "keras"])
def way(request, monkeypatch):
    """Every test on both ways to predict: the loops on numba, and Keras."""
    if request.param == "keras":
        monkeypatch.setattr(module, "_forward", lambda *_: None)
    else:
        pytest.importorskip("numba")
    return request.param


on_keras = pytest.mark.parametrize("way", ["keras"], indirect=True)


# -- the right numbers ---------------------------------------------------------------------------------------------


def test_it_is_what_the_model_says_of_scaled_cells(bundle):
    frame = table()
    found = predict(bundle, frame)
    np.testing.assert_allclose(found.to_numpy(), by_hand(bundle, frame), rtol=0, atol=1e-6)
    assert list(found.index) == list(frame.index)
    assert found.index.name == "barcode"
    assert list(found.columns) == ["y", "z"]
    assert set(found.dtypes) == {np.dtype(np.float32)}


@pytest.mark.parametrize("size", [1, 2, 7, 36, 37, 38, 1000])
def test_no_batch_size_changes_a_number(bundle, size):
    """To 1e-6: an engine may sum in another order in a batch of another size."""
    frame = table()
    whole = predict(bundle, frame, batch_size=37)
    found = predict(bundle, frame, batch_size=size)
    assert list(found.index) == list(whole.index)
    np.testing.assert_allclose(found.to_numpy(), whole.to_numpy(), rtol=0, atol=1e-6)


@on_keras
def test_one_program_serves_all_batches_and_later_tables(monkeypatch):
    built = []
    call = EdgeDense.call

    def spy(self, *arguments, **options):
        built.append(self.number)
        return call(self, *arguments, **options)

    fresh = bundle_of()
    monkeypatch.setattr(EdgeDense, "call", spy)
    predict(fresh, table(37), batch_size=8)
    assert sorted(built) == sorted(range(1, len(fresh.plan.levels) + 1)), "compiled once, each level once"
    predict(fresh, table(50, seed=1), batch_size=8)
    assert len(built) == len(fresh.plan.levels)


@on_keras
def test_small_tables_of_many_sizes_need_few_programs(monkeypatch):
    sizes = set()
    fresh = bundle_of()
    run = fresh.model.predict_on_batch
    monkeypatch.setattr(fresh.model, "predict_on_batch", lambda x: sizes.add(len(x)) or run(x))
    for n_cells in range(1, 34):
        assert len(predict(fresh, table(n_cells))) == n_cells
    assert sizes == {1, 2, 4, 8, 16, 32, 64}


def test_columns_go_by_name_and_further_ones_do_not_matter(bundle):
    frame = table()
    other = frame[["H", "F", "C", "A", "B"]].assign(extra=np.nan)
    assert predict(bundle, other).equals(predict(bundle, frame))


def test_one_column_may_feed_two_inputs(bundle):
    features = replace(bundle.features, columns=("A", "B", "A", "F"))
    twice = replace(bundle, features=features)
    np.testing.assert_allclose(predict(twice, table()), by_hand(twice, table()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [5, 64])
def test_sparse_dense_and_annotated_cells_give_the_same(bundle, size):
    frame = table()
    expected = predict(bundle, frame, batch_size=size)
    sparse = Cells.from_matrix(sp.csr_array(frame.to_numpy()), frame.index, frame.columns)
    assert sparse.is_sparse
    assert predict(bundle, sparse, batch_size=size).equals(expected)
    assert predict(bundle, Cells.from_frame(frame), batch_size=size).equals(expected)
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(-frame)
    adata.layers["turned"] = frame.to_numpy()
    assert predict(bundle, adata, batch_size=size, layer="turned").equals(expected)
    assert not predict(bundle, adata, batch_size=size).equals(expected)


@on_keras
def test_sparse_cells_are_made_dense_batch_by_batch_only(bundle, monkeypatch):
    rows = []
    dense = sp.csr_array.toarray

    def spy(self, *arguments, **options):
        rows.append(self.shape)
        return dense(self, *arguments, **options)

    frame = table(100)
    cells = Cells.from_matrix(sp.csr_array(frame.to_numpy()), frame.index, frame.columns)
    monkeypatch.setattr(sp.csr_array, "toarray", spy)
    predict(bundle, cells, batch_size=16)
    assert rows == [(16, 4)] * 6 + [(4, 4)], "needed columns only"


def test_batches_come_one_by_one(bundle):
    frame = table()
    parts = predict_batches(bundle, frame, batch_size=10)
    assert iter(parts) is parts
    held = list(parts)
    assert [len(part) for part in held] == [10, 10, 10, 7]
    assert pd.concat(held).equals(predict(bundle, frame, batch_size=10))


def test_logits_become_probabilities():
    plain = bundle_of()
    logits = bundle_of(options=NetworkOptions(output_activation="linear"))
    assert predict(logits, table()).to_numpy().min() >= 0
    dag = dag_of("a>h b>h h>y", inputs="a b", outputs="y")  # no vertex reads an output here
    frame = table(columns=("A", "B"))
    one, other = (bundle_of(dag, options=NetworkOptions(output_activation=name)) for name in ("linear", "sigmoid"))
    np.testing.assert_allclose(predict(one, frame), predict(other, frame), rtol=0, atol=1e-6)
    assert len(predict(plain, table())) == 37


def test_numbers_of_a_regression_stay_numbers():
    found = predict(bundle_of(options=NetworkOptions(task="regression")), table())
    assert found.to_numpy().min() < 0


@pytest.mark.parametrize("head", ["softmax", "linear"])
def test_classes_add_up_to_one(head):
    dag = dag_of("a>h b>h h>y h>z a>z a>w", inputs="a b", outputs="w y z")
    found = predict(bundle_of(dag, options=NetworkOptions(task="multiclass", output_activation=head)), table())
    assert list(found.columns) == ["w", "y", "z"]
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_a_bundle_of_the_first_format_predicts_by_the_names_of_its_inputs():
    known = json.loads((FIXTURES / "bundle-format-1.json").read_text())
    frame = pd.DataFrame(known["cells"], [f"c{i}" for i in range(12)], ["a", "b", "c", "f"])
    found = predict(FIXTURES / "bundle-format-1.gnn", frame[["f", "c", "b", "a"]])
    np.testing.assert_allclose(found, known["prediction"], rtol=0, atol=1e-6)


# -- missing genes -------------------------------------------------------------------------------------------------


def test_missing_genes_are_refused_unless_a_policy_is_named(bundle):
    with pytest.raises(MismatchError, match=r"'B', 'F' are missing.*--missing") as caught:
        predict(bundle, table(columns=("A", "C")))
    assert caught.value.expected == ("B", "F")


def test_zero_and_mean_fill_the_value_before_scaling(bundle):
    frame = table(columns=("A", "C"))
    for policy, fill in (("zero", {"B": 0.0, "F": 0.0}), ("mean", {"B": 10 + 1 / 9, "F": 10 + 3 / 9})):
        found = predict(bundle, frame, missing=policy, batch_size=10)
        np.testing.assert_allclose(found, by_hand(bundle, frame.assign(**fill)), rtol=0, atol=1e-6)


def test_policies_do_nothing_where_nothing_is_missing(bundle):
    for policy in ("zero", "mean"):
        assert predict(bundle, table(), missing=policy).equals(predict(bundle, table()))


def test_cells_with_none_of_the_genes_are_refused_under_every_policy(bundle):
    for policy in ("raise", "zero", "mean"):
        with pytest.raises(DataError, match="at least one"):
            predict(bundle, table(columns=("a", "b", "STAT1")), missing=policy)


def test_without_known_means_they_cannot_be_filled_in():
    plain = bundle_of(scaled=False)
    frame = table(columns=("a", "b", "c"))
    with pytest.raises(OptionError, match="no means"):
        predict(plain, frame, missing="mean")
    assert predict(plain, frame, missing="zero").equals(predict(plain, frame.assign(f=0.0)))


# -- counts --------------------------------------------------------------------------------------------------------

TRAINED_ON_LOG = Preprocessing(scaling="standard", log_total=500.0)
TRAINED_ON_COUNTS = Preprocessing(scaling="standard", whole_numbers=True)
TRAINED_ON_OTHER = Preprocessing(scaling="standard")


def test_counts_are_normalised_as_those_that_trained():
    known = bundle_of(preprocessing=TRAINED_ON_LOG)
    expected = predict(known, Cells.from_frame(counts()).log_normalized(total=500))
    assert predict(known, counts(), batch_size=7).equals(expected)
    values = counts() / counts().sum(axis=1).to_numpy()[:, None] * 500
    np.testing.assert_allclose(expected, by_hand(known, np.log1p(values)), rtol=0, atol=1e-6)
    sparse = Cells.from_matrix(sp.csr_array(counts().to_numpy()), counts().index, counts().columns)
    np.testing.assert_allclose(predict(known, sparse, batch_size=3), expected, rtol=0, atol=1e-6)


def test_the_total_of_a_cell_runs_over_all_genes_of_the_file_in_every_batch():
    known = bundle_of(preprocessing=TRAINED_ON_LOG)
    doubled = pd.concat([counts(), counts()[["A"]]], axis="columns")
    merged = Cells.from_frame(doubled)  # totals differ from the row sums of what is left
    for size in (3, 100):
        np.testing.assert_allclose(
            predict(known, merged, batch_size=size), predict(known, merged.log_normalized(total=500)), atol=1e-6
        )


def test_values_that_are_no_counts_are_used_as_they_are():
    known = bundle_of(preprocessing=TRAINED_ON_LOG)
    np.testing.assert_allclose(predict(known, table()), by_hand(known, table()), rtol=0, atol=1e-6)


def test_cells_normalised_to_another_total_are_refused():
    known = bundle_of(preprocessing=TRAINED_ON_LOG)
    with pytest.raises(DataError, match="500"):
        predict(known, Cells.from_frame(counts()).log_normalized())


def test_counts_for_a_model_of_other_values_are_refused_and_the_user_decides():
    known = bundle_of(preprocessing=TRAINED_ON_OTHER)
    with pytest.raises(DataError, match="whole numbers"):
        predict(known, counts())
    as_they_are = predict(known, counts(), normalize="none")
    np.testing.assert_allclose(as_they_are, by_hand(known, counts()), rtol=0, atol=1e-6)
    assert predict(known, counts(), normalize="log").equals(predict(known, Cells.from_frame(counts()).log_normalized()))


def test_a_model_of_counts_takes_counts():
    known = bundle_of(preprocessing=TRAINED_ON_COUNTS)
    np.testing.assert_allclose(predict(known, counts()), by_hand(known, counts()), rtol=0, atol=1e-6)


def test_other_values_for_a_model_of_counts_are_refused_and_the_user_decides():
    known = bundle_of(preprocessing=TRAINED_ON_COUNTS)
    done = Cells.from_frame(counts()).log_normalized()
    for other in (done, counts() / 3):
        with pytest.raises(DataError, match="whole numbers"):
            predict(known, other)
    np.testing.assert_allclose(
        predict(known, counts() / 3, normalize="none"), by_hand(known, counts() / 3), rtol=0, atol=1e-6
    )


def test_genes_given_twice_are_merged_as_those_that_trained():
    doubled = pd.concat([table(), table(seed=1)[["A"]]], axis="columns")
    for policy in ("sum", "max", "first"):
        known = bundle_of(preprocessing=replace(TRAINED_ON_LOG, duplicates=policy))
        expected = predict(known, Cells.from_frame(doubled, duplicates=policy))
        assert predict(known, doubled).equals(expected)


# -- refusals ------------------------------------------------------------------------------------------------------


def test_values_that_are_no_numbers_are_refused_with_their_names(bundle):
    frame = table()
    frame.iloc[30, 1] = np.nan
    with pytest.raises(DataError, match=r"'B'.*'cell 30'"):
        predict(bundle, frame, batch_size=8)
    frame = table()
    frame.iloc[3, 5] = np.inf  # H is no input
    assert len(predict(bundle, frame)) == 37


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"missing": "median"}, "missing"),
        ({"normalize": "cpm"}, "normalize"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2.5}, "batch_size"),
        ({"layer": "counts"}, "layer"),
    ],
)
def test_options_out_of_range_are_refused_before_anything_is_computed(bundle, options, name, monkeypatch):
    monkeypatch.setattr(bundle.model, "predict_on_batch", lambda _: pytest.fail("it computed"))
    with pytest.raises(OptionError) as caught:
        predict_batches(bundle, table(), **options)
    assert caught.value.option == name


def test_a_missing_bundle_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"gone\.gnn"):
        predict(tmp_path / "gone.gnn", table())


class XlaRuntimeError(RuntimeError):
    """As JAX raises it."""


@on_keras
@pytest.mark.parametrize(
    "failure",
    [
        MemoryError("Unable to allocate 12 GiB"),
        XlaRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 12884901888 bytes.\nmore"),
        type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"),
    ],
    ids=["NumPy", "JAX", "PyTorch"],
)
def test_a_batch_that_does_not_fit_says_to_use_a_smaller_one(bundle, failure, monkeypatch):
    def fail(_):
        raise failure

    monkeypatch.setattr(bundle.model, "predict_on_batch", fail)
    with pytest.raises(BatchMemoryError, match=r"16 cells.*smaller batch_size") as caught:
        predict(bundle, table(), batch_size=16)
    assert caught.value.batch_size == 16
    assert isinstance(caught.value, gn.GraphnnError)
    assert "\n" not in str(caught.value)


@on_keras
def test_another_failure_is_not_taken_for_want_of_memory(bundle, monkeypatch):
    def fail(_):
        raise XlaRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(bundle.model, "predict_on_batch", fail)
    with pytest.raises(XlaRuntimeError):
        predict(bundle, table())


# -- memory --------------------------------------------------------------------------------------------------------


def wide(n_inputs):
    """A network with many inputs and few vertices."""
    tuples = [(f"g{i}", 1, f"h{i % 7}") for i in range(n_inputs)] + [(f"h{i}", 1, "y") for i in range(7)]
    graph = gn.PriorGraph.from_sif_tuples(tuples)
    return gn.Dag.from_graph(graph, [f"g{i}" for i in range(n_inputs)], ["y"])


def test_a_batch_is_chosen_from_its_bytes():
    small, large = bundle_of(wide(10)), bundle_of(wide(18_000))
    few, many = Cells.from_frame(table()), Cells.from_frame(table(columns=[f"g{i}" for i in range(18_000)]))
    assert fitting_batch(small, few) == module.LARGEST_BATCH
    size = fitting_batch(large, many)
    assert 200 < size < module.BATCH_BYTES / (4 * 18_000)
    assert fitting_batch(large, replace(many, matrix=sp.csr_array(many.matrix))) > size
    of_units = bundle_of(wide(18_000), options=NetworkOptions(units=4))
    assert fitting_batch(of_units, many) < 0.7 * size  # four times the edges


def test_a_batch_has_at_least_one_cell(monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 1)
    bundle = bundle_of()
    assert predict(bundle, table()).equals(predict(bundle, table(), batch_size=1))


@pytest.mark.slow
def test_many_sparse_cells_never_stand_dense_in_memory():
    """200,000 cells x 2,000 genes: 1.6 GB dense, and 3.2 GB in float64."""
    n_cells, n_genes = 200_000, 2_000
    draw = np.random.default_rng(0)
    per_cell = 60
    columns = np.sort(
        draw.integers(0, n_genes // per_cell, (n_cells, per_cell)) + np.arange(per_cell) * (n_genes // per_cell)
    )
    matrix = sp.csr_array(
        (
            draw.poisson(2, columns.size).astype(np.float32) + 1,
            columns.ravel().astype(np.int32),
            np.arange(0, columns.size + 1, per_cell),
        ),
        shape=(n_cells, n_genes),
    )
    cells = Cells.from_matrix(matrix, [f"c{i}" for i in range(n_cells)], [f"g{i}" for i in range(n_genes)])
    plan = plan_layers(wide(n_genes))
    ones = np.ones(n_genes)
    features = Features(plan.inputs, plan.inputs, 0 * ones, ones, 10 * ones, ones)
    known = Bundle(compile_network(plan), plan, features, Preprocessing(log_total=1e4))
    tracemalloc.start()
    found = predict(known, cells)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600e6
    some = draw.choice(n_cells, 50, replace=False)
    part = cells.subset([f"c{i}" for i in some.tolist()])
    np.testing.assert_allclose(found.iloc[some], predict(known, part), rtol=0, atol=1e-6)


def test_the_bundle_of_a_training_predicts(tmp_path):
    """From end to end, by the public names."""
    from tests.evaluate.small import TRAINING, networks
    from tests.evaluate.small import cells as labelled

    x, y = labelled()
    trained = gn.train(networks()[0], x, y, training=TRAINING)
    bundle = read_bundle(trained.save(tmp_path / "m.gnn"))
    assert gn.predict(bundle, x).equals(trained.predict(x))
    assert gn.predict(tmp_path / "m.gnn", x[list(INPUTS)[::-1]]).equals(trained.predict(x))
    np.testing.assert_allclose(gn.predict(bundle, x), by_hand(bundle, x), rtol=0, atol=1e-6)
