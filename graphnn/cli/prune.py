"""`graphnn prune`: keep what lies on input-to-output paths."""

from __future__ import annotations

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
from graphnn.errors import quoted
from graphnn.graph.files import check_output, write_whole
from graphnn.graph.sif import sif_bytes


@verb
def prune(
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
    """Keep the vertices on some input-to-output path and all edges among them; write SIF to --out or stdout."""
    if out is not None:
        check_output(out, force=force)
    screen = console(quiet=quiet)
    graph = read_network(network, screen, source=source, target=target)
    wanted = choose_inputs(graph, inputs, inputs_file, input_suffix)
    pruned = graph.prune(wanted, names_of(outputs, option="--outputs"))
    if out is not None:
        write_whole(out, sif_bytes(pruned, compress=out.name.endswith(".gz")), force=force)
    if json_:
        print_json(
            {
                "nodes": pruned.n_nodes,
                "edges": pruned.n_edges,
                "fingerprint": pruned.fingerprint,
                "dropped": pruned.dropped.to_dict(),
                "ingestion": pruned.ingestion.to_dict(),
                "seed": seed,
            }
        )
    elif out is None:
        print_lines(sif_bytes(pruned).decode().splitlines())
    screen.print(
        f"kept {pruned.n_nodes:,} of {graph.n_nodes:,} vertices and {pruned.n_edges:,} of {graph.n_edges:,} edges"
    )
    dropped = pruned.dropped.to_dict()
    for what, count in pruned.dropped.counts.items():
        if count:
            names = f" ({quoted(dropped[what])})" if what in dropped else ""
            screen.print(f"  {what.replace('_', ' ')}: {count:,}{names}")
