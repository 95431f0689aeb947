"""The standing contest of the repository: its instances, its store, and the page that is made of it."""

from __future__ import annotations

import json

import pytest

from benchmarks import networks, solvers
from solvers.bench.answer import Answer, judged
from solvers.bench.instances import Instance
from solvers.bench.profile import can_draw
from tests.real_data import real_data
from tests.solvers.bench.test_contest import BEST, DEARER, PROBLEM

FACTS = {"limit_s": 60.0, "commit": "abc", "date": "2000-01-01", "machine": {"processor": "P", "cores": 2}}


def row(contestant, answer, instance="small"):
    return judged(Instance(instance, "hand", lambda: PROBLEM), PROBLEM, contestant, answer)


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A store of its own."""
    monkeypatch.setattr("benchmarks.store.RESULTS", tmp_path)
    monkeypatch.setattr(solvers, "RESULTS", tmp_path)
    return tmp_path


def test_there_are_twenty_hard_instances_of_four_kinds():
    hard = solvers.hard()
    assert len(hard) == len({instance.name for instance in hard}) == 20
    kinds = {instance.name.split("-")[1] for instance in hard}
    assert kinds == {"layered", "set", "hypercube", "random"}


def test_rows_are_kept_and_replaced_and_checked_against_each_other(results):
    first = [
        row("x", Answer("optimal", DEARER, 4.0, 4.0, seconds=1.0)),
        row("y", Answer("nothing", bound=1.0)),
    ]
    solvers.save(first, FACTS, [])
    kept = solvers.stored()["rows"]
    assert [one["status"] for one in kept] == ["optimal", "nothing"]
    solvers.save([row("y", Answer("optimal", BEST, 3.0, 3.0, seconds=2.0))], {**FACTS, "commit": "def"}, kept)
    now = solvers.stored()["rows"]
    assert [(one["contestant"], one["status"], one["commit"]) for one in now] == [
        ("x", "invalid", "abc"), ("y", "optimal", "def")
    ]  # fmt: skip


def test_the_page_is_made_of_the_store(results, tmp_path, monkeypatch):
    page = tmp_path / "solver-benchmark.md"
    page.write_text(f"# Title\n\n{solvers.BEGIN}\n\nold\n\n{solvers.END}\n\nafter\n")
    monkeypatch.setattr(solvers, "PAGE", page)
    solvers.write_page()
    assert page.read_text() == f"# Title\n\n{solvers.BEGIN}\n\n{solvers.NOT_YET}\n\n{solvers.END}\n\nafter\n"
    rows = [
        row("x", Answer("limit", DEARER, 4.0, 3.0, seconds=60.0)),
        row("y", Answer("optimal", BEST, 3.0, 3.0, seconds=2.0, versions={"engine": "1.2"})),
        row("z", Answer("not installed")),
    ]
    solvers.save(rows, FACTS, [])
    solvers.write_page()
    text = page.read_text()
    assert "| small | 5 | 7 | 2 | 25 % (50 %) | **2 s** |" in text
    assert "| y | 1 | 1 | 0 | 0 | 0 |" in text
    assert "limit 60 s, commit abc; engine 1.2." in text
    assert "old" not in text
    assert ("![" in text) == can_draw()
    solvers.write_page()
    assert page.read_text() == text


def test_the_page_of_the_repository_holds_what_is_stored():
    text = solvers.PAGE.read_text(encoding="utf-8")
    held = text.partition(solvers.BEGIN)[2].partition(solvers.END)[0]
    assert solvers.section(solvers.stored()) in held


def test_unknown_instances_and_absent_data_are_said(monkeypatch, capsys):
    monkeypatch.setattr(solvers, "real_data", lambda: None)
    with pytest.raises(SystemExit, match="got nonsense"):
        solvers.instances_of(["real", "hard"], ["nonsense"])
    assert "real networks are left out" in capsys.readouterr().err


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "n_edges", "n_inputs", "n_outputs"),
    [
        ("tcell_abc", 21_060, 4_368, 1),
        ("tcell_abc-3-outputs", 21_060, 4_368, 3),
        ("union", 83_993, 6_080, 2),
        ("pkn-26k", 26_000, 6_335, 1),
        ("pkn-104k", 104_000, 18_327, 1),
        ("pkn-104k-real", 104_000, 18_327, 1),
    ],
)
def test_real_networks_have_their_sizes(name, n_edges, n_inputs, n_outputs):
    folder = real_data("pkn/tcell_abc.sif.gz").parents[1]
    (instance,) = [one for one in networks.real_instances(folder) if one.name == name]
    problem = instance.make()
    assert (problem.n_edges, len(problem.inputs), len(problem.outputs)) == (n_edges, n_inputs, n_outputs)
    assert json.dumps(instance.name)
