"""`graphnn extract`: an acyclic network with its proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphnn.cli.common import (
    LIMIT,
    Force,
    Inputs,
    InputsFile,
    InputSuffix,
    Json,
    Method,
    Network,
    Out,
    Outputs,
    Quiet,
    Seed,
    Solver,
    Source,
    Target,
    TimeLimit,
    choose_inputs,
    console,
    names_of,
    print_json,
    print_lines,
    read_network,
    verb,
)
from graphnn.cli.progress import solver_line
from graphnn.errors import OptionError, quoted
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.files import check_output, write_whole
from graphnn.graph.sif import sif_bytes

Objective = Annotated[str, typer.Option(help="min_edges, shortest_paths or max_edges.")]


@verb
def extract(
    network: Network,
    outputs: Outputs,
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    input_suffix: InputSuffix = None,
    source: Source = None,
    target: Target = None,
    objective: Objective = "min_edges",
    method: Method = "auto",
    solver: Solver = "auto",
    time_limit: TimeLimit = None,
    out: Out = None,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Find an acyclic network that joins all inputs to the outputs; exit code 4 if a limit came before the proof.

    --out NAME.json holds the network with its roles and proof, for `graphnn compile`; NAME.sif holds its edges only.
    Without --out the edges go to stdout.
    """
    check_time_limit(time_limit)
    if out is not None:
        check_output(out, force=force)
    screen = console(quiet=quiet)
    graph = read_network(network, screen, source=source, target=target)
    wanted_in = choose_inputs(graph, inputs, inputs_file, input_suffix)
    wanted_out = names_of(outputs, option="--outputs")
    pruned = graph.prune(wanted_in, wanted_out)
    with solver_line(screen, objective) as report:
        dag = extract_dag(
            pruned,
            wanted_in,
            wanted_out,
            objective=objective,
            method=method,
            solver=solver,
            time_limit_s=time_limit,
            seed=seed,
            on_progress=report,
        )
    if out is not None:
        write_whole(out, dag_bytes(dag, out), force=force)
    if json_:
        print_json({**dag.to_dict(), "seed": seed})
    elif out is None:
        print_lines(sif_bytes(dag.graph).decode().splitlines())
    left_out = dag.origin["inputs_left_out"]
    screen.print(
        f"inputs: {len(dag.inputs):,}, hidden: {len(dag.hidden):,}, outputs: {len(dag.outputs):,}, "
        f"edges: {dag.graph.n_edges:,}"
    )
    if left_out:
        screen.print(f"inputs left out, absent or without a path: {len(left_out):,} ({quoted(left_out)})")
    screen.print(dag.proof.sentence())
    if dag.proof.termination == "limit":
        raise typer.Exit(LIMIT)


def dag_bytes(dag: Dag, out: Path) -> bytes:
    """SIF for names that end in .sif or .sif.gz, else the whole network as JSON."""
    if out.name.endswith((".sif", ".sif.gz")):
        return sif_bytes(dag.graph, compress=out.name.endswith(".gz"))
    return dag.to_json().encode()


def check_time_limit(time_limit: float | None) -> None:
    """Refuse a limit in which nothing can be done, before any file is read."""
    if time_limit is not None and not time_limit > 0:
        raise OptionError("--time-limit", time_limit, "a number of seconds > 0", do="leave it out for no limit")
