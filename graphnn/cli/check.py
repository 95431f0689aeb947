"""`graphnn check`: before anything is solved, what would be lost and why."""

from __future__ import annotations

import json

import typer

from graphnn.cli.common import (
    Force,
    Inputs,
    InputsFile,
    InputSuffix,
    Json,
    Network,
    Out,
    Outputs,
    Quiet,
    Seed,
    Source,
    Target,
    choose_inputs,
    console,
    names_of,
    print_json,
    print_lines,
    read_network,
    verb,
)
from graphnn.graph.check import check as check_graph
from graphnn.graph.files import check_output, write_whole


@verb
def check(
    network: Network,
    outputs: Outputs,
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    input_suffix: InputSuffix = None,
    source: Source = None,
    target: Target = None,
    out: Out = None,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Say in words whether network, inputs and outputs fit together. Exit code 3 if no network exists."""
    if out is not None:
        check_output(out, force=force)
    graph = read_network(network, console(quiet=True), source=source, target=target)  # the findings have it all
    wanted = choose_inputs(graph, inputs, inputs_file, input_suffix)
    found = check_graph(graph, wanted, names_of(outputs, option="--outputs"))
    data = {**found.to_dict(), "seed": seed}
    if out is not None:
        write_whole(out, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode(), force=force)
    if json_:
        print_json(data)
    elif not quiet:
        print_lines(str(found).splitlines())
    if not found.ok:
        raise typer.Exit(3)
