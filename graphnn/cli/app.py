"""The `graphnn` command: its verbs and nothing else."""

from __future__ import annotations

from typing import Annotated

import typer

from graphnn import __version__
from graphnn.cli.bench import bench_solvers
from graphnn.cli.bench_training import bench_training
from graphnn.cli.check import check
from graphnn.cli.compare import compare
from graphnn.cli.compile import compile_
from graphnn.cli.demo import demo
from graphnn.cli.extract import extract
from graphnn.cli.predict import predict
from graphnn.cli.prune import prune
from graphnn.cli.report import report
from graphnn.cli.train import train
from graphnn.cli.verify import verify

app = typer.Typer(
    name="graphnn",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: nothing in it is markup, and no name is cut in a narrow window
    add_completion=False,
    help="Provably minimal prior knowledge networks, compiled to Keras models and compared honestly.\n\n"
    "Exit codes: 0 done, 1 failure, 2 usage, 3 no feasible network, 4 stopped at a limit with an answer.",
)
app.command()(demo)
app.command()(check)
app.command()(prune)
app.command()(extract)
app.command()(verify)
app.command(name="compile")(compile_)
app.command()(train)
app.command()(predict)
app.command()(compare)
app.command()(report)
bench = typer.Typer(
    name="bench", no_args_is_help=True, rich_markup_mode=None, help="Measure solvers, or training, against others."
)
bench.command(name="solvers")(bench_solvers)
bench.command(name="training")(bench_training)
app.add_typer(bench)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options of the command itself."""
