"""`graphnn bench training`: the training benchmark on a drawn network of a chosen size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from graphnn.cli import INTERRUPTED
from graphnn.cli.bench import check_folder, check_rivals
from graphnn.cli.common import Force, Json, Quiet, Seed, console, print_json, print_lines, verb
from graphnn.errors import OptionError, did_you_mean
from graphnn.evaluate.bench import record
from graphnn.evaluate.bench.contest import (
    CORNETO,
    KPNN2,
    NAMES,
    OWN,
    RIVAL,
    Contestant,
    Instance,
    Row,
    contest,
    contestant,
    instance_of,
)
from graphnn.evaluate.bench.floor import copy_bandwidth
from graphnn.evaluate.bench.shapes import LEAST_EDGES, draw_cells, draw_network, shape_of
from graphnn.evaluate.bench.task import RunOptions
from graphnn.graph.files import write_together

FILES = ("results.json", "table.csv", "training.svg")


@verb
def bench_training(
    edges: Annotated[
        int, typer.Option(help="Edges of the drawn network; inputs and hidden vertices go with it.")
    ] = 3700,
    cells: Annotated[int, typer.Option(help="Simulated cells; four fifths of them train, in whole batches.")] = 640,
    epochs: Annotated[int, typer.Option(help="Passes over the training cells; the first compiles.")] = 6,
    batch_size: Annotated[int, typer.Option(help="Cells a step.")] = 64,
    limit: Annotated[float, typer.Option(help="Seconds for each contestant.")] = 900.0,
    contestants: Annotated[list[str] | None, typer.Option("--contestant", help="Who takes part; repeatable.")] = None,
    corneto_python: Annotated[
        Path | None, typer.Option(envvar=CORNETO, help="Python that has CORNETO; a separate program.")
    ] = None,
    kpnn2_python: Annotated[
        Path | None, typer.Option(envvar=KPNN2, help="Python that has kpnn2; a separate program.")
    ] = None,
    rivals: Annotated[Path | None, typer.Option(help="Folder with the programs of the rivals.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results.json, table.csv and training.svg.")] = None,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Time building, compiling, training and predicting: ours, dense and masked layers, and rivals.

    Without --contestant: ours, dense, masked, and the rivals whose Python is named. Ctrl-C keeps what was measured.
    """
    check_numbers(edges=edges, cells=cells, epochs=epochs, batch_size=batch_size, limit=limit)
    pythons = {key: str(path) for key, path in {CORNETO: corneto_python, KPNN2: kpnn2_python}.items() if path}
    entrants = chosen_contestants(contestants, pythons, rivals)
    if out is not None:
        check_folder(out, FILES, force=force)
    screen = console(quiet=quiet)
    options = RunOptions(batch_size=batch_size, epochs=epochs, seed=seed)
    with screen.status(f"drawing {edges:,} edges and {cells:,} cells"):
        instance = drawn_instance(edges, cells, batch_size=batch_size, seed=seed)
        bandwidth = copy_bandwidth()
    rows, finished = measured(instance, entrants, options, screen, limit_s=limit, bandwidth=bandwidth)
    data = record.record(
        [row.to_dict() for row in rows], bandwidth=bandwidth, options=asdict(options), seed=seed, finished=finished
    )
    if out is not None:
        write_results(out, data, screen, force=force)
    if json_:
        print_json(data)
    elif out is None:
        print_lines(record.table_csv(data["rows"]).decode().splitlines())
    if not finished:
        screen.print(f"stopped: {len(rows)} of {len(entrants)} runs were measured and kept")
        raise typer.Exit(INTERRUPTED)


def check_numbers(*, edges: int, cells: int, epochs: int, batch_size: int, limit: float) -> None:
    """Refuse what cannot be, before anything is drawn.

    Raises:
        OptionError: A number is out of its range.
    """
    if edges < LEAST_EDGES:
        raise OptionError("--edges", edges, f"at least {LEAST_EDGES}")
    if batch_size < 1:
        raise OptionError("--batch-size", batch_size, "at least 1")
    if epochs < 2:
        raise OptionError("--epochs", epochs, "at least 2: the first compiles, the others are timed")
    if _n_train(cells) < batch_size:
        least = math.ceil(batch_size * 5 / 4)
        raise OptionError("--cells", cells, f"at least {least}, so that four fifths are a batch of {batch_size}")
    if not 0 < limit < math.inf:
        raise OptionError("--limit", limit, "a number of seconds > 0")


def chosen_contestants(names: Sequence[str] | None, pythons: dict[str, str], rivals: Path | None) -> list[Contestant]:
    """The contestants of these names, once each; None: our own, and the rivals whose Python is named.

    Raises:
        OptionError: A name is none of ours, or the folder of the rivals is none.
    """
    check_rivals(rivals)
    if names is None:
        names = (*OWN, *(name for name, (_, variable, _) in RIVAL.items() if variable in pythons))
    for name in names:
        if name not in NAMES:
            hint = did_you_mean([name], NAMES).removeprefix("; ")
            raise OptionError("--contestant", name, f"one of {', '.join(NAMES)}", do=hint)
    return [contestant(name, pythons=pythons, rivals=rivals) for name in dict.fromkeys(names)]


def drawn_instance(edges: int, cells: int, *, batch_size: int, seed: int) -> Instance:
    """A drawn network and simulated cells."""
    shape = shape_of(edges)
    dag = draw_network(shape, seed=seed)
    x, y = draw_cells(dag, cells, seed=seed)
    return instance_of(shape.name, dag, x, y, n_train=_n_train(cells), batch_size=batch_size)


def measured(
    instance: Instance,
    entrants: Sequence[Contestant],
    options: RunOptions,
    screen: Console,
    *,
    limit_s: float,
    bandwidth: float,
) -> tuple[list[Row], bool]:
    """The rows, and whether all were measured: Ctrl-C ends the contest, not the record of it."""
    rows: list[Row] = []
    try:
        with screen.status("starting") as status:

            def before(instance: str, name: str) -> None:
                status.update(f"{instance}: {name}")

            for row in contest(instance, entrants, options, limit_s=limit_s, bandwidth=bandwidth, before=before):
                rows.append(row)
                screen.print(record.sentence(row.to_dict()))
    except KeyboardInterrupt:
        return rows, False
    return rows, True


def write_results(out: Path, data: dict[str, Any], screen: Console, *, force: bool) -> None:
    """The three files, or two where nothing can be drawn."""
    rows = data["rows"]
    files = {"results.json": record.json_bytes(data), "table.csv": record.table_csv(rows)}
    if not any(row["status"] == "done" for row in rows):
        screen.print("no plot: nothing was measured")
    elif record.can_draw():
        files["training.svg"] = record.drawn(rows)
    else:
        screen.print("no plot: the package matplotlib is not installed; pip install 'graphnn[bench]'")
    out.mkdir(exist_ok=True)
    write_together({out / name: content for name, content in files.items()}, force=force)
    screen.print(f"written to {out}: {', '.join(files)}")


def _n_train(cells: int) -> int:
    return cells * 4 // 5
