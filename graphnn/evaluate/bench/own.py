"""Our contestants, as a program of its own: `python -m graphnn.evaluate.bench.own FOLDER --way ours`.

`ours` is the compiled network and the training engine, `ours-jax` the same without numba; `loops` compiles what `ours`
needs for every network. `dense` has Keras' own Dense layers of the same widths, each
reading the level before it. `masked` has `MaskedDense` layers on the same edges, skips through concatenation. Both are
trained by Keras' own `fit`. `compare` is our whole job: two networks, cross-validated with early stopping, to a report.

The files are described in `graphnn.evaluate.bench.task`. Packages are imported on the clock, so not above.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnn.evaluate.bench import task
from graphnn.evaluate.bench.task import CellData, FloatMatrix, Network, RunOptions

if TYPE_CHECKING:
    from graphnn.extract.dag import Dag

PREDICTIONS = 4  # the first compiles
COMPARISON, SECOND = "compare.json", "second.npz"


class Clock:
    """Seconds of each stage, by name, and of each epoch."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.epochs_s: list[float] = []
        self._last = time.perf_counter()

    def start(self) -> None:
        """From here on the next stage or epoch counts."""
        self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        """What was done since the last mark was this stage."""
        self.stages[name] = self._passed()

    def epoch(self, *_: object) -> None:
        """What was done since the last mark was an epoch."""
        self.epochs_s.append(self._passed())

    def _passed(self) -> float:
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed


Trained = tuple[int, Callable[[], Any]]  # number of trainable parameters, prediction for the test cells


def ours(folder: Path, network: Network, options: RunOptions, clock: Clock, *, engine: str = "auto") -> Trained:
    """Our compiled network, trained by our engine, which fits and applies the scaling by itself, on the clock."""
    clock.start()
    import jax

    from graphnn.compiler.bundle import Bundle
    from graphnn.compiler.features import Features
    from graphnn.compiler.model import compile_network, plan_of
    from graphnn.data.cells import Cells
    from graphnn.evaluate.engine import Table, Trainer
    from graphnn.evaluate.engine.able import missing_numba
    from graphnn.evaluate.options import TrainingOptions
    from graphnn.evaluate.predict import predict
    from graphnn.evaluate.splits import Split

    if engine == "auto" and not missing_numba():
        import graphnn.evaluate.engine.on_numba  # noqa: F401 - loaded later otherwise, and on another clock
    clock.stage("import_s")
    dag = as_dag(network)
    clock.stage("graph_s")
    model = compile_network(dag)
    clock.stage("build_s")
    cells = task.read_sparse_cells(folder)  # as cells come out of a file
    n = cells.x_train.shape[0]
    rows = np.arange(n)
    split = Split(seed=options.seed, fold=0, train=rows, validation=rows[:1], test=rows[:1])  # nobody is watched
    training = TrainingOptions(
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        scaling="standard",
        engine=engine,
    )
    clock.start()
    trainer = Trainer(model, Table(cells.x_train, cells.y_train), [split], training)
    run = trainer.begin(split)
    for steps in trainer.epochs(split):
        run.train(steps)
        jax.block_until_ready(run.keep())
        clock.epoch()
    for variable, value in zip(model.trainable_variables, run.state(run.keep())[0], strict=True):
        variable.assign(value)
    if engine == "jax":
        return _n_trainable(model), _predictor(model, task.read_cells(folder / task.CELLS), options)
    plan, scaler = plan_of(model), trainer.scaler(split)
    limit = np.full(len(plan.inputs), scaler.limit)
    features = Features(plan.inputs, plan.inputs, scaler.offset, scaler.factor, limit, scaler.offset)
    bundle = Bundle(model, plan, features, None)
    names = [f"cell{row:06d}" for row in range(cells.x_test.shape[0])]
    table = Cells.from_matrix(cells.x_test, names, plan.inputs)
    return _n_trainable(model), lambda: predict(bundle, table).to_numpy()


def ours_jax(folder: Path, network: Network, options: RunOptions, clock: Clock) -> Trained:
    """The same on our engine on JAX, and Keras' own `predict`."""
    return ours(folder, network, options, clock, engine="jax")


def dense(folder: Path, network: Network, options: RunOptions, clock: Clock) -> Trained:
    """Dense layers as wide as the levels, each reading the level before it, the first one all inputs."""
    clock.start()
    from graphnn.compiler.backend import keras

    clock.stage("import_s")
    widths = level_widths(network)
    clock.stage("graph_s")
    data = keras.Input((widths[0],))
    block = data
    for width in widths[1:-1]:
        block = keras.layers.Dense(width, activation="elu")(block)
    model = keras.Model(data, keras.layers.Dense(widths[-1], activation="sigmoid")(block))
    return fitted(model, task.read_cells(folder / task.CELLS), options, clock)


def masked(folder: Path, network: Network, options: RunOptions, clock: Clock) -> Trained:
    """A masked matrix a level, on the edges of the network; a level reads the blocks out of which edges lead."""
    clock.start()
    from graphnn.compiler.backend import keras
    from graphnn.compiler.layers import MaskedDense

    clock.stage("import_s")
    masks = level_masks(network)
    clock.stage("graph_s")
    data = keras.Input((len(network.inputs),))
    blocks = [data]
    for number, (read, mask) in enumerate(masks, start=1):
        sources = [blocks[level] for level in read]
        joined = sources[0] if len(sources) == 1 else keras.layers.Concatenate()(sources)
        activation = "sigmoid" if number == len(masks) else "elu"
        blocks.append(MaskedDense(mask, activation=activation, seed=options.seed)(joined))
    return fitted(keras.Model(data, blocks[-1]), task.read_cells(folder / task.CELLS), options, clock)


def fitted(model: Any, cells: CellData, options: RunOptions, clock: Clock) -> Trained:
    """A Keras model, trained by Keras' own `fit`."""
    from graphnn.compiler.backend import keras

    model.compile(optimizer=keras.optimizers.Adam(options.learning_rate), loss="binary_crossentropy")
    clock.stage("build_s")
    after = keras.callbacks.LambdaCallback(on_epoch_end=clock.epoch)
    x = cells.scaled(cells.x_train)
    clock.start()
    model.fit(
        x,
        cells.y_train,
        batch_size=options.batch_size,
        epochs=options.epochs,
        callbacks=[after],
        verbose=0,
    )
    return _n_trainable(model), _predictor(model, cells, options)


def compare(folder: Path, network: Network, cells: CellData, options: RunOptions, clock: Clock) -> dict[str, Any]:
    """Both networks cross-validated with early stopping on all cells, to a report; what came out, and the seconds."""
    clock.start()
    import pandas as pd

    from graphnn.evaluate.compare import compare as compared
    from graphnn.evaluate.options import TrainingOptions

    given = json.loads((folder / COMPARISON).read_text(encoding="utf-8"))
    clock.stage("import_s")
    full, second = as_dag(network), as_dag(task.read_network(folder / SECOND))
    names = [f"cell{row:06d}" for row in range(len(cells.x_train) + len(cells.x_test))]
    columns = [network.nodes[vertex] for vertex in network.inputs.tolist()]
    x = pd.DataFrame(np.concatenate([cells.x_train, cells.x_test]), index=names, columns=columns)
    y = pd.Series(np.concatenate([cells.y_train, cells.y_test])[:, 0], index=names, name=full.outputs[0])
    clock.stage("graph_s")
    training = TrainingOptions(epochs=given["epochs"], patience=given["patience"], batch_size=options.batch_size)
    result = compared(
        full, second, x, y, folds=given["folds"], seeds=given["seeds"], seed=options.seed, training=training
    )
    clock.stage("compare_s")
    result.to_html(folder / "report.html")
    clock.stage("report_s")
    said = {"seconds": sum(clock.stages.values())}
    for name in ("full", "compressed"):
        scores = result.scores[result.scores["network"] == name]
        said |= {f"auc_{name}": float(scores["roc_auc"].mean()), f"epochs_{name}": float(scores["epochs"].mean())}
    return said


def as_dag(network: Network) -> Dag:
    """The arrays as our type of network."""
    from graphnn.extract.dag import Dag
    from graphnn.graph.prior import PriorGraph

    graph = PriorGraph(network.nodes, network.sources, network.targets, network.interactions.astype(np.int8))
    roles = [[network.nodes[vertex] for vertex in part.tolist()] for part in (network.inputs, network.outputs)]
    return Dag.from_graph(graph, *roles)


def level_widths(network: Network) -> list[int]:
    """Number of inputs, then the vertices of each level."""
    inner = np.delete(np.arange(len(network.nodes)), network.inputs)
    return [len(network.inputs), *np.bincount(network.level[inner])[1:].tolist()]


def level_masks(network: Network) -> list[tuple[list[int], FloatMatrix]]:
    """For each level the earlier levels that it reads, and the 0/1 matrix from their columns, side by side, to its own.

    Columns of level 0 are the inputs, those of a level its vertices, both ascending.
    """
    is_input = np.zeros(len(network.nodes), dtype=bool)
    is_input[network.inputs] = True
    level = np.where(is_input, 0, network.level)
    column, widths = np.zeros(len(level), dtype=np.int64), level_widths(network)
    for number in range(len(widths)):
        members = np.flatnonzero(level == number)
        column[members] = np.arange(len(members))
    masks = []
    for number in range(1, len(widths)):
        edges = level[network.targets] == number
        tails, heads = network.sources[edges], network.targets[edges]
        read = np.unique(level[tails])
        offset = np.zeros(len(widths), dtype=np.int64)
        offset[read] = np.concatenate([[0], np.cumsum([widths[one] for one in read])[:-1]])
        mask = np.zeros((sum(widths[one] for one in read), widths[number]), dtype=np.float32)
        mask[offset[level[tails]] + column[tails], column[heads]] = 1.0
        masks.append((read.tolist(), mask))
    return masks


def peak_mb() -> float:
    """Largest resident memory of this process. Linux would else count what the process that started it once held."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


WAYS: dict[str, Callable[..., Trained]] = {"ours": ours, "ours-jax": ours_jax, "dense": dense, "masked": masked}


def main() -> None:
    """Read the files, train or compare, predict, write the answer."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--way", choices=(*WAYS, "compare", "loops"), required=True)
    given = parser.parse_args()
    folder, clock = given.folder, Clock()
    network, options = task.read_network(folder / task.NETWORK), task.read_options(folder / task.OPTIONS)
    said: dict[str, Any] = {"status": task.DONE}
    if given.way == "compare":
        said["details"] = compare(folder, network, task.read_cells(folder / task.CELLS), options, clock) | clock.stages
    elif given.way == "loops":
        said["details"] = {"loops_s": seconds_for_loops()}
    else:
        n_parameters, predict = WAYS[given.way](folder, network, options, clock)
        said |= {**clock.stages, "epochs_s": clock.epochs_s, "n_parameters": n_parameters}
        said |= predictions(predict)
    said["versions"] = {name: metadata.version(name) for name in ("graphnn", "keras", "jax", "numpy")}
    task.write_answer(folder / task.ANSWER, {**said, "peak_mb": peak_mb()})


def seconds_for_loops() -> float:
    """How long the loops of our engine take to compile: they belong to no network, and numba keeps them."""
    from graphnn.compiler.model import compile_network
    from graphnn.evaluate.bench.shapes import draw_cells, draw_network, shape_of
    from graphnn.evaluate.engine import Table, Trainer
    from graphnn.evaluate.engine.able import missing_numba
    from graphnn.evaluate.options import TrainingOptions
    from graphnn.evaluate.splits import Split

    if missing_numba():
        return 0.0
    dag = draw_network(shape_of(200))
    x, y = draw_cells(dag, 8)
    rows = np.arange(8)
    split = Split(seed=0, fold=0, train=rows, validation=rows, test=rows)
    model, training = compile_network(dag), TrainingOptions(epochs=1, engine="numba")
    start = time.perf_counter()
    Trainer(model, Table(x, y), [split], training).fit(split)
    return time.perf_counter() - start


def _predictor(model: Any, cells: CellData, options: RunOptions) -> Callable[[], Any]:
    x = cells.scaled(cells.x_test)
    return lambda: model.predict(x, batch_size=options.batch_size, verbose=0)


def predictions(predict: Callable[[], Any]) -> dict[str, Any]:
    """What is predicted for the test cells, and how long it takes, several times over."""
    seconds, found = [], np.zeros(0)
    for _ in range(PREDICTIONS):
        start = time.perf_counter()
        found = np.asarray(predict())
        seconds.append(time.perf_counter() - start)
    return {"predicts_s": seconds, "prediction": np.ravel(found)}


def _n_trainable(model: Any) -> int:
    return int(sum(int(np.prod(variable.shape)) for variable in model.trainable_variables))


if __name__ == "__main__":
    main()
