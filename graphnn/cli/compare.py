"""`graphnn compare`: from a network and cells to a report."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphnn.cli.common import (
    LIMIT,
    BiasL1,
    BiasL2,
    Dropout,
    DropoutOn,
    Force,
    HiddenActivation,
    InputNormalization,
    Inputs,
    InputsFile,
    InputSuffix,
    Json,
    KernelL1,
    KernelL2,
    Method,
    Network,
    Outputs,
    Quiet,
    Seed,
    Solver,
    Source,
    Target,
    Task,
    TimeLimit,
    choose_inputs,
    console,
    names_of,
    print_json,
    read_network,
    verb,
)
from graphnn.cli.extract import check_time_limit
from graphnn.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd

    from graphnn.data.cells import Cells


@verb
def compare(
    context: typer.Context,
    network: Network,
    outputs: Outputs,
    cells: Annotated[Path, typer.Option(help="Cells: 10x .h5, .h5ad, or a table with barcodes in the first column.")],
    labels: Annotated[Path | None, typer.Option(help="Labels: table `barcode,<output>`.")] = None,
    label: Annotated[str | None, typer.Option(help="Labels: column of obs in a .h5ad file.")] = None,
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    input_suffix: InputSuffix = None,
    source: Source = None,
    target: Target = None,
    layer: Annotated[str | None, typer.Option(help="Layer of a .h5ad file.")] = None,
    genome: Annotated[str | None, typer.Option(help="Genome of a 10x file that holds several.")] = None,
    duplicates: Annotated[str, typer.Option(help="Genes given twice: max, sum, first or raise.")] = "max",
    normalize: Annotated[str, typer.Option(help="auto (log-normalise whole numbers), log or none.")] = "auto",
    objective: Annotated[str, typer.Option(help="Compressed network: min_edges or shortest_paths.")] = "min_edges",
    full_objective: Annotated[str, typer.Option(help="Full network: shortest_paths or max_edges.")] = "shortest_paths",
    method: Method = "auto",
    solver: Solver = "auto",
    time_limit: TimeLimit = None,
    task: Task = "binary",
    folds: Annotated[int, typer.Option(help="Folds of each repeat.")] = 5,
    seeds: Annotated[int, typer.Option(help="Repeats with other splits and weights.")] = 1,
    protocol: Annotated[str, typer.Option(help="nested, or tutorial (optimistic).")] = "nested",
    epochs: Annotated[int, typer.Option(help="At most so many.")] = 200,
    patience: Annotated[int, typer.Option(help="Epochs without a better validation loss.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Cells a step, at most.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 0.005,
    scaling: Annotated[str, typer.Option(help="Of inputs: standard, max or none.")] = "standard",
    hidden_activation: HiddenActivation = "elu",
    input_normalization: InputNormalization = False,
    dropout: Dropout = 0.0,
    dropout_on: DropoutOn = "edges",
    kernel_l1: KernelL1 = 0.0,
    kernel_l2: KernelL2 = 0.0,
    bias_l1: BiasL1 = 0.0,
    bias_l2: BiasL2 = 0.0,
    out: Annotated[Path, typer.Option(help="Folder for the report and both networks.")] = Path("graphnn-report"),
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Compare the full with the compressed network on cells, in cross-validation, and write a report."""
    from graphnn.compiler.options import NetworkOptions
    from graphnn.evaluate.options import TrainingOptions, check_protocol
    from graphnn.extract.extract import check_extraction

    check_time_limit(time_limit)
    check_protocol(folds=folds, seeds=seeds, seed=seed, protocol=protocol)
    for chosen in (objective, full_objective):
        check_extraction(chosen, method="auto" if chosen == "max_edges" else method, solver=solver, seed=seed)
    if (labels is None) == (label is None):
        raise OptionError("labels", labels or label, "given once", do="use --labels FILE, or --label COLUMN with .h5ad")
    training = TrainingOptions(
        epochs=epochs, patience=patience, batch_size=batch_size, learning_rate=learning_rate, scaling=scaling
    )
    options = NetworkOptions(
        task=task,
        hidden_activation=hidden_activation,
        input_normalization=input_normalization,
        dropout=dropout,
        dropout_on=dropout_on,
        kernel_l1=kernel_l1,
        kernel_l2=kernel_l2,
        bias_l1=bias_l1,
        bias_l2=bias_l2,
    )

    # Options are right: now what takes longer to load.
    from graphnn.cli.pipeline import FILES, Job, check_folder, run_job, show, write_results
    from graphnn.cli.pipeline import normalize as normalized
    from graphnn.report.payload import Context

    check_folder(out, FILES, force=force)
    screen = console(quiet=quiet)
    graph = read_network(network, screen, source=source, target=target)
    screen.print(f"Read {network.name}: {graph.n_nodes:,} vertices, {graph.n_edges:,} edges.")
    job = Job(
        inputs=choose_inputs(graph, inputs, inputs_file, input_suffix),
        outputs=names_of(outputs, option="--outputs"),
        suffix=input_suffix or "",
        objective=objective,
        full_objective=full_objective,
        method=method,
        solver=solver,
        time_limit_s=time_limit,
        folds=folds,
        seeds=seeds,
        seed=seed,
        protocol=protocol,
        training=training,
        network=options,
    )
    table, truth = _cells_and_labels(
        cells, labels, label, job.outputs, layer=layer, genome=genome, duplicates=duplicates
    )
    screen.print(f"Read {cells.name}: {table.n_cells:,} cells, {table.n_genes:,} genes.")
    table, note = normalized(table, normalize, screen)
    comparison, networks, unmeasured = run_job(graph, table, truth, job, screen)
    described = Context(
        pkn=network.name,
        graph=graph,
        cells=cells.name,
        n_inputs_requested=len(set(job.inputs)),
        command=_command(context),
        unmeasured=unmeasured,
        notes=(note,),
    )
    payload = write_results(comparison, networks, out, described, force=force)
    if json_:
        print_json(payload)
    show(payload, screen)
    screen.print(f"Wrote {out / 'report.html'}, report.json and both networks.")
    if any(dag.proof.termination == "limit" and dag.proof.objective_name == "min_edges" for dag in networks.values()):
        raise typer.Exit(LIMIT)


def _cells_and_labels(
    path: Path, labels: Path | None, label: str | None, outputs: Sequence[str], **how: str | None
) -> tuple[Cells, pd.DataFrame]:
    from graphnn.data.labels import labels_from_anndata, read_labels
    from graphnn.data.read import read_cells

    if labels is not None:
        return read_cells(path, **how), read_labels(labels)  # type: ignore[arg-type]
    if path.suffix != ".h5ad":
        raise OptionError("--label", label, "given with a .h5ad file only", do="use --labels FILE")
    import anndata

    table = read_cells(path, **how)  # type: ignore[arg-type]
    return table, labels_from_anndata(anndata.read_h5ad(path, backed="r"), label or "", outputs=outputs)


def _command(context: typer.Context) -> str:
    """The command line without what says where results go and how much is printed: the same result on every run."""
    words = ["graphnn", "compare"]
    for parameter in context.command.params:
        value = context.params[parameter.name or ""]
        if parameter.name in ("out", "force", "quiet", "json_") or value is None or value == parameter.default:
            continue
        name = parameter.opts[0] if parameter.param_type_name == "option" else ""
        words += [name] if value is True else [*([name] if name else []), str(value)]
    return shlex.join(words)
