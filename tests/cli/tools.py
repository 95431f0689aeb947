"""A tiny network, tiny cells, and ways to run `graphnn` on them: inside this process, and as one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner

from graphnn.cli.app import app

# min_edges keeps 6 of these edges, shortest_paths 7, max_edges 10: every objective has a network of its own.
NETWORK = """A_gene	1	A
B_gene	1	B
C_gene	1	A
C_gene	1	B
E_gene	1	A
A	1	B
B	-1	A
A	1	Y
B	1	Y
A	1	D
D	1	Y
"""
ROLES = ("--input-suffix", "_gene", "--outputs", "Y")
CELLS = ("--cells", "cells.csv", "--labels", "labels.csv")
SHORT = ("--folds", "2", "--epochs", "2")
COMPARE = ("compare", "net.sif", *ROLES, *CELLS, *SHORT)


@dataclass(frozen=True)
class Run:
    """What a run of the command gave."""

    code: int
    stdout: str
    stderr: str

    @property
    def data(self) -> Any:
        """Stdout, which must be one JSON value and nothing else."""
        return json.loads(self.stdout)


def run(*arguments: str | Path) -> Run:
    """`graphnn ARGUMENTS` in this process; an exception that the command lets through is raised here."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="graphnn")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Run(result.exit_code, result.stdout, result.stderr)


def succeed(*arguments: str | Path) -> Run:
    """As `run`, with exit code 0 and no traceback."""
    result = run(*arguments)
    assert result.code == 0, result.stderr
    return result


def command(*arguments: str | Path) -> list[str]:
    """The words that run `graphnn ARGUMENTS` as a process."""
    return [sys.executable, "-m", "graphnn", *map(str, arguments)]


def process(*arguments: str | Path, cwd: Path, **environment: str) -> Run:
    """`graphnn ARGUMENTS` as a process of its own."""
    result = subprocess.run(
        command(*arguments), cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
    )
    return Run(result.returncode, result.stdout, result.stderr)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder with its bytes, every folder with None."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def without(data: Any, *keys: str) -> Any:
    """JSON data less the values of some keys, wherever they stand."""
    if isinstance(data, Mapping):
        return {key: without(value, *keys) for key, value in data.items() if key not in keys}
    if isinstance(data, list):
        return [without(value, *keys) for value in data]
    return data


def read_json(path: Path) -> Any:
    """The JSON in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def cells_csv(genes: Sequence[str] = ("A", "B", "C", "E"), n_cells: int = 24) -> str:
    """Counts: the first gene is high where the label is 1, the third where it is 0."""
    rng = np.random.default_rng(0)
    lines = [",".join(("barcode", *genes))]
    for cell in range(n_cells):
        means = [3.0] * len(genes)
        means[0] += 5 * (cell % 2)
        if len(genes) > 2:
            means[2] += 5 * (1 - cell % 2)
        lines.append(",".join((f"c{cell:02}", *map(str, rng.poisson(means)))))
    return "\n".join(lines) + "\n"


def labels_csv(outputs: Sequence[str] = ("Y",), n_cells: int = 24) -> str:
    """Labels 0, 1, 0, 1, ...; a second output has them two by two."""
    lines = [",".join(("barcode", *outputs))]
    for cell in range(n_cells):
        lines.append(",".join((f"c{cell:02}", *(str(cell // (1 + index) % 2) for index in range(len(outputs))))))
    return "\n".join(lines) + "\n"


def fill(folder: Path) -> Path:
    """Write net.sif, cells.csv and labels.csv into a folder."""
    (folder / "net.sif").write_text(NETWORK)
    (folder / "cells.csv").write_text(cells_csv())
    (folder / "labels.csv").write_text(labels_csv())
    return folder
