"""Tools for AnnData, called as those of scanpy: `compare` works on an AnnData and leaves what it found in it.

May import everything below the command line. What is written can be saved with `write_h5ad` and read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.data.cells import Cells, barcode_names, is_anndata
from graphnn.data.labels import labels_from_anndata
from graphnn.errors import DataError, OptionError, did_you_mean, quoted
from graphnn.evaluate.compare import Comparison
from graphnn.evaluate.compare import compare as compare_networks
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.prior import PriorGraph, as_names

if TYPE_CHECKING:
    from anndata import AnnData

NETWORKS = ("full", "compressed")


@overload
def compare(
    adata: AnnData,
    full: Dag | None = ...,
    compressed: Dag | None = ...,
    *,
    label: Any,
    copy: Literal[False] = ...,
    **others: Any,
) -> Comparison:
    """Results are written to `adata`."""


@overload
def compare(
    adata: AnnData,
    full: Dag | None = ...,
    compressed: Dag | None = ...,
    *,
    label: Any,
    copy: Literal[True],
    **others: Any,
) -> tuple[AnnData, Comparison]:
    """Results are written to a copy."""


def compare(
    adata: AnnData,
    full: Dag | None = None,
    compressed: Dag | None = None,
    *,
    label: Any,
    graph: PriorGraph | None = None,
    inputs: Iterable[str] | None = None,
    outputs: Iterable[str] | None = None,
    extraction: Mapping[str, Any] | None = None,
    input_suffix: str = "",
    layer: str | None = None,
    groups: Any = None,
    key_added: str = "graphnn",
    overwrite: bool = False,
    copy: bool = False,
    **options: Any,
) -> Comparison | tuple[AnnData, Comparison]:
    """Compare two networks on the cells of an AnnData, and keep in it what came out for each cell.

    Give both networks, or the prior network, from which both are made: pruned to paths from measured vertices to the
    outputs, then the union of all shortest paths (full) and the fewest edges (compressed).

    Everything is computed before anything is written, so where it fails `adata` is as it was. Values of cells are
    out-of-fold: for each cell the mean over repeats of what the fit says that neither trained on it nor (under the
    "nested" protocol) was stopped by it. Cells without a label have NaN. Each fit starts from weights of its own, so a
    vertex may have another scale, or the opposite sign, in another fold: compare activities of cells within a fold, or
    look at the vertex's importance instead.

    Args:
        adata: The cells, normalised.
        full: The network before compression.
        compressed: The network after.
        label: Name of a column of `obs` (of several, with several outputs), or labels as in `graphnn.compare`.
        graph: Prior network, in place of both networks.
        inputs: Measured vertices of `graph`; those without a column are left out, and a note says so. None: those that
            end in `input_suffix`, which there must be then.
        outputs: Predicted vertices of `graph`; needed with it.
        extraction: Options of `graphnn.extract_dag` for the compressed network, e.g. {"time_limit_s": 60}.
        input_suffix: What inputs have behind the gene's name, e.g. "_gene".
        layer: Layer with the values; None: X.
        groups: As in `graphnn.compare`: name of an `obs` column, or a Series.
        key_added: Name under which results are kept.
        overwrite: Replace results that are there under this name.
        copy: Leave `adata` alone and write to a copy.
        **options: Of `graphnn.compare`: folds, seeds, seed, protocol, training, network, workers, ...

    Returns:
        The comparison; with `copy` the copy and the comparison. Ctrl-C ends the training as in `graphnn.compare`; cells
        that no split has reported by then have NaN. With `key_added="graphnn"` the AnnData has, for each of
        the networks "full" and "compressed":

        - `obs["graphnn_full"]`: the prediction; with several outputs one column each, "graphnn_full_" and the output;
        - `obsm["graphnn_full"]`: the activity of every hidden vertex, a DataFrame of barcodes x vertices;

        and `var["graphnn_input"]`: whether the column feeds an input; `uns["graphnn"]`: the tables "summary", "scores",
        "importance", "stability" and "compression" of the comparison, "nodes" (network, node, and its column of
        `obsm`: "/" in a name is "|" there, since files of AnnData cannot hold it), and "networks" (as text for
        `Dag.from_json`), "notes" and "params".

    Raises:
        OptionError: Arguments contradict each other, or an option is out of its range.
        DataError: Results are there under this name, or cells, labels or groups cannot be used.
        MismatchError, NoNetworkError, UnknownNodeError: As `graphnn.compare`, `PriorGraph.prune` and `extract_dag`.
    """
    if not is_anndata(adata):
        raise DataError(f"expected AnnData, got {type(adata).__name__}; use graphnn.compare for tables of other kinds")
    _check_name(key_added)
    names = _label_names(adata, label)
    outputs = outputs if outputs is None else as_names(outputs, role="outputs")
    if not overwrite:
        _refuse_results(adata, key_added, outputs=getattr(full, "outputs", outputs))
    notes: tuple[str, ...] = ()
    if graph is None:
        full, compressed = _two_networks(full, compressed, inputs=inputs, outputs=outputs, extraction=extraction)
    else:
        if full is not None or compressed is not None:
            raise OptionError("graph", "given with networks", "absent where networks are given", do="give one of both")
        inputs = inputs if inputs is None else as_names(inputs, role="inputs")
        asked = _Question(graph, inputs, outputs, input_suffix, layer, dict(extraction or {}))
        pruned, full, compressed, notes = asked.networks(adata, seed=options.get("seed", 0))
        options = {"prior": pruned, **options}
    y = label
    if names is not None:
        y = names[0] if len(names) == 1 else labels_from_anndata(adata, names, outputs=full.outputs)
    comparison = compare_networks(
        full, compressed, adata, y, input_suffix=input_suffix, layer=layer, groups=groups, **options
    )
    comparison = replace(comparison, notes=(*notes, *comparison.notes))
    params = {"label": names or None, "layer": layer, "groups": groups, "input_suffix": input_suffix}
    results = _results(adata, comparison, key_added, params)
    target = adata.copy() if copy else adata
    results.write(target, key_added)
    return (target, comparison) if copy else comparison


# -- both networks ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Question:
    """Both networks, asked of a prior network; attributes as the arguments of `compare`."""

    graph: PriorGraph
    inputs: Iterable[str] | None
    outputs: tuple[str, ...] | None
    suffix: str
    layer: str | None
    extraction: Mapping[str, Any]

    def networks(self, adata: AnnData, *, seed: int) -> tuple[PriorGraph, Dag, Dag, tuple[str, ...]]:
        """The pruned prior network, both networks of what is measured, and a note on inputs that are not."""
        if not isinstance(self.graph, PriorGraph):
            raise OptionError("graph", type(self.graph).__name__, "a PriorGraph", do="read it with graphnn.read_sif")
        if self.outputs is None:
            raise OptionError("outputs", None, "names of vertices of the prior network", do="write outputs=['TCR']")
        outputs, wanted = self.outputs, self._wanted(set(self.outputs))
        measured = self._measured(Cells.from_anndata(adata, layer=self.layer), wanted)
        pruned = self.graph.prune(measured, outputs)
        options = {"objective": "min_edges", "seed": seed, **self.extraction}
        full = extract_dag(pruned, measured, outputs, objective="shortest_paths", seed=seed)
        compressed = extract_dag(pruned, measured, outputs, **options)
        if compressed.proof.details.get("interrupted"):
            raise KeyboardInterrupt  # half a search is no basis for a comparison
        lost = sorted({*wanted} - {*measured})
        notes = (f"{len(lost):,} inputs of the network have no column in the cells: {quoted(lost)}.",) if lost else ()
        return pruned, full, compressed, notes

    def _wanted(self, outputs: set[str]) -> tuple[str, ...]:
        if self.inputs is not None:
            return tuple(self.inputs)
        if not self.suffix:
            do = "name them, or give input_suffix if inputs have an ending of their own"
            raise OptionError("inputs", None, "names of measured vertices where they have no suffix", do=do)
        return tuple(name for name in self.graph.nodes if name.endswith(self.suffix) and name not in outputs)

    def _measured(self, cells: Cells, wanted: tuple[str, ...]) -> list[str]:
        found = list(cells.columns_of(wanted, suffix=self.suffix))
        if not found:
            raise DataError(
                f"expected a column for at least one of {len(wanted):,} inputs ({quoted(wanted)}), but the cells have "
                f"none of them (they have {quoted(cells.genes)}); check input_suffix and the kind of gene names",
                names=wanted,
            )
        return found


def _two_networks(full: Dag | None, compressed: Dag | None, **of_graph: Any) -> tuple[Dag, Dag]:
    if full is None or compressed is None:
        raise OptionError(
            "networks", None, "both networks, or a prior network", do="give full and compressed, or graph"
        )
    for name, network in (("full", full), ("compressed", compressed)):
        if not isinstance(network, Dag):
            raise OptionError(name, type(network).__name__, "a Dag", do="give a prior network as graph")
    for name, value in of_graph.items():
        if value is not None:
            raise OptionError(name, "given", "absent where networks are given", do="it belongs to graph")
    return full, compressed


# -- what is written ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Results:
    """All that is written, computed and checked."""

    obs: Mapping[str, npt.NDArray[np.float64]]
    obsm: Mapping[str, pd.DataFrame]
    var: Mapping[str, npt.NDArray[np.bool_]]
    uns: Mapping[str, Any]

    def write(self, adata: AnnData, key: str) -> None:
        """Put everything in its place; what an earlier call left under the name goes."""
        for name in _stale(adata, key):
            del adata.obs[name]
        for network in NETWORKS:
            adata.obsm.pop(f"{key}_{network}", None)
        for name, values in self.obs.items():
            adata.obs[name] = values
        for name, frame in self.obsm.items():
            adata.obsm[name] = frame
        for name, marks in self.var.items():
            adata.var[name] = marks
        adata.uns[key] = dict(self.uns)


def _results(adata: AnnData, comparison: Comparison, key: str, params: Mapping[str, Any]) -> _Results:
    row = {name: position for position, name in enumerate(barcode_names(adata.obs_names))}
    rows = np.array([row[name] for name in comparison.cells.barcodes], dtype=np.int64)
    obs, obsm, nodes = {}, {}, []
    for network in NETWORKS:
        predicted = _predictions(comparison, network)
        columns = _storable([str(output) for output in predicted.columns])
        for output in predicted.columns:
            name = f"{key}_{network}" + (f"_{columns[output]}" if len(columns) > 1 else "")
            obs[name] = np.full(adata.n_obs, np.nan)
            obs[name][rows] = predicted[output].to_numpy()
        active = comparison.activities(network).reindex(list(comparison.cells.barcodes))
        columns = _storable(list(active.columns))
        nodes += [(network, node, columns[node]) for node in active.columns]
        values = np.full((adata.n_obs, active.shape[1]), np.nan, dtype=np.float32)
        values[rows] = active.to_numpy()
        if len(columns):
            obsm[f"{key}_{network}"] = pd.DataFrame(values, index=adata.obs_names, columns=list(columns.values()))
    used = set(comparison.columns.values())
    var = {f"{key}_input": np.array([name in used for name in adata.var_names], dtype=bool)}
    tables = {
        "summary": comparison.summary(),
        "scores": comparison.scores,
        "importance": comparison.importance(),
        "stability": comparison.stability(),
        "compression": comparison.compression,
        "nodes": pd.DataFrame(nodes, columns=["network", "node", "column"]),
    }
    uns: dict[str, Any] = {name: _table(frame) for name, frame in tables.items()}
    uns["networks"] = {network: comparison.networks[network].to_json() for network in NETWORKS}
    uns["notes"] = np.array(comparison.notes, dtype=str)
    uns["params"] = _params(comparison, params) | {"obs": np.array(list(obs), dtype=str)}
    return _Results(obs, obsm, var, uns)


def _predictions(comparison: Comparison, network: str) -> pd.DataFrame:
    """Mean reported prediction of each cell, columns the outputs; NaN for cells that no split reports."""
    outputs = list(comparison.outputs)
    total, count = np.zeros((comparison.cells.n_cells, len(outputs))), np.zeros((comparison.cells.n_cells, 1))
    for fit in comparison.fits[network]:
        total[fit.split.test] += fit.prediction
        count[fit.split.test] += 1
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return pd.DataFrame(mean, columns=outputs)


def _storable(names: list[str]) -> dict[str, str]:
    """For each name one that HDF5 takes for a column: no "/", not "." and not "_index"."""
    found: dict[str, str] = {}
    taken = {".", "_index", *(name for name in names if "/" not in name)}
    for name in names:
        column = name.replace("/", "|")
        if column != name or column in (".", "_index"):
            while column in taken:
                column += "_"
            taken.add(column)
        found[name] = column
    return found


def _table(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of text and numbers only, with an index of text: what comes back from a file as it was."""
    columns = {}
    for name, column in frame.items():
        is_text = column.dtype == object and all(isinstance(value, str) for value in column)
        if column.dtype == object and not is_text:
            numbers = [np.nan if value is None else value for value in column]
            column = pd.Series(numbers, dtype=object if any(isinstance(n, str) for n in numbers) else np.float64)
            column = column.astype(str) if column.dtype == object else column
        columns[name] = column.to_numpy()
    return pd.DataFrame(columns, index=[str(number) for number in range(len(frame))])


def _params(comparison: Comparison, given: Mapping[str, Any]) -> dict[str, Any]:
    """Text and numbers; what is None or no name is left out."""
    own: dict[str, Any] = {"folds": comparison.folds, "seeds": comparison.seeds, "seed": comparison.seed}
    own |= {"protocol": comparison.protocol, "task": comparison.options.task}
    found = {**{name: value for name, value in given.items() if isinstance(value, str)}, **own}
    if given["label"] is not None:
        found["label"] = np.array(given["label"], dtype=str)
    training = comparison.training.to_dict()
    return found | {"training": {name: value for name, value in training.items() if value is not None}}


# -- what is refused ---------------------------------------------------------------------------------------------------


def _check_name(key: str) -> None:
    if not isinstance(key, str) or not key.strip() or "/" in key:
        raise OptionError("key_added", key, "a name without '/'", do="write key_added='graphnn'")


def _refuse_results(adata: AnnData, key: str, *, outputs: Iterable[str] | None) -> None:
    starts = [f"{key}_{network}" for network in NETWORKS]
    columns = [
        *starts,
        *(f"{start}_{output}" for start in starts for output in _storable(list(outputs or ())).values()),
    ]
    there = [f"obs[{name!r}]" for name in columns if name in adata.obs.columns]
    there += [f"obsm[{name!r}]" for name in starts if name in adata.obsm]
    there += [f"var[{name!r}]" for name in [f"{key}_input"] if name in adata.var.columns]
    there += [f"uns[{key!r}]"] if key in adata.uns else []
    if there:
        raise DataError(
            f"expected no results under the name {key!r} yet, but {', '.join(there[:5])} are there; give another "
            "key_added, or overwrite=True",
            names=there,
        )


def _stale(adata: AnnData, key: str) -> list[str]:
    """Columns of `obs` that an earlier call wrote under the name."""
    earlier = adata.uns.get(key, {})
    params = earlier.get("params", {}) if isinstance(earlier, Mapping) else {}
    written = params.get("obs", ()) if isinstance(params, Mapping) else ()
    return [str(name) for name in written if name in adata.obs.columns]


def _label_names(adata: AnnData, label: Any) -> list[str] | None:
    """The columns of `obs` that are labels; None where labels were given themselves.

    Raises:
        DataError: There is no such column.
    """
    given = [label] if isinstance(label, str) else label
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given) or not given:
        return None
    known = [str(name) for name in adata.obs.columns]
    absent = [name for name in given if name not in known]
    if absent and len(given) == adata.n_obs and not isinstance(label, str):
        return None  # the class of each cell
    if absent:
        raise DataError(
            f"expected label columns of obs, but {quoted(absent)} are not there (there are {quoted(known)})"
            f"{did_you_mean(absent, known)}; choose among these",
            names=absent,
        )
    return list(given)
