"""Cells: columns by name, duplicate symbols, scaling, and every file format read back."""

from __future__ import annotations

import gzip
import pickle  # noqa: TID251 - cells must survive worker processes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from graphnn.data.cells import Cells, as_cells, is_anndata
from graphnn.data.read import read_cells
from graphnn.errors import DataError, FormatError, MissingFileError, MissingPackageError, OptionError
from graphnn.graph.sif import read_sif
from tests.real_data import real_data

COUNTS = np.array([[1, 0, 3, 0], [0, 0, 0, 0], [5, 2, 0, 1]])
BARCODES = ("c1", "c2", "c3")
GENES = ("A", "B", "C", "D")

FORMS = [np.asarray, sp.csr_array, sp.csr_matrix, sp.csc_array, sp.coo_array]
forms = pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)


def dense(cells: Cells) -> np.ndarray:
    return cells.matrix.toarray() if cells.is_sparse else np.asarray(cells.matrix)


small_counts = arrays(np.int64, st.tuples(st.integers(1, 5), st.integers(1, 7)), elements=st.integers(0, 9))


# -- names ---------------------------------------------------------------------------------------------------------


@forms
def test_columns_are_selected_by_name_in_the_order_asked(form):
    cells = Cells(form(COUNTS), BARCODES, GENES)
    values = cells.select(["C", "A", "C"])
    assert values.dtype == np.float32
    assert isinstance(values, np.ndarray)
    assert values.tolist() == [[3, 1, 3], [0, 0, 0], [0, 5, 0]]
    assert (cells.n_cells, cells.n_genes) == (3, 4)


@given(counts=small_counts, data=st.data())
def test_shuffled_columns_never_change_a_selection(counts, data):
    genes = [f"g{i}" for i in range(counts.shape[1])]
    barcodes = [f"c{i}" for i in range(counts.shape[0])]
    order = data.draw(st.permutations(range(len(genes))))
    wanted = data.draw(st.lists(st.sampled_from(genes), max_size=10))
    expected = counts[:, [genes.index(name) for name in wanted]].astype(np.float32)
    shuffled = counts[:, order], barcodes, [genes[i] for i in order]
    for cells in (
        Cells.from_matrix(counts, barcodes, genes),
        Cells.from_matrix(*shuffled),
        Cells.from_matrix(sp.csr_array(shuffled[0]), *shuffled[1:]),
        as_cells(pd.DataFrame(shuffled[0], index=barcodes, columns=shuffled[2])),
    ):
        np.testing.assert_array_equal(cells.select(wanted), expected)


def test_an_absent_column_is_named():
    with pytest.raises(DataError, match="'X', 'Y' are not among the 4 genes") as caught:
        Cells(COUNTS, BARCODES, GENES).select(["A", "X", "Y", "X"])
    assert caught.value.names == ("X", "Y")


def test_a_transposed_table_is_recognised():
    with pytest.raises(DataError, match="transpose"):
        Cells(COUNTS, BARCODES, GENES).select(["c1", "c3"])


def test_a_bare_string_is_no_list_of_columns():
    cells = Cells(COUNTS, BARCODES, GENES)
    with pytest.raises(FormatError, match="single string 'AB'"):
        cells.select("AB")
    with pytest.raises(FormatError, match="single string"):
        cells.columns_of("AB")


@forms
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_nan_and_infinite_values_are_refused_only_where_selected(form, value):
    values = COUNTS.astype(float)
    values[2, 1] = value
    cells = Cells(form(values), BARCODES, GENES)
    assert cells.select(["A", "C"]).shape == (3, 2)
    with pytest.raises(DataError, match=r"columns 'B' of cells 'c3'.*first: 'B' of 'c3'") as caught:
        cells.select(["A", "B"])
    assert caught.value.names == ("B",)


def test_sparse_cells_too_large_for_memory_are_selected_and_scaled():
    n_cells, n_genes = 20_000, 2_000_000  # 160 GB as float32
    rows, columns = np.arange(n_cells), np.arange(n_cells) * 100
    matrix = sp.csr_array((np.ones(n_cells), (rows, columns)), shape=(n_cells, n_genes))
    names = tuple(map(str, range(n_genes)))
    cells = Cells(matrix, names[:n_cells], names)
    values = cells.log_normalized(total=1).select(["1999900", "0"])
    assert values.shape == (n_cells, 2)
    assert (values != 0).sum() == 2
    assert values[-1, 0] == pytest.approx(np.log(2))


def test_sparse_is_never_made_dense_before_the_selection(monkeypatch):
    cells = Cells.from_matrix(sp.csr_array(COUNTS), BARCODES, ("A", "B", "A", "D"))
    shapes: list[tuple[int, ...]] = []
    toarray = sp.csr_array.toarray
    monkeypatch.setattr(sp.csr_array, "toarray", lambda self, *a, **k: shapes.append(self.shape) or toarray(self))
    cells.log_normalized().subset(["c3", "c1"]).select(["D"])
    assert shapes == [(2, 1)]


def test_subset_keeps_the_order_asked_and_everything_that_belongs_to_a_cell():
    cells = Cells.from_matrix(COUNTS, BARCODES, ("A", "B", "A", "D")).subset(["c3", "c2"])
    assert cells.barcodes == ("c3", "c2")
    assert dense(cells).tolist() == [[5, 2, 1], [0, 0, 0]]
    assert cells.totals.tolist() == [8, 0]
    assert cells.merged.genes == ("A",)
    assert cells.log_normalized().subset(["c3"]).normalization.n_empty == 0
    assert cells.log_normalized().subset(["c2"]).normalization.empty == ("c2",)


@pytest.mark.parametrize(("barcodes", "match"), [(["c1", "x"], "'x'"), (["c1", "c1"], "once"), ([], "at least one")])
def test_subset_refuses_unknown_repeated_and_no_barcodes(barcodes, match):
    with pytest.raises(DataError, match=match):
        Cells(COUNTS, BARCODES, GENES).subset(barcodes)


def test_inputs_find_their_columns_with_and_without_suffix():
    cells = Cells(np.ones((1, 5)), ("c",), ("STAT1", "LCK", "LCK_gene", "a/b:c-d", "_gene"))
    inputs = ["STAT1_gene", "LCK_gene", "STAT1", "a/b:c-d_gene", "absent_gene", "_gene", "STAT1_gene"]
    assert cells.columns_of(inputs, suffix="_gene") == {
        "STAT1_gene": "STAT1",
        "LCK_gene": "LCK",  # not the column of the same name: with a suffix the gene is meant
        "STAT1": "STAT1",
        "a/b:c-d_gene": "a/b:c-d",
    }
    assert cells.columns_of(inputs) == {"LCK_gene": "LCK_gene", "STAT1": "STAT1", "_gene": "_gene"}
    assert list(cells.columns_of(["STAT1", "LCK"])) == ["STAT1", "LCK"]


@pytest.mark.parametrize(
    ("matrix", "barcodes", "genes", "match"),
    [
        (COUNTS, ("c1", "c2"), GENES, r"shape \(3, 4\)"),
        (COUNTS, ("c1", "c2", "c1"), GENES, "barcode once, but 'c1'"),
        (COUNTS, BARCODES, ("A", "B", "A", "D"), "gene once, but 'A'"),
        (COUNTS, BARCODES, ("A", "", "C", "D"), "got '' at position 1"),
        (COUNTS, BARCODES, ("A", float("nan"), "C", "D"), "got nan at position 1"),
        (COUNTS, ("c1", 2, "c3"), GENES, "barcode to be a non-empty string, got 2"),
        (COUNTS[0], ("c1",), GENES, "1 dimensions"),
        (COUNTS.astype(str), BARCODES, GENES, "real numbers"),
        (COUNTS * 1j, BARCODES, GENES, "real numbers"),
        (np.zeros((0, 1)), (), ("A",), "at least one cell"),
    ],
)
def test_the_constructor_refuses_what_does_not_fit(matrix, barcodes, genes, match):
    with pytest.raises(DataError, match=match):
        Cells(matrix, barcodes, genes)


@forms
def test_arrays_are_read_only_and_the_callers_are_left_alone(form):
    given_matrix = form(COUNTS.copy())
    cells = Cells.from_matrix(given_matrix, BARCODES, ("A", "B", "A", "D"))
    cells.log_normalized().select(["A"])
    for array in (cells.matrix, Cells(given_matrix, BARCODES, GENES).matrix):
        with pytest.raises(ValueError, match="read-only"):
            (array.data if sp.issparse(array) else array)[0] = 7
    (given_matrix.data if sp.issparse(given_matrix) else given_matrix)[0] = 7


def test_entries_given_twice_in_a_sparse_matrix_add_up_without_touching_it():
    matrix = sp.csr_array((np.array([1.0, 2.0]), np.array([0, 0]), np.array([0, 2])), shape=(1, 1))
    cells = Cells(matrix, ("c",), ("A",))
    assert cells.select(["A"]).tolist() == [[3]]
    assert cells.log_normalized(total=3).select(["A"])[0, 0] == pytest.approx(np.log(4))  # not log(2) + log(3)
    assert matrix.nnz == 2


def test_cells_survive_a_worker_process():
    cells = Cells.from_matrix(sp.csr_array(COUNTS), BARCODES, ("A", "B", "A", "D")).log_normalized()
    again = pickle.loads(pickle.dumps(cells))  # noqa: S301
    assert (again.barcodes, again.genes, again.merged, again.normalization) == (
        cells.barcodes,
        cells.genes,
        cells.merged,
        cells.normalization,
    )
    np.testing.assert_array_equal(again.select(["D", "A"]), cells.select(["D", "A"]))


# -- duplicate gene symbols ------------------------------------------------------------------------------------------


@forms
@pytest.mark.parametrize(
    ("policy", "first_row"), [("max", [3.0, 9.0, -1.0]), ("sum", [4.0, 9.0, -3.0]), ("first", [1.0, 9.0, -2.0])]
)
def test_duplicate_symbols_follow_the_policy(form, policy, first_row):
    matrix = form(np.array([[1.0, 9.0, -2.0, 3.0, -1.0, 0.0], [0.0, 0.0, 4.0, 0.0, 0.0, 0.0]]))
    cells = Cells.from_matrix(matrix, ["c1", "c2"], ["A", "B", "C", "A", "C", "A"], duplicates=policy)
    assert cells.genes == ("A", "B", "C")
    assert dense(cells).tolist() == [first_row, [0, 0, 4]]
    assert cells.merged.to_dict() == {"policy": policy, "genes": ["A", "C"], "n_columns": 3}
    assert cells.is_sparse == sp.issparse(matrix)


@given(counts=small_counts, data=st.data(), policy=st.sampled_from(["max", "sum", "first"]))
def test_merging_equals_a_pandas_group_by(counts, data, policy):
    genes = data.draw(st.lists(st.sampled_from("PQRS"), min_size=counts.shape[1], max_size=counts.shape[1]))
    signed = counts - 4
    barcodes = [f"c{i}" for i in range(len(counts))]
    expected = pd.DataFrame(signed.T, index=genes).groupby(level=0, sort=False).agg(policy).T
    for form in (np.asarray, sp.csr_array):
        cells = Cells.from_matrix(form(signed), barcodes, genes, duplicates=policy)
        assert list(cells.genes) == list(expected.columns)
        np.testing.assert_array_equal(dense(cells), expected.to_numpy())


def test_raise_names_the_symbols_and_unknown_policies_are_refused():
    with pytest.raises(DataError, match="'A' occur") as caught:
        Cells.from_matrix(COUNTS, BARCODES, ["A", "B", "A", "D"], duplicates="raise")
    assert caught.value.names == ("A",)
    with pytest.raises(OptionError, match="duplicates"):
        Cells.from_matrix(COUNTS, BARCODES, GENES, duplicates="mean")


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint8, np.float16, np.float32])
def test_a_sum_of_small_types_does_not_wrap(kind):
    cells = Cells.from_matrix(np.full((1, 3), 100, dtype=kind), ["c"], ["A", "A", "A"], duplicates="sum")
    assert cells.select(["A"]).tolist() == [[3 if kind is bool else 300]]


# -- scaling ---------------------------------------------------------------------------------------------------------


@forms
def test_log_normalization_scales_each_cell_and_leaves_empty_cells_zero(form):
    cells = Cells(form(COUNTS), BARCODES, GENES).log_normalized(total=100)
    expected = np.log1p(COUNTS / np.array([[4], [1], [8]]) * 100)
    np.testing.assert_allclose(dense(cells), expected, rtol=1e-6)
    assert cells.matrix.dtype == np.float32
    assert cells.is_sparse == sp.issparse(form(COUNTS))
    assert cells.normalization.to_dict() == {"total": 100.0, "n_empty": 1, "empty": ["c2"]}


def test_log_normalization_agrees_with_scanpy():
    scanpy, anndata = pytest.importorskip("scanpy"), pytest.importorskip("anndata")
    adata = anndata.AnnData(sp.csr_matrix(COUNTS.astype(np.float32)))
    ours = Cells.from_anndata(adata).log_normalized()
    scanpy.pp.normalize_total(adata, target_sum=1e4)
    scanpy.pp.log1p(adata)
    np.testing.assert_allclose(dense(ours), adata.X.toarray(), rtol=1e-5)


@given(counts=small_counts, data=st.data())
def test_a_cell_is_scaled_alike_in_any_company(counts, data):
    barcodes = [f"c{i}" for i in range(len(counts))]
    cells = Cells(sp.csr_array(counts), barcodes, [f"g{i}" for i in range(counts.shape[1])])
    some = data.draw(st.lists(st.sampled_from(barcodes), min_size=1, unique=True))
    together, alone = cells.log_normalized().subset(some), cells.subset(some).log_normalized()
    np.testing.assert_array_equal(dense(together), dense(alone))
    assert set(together.normalization.empty) == set(alone.normalization.empty)


@forms
def test_the_total_counts_every_column_of_the_file_also_merged_ones(form):
    symbols = ["A", "B", "A", "D"]
    merged = Cells.from_matrix(form(COUNTS), BARCODES, symbols).log_normalized()
    before = Cells(COUNTS, BARCODES, GENES).log_normalized()
    after = Cells.from_matrix(before.matrix, BARCODES, symbols)
    np.testing.assert_allclose(dense(merged), dense(after), rtol=1e-6)


@forms
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_log_normalization_refuses_what_is_no_count(form, value):
    values = COUNTS.astype(float)
    values[2, 1] = value
    with pytest.raises(DataError, match="column 'B' of cell 'c3'"):
        Cells(form(values), BARCODES, GENES).log_normalized()


def test_log_normalization_is_done_once_and_with_a_positive_total():
    cells = Cells(COUNTS, BARCODES, GENES)
    with pytest.raises(DataError, match="already"):
        cells.log_normalized().log_normalized()
    for total in (0, -1, np.nan, np.inf):
        with pytest.raises(OptionError, match="positive"):
            cells.log_normalized(total=total)
    assert cells.holds_counts()
    assert not cells.log_normalized().holds_counts()


# -- DataFrame and AnnData -------------------------------------------------------------------------------------------


def test_frames_give_cells_whatever_their_dtypes():
    frame = pd.DataFrame({"A": [1, 0], "B": [True, False], "C": pd.array([1, None], dtype="Int64")}, index=["x", "y"])
    cells = as_cells(frame)
    assert cells.select(["A", "B"]).tolist() == [[1, 1], [0, 0]]
    with pytest.raises(DataError, match="columns 'C' of cells 'y'"):
        cells.select(["C"])
    sparse = as_cells(pd.DataFrame.sparse.from_spmatrix(sp.csr_matrix(COUNTS), index=BARCODES, columns=list(GENES)))
    assert sparse.is_sparse
    assert dense(sparse).tolist() == COUNTS.tolist()
    assert as_cells(pd.DataFrame(COUNTS, columns=list(GENES))).barcodes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("frame", "match"),
    [
        (pd.DataFrame({"A": [1], "type": ["B cell"]}), "'type' hold other values"),
        (pd.DataFrame({"A": [1 + 2j]}), "'A' hold other"),
        (pd.DataFrame([[1]], columns=[3]), "gene to be a non-empty string, got 3"),
        (pd.DataFrame({"A": [1]}, index=[1.5]), "barcode to be a non-empty string, got 1.5"),
        (pd.DataFrame({"A": [1, 2]}, index=["x", "x"]), "'x' occur"),
        (pd.DataFrame(), "at least one cell"),
    ],
)
def test_frames_that_are_no_cells_are_refused(frame, match):
    with pytest.raises(DataError, match=match):
        as_cells(frame)


def test_as_cells_passes_cells_through_and_refuses_arrays_without_names():
    cells = Cells(COUNTS, BARCODES, GENES)
    assert as_cells(cells) is cells
    with pytest.raises(DataError, match="got ndarray"):
        as_cells(COUNTS)
    with pytest.raises(OptionError, match="layer"):
        as_cells(cells, layer="counts")


def make_adata():
    anndata = pytest.importorskip("anndata")
    adata = anndata.AnnData(sp.csr_matrix(COUNTS.astype(np.float32)), layers={"twice": COUNTS * 2.0})
    adata.obs_names, adata.var_names = list(BARCODES), list(GENES)
    return adata


def test_anndata_is_read_with_its_layers_and_views():
    adata = make_adata()
    assert is_anndata(adata)
    assert not is_anndata(COUNTS)
    assert dense(as_cells(adata)).tolist() == COUNTS.tolist()
    assert dense(as_cells(adata[["c3"], ["D", "A"]], layer="twice")).tolist() == [[2, 10]]
    with pytest.raises(DataError, match="layer 'logs', got 'twice'"):
        as_cells(adata, layer="logs")
    adata.X = None
    with pytest.raises(DataError, match="values in X"):
        as_cells(adata)


def test_importing_the_module_loads_no_omics_package():
    code = "import sys, graphnn.data.cells; print({'anndata', 'scanpy', 'h5py', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(("suffix", "package"), [(".h5", "scanpy"), (".h5ad", "anndata")])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, suffix, package):
    monkeypatch.setitem(sys.modules, package, None)
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"x")
    with pytest.raises(MissingPackageError, match=r"graphnn\[omics\]") as caught:
        read_cells(path)
    assert caught.value.package == package


# -- files -----------------------------------------------------------------------------------------------------------


def write_old_10x(path: Path, genomes: dict[str, list[str]]) -> Path:
    h5py = pytest.importorskip("h5py")
    matrix = sp.csr_array(COUNTS.astype(np.int32))
    with h5py.File(path, "w") as file:
        for genome, genes in genomes.items():
            group = file.create_group(genome)
            for name in ("data", "indices", "indptr"):
                group[name] = getattr(matrix, name)
            group["shape"] = np.array(COUNTS.shape[::-1], dtype=np.int32)
            group["barcodes"] = np.array(BARCODES, dtype="S")
            group["gene_names"] = np.array(genes, dtype="S")
            group["genes"] = np.array([f"ENSG{i}" for i in range(len(genes))], dtype="S")
    return path


def write_new_10x(path: Path, genes: list[str], *, genomes: list[str], kinds: list[str]) -> Path:
    h5py = pytest.importorskip("h5py")
    matrix = sp.csr_array(COUNTS.astype(np.int32))
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for name in ("data", "indices", "indptr"):
            group[name] = getattr(matrix, name)
        group["shape"] = np.array(COUNTS.shape[::-1], dtype=np.int32)
        group["barcodes"] = np.array(BARCODES, dtype="S")
        features = group.create_group("features")
        features["name"] = np.array(genes, dtype="S")
        features["id"] = np.array([f"ENSG{i}" for i in range(len(genes))], dtype="S")
        features["feature_type"] = np.array(kinds, dtype="S")
        features["genome"] = np.array(genomes, dtype="S")
        features["_all_tag_keys"] = np.array([b"genome"])
    return path


def test_both_10x_layouts_are_read(tmp_path):
    pytest.importorskip("scanpy")
    old = read_cells(write_old_10x(tmp_path / "old.h5", {"GRCh38": ["A", "NA", "A", "D"]}))
    kinds = ["Gene Expression"] * 3 + ["Antibody Capture"]
    path = write_new_10x(tmp_path / "new.h5", ["A", "NA", "A", "CD3"], genomes=["GRCh38"] * 3 + [""], kinds=kinds)
    new = read_cells(path)
    assert (old.genes, old.barcodes) == (("A", "NA", "D"), BARCODES)
    assert old.is_sparse
    assert dense(old).tolist() == [[3, 0, 0], [0, 0, 0], [5, 2, 1]]
    assert new.genes == ("A", "NA")
    assert dense(new).tolist() == [[3, 0], [0, 0], [5, 2]]
    assert new.merged.genes == ("A",)
    assert read_cells(path, genome="GRCh38", duplicates="sum").select(["A"]).tolist() == [[4], [0], [5]]


def test_several_genomes_ask_for_a_choice(tmp_path):
    pytest.importorskip("scanpy")
    old = write_old_10x(tmp_path / "old.h5", {"mm10": list("abcd"), "GRCh38": list("ABCD")})
    genomes = ["GRCh38", "GRCh38", "mm10", "mm10"]
    new = write_new_10x(tmp_path / "new.h5", list("ABcd"), genomes=genomes, kinds=["Gene Expression"] * 4)
    for path, human in ((old, tuple("ABCD")), (new, tuple("AB"))):
        for genome in (None, "hg19"):
            with pytest.raises(OptionError, match=r"'GRCh38' or 'mm10'.*pass genome='GRCh38'"):
                read_cells(path, genome=genome)
        assert read_cells(path, genome="GRCh38").genes == human


def test_hdf5_files_that_are_something_else_are_refused(tmp_path):
    pytest.importorskip("scanpy")
    h5py = pytest.importorskip("h5py")
    adata = make_adata()
    adata.write_h5ad(tmp_path / "disguised.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = [1]
    with h5py.File(tmp_path / "broken.h5", "w") as file:
        file.create_group("GRCh38")["gene_names"] = np.array([b"A"])
    (tmp_path / "text.h5").write_text("barcode,A\nc1,1\n")
    (tmp_path / "text.h5ad").write_text("barcode,A\nc1,1\n")
    for name, match in {
        "disguised.h5": "name it .h5ad",
        "other.h5": "other groups",
        "broken.h5": "scanpy cannot read it",
        "text.h5": "cannot be read",
        "text.h5ad": "cannot be read",
    }.items():
        with pytest.raises(FormatError, match=match):
            read_cells(tmp_path / name)


@pytest.mark.filterwarnings("error::UserWarning")
def test_h5ad_is_read_with_layers_and_duplicates(tmp_path):
    adata = make_adata()
    adata.var_names = ["A", "B", "A", "NA"]
    adata.write_h5ad(tmp_path / "x.h5ad")
    cells = read_cells(tmp_path / "x.h5ad", layer="twice")
    assert (cells.genes, cells.merged.genes) == (("A", "B", "NA"), ("A",))
    assert dense(cells).tolist() == [[6, 0, 0], [0, 0, 0], [10, 4, 2]]


@pytest.mark.parametrize(("name", "mark"), [("x.csv", ","), ("x.tsv", "\t"), ("x.txt", ";"), ("x.csv.gz", ",")])
def test_text_tables_keep_every_name(tmp_path, name, mark):
    text = '\ufeffbarcode,A,NA,"MT/ND-1",A\nNA,1,0,2.5,3\nnull,0,-4,1e-3,0\n\n'.replace(",", mark)
    data = text.encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    cells = read_cells(tmp_path / name)
    assert cells.barcodes == ("NA", "null")
    assert cells.genes == ("A", "NA", "MT/ND-1")
    assert cells.merged.genes == ("A",)
    np.testing.assert_allclose(dense(cells), [[3, 0, 2.5], [0, -4, 1e-3]])


def test_a_table_written_by_pandas_comes_back(tmp_path):
    frame = pd.DataFrame(COUNTS / 7, index=BARCODES, columns=list(GENES))
    frame.to_csv(tmp_path / "x.csv.gz")
    assert (dense(read_cells(tmp_path / "x.csv.gz")) == frame.to_numpy()).all()


@pytest.mark.parametrize(
    ("text", "match", "line"),
    [
        ("", "empty file", None),
        ("\n \n", "empty file", None),
        ("barcode,A\n", "header only", None),
        ("barcode\nc1\n", "got one;", 1),
        ("barcode,A,B\nc1,1,2\nc2,1\n", "expected 3 fields as in the header, got 2", 3),
        ("A,B\nc1,1,2\n", "write.table", 2),
        ("barcode,A,B\nc1,1,2\nc2,1,NA\n", "column 'B' of row 'c2', got 'NA'", 3),
        ("barcode,A,B\nc1,,2\n", "column 'A' of row 'c1', got ''", 2),
        ("barcode,A,B\nc1,True,2\n", "column 'A' of row 'c1', got 'True'", 2),
    ],
)
def test_tables_that_cannot_be_read_name_the_place(tmp_path, text, match, line):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=match) as caught:
        read_cells(path)
    assert (caught.value.path, caught.value.line) == (str(path), line)


def test_damaged_text_is_refused(tmp_path):
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"barcode,A\n" + b"c1,1\n" * 50)[:-12])
    (tmp_path / "y.csv.gz").write_bytes(b"barcode,A\nc1,1\n")
    (tmp_path / "z.csv").write_bytes("barcode,A\nc\xe91,1\n".encode("latin-1"))
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(b""))
    for name, match in {"x.csv.gz": "read", "y.csv.gz": "read", "z.csv": "UTF-8", "e.csv.gz": "empty"}.items():
        with pytest.raises(FormatError, match=match):
            read_cells(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "match"),
    [("barcode,A\nc1,1\nc1,2\n", "'c1' occur"), ("barcode,A,\nc1,1,2\n", "gene to be"), ("barcode,A\n,1\n", "barcode")],
)
def test_tables_with_bad_names_are_refused(tmp_path, text, match):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(DataError, match=match):
        read_cells(tmp_path / "x.csv")


def test_missing_empty_and_unknown_files(tmp_path):
    with pytest.raises(MissingFileError, match=r"cells\.csv"):
        read_cells(tmp_path / "cells.csv")
    for name in ("x.mtx", "x.h5.gz", "x", "x.gz", "x.loom"):
        with pytest.raises(FormatError, match=r"10x HDF5 .*\.h5ad.*\.tsv"):
            read_cells(tmp_path / name)
    for name in ("x.h5", "x.h5ad", "x.csv"):
        (tmp_path / name).touch()
        with pytest.raises(FormatError, match="empty file"):
            read_cells(tmp_path / name)


def test_options_of_another_format_are_refused_and_not_ignored(tmp_path):
    (tmp_path / "x.csv").write_text("barcode,A\nc1,1\n")
    for option in ({"layer": "counts"}, {"genome": "GRCh38"}, {"duplicates": "mean"}):
        with pytest.raises(OptionError, match=next(iter(option))):
            read_cells(tmp_path / "x.csv", **option)


# -- real cells ------------------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_blood559_meets_the_t_cell_network():
    pytest.importorskip("scanpy")
    cells = read_cells(real_data("cells/blood559.h5"))
    graph = read_sif(real_data("pkn/tcell_abc.sif.gz"))
    assert (cells.n_cells, cells.n_genes) == (559, 32_786)
    assert cells.is_sparse
    assert cells.holds_counts()
    assert cells.merged.genes == ()
    inputs = [name for name in graph.nodes if name.endswith("_gene")]
    found = cells.columns_of(inputs, suffix="_gene")
    assert len(inputs) == 4_368
    assert len(found) > 4_000
    values = cells.log_normalized().select(list(found.values()))
    assert values.shape == (559, len(found))
    assert np.isfinite(values).all()
    assert values.min() == 0
    assert cells.log_normalized().normalization.n_empty == 0
