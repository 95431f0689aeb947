"""`graphnn bench training`: a short contest, its files, and what is refused before anything runs."""

from __future__ import annotations

import csv
import io
import sys

import pytest

from graphnn.cli import bench_training
from graphnn.evaluate.bench import record
from tests.cli.tools import contents, read_json, run, succeed
from tests.evaluate.bench.small import rival

TINY = ("bench", "training", "--edges", "200", "--cells", "60", "--batch-size", "16", "--epochs", "3")
FAKE = """
say(**GOOD)
"""


@pytest.fixture
def fakes(folder, monkeypatch):
    """Every contestant is a program of a few lines: what is tested here is what is done with its answer."""
    monkeypatch.setattr(
        bench_training,
        "contestant",
        lambda name, **_: rival(folder, FAKE, name) if name != "corneto" else _absent(name),
    )
    return folder


def _absent(name):
    return bench_training.Contestant(name, absent="set GRAPHNN_CORNETO_PYTHON to a Python that has it")


def test_ours_and_dense_run_from_the_command_line_to_three_files(folder):
    words = ("--contestant", "ours", "--contestant", "dense", "--out", "res", "--seed", "5")
    result = succeed(*TINY, *words)
    written = set(contents(folder / "res"))
    assert written == ({*bench_training.FILES} if record.can_draw() else {"results.json", "table.csv"})
    data = read_json(folder / "res" / "results.json")
    assert [(row["contestant"], row["status"], row["message"]) for row in data["rows"]] == [
        ("ours", "done", ""), ("dense", "done", "")
    ]  # fmt: skip
    assert (data["seed"], data["finished"], data["options"]["batch_size"]) == (5, True, 16)
    assert data["copy_gb_per_s"] > 0
    assert data["rows"][0]["n_parameters"] == 214
    assert "200 edges: ours: build" in result.stderr
    assert result.stdout == ""


def test_without_a_folder_the_table_goes_to_stdout_and_json_replaces_it(fakes):
    words = (*TINY, "--contestant", "kpnn2-packed", "--contestant", "corneto", "--quiet")
    table = list(csv.DictReader(io.StringIO(succeed(*words).stdout)))
    assert [(line["contestant"], line["status"]) for line in table] == [
        ("kpnn2-packed", "done"), ("corneto", "not installed")
    ]  # fmt: skip
    data = succeed(*words, "--json").data
    assert data["rows"][0]["build_s"] == 2.0
    assert data["versions"]["graphnn"]


def test_rivals_take_part_where_their_python_is_named(fakes, monkeypatch):
    for variable in (bench_training.KPNN2, bench_training.CORNETO):
        monkeypatch.delenv(variable, raising=False)
    assert [row["contestant"] for row in succeed(*TINY, "--json").data["rows"]] == [
        "ours",
        "ours-jax",
        "dense",
        "masked",
    ]
    named = succeed(*TINY, "--json", "--kpnn2-python", sys.executable).data["rows"]
    assert [row["contestant"] for row in named] == [
        "ours",
        "ours-jax",
        "dense",
        "masked",
        "kpnn2-packed",
        "kpnn2-masked",
    ]


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (("--edges", "199"), ("--edges", "at least 200"), 2),
        (("--cells", "70"), ("--cells", "at least 80"), 2),
        (("--epochs", "1"), ("--epochs", "at least 2"), 2),
        (("--batch-size", "0"), ("--batch-size", "at least 1"), 2),
        (("--limit", "0"), ("--limit", "> 0"), 2),
        (("--limit", "nan"), ("--limit", "> 0"), 2),
        (("--contestant", "our"), ("--contestant", "kpnn2-masked", "did you mean 'ours'"), 2),
        (("--rivals", "gone"), ("--rivals", "a folder"), 2),
        (("--family", "grid"), ("No such option",), 2),
        (("--out", "gone/res"), ("gone",), 1),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(arguments, words, code, folder, monkeypatch):
    monkeypatch.setattr(bench_training, "contest", None)
    monkeypatch.setattr(bench_training, "drawn_instance", None)
    result = run("bench", "training", *arguments)
    assert result.code == code
    assert all(word in result.stderr for word in words), result.stderr
    assert result.stdout == ""


def test_files_that_are_there_are_refused_before_anything_runs(folder, monkeypatch):
    monkeypatch.setattr(bench_training, "drawn_instance", None)
    (folder / "res").mkdir()
    (folder / "res" / "training.svg").write_text("mine")
    result = run(*TINY, "--out", "res")
    assert (result.code, "--force" in result.stderr) == (2, True)
    assert contents(folder / "res") == {"training.svg": b"mine"}


def test_no_plot_without_matplotlib_or_without_anything_measured_and_that_is_said(fakes, monkeypatch):
    result = succeed(*TINY, "--contestant", "corneto", "--out", "one")
    assert set(contents(fakes / "one")) == {"results.json", "table.csv"}
    assert "no plot: nothing was measured" in result.stderr
    monkeypatch.setattr(record, "can_draw", lambda: False)
    result = succeed(*TINY, "--contestant", "dense", "--out", "two")
    assert set(contents(fakes / "two")) == {"results.json", "table.csv"}
    assert "graphnn[bench]" in result.stderr


def test_an_interruption_keeps_what_was_measured(fakes, monkeypatch):
    real = bench_training.contest

    def interrupted(instance, entrants, options, **others):
        yield from real(instance, entrants[:1], options, **others)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench_training, "contest", interrupted)
    result = run(*TINY, "--out", "res")
    assert result.code == 130
    data = read_json(fakes / "res" / "results.json")
    assert (data["finished"], [row["contestant"] for row in data["rows"]]) == (False, ["ours"])
    assert "1 of 4 runs were measured and kept" in result.stderr
