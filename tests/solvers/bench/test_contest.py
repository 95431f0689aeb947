"""The contest: what a contestant says is checked, what it breaks is said, and nothing is dropped."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from solvers import Problem, ProblemError
from solvers.bench import exchange
from solvers.bench.answer import Answer, certain_cost, cross_checked, judged
from solvers.bench.contest import NAMES, OWN, Contestant, contest, contestant, run
from solvers.bench.instances import Instance
from tests.solvers.bench.programs import HEAD, rival

# 0 and 1 are inputs, 4 the output: 0 -> 2 -> 4 and 1 -> 2 cost 3 together, 0 -> 3 -> 4 beside them is dearer.
PROBLEM = Problem(
    n_vertices=5, sources=[0, 1, 2, 0, 3, 2, 3], targets=[2, 2, 4, 3, 4, 3, 2], inputs=[0, 1], outputs=[4]
)
SMALL = Instance("small", "hand", lambda: PROBLEM, optimum=3.0)
UNKNOWN = replace(SMALL, optimum=None)
BEST, DEARER = (0, 1, 2), (1, 2, 3, 4)


def only_row(entrant, instance=SMALL, **options):
    (row,) = contest([instance], [entrant], limit_s=options.pop("limit_s", 20), **options)
    return row


# -- our own -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["steiner", "milp-highs"])
def test_our_own_solve_in_a_process_of_their_own(name):
    row = only_row(contestant(name))
    assert (row.status, row.valid, row.objective, row.bound) == ("optimal", True, 3.0, 3.0)
    assert (row.gap, row.open_gap) == (0.0, 0.0)
    assert (row.n, row.m, row.k, row.outputs) == (5, 7, 2, 1)
    assert row.proof_s == row.seconds > 0
    assert row.first_s is not None
    assert row.peak_mb > 1
    assert json.dumps(row.to_dict(), allow_nan=False)


def test_what_our_own_refuses_is_a_row_too():
    negative = Problem(n_vertices=2, sources=[0], targets=[1], inputs=[0], outputs=[1], costs=[-1.0])
    row = only_row(contestant("steiner"), Instance("negative", "hand", lambda: negative))
    assert (row.status, row.valid) == ("failed", None)
    assert "costs >= 0" in row.message


# -- rivals --------------------------------------------------------------------------------------------------------


def test_a_rival_gets_the_problem_the_limit_the_seed_and_its_options(tmp_path):
    entrant = rival(
        tmp_path,
        "curious",
        "say(status='optimal', edges=[0, 1, 2], objective=3.0, bound=2.1, seconds=0.5,"
        " details={'given': given, 'n': int(held['n_vertices']), 'costs': held['costs'].tolist()})",
        options=("depth=3",),
    )
    row = only_row(entrant, seed=7)
    assert row.details == {
        "given": {"--limit": "20", "--seed": "7", "--option": "depth=3"}, "n": 5, "costs": [1.0] * 7
    }  # fmt: skip
    assert (row.status, row.bound, row.proof_s) == ("optimal", 3.0, 0.5)  # 2.1 is 3 where costs are whole


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("edges=[0, 2], objective=2.0, bound=2.0", "uncovered input"),
        ("edges=[0, 1, 2, 5], objective=4.0, bound=3.0", "stray edge"),
        ("edges=[0, 1, 2, 5, 6], objective=5.0, bound=3.0", "cycle"),
        ("edges=[0, 1, 99], objective=3.0, bound=3.0", "edge index"),
        ("edges=[0, 1, 2, 2], objective=4.0, bound=3.0", "duplicate edge"),
        ("edges=[0, 1, 2], objective=2.0, bound=2.0", "states the cost 2.0, but the edges cost 3"),
        ("edges=[0, 1, 2], bound=2.0", "states the cost None"),
        ("edges=[0, 1, 2], objective=3.0, bound=3.5", "above its own cost 3"),
        ("edges=[1, 2, 3, 4], objective=4.0, bound=4.0", "above the known optimum 3"),
    ],
)
def test_a_wrong_answer_is_a_row_that_says_why(said, why, tmp_path):
    row = only_row(rival(tmp_path, "liar", f"say(status='optimal', seconds=0.1, {said})"))
    assert (row.status, row.valid) == ("invalid", False)
    assert row.message.startswith("invalid: ")
    assert why in row.message
    assert (row.objective, row.bound, row.gap, row.proof_s) == (None, None, None, None)


def test_a_network_below_a_known_optimum_is_invalid():
    row = judged(replace(SMALL, optimum=3.5), PROBLEM, "x", Answer("limit", edges=BEST, objective=3.0, bound=1.0))
    assert "below the known optimum 3.5" in row.message


def test_optimal_with_a_gap_is_not_proved_and_the_row_says_so():
    real = Problem(n_vertices=3, sources=[0, 1], targets=[1, 2], inputs=[0], outputs=[2], costs=[0.5, 0.6])
    row = judged(Instance("r", "hand", lambda: real), real, "x", Answer("optimal", (0, 1), 1.1, 1.0999, seconds=1.0))
    assert (row.status, row.proof_s, row.valid) == ("limit", None, True)
    assert "counted as not proved" in row.message
    assert row.gap == pytest.approx(0.0001 / 1.1)


def test_a_limit_whose_figures_meet_is_a_proof():
    row = judged(SMALL, PROBLEM, "x", Answer("limit", BEST, 3.0, 2.00001, seconds=1.0))
    assert (row.status, row.bound, row.proof_s) == ("optimal", 3.0, 1.0)


def test_optimal_without_a_bound_states_its_cost_as_bound():
    assert judged(SMALL, PROBLEM, "x", Answer("optimal", BEST, 3.0, seconds=1.0)).bound == 3.0
    assert judged(UNKNOWN, PROBLEM, "x", Answer("limit", DEARER, 4.0)).bound is None


def test_a_bound_above_a_network_of_another_contestant_is_invalid():
    rows = [
        judged(UNKNOWN, PROBLEM, "sure", Answer("optimal", DEARER, 4.0, 4.0, seconds=1.0)),
        judged(UNKNOWN, PROBLEM, "blind", Answer("nothing", bound=3.5)),
        judged(UNKNOWN, PROBLEM, "right", Answer("optimal", BEST, 3.0, 3.0, seconds=1.0)),
        judged(replace(UNKNOWN, name="other"), PROBLEM, "sure", Answer("optimal", DEARER, 4.0, 4.0, seconds=1.0)),
    ]
    checked = cross_checked(rows)
    assert [row.status for row in checked] == ["invalid", "invalid", "optimal", "optimal"]
    assert checked[0].message == "invalid: states the bound 4, but right has a network of cost 3"
    assert (checked[0].proof_s, checked[0].gap) == (None, None)
    assert cross_checked(checked[2:]) == checked[2:]


def test_gaps_are_of_the_cost_and_of_what_is_open():
    row = judged(UNKNOWN, PROBLEM, "x", Answer("limit", DEARER, 4.0, 3.0))
    assert certain_cost(PROBLEM) == 2.0  # each of the two inputs pays an edge
    assert (row.gap, row.open_gap) == (0.25, 0.5)
    settled = Answer("limit", DEARER, 4.0, 3.0, details={"settled_cost": 3.0})
    assert judged(UNKNOWN, PROBLEM, "x", settled).open_gap == 1.0


def test_the_certain_cost_is_the_cheapest_way_out_of_each_input():
    problem = Problem(
        n_vertices=4, sources=[0, 0, 1, 1], targets=[1, 3, 2, 3], inputs=[0, 1], outputs=[3], costs=[5, 2, 1, 7]
    )
    assert certain_cost(problem) == 3.0


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("say(status='nothing', bound=2.0, message='no network in time')", "nothing", "no network in time"),
        ("say(status='not applicable', message='one output only')", "not applicable", "one output only"),
        ("raise ValueError('out of ideas')", "failed", "exit code 1: ValueError: out of ideas"),
        ("pass", "failed", "exit code 0: it said nothing"),
        ("open(sys.argv[2], 'w').write('{')", "failed", "cannot be read"),
        ("say(status='brilliant')", "failed", "expected a status among"),
        ("say(status='optimal', edges=['a'])", "failed", "no number"),
        ("os.kill(os.getpid(), 9)", "failed", "exit code -9"),
    ],
)
def test_a_rival_without_an_answer_is_a_row(body, status, words, tmp_path):
    row = only_row(rival(tmp_path, "odd", body))
    assert (row.status, row.valid, row.objective) == (status, None, None)
    assert words in row.message


def test_who_does_not_stop_is_stopped_with_its_children(tmp_path):
    child = "import subprocess\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    body = child + f"open({str(tmp_path / 'pids')!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\ntime.sleep(600)"
    row = only_row(rival(tmp_path, "stubborn", body), limit_s=0.5, grace_s=7.5)
    assert (row.status, row.seconds) == ("time out", 8.0)
    assert "stopped 7.5 s after the limit" in row.message
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        assert _ends(pid)


def _ends(pid):
    """Whether a process that was told to end does so; the system may take a moment."""
    for _ in range(600):
        try:
            os.kill(pid, 0)
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                if file.read().rpartition(")")[2].split()[0] in "ZX":  # ended, and waits to be collected
                    return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


def test_an_interruption_keeps_the_rows_and_leaves_no_process(tmp_path):
    good = rival(tmp_path, "good", "say(status='optimal', edges=[0, 1, 2], objective=3.0, bound=3.0, seconds=0.1)")
    rows = []

    def before(instance, name):
        if instance == "second":
            raise KeyboardInterrupt

    instances = [SMALL, replace(SMALL, name="second")]
    with pytest.raises(KeyboardInterrupt):
        _gather(rows, contest(instances, [good], limit_s=20, before=before))
    assert [row.instance for row in rows] == ["small"]


def _gather(rows, contested):
    for row in contested:
        rows.append(row)


# -- who takes part ------------------------------------------------------------------------------------------------


def test_who_is_not_installed_is_said_not_hidden(monkeypatch, tmp_path):
    for variable in ("GRAPHNN_CORNETO_PYTHON", "GRAPHNN_STEINERPY_PYTHON"):
        monkeypatch.delenv(variable, raising=False)
    for name in set(NAMES) - set(OWN):
        row = only_row(contestant(name))
        assert row.status == "not installed"
        assert "GRAPHNN_" in row.message
    monkeypatch.setenv("GRAPHNN_CORNETO_PYTHON", sys.executable)
    assert "there is no corneto_program.py" in only_row(contestant("corneto", rivals=tmp_path)).message
    gone = {"GRAPHNN_STEINERPY_PYTHON": str(tmp_path / "python")}
    row = only_row(contestant("steinerpy", pythons=gone))
    assert (row.status, "there is no program python" in row.message) == ("not installed", True)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(OWN)))
def test_a_python_without_the_rival_says_so(name, monkeypatch):
    for variable in ("GRAPHNN_CORNETO_PYTHON", "GRAPHNN_STEINERPY_PYTHON"):
        monkeypatch.setenv(variable, sys.executable)
    row = only_row(contestant(name))
    assert (row.status, row.message.startswith("this Python has no")) == ("not installed", True)


def test_a_rival_does_not_see_our_packages_and_its_python_may_be_named_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "python").symlink_to(sys.executable)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "corneto_program.py").write_text(
        HEAD + "say(status='nothing', message=os.environ.get('PYTHONPATH', 'none'), details={'python': sys.executable})"
    )
    row = only_row(contestant("corneto", pythons={"GRAPHNN_CORNETO_PYTHON": "./python"}, rivals=tmp_path))
    assert (row.status, row.message) == ("nothing", "none")
    assert row.details["python"] == str(tmp_path / "python")


def test_an_unknown_contestant_is_refused():
    with pytest.raises(ProblemError, match=r"expected a contestant among steiner, .*got 'stiner'"):
        contestant("stiner")


def test_a_command_that_does_not_exist_is_not_installed():
    answer = run(Contestant("x", ("no-such-program",)), PROBLEM, limit_s=1)
    assert answer.status == "not installed"


# -- files ---------------------------------------------------------------------------------------------------------


def test_problem_and_answer_survive_their_files(tmp_path):
    exchange.write_problem(tmp_path / "p.npz", PROBLEM)
    again = exchange.read_problem(tmp_path / "p.npz")
    for name in ("n_vertices", "sources", "targets", "inputs", "outputs", "costs"):
        assert np.array_equal(getattr(again, name), getattr(PROBLEM, name))
    said = {"status": "limit", "edges": [0, 2], "objective": 3.0, "bound": float("-inf"), "details": {"a": np.int64(3)}}
    exchange.write_answer(tmp_path / "a.json", said)
    answer = exchange.read_answer(tmp_path / "a.json")
    assert answer == Answer("limit", edges=(0, 2), objective=3.0, bound=None, details={"a": 3})
