"""Labels: reading, matching by barcode, and what is refused before training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from graphnn.data.cells import Cells
from graphnn.data.labels import check_binary, labels_from_anndata, match_labels, read_labels
from graphnn.data.read import read_cells
from graphnn.errors import DataError, FormatError, MissingFileError, OptionError
from tests.real_data import real_data

BARCODES = ("c1", "c2", "c3")
CELLS = Cells(np.arange(6).reshape(3, 2), BARCODES, ("A", "B"))


def write(path, text):
    path.write_text(text)
    return path


# -- reading ---------------------------------------------------------------------------------------------------------


def test_a_table_is_read_by_barcode(tmp_path):
    labels = read_labels(write(tmp_path / "y.tsv", "barcode\tLCK\tZAP70\nNA\t1\t0.5\nc1\t0\t-2\n"))
    assert labels.index.tolist() == ["NA", "c1"]
    assert labels.index.name == "barcode"
    assert labels.to_dict("list") == {"LCK": [1, 0], "ZAP70": [0.5, -2]}
    assert (labels.dtypes == np.float64).all()


def test_outputs_choose_and_order_the_columns(tmp_path):
    path = write(tmp_path / "y.csv", "cell,a,b,c\nc1,1,2,3\n")
    assert read_labels(path, outputs=["c", "a"]).columns.tolist() == ["c", "a"]
    with pytest.raises(DataError, match="'LCK' have none among 'a', 'b', 'c'"):
        read_labels(path, outputs=["LCK"])
    one = write(tmp_path / "one.csv", "barcode,LYMPHOID\nc1,1\n")
    assert read_labels(one, outputs=["LCK"]).columns.tolist() == ["LCK"]


@pytest.mark.parametrize(
    ("text", "match", "line"),
    [
        ("", "empty file", None),
        ("barcode,y\n", "header only", None),
        ("barcode\nc1\n", "got one;", 1),
        ("barcode,y\nc1,1\nc2,B cell\n", "column 'y', got 'B cell'", 3),
        ("barcode,y\nc1,\n", "got ''", 2),
        ("barcode,y\nc1,nan\n", "got 'nan'", 2),
        ("barcode,y\nc1,1,2\n", "2 fields", 2),
        ("barcode,y\n ,1\n", "barcode in the first column", 2),
        ("barcode,y,y\nc1,1,1\n", "names of their own", None),
    ],
)
def test_tables_that_are_no_labels_name_the_place(tmp_path, text, match, line):
    with pytest.raises(FormatError, match=match) as caught:
        read_labels(write(tmp_path / "y.csv", text))
    assert caught.value.line == line


def test_missing_files_and_repeated_barcodes(tmp_path):
    with pytest.raises(MissingFileError, match="labels"):
        read_labels(tmp_path / "none.csv")
    with pytest.raises(DataError, match="'c1' occur") as caught:
        read_labels(write(tmp_path / "y.csv", "barcode,y\nc1,1\nc2,0\nc1,1\n"))
    assert caught.value.names == ("c1",)


# -- matching --------------------------------------------------------------------------------------------------------


@given(order=st.permutations(["c1", "c2", "c3", "x1", "x2"]), kept=st.sets(st.sampled_from(BARCODES), min_size=1))
def test_labels_follow_their_barcodes_in_any_order(order, kept):
    truth = {"c1": 10.0, "c2": 20.0, "c3": 30.0, "x1": -1.0, "x2": -2.0}
    given_names = [name for name in order if name in kept or name.startswith("x")]
    matched = match_labels(CELLS, pd.Series({name: truth[name] for name in given_names}), outputs=["LCK"])
    assert matched.cells.barcodes == tuple(name for name in BARCODES if name in kept)
    assert tuple(matched.labels.index) == matched.cells.barcodes
    assert matched.labels["LCK"].tolist() == [truth[name] for name in matched.cells.barcodes]
    assert matched.cells.select(["A"])[:, 0].tolist() == [2.0 * BARCODES.index(name) for name in matched.cells.barcodes]
    assert (matched.n_unlabelled, matched.n_unmatched) == (3 - len(kept), 2)


def test_nothing_shared_shows_both_sides():
    with pytest.raises(DataError, match="cells 'c1', 'c2', 'c3', labels 'c1-1', 'c2-1'") as caught:
        match_labels(CELLS, pd.Series([0, 1], index=["c1-1", "c2-1"]), outputs=["LCK"])
    assert caught.value.names == ("c1", "c2", "c3", "c1-1", "c2-1")


def test_two_outputs_are_matched_by_name_only():
    frame = pd.DataFrame({"b": [1, 2, 3], "other": 9, "a": [4, 5, 6]}, index=BARCODES)
    assert match_labels(CELLS, frame, outputs=["a", "b"]).labels.to_dict("list") == {"a": [4, 5, 6], "b": [1, 2, 3]}
    with pytest.raises(DataError, match="'z' have none"):
        match_labels(CELLS, frame[["a", "b"]], outputs=["a", "z"])
    with pytest.raises(DataError, match="give a DataFrame"):
        match_labels(CELLS, np.ones((3, 2)), outputs=["a", "b"])


def test_one_output_takes_the_only_column_or_the_one_of_its_name():
    only = pd.DataFrame({"LYMPHOID": [0, 1, 1]}, index=BARCODES)
    assert match_labels(CELLS, only, outputs=["LCK"]).labels.to_dict("list") == {"LCK": [0, 1, 1]}
    assert match_labels(CELLS, only["LYMPHOID"], outputs=["LCK"]).labels.columns.tolist() == ["LCK"]
    two = only.assign(LCK=[1, 0, 0])
    assert match_labels(CELLS, two, outputs=["LCK"]).labels["LCK"].tolist() == [1, 0, 0]
    with pytest.raises(DataError, match="'TCR' have none"):
        match_labels(CELLS, two, outputs=["TCR"])
    doubled = pd.DataFrame([[0, 1]] * 3, index=BARCODES, columns=["LCK", "LCK"])
    with pytest.raises(DataError, match="'LCK' have several"):
        match_labels(CELLS, doubled, outputs=["LCK"])


@pytest.mark.parametrize("y", [[0, 1, 1], np.array([0, 1, 1]), np.array([[0], [1], [1]]), (False, True, True)])
def test_arrays_are_taken_in_the_order_of_the_cells(y):
    matched = match_labels(CELLS, y, outputs=["LCK"])
    assert matched.cells is CELLS
    assert matched.labels["LCK"].tolist() == [0, 1, 1]
    assert matched.labels.index.tolist() == list(BARCODES)


@pytest.mark.parametrize("y", [[0, 1], np.ones((3, 2)), np.ones((2, 3)), 1.0, []])
def test_arrays_of_another_length_are_refused(y):
    with pytest.raises(DataError, match="each of 3 cells"):
        match_labels(CELLS, y, outputs=["LCK"])


def test_integer_index_matches_cells_of_a_frame_without_names():
    cells = Cells.from_frame(pd.DataFrame({"A": [1, 2, 3]}))
    assert match_labels(cells, pd.Series([5, 6, 7]), outputs=["y"]).labels["y"].tolist() == [5, 6, 7]


def test_barcodes_given_twice_are_refused():
    with pytest.raises(DataError, match="'c1' occur") as caught:
        match_labels(CELLS, pd.Series([0, 1, 1], index=["c1", "c2", "c1"]), outputs=["LCK"])
    assert caught.value.names == ("c1",)


@pytest.mark.parametrize("value", [np.nan, None, pd.NA, np.inf])
def test_labels_without_a_value_name_their_cells(value):
    labels = pd.Series([0, value, 1, value], index=["c1", "c2", "c3", "elsewhere"], dtype=object)
    with pytest.raises(DataError, match="1 cells \\('c2'\\)") as caught:
        match_labels(CELLS, labels, outputs=["LCK"])
    assert caught.value.names == ("c2",)
    assert match_labels(CELLS, labels.drop("c2"), outputs=["LCK"]).n_unlabelled == 1


@pytest.mark.parametrize("labels", [["T cell", "B cell", "T cell"], ["0", "1", "1"], pd.Categorical(["a", "b", "a"])])
def test_text_labels_ask_to_be_encoded(labels):
    for y in (pd.Series(labels, index=BARCODES), np.asarray(labels)):
        with pytest.raises(DataError, match=r"encode them, e\.g\. \(labels == "):
            match_labels(CELLS, y, outputs=["LCK"])


@pytest.mark.parametrize("labels", [pd.Categorical([0, 1, 1]), pd.array([0, 1, 1], dtype="Int64"), [False, True, True]])
def test_numbers_of_any_dtype_become_float64(labels):
    result = match_labels(CELLS, pd.Series(labels, index=BARCODES), outputs=["LCK"]).labels
    assert result["LCK"].tolist() == [0, 1, 1]
    assert result["LCK"].dtype == np.float64


@pytest.mark.parametrize("outputs", ["LCK", [], ["LCK", "LCK"]])
def test_outputs_must_be_a_list_of_different_names(outputs):
    with pytest.raises(OptionError, match="outputs"):
        match_labels(CELLS, [0, 1, 1], outputs=outputs)


def test_matching_changes_no_argument():
    frame = pd.DataFrame({"LYMPHOID": [1, 0]}, index=["c3", "c1"])
    before = frame.copy()
    match_labels(CELLS, frame, outputs=["LCK"])
    pd.testing.assert_frame_equal(frame, before)


# -- AnnData ---------------------------------------------------------------------------------------------------------


def make_adata():
    anndata = pytest.importorskip("anndata")
    obs = pd.DataFrame({"TCR": [1, 0, 1], "type": ["T", "B", "T"], "dose": [0.1, 0.2, 0.3]}, index=list(BARCODES))
    return anndata.AnnData(sp.csr_matrix(np.ones((3, 2), dtype=np.float32)), obs=obs)


def test_obs_columns_become_labels():
    adata = make_adata()
    assert labels_from_anndata(adata, "TCR", outputs=["LCK"]).to_dict("list") == {"LCK": [1, 0, 1]}
    both = labels_from_anndata(adata, ["TCR", "dose"], outputs=["dose", "TCR"])
    assert both.columns.tolist() == ["dose", "TCR"]
    matched = match_labels(Cells.from_anndata(adata).subset(["c2"]), both, outputs=["dose", "TCR"])
    assert matched.labels.loc["c2"].tolist() == [0.2, 0]


def test_obs_columns_that_are_no_labels_are_refused():
    adata = make_adata()
    with pytest.raises(DataError, match=r"'TRC' are not there .*'TCR', 'type', 'dose'"):
        labels_from_anndata(adata, "TRC", outputs=["LCK"])
    with pytest.raises(DataError, match="encode"):
        labels_from_anndata(adata, "type", outputs=["LCK"])
    with pytest.raises(DataError, match="'LCK', 'ZAP70' have none"):
        labels_from_anndata(adata, ["TCR", "dose"], outputs=["LCK", "ZAP70"])
    with pytest.raises(DataError, match="expected AnnData"):
        labels_from_anndata(pd.DataFrame(), "TCR", outputs=["LCK"])
    with pytest.raises(DataError, match="labels_from_anndata"):
        match_labels(CELLS, "TCR", outputs=["LCK"])


# -- classes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[0, 1, 1], [0.0, 1.0, 0.0], [True, False, True]])
def test_two_classes_pass(values):
    check_binary(pd.DataFrame({"LCK": values}))


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([1, 1, 1], r"'bad', got a single class \(1\) in 3 cells"),
        ([0, 0, 0], r"single class \(0\)"),
        ([True, True, True], "single class"),
        ([0, 1, 2], r"got 3 values \(0, 1, 2\)"),
        ([-1, 1, 1], r"got 2 values \(-1, 1\)"),
        (["T", "B", "T"], "encode"),
        ([0, 1, np.nan], "finite label"),
    ],
)
def test_anything_but_two_classes_is_refused(values, match):
    with pytest.raises(DataError, match=match) as caught:
        check_binary(pd.DataFrame({"fine": [0, 1, 0], "bad": values}))
    assert caught.value.names


# -- real labels -----------------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_the_labels_of_blood559_find_their_cells():
    pytest.importorskip("scanpy")
    cells = read_cells(real_data("cells/blood559.h5"))
    labels = read_labels(real_data("cells/blood559_labels.csv"))
    assert labels.columns.tolist() == ["LYMPHOID"]
    assert tuple(labels.index) != cells.barcodes  # another order, so taking them by position would be wrong
    matched = match_labels(cells, labels, outputs=["LCK"])
    assert (matched.n_unlabelled, matched.n_unmatched) == (0, 0)
    assert tuple(matched.labels.index) == cells.barcodes
    assert matched.labels["LCK"].tolist() == [labels.loc[barcode, "LYMPHOID"] for barcode in cells.barcodes]
    assert matched.labels["LCK"].sum() == 180
    check_binary(matched.labels)
