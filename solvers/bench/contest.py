"""Contestants and the contest: one process at a time, killed when its time is over, its answer checked.

All contestants follow one rule: they get the same file, the same limit on wall clock from problem to answer (models
included, loading of packages not), and a grace period to write their answer down, after which they are stopped.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from solvers.bench import exchange
from solvers.bench.answer import FAILED, NOT_INSTALLED, TIME_OUT, Answer, Row, judged
from solvers.bench.instances import Instance
from solvers.bench.program import environment, rival_command, run_program
from solvers.errors import ProblemError
from solvers.problem import Problem

GRACE_S = 30.0  # at least; for loading packages before the clock starts, and for writing an answer after it has ended
CORNETO, STEINERPY = "GRAPHNN_CORNETO_PYTHON", "GRAPHNN_STEINERPY_PYTHON"


@dataclass(frozen=True)
class Contestant:
    """A program that takes part.

    Attributes:
        name: In the table.
        command: Words that start it, before the two files and the options; empty where it cannot take part.
        options: Passed as `--option`, each "key=value".
        absent: Why it cannot take part; empty where it can.
        is_own: Whether it imports our packages; a rival's Python must not see them.
    """

    name: str
    command: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    absent: str = ""
    is_own: bool = False


OWN = {
    "steiner": ("method=steiner",),
    "milp-highs": ("method=milp", "backend=highs"),
    "milp-scip": ("method=milp", "backend=scip"),
    "milp-cvxpy": ("method=milp", "backend=cvxpy"),
}
RIVAL = {
    "corneto": ("corneto_program.py", CORNETO, ()),
    "steinerpy": ("steinerpy_program.py", STEINERPY, ("dual_ascent=0",)),
    "steinerpy-dual-ascent": ("steinerpy_program.py", STEINERPY, ("dual_ascent=1",)),
}
NAMES = (*OWN, *RIVAL)
DEFAULT = ("steiner", "milp-highs")


def contestant(name: str, *, pythons: dict[str, str] | None = None, rivals: Path | None = None) -> Contestant:
    """The contestant of a name.

    Args:
        name: One of `NAMES`.
        pythons: For each environment variable, the Python that has the rival installed; what is absent is looked up
            in the environment.
        rivals: Folder with the programs of the rivals; None: that of a checkout.

    Raises:
        ProblemError: There is no such contestant.
    """
    if name in OWN:
        return Contestant(name, (sys.executable, "-m", "solvers.bench.own"), OWN[name], is_own=True)
    if name not in RIVAL:
        raise ProblemError(f"expected a contestant among {', '.join(NAMES)}, got {name!r}")
    file, variable, options = RIVAL[name]
    command = rival_command(file, variable, python=(pythons or {}).get(variable, ""), rivals=rivals)
    if isinstance(command, str):
        return Contestant(name, absent=command)
    return Contestant(name, command, options)


def contest(
    instances: Sequence[Instance],
    contestants: Sequence[Contestant],
    *,
    limit_s: float,
    seed: int = 0,
    grace_s: float | None = None,
    before: Callable[[str, str], None] | None = None,
) -> Iterator[Row]:
    """A row for each contestant on each instance, as they are measured; who stops listening keeps what there was.

    Args:
        instances: In this order; each problem is made once.
        contestants: In this order on each instance.
        limit_s: Seconds for each instance and contestant.
        seed: Passed to the contestants.
        grace_s: Seconds beyond the limit before a contestant is stopped; None: as many again as the limit, at least 30,
            for those that look at the clock between long steps only.
        before: Called with the names of instance and contestant before each run.
    """
    for instance in instances:
        problem = instance.make()
        for entrant in contestants:
            if before is not None:
                before(instance.name, entrant.name)
            said = run(entrant, problem, limit_s=limit_s, seed=seed, grace_s=grace_s)
            yield judged(instance, problem, entrant.name, said)


def run(
    entrant: Contestant, problem: Problem, *, limit_s: float, seed: int = 0, grace_s: float | None = None
) -> Answer:
    """Let a contestant solve a problem in a process of its own; it never outlives this call."""
    grace_s = max(GRACE_S, limit_s) if grace_s is None else grace_s
    if entrant.absent:
        return Answer(NOT_INSTALLED, message=entrant.absent)
    with tempfile.TemporaryDirectory(prefix="solvers-bench-") as place:
        folder = Path(place)
        exchange.write_problem(folder / "problem.npz", problem)
        words = [*entrant.command, "problem.npz", "answer.json", "--limit", f"{limit_s:g}", "--seed", str(seed)]
        for option in entrant.options:
            words += ["--option", option]
        variables = environment(is_own=entrant.is_own)
        try:
            code, last = run_program(words, folder, seconds=limit_s + grace_s, environment=variables)
        except OSError as error:
            return Answer(NOT_INSTALLED, message=f"cannot be started ({error.strerror})")
        if code is None:
            return Answer(TIME_OUT, message=f"stopped {grace_s:g} s after the limit", seconds=limit_s + grace_s)
        if not (folder / "answer.json").exists():
            return Answer(FAILED, message=f"exit code {code}: {last}")
        return exchange.read_answer(folder / "answer.json")
