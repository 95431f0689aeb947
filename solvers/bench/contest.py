"""Contestants and the contest: one process at a time, killed when its time is over, its answer checked.

All contestants follow one rule: they get the same file, the same limit on wall clock from problem to answer (models
included, loading of packages not), and a grace period to write their answer down, after which they are stopped.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from solvers.bench import exchange
from solvers.bench.answer import FAILED, NOT_INSTALLED, TIME_OUT, Answer, Row, judged
from solvers.bench.instances import Instance
from solvers.errors import ProblemError
from solvers.problem import Problem

GRACE_S = 30.0  # at least; for loading packages before the clock starts, and for writing an answer after it has ended
CORNETO, STEINERPY = "GRAPHNN_CORNETO_PYTHON", "GRAPHNN_STEINERPY_PYTHON"
PACKAGE_ROOT = Path(__file__).resolve().parents[2]
RIVALS = PACKAGE_ROOT / "benchmarks" / "rivals"  # of a checkout; a wheel does not hold it


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
    program = (rivals or RIVALS) / file
    python = (pythons or {}).get(variable) or os.environ.get(variable, "")
    if not python:
        return Contestant(name, absent=f"set {variable} to a Python that has it")
    found = shutil.which(python)
    if found is None:
        return Contestant(name, absent=f"there is no program {Path(python).name} where {variable} or its option says")
    if not program.is_file():
        return Contestant(name, absent=f"there is no {program.name} in {program.parent.name}; name its folder")
    # Absolute, as it runs elsewhere; links are kept, as they are what makes a virtual environment.
    return Contestant(name, (os.path.abspath(found), str(program.resolve())), options)


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
        with (folder / "said.txt").open("wb") as said:
            try:
                code = _wait(words, folder, said, seconds=limit_s + grace_s, environment=_environment(entrant))
            except OSError as error:
                return Answer(NOT_INSTALLED, message=f"cannot be started ({error.strerror})")
        if code is None:
            return Answer(TIME_OUT, message=f"stopped {grace_s:g} s after the limit", seconds=limit_s + grace_s)
        if not (folder / "answer.json").exists():
            return Answer(FAILED, message=f"exit code {code}: {_last_line(folder / 'said.txt')}")
        return exchange.read_answer(folder / "answer.json")


def _environment(entrant: Contestant) -> dict[str, str]:
    """Variables for the program: with our packages for our own, without any of ours for a rival."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if entrant.is_own:
        paths = (str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", ""))
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return variables


def _wait(
    words: Sequence[str], folder: Path, said: IO[bytes], *, seconds: float, environment: dict[str, str]
) -> int | None:
    """Run a program to its end; None if it had to be stopped. Its own children are stopped with it, always."""
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a program and what it started: they are one process group."""
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "it said nothing"
