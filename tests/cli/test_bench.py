"""`graphnn bench solvers`: a short contest, its files, and what is refused before anything runs."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
import time

import pytest

from graphnn.cli import bench
from graphnn.cli.common import console
from solvers.bench import profile
from solvers.bench.contest import contestant
from solvers.bench.instances import quick
from tests.cli.tools import command, contents, read_json, run, succeed

STP = """33D32945 STP File
SECTION Graph
Nodes 3
Edges 2
E 1 2 1
E 2 3 1
END
SECTION Terminals
Terminals 2
T 1
T 3
END
EOF
"""
SHORT = ("bench", "solvers", "--stp", "path.stp", "--contestant", "steiner", "--limit", "10")


@pytest.fixture
def stp(folder):
    """The working directory with path.stp in it."""
    (folder / "path.stp").write_text(STP)
    return folder


def test_a_contest_writes_three_files_and_says_each_result(stp):
    result = succeed(
        *SHORT, "--network", "net.sif", "-o", "Y", "--input-suffix", "_gene", "--out", "res", "--seed", "5"
    )
    written = set(contents(stp / "res"))
    assert written == ({*bench.FILES} if profile.can_draw() else {*bench.FILES} - {"profile.svg"})
    data = read_json(stp / "res" / "results.json")
    assert (data["seed"], data["limit_s"], data["finished"]) == (5, 10.0, True)
    found = {row["instance"]: (row["status"], row["objective"]) for row in data["rows"]}
    assert found == {"path.stp": ("optimal", 2.0), "net.sif": ("optimal", 6.0)}
    assert "path.stp: steiner: optimal 2 in" in result.stderr
    assert result.stdout == ""


def test_without_a_folder_the_table_goes_to_stdout_and_json_replaces_it(stp):
    table = list(csv.DictReader(io.StringIO(succeed(*SHORT, "--quiet").stdout)))
    assert [(line["instance"], line["status"], line["objective"]) for line in table] == [("path.stp", "optimal", "2.0")]
    data = succeed(*SHORT, "--contestant", "corneto", "--json", "--corneto-python", sys.executable).data
    assert [row["status"] for row in data["rows"]] == ["optimal", "not installed"]


def test_files_that_are_there_are_refused_before_anything_runs(stp, monkeypatch):
    monkeypatch.setattr(bench, "contest", None)
    (stp / "res").mkdir()
    (stp / "res" / "table.csv").write_text("mine")
    result = run(*SHORT, "--out", "res")
    assert result.code == 2
    assert "table.csv" in result.stderr
    assert "--force" in result.stderr
    (stp / "a-file").write_text("")
    for place, code in (("a-file", 2), ("gone/res", 1)):
        assert run(*SHORT, "--out", place).code == code
    assert contents(stp / "res") == {"table.csv": b"mine"}


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("bench", "solver"), ("No such command 'solver'", "'solvers'"), 2),
        (("bench", "solvers", "--family", "layerd"), ("--family", "set-cover", "did you mean 'layered'"), 2),
        (("bench", "solvers", "--contestant", "stener"), ("--contestant", "milp-scip", "did you mean 'steiner'"), 2),
        (("bench", "solvers", "--limit", "0"), ("--limit", "> 0"), 2),
        (("bench", "solvers", "--limit", "inf"), ("--limit", "> 0"), 2),
        (("bench", "solvers", "--stp", "gone.stp"), ("gone.stp", "SteinLib"), 1),
        (("bench", "solvers", "--stp", "net.sif"), ("net.sif: line 1: expected the header",), 1),
        (("bench", "solvers", "--stp", "path.stp", "--stp", "path.stp"), ("different names",), 2),
        (("bench", "solvers", "--rivals", "gone"), ("--rivals", "a folder"), 2),
        (("bench", "solvers", "--network", "net.sif"), ("--outputs", "--network"), 2),
        (("bench", "solvers", "--network", "net.sif", "-o", "Y"), ("inputs",), 2),
        (("bench", "solvers", "--network", "net.sif", "-o", "Z", "--input-suffix", "_gene"), ("'Z'",), 3),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_runs(arguments, words, code, stp, monkeypatch):
    monkeypatch.setattr(bench, "contest", None)
    result = run(*arguments)
    assert result.code == code
    assert all(word in result.stderr for word in words), result.stderr
    assert result.stdout == ""


def test_without_a_choice_the_quick_set_is_taken_and_families_are_whole():
    chosen = bench.chosen_instances((), (), seed=2, nothing_else=True)
    assert [(one.name, one.seed) for one in chosen] == [(one.name, 2) for one in quick(2)]
    assert bench.chosen_instances((), (), seed=2, nothing_else=False) == ()
    names = [one.name for one in bench.chosen_instances(("grid", "grid"), (), seed=0, nothing_else=True)]
    assert names == ["grid-8x8", "grid-40x40", "grid-40x40-integer"]


def test_no_plot_without_matplotlib_and_that_is_said(stp, monkeypatch):
    monkeypatch.setattr(profile, "can_draw", lambda: False)
    result = succeed(*SHORT, "--out", "res")
    assert set(contents(stp / "res")) == {"results.json", "table.csv"}
    assert "no plot" in result.stderr
    assert "graphnn[bench]" in result.stderr


def test_an_interruption_between_instances_keeps_what_was_measured(stp, monkeypatch):
    real = bench.contest

    def interrupted(instances, entrants, **options):
        yield from real(instances[:1], entrants, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "contest", interrupted)
    result = run(*SHORT, "--family", "set-cover", "--out", "res")
    assert result.code == 130
    data = read_json(stp / "res" / "results.json")
    assert (data["finished"], len(data["rows"])) == (False, 1)
    assert "1 of 5 runs were measured and kept" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_within_a_run_leaves_whole_files(stp):
    arguments = command(
        "bench", "solvers", "--stp", "path.stp", "--family", "layered", "--contestant", "steiner", "--out", "res"
    )
    process = subprocess.Popen(
        arguments,
        cwd=stp,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a job in the background has none
    )
    while "layered-6x300" not in (line := process.stderr.readline()) and "layered-3x20" not in line:
        pass  # the first result has been said, the next run begins
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    data = json.loads((stp / "res" / "results.json").read_text())
    assert data["finished"] is False
    assert len(data["rows"]) >= 1
    assert not list((stp / "res").glob("*.part"))


def test_a_sentence_says_gap_and_reason():
    screen = console(quiet=True)
    (instance,) = bench.chosen_instances(("set-cover",), (), seed=0, nothing_else=False)[:1]
    rows, finished = bench.measured([instance], [contestant("corneto", pythons={})], screen, limit_s=1, seed=0)
    assert finished
    assert bench.sentence(rows[0]).startswith("set-cover-60x30: corneto: not installed (")
