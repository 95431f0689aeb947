"""What all verbs share: option types, the console, reading networks and names, exit codes."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ParamSpec

import typer
from rich.console import Console
from rich.text import Text

from graphnn.cli import INTERRUPTED
from graphnn.errors import FormatError, GraphnnError, OptionError
from graphnn.graph.check import reading
from graphnn.graph.files import read_text
from graphnn.graph.prior import PriorGraph
from graphnn.graph.sif import read_sif

P = ParamSpec("P")

LIMIT = 4  # exit code: stopped at a limit with an answer

Network = Annotated[Path, typer.Argument(help="Prior knowledge network: SIF, or an edge table (.csv, .tsv); .gz too.")]
Outputs = Annotated[str, typer.Option("--outputs", "-o", help="Predicted vertices, separated by commas.")]
Inputs = Annotated[str | None, typer.Option("--inputs", "-i", help="Measured vertices, separated by commas.")]
InputsFile = Annotated[Path | None, typer.Option(help="File with one measured vertex a line.")]
InputSuffix = Annotated[
    str | None,
    typer.Option(
        help="All vertices that end so are inputs, unless --inputs or --inputs-file name them; "
        "the column that feeds an input is called what stands before it."
    ),
]
Source = Annotated[str | None, typer.Option(help="Edge table: column with the tail of each edge (default: source).")]
Target = Annotated[str | None, typer.Option(help="Edge table: column with the head of each edge (default: target).")]
Out = Annotated[Path | None, typer.Option(help="Where to write the result.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages, errors only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON to stdout.")]
Seed = Annotated[int, typer.Option(min=0, help="Of everything that is drawn; recorded in the JSON.")]
TimeLimit = Annotated[float | None, typer.Option(help="Seconds for each extraction; none by default.")]
Method = Annotated[str, typer.Option(help="auto, steiner or milp.")]
Solver = Annotated[str, typer.Option(help="auto, highs, scip or cvxpy; the last two mean method milp.")]

Task = Annotated[str, typer.Option(help="binary, multiclass or regression.")]
HiddenActivation = Annotated[str, typer.Option(help="Of hidden vertices.")]
Activation = Annotated[
    list[str] | None, typer.Option(help="NAME=tanh: of one hidden vertex, in place of the above; may be repeated.")
]
LevelActivation = Annotated[
    list[str] | None, typer.Option(help="2=tanh: of the hidden vertices of one level, from 1; may be repeated.")
]
Units = Annotated[int, typer.Option(help="Columns of each hidden vertex.")]
InputNormalization = Annotated[bool, typer.Option("--input-normalization", help="Batch-normalise inputs.")]
InputDropout = Annotated[float, typer.Option(help="Fraction of the input values dropped in training.")]
Dropout = Annotated[float, typer.Option(help="Fraction dropped in training, further up.")]
DropoutOn = Annotated[str, typer.Option(help="edges or nodes.")]
AdaptiveDropout = Annotated[bool, typer.Option("--adaptive-dropout", help="Drop less where little arrives.")]
KernelL1 = Annotated[float, typer.Option(help="L1 penalty on edge weights.")]
KernelL2 = Annotated[float, typer.Option(help="L2 penalty on edge weights.")]
BiasL1 = Annotated[float, typer.Option(help="L1 penalty on biases.")]
BiasL2 = Annotated[float, typer.Option(help="L2 penalty on biases.")]
SignPolicy = Annotated[str, typer.Option(help="free, initialised, soft or hard: what an interaction means.")]
SignPenalty = Annotated[float, typer.Option(help="Penalty on weights of the wrong sign, with soft.")]
Kernel = Annotated[str, typer.Option(help="auto, edge or dense: how layers compute; the results are the same.")]
Dtype = Annotated[str, typer.Option(help="auto, float32, mixed_float16 or mixed_bfloat16.")]
TrainingEngine = Annotated[
    str, typer.Option("--engine", help="What trains: auto, jax, or numba (on the CPU, several times faster).")
]


def console(*, quiet: bool = False) -> Console:
    """Messages for people, on stderr."""
    return Console(stderr=True, quiet=quiet, highlight=False, soft_wrap=True, markup=False, emoji=False)


def verb(function: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line on stderr and the exit code that they stand for."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
            sys.stdout.flush()  # a reader that has gone is met here, not when Python ends
        except GraphnnError as error:
            fail(str(error))
            raise typer.Exit(error.exit_code) from error
        except KeyboardInterrupt:
            console().print("stopped: nothing was half written")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone; say no more
            raise typer.Exit(0) from None
        except OSError as error:
            fail(f"expected to read and write files, but the system refused ({error}); check rights and space")
            raise typer.Exit(1) from error

    return run


def fail(message: str) -> None:
    """An error in one line on stderr, never silenced."""
    console().print(Text.assemble(("error: ", "bold red"), message))


def read_network(path: Path, screen: Console, *, source: str | None = None, target: str | None = None) -> PriorGraph:
    """Read an edge table if columns are named or the file is called one, else a SIF file; say what was merged."""
    plain = path.name.lower().removesuffix(".gz")
    if source or target or plain.endswith((".csv", ".tsv")):
        from graphnn.graph.tables import read_edge_table

        graph = read_edge_table(path, source=source or "source", target=target or "target")
    else:
        graph = read_sif(path)
    for finding in reading(graph):
        screen.print(f"{finding.topic}: {finding.sentence}")
    return graph


def names_of(text: str, *, option: str) -> list[str]:
    """Names separated by commas.

    Raises:
        OptionError: There is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise OptionError(option, text, "names separated by commas")
    return names


def choose_inputs(graph: PriorGraph, names: str | None, file: Path | None, suffix: str | None) -> list[str]:
    """Inputs by one of the three options: named, listed in a file, or all vertices with a suffix.

    Raises:
        OptionError: None of them was given, or `--inputs` and `--inputs-file` both.
        FormatError: The file lists nothing.
    """
    if names is not None and file is not None:
        raise OptionError("--inputs", names, "absent where --inputs-file is given", do="give one of them")
    if names is not None:
        return names_of(names, option="--inputs")
    if file is not None:
        lines = [line.strip() for line in read_text(file, what="a list of inputs").splitlines()]
        listed = [line for line in lines if line and not line.startswith("#")]
        if not listed:
            raise FormatError("expected one name a line, found none; is this the right file?", path=file)
        return listed
    if suffix:
        chosen = [name for name in graph.nodes if name.endswith(suffix)]
        if not chosen:
            raise OptionError("--input-suffix", suffix, "the ending of at least one vertex", do="check the network")
        return chosen
    raise OptionError("inputs", None, "given", do="use --inputs a,b or --inputs-file FILE or --input-suffix _gene")


def activations_of(names: list[str] | None, levels: list[str] | None) -> dict[str | int, str]:
    """What `--activation` and `--level-activation` say, as `NetworkOptions` takes it.

    Raises:
        OptionError: An entry has no "=", a level is no number, or something is named twice.
    """
    found: dict[str | int, str] = {}
    for option, entries in (("--activation", names or []), ("--level-activation", levels or [])):
        for entry in entries:
            name, _, activation = entry.rpartition("=")  # a name may hold "=", an activation does not
            is_level = option == "--level-activation"
            if not name or (is_level and not name.isdecimal()):
                raise OptionError(option, entry, "LEVEL=ACTIVATION, e.g. 2=tanh" if is_level else "NAME=ACTIVATION")
            of = int(name) if is_level else name
            if of in found:
                raise OptionError(option, entry, f"given once for {name}")
            found[of] = activation
    return found


def print_json(data: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    sys.stdout.write(json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n")


def print_lines(lines: Iterable[str]) -> None:
    """Data on stdout."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
