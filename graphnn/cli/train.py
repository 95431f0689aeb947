"""`graphnn train`: one model on all cells, in a bundle that can predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from graphnn.cli.cells import (
    CellsFile,
    CellsLayer,
    ClassWeight,
    Genome,
    Label,
    Labels,
    Normalize,
    check_label_source,
    read_cells_and_labels,
)
from graphnn.cli.common import (
    Activation,
    AdaptiveDropout,
    BiasL1,
    BiasL2,
    Dropout,
    DropoutOn,
    Dtype,
    Force,
    HiddenActivation,
    InputDropout,
    InputNormalization,
    Json,
    Kernel,
    KernelL1,
    KernelL2,
    LevelActivation,
    Quiet,
    Seed,
    SignPenalty,
    SignPolicy,
    Task,
    TrainingEngine,
    Units,
    activations_of,
    console,
    print_json,
    verb,
)
from graphnn.cli.progress import now_and_then
from graphnn.compiler.options import NetworkOptions
from graphnn.evaluate.options import TrainingOptions
from graphnn.extract.dag import Dag
from graphnn.graph.files import check_output

if TYPE_CHECKING:
    from graphnn.evaluate.engine import Epoch
    from graphnn.evaluate.train import Trained


@verb
def train(
    network: Annotated[Path, typer.Argument(help="Network that `graphnn extract --out NAME.json` wrote.")],
    cells: CellsFile,
    out: Annotated[Path, typer.Option(help="Bundle to write, e.g. model.gnn.")],
    labels: Labels = None,
    label: Label = None,
    input_suffix: Annotated[str, typer.Option(help="A gene's column is what stands before it, e.g. _gene.")] = "",
    layer: CellsLayer = None,
    genome: Genome = None,
    duplicates: Annotated[str, typer.Option(help="Genes given twice: max, sum, first or raise.")] = "max",
    normalize: Normalize = "auto",
    task: Task = "binary",
    class_weight: ClassWeight = None,
    epochs: Annotated[int, typer.Option(help="At most so many.")] = 200,
    patience: Annotated[int, typer.Option(help="Epochs without a better validation loss.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Cells a step, at most.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 0.005,
    validation_fraction: Annotated[float, typer.Option(help="Cells that tell when to stop, in (0, 0.5].")] = 0.2,
    scaling: Annotated[str, typer.Option(help="Of inputs: standard, max or none.")] = "standard",
    engine: TrainingEngine = "auto",
    hidden_activation: HiddenActivation = "elu",
    activation: Activation = None,
    level_activation: LevelActivation = None,
    units: Units = 1,
    input_normalization: InputNormalization = False,
    input_dropout: InputDropout = 0.0,
    dropout: Dropout = 0.0,
    dropout_on: DropoutOn = "edges",
    adaptive_dropout: AdaptiveDropout = False,
    kernel_l1: KernelL1 = 0.0,
    kernel_l2: KernelL2 = 0.0,
    bias_l1: BiasL1 = 0.0,
    bias_l2: BiasL2 = 0.0,
    sign_policy: SignPolicy = "free",
    sign_penalty: SignPenalty = 0.01,
    kernel: Kernel = "auto",
    dtype: Dtype = "auto",
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Train one model on all cells that have a label and write it, with scaling and columns, into a bundle."""
    check_output(out, force=force)
    check_label_source(labels, label)
    training = TrainingOptions(
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
        validation_fraction=validation_fraction,
        scaling=scaling,
        engine=engine,
        class_weight=class_weight,
    )
    options = NetworkOptions(
        task=task,
        hidden_activation=hidden_activation,
        activations=activations_of(activation, level_activation),
        units=units,
        input_normalization=input_normalization,
        input_dropout=input_dropout,
        dropout=dropout,
        dropout_on=dropout_on,
        adaptive_dropout=adaptive_dropout,
        kernel_l1=kernel_l1,
        kernel_l2=kernel_l2,
        bias_l1=bias_l1,
        bias_l2=bias_l2,
        sign_policy=sign_policy,
        sign_penalty=sign_penalty,
        kernel=kernel,
        dtype=dtype,
        seed=seed,
    )
    dag = Dag.read(network)

    # Options are right: now what takes longer to load.
    from graphnn.cli.pipeline import normalize as normalized
    from graphnn.evaluate.metrics import names_of
    from graphnn.evaluate.train import train as train_on

    screen = console(quiet=quiet)
    table, truth = read_cells_and_labels(
        cells, labels, label, dag.outputs, task=task, layer=layer, genome=genome, duplicates=duplicates
    )
    screen.print(f"Read {cells.name}: {table.n_cells:,} cells, {table.n_genes:,} genes.")
    table, note = normalized(table, normalize, screen)
    with _epoch_line(screen, names_of(task)[0]) as progress:
        trained = train_on(
            dag,
            table,
            truth,
            seed=seed,
            training=training,
            options=options,
            input_suffix=input_suffix,
            on_progress=progress,
        )
    trained.save(out, force=force)
    if json_:
        sizes = {"edges": trained.plan.n_edges, "parameters": trained.plan.count_parameters(units)}
        head = {"out": str(out), "fingerprint": trained.plan.fingerprint, "inputs": len(dag.inputs)}
        print_json(
            {**head, "outputs": list(dag.outputs), **sizes, **trained.summary(), "normalization": note, "seed": seed}
        )
    _show(trained, out, screen)


@contextmanager
def _epoch_line(screen: Console, leading: str) -> Iterator[Callable[[Epoch], None]]:
    """A status line with epoch, validation loss and metric; gives the callback that feeds it."""
    with screen.status(Text("training: beginning")) as status:
        is_due = now_and_then()

        def report(epoch: Epoch) -> None:
            if not is_due():
                return
            metric = "" if epoch.metric is None else f", {leading} {epoch.metric:.4f}"
            status.update(Text(f"training: epoch {epoch.number}, validation loss {epoch.loss:.4f}{metric}"))

        yield report


def _show(trained: Trained, out: Path, screen: Console) -> None:
    for note in trained.notes:
        screen.print(note)
    for row in trained.validation.to_dict(orient="records"):
        metric, value = list(row.items())[2]
        shown = "not defined" if value is None or value != value else f"{value:.4f}"
        screen.print(
            f"{row['output']}: validation {metric} {shown} on the {row['n_validation']:,} cells that told when to stop "
            "(optimistic: `graphnn compare` measures on cells that chose nothing)"
        )
    screen.print(
        f"wrote {out}: {len(trained.split.train):,} cells trained it, best epoch {trained.best_epoch} of "
        f"{len(trained.losses)}, {trained.plan.count_parameters(trained.options.units):,} parameters"
    )
