"""Who takes part, and the measuring: one process at a time, each on the same files, its answer checked.

Everyone trains the same network on the same cells with the same batch, epochs, optimiser and loss. Compilation is cold:
JAX's compilation cache is switched off and the user's cache folder is replaced by an empty one. The loops of our engine
belong to no network and are compiled once for a machine: that is done beforehand, and its seconds are told (`loops_s`).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from graphnn.errors import OptionError, did_you_mean
from graphnn.evaluate.bench import task
from graphnn.evaluate.bench.floor import step_bytes
from graphnn.evaluate.bench.shapes import FloatMatrix
from graphnn.evaluate.bench.task import Answer, CellData, Network, RunOptions
from graphnn.evaluate.preprocess import fit_scaler
from graphnn.extract.dag import Dag
from graphnn.graph.order import longest_path_levels
from solvers.bench.program import environment, rival_command, run_program

CORNETO, KPNN2 = "GRAPHNN_CORNETO_PYTHON", "GRAPHNN_KPNN2_PYTHON"
OWN = ("ours", "ours-jax", "dense", "masked")
RIVAL = {
    "kpnn2-packed": ("kpnn2_training_program.py", KPNN2, "packed"),
    "kpnn2-masked": ("kpnn2_training_program.py", KPNN2, "masked"),
    "corneto": ("corneto_training_program.py", CORNETO, "dagnn"),
}
NAMES = (*OWN, *RIVAL)
WORDS = (sys.executable, "-m", "graphnn.evaluate.bench.own")
TRAINED_SHARE = 0.8  # of the cells outside a fold; early stopping watches the others
SMALLEST = 1e-7  # probabilities are kept so far from 0 and 1, as Keras does, before their logarithm is taken
ALWAYS = {
    "KERAS_BACKEND": "jax",
    "JAX_TRACEBACK_FILTERING": "off",  # the last line of an error is then the error
    "OMP_WAIT_POLICY": "PASSIVE",  # threads of PyTorch that wait busily stand in each other's way where others work too
}
JAX_CACHE = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1"}


@dataclass(frozen=True)
class Contestant:
    """A program that takes part.

    Attributes:
        name: In the table.
        words: That start it, before the folder and `--way`; empty where it cannot take part.
        way: What it does.
        absent: Why it cannot take part; empty where it can.
        is_own: Whether it imports our packages; a rival's Python must not see them.
    """

    name: str
    words: tuple[str, ...] = ()
    way: str = ""
    absent: str = ""
    is_own: bool = False


@dataclass(frozen=True, eq=False)
class Instance:
    """A network and its cells, named.

    Attributes:
        name: In the table.
        network: Its arrays.
        cells: What trains and what tests.
        second: Another network with the same inputs and output to compare with; None: there is none.
    """

    name: str
    network: Network
    cells: CellData
    second: Network | None = None


@dataclass(frozen=True)
class Row:
    """What was measured of one contestant on one instance; None where nothing is known.

    Attributes:
        instance: Name.
        n_inputs: Columns of the data.
        n_units: Vertices that are no inputs.
        n_edges: Edges.
        n_levels: Edges of the longest path.
        n_train: Cells of an epoch.
        contestant: Name.
        status: "done", "failed", "not installed" or "time out".
        import_s: Loading packages.
        graph_s: Edges to the library's own type of network.
        build_s: That to a model that is ready to train.
        first_epoch_s: With compilation.
        step_ms: Median over later epochs of the epoch's time by its number of batches.
        first_predict_s: Of the test cells, with compilation.
        predict_s: Median over later times.
        peak_mb: Memory of the process.
        n_parameters: Trainable numbers.
        loss: Binary cross-entropy on the test cells, from the predictions.
        auc: ROC-AUC on the test cells.
        floor_ms: Bytes that must move in a step of one weight an edge, over the copy bandwidth.
        floor_ratio: step_ms / floor_ms.
        message: Why it did not end well.
        versions: Of packages.
        details: Further facts.
    """

    instance: str
    n_inputs: int
    n_units: int
    n_edges: int
    n_levels: int
    n_train: int
    contestant: str
    status: str
    import_s: float | None = None
    graph_s: float | None = None
    build_s: float | None = None
    first_epoch_s: float | None = None
    step_ms: float | None = None
    first_predict_s: float | None = None
    predict_s: float | None = None
    peak_mb: float | None = None
    n_parameters: int | None = None
    loss: float | None = None
    auc: float | None = None
    floor_ms: float | None = None
    floor_ratio: float | None = None
    message: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class TotalOptions:
    """Our whole job: two networks, folds x seeds, early stopping, to a report.

    Attributes:
        folds: Of each repeat.
        seeds: Repeats.
        epochs: At most so many.
        patience: Epochs without improvement before a run stops.
    """

    folds: int = 5
    seeds: int = 1
    epochs: int = 200
    patience: int = 10


def contestant(name: str, *, pythons: dict[str, str] | None = None, rivals: Path | None = None) -> Contestant:
    """The contestant of a name.

    Args:
        name: One of `NAMES`.
        pythons: For each environment variable, the Python that has the rival installed; what is absent is looked up
            in the environment.
        rivals: Folder with the programs of the rivals; None: that of a checkout.

    Raises:
        OptionError: There is no such contestant.
    """
    if name in OWN:
        return Contestant(name, WORDS, name, is_own=True)
    if name not in RIVAL:
        hint = did_you_mean([name], NAMES).removeprefix("; ")
        raise OptionError("contestant", name, f"one of {', '.join(NAMES)}", do=hint)
    file, variable, way = RIVAL[name]
    command = rival_command(file, variable, python=(pythons or {}).get(variable, ""), rivals=rivals)
    return Contestant(name, absent=command) if isinstance(command, str) else Contestant(name, command, way)


def instance_of(
    name: str, dag: Dag, x: FloatMatrix, y: FloatMatrix, *, n_train: int, batch_size: int, second: Dag | None = None
) -> Instance:
    """A network and its cells as arrays.

    Args:
        name: In the table.
        dag: The network; one output.
        x: Cells, columns in the order of the sorted inputs, shape (n_cells, n_inputs).
        y: Labels, 0 or 1, shape (n_cells, 1).
        n_train: How many cells train at most. They are cut to whole batches, so that nobody compiles for a smaller
            last one; the cells that are left out train nobody. All others test.
        batch_size: Cells a step.
        second: Another network with the same inputs and output.

    Raises:
        OptionError: There is no whole batch to train on, or nothing to test on.
    """
    whole = n_train // batch_size * batch_size
    if not whole or n_train >= len(x):
        raise OptionError("n_train", n_train, f"at least one batch of {batch_size} and fewer than all {len(x)} cells")
    scaler = fit_scaler(x[:whole], "standard")
    cells = CellData(x[:whole], y[:whole], x[n_train:], y[n_train:], scaler.offset, scaler.factor, scaler.limit)
    return Instance(name, arrays_of(dag), cells, None if second is None else arrays_of(second))


def arrays_of(dag: Dag) -> Network:
    """A network as arrays, vertices by name."""
    graph = dag.graph
    level = longest_path_levels(graph.n_nodes, graph.sources, graph.targets)
    return Network(
        nodes=graph.nodes,
        sources=np.array(graph.sources, dtype=np.int64),
        targets=np.array(graph.targets, dtype=np.int64),
        interactions=np.array(graph.interactions, dtype=np.int64),
        inputs=graph.indices(sorted(dag.inputs)).astype(np.int64),
        outputs=graph.indices(dag.outputs).astype(np.int64),
        level=level.astype(np.int64),
    )


def contest(
    instance: Instance,
    contestants: Sequence[Contestant],
    options: RunOptions,
    *,
    limit_s: float,
    bandwidth: float | None = None,
    before: Callable[[str, str], None] | None = None,
) -> Iterator[Row]:
    """A row for each contestant, as they are measured; who stops listening keeps what there was.

    Args:
        instance: What all of them train on.
        contestants: In this order.
        options: How they train.
        limit_s: Seconds for each, after which it is stopped.
        bandwidth: Bytes a second that this machine copies; None: no floor is given.
        before: Called with the names of instance and contestant before each run.

    Raises:
        OptionError: There are fewer than two epochs: the first compiles, so nothing would be timed.
    """
    if options.epochs < 2:
        raise OptionError("epochs", options.epochs, "at least 2: the first compiles, the others are timed")
    for entrant in contestants:
        if before is not None:
            before(instance.name, entrant.name)
        yield judged(instance, entrant.name, run(entrant, instance, options, limit_s=limit_s), options, bandwidth)


def run(entrant: Contestant, instance: Instance, options: RunOptions, *, limit_s: float) -> Answer:
    """Let a contestant train in a process of its own; it never outlives this call."""
    if entrant.absent:
        return Answer(task.NOT_INSTALLED, entrant.absent)
    with tempfile.TemporaryDirectory(prefix="graphnn-bench-") as place:
        if entrant.way != "ours":
            return _answer_in(Path(place), entrant, instance, options, limit_s=limit_s, cache=None)
        loops = _answer_in(Path(place), replace(entrant, way="loops"), instance, options, limit_s=limit_s, cache=None)
        answer = _answer_in(Path(place), entrant, instance, options, limit_s=limit_s, cache=None)
        return replace(answer, details=answer.details | loops.details)


def total(
    instance: Instance,
    options: RunOptions,
    wanted: TotalOptions,
    *,
    limit_s: float,
    times: int = 2,
    before: Callable[[str, str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Our whole job on both networks of an instance, several times over with one compilation cache, empty at first.

    Gives for each time: instance, contestant ("ours"), basis ("measured"), cache ("cold" or "warm"), the options,
    status, message, seconds from the start of the program (loading of packages included) to the written report, its
    stages, peak_mb, mean epochs and mean ROC-AUC of each network.

    Raises:
        OptionError: The instance has one network only.
    """
    if instance.second is None:
        raise OptionError("instance", instance.name, "one with a second network to compare with")
    entrant = Contestant("ours", WORDS, "compare", is_own=True)
    with tempfile.TemporaryDirectory(prefix="graphnn-bench-") as place:
        cache = Path(place) / "cache"
        cache.mkdir()
        for turn in range(times):
            folder = Path(place) / f"turn-{turn}"
            folder.mkdir()
            (folder / "compare.json").write_text(json.dumps(asdict(wanted)), encoding="utf-8")
            task.write_network(folder / "second.npz", instance.second)
            state = "warm" if turn else "cold"
            if before is not None:
                before(instance.name, f"ours, {wanted.folds} folds x {wanted.seeds} seeds x 2 networks, {state} cache")
            answer = _answer_in(folder, entrant, instance, options, limit_s=limit_s, cache=cache)
            yield {
                "instance": instance.name,
                "contestant": "ours",
                "basis": "measured",
                "cache": state,
                **asdict(wanted),
                "n_cells": len(instance.cells.x_train) + len(instance.cells.x_test),
                "n_parameters_full": instance.network.n_parameters,
                "n_parameters_compressed": instance.second.n_parameters,
                "status": answer.status,
                "message": answer.message,
                "peak_mb": answer.peak_mb,
                "versions": answer.versions,
                **answer.details,
            }


def extrapolated(row: Mapping[str, Any], own: Mapping[str, Any], *, batch_size: int) -> dict[str, Any] | None:
    """What the whole job would take a contestant, from its row and from the epochs that ours took; None: not known.

    Each of the two networks is built and compiled once, as if a model's weights were set back for every fold, then all
    runs train as many epochs as ours did. Validation, prediction and the report count nothing, and the smaller network
    is taken to cost as much as the full one. No measurement: the result says "extrapolated".

    Args:
        row: As `Row.to_dict` gives it.
        own: One of those that `total` gives, of the same instance.
        batch_size: Cells a step.
    """
    parts = [row[name] for name in ("import_s", "build_s", "first_epoch_s", "step_ms")]
    if row["status"] != task.DONE or None in parts or own["status"] != task.DONE:
        return None
    epochs = own["folds"] * own["seeds"] * (own["epochs_full"] + own["epochs_compressed"])
    steps = own["n_cells"] * (own["folds"] - 1) / own["folds"] * TRAINED_SHARE / batch_size
    import_s, build_s, first_epoch_s, step_ms = parts
    seconds = import_s + 2 * (build_s + first_epoch_s) + epochs * steps * step_ms / 1e3
    kept = {name: own[name] for name in ("instance", "folds", "seeds", "epochs", "patience")}
    return {**kept, "contestant": row["contestant"], "basis": "extrapolated", "seconds": seconds}


def judged(instance: Instance, name: str, answer: Answer, options: RunOptions, bandwidth: float | None = None) -> Row:
    """The row of an answer: loss and ROC-AUC from its predictions, the floor from the bandwidth."""
    network, cells = instance.network, instance.cells
    sizes = (len(network.inputs), network.n_units, network.n_edges, int(network.level.max()), len(cells.x_train))
    status, message = answer.status, answer.message
    fault = _fault(answer, n_test=len(cells.x_test), epochs=options.epochs) if status == task.DONE else ""
    if fault:
        status, message = task.FAILED, fault
    if status != task.DONE:
        return Row(
            instance.name, *sizes, name, status, message=message, versions=answer.versions, peak_mb=answer.peak_mb
        )
    from graphnn.evaluate.metrics import measure  # scikit-learn loads slowly: not before somebody was measured

    prediction, truth = np.array(answer.prediction), cells.y_test[:, 0].astype(np.float64)
    step_ms = 1e3 * median(answer.epochs_s[1:]) * options.batch_size / len(cells.x_train)
    floor_ms = None
    if bandwidth is not None:
        moved = step_bytes(n_inputs=sizes[0], n_parameters=network.n_parameters, batch_size=options.batch_size)
        floor_ms = 1e3 * moved / bandwidth
    return Row(
        instance.name,
        *sizes,
        name,
        status,
        import_s=answer.import_s,
        graph_s=answer.graph_s,
        build_s=answer.build_s,
        first_epoch_s=answer.epochs_s[0],
        step_ms=step_ms,
        first_predict_s=answer.predicts_s[0],
        predict_s=median(answer.predicts_s[1:] or answer.predicts_s),
        peak_mb=answer.peak_mb,
        n_parameters=answer.n_parameters,
        loss=_cross_entropy(truth, prediction),
        auc=measure("binary", truth, prediction)["roc_auc"],
        floor_ms=floor_ms,
        floor_ratio=None if floor_ms is None else step_ms / floor_ms,
        versions=answer.versions,
        details={**answer.details, "epochs_s": list(answer.epochs_s), "predicts_s": list(answer.predicts_s)},
    )


def _answer_in(
    folder: Path, entrant: Contestant, instance: Instance, options: RunOptions, *, limit_s: float, cache: Path | None
) -> Answer:
    task.write_network(folder / task.NETWORK, instance.network)
    task.write_cells(folder / task.CELLS, instance.cells)
    task.write_sparse_cells(folder / task.SPARSE, instance.cells)
    task.write_options(folder / task.OPTIONS, options)
    home = cache or folder / "cache"
    home.mkdir(exist_ok=True)
    variables = environment(is_own=entrant.is_own) | ALWAYS | {"XDG_CACHE_HOME": str(home)}
    variables["NUMBA_CACHE_DIR"] = str(home / "numba")
    if cache is None:
        variables |= {"JAX_ENABLE_COMPILATION_CACHE": "0"}
    else:
        variables |= {"JAX_COMPILATION_CACHE_DIR": str(home / "jax"), **JAX_CACHE}
    words = [*entrant.words, str(folder), "--way", entrant.way]
    try:
        code, last = run_program(words, folder, seconds=limit_s, environment=variables)
    except OSError as error:
        return Answer(task.NOT_INSTALLED, f"cannot be started ({error.strerror})")
    if code is None:
        return Answer(task.TIME_OUT, f"stopped after {limit_s:g} s")
    if code or not (folder / task.ANSWER).exists():
        return Answer(task.FAILED, f"exit code {code}: {last}")
    return task.read_answer(folder / task.ANSWER)


def _fault(answer: Answer, *, n_test: int, epochs: int) -> str:
    """What is wrong with an answer that says that all went well; empty where nothing is."""
    if len(answer.prediction) != n_test:
        return f"expected {n_test} predictions, got {len(answer.prediction)}"
    if not np.isfinite(answer.prediction).all() or not all(0 <= value <= 1 for value in answer.prediction):
        return "expected predictions between 0 and 1, got others"
    if len(answer.epochs_s) != epochs or not answer.predicts_s:
        return f"expected the seconds of {epochs} epochs and of predictions, got {len(answer.epochs_s)} epochs"
    if None in (answer.import_s, answer.build_s, answer.peak_mb, answer.n_parameters):
        return "expected import_s, build_s, peak_mb and n_parameters, got an answer that lacks one"
    return ""


def _cross_entropy(truth: Any, prediction: Any) -> float:
    inner = np.clip(prediction, SMALLEST, 1 - SMALLEST)
    return float(-np.mean(truth * np.log(inner) + (1 - truth) * np.log1p(-inner)))
