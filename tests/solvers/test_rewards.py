"""Rewards are earned on ways only: not on a ring that no way enters, and on as many ways at once as there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import solvers
from solvers import registry
from solvers.backends.base import EngineOptions, Status
from solvers.errors import InfeasibleProblem
from solvers.milp.formulation import acyclic_flow, needs_own_orders, wants
from solvers.problem import Problem
from solvers.reduce.normal import normalise
from solvers.rules import Rules, Sample
from tests.oracles.ruled import KINDS, drawn_ruled_problems, recipe
from tests.oracles.rules import cheapest
from tests.solvers.test_rules import ENGINES, disagreement

FAMILIES = ("ring", "passed", "ring passed")


def drawn(family: str, count: int, *, seed: int = 0) -> list[Problem]:
    """Small problems of one family, no two of one shape."""
    return [DRAWN[family](np.random.default_rng([seed, number])) for number in range(count)]


def ring(draw: np.random.Generator) -> Problem:
    """Inputs that may be left out, on a cheap ring that is dear to leave; one more input feeds the output."""
    size = int(draw.integers(3, 5))
    feeder, output = size, size + 1
    edges = [(place, (place + 1) % size, int(draw.integers(0, 3))) for place in range(size)]
    edges += [(int(draw.integers(size)), output, int(draw.integers(1, 15)))]
    edges += [(feeder, int(draw.choice([output, draw.integers(size)])), int(draw.integers(0, 9)))]
    edges += [(feeder, output, int(draw.integers(3, 20)))]
    if draw.random() < 0.5:
        edges += [(output, int(draw.integers(size)), int(draw.integers(0, 3)))]
    inputs = sorted({0, int(draw.integers(size)), feeder})
    optional = [vertex for vertex in inputs if vertex != feeder or draw.random() < 0.5]
    return _problem(draw, size + 2, edges, inputs, [output], optional)


def passed(draw: np.random.Generator) -> Problem:
    """The ways of one sample pass inputs of another, which those may earn all at once."""
    count = int(draw.integers(2, 4))
    start, end, other, other_end = count, count + 1, count + 2, count + 3
    between = list(range(count))
    edges = [(start, vertex, int(draw.integers(0, 3))) for vertex in between]
    edges += [(vertex, end, int(draw.integers(0, 3))) for vertex in between]
    edges += [(other, other_end, 1), (int(draw.integers(count)), other_end, int(draw.integers(1, 9)))]
    if draw.random() < 0.5:
        edges += [(*draw.choice(count, 2, replace=False).tolist(), int(draw.integers(0, 3)))]
    samples = (Sample((start,), (end,)), Sample((*between, other), (other_end,)))
    return _problem(draw, count + 4, edges, [*between, start, other], [end, other_end], between, samples)


def ring_passed(draw: np.random.Generator) -> Problem:
    """The ways of one sample pass a ring with inputs of another: round it a walk leads, but perhaps no path."""
    size = int(draw.integers(3, 5))
    start, end, other, other_end = size, size + 1, size + 2, size + 3
    edges = [(place, (place + 1) % size, int(draw.integers(0, 2))) for place in range(size)]
    door = int(draw.integers(size))
    edges += [(start, door, int(draw.integers(0, 3))), (start, end, int(draw.integers(1, 6)))]
    edges += [(door if draw.random() < 0.6 else int(draw.integers(size)), end, int(draw.integers(0, 3)))]
    inputs = sorted({0, int(draw.integers(size))})
    edges += [(other, other_end, 1), (inputs[0], other_end, int(draw.integers(5, 20)))]
    samples = (Sample((start,), (end,)), Sample((*inputs, other), (other_end,)))
    return _problem(draw, size + 4, edges, [*inputs, start, other], [end, other_end], inputs, samples)


DRAWN = {"ring": ring, "passed": passed, "ring passed": ring_passed}


def _problem(draw, n_vertices, edges, inputs, outputs, optional, samples=()) -> Problem:
    """The same under random names of its vertices."""
    name = draw.permutation(n_vertices).tolist()
    renamed = tuple(
        Sample(tuple(name[v] for v in sample.inputs), tuple(name[v] for v in sample.outputs)) for sample in samples
    )
    rewards = {name[vertex]: float(draw.integers(1, 15)) for vertex in optional}
    return Problem(
        n_vertices=n_vertices,
        sources=[name[tail] for tail, _, _ in edges],
        targets=[name[head] for _, head, _ in edges],
        inputs=[name[v] for v in inputs],
        outputs=[name[v] for v in outputs],
        costs=[cost for _, _, cost in edges],
        rules=Rules(rewards=rewards, samples=renamed, shared_order=bool(draw.random() < 0.5)),
    )


@pytest.mark.parametrize(("method", "backend"), ENGINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_optimum_where_rewards_could_be_feigned_or_missed(family, method, backend):
    wrong = [
        f"draw {number}: {fault}\n    {recipe(problem)}"
        for number, problem in enumerate(drawn(family, 60))
        if (fault := disagreement(problem, cheapest(problem), method, backend))
    ]
    assert not wrong, f"{len(wrong)} of 60\n" + "\n".join(wrong[:5])


def with_one_more_rule(problem: Problem, number: int) -> Problem:
    """The problem with a rule of another kind; those that speak of one order only where there is one."""
    draw = np.random.default_rng([7, number])
    rules, n = problem.rules, problem.n_vertices
    roles = {*problem.inputs.tolist(), *problem.outputs.tolist()}
    more = [
        {"vertex_costs": draw.integers(0, 4, n)},
        {"rules": replace(rules, max_parents=1)},
        {"rules": replace(rules, signs=tuple(draw.choice([-1, 0, 1, 1], problem.n_edges).tolist()))},
    ]
    if rules.shared_order:
        best = cheapest(problem)
        more += [
            {"rules": replace(rules, excluded=tuple(map(tuple, best.edge_sets if best else ())))},
            {"rules": replace(rules, forced_vertices=(int(draw.choice(sorted(roles))),))},
            {"rules": replace(rules, forced_edges=(int(draw.integers(problem.n_edges)),))},
            {"rules": replace(rules, max_depth=int(draw.integers(2, 4)))},
            {"rules": replace(rules, min_routes=2, disjoint_routes=bool(draw.integers(2)))},
            {"vertex_costs": draw.integers(-2, 3, n)},
        ]
    return problem.changed(**more[number % len(more)])


@pytest.mark.parametrize(("method", "backend"), ENGINES)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_optimum_of_these_under_one_more_rule(family, method, backend):
    problems = [with_one_more_rule(problem, number) for number, problem in enumerate(drawn(family, 54, seed=2))]
    wrong = [
        f"draw {number}: {fault}\n    {recipe(problem)}"
        for number, problem in enumerate(problems)
        if (fault := disagreement(problem, cheapest(problem), method, backend))
    ]
    assert not wrong, f"{len(wrong)} of 54\n" + "\n".join(wrong[:5])


def program_fault(problem: Problem, backend: str) -> str:
    """Whether the optimum of the program alone, without a network to begin with, is that of the problem."""
    best = cheapest(problem)
    try:
        normal = normalise(problem)
    except InfeasibleProblem:
        return "" if best is None else "called infeasible by the reductions"
    program, _ = acyclic_flow(normal.problem, wants(normal.problem))
    result = registry.backend(backend).run(program, EngineOptions(np.inf, 0))
    if best is None or result.status is Status.INFEASIBLE:
        return "" if best is None and result.status is Status.INFEASIBLE else f"{result.status}, optimum {best}"
    bound = result.bound + normal.constant + sum(normal.problem.rules.rewards.values())
    return "" if bound == pytest.approx(best.objective, abs=1e-6) else f"{bound} where {best.objective} is right"


@pytest.mark.parametrize("backend", solvers.available())
@pytest.mark.parametrize("family", FAMILIES)
def test_the_program_alone_has_the_optimum_of_these(family, backend):
    wrong = [fault for problem in drawn(family, 60, seed=1) if (fault := program_fault(problem, backend))]
    assert not wrong, f"{len(wrong)} of 60: {wrong[:5]}"


@pytest.mark.parametrize("backend", solvers.available())
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "disjoint_routes"])  # their cuts come later
def test_the_program_alone_has_the_optimum_of_drawn_problems(kind, backend):
    problems = drawn_ruled_problems(20, seed=4, kind=kind)
    wrong = [fault for problem in problems if (fault := program_fault(problem, backend))]
    assert not wrong, f"{len(wrong)} of 20: {wrong[:5]}"


def test_the_families_hold_what_they_are_for():
    """Optimum with and without the reward of some input, and samples with edges of their own."""
    for family in FAMILIES:
        problems = drawn(family, 60)
        earned = left = own = 0
        for problem in problems:
            best = cheapest(problem)
            touched = {int(v) for e in best.edge_sets[0] for v in (problem.sources[e], problem.targets[e])}
            earned += bool({*problem.rules.rewards} & touched)
            left += bool({*problem.rules.rewards} - touched)
            own += needs_own_orders(problem)
        assert min(earned, left) >= 8, (family, earned, left)
        assert own >= (0 if family == "ring" else 15), (family, own)
