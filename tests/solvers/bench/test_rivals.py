"""The rivals themselves, where a Python that has them is named: they solve our problem, and we read what they say."""

from __future__ import annotations

import os

import pytest

from solvers import solve
from solvers.bench import families
from solvers.bench.contest import RIVAL, contest, contestant
from solvers.bench.instances import Instance

PROBLEMS = {
    "set cover, unit": families.set_cover(20, 10, sets_per_element=3),
    "random, real": families.random_digraph(30, 120, 5, costs="real"),
    "hypercube, one vertex both input and passage": families.hypercube(3),
    "two outputs": families.random_digraph(30, 120, 5, n_outputs=2),
}


@pytest.mark.parametrize("title", PROBLEMS)
@pytest.mark.parametrize("name", RIVAL)
def test_a_rival_proves_what_we_prove(name, title):
    variable = RIVAL[name][1]
    if not os.environ.get(variable):
        pytest.skip(f"set {variable} to a Python that has it")
    problem = PROBLEMS[title]
    instance = Instance(title, "hand", lambda: problem)
    (row,) = contest([instance], [contestant(name)], limit_s=60)
    if len(problem.outputs) > 1 and name.startswith("steinerpy"):
        assert row.status == "not applicable"
        return
    assert row.valid, row.message
    assert row.objective == pytest.approx(solve(problem).objective, rel=1e-6)
    assert row.bound == pytest.approx(row.objective, rel=1e-3)
    assert set(row.versions) >= {name.partition("-")[0], "highspy"}
