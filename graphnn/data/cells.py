"""`Cells`: a cells x genes matrix whose columns are taken by name, and its readers (10x HDF5, h5ad, CSV, TSV).

Sparse matrices stay sparse until columns are selected. May import `graphnn.errors` and `graphnn.graph`; anndata,
scanpy and h5py are imported where a file needs them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from graphnn.errors import DataError, FormatError, OptionError, quoted

if TYPE_CHECKING:
    from anndata import AnnData

Matrix = Any  # numpy array of two dimensions, or scipy.sparse.csr_array
FloatVector = npt.NDArray[np.float64]
FloatMatrix = npt.NDArray[np.float32]

POLICIES = ("max", "sum", "first", "raise")


@dataclass(frozen=True)
class Merged:
    """Gene symbols that stood on several columns, and how these became one.

    Attributes:
        policy: "max" (elementwise), "sum", "first" (the others are left out) or "raise" (nothing was merged).
        genes: The symbols, in the order of their first column.
        n_columns: Columns that went with the merging.
    """

    policy: str = "raise"
    genes: tuple[str, ...] = ()
    n_columns: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Counts and names, as JSON types."""
        return {"policy": self.policy, "genes": list(self.genes), "n_columns": self.n_columns}


@dataclass(frozen=True)
class Normalization:
    """What `log_normalized` did.

    Attributes:
        total: Sum to which each cell was scaled before log1p.
        empty: Barcodes of cells without any count; they stay zero.
    """

    total: float
    empty: tuple[str, ...] = ()

    @property
    def n_empty(self) -> int:
        """Number of cells without any count."""
        return len(self.empty)

    def to_dict(self) -> dict[str, Any]:
        """Counts and names, as JSON types."""
        return {"total": self.total, "n_empty": self.n_empty, "empty": list(self.empty)}


@dataclass(frozen=True, eq=False)
class Cells:
    """Values of genes in cells; a column is known by its name, never by its position.

    Make one with `read_cells`, `from_frame`, `from_anndata` or `from_matrix`, which also merge duplicate gene
    symbols; the constructor takes unique ones only. Arrays are read-only; the caller's own stay as they were.

    Attributes:
        matrix: numpy array or scipy CSR array, shape (n_cells, n_genes), real numbers.
        barcodes: Name of each row, unique.
        genes: Name of each column, unique.
        merged: Duplicate gene symbols that were merged, and the policy.
        totals: Sum of each cell over the columns as they came, before duplicates were merged, shape (n_cells,).
            None: no column was merged, so the row sums of `matrix` are the totals.
        normalization: What `log_normalized` did; None: the values are as they came.
    """

    matrix: Matrix
    barcodes: tuple[str, ...]
    genes: tuple[str, ...]
    merged: Merged = field(default_factory=Merged)
    totals: FloatVector | None = None
    normalization: Normalization | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix", _read_only(self.matrix))
        object.__setattr__(self, "barcodes", tuple(self.barcodes))
        object.__setattr__(self, "genes", tuple(self.genes))
        if self.matrix.shape != (len(self.barcodes), len(self.genes)):
            raise DataError(
                f"expected a matrix of {len(self.barcodes):,} cells x {len(self.genes):,} genes as named, got shape "
                f"{self.matrix.shape}; give one barcode a row and one gene a column"
            )
        if not self.barcodes or not self.genes:
            raise DataError(
                f"expected at least one cell and one gene, got {len(self.barcodes):,} cells x {len(self.genes):,} "
                "genes; check the filters before this step"
            )
        _check_unique(
            _check_names(self.barcodes, what="barcode"), what="barcode", do="make them unique, e.g. by sample"
        )
        _check_unique(
            _check_names(self.genes, what="gene"), what="gene", do="merge them with Cells.from_matrix(duplicates='max')"
        )

    # -- making one ------------------------------------------------------------------------------------------

    @classmethod
    def from_matrix(
        cls, matrix: Matrix, barcodes: Sequence[str], genes: Sequence[str], *, duplicates: str = "max"
    ) -> Cells:
        """Build from a matrix and its names, merging columns of the same gene symbol.

        Args:
            matrix: numpy array or scipy sparse matrix, shape (n_cells, n_genes), real numbers.
            barcodes: Name of each row.
            genes: Name of each column; a symbol may occur several times.
            duplicates: What becomes of such a symbol: "max" (elementwise maximum), "sum", "first" or "raise".

        Raises:
            DataError: Names do not fit the shape, a barcode occurs twice, a name is empty or no string, values are not
                real numbers, or a gene symbol occurs twice under "raise".
            OptionError: `duplicates` is none of the policies.

        Example:
            >>> cells = Cells.from_matrix(np.array([[1, 0, 3]]), ["c1"], ["A", "B", "A"])
            >>> cells.genes, cells.matrix.tolist(), cells.merged.genes
            (('A', 'B'), [[3, 0]], ('A',))
        """
        if duplicates not in POLICIES:
            raise OptionError("duplicates", duplicates, f"one of {', '.join(map(repr, POLICIES))}")
        values, names = _read_only(matrix), _check_names(genes, what="gene")
        groups: dict[str, list[int]] = {}
        for position, name in enumerate(names):
            groups.setdefault(name, []).append(position)
        repeated = tuple(name for name, columns in groups.items() if len(columns) > 1)
        if not repeated or values.shape != (len(barcodes), len(names)):  # the constructor words the wrong shape
            return cls(values, tuple(barcodes), names, Merged(policy=duplicates))
        if duplicates == "raise":
            raise DataError(
                f"expected unique gene symbols, but {quoted(repeated)} occur several times; rename them or choose "
                "duplicates='max', 'sum' or 'first'",
                names=repeated,
            )
        return cls(
            _merge(values, list(groups.values()), policy=duplicates),
            tuple(barcodes),
            tuple(groups),
            Merged(policy=duplicates, genes=repeated, n_columns=len(names) - len(groups)),
            totals=_row_sums(values),
        )

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, duplicates: str = "max") -> Cells:
        """Build from a DataFrame: index barcodes (integers become text), columns genes; see `from_matrix`.

        Raises:
            DataError: As for `from_matrix`, or a column is not numeric; `names` lists these columns.
        """
        odd = [name for name, kind in zip(frame.columns, frame.dtypes, strict=True) if not _is_real(kind)]
        if odd:
            raise DataError(
                f"expected numeric columns, but {quoted(odd)} hold other values; drop them or make them numbers "
                "(the barcodes belong in the index)",
                names=[str(name) for name in odd],
            )
        matrix = _values_of(frame)
        return cls.from_matrix(matrix, barcode_names(frame.index), list(frame.columns), duplicates=duplicates)

    @classmethod
    def from_anndata(cls, adata: AnnData, *, layer: str | None = None, duplicates: str = "max") -> Cells:
        """Build from `adata.X` or a layer; barcodes are `obs_names`, genes `var_names`; see `from_matrix`.

        Raises:
            DataError: As for `from_matrix`, or there is no such layer, or X is empty.
        """
        if adata.isbacked:
            adata = adata.to_memory()
        if layer is not None and layer not in adata.layers:
            raise DataError(
                f"expected a layer {layer!r}, got {quoted(list(adata.layers)) or 'no layers'}; name one of these or "
                "leave layer out to use X"
            )
        matrix = adata.X if layer is None else adata.layers[layer]
        if matrix is None:
            raise DataError(f"expected values in X, got none; choose a layer ({quoted(list(adata.layers)) or 'none'})")
        return cls.from_matrix(matrix, barcode_names(adata.obs_names), list(adata.var_names), duplicates=duplicates)

    # -- what it is ------------------------------------------------------------------------------------------

    @property
    def n_cells(self) -> int:
        """Number of cells (rows)."""
        return len(self.barcodes)

    @property
    def n_genes(self) -> int:
        """Number of genes (columns), after merging."""
        return len(self.genes)

    @property
    def is_sparse(self) -> bool:
        """Whether `matrix` is sparse."""
        return bool(sp.issparse(self.matrix))

    @cached_property
    def column(self) -> dict[str, int]:
        """Column of each gene."""
        return {name: index for index, name in enumerate(self.genes)}

    def __repr__(self) -> str:
        kind = "sparse" if self.is_sparse else "dense"
        return f"Cells({self.n_cells:,} cells x {self.n_genes:,} genes, {kind})"

    def holds_counts(self) -> bool:
        """Whether every value is a whole number of at least 0, as counts are and log-normalised values are not."""
        return self._first(lambda values: ~(np.isfinite(values) & (values >= 0) & (np.floor(values) == values))) is None

    def columns_of(self, inputs: Iterable[str], *, suffix: str = "") -> dict[str, str]:
        """The gene column of each input of a network; inputs without a column are left out.

        Args:
            inputs: Names of measured vertices.
            suffix: What marks a measured vertex in the network, e.g. "_gene": the input "STAT1_gene" is then the
                column "STAT1", whatever other columns there are. An input without the suffix is the column of its own
                name, and so is every input where the suffix is empty.

        Returns:
            Input name to gene name, in the order of `inputs`.

        Raises:
            FormatError: A bare string was given where a list of names is meant.

        Example:
            >>> cells = Cells(np.ones((1, 2)), ("c1",), ("STAT1", "dose"))
            >>> cells.columns_of(["STAT1_gene", "dose", "absent_gene"], suffix="_gene")
            {'STAT1_gene': 'STAT1', 'dose': 'dose'}
        """
        wanted = _names_in_order(inputs, role="inputs")
        pairs = ((name, name.removesuffix(suffix)) for name in wanted)  # removesuffix("") removes nothing
        return {name: gene for name, gene in pairs if gene in self.column}

    # -- taking parts of it ----------------------------------------------------------------------------------

    def select(self, columns: Sequence[str]) -> FloatMatrix:
        """The values of the named columns as a dense array; see `select_as_is`.

        Returns:
            New array of shape (n_cells, n_columns), float32, columns in the order named.
        """
        chosen = self.select_as_is(columns)
        return chosen if isinstance(chosen, np.ndarray) else chosen.toarray()

    def select_as_is(self, columns: Sequence[str]) -> FloatMatrix | sp.csr_array:
        """The values of the named columns; sparse where the matrix is.

        Args:
            columns: Gene names; one may be named twice.

        Returns:
            New array of shape (n_cells, n_columns), float32, columns in the order named; a CSR array has its indices
            sorted.

        Raises:
            DataError: A name is no column, or a selected value is NaN or infinite; `names` lists the columns.
        """
        wanted = _names_in_order(columns, role="columns", unique=False)
        absent = tuple(dict.fromkeys(name for name in wanted if name not in self.column))
        if absent:
            rows = set(self.barcodes)
            turned = all(name in rows for name in absent)
            raise DataError(
                f"expected {len(wanted):,} named columns, but {quoted(absent)} {'is' if len(absent) == 1 else 'are'} "
                f"not among the {self.n_genes:,} genes; "
                + ("the names are rows: transpose the table" if turned else "use columns_of() to find what there is"),
                names=absent,
            )
        index = np.array([self.column[name] for name in wanted], dtype=np.int64)
        with np.errstate(over="ignore"):  # beyond float32 is infinite, which is refused below
            chosen = self.matrix[:, index].astype(np.float32)
        if self.is_sparse:
            chosen = sp.csr_array(chosen)
            chosen.sort_indices()
        bad = ~np.isfinite(chosen.data if self.is_sparse else chosen)
        if bad.any():
            self._refuse(wanted, bad if not self.is_sparse else _where(chosen, bad))
        return chosen if self.is_sparse else np.ascontiguousarray(chosen)

    def subset(self, barcodes: Sequence[str]) -> Cells:
        """The named cells, in the order named.

        Raises:
            DataError: A barcode is unknown or named twice, or none is named.
        """
        wanted = _names_in_order(barcodes, role="barcodes", unique=False)
        row = {name: index for index, name in enumerate(self.barcodes)}
        absent = tuple(name for name in wanted if name not in row)
        if absent:
            raise DataError(
                f"expected barcodes of these {self.n_cells:,} cells, but {quoted(absent)} are not among them (here: "
                f"{quoted(self.barcodes, limit=2)}); check sample prefixes and suffixes such as '-1'",
                names=absent,
            )
        index = np.array([row[name] for name in wanted], dtype=np.int64)
        kept, done = set(wanted), self.normalization
        return replace(
            self,
            matrix=self.matrix[index],
            barcodes=wanted,
            totals=None if self.totals is None else self.totals[index],
            normalization=done and replace(done, empty=tuple(name for name in done.empty if name in kept)),
        )

    # -- scaling ---------------------------------------------------------------------------------------------

    def log_normalized(self, *, total: float = 1e4) -> Cells:
        """Counts scaled to the same total in each cell, then log(1 + x), as `normalize_total` and `log1p` of scanpy.

        The total of a cell runs over all genes of the file, before duplicates were merged and before any selection.
        A cell is scaled by its own counts only, so nothing passes between cells and none leaks between folds. Cells
        without counts stay zero and are listed in `normalization.empty`. Under the policy "max" it is the same
        whether columns are merged before or after, since both steps keep the order of values within a cell.

        Args:
            total: Sum of each cell after scaling, > 0.

        Returns:
            New cells with float32 values; a sparse matrix stays sparse.

        Raises:
            OptionError: `total` is not a positive number.
            DataError: A value is negative, NaN or infinite, or the cells are log-normalised already.

        Example:
            >>> Cells(np.array([[1, 3], [0, 0]]), ("c1", "c2"), ("A", "B")).log_normalized(total=4).matrix.round(3)
            array([[0.693, 1.386],
                   [0.   , 0.   ]], dtype=float32)
        """
        if not (np.isfinite(total) and total > 0):
            raise OptionError("total", total, "a positive number", do="10000 is usual")
        if self.normalization is not None:
            raise DataError("expected counts, got cells that are log-normalised already; normalise once")
        found = self._first(lambda values: ~((values >= 0) & np.isfinite(values)))
        if found is not None:
            cell, gene = found
            raise DataError(
                f"expected counts (finite, >= 0), got another value in column {gene!r} of cell {cell!r}; normalise "
                "raw counts, not scaled or centred values",
                names=(gene,),
            )
        sums = _row_sums(self.matrix) if self.totals is None else self.totals
        scale = np.divide(total, sums, out=np.zeros_like(sums), where=sums > 0)
        if self.is_sparse:
            data = np.log1p(self.matrix.data * np.repeat(scale, np.diff(self.matrix.indptr))).astype(np.float32)
            values = sp.csr_array((data, self.matrix.indices, self.matrix.indptr), shape=self.matrix.shape)
        else:
            values = (self.matrix * scale[:, np.newaxis]).astype(np.float32)
            np.log1p(values, out=values)
        empty = tuple(self.barcodes[index] for index in np.flatnonzero(sums == 0).tolist())
        return replace(self, matrix=values, normalization=Normalization(total=float(total), empty=empty))

    def _refuse(self, wanted: Sequence[str], bad: npt.NDArray[np.bool_]) -> None:
        row, at = (int(found[0]) for found in np.nonzero(bad))
        names = tuple(dict.fromkeys(wanted[index] for index in np.flatnonzero(bad.any(axis=0)).tolist()))
        cells = [self.barcodes[index] for index in np.flatnonzero(bad.any(axis=1)).tolist()]
        raise DataError(
            f"expected finite values, got {int(bad.sum()):,} NaN or infinite ones in columns {quoted(names)} of "
            f"cells {quoted(cells)} (first: {wanted[at]!r} of {self.barcodes[row]!r}); impute them or drop the "
            "columns or cells",
            names=names,
        )

    def _first(self, bad: Callable[[npt.NDArray[Any]], npt.NDArray[np.bool_]]) -> tuple[str, str] | None:
        """(cell, gene) of the first stored value that is bad, or None; implicit zeros are taken to be good."""
        mask = bad(self.matrix.data if self.is_sparse else self.matrix)
        if not mask.any():
            return None
        at = int(np.argmax(mask))
        if not self.is_sparse:
            row, column = divmod(at, self.n_genes)
        else:
            row = int(np.searchsorted(self.matrix.indptr, at, side="right")) - 1
            column = int(self.matrix.indices[at])
        return self.barcodes[row], self.genes[column]


def as_cells(X: Cells | pd.DataFrame | AnnData, *, layer: str | None = None, duplicates: str = "max") -> Cells:
    """Cells from whatever holds them; `Cells` come back as they are.

    Args:
        X: Cells, DataFrame (index barcodes, columns genes) or AnnData.
        layer: Layer of an AnnData; None: its X.
        duplicates: See `Cells.from_matrix`.

    Raises:
        DataError: X is something else, such as an array without names, or cannot be used; see `Cells.from_matrix`.
        OptionError: A layer is named, but X is no AnnData.
    """
    if is_anndata(X):
        return Cells.from_anndata(X, layer=layer, duplicates=duplicates)
    if layer is not None:
        raise OptionError("layer", layer, "None for cells that are not AnnData", do="leave it out")
    if isinstance(X, Cells):
        return X
    if isinstance(X, pd.DataFrame):
        return Cells.from_frame(X, duplicates=duplicates)
    raise DataError(
        f"expected cells as Cells, DataFrame or AnnData, got {type(X).__name__}; name the columns, e.g. "
        "pandas.DataFrame(array, index=barcodes, columns=genes)"
    )


def is_anndata(value: object) -> bool:
    """Whether this is an AnnData; told by the name of its class, so that anndata need not be installed."""
    return any(kind.__name__ == "AnnData" and kind.__module__.split(".")[0] == "anndata" for kind in type(value).mro())


# -- names and matrices ------------------------------------------------------------------------------------------


def barcode_names(index: Iterable[object]) -> tuple[str, ...]:
    """Barcodes of an index: text as it is, integers as text.

    Raises:
        DataError: A barcode is neither.
    """
    names = (str(name) if isinstance(name, int | np.integer) else name for name in index)
    return _check_names(tuple(names), what="barcode")


def _names_in_order(names: Iterable[str], *, role: str, unique: bool = True) -> tuple[str, ...]:
    if isinstance(names, str):
        raise FormatError(f"expected {role} to be a list of names, got the single string {names!r}; write [{names!r}]")
    return tuple(dict.fromkeys(names)) if unique else tuple(names)


def _check_names(names: Sequence[Any], *, what: str) -> tuple[str, ...]:
    for position, name in enumerate(names):
        if not isinstance(name, str) or not name.strip():
            raise DataError(
                f"expected every {what} to be a non-empty string, got {name!r} at position {position:,} (from 0); "
                "name it",
                names=(str(name),),
            )
    return tuple(map(str, names))


def _check_unique(names: tuple[str, ...], *, what: str, do: str) -> None:
    twice = tuple(name for name, copies in Counter(names).items() if copies > 1)
    if twice:
        raise DataError(f"expected each {what} once, but {quoted(twice)} occur several times; {do}", names=twice)


def _values_of(frame: Any) -> Matrix:
    """The values of numeric columns: sparse if all columns are, float64 with NaN where dtypes differ or may be NA."""
    kinds = frame.dtypes.unique()
    if len(kinds) and all(isinstance(kind, pd.SparseDtype) and kind.fill_value == 0 for kind in kinds):
        return frame.sparse.to_coo()
    if len(kinds) > 1 or any(pd.api.types.is_extension_array_dtype(kind) for kind in kinds):
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return frame.to_numpy()


def _is_real(kind: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(kind)) and not pd.api.types.is_complex_dtype(kind)


def _read_only(matrix: Matrix) -> Matrix:
    """A read-only view as numpy array or canonical CSR array; copied only where the form must change."""
    sparse = sp.issparse(matrix)
    values: Any = sp.csr_array(matrix) if sparse else np.asarray(matrix)
    if values.ndim != 2 or values.dtype.kind not in "buif":
        raise DataError(
            f"expected a matrix of real numbers, cells x genes, got {values.ndim} dimensions of {values.dtype}; give "
            "numbers only"
        )
    if values.dtype.kind == "b" or values.dtype == np.float16:  # neither adds up as a number should
        values = values.astype(np.float32)
    if not sparse:
        values = values.view()
        values.setflags(write=False)
        return values
    if not values.has_canonical_format:
        values = values.copy()
        values.sum_duplicates()
    parts = [part.view() for part in (values.data, values.indices, values.indptr)]
    for part in parts:
        part.setflags(write=False)
    frozen = sp.csr_array(tuple(parts), shape=values.shape)
    frozen.has_canonical_format = True
    return frozen


def _where(matrix: sp.csr_array, marked: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Marks on the stored values of a sparse matrix as a dense matrix of marks."""
    return sp.csr_array((marked, matrix.indices, matrix.indptr), shape=matrix.shape).toarray()


def _row_sums(matrix: Matrix) -> FloatVector:
    return np.asarray(matrix.sum(axis=1, dtype=np.float64), dtype=np.float64).ravel()


def _merge(matrix: Matrix, groups: list[list[int]], *, policy: str) -> Matrix:
    """One column for each group of columns, in the order of the groups."""
    first = np.array([columns[0] for columns in groups], dtype=np.int64)
    if policy == "first":
        return matrix[:, first]
    several = [index for index, columns in enumerate(groups) if len(columns) > 1]
    wide = [groups[index] for index in several]
    if policy == "sum":
        flat = np.array([column for columns in wide for column in columns], dtype=np.int64)
        member = np.repeat(np.arange(len(wide)), [len(columns) for columns in wide])
        ones = np.ones(len(flat), dtype=matrix.dtype if matrix.dtype.kind == "f" else np.int64)
        merged = matrix[:, flat] @ sp.csr_array((ones, (np.arange(len(flat)), member)), shape=(len(flat), len(wide)))
    else:
        # The k-th columns of all groups at once; a group with fewer repeats its last, which changes no maximum. So no
        # column is ever compared with an implicit zero that it does not have.
        merged = None
        for k in range(max(map(len, wide))):
            kth = matrix[:, np.array([columns[min(k, len(columns) - 1)] for columns in wide], dtype=np.int64)]
            merged = kth if merged is None else merged.maximum(kth) if sp.issparse(kth) else np.maximum(merged, kth)
    single = np.setdiff1d(np.arange(len(groups)), several)
    order = np.argsort(np.concatenate([single, np.array(several, dtype=np.int64)]), kind="stable")
    stack = sp.hstack if sp.issparse(matrix) else np.hstack
    return (sp.csr_array if sp.issparse(matrix) else np.asarray)(stack([matrix[:, first[single]], merged]))[:, order]
