"""Cells from files: 10x HDF5, AnnData, CSV and TSV, by name.

May import `graphnn.errors`, `graphnn.graph` and `graphnn.data.cells`; anndata and scanpy only where a file needs them.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from graphnn.data.cells import Cells, FloatVector
from graphnn.errors import FormatError, MissingFileError, MissingPackageError, OptionError
from graphnn.graph.files import read_rows

if TYPE_CHECKING:
    from anndata import AnnData

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
_FORMATS = "10x HDF5 (.h5), AnnData (.h5ad), tables with a cell in each row (.csv, .tsv, .txt, also with .gz)"


def read_cells(
    path: str | Path, *, layer: str | None = None, genome: str | None = None, duplicates: str = "max"
) -> Cells:
    """Read cells from a file; its name says the format.

    ".h5" is 10x HDF5 in either layout (gene expression features only), ".h5ad" is AnnData, ".csv", ".tsv" and ".txt"
    (also with ".gz") are tables with a cell in each row, barcodes in the first column and genes in the header, the
    delimiter (tab, comma, semicolon) read off the header. No name is ever taken for a missing value. 10x files and
    tables become sparse matrices.

    Args:
        path: The file.
        layer: Layer of an AnnData file; None: its X.
        genome: Genome of a 10x file that holds several.
        duplicates: What becomes of gene symbols on several columns: "max", "sum", "first" or "raise".

    Raises:
        MissingFileError: There is no such file.
        FormatError: The file is empty, damaged or of an unknown format, a row has too few or too many fields, or an
            entry is no number; row and column are named.
        DataError: A barcode occurs twice, a gene has no name, or a symbol occurs twice under "raise".
        OptionError: A 10x file holds several genomes and none is chosen, or an option does not apply to the format.
        MissingPackageError: scanpy (".h5") or anndata (".h5ad") is not installed.
    """
    path = Path(path)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    zipped = path.name.lower().endswith(".gz")
    if suffix not in TEXT_SUFFIXES and (zipped or suffix not in (".h5", ".h5ad")):
        raise FormatError(f"expected {_FORMATS}, got the suffix {''.join(path.suffixes[-2:])!r}; convert it", path=path)
    if not path.is_file():
        raise MissingFileError(path, what="a file of cells")
    if not path.stat().st_size:
        raise FormatError("expected cells, got an empty file; is this the right file?", path=path)
    if layer is not None and suffix != ".h5ad":
        raise OptionError("layer", layer, f"None for a {suffix} file", do="only .h5ad files have layers")
    if genome is not None and suffix != ".h5":
        raise OptionError("genome", genome, f"None for a {suffix} file", do="only 10x .h5 files have genomes")
    if suffix == ".h5":
        return Cells.from_anndata(_read_10x(path, genome=genome), duplicates=duplicates)
    if suffix == ".h5ad":
        return Cells.from_anndata(_read_h5ad(path), layer=layer, duplicates=duplicates)
    return _read_text_cells(path, duplicates=duplicates)


def _read_10x(path: Path, *, genome: str | None) -> AnnData:
    try:
        import h5py  # comes with scanpy
        import scanpy
    except ImportError as error:
        raise MissingPackageError("scanpy", extra="omics", purpose="reading 10x HDF5 files") from error
    try:
        with h5py.File(path, "r") as file:
            genomes, is_anndata_file = _genomes(file), "obs" in file and "var" in file
    except (OSError, KeyError) as error:
        raise FormatError(f"expected a 10x HDF5 file, but it cannot be read ({error}); check it", path=path) from error
    if genomes is None:
        raise FormatError(
            "expected a 10x HDF5 file (group 'matrix', or one group a genome), got other groups; "
            + ("it is an AnnData file: name it .h5ad" if is_anndata_file else "export it from Cell Ranger again"),
            path=path,
        )
    if (genome is None and len(genomes) > 1) or (genome is not None and genome not in genomes):
        choice = " or ".join(map(repr, genomes)) or "None, since it names none"
        example = repr(genomes[0]) if genomes else "None"
        raise OptionError(
            "genome", genome, f"one of those in {path.name}, {choice}", do=f"pass genome={example} (--genome)"
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")  # merged by policy, or an error
        try:
            return scanpy.read_10x_h5(path, genome=genome)
        except Exception as error:  # scanpy raises bare Exception for a missing dataset
            raise FormatError(f"expected a 10x HDF5 file, but scanpy cannot read it ({error})", path=path) from error


def _genomes(file: Any) -> list[str] | None:
    """Names of the genomes in an open 10x file, sorted; None where it is no 10x file."""
    if "matrix" in file and hasattr(file["matrix"], "keys"):
        features = file["matrix"].get("features")
        if features is None or "genome" not in features:
            return []
        genome, kind = (features[name][:].astype(str) for name in ("genome", "feature_type"))
        return sorted(set(genome[kind == "Gene Expression"].tolist()))
    groups = [name for name, group in file.items() if hasattr(group, "keys") and "gene_names" in group]
    return sorted(groups) or None


def _read_h5ad(path: Path) -> AnnData:
    try:
        import anndata
    except ImportError as error:
        raise MissingPackageError("anndata", extra="omics", purpose="reading .h5ad files") from error
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*names are not unique")
        try:
            return anndata.read_h5ad(path)
        except Exception as error:  # anndata and h5py raise many kinds for a file of another format
            raise FormatError(f"expected an AnnData file, but it cannot be read ({error})", path=path) from error


def _read_text_cells(path: Path, *, duplicates: str) -> Cells:
    rows = read_rows(path, what="a table of cells")
    _, (_, *genes) = next(rows)
    barcodes: list[str] = []
    columns: list[npt.NDArray[np.int64]] = []
    data: list[FloatVector] = []
    for line, (barcode, *entries) in rows:
        values = _numbers(entries, genes=genes, barcode=barcode, path=path, line=line)
        barcodes.append(barcode)
        columns.append(np.flatnonzero(values))
        data.append(values[columns[-1]])
    if not barcodes:
        raise FormatError("expected at least one cell, got a header only; is this the right file?", path=path)
    indptr = np.cumsum([0, *map(len, columns)])
    matrix = sp.csr_array((np.concatenate(data), np.concatenate(columns), indptr), shape=(len(barcodes), len(genes)))
    return Cells.from_matrix(matrix, barcodes, genes, duplicates=duplicates)


def _numbers(entries: list[str], *, genes: list[str], barcode: str, path: Path, line: int) -> FloatVector:
    try:
        return np.array(entries, dtype=np.float64)
    except ValueError as error:
        for gene, entry in zip(genes, entries, strict=True):
            try:
                float(entry)
            except ValueError:
                raise FormatError(
                    f"expected a number in column {gene!r} of row {barcode!r}, got {entry!r}; write 0 for no "
                    "counts and keep annotations in another file",
                    path=path,
                    line=line,
                ) from error
        raise
