"""What only a process of its own shows: entry points, pipes, Ctrl-C, hash seeds, the recorded command."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

import graphnn as gn
from tests.cli.tools import (
    COMPARE,
    ROLES,
    cells_csv,
    command,
    contents,
    labels_csv,
    process,
    read_json,
    succeed,
    without,
)

PATIENCE_S = 100  # for what a loaded machine may take; nothing is asserted about speed


# -- entry points --------------------------------------------------------------------------------------------------


def test_the_wheel_has_the_command_and_the_module_is_the_same(tmp_path):
    (entry,) = {*entry_points(group="console_scripts", name="graphnn")}
    assert entry.value.startswith("graphnn.")
    assert callable(entry.load())
    result = process("--version", cwd=tmp_path)
    assert (result.code, result.stdout, result.stderr) == (0, f"{gn.__version__}\n", "")


def test_asking_for_help_loads_neither_keras_nor_a_solver(tmp_path):
    code = (
        "import sys\nfrom graphnn.cli.app import app\n"
        "print(sorted({'keras', 'jax', 'matplotlib', 'sklearn', 'highspy', 'pyscipopt', 'cvxpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n", done.stderr


# -- the same run, the same bytes ----------------------------------------------------------------------------------


def test_two_hash_seeds_give_the_same_report_and_the_page_follows_from_the_json(folder):
    for seed in ("0", "1"):
        result = process(*COMPARE, "--seed", "3", "--out", f"rep{seed}", "--json", cwd=folder, PYTHONHASHSEED=seed)
        assert result.code == 0, result.stderr
        assert result.data == read_json(folder / f"rep{seed}" / "report.json")
        assert not {"\x1b", "\r"} & set(result.stderr), "control sequences where stderr is no terminal"
    first, second = (
        {
            name: without(read_json(folder / rep / name), "created", "seconds")
            for name in ("report.json", "full.json", "compressed.json")
        }
        for rep in ("rep0", "rep1")
    )
    assert first == second
    for seed in ("0", "1"):
        succeed("report", f"rep{seed}/report.json", "--out", f"{seed}.html")
        assert (folder / f"{seed}.html").read_bytes() == (folder / f"rep{seed}" / "report.html").read_bytes()


def test_json_files_of_the_recorded_command_differ_as_text_in_times_only(folder, compared):
    succeed(*shlex.split(compared[1].data["command"])[1:], "--out", "rep")
    times = re.compile(rb'"(created|seconds|build_seconds)": [^,\n]*')
    for name in ("report.json", "full.json", "compressed.json"):
        one, two = ((place / "rep" / name).read_bytes() for place in (folder, compared[0]))
        assert times.sub(b"", one) == times.sub(b"", two), name


@pytest.mark.parametrize(
    "options",
    [
        ("--seed", "3", "--folds", "3", "--dropout", "0.25", "--input-normalization", "--method", "milp"),
        ("--learning-rate", "1e-3", "--scaling", "none", "--normalize", "none", "--kernel-l2", "1e-05", "--seeds", "2"),
    ],
    ids=lambda options: str(len(options)),
)
def test_the_recorded_command_makes_the_same_report(folder, options):
    first = succeed(*COMPARE, *options, "--out", "first", "--force", "--quiet", "--json").data
    words = shlex.split(first["command"])
    assert words[:2] == ["graphnn", "compare"]
    assert not {"--out", "--force", "--quiet", "--json"} & set(words)
    again = succeed(*words[1:], "--out", "again", "--json").data
    assert without(again, "created", "seconds", "build_seconds") == without(
        first, "created", "seconds", "build_seconds"
    )


def test_the_recorded_command_keeps_blanks_and_quotes_of_names_and_files(folder):
    (folder / "my net's.sif").write_text((folder / "net.sif").read_text().replace("\tY", "\tthe output"))
    (folder / "my cells.csv").write_text(cells_csv())
    first = succeed(
        *("compare", "my net's.sif", "--outputs", "the output", "--inputs", "A_gene,B_gene", "--input-suffix", "_gene"),
        *("--cells", "my cells.csv", "--labels", "labels.csv", "--folds", "2", "--epochs", "2", "--json"),
    ).data
    again = succeed(*shlex.split(first["command"])[1:], "--out", "again", "--json").data
    assert without(again, "created", "seconds") == without(first, "created", "seconds")


# -- pipes ---------------------------------------------------------------------------------------------------------


def _chain(n: int) -> str:
    edges = [f"A_gene\t1\tvertex{i:05}\nvertex{i:05}\t1\tY\n" for i in range(n)]
    return "".join(edges)


@pytest.mark.parametrize("arguments", [("prune",), ("extract", "--objective", "shortest_paths"), ("extract", "--json")])
def test_a_reader_that_leaves_early_is_no_trouble(folder, arguments):
    (folder / "wide.sif").write_text(_chain(8000))
    verb, *options = arguments
    running = subprocess.Popen(
        command(verb, "wide.sif", *ROLES, *options), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout.readline()
    running.stdout.close()
    errors = running.stderr.read().decode()
    assert running.wait(PATIENCE_S) == 0, errors
    for word in ("Traceback", "Broken pipe", "BrokenPipe", "Exception ignored"):
        assert word not in errors


@pytest.mark.parametrize("arguments", [("check", "--json"), ("prune",)])
def test_a_reader_that_has_gone_before_anything_came_is_no_trouble(folder, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    verb, *options = arguments
    running = subprocess.Popen(
        command(verb, "net.sif", *ROLES, *options), cwd=folder, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    errors = running.stderr.read().decode()
    assert running.wait(PATIENCE_S) == 0, errors
    for word in ("Traceback", "Broken pipe", "BrokenPipe", "Exception ignored"):
        assert word not in errors


# -- Ctrl-C --------------------------------------------------------------------------------------------------------


class Watched:
    """A process whose stderr is a terminal that we read, so that progress shows."""

    def __init__(self, running: subprocess.Popen[bytes], terminal: int) -> None:
        self.running, self.terminal, self.seen = running, terminal, ""

    def read_until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if not self._read():
                raise AssertionError(f"ended before it said {text!r}:\n{self.seen}")

    def interrupt(self) -> int:
        self.running.send_signal(signal.SIGINT)
        while self._read():
            pass
        return self.running.wait(PATIENCE_S)

    def _read(self) -> bool:
        try:
            data = os.read(self.terminal, 65536)
        except OSError:  # Linux says so that the other end is closed
            return False
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextmanager
def watched(words: list[str], folder: Path) -> Iterator[Watched]:
    """Run with stderr on a terminal and SIGINT as a shell leaves it; what still runs at the end is killed."""
    terminal, other = pty.openpty()
    with (folder.parent / "stdout").open("wb") as stdout:
        running = subprocess.Popen(
            words,
            cwd=folder,
            stdout=stdout,
            stderr=other,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
    os.close(other)
    try:
        yield Watched(running, terminal)
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
        os.close(terminal)


def _ended_cleanly(watch: Watched, folder: Path, before: dict[str, bytes | None]) -> None:
    code = watch.interrupt()
    assert code == 130, watch.seen
    assert "stopped" in watch.seen
    assert "Traceback" not in watch.seen
    assert contents(folder) == before
    assert (folder.parent / "stdout").read_bytes() == b""


@pytest.fixture
def place(folder) -> Path:
    """The working directory with an older report in it, below a folder for what the test itself keeps."""
    from tests.cli.tools import fill

    inner = folder / "inner"
    (inner / "rep").mkdir(parents=True)
    (inner / "rep" / "report.json").write_text("older")
    return fill(inner)


def test_ctrl_c_in_training_leaves_everything_as_it_was(place):
    before = contents(place)
    endless = ("--epochs", "1000000", "--patience", "1000000", "--out", "rep", "--force", "--json")
    with watched(command(*COMPARE, *endless), place) as watch:
        watch.read_until("epoch")
        _ended_cleanly(watch, place, before)


def _hard(n_vertices: int = 400, n_edges: int = 2400, n_inputs: int = 150) -> str:
    """A cyclic drawn network with several outputs: minutes for the acyclic-flow program."""
    rng = np.random.default_rng(1)
    lines = [f"i{i}_gene\t1\tv{rng.integers(n_vertices)}" for i in range(n_inputs) for _ in range(4)]
    lines += ["v{}\t1\tv{}".format(*rng.choice(n_vertices, 2, replace=False)) for _ in range(n_edges)]
    lines += [f"v{i}\t1\tY{i % 4}" for i in range(40)]
    return "\n".join(dict.fromkeys(lines)) + "\n"


HARD = ("hard.sif", "--input-suffix", "_gene", "--outputs", "Y0,Y1,Y2,Y3")


@pytest.mark.parametrize("solver", ["highs", "scip", "cvxpy"])
def test_ctrl_c_in_an_extraction_gives_what_was_found_or_leaves_everything_as_it_was(place, solver):
    """A network in hand is written, with its bound, and the code is 4; without one nothing is, and it is 130."""
    (place / "hard.sif").write_text(_hard())
    before = contents(place)
    # The limit ends the test on a back end that does not hear the signal.
    limit = ("--method", "milp", "--solver", solver, "--time-limit", "40", "--out", "rep/report.json", "--force")
    with watched(command("extract", *HARD, *limit, "--json"), place) as watch:
        watch.read_until("extracting")
        time.sleep(4)  # into the engine; before or after it, what is asserted is the same
        asked = time.monotonic()
        code = watch.interrupt()
        assert time.monotonic() - asked < 25, "it went on until its time limit"
    assert "Traceback" not in watch.seen
    if code == 130:
        assert "stopped" in watch.seen
        assert contents(place) == before
        assert (place.parent / "stdout").read_bytes() == b""
        return
    assert code == 4, watch.seen
    assert "Ctrl-C" in watch.seen
    dag = gn.Dag.read(place / "rep" / "report.json")
    assert dag.proof.details["interrupted"] is True
    assert dag.proof.bound < dag.proof.objective
    gn.verify_dag(gn.read_sif(place / "hard.sif"), dag)
    assert json.loads((place.parent / "stdout").read_text())["fingerprint"] == dag.fingerprint


def test_ctrl_c_in_the_extractions_of_a_comparison_stops_the_whole_run(place):
    (place / "hard.sif").write_text(_hard())
    names = [f"i{i}" for i in range(150)]
    (place / "cells.csv").write_text(cells_csv(names))
    (place / "labels.csv").write_text(labels_csv(("Y0", "Y1", "Y2", "Y3")))
    before = contents(place)
    cells = ("--cells", "cells.csv", "--labels", "labels.csv", "--method", "milp", "--time-limit", "40")
    with watched(command("compare", *HARD, *cells, "--out", "rep", "--force", "--json"), place) as watch:
        watch.read_until("extracting: min_edges")
        time.sleep(4)
        _ended_cleanly(watch, place, before)


def test_the_second_ctrl_c_leaves_at_once(place):
    (place / "hard.sif").write_text(_hard())
    before = contents(place)
    limit = ("--method", "milp", "--time-limit", "40", "--out", "rep/report.json", "--force", "--json")
    with watched(command("extract", *HARD, *limit), place) as watch:
        watch.read_until("extracting")
        time.sleep(2)
        watch.running.send_signal(signal.SIGINT)
        code = watch.interrupt()
    assert code in (4, 130), watch.seen
    assert "Traceback" not in watch.seen
    if code == 130:
        assert contents(place) == before


def test_ctrl_c_while_the_program_loads_gives_no_traceback(place):
    before = contents(place)
    words = [sys.executable, "-X", "importtime", "-m", "graphnn", "prune", "net.sif", *ROLES, "--out", "p.sif"]
    with watched(words, place) as watch:
        watch.read_until("graphnn.errors")
        code = watch.interrupt()
    assert "Traceback" not in watch.seen
    assert code == 130
    assert contents(place) == before
