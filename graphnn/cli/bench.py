"""`graphnn bench solvers`: the solver benchmark, on drawn instances, SteinLib files or a network of one's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from graphnn.cli import INTERRUPTED
from graphnn.cli.common import (
    Force,
    Inputs,
    InputsFile,
    InputSuffix,
    Json,
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
from graphnn.errors import FormatError, MissingFileError, OptionError, did_you_mean
from graphnn.extract.encode import encode, roles
from graphnn.graph.files import check_output, write_together
from solvers.bench import profile
from solvers.bench.answer import Row
from solvers.bench.contest import CORNETO, DEFAULT, NAMES, STEINERPY, Contestant, contest, contestant
from solvers.bench.instances import FAMILIES, Instance, from_stp, quick
from solvers.bench.record import json_bytes, record
from solvers.bench.steinlib import StpError

FILES = ("results.json", "table.csv", "profile.svg")


@verb
def bench_solvers(
    limit: Annotated[float, typer.Option(help="Seconds for each instance and contestant.")] = 60.0,
    family: Annotated[list[str] | None, typer.Option(help="All instances of a family; repeatable.")] = None,
    contestants: Annotated[list[str] | None, typer.Option("--contestant", help="Who takes part; repeatable.")] = None,
    stp: Annotated[list[Path] | None, typer.Option(help="SteinLib file (.stp, .stp.gz); repeatable.")] = None,
    network: Annotated[Path | None, typer.Option(help="A network of your own: SIF or edge table.")] = None,
    outputs: Annotated[str | None, typer.Option("--outputs", "-o", help="Of --network, separated by commas.")] = None,
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    input_suffix: InputSuffix = None,
    source: Source = None,
    target: Target = None,
    corneto_python: Annotated[
        Path | None, typer.Option(envvar=CORNETO, help="Python that has CORNETO; a separate program.")
    ] = None,
    steinerpy_python: Annotated[
        Path | None, typer.Option(envvar=STEINERPY, help="Python that has SteinerPy; a separate program.")
    ] = None,
    rivals: Annotated[Path | None, typer.Option(help="Folder with the programs of the rivals.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results.json, table.csv and profile.svg.")] = None,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Let solvers compete: every answer is checked, none is dropped.

    Without --family, --stp and --network: the smallest instance of each family. Ctrl-C keeps what was measured.
    """
    if not 0 < limit < math.inf:
        raise OptionError("--limit", limit, "a number of seconds > 0")
    screen = console(quiet=quiet)
    pythons = {CORNETO: corneto_python, STEINERPY: steinerpy_python}
    entrants = chosen_contestants(
        contestants or DEFAULT, {key: str(path) for key, path in pythons.items() if path}, rivals
    )
    if out is not None:
        check_folder(out, FILES, force=force)
    instances = chosen_instances(family or (), stp or (), seed=seed, nothing_else=network is None)
    if network is not None:
        if outputs is None:
            raise OptionError("--outputs", None, "given with --network")
        graph = read_network(network, screen, source=source, target=target)
        wanted = choose_inputs(graph, inputs, inputs_file, input_suffix)
        ends = names_of(outputs, option="--outputs")
        pruned = graph.prune(wanted, ends)
        problem = encode(pruned, *roles(pruned, wanted, ends))
        instances = (*instances, Instance(network.name, "network", lambda: problem))
    rows, finished = measured(instances, entrants, screen, limit_s=limit, seed=seed)
    data = record(rows, limit_s=limit, seed=seed, finished=finished)
    if out is not None:
        write_results(out, data, screen, force=force)
    if json_:
        print_json(data)
    elif out is None:
        print_lines(profile.table_csv(data["rows"]).decode().splitlines())
    if not finished:
        screen.print(f"stopped: {len(rows)} of {len(instances) * len(entrants)} runs were measured and kept")
        raise typer.Exit(INTERRUPTED)


def chosen_contestants(names: Sequence[str], pythons: dict[str, str], rivals: Path | None) -> list[Contestant]:
    """The contestants of these names, once each.

    Raises:
        OptionError: A name is none of ours, or the folder of the rivals is none.
    """
    check_rivals(rivals)
    for name in names:
        if name not in NAMES:
            raise OptionError("--contestant", name, f"one of {', '.join(NAMES)}", do=_hint(name, NAMES))
    return [contestant(name, pythons=pythons, rivals=rivals) for name in dict.fromkeys(names)]


def check_rivals(rivals: Path | None) -> None:
    """Refuse a folder with the programs of the rivals that is none."""
    if rivals is not None and not rivals.is_dir():
        raise OptionError("--rivals", str(rivals), "a folder", do="it is benchmarks/rivals of a checkout")


def chosen_instances(
    names: Sequence[str], files: Sequence[Path], *, seed: int, nothing_else: bool
) -> tuple[Instance, ...]:
    """The instances of these families and files; the quick set where nothing is asked for.

    Raises:
        OptionError: A family is none of ours, or two files have one name.
        MissingFileError, FormatError: A file is absent, or not what SteinLib's format asks for.
    """
    for name in names:
        if name not in FAMILIES:
            raise OptionError("--family", name, f"one of {', '.join(FAMILIES)}", do=_hint(name, tuple(FAMILIES)))
    if nothing_else and not names and not files:
        return quick(seed)
    found = [instance for name in dict.fromkeys(names) for instance in FAMILIES[name](seed)]
    for path in files:
        if not path.is_file():
            raise MissingFileError(path, what="a SteinLib file")
        if path.name in {instance.name for instance in found}:
            raise OptionError("--stp", str(path), "files of different names", do="rename one of them")
        try:
            found.append(from_stp(path))
        except StpError as error:
            raise FormatError(error.reason, path=path, line=error.line) from error
    return tuple(found)


def measured(
    instances: Sequence[Instance], entrants: Sequence[Contestant], screen: Console, *, limit_s: float, seed: int
) -> tuple[list[Row], bool]:
    """The rows, and whether all were measured: Ctrl-C ends the contest, not the record of it."""
    rows: list[Row] = []
    try:
        with screen.status("starting") as status:

            def before(instance: str, name: str) -> None:
                status.update(f"{instance}: {name}")

            for row in contest(instances, entrants, limit_s=limit_s, seed=seed, before=before):
                rows.append(row)
                screen.print(sentence(row))
    except KeyboardInterrupt:
        return rows, False
    return rows, True


def sentence(row: Row) -> str:
    """One line for people."""
    figures = "" if row.objective is None else f" {row.objective:,.10g}"
    if row.bound is not None and row.gap:
        figures += f", bound {row.bound:,.10g}, gap {100 * row.gap:.2f} %"
    seconds = "" if row.seconds is None else f" in {row.seconds:.2f} s"
    return f"{row.instance}: {row.contestant}: {row.status}{figures}{seconds}" + (
        f" ({row.message})" * bool(row.message)
    )


def check_folder(out: Path, files: Sequence[str], *, force: bool) -> None:
    """Refuse, before any work is done, a folder whose files must not be replaced."""
    if out.exists() and not out.is_dir():
        raise OptionError("--out", str(out), "a folder", do="it is a file; name another place")
    if out.is_dir():
        for name in files:
            check_output(out / name, force=force)
    elif not out.parent.is_dir():
        raise MissingFileError(out.parent, what="a folder to write to")


def write_results(out: Path, data: dict[str, Any], screen: Console, *, force: bool) -> None:
    """The three files, or two where nothing can be drawn."""
    rows = data["rows"]
    files = {"results.json": json_bytes(data), "table.csv": profile.table_csv(rows)}
    if not rows:
        screen.print("no plot: nothing was measured")
    elif profile.can_draw():
        files["profile.svg"] = profile.drawn(rows, limit_s=data["limit_s"])
    else:
        screen.print("no plot: the package matplotlib is not installed; pip install 'graphnn[bench]'")
    out.mkdir(exist_ok=True)
    write_together({out / name: content for name, content in files.items()}, force=force)
    screen.print(f"written to {out}: {', '.join(files)}")


def _hint(name: str, known: Sequence[str]) -> str:
    return did_you_mean([name], known).removeprefix("; ")
