"""The files between the training benchmark and the programs that take part: network, cells and options in, answer out.

A program is called with a folder and `--way`, and finds there

    network.npz   nodes (names, sorted), sources, targets, interactions (an edge each), inputs, outputs (vertices; the
                  columns of the data are the inputs in this order), level (longest path to each vertex, in edges)
    cells.npz     x_train, y_train, x_test, y_test, float32; cells as rows, log-normalised, mostly zeros; a whole number
                  of batches to train on. offset, factor, limit: what scales each input to mean 0 and standard deviation
                  1 of the cells that train, clip((x - offset) * factor, -limit, limit)
    sparse.npz    x_train and x_test again, each as data, indices and indptr of compressed rows, for who prefers that
    options.json  batch_size, epochs, learning_rate, seed

and writes answer.json: `status` ("done", "failed" or "not installed") and, when done, `import_s`, `graph_s` (edges to
the library's own type of network), `build_s` (that to a model that is ready to train), `epochs_s` (seconds of each
epoch, compilation within the first), `predicts_s` (seconds to predict the test cells, compilation within the first),
`peak_mb`, `n_parameters` (trainable numbers), `prediction` (one number a test cell), `versions`, `message`, `details`.
A program in any language can take part. Loss and ROC-AUC are computed from the prediction, never believed.

Reading loads NumPy only, so that what a program imports beyond it is on its own clock.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

IntVector = npt.NDArray[np.int64]
FloatMatrix = npt.NDArray[np.float32]

DONE, FAILED, NOT_INSTALLED, TIME_OUT = "done", "failed", "not installed", "time out"
STATED = (DONE, FAILED, NOT_INSTALLED)
NETWORK, CELLS, SPARSE, OPTIONS, ANSWER = "network.npz", "cells.npz", "sparse.npz", "options.json", "answer.json"
CELL_PARTS = ("x_train", "x_test")
ROW_PARTS = ("data", "indices", "indptr")


@dataclass(frozen=True, eq=False)
class Network:
    """A network as arrays; attributes as in the files (see the module's words)."""

    nodes: tuple[str, ...]
    sources: IntVector
    targets: IntVector
    interactions: IntVector
    inputs: IntVector
    outputs: IntVector
    level: IntVector

    @property
    def n_edges(self) -> int:
        """Edges: each has a weight."""
        return len(self.sources)

    @property
    def n_units(self) -> int:
        """Vertices that are no inputs: each has a bias."""
        return len(self.nodes) - len(self.inputs)

    @property
    def n_parameters(self) -> int:
        """Numbers that a network with one weight an edge and one bias a unit trains."""
        return self.n_edges + self.n_units


@dataclass(frozen=True, eq=False)
class CellData:
    """Cells that train and cells that test, and how they are scaled; attributes as in the files."""

    x_train: FloatMatrix
    y_train: FloatMatrix
    x_test: FloatMatrix
    y_test: FloatMatrix
    offset: FloatMatrix
    factor: FloatMatrix
    limit: float

    def scaled(self, x: FloatMatrix) -> FloatMatrix:
        """Scaled cells, in float32."""
        return np.clip((x - self.offset) * self.factor, -self.limit, self.limit)


@dataclass(frozen=True)
class RunOptions:
    """How everyone trains, on scaled cells: Adam on binary cross-entropy, elu inside, no dropout, no penalty.

    Attributes:
        batch_size: Cells a step.
        epochs: Passes over the training cells, at least 2: the first compiles, the others are timed.
        learning_rate: Of Adam.
        seed: Of initial weights and batches.
    """

    batch_size: int = 64
    epochs: int = 6
    learning_rate: float = 0.003
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """What a program says; see the module's words. What is absent is None or empty."""

    status: str
    message: str = ""
    import_s: float | None = None
    graph_s: float | None = None
    build_s: float | None = None
    peak_mb: float | None = None
    n_parameters: int | None = None
    epochs_s: tuple[float, ...] = ()
    predicts_s: tuple[float, ...] = ()
    prediction: tuple[float, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


def write_network(path: Path, network: Network) -> None:
    """Write network.npz."""
    arrays = {name: getattr(network, name) for name in ("sources", "targets", "interactions", "inputs", "outputs")}
    np.savez(path, nodes=np.array(network.nodes, dtype=np.str_), level=network.level, **arrays)


def read_network(path: Path) -> Network:
    """Read network.npz."""
    with np.load(path, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    return Network(nodes=tuple(arrays.pop("nodes").tolist()), **arrays)


def write_cells(path: Path, cells: CellData) -> None:
    """Write cells.npz."""
    names = ("x_train", "y_train", "x_test", "y_test", "offset", "factor", "limit")
    np.savez(path, **{name: getattr(cells, name) for name in names})


def read_cells(path: Path) -> CellData:
    """Read cells.npz."""
    with np.load(path, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    return CellData(limit=float(arrays.pop("limit")), **arrays)


def write_sparse_cells(path: Path, cells: CellData) -> None:
    """Write sparse.npz."""
    import scipy.sparse as sp

    rows = {name: sp.csr_array(getattr(cells, name)) for name in CELL_PARTS}
    np.savez(path, **{f"{name}_{part}": getattr(rows[name], part) for name in CELL_PARTS for part in ROW_PARTS})


def read_sparse_cells(folder: Path) -> CellData:
    """Read cells.npz with the cells of sparse.npz in place of its own, which are never loaded."""
    import scipy.sparse as sp

    with np.load(folder / CELLS, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files if name not in CELL_PARTS}
    n_inputs = len(arrays["offset"])
    with np.load(folder / SPARSE, allow_pickle=False) as held:
        for name in CELL_PARTS:
            parts = tuple(held[f"{name}_{part}"] for part in ROW_PARTS)
            arrays[name] = sp.csr_array(parts, shape=(len(parts[2]) - 1, n_inputs))
    return CellData(limit=float(arrays.pop("limit")), **arrays)


def write_options(path: Path, options: RunOptions) -> None:
    """Write options.json."""
    path.write_text(json.dumps(asdict(options)), encoding="utf-8")


def read_options(path: Path) -> RunOptions:
    """Read options.json."""
    return RunOptions(**json.loads(path.read_text(encoding="utf-8")))


def write_answer(path: Path, said: Mapping[str, Any]) -> None:
    """Write answer.json; NumPy numbers and arrays become plain ones."""
    path.write_text(json.dumps(said, default=_plain), encoding="utf-8")


def read_answer(path: Path) -> Answer:
    """Read answer.json; a file that is no answer becomes one with the status "failed" that says why."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Answer(FAILED, f"the answer cannot be read: {error}")
    if not isinstance(said, dict) or said.get("status") not in STATED:
        return Answer(FAILED, f"expected a status among {', '.join(STATED)}, got {said!r:.80}")
    try:
        counted = said.get("n_parameters")
        return Answer(
            said["status"],
            message=str(said.get("message") or ""),
            import_s=_number(said.get("import_s")),
            graph_s=_number(said.get("graph_s")),
            build_s=_number(said.get("build_s")),
            peak_mb=_number(said.get("peak_mb")),
            n_parameters=None if counted is None else int(counted),
            epochs_s=_numbers(said.get("epochs_s")),
            predicts_s=_numbers(said.get("predicts_s")),
            prediction=_numbers(said.get("prediction")),
            versions={str(name): str(version) for name, version in (said.get("versions") or {}).items()},
            details=dict(said.get("details") or {}),
        )
    except (TypeError, ValueError, AttributeError) as error:
        return Answer(FAILED, f"the answer holds something that is no number: {error}")


def _number(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values or ())


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
