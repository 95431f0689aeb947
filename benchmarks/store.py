"""Where results of benchmarks go: JSON with commit, versions and machine, so that a figure can be traced."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
PACKAGES = ("graphnn", "numpy", "scipy", "highspy", "pyscipopt", "cvxpy", "keras", "jax")


def real_data() -> Path | None:
    """The folder of real networks and cells: GRAPHNN_REAL_DATA, or shared/data beside the checkout; None if absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("GRAPHNN_REAL_DATA", beside))
    return folder if folder.is_dir() else None


def store(name: str, rows: list[dict[str, Any]]) -> Path:
    """Write rows with what they were measured on; gives the file."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    record = {
        "benchmark": name,
        "commit": commit.stdout.strip() or None,
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"cores": os.cpu_count(), "processor": platform.machine(), "system": platform.system()},
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in PACKAGES},
        "rows": rows,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return path


def show(rows: list[dict[str, Any]]) -> None:
    """Print rows as an aligned table."""
    columns = list(rows[0])
    cells = [columns, *([_text(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
