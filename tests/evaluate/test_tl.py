"""`graphnn.tl.compare`: what it leaves in an AnnData, what it leaves alone, and what survives a file."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from graphnn import tl
from graphnn.compiler.options import NetworkOptions
from graphnn.errors import DataError, MismatchError, OptionError
from graphnn.evaluate.compare import compare
from graphnn.explain.activities import node_activities
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.prior import PriorGraph
from tests.evaluate.small import INPUTS, PRIOR, TRAINING, cells, networks

anndata = pytest.importorskip("anndata")

HOW = {"folds": 3, "seeds": 2, "training": TRAINING}


def small(**columns):
    """The small cells, columns turned around, with a gene that no network has."""
    x, y = cells()
    x = x.assign(other=1.0)[["other", "d", "c", "b", "a"]]
    return anndata.AnnData(
        x.to_numpy(dtype=np.float32),
        obs=pd.DataFrame({"label": y, **columns}, index=x.index),
        var=pd.DataFrame(index=list(x.columns)),
    )


def fingerprint(adata):
    """Everything that a caller could see changed."""
    parts = {"obs": adata.obs, "var": adata.var, **{f"obsm {key}": value for key, value in adata.obsm.items()}}
    return {name: part.to_json() if hasattr(part, "to_json") else part.tolist() for name, part in parts.items()} | {
        "uns": sorted(adata.uns)
    }


@pytest.fixture(scope="module")
def done():
    """AnnData, as it was before, and the comparison."""
    adata = small()
    adata.obs.loc[adata.obs_names[[3, 7]], "label"] = np.nan
    before = adata.copy()
    return adata, before, tl.compare(adata, *networks(), label="label", **HOW)


# -- what is left ------------------------------------------------------------------------------------------------------


def test_the_comparison_is_that_of_graphnn_compare(done):
    _, before, comparison = done
    plain = compare(*networks(), before, "label", **HOW)
    pd.testing.assert_frame_equal(comparison.scores, plain.scores)
    pd.testing.assert_frame_equal(comparison.summary(), plain.summary())


@pytest.mark.parametrize("network", ["full", "compressed"])
def test_predictions_are_out_of_fold_means_over_repeats(done, network):
    adata, _, comparison = done
    table = comparison.predictions()
    table = table[table["network"] == network]
    assert (table.groupby("barcode").size() == 2).all()
    expected = table.astype({"prediction": np.float64}).groupby("barcode")["prediction"].mean()
    found = adata.obs[f"graphnn_{network}"]
    np.testing.assert_allclose(found[expected.index], expected, rtol=1e-6)
    assert found.index[found.isna()].tolist() == adata.obs_names[[3, 7]].tolist()


@pytest.mark.parametrize("network", ["full", "compressed"])
def test_activities_are_those_of_the_fits_that_report_the_cell(done, network):
    adata, _, comparison = done
    found = adata.obsm[f"graphnn_{network}"]
    assert found.index.equals(adata.obs_names)
    assert list(found.columns) == sorted(comparison.networks[network].hidden)
    for barcode in adata.obs_names[[0, 30, 70]]:
        of_fits = [node_activities(comparison, network, fit) for fit in comparison.fits[network]]
        values = [frame.loc[barcode] for frame in of_fits if barcode in frame.index]
        assert len(values) == 2
        np.testing.assert_allclose(found.loc[barcode], (values[0] + values[1]) / 2, rtol=1e-5, atol=1e-6)
    assert found.loc[adata.obs_names[[3, 7]]].isna().all(axis=None)
    assert found.drop(adata.obs_names[[3, 7]]).notna().all(axis=None)


def test_columns_that_feed_an_input_are_marked(done):
    adata = done[0]
    assert adata.var_names[adata.var["graphnn_input"]].tolist() == ["d", "c", "b", "a"]


def test_tables_networks_and_parameters_are_kept(done):
    adata, _, comparison = done
    kept = adata.uns["graphnn"]
    for name in ("summary", "stability", "importance"):
        expected = getattr(comparison, name)()
        pd.testing.assert_frame_equal(kept[name].reset_index(drop=True), expected, check_dtype=False)
    pd.testing.assert_frame_equal(kept["compression"].reset_index(drop=True), comparison.compression)
    assert Dag.from_json(kept["networks"]["compressed"]).graph == networks()[1].graph
    assert kept["params"]["training"]["epochs"] == TRAINING.epochs
    assert (kept["params"]["folds"], kept["params"]["label"].tolist()) == (3, ["label"])
    assert kept["notes"].tolist() == list(comparison.notes)


def test_nothing_else_is_changed(done):
    adata, before, _ = done
    np.testing.assert_array_equal(adata.X, before.X)
    pd.testing.assert_frame_equal(adata.obs[["label"]], before.obs)
    assert sorted(adata.obs) == ["graphnn_compressed", "graphnn_full", "label"]
    assert (list(adata.var), sorted(adata.obsm), list(adata.uns)) == (
        ["graphnn_input"],
        ["graphnn_compressed", "graphnn_full"],
        ["graphnn"],
    )


# -- files -------------------------------------------------------------------------------------------------------------


def assert_survives(adata, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        adata.write_h5ad(path)
    again = anndata.read_h5ad(path)
    pd.testing.assert_frame_equal(again.obs, adata.obs)
    pd.testing.assert_frame_equal(again.var, adata.var)
    for key in adata.obsm:
        pd.testing.assert_frame_equal(again.obsm[key], adata.obsm[key])
    for name, value in adata.uns["graphnn"].items():
        kept = again.uns["graphnn"][name]
        if isinstance(value, pd.DataFrame):
            pd.testing.assert_frame_equal(kept, value, check_dtype=False)
        elif isinstance(value, np.ndarray):
            assert kept.tolist() == value.tolist()
    assert again.uns["graphnn"]["networks"] == adata.uns["graphnn"]["networks"]
    assert again.uns["graphnn"]["params"]["training"] == adata.uns["graphnn"]["params"]["training"]
    return again


def test_everything_survives_a_file_and_can_be_replaced_afterwards(done, tmp_path):
    again = assert_survives(done[0], tmp_path / "cells.h5ad")
    tl.compare(again, *networks(), label="label", overwrite=True, **HOW)
    pd.testing.assert_frame_equal(again.obsm["graphnn_full"], done[0].obsm["graphnn_full"])


def renamed(names):
    edges = [(names.get(source, source), sign, names.get(target, target)) for source, sign, target in PRIOR]
    graph = PriorGraph.from_sif_tuples(edges).prune(INPUTS, [names.get("y", "y")])
    both = [{"objective": "max_edges"}, {}]
    return [extract_dag(graph, INPUTS, [names.get("y", "y")], **how) for how in both]


def test_names_that_a_file_cannot_hold_are_kept_beside(tmp_path):
    full, compressed = renamed({"h": "p38/MAPK", "g": "_index", "k": "p38|MAPK", "y": "yes/no"})
    adata = small()
    tl.compare(adata, full, compressed, label="label", folds=3, training=TRAINING)
    again = assert_survives(adata, tmp_path / "cells.h5ad")
    nodes = again.uns["graphnn"]["nodes"]
    column = nodes[nodes["network"] == "full"].set_index("node")["column"].to_dict()
    assert column == {"p38/MAPK": "p38|MAPK_", "_index": "_index_", "p38|MAPK": "p38|MAPK"}
    assert sorted(again.obsm["graphnn_full"].columns) == sorted(column.values())


# -- several outputs ---------------------------------------------------------------------------------------------------


def two_outputs():
    edges = [*PRIOR, ("g", 1, "z/2")]
    graph = PriorGraph.from_sif_tuples(edges).prune(INPUTS, ["y", "z/2"])
    return [extract_dag(graph, INPUTS, ["y", "z/2"], objective=how) for how in ("max_edges", "min_edges")]


def test_several_outputs_have_their_names_appended(tmp_path):
    rng = np.random.default_rng(0)
    adata = small(**{"y": rng.integers(0, 2, 71), "z/2": rng.integers(0, 2, 71)})
    comparison = tl.compare(adata, *two_outputs(), label=["z/2", "y"], folds=3, training=TRAINING)
    table = comparison.predictions()
    for output, column in (("y", "y"), ("z/2", "z|2")):
        rows = table[(table["network"] == "compressed") & (table["output"] == output)].set_index("barcode")
        np.testing.assert_allclose(adata.obs.loc[rows.index, f"graphnn_compressed_{column}"], rows["prediction"])
    assert "graphnn_full" not in adata.obs
    assert_survives(anndata.AnnData(adata.X, obs=adata.obs.drop(columns="z/2"), var=adata.var, obsm=adata.obsm,
                                    uns=adata.uns), tmp_path / "cells.h5ad")  # fmt: skip
    with pytest.raises(DataError, match=r"obs\['graphnn_full_y'\]"):
        tl.compare(adata, *two_outputs(), label=["z/2", "y"], folds=3, training=TRAINING)
    tl.compare(adata, *networks(), label="label", folds=3, training=TRAINING, overwrite=True)
    assert not [name for name in adata.obs if name.startswith("graphnn_full_")]


def test_classes_by_name():
    edges = [(name, 1, hidden) for name in INPUTS for hidden in ("h", "k")]
    edges += [(hidden, 1, output) for hidden in ("h", "k") for output in ("B", "NK", "T")]
    full = Dag.from_graph(PriorGraph.from_sif_tuples(edges), INPUTS, ["B", "NK", "T"])
    names = np.array(["T", "B", "NK"])[cells()[0][["a", "b", "c"]].to_numpy().argmax(axis=1)]
    adata = small(kind=pd.Categorical(names))
    compressed = extract_dag(full.graph, INPUTS, full.outputs)
    how = {"folds": 3, "training": TRAINING, "network": NetworkOptions(task="multiclass")}
    tl.compare(adata, full, compressed, label="kind", **how)
    found = adata.obs[["graphnn_full_B", "graphnn_full_NK", "graphnn_full_T"]]
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    given = small()
    tl.compare(given, full, compressed, label=list(names), **how)
    np.testing.assert_array_equal(given.obs[found.columns], found)


# -- a prior network in place of two -----------------------------------------------------------------------------------


def test_both_networks_come_of_a_prior_network():
    adata, graph = small(), PriorGraph.from_sif_tuples(PRIOR)
    how = {"label": "label", "folds": 3, "training": TRAINING}
    with pytest.raises(OptionError, match="name them"):
        tl.compare(adata, graph=graph, outputs=["y"], **how)
    comparison = tl.compare(adata, graph=graph, inputs=[*INPUTS, "absent"], outputs=["y"], **how)
    assert "1 inputs of the network have no column in the cells: 'absent'" in comparison.notes[0]
    pruned = graph.prune(INPUTS, ["y"])
    for name, objective in (("full", "shortest_paths"), ("compressed", "min_edges")):
        expected = extract_dag(pruned, INPUTS, ["y"], objective=objective)
        assert comparison.networks[name].graph == expected.graph
        assert comparison.networks[name].inputs == INPUTS
    by_hand = small()
    tl.compare(by_hand, *comparison.networks.values(), label="label", folds=3, training=TRAINING)
    assert fingerprint(by_hand) == fingerprint(adata)


def test_inputs_with_a_suffix_or_by_name():
    graph = PriorGraph.from_sif_tuples([(f"{name}_gene", 1, name) for name in "abcdx"] + [(n, 1, "y") for n in "abcdx"])
    how = {"graph": graph, "outputs": ["y"], "label": "label", "folds": 2, "training": TRAINING, "copy": True}
    _, comparison = tl.compare(small(), input_suffix="_gene", **how)
    assert comparison.networks["full"].inputs == ("a_gene", "b_gene", "c_gene", "d_gene")
    assert comparison.networks["full"].hidden == ("a", "b", "c", "d")
    _, comparison = tl.compare(small(), input_suffix="_gene", inputs=["b_gene", "x_gene", "a_gene"], **how)
    assert comparison.networks["full"].inputs == ("a_gene", "b_gene")
    with pytest.raises(DataError, match="at least one of 5 inputs"):
        tl.compare(small(), input_suffix="ene", **how)


def test_extraction_has_options_of_its_own():
    adata, graph = small(), PriorGraph.from_sif_tuples(PRIOR)
    how = {"folds": 2, "training": TRAINING, "inputs": INPUTS, "extraction": {"forced_nodes": ["k"]}}
    comparison = tl.compare(adata, graph=graph, outputs=["y"], label="label", **how)
    assert "k" in comparison.networks["compressed"].hidden


# -- what is refused, and what stays as it was ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"label": "lable"}, DataError, "did you mean 'label'"),
        ({"label": ["label", "q"]}, DataError, "'q' are not there"),
        ({"compressed": None}, OptionError, "give full and compressed, or graph"),
        ({"graph": PriorGraph.from_sif_tuples(PRIOR)}, OptionError, "absent where networks are given"),
        ({"full": PriorGraph.from_sif_tuples(PRIOR)}, OptionError, "give a prior network as graph"),
        ({"outputs": ["y"]}, OptionError, "belongs to graph"),
        ({"key_added": "a/b"}, OptionError, "key_added"),
        ({"input_suffix": "_gene", "layer": "absent"}, DataError, "layer 'absent'"),
        ({"folds": 1}, OptionError, "folds"),
        ({"groups": "donor"}, DataError, "donor"),
    ],
)
def test_what_fails_changes_nothing(changes, kind, words):
    adata, (full, compressed) = small(), networks()
    before = fingerprint(adata)
    with pytest.raises(kind, match=words):
        tl.compare(adata, **{"full": full, "compressed": compressed, "label": "label", **HOW, **changes})
    assert fingerprint(adata) == before


def test_a_failure_at_the_very_end_changes_nothing(monkeypatch):
    def fail(*arguments):
        raise MismatchError("expected nothing")

    monkeypatch.setattr("graphnn.explain.activities.node_activities", fail)
    adata = small()
    before = fingerprint(adata)
    with pytest.raises(MismatchError):
        tl.compare(adata, *networks(), label="label", folds=2, training=TRAINING)
    assert fingerprint(adata) == before


def test_prior_networks_need_outputs():
    graph = PriorGraph.from_sif_tuples(PRIOR)
    with pytest.raises(OptionError, match="outputs"):
        tl.compare(small(), graph=graph, label="label")
    with pytest.raises(OptionError, match="PriorGraph"):
        tl.compare(small(), graph=networks()[0], outputs=["y"], label="label")


@pytest.mark.parametrize("where", ["obs", "obsm", "var", "uns"])
def test_results_that_are_there_are_not_overwritten_unless_asked(where):
    adata = small()
    place, key, value = {
        "obs": (adata.obs, "graphnn_full", 1.0),
        "obsm": (adata.obsm, "graphnn_compressed", np.zeros((71, 1))),
        "var": (adata.var, "graphnn_input", 1.0),
        "uns": (adata.uns, "graphnn", {"mine": 1}),
    }[where]
    place[key] = value
    before = fingerprint(adata)
    how = {"label": "label", "folds": 2, "training": TRAINING}
    with pytest.raises(DataError, match=f"{where}.*overwrite=True"):
        tl.compare(adata, *networks(), **how)
    assert fingerprint(adata) == before
    tl.compare(adata, *networks(), key_added="other", **how)
    assert "other_full" in adata.obs
    tl.compare(adata, *networks(), overwrite=True, **how)
    assert "summary" in adata.uns["graphnn"]


def test_a_copy_leaves_the_original_alone():
    adata = small()
    before = fingerprint(adata)
    other, comparison = tl.compare(adata, *networks(), label="label", folds=2, training=TRAINING, copy=True)
    assert fingerprint(adata) == before
    assert other.obs["graphnn_full"].notna().all()
    assert len(comparison.fits["full"]) == 2


def test_a_view_becomes_cells_of_its_own():
    adata = small()
    before, view = fingerprint(adata), adata[10:60]
    tl.compare(view, *networks(), label="label", folds=2, training=TRAINING)
    assert fingerprint(adata) == before
    assert view.obs["graphnn_full"].notna().all()
    assert view.obsm["graphnn_full"].shape[0] == 50


def test_layers_groups_sparse_values_and_repeated_genes():
    adata = small(donor=np.repeat(["p", "q", "r", "s"], [20, 20, 20, 11]))
    wide = anndata.concat([adata, adata[:, ["b"]].copy()], axis=1, merge="first")
    wide.layers["log"] = sp.csr_matrix(wide.X)
    wide.X = np.full(wide.shape, np.nan, dtype=np.float32)
    how = {"label": "label", "groups": "donor", "folds": 2, "training": TRAINING}
    comparison = tl.compare(wide, *networks(), layer="log", **how)
    assert comparison.n_groups == 4
    assert wide.var["graphnn_input"].tolist() == [False, True, True, True, True, True]
    assert wide.uns["graphnn"]["params"]["layer"] == "log"
    tl.compare(adata, *networks(), **how)
    np.testing.assert_allclose(wide.obs["graphnn_full"], adata.obs["graphnn_full"], rtol=1e-4)


def test_what_is_no_anndata_is_sent_to_compare():
    x, y = cells()
    with pytest.raises(DataError, match=r"graphnn\.compare"):
        tl.compare(x, *networks(), label=y)


def test_the_module_loads_no_anndata():
    code = "import graphnn.tl, sys; print([m for m in ('anndata', 'scanpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# -- cells of others ---------------------------------------------------------------------------------------------------


def test_blood_cells_of_scanpy(tmp_path):
    """Monocytes among 700 blood cells; a hand-made network of marker genes."""
    scanpy = pytest.importorskip("scanpy")
    adata = scanpy.datasets.pbmc68k_reduced()
    adata.obs["monocyte"] = (adata.obs["bulk_labels"] == "CD14+ Monocyte").astype(int)
    programs = {"myeloid": ["LYZ", "S100A8", "S100A9", "FCN1"], "lymphoid": ["CD3D", "CD79A", "NKG7", "IL32"]}
    edges = [(gene, 1, program) for program, genes in programs.items() for gene in genes]
    edges += [("LYZ", 1, "phagocytosis"), ("myeloid", 1, "monocyte"), ("lymphoid", -1, "monocyte")]
    graph = PriorGraph.from_sif_tuples([*edges, ("phagocytosis", 1, "myeloid")])
    how = {"folds": 3, "training": TRAINING, "inputs": [gene for genes in programs.values() for gene in genes]}
    comparison = tl.compare(adata, graph=graph, outputs=["monocyte"], label="monocyte", **how)
    summary = comparison.summary().set_index("metric")
    assert summary.loc["roc_auc", "compressed"] > 0.8
    adata.write_h5ad(tmp_path / "blood.h5ad")
    again = anndata.read_h5ad(tmp_path / "blood.h5ad")
    assert json.loads(again.uns["graphnn"]["networks"]["full"])["outputs"] == ["monocyte"]
