"""`graphnn predict`: what a trained model says of new cells."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Annotated

import typer

from graphnn.cli.cells import CellsFile, CellsLayer, Genome
from graphnn.cli.common import Force, Json, Out, Quiet, Seed, console, print_json, print_lines, verb
from graphnn.errors import OptionError, quoted
from graphnn.graph.files import check_output, write_whole


@verb
def predict(
    model: Annotated[Path, typer.Argument(help="Bundle that `graphnn train` wrote.")],
    cells: CellsFile,
    missing: Annotated[str, typer.Option(help="Genes without a column: raise, zero or mean.")] = "raise",
    layer: CellsLayer = None,
    genome: Genome = None,
    normalize: Annotated[
        str, typer.Option(help="auto (whole numbers, if the cells that trained were), log or none.")
    ] = "auto",
    batch_size: Annotated[int | None, typer.Option(min=1, help="Cells at a time (default: about 256 MB).")] = None,
    out: Out = None,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Predict cells with a trained model, by name of the gene; write CSV to --out or stdout."""
    if out is not None:
        check_output(out, force=force)
    screen = console(quiet=quiet)
    with screen.status("loading"):
        import pandas as pd

        from graphnn.compiler.bundle import read_bundle
        from graphnn.data.read import read_cells
        from graphnn.evaluate.predict import MISSING, NORMALIZATIONS, predict_batches, read_as
    for option, value, choices in (("--missing", missing, MISSING), ("--normalize", normalize, NORMALIZATIONS)):
        if value not in choices:
            raise OptionError(option, value, f"one of {', '.join(choices)}")
    bundle = read_bundle(model)
    duplicates = bundle.preprocessing.duplicates if bundle.preprocessing else "max"
    table = read_cells(cells, layer=layer, genome=genome, duplicates=duplicates)
    screen.print(f"Read {cells.name}: {table.n_cells:,} cells, {table.n_genes:,} genes.")
    if bundle.training is None:
        screen.print("The bundle does not say that it was trained: after `compile` alone its weights are random.")
    reading = read_as(bundle, table, missing=missing, normalize=normalize)
    screen.print(reading.note)
    if reading.missing:
        what = "0" if missing == "zero" else "the mean of the cells that trained"
        screen.print(f"{len(reading.missing):,} inputs have no column and get {what}: {quoted(reading.missing)}.")
    parts = []
    with screen.status("predicting"):
        for part in predict_batches(bundle, table, missing=missing, normalize=normalize, batch_size=batch_size):
            parts.append(part)
    found = pd.concat(parts)
    text = found.to_csv(lineterminator="\n")
    if out is not None:
        data = text.encode()
        write_whole(out, gzip.compress(data, mtime=0) if out.name.endswith(".gz") else data, force=force)
        screen.print(f"wrote {out}: {len(found):,} cells, {len(found.columns):,} outputs")
    if json_:
        rows = None
        if out is None:
            values = found.to_dict(orient="records")
            rows = [{**row, "barcode": barcode} for barcode, row in zip(found.index, values, strict=True)]
        print_json(
            {
                "out": None if out is None else str(out),
                "cells": len(found),
                "outputs": list(found.columns),
                "fingerprint": bundle.plan.fingerprint,
                "missing": {"policy": missing, "inputs": list(reading.missing)},
                "normalization": reading.note,
                "predictions": rows,
                "seed": seed,
            }
        )
    elif out is None:
        print_lines([text[:-1]])
