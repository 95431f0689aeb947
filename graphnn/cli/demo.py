"""`graphnn demo`: the main job on data that ship with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphnn.cli.common import Force, Json, Quiet, Seed, console, print_json, verb

INPUT_FILES = ("network.sif", "cells.csv", "labels.csv")


@verb
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report, the data and the networks.")] = Path("graphnn-demo"),
    n_cells: Annotated[int, typer.Option(min=50, help="Cells to simulate.")] = 600,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Run the whole job on a literature-based T-cell-receptor network and simulated cells with a planted truth."""
    screen = console(quiet=quiet)
    with screen.status("loading"):
        from graphnn.cli.pipeline import FILES, Job, check_folder, normalize, run_job, show, write_results
        from graphnn.data.demo import DEMO_OUTPUT, INPUT_SUFFIX, demo_inputs, demo_network
        from graphnn.data.simulate import simulate_cells
        from graphnn.graph.files import write_whole
        from graphnn.graph.sif import sif_bytes
        from graphnn.report.payload import Context

    check_folder(out, (*FILES, *INPUT_FILES), force=force)
    graph, inputs = demo_network(), demo_inputs()
    screen.print(f"Network: {graph.n_nodes} vertices, {graph.n_edges} edges, hand-written from the literature, cyclic.")
    simulation = simulate_cells(graph, inputs, [DEMO_OUTPUT], n_cells=n_cells, input_suffix=INPUT_SUFFIX, seed=seed)
    screen.print(
        f"Simulated {n_cells} cells, {100 * simulation.sparsity:.0f} % zeros; "
        f"{', '.join(simulation.drivers)} drive the label."
    )
    cells, note = normalize(simulation.to_cells(), "auto", screen)
    job = Job(inputs=inputs, outputs=[DEMO_OUTPUT], suffix=INPUT_SUFFIX, seed=seed)
    comparison, networks, unmeasured = run_job(graph, cells, simulation.labels, job, screen)
    context = Context(
        title="graphnn demo: T-cell receptor network, simulated cells",
        pkn="demo network (T-cell receptor, from the literature)",
        cells=f"{n_cells} simulated cells",
        graph=graph,
        n_inputs_requested=len(inputs),
        command=f"graphnn demo --n-cells {n_cells} --seed {seed}",
        unmeasured=unmeasured,
        notes=(note, f"Planted truth: {', '.join(simulation.drivers)} drive the label."),
        planted=simulation.drivers,
    )
    payload = write_results(comparison, networks, out, context, force=force)
    write_whole(out / "network.sif", sif_bytes(graph), force=force)
    write_whole(out / "cells.csv", simulation.to_frame().to_csv(lineterminator="\n").encode(), force=force)
    write_whole(out / "labels.csv", simulation.labels.to_csv(lineterminator="\n").encode(), force=force)
    if json_:
        print_json(payload)
    show(payload, screen)
    ranks = {(row["node"], row["network"]): row["rank"] for row in payload["planted"]}
    for driver in simulation.drivers:
        places = [f"{ranks.get((driver, name), 'absent')} in the {name} network" for name in ("full", "compressed")]
        screen.print(f"Planted vertex {driver}, importance rank: {', '.join(places)}.")
    screen.print(f"Report: {(out / 'report.html').resolve()}")
