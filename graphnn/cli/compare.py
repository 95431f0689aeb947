"""`graphnn compare`: from a network and cells to a report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from graphnn.cli.cells import (
    CellsFile,
    CellsLayer,
    ClassWeight,
    Genome,
    Groups,
    Label,
    Labels,
    Normalize,
    check_label_source,
    read_cells_and_labels,
    read_groups_of,
)
from graphnn.cli.common import (
    LIMIT,
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
    Inputs,
    InputsFile,
    InputSuffix,
    Json,
    Kernel,
    KernelL1,
    KernelL2,
    LevelActivation,
    Method,
    Network,
    Outputs,
    Quiet,
    Seed,
    SignPenalty,
    SignPolicy,
    Solver,
    Source,
    Target,
    Task,
    TimeLimit,
    TrainingEngine,
    Units,
    activations_of,
    choose_inputs,
    console,
    names_of,
    print_json,
    read_network,
    verb,
)
from graphnn.cli.extract import check_time_limit
from graphnn.evaluate.options import CONTROLS


@verb
def compare(
    context: typer.Context,
    network: Network,
    outputs: Outputs,
    cells: CellsFile,
    labels: Labels = None,
    label: Label = None,
    groups: Groups = None,
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    input_suffix: InputSuffix = None,
    source: Source = None,
    target: Target = None,
    layer: CellsLayer = None,
    genome: Genome = None,
    duplicates: Annotated[str, typer.Option(help="Genes given twice: max, sum, first or raise.")] = "max",
    normalize: Normalize = "auto",
    objective: Annotated[str, typer.Option(help="Compressed network: min_edges or shortest_paths.")] = "min_edges",
    full_objective: Annotated[str, typer.Option(help="Full network: shortest_paths or max_edges.")] = "shortest_paths",
    method: Method = "auto",
    solver: Solver = "auto",
    time_limit: TimeLimit = None,
    task: Task = "binary",
    folds: Annotated[int, typer.Option(help="Folds of each repeat.")] = 5,
    seeds: Annotated[int, typer.Option(help="Repeats with other splits and weights.")] = 1,
    protocol: Annotated[str, typer.Option(help="nested, or tutorial (optimistic).")] = "nested",
    margin: Annotated[float, typer.Option(help="Largest loss that would not matter, in each metric.")] = 0.01,
    controls: Annotated[
        str | None,
        typer.Option(help=f"Also trained, by name, separated by commas: {', '.join(CONTROLS)}, all."),
    ] = None,
    draws: Annotated[int, typer.Option(help="Random networks, shuffles or minima of each drawn control.")] = 19,
    class_weight: ClassWeight = None,
    epochs: Annotated[int, typer.Option(help="At most so many.")] = 200,
    patience: Annotated[int, typer.Option(help="Epochs without a better validation loss.")] = 20,
    batch_size: Annotated[int, typer.Option(help="Cells a step, at most.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 0.005,
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
    out: Annotated[Path, typer.Option(help="Folder for the report and both networks.")] = Path("graphnn-report"),
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Compare the full with the compressed network on cells, in cross-validation, and write a report."""
    from graphnn.compiler.options import NetworkOptions
    from graphnn.evaluate.options import TrainingOptions, check_controls, check_margin, check_protocol, check_whole
    from graphnn.extract.extract import check_extraction

    check_time_limit(time_limit)
    check_protocol(folds=folds, seeds=seeds, seed=seed, protocol=protocol)
    check_margin(margin)
    for chosen in (objective, full_objective):
        check_extraction(chosen, method="auto" if chosen == "max_edges" else method, solver=solver, seed=seed)
    check_label_source(labels, label)
    check_whole("draws", draws, least=1)
    wanted = check_controls(_controls_of(controls))
    training = TrainingOptions(
        epochs=epochs,
        patience=patience,
        batch_size=batch_size,
        learning_rate=learning_rate,
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
        groups=read_groups_of(cells, groups),
        controls=wanted,
        draws=draws,
        training=training,
        network=options,
    )
    table, truth = read_cells_and_labels(
        cells, labels, label, job.outputs, task=task, layer=layer, genome=genome, duplicates=duplicates
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
        margin=margin,
    )
    payload = write_results(comparison, networks, out, described, force=force)
    if json_:
        print_json(payload)
    show(payload, screen)
    screen.print(f"Wrote {out / 'report.html'}, report.json and both networks.")
    if comparison.is_partial or any(
        dag.proof.termination == "limit" and dag.proof.objective_name == "min_edges" for dag in networks.values()
    ):
        raise typer.Exit(LIMIT)


def _controls_of(text: str | None) -> list[str]:
    """Names that are separated by commas."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _command(context: typer.Context) -> str:
    """The command line without what says where results go and how much is printed: the same result on every run."""
    words = ["graphnn", "compare"]
    for parameter in context.command.params:
        value = context.params[parameter.name or ""]
        if parameter.name in ("out", "force", "quiet", "json_") or value in (None, ()) or value == parameter.default:
            continue
        name = parameter.opts[0] if parameter.param_type_name == "option" else ""
        if isinstance(value, (list, tuple)):  # an option that may be repeated
            words += [word for item in value for word in (name, item)]
            continue
        words += [name] if value is True else [*([name] if name else []), str(value)]
    return shlex.join(words)
