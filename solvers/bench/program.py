"""A program in a process of its own: stopped when its time is over, with all that it started, and never left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
RIVALS = PACKAGE_ROOT / "benchmarks" / "rivals"  # of a checkout; a wheel does not hold it


def rival_command(file: str, variable: str, *, python: str = "", rivals: Path | None = None) -> tuple[str, ...] | str:
    """The words that run a rival's program, or why it cannot be run.

    Args:
        file: Name of the program.
        variable: Environment variable that names the Python which has the rival installed.
        python: That Python; empty: what the variable says.
        rivals: Folder with the programs of the rivals; None: that of a checkout.
    """
    program = (rivals or RIVALS) / file
    python = python or os.environ.get(variable, "")
    if not python:
        return f"set {variable} to a Python that has it"
    found = shutil.which(python)
    if found is None:
        return f"there is no program {Path(python).name} where {variable} or its option says"
    if not program.is_file():
        return f"there is no {program.name} in {program.parent.name}; name its folder"
    # Absolute, as it runs elsewhere; links are kept, as they are what makes a virtual environment.
    return os.path.abspath(found), str(program.resolve())


def run_program(
    words: Sequence[str], folder: Path, *, seconds: float, environment: Mapping[str, str]
) -> tuple[int | None, str]:
    """Run a program in a folder and wait for its end.

    Args:
        words: The program and its arguments.
        folder: Where it runs; what it says is kept there in said.txt.
        seconds: Then it is stopped, and its own children with it.
        environment: All of its variables.

    Returns:
        Exit code, None if it had to be stopped; and the last line that it said.

    Raises:
        OSError: It cannot be started.
    """
    with (folder / "said.txt").open("wb") as said:
        code = _wait(words, folder, said, seconds=seconds, environment=environment)
    return code, _last_line(folder / "said.txt")


def environment(*, is_own: bool) -> dict[str, str]:
    """Variables for a program: with our packages for one of our own, without any of ours for a rival."""
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if is_own:
        paths = (str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", ""))
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return variables


def _wait(
    words: Sequence[str], folder: Path, said: IO[bytes], *, seconds: float, environment: Mapping[str, str]
) -> int | None:
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
