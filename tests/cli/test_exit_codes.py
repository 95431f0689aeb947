"""0 done, 1 failure, 2 usage, 3 no network, 4 stopped early with an answer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

import graphnn as gn
import graphnn.extract.question as extraction
from solvers.result import Termination
from tests.cli.tools import COMPARE, ROLES, contents, read_json, run, succeed


@pytest.fixture
def _unproved(monkeypatch):
    """The solver finds its network and a bound one below it: as if a limit had come, without a clock."""
    solve = extraction.solve

    def stopped(problem, **options):
        solution = solve(problem, **options)
        return replace(solution, termination=Termination.LIMIT, bound=solution.objective - 1)

    monkeypatch.setattr(extraction, "solve", stopped)


@pytest.fixture
def _nothing(monkeypatch):
    """The solver stops with a bound and no network."""
    solve = extraction.solve

    def stopped(problem, **options):
        none = np.zeros(0, dtype=np.int64)
        solution = solve(problem, **options)
        return replace(solution, termination=Termination.NOTHING, edges=none, objective=math.inf, bound=5.0)

    monkeypatch.setattr(extraction, "solve", stopped)


def test_0_for_help_version_and_a_job_that_is_done(folder):
    succeed("--help")
    succeed("--version")
    succeed("check", "net.sif", *ROLES)


@pytest.mark.usefixtures("_unproved")
def test_4_where_extract_stopped_with_an_unproved_network_which_is_still_written(folder):
    result = run("extract", "net.sif", *ROLES, "--time-limit", "60", "--json", "--out", "net.json")
    assert result.code == 4
    assert result.data["proof"]["termination"] == "limit"
    assert (result.data["proof"]["objective"], result.data["proof"]["bound"]) == (6, 5)
    assert "Not proved minimal" in result.stderr
    assert "Proved minimal" not in result.stderr
    dag = gn.Dag.read(folder / "net.json")
    assert not dag.proof.is_optimal
    assert dag.graph.n_edges == 6


@pytest.mark.usefixtures("_unproved")
def test_4_where_compare_used_an_unproved_network_and_its_report_says_so(folder):
    result = run(*COMPARE, "--time-limit", "60", "--out", "rep")
    assert result.code == 4
    assert result.stdout == ""
    report = read_json(folder / "rep" / "report.json")
    assert any("not proved" in warning for warning in report["warnings"])
    assert "not proved" in result.stderr
    assert "not proved" in (folder / "rep" / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("_nothing")
def test_3_where_a_limit_came_before_any_network(folder):
    before = contents(folder)
    result = run("extract", "net.sif", *ROLES, "--time-limit", "60", "--json", "--out", "net.json")
    assert (result.code, result.stdout) == (3, "")
    assert "60" in result.stderr
    assert "5" in result.stderr
    assert contents(folder) == before


def test_2_for_usage(folder):
    for arguments in (
        (),
        ("prune",),
        ("prune", "net.sif"),
        ("prune", "net.sif", *ROLES, "--nonsense"),
        ("prune", "net.sif", "-i", "A_gene", "-o", ","),
        ("prune", "net.sif", "-o", "Y"),
        ("prune", "net.sif", *ROLES, "--seed", "-1"),
        ("extract", "net.sif", *ROLES, "--time-limit", "soon"),
        ("demo", "--n-cells", "3"),
    ):
        result = run(*arguments)
        assert result.code == 2, arguments
        assert result.stdout == "" or not arguments


@pytest.mark.parametrize("verb", ["check", "prune", "extract"])
def test_3_where_there_is_no_network(folder, verb):
    for roles in (("-i", "nobody", "-o", "Y"), ("-i", "A_gene", "-o", "nothing"), ("-i", "Y", "-o", "A_gene")):
        assert run(verb, "net.sif", *roles).code == 3, roles


@pytest.mark.parametrize(
    ("option", "value", "choices"),
    [
        ("--method", "stiener", ("auto", "steiner", "milp")),
        ("--solver", "gurobi", ("auto", "highs", "scip", "cvxpy")),
        ("--objective", "fewest", ("min_edges", "shortest_paths", "max_edges")),
    ],
)
def test_a_misspelt_choice_never_becomes_the_default(folder, option, value, choices):
    for arguments in (("extract", "net.sif", *ROLES, "--out", "net.json"), (*COMPARE, "--out", "rep")):
        before = contents(folder)
        result = run(*arguments, option, value)
        assert (result.code, result.stdout) == (2, "")
        assert value in result.stderr
        assert all(choice in result.stderr for choice in choices)
        assert contents(folder) == before


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--folds", "1"),
        ("--folds", "-3"),
        ("--seeds", "0"),
        ("--epochs", "0"),
        ("--patience", "0"),
        ("--batch-size", "0"),
        ("--learning-rate", "0"),
        ("--learning-rate", "nan"),
        ("--dropout", "1"),
        ("--dropout-on", "cells"),
        ("--kernel-l1", "-1"),
        ("--kernel-l2", "nan"),
        ("--bias-l1", "-1"),
        ("--bias-l2", "inf"),
        ("--scaling", "minmax"),
        ("--task", "multiclass"),
        ("--protocol", "tutoral"),
        ("--hidden-activation", "softmax"),
        ("--full-objective", "all"),
        ("--normalize", "cpm"),
        ("--duplicates", "mean"),
        ("--layer", "counts"),
        ("--genome", "human"),
    ],
)
def test_2_for_a_value_out_of_range_before_anything_is_trained(folder, monkeypatch, option, value):
    monkeypatch.setattr("graphnn.evaluate.entrants.Trainer", None)
    before = contents(folder)
    result = run(*COMPARE, "--out", "rep", option, value)
    assert (result.code, result.stdout) == (2, "")
    assert "error:" in result.stderr.lower() or "Error" in result.stderr
    assert value in result.stderr
    assert contents(folder) == before


def test_an_option_that_is_wrong_is_found_before_any_network_is_extracted(folder, monkeypatch):
    monkeypatch.setattr("graphnn.cli.pipeline.extract_dag", None)
    for option in (("--folds", "1"), ("--seeds", "0"), ("--protocol", "tutoral"), ("--method", "stiener")):
        assert run(*COMPARE, *option).code == 2, option


def test_label_and_labels_exclude_each_other(folder):
    base = ("compare", "net.sif", *ROLES, "--cells", "cells.csv")
    assert run(*base).code == 2
    assert run(*base, "--labels", "labels.csv", "--label", "state").code == 2
    assert run(*base, "--label", "state").code == 2
