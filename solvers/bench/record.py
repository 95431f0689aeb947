"""What a benchmark was measured with: versions, machine, commit, date; and the JSON that holds it beside the rows."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from solvers.bench.answer import Row, cross_checked, versions_of

PACKAGES = ("graphnn", "numpy", "scipy", "highspy", "pyscipopt", "cvxpy", "numba")


def record(rows: Sequence[Row], *, limit_s: float, seed: int, finished: bool) -> dict[str, Any]:
    """All that was measured, as JSON types; rows are checked against each other first.

    Args:
        rows: As the contest gave them.
        limit_s: Seconds for each instance and contestant.
        seed: Of instances and contestants.
        finished: Whether every contestant had its turn on every instance.
    """
    checked = cross_checked(rows)
    return {
        "benchmark": "solvers",
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "python": platform.python_version(),
        "versions": installed(),
        "versions_of_contestants": versions_of(checked),
        "limit_s": limit_s,
        "seed": seed,
        "finished": finished,
        "rows": [row.to_dict() for row in checked],
    }


def json_bytes(data: Mapping[str, Any]) -> bytes:
    """The record as a file holds it."""
    return (json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def commit() -> str | None:
    """Short commit of the checkout that this file stands in; None outside of one."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def machine() -> dict[str, Any]:
    """Cores, processor, memory and system, without the machine's name."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "memory_gb": _memory_gb(),
        "system": platform.system(),
    }


def installed() -> dict[str, str]:
    """Version of each package of ours that is installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory_gb() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    except (AttributeError, ValueError, OSError):
        return None
