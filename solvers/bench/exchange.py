"""The files between the benchmark and the programs that solve: a problem as .npz, an answer as JSON.

problem.npz holds `n_vertices`, `sources`, `targets`, `inputs`, `outputs` and `costs`, as `solvers.Problem`. answer.json
holds an object with `status` ("optimal", "limit", "nothing", "failed", "not installed" or "not applicable") and, where
they apply, `edges` (indices into `sources`), `objective`, `bound`, `build_s`, `seconds`, `first_s`, `last_s`,
`peak_mb`, `message`, `versions` and `details`; null and absent are the same. A program in any language can take part.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from solvers.bench.answer import FAILED, STATED, Answer
from solvers.problem import Problem

ARRAYS = ("sources", "targets", "inputs", "outputs", "costs")
NUMBERS = ("objective", "bound", "build_s", "seconds", "first_s", "last_s", "peak_mb")


def write_problem(path: Path, problem: Problem) -> None:
    """Write problem.npz."""
    np.savez(path, n_vertices=np.int64(problem.n_vertices), **{name: getattr(problem, name) for name in ARRAYS})


def read_problem(path: Path) -> Problem:
    """Read problem.npz."""
    with np.load(path, allow_pickle=False) as held:
        return Problem(n_vertices=int(held["n_vertices"]), **{name: held[name] for name in ARRAYS})


def write_answer(path: Path, said: Mapping[str, Any]) -> None:
    """Write answer.json; numbers that are not finite become null."""
    plain = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in said.items()
    }
    path.write_text(json.dumps(plain, allow_nan=False, default=_plain), encoding="utf-8")


def read_answer(path: Path) -> Answer:
    """Read answer.json; a file that is no answer becomes one with the status "failed" that says why."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Answer(FAILED, message=f"the answer cannot be read: {error}")
    if not isinstance(said, dict) or said.get("status") not in STATED:
        return Answer(FAILED, message=f"expected a status among {', '.join(STATED)}, got {said!r:.80}")
    try:
        edges = tuple(int(edge) for edge in said.get("edges") or ())
        numbers = {name: None if said.get(name) is None else float(said[name]) for name in NUMBERS}
    except (TypeError, ValueError) as error:
        return Answer(FAILED, message=f"the answer holds something that is no number: {error}")
    return Answer(
        status=said["status"],
        edges=edges,
        message=str(said.get("message") or ""),
        versions=_table(said.get("versions")),
        details=_table(said.get("details")),
        objective=numbers["objective"],
        bound=numbers["bound"],
        build_s=numbers["build_s"],
        seconds=numbers["seconds"],
        first_s=numbers["first_s"],
        last_s=numbers["last_s"],
        peak_mb=numbers["peak_mb"],
    )


def _table(value: Any) -> dict[str, Any]:
    return {str(name): entry for name, entry in value.items()} if isinstance(value, dict) else {}


def _plain(value: Any) -> Any:
    """NumPy numbers and arrays as JSON types."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)
