"""Profiles against a hand computation, tables, and the record around them."""

from __future__ import annotations

import csv
import io
import json
import math

import numpy as np
import pytest

from solvers import Problem
from solvers.bench import profile
from solvers.bench.answer import Answer, judged
from solvers.bench.instances import Instance
from solvers.bench.record import json_bytes, record

PROBLEM = Problem(n_vertices=3, sources=[0, 1], targets=[1, 2], inputs=[0], outputs=[2])


def row(instance, contestant, status, seconds=None, bound=2.0):
    has_network = status in ("optimal", "limit")
    answer = Answer(status, (0, 1) if has_network else (), 2.0 if has_network else None, bound, seconds=seconds)
    return judged(Instance(instance, "hand", lambda: PROBLEM), PROBLEM, contestant, answer)


ROWS = [
    row("a", "quick", "optimal", 1.0),
    row("a", "slow", "optimal", 4.0),
    row("b", "quick", "optimal", 2.0),
    row("b", "slow", "optimal", 2.0),
    row("c", "quick", "limit", 60.0, 1.0),
    row("c", "slow", "optimal", 30.0),
    row("d", "quick", "nothing", 60.0, None),
    row("d", "slow", "time out"),
    *(row(instance, "absent", "not installed") for instance in "abcd"),
]
DATA = [one.to_dict() for one in ROWS]


def test_the_profile_is_that_of_a_hand_computation():
    steps = profile.performance_profile(profile.proof_times(DATA))
    assert list(steps) == ["quick", "slow"]
    # ratios: quick 1, 1, inf, inf; slow 4, 1, 1, inf
    assert [values.tolist() for values in steps["quick"]] == [[1.0], [0.5]]
    assert [values.tolist() for values in steps["slow"]] == [[1.0, 4.0], [0.5, 0.75]]


def test_times_below_a_hundredth_of_a_second_count_as_one():
    steps = profile.performance_profile({"x": [1e-4, 0.02], "y": [5e-3, 0.01]})
    assert [values.tolist() for values in steps["x"]] == [[1.0, 2.0], [0.5, 1.0]]
    assert [values.tolist() for values in steps["y"]] == [[1.0], [1.0]]


def test_nobody_proves_anything_and_nobody_takes_part():
    steps = profile.performance_profile({"x": [math.inf], "y": [math.inf]})
    assert all(len(values) == 0 for pair in steps.values() for values in pair)
    assert profile.performance_profile({}) == {}


def test_gaps_at_the_limit_count_what_has_no_network_as_infinite():
    # The certain part of each network is 1 of 2; quick has half of the rest open on c.
    assert profile.gaps(DATA) == {"quick": [0.0, 0.0, 1.0, math.inf], "slow": [0.0, 0.0, 0.0, math.inf]}
    assert [values.tolist() for values in profile.shares([0.0, 0.0, 1.0, math.inf])] == [[0.0, 1.0], [0.5, 0.75]]
    assert profile.gaps(DATA, "gap")["quick"][2] == 0.5


def test_only_instances_that_all_were_given_are_compared():
    more = [*DATA, row("e", "quick", "optimal", 1.0).to_dict()]
    assert profile.common_instances(more) == ["a", "b", "c", "d"]
    assert profile.proof_times(more) == profile.proof_times(DATA)
    later = [*DATA, row("a", "late", "optimal", 0.5).to_dict()]
    assert profile.common_instances(later) == ["a"]
    assert profile.proof_times(later) == {"quick": [1.0], "slow": [4.0], "late": [0.5]}


def test_the_table_has_every_row_and_empty_cells_where_nothing_is_known():
    table = list(csv.DictReader(io.StringIO(profile.table_csv(DATA).decode())))
    assert len(table) == len(DATA)
    assert table[0]["contestant"] == "quick"
    assert (table[0]["proof_s"], table[4]["proof_s"], table[6]["objective"]) == ("1.0", "", "")
    assert {line["status"] for line in table} == {"optimal", "limit", "nothing", "time out", "not installed"}


def test_a_drawing_has_the_names_of_those_who_took_part_and_equal_bytes():
    pytest.importorskip("matplotlib")
    image = profile.drawn(DATA, limit_s=60)
    assert image == profile.drawn(DATA, limit_s=60)
    assert image.startswith(b"<?xml")
    assert profile.drawn(DATA, limit_s=60, form="png").startswith(b"\x89PNG")
    assert profile.drawn(DATA[-1:], limit_s=60).startswith(b"<?xml")  # nobody took part


def test_without_matplotlib_the_plot_is_refused_in_words(monkeypatch):
    monkeypatch.setattr(profile, "can_draw", lambda: False)
    with pytest.raises(Exception, match="expected the package matplotlib"):
        profile.drawn(DATA, limit_s=60)


def test_the_record_says_what_it_was_measured_with_and_checks_rows_against_each_other():
    wrong = row("e", "quick", "nothing", 60.0, 2.5)
    made = record([*ROWS, wrong, row("e", "slow", "optimal", 1.0)], limit_s=60.0, seed=3, finished=True)
    assert {"commit", "date", "machine", "python", "versions", "limit_s", "seed", "finished", "rows"} <= set(made)
    assert made["machine"]["cores"] >= 1
    assert made["versions"]["numpy"] == np.__version__
    assert made["rows"][-2]["status"] == "invalid"
    assert json.loads(json_bytes(made)) == json.loads(json.dumps(made))
