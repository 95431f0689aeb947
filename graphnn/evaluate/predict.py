"""`predict`: what a trained model says of new cells, by name of the column, batch by batch.

Sparse cells stay sparse. Where numba is installed its loops go over what is not zero (`engine.on_numba`), and nothing
is compiled for a model beyond these loops, once for a machine; else Keras predicts. Its batches have one size (the last
is padded), so one compiled program serves them, and it is kept with the model: read a bundle once and predict many
tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from graphnn.compiler.bundle import Bundle, read_bundle
from graphnn.compiler.features import Features, Preprocessing
from graphnn.compiler.lowering import probability
from graphnn.compiler.model import parts_of
from graphnn.data.cells import Cells, as_cells
from graphnn.errors import BatchMemoryError, DataError, MismatchError, OptionError, quoted
from graphnn.evaluate.engine.able import obstacle
from graphnn.evaluate.options import check_whole

FloatMatrix = npt.NDArray[np.float32]

MISSING = ("raise", "zero", "mean")
NORMALIZATIONS = ("auto", "log", "none")
BATCH_BYTES = 256 * 2**20  # what a batch may take, as far as that is known beforehand
LARGEST_BATCH = 65_536  # more cells at a time gain nothing
MANY_VALUES = 50_000_000  # of dense cells: with fewer, Keras takes longer to compile than the loops to go over them
TOTAL = 1e4  # of log-normalisation, where the bundle names none


@dataclass(frozen=True)
class Reading:
    """How a table of cells is read for a model.

    Attributes:
        features: Of the model.
        missing: Inputs without a column in the cells.
        fill: Value of these, before scaling, shape (n_missing,).
        log_total: Total to which each cell is scaled before log1p; None: values are used as they are.
        note: What is done to the values, in a sentence.
    """

    features: Features
    missing: tuple[str, ...]
    fill: npt.NDArray[np.float32]
    log_total: float | None
    note: str


def predict(
    bundle: Bundle | str | Path,
    cells: Any,
    *,
    missing: str = "raise",
    normalize: str = "auto",
    batch_size: int | None = None,
    layer: str | None = None,
) -> pd.DataFrame:
    """Predict cells with the model of a bundle: by name, normalised and scaled as the cells that trained it.

    Law: the batch size changes no number by more than the rounding of float32.

    Args:
        bundle: What `read_bundle` gave, or the path of the file.
        cells: Cells, DataFrame (index barcodes, columns genes) or AnnData. Further columns are ignored.
        missing: What becomes of inputs without a column: "raise"; "zero" (as if no transcript was seen); "mean" (the
            mean of the cells that trained, before scaling).
        normalize: "auto" log-normalises whole numbers if the cells that trained were log-normalised; "log" does so in
            any case, "none" in no case.
        batch_size: Cells at a time; None: as many as fit in about 256 MB.
        layer: Layer of an AnnData; None: its X.

    Returns:
        float32, index barcodes, one column an output: probabilities where the outputs are classes or yes-or-no
        questions, numbers for a regression.

    Raises:
        MismatchError: Inputs have no column, under "raise"; `expected` names them.
        DataError: No input has a column, a value is NaN or infinite, or values are not such as trained the model.
        OptionError: An option is out of its range, or the bundle knows no means.
        BatchMemoryError: A batch does not fit in memory.
        MissingFileError, FormatError: As `read_bundle`.
    """
    parts = predict_batches(bundle, cells, missing=missing, normalize=normalize, batch_size=batch_size, layer=layer)
    return pd.concat(list(parts))


def predict_batches(
    bundle: Bundle | str | Path,
    cells: Any,
    *,
    missing: str = "raise",
    normalize: str = "auto",
    batch_size: int | None = None,
    layer: str | None = None,
) -> Iterator[pd.DataFrame]:
    """`predict`, batch by batch: each frame holds the next cells. Arguments and errors are those of `predict`."""
    bundle = bundle if isinstance(bundle, Bundle) else read_bundle(bundle)
    if batch_size is not None:
        check_whole("batch_size", batch_size, least=1)
    table = _as_table(bundle, cells, layer)
    reading = read_as(bundle, table, missing=missing, normalize=normalize)
    size = batch_size or fitting_batch(bundle, table)
    size = min(size, 1 << (table.n_cells - 1).bit_length())  # a power of two: few programs for tables of many sizes
    return _batches(bundle, table, reading, size)


def read_as(bundle: Bundle, cells: Cells, *, missing: str = "raise", normalize: str = "auto") -> Reading:
    """Decide how a table is read for a model, and refuse one that cannot be; arguments and errors as `predict`."""
    if missing not in MISSING:
        raise OptionError("missing", missing, f"one of {', '.join(MISSING)}")
    known = bundle.preprocessing
    features = bundle.features or Features.unscaled(bundle.plan.inputs, suffix=known.suffix if known else "")
    absent = [place for place, column in enumerate(features.columns) if column not in cells.column]
    names = tuple(features.inputs[place] for place in absent)
    columns = [features.columns[place] for place in absent]
    if len(absent) == len(features.inputs):
        raise DataError(
            f"expected a column for at least one of {len(features.inputs):,} inputs ({quoted(columns)}), but the cells "
            f"have none of them (they have {quoted(cells.genes)}); check the kind of gene names",
            names=columns,
        )
    if absent and missing == "raise":
        raise MismatchError(
            f"expected a column for each of {len(features.inputs):,} inputs, but {quoted(columns)} are missing; add "
            "them, or fill them in with missing='zero' or 'mean' (--missing)",
            expected=tuple(columns),
        )
    fill = np.zeros(len(absent), dtype=np.float32) if missing == "zero" else features.mean[absent]
    if absent and not np.isfinite(fill).all():
        raise OptionError("missing", missing, "raise or zero", do="the bundle holds no means; save it by train()")
    log_total, note = _normalization(cells, known, normalize)
    return Reading(features, names, fill, log_total, note)


def fitting_batch(bundle: Bundle, cells: Cells) -> int:
    """How many cells a batch may have, so that it takes about `BATCH_BYTES`.

    Counted are the values of a batch before and after scaling, on both sides of the engine; the messages over the edges
    of the largest level; the activations; and the part of the table.
    """
    wirings = [layer.wiring for layer in parts_of(bundle.model)[1]]  # of units, where vertices have several
    level = max(wiring.n_edges for wiring in wirings)
    nodes = sum(wiring.n_nodes for wiring in wirings)
    stored = cells.matrix.nnz / cells.n_cells * 2 if cells.is_sparse else cells.n_genes * 3
    per_cell = 4 * (4 * len(bundle.plan.inputs) + 2 * level + 2 * nodes + stored)
    return int(min(max(BATCH_BYTES // per_cell, 1), LARGEST_BATCH))


def _as_table(bundle: Bundle, cells: Any, layer: str | None) -> Cells:
    duplicates = bundle.preprocessing.duplicates if bundle.preprocessing else "max"
    return as_cells(cells, layer=layer, duplicates=duplicates)


def _normalization(cells: Cells, known: Preprocessing | None, how: str) -> tuple[float | None, str]:
    """The total to which cells are scaled before log1p (None: not at all), and a sentence."""
    if how not in NORMALIZATIONS:
        raise OptionError("normalize", how, f"one of {', '.join(NORMALIZATIONS)}")
    done = cells.normalization
    wanted = known.log_total if known else None
    if how == "log" or (how == "auto" and wanted and not done and _holds_counts(cells)):
        total = wanted or TOTAL
        return total, f"Counts were scaled to {total:,.0f} a cell and log1p-transformed, cell by cell."
    if how == "auto" and done and wanted and done.total != wanted:
        raise DataError(
            f"expected cells scaled to {wanted:,.0f} counts, as those that trained the model, got cells scaled to "
            f"{done.total:,.0f}; give the counts, or call log_normalized(total={wanted:g})"
        )
    if how == "auto" and known and not wanted and not known.whole_numbers and not done and _holds_counts(cells):
        raise DataError(
            "expected values such as trained the model, which were no whole numbers, got whole numbers, as counts are; "
            "treat them as those that trained were treated, then say normalize='none' (--normalize none)"
        )
    if how == "auto" and known and known.whole_numbers and not wanted and (done or not _holds_counts(cells)):
        raise DataError(
            "expected whole numbers, such as trained the model, got values that were normalised or are fractions; "
            "treat them as those that trained were treated, then say normalize='none' (--normalize none)"
        )
    return None, "Values were used as they are."


def _holds_counts(cells: Cells) -> bool:
    """As `Cells.holds_counts`, part by part: no copy of the whole, and an early end where it does not."""
    return all(part.holds_counts() for part in _parts(cells, 4096))


def _parts(cells: Cells, size: int) -> Iterator[Cells]:
    """Consecutive rows as tables of their own."""
    for start in range(0, cells.n_cells, size):
        rows = slice(start, start + size)
        yield replace(
            cells,
            matrix=cells.matrix[rows],
            barcodes=cells.barcodes[rows],
            totals=None if cells.totals is None else cells.totals[rows],
        )


def _batches(bundle: Bundle, cells: Cells, reading: Reading, size: int) -> Iterator[pd.DataFrame]:
    to_probability = probability(bundle.model.loss)
    outputs = list(bundle.plan.outputs)
    forward = _forward(bundle, cells)
    for part in _parts(cells, size):
        try:
            if forward is not None:
                found = forward(**_stored(part, reading))
            else:
                x = _values(part, reading, size)
                found = np.asarray(bundle.model.predict_on_batch(x), dtype=np.float32)[: part.n_cells]
        except Exception as error:
            if _is_out_of_memory(error):
                raise BatchMemoryError(size, str(error).partition("\n")[0][:200] or type(error).__name__) from error
            raise
        index = pd.Index(list(part.barcodes), name="barcode", dtype=object)
        yield pd.DataFrame(to_probability(found), index=index, columns=outputs)


def _forward(bundle: Bundle, cells: Cells) -> Callable[..., FloatMatrix] | None:
    """What predicts without Keras, where it can and is quicker: cells that are mostly zeros, or few."""
    if obstacle(bundle.model):
        return None
    if not cells.is_sparse and cells.n_cells * len(bundle.plan.inputs) > MANY_VALUES:
        return None
    from graphnn.evaluate.engine.on_numba import NumbaForward

    return NumbaForward(bundle.model)


def _present(part: Cells, reading: Reading) -> tuple[Cells, npt.NDArray[np.bool_], list[str]]:
    """The cells, normalised; which inputs have a column, and which columns these are."""
    if reading.log_total is not None:
        part = part.log_normalized(total=reading.log_total)
    absent = set(reading.missing)
    is_there = np.array([name not in absent for name in reading.features.inputs])
    return part, is_there, [c for c, there in zip(reading.features.columns, is_there.tolist(), strict=True) if there]


def _stored(part: Cells, reading: Reading) -> dict[str, Any]:
    """The values of a batch that are not zero and their scaling, as `NumbaForward` takes them."""
    part, is_there, columns = _present(part, reading)
    features, given = reading.features, sp.csr_array(part.select_as_is(columns))
    given.sum_duplicates()
    places = np.flatnonzero(is_there).astype(given.indices.dtype)
    rows = sp.csr_array((given.data, places[given.indices], given.indptr), shape=(part.n_cells, len(is_there)))
    nothing = np.zeros(len(is_there), dtype=np.float32)
    nothing[~is_there] = reading.fill
    zero = features.transform(nothing[None])[0]
    return {"rows": rows, "offset": features.offset, "factor": features.factor, "limit": features.limit, "zero": zero}


def _values(part: Cells, reading: Reading, size: int) -> FloatMatrix:
    """Scaled values of a batch, shape (size, n_inputs); rows beyond the cells are zero."""
    part, is_there, columns = _present(part, reading)
    features, values = reading.features, part.select(columns)
    if not is_there.all():
        whole = np.empty((part.n_cells, len(features.inputs)), dtype=np.float32)
        whole[:, is_there], whole[:, ~is_there] = values, reading.fill
        values = whole
    scaled = features.transform(values)
    return scaled if len(scaled) == size else np.pad(scaled, ((0, size - len(scaled)), (0, 0)))


def _is_out_of_memory(error: Exception) -> bool:
    """Whether that is why NumPy, JAX, TensorFlow or PyTorch gave up; their own classes need not be there."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError", "ResourceExhaustedError"}) or "RESOURCE_EXHAUSTED" in str(
        error
    )
