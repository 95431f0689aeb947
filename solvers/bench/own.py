"""Our own solver as a contestant: `python -m solvers.bench.own PROBLEM ANSWER --limit S --seed N --option KEY=VALUE`.

It runs as a process of its own, as all contestants do, so that a limit can be enforced and memory measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from solvers.bench import exchange
from solvers.bench.families import hypercube
from solvers.clock import Clock
from solvers.errors import SolverError, UnknownBackend
from solvers.options import Options
from solvers.problem import Problem
from solvers.result import Progress
from solvers.solve import solve


class _Moments:
    """When the first network came, and when network or bound last improved."""

    def __init__(self) -> None:
        self.first_s: float | None = None
        self.last_s: float | None = None
        self._best: tuple[float | None, float] | None = None

    def __call__(self, moment: Progress) -> None:
        if moment.incumbent is not None and self.first_s is None:
            self.first_s = moment.seconds
        if (moment.incumbent, moment.bound) != self._best:
            self._best, self.last_s = (moment.incumbent, moment.bound), moment.seconds


def answer(problem: Problem, *, method: str, backend: str, limit_s: float, seed: int) -> dict[str, Any]:
    """What `solvers.solve` says, in the words of `exchange`."""
    moments = _Moments()
    # Packages are loaded, and what is compiled on first use is compiled, before the clock starts: as for the others.
    solve(hypercube(4), method=method, backend=backend)
    clock = Clock()
    options = Options(method=method, backend=backend, time_limit_s=limit_s, seed=seed, on_progress=moments)
    found = solve(problem, options=options)
    seconds = clock.seconds
    has_network = found.termination.value != "nothing"
    return {
        "status": found.termination.value,
        "edges": found.edges.tolist(),
        "objective": found.objective if has_network else None,
        "bound": found.bound,
        "seconds": seconds,
        "build_s": found.details.get("model", {}).get("seconds"),
        "first_s": seconds if moments.first_s is None and has_network else moments.first_s,
        "last_s": seconds if moments.last_s is None and has_network else moments.last_s,
        "peak_mb": _peak_mb(),
        "versions": dict(found.versions),
        "details": dict(found.details),
    }


def _peak_mb() -> float | None:
    """Peak memory of this process in MiB; None where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the problem, solve it, write the answer; the exit code is always 0, troubles stand in the answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("problem", type=Path)
    parser.add_argument("answer", type=Path)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--option", action="append", default=[])
    given = parser.parse_args(arguments)
    chosen = dict(option.split("=", 1) for option in given.option)
    try:
        said = answer(
            exchange.read_problem(given.problem),
            method=chosen.get("method", "auto"),
            backend=chosen.get("backend", "auto"),
            limit_s=given.limit,
            seed=given.seed,
        )
    except UnknownBackend as error:
        said = {"status": "not installed", "message": str(error)}
    except SolverError as error:
        said = {"status": "failed", "message": f"{type(error).__name__}: {error}"}
    exchange.write_answer(given.answer, said)
    return 0


if __name__ == "__main__":
    main(sys.argv[1:])
