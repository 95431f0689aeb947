"""`graphnn report`: the page again, from a report.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from graphnn.cli.common import Force, Json, Quiet, Seed, console, print_json, verb
from graphnn.errors import FormatError
from graphnn.graph.files import check_output, read_text, write_whole
from graphnn.report.html import render_html


@verb
def report(
    payload: Annotated[Path, typer.Argument(help="report.json of `graphnn compare`.")],
    out: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("report.html"),
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Write the HTML report that belongs to a report.json; the numbers are those of the file."""
    check_output(out, force=force)
    try:
        data = json.loads(read_text(payload, what="a report.json"))
        page = render_html(data)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"expected JSON, got something else ({error}); is this the right file?", path=payload
        ) from error
    write_whole(out, page.encode(), force=force)
    if json_:
        print_json({"out": str(out), "bytes": len(page.encode()), "seed": seed})
    console(quiet=quiet).print(f"wrote {out}")
