"""Cuts, dual ascent, the linear program over cuts and the swap search: nothing invalid, nothing missed."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from solvers.clock import Clock
from solvers.steiner.branch_and_cut import close_gap
from solvers.steiner.cover_search import search_cover
from solvers.steiner.cuts import TOLERANCE, Cut, fractional_cuts, integer_cuts, separator
from solvers.steiner.dual_ascent import dual_ascent
from solvers.steiner.instance import Instance
from solvers.steiner.linear import CutProgram
from solvers.steiner.paths import join_by_paths
from tests.solvers.instances import drawn_instance, joins, least_cost

FORMS = ("arc", "free", "node")


def separates(instance: Instance, cut: np.ndarray, witness: int) -> bool:
    """Whether the witness does not reach the root once the arcs of the cut are gone."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(instance.n_vertices))
    left = np.setdiff1d(np.arange(instance.n_arcs), cut)
    graph.add_edges_from(zip(instance.tails[left].tolist(), instance.heads[left].tolist(), strict=True))
    return not nx.has_path(graph, witness, instance.root)


def arriving(instance: Instance, x: np.ndarray, terminal: int) -> float:
    """Largest flow from a terminal to the root; free arcs hold any amount."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(instance.n_vertices))
    values = np.where(instance.costs == 0, 10.0, x)
    for tail, head, value in zip(instance.tails.tolist(), instance.heads.tolist(), values.tolist(), strict=True):
        graph.add_edge(tail, head, capacity=value)
    return nx.maximum_flow_value(graph, terminal, instance.root)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(20))
def test_an_ascent_is_its_own_proof(form, seed):
    instance = drawn_instance(seed, form=form, n_vertices=14, n_arcs=45)
    ascent = dual_ascent(instance, Clock())
    load = np.zeros(instance.n_arcs)
    for cut, dual in zip(ascent.cuts, ascent.duals, strict=True):
        load[cut] += dual
    assert ascent.finished
    assert ascent.duals.sum() == pytest.approx(ascent.bound)
    assert (ascent.duals > 0).all()
    assert (load <= instance.costs + 1e-9).all()
    assert ascent.reduced == pytest.approx(instance.costs - load, abs=1e-9)
    assert all(separates(instance, cut, at) for cut, at in zip(ascent.cuts, ascent.witnesses.tolist(), strict=True))
    assert set(ascent.witnesses.tolist()) <= set(instance.terminals.tolist())


def test_terminals_that_wait_for_others_are_joined_in_the_end(monkeypatch):
    """With the threshold at nothing every terminal that meets another's vertices is parked."""
    monkeypatch.setattr("solvers.steiner.dual_ascent.PARK_FROM", -1)
    for seed in range(30):
        instance = drawn_instance(seed, form=FORMS[seed % 3])
        ascent = dual_ascent(instance, Clock())
        assert ascent.finished
        assert ascent.bound <= least_cost(instance) + 1e-9
        saturated = np.flatnonzero(ascent.reduced <= 1e-12)
        assert joins(instance, saturated)


@pytest.mark.parametrize("park_from", [-1, 2, 100])
def test_the_compiled_ascent_does_the_same(monkeypatch, park_from):
    pytest.importorskip("numba")
    monkeypatch.setattr("solvers.steiner.dual_ascent.PARK_FROM", park_from)
    for seed in range(60):
        instance = drawn_instance(seed, form=FORMS[seed % 3], n_vertices=30, n_arcs=110)
        plain = dual_ascent(instance, Clock())
        with monkeypatch.context() as patch:
            patch.setattr("solvers.steiner.dual_ascent.COMPILED_FROM", 0)
            compiled = dual_ascent(instance, Clock())
        assert (compiled.bound, compiled.finished) == (plain.bound, plain.finished)
        assert compiled.reduced.tolist() == plain.reduced.tolist()
        assert [cut.tolist() for cut in compiled.cuts] == [cut.tolist() for cut in plain.cuts]
        assert compiled.witnesses.tolist() == plain.witnesses.tolist()
        assert compiled.duals.tolist() == plain.duals.tolist()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(20))
def test_cuts_of_points_are_valid_violated_and_complete(form, seed):
    instance = drawn_instance(seed, form=form, n_vertices=10, n_arcs=28)
    draw = np.random.default_rng(seed)
    x = np.where(draw.random(instance.n_arcs) < 0.5, draw.random(instance.n_arcs), 0.0).round(3)
    x[draw.random(instance.n_arcs) < 0.3] = 1.0
    find = separator(instance)
    found = find.of_point(x, Clock(), first=int(draw.integers(9)), most=1000)
    for cut in [*found, *find.of_closures(x, most=1000)]:
        assert x[cut.arcs].sum() < 1 - TOLERANCE / 2
        assert (instance.costs[cut.arcs] > 0).all()
        assert separates(instance, cut.arcs, cut.witness)
    short = {at for at in instance.terminals.tolist() if arriving(instance, x, at) < 1 - 2 * TOLERANCE}
    assert bool(found) or not short
    assert bool(fractional_cuts(instance, x, Clock(), first=0, most=1000)) == bool(found)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(20))
def test_a_choice_without_cuts_is_an_answer(form, seed):
    instance = drawn_instance(seed, form=form, n_vertices=10, n_arcs=28)
    draw = np.random.default_rng(seed)
    for share in (0.2, 0.5, 0.8):
        chosen = np.flatnonzero(draw.random(instance.n_arcs) < share)
        cuts = integer_cuts(instance, chosen)
        assert (not cuts) == joins(instance, chosen)
        assert all(not np.isin(cut, chosen).any() and (instance.costs[cut] > 0).all() for cut in cuts)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(15))
def test_the_relaxation_is_a_bound_and_fixing_keeps_the_optimum(form, seed):
    instance = drawn_instance(seed, form=form)
    best = least_cost(instance)
    program = CutProgram([instance], np.flatnonzero(instance.costs > 0), seed=0)
    ascent = dual_ascent(instance, Clock())
    program.add_cuts((Cut(*pair) for pair in zip(ascent.cuts, ascent.witnesses.tolist(), strict=True)), view=0)
    assert program.raise_bound(Clock(), on_point=lambda: False)
    assert ascent.bound - 1e-6 <= program.value <= best + 1e-6
    kept = np.ones(instance.n_arcs, dtype=bool)
    kept[program.useless(best + 1e-3)] = False
    assert least_cost(instance, kept) == pytest.approx(best)
    value = program.value
    program.purge()
    assert program.solve(Clock())
    assert program.value == pytest.approx(value)
    assert len(program.duals) == len(program.pool)


def test_two_views_make_one_bound():
    """Arcs 0 -> 2 -> 3 and 1 -> 2, 2 -> 4: towards a root behind 3 and 4, and backwards from 3 and 4."""
    tails, heads = np.array([0, 1, 2, 2, 3, 4, 5, 5]), np.array([2, 2, 3, 4, 6, 6, 0, 1])
    costs = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    onward = Instance(7, tails, heads, costs, np.array([0, 1]), 6)
    backward = Instance(7, heads, tails, costs, np.array([3, 4]), 5)
    one, both = (CutProgram(views, np.flatnonzero(costs > 0), seed=0) for views in ([onward], [onward, backward]))
    for program in (one, both):
        assert program.raise_bound(Clock(), on_point=lambda: False)
    assert (one.value, both.value) == (pytest.approx(3), pytest.approx(4))
    assert {cut.view for cut in both.pool if cut is not None} == {0, 1}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("seed", range(15))
def test_closing_the_gap_ends_with_the_optimum(form, seed):
    instance = drawn_instance(seed, form=form)
    start = join_by_paths(instance, np.ones(instance.n_arcs))
    closed = close_gap(instance, start, dual_ascent(instance, Clock()), Clock(), seed=0)
    assert joins(instance, closed.arcs)
    assert closed.bound == pytest.approx(instance.costs[closed.arcs].sum()) == pytest.approx(least_cost(instance))


@pytest.mark.parametrize("seed", range(15))
def test_swapping_finds_answers_that_are_no_dearer_and_repeats(seed):
    instance = drawn_instance(seed, form="node", n_vertices=16, n_arcs=60)
    start = join_by_paths(instance, instance.costs)
    start = start[instance.costs[start] > 0]
    columns = np.flatnonzero(instance.costs > 0)
    runs = [search_cover(instance, start, columns, [], Clock(), seed=seed, steps=200, enough=0.0) for _ in range(2)]
    assert joins(instance, runs[0])
    assert instance.costs[runs[0]].sum() <= instance.costs[start].sum()
    assert runs[0].tolist() == runs[1].tolist()
