"""Certificates where vertices cost and inputs may be left out: they prove the optimum, and nothing proves more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

import numpy as np
import pytest

import solvers
from solvers.certificate import Branch, Certificate, Closed, Cut, Leaf, checked_bound
from solvers.certify import certify
from solvers.clock import Clock
from solvers.errors import CertificateError, InfeasibleProblem, ProblemError
from solvers.expanded import expanded
from solvers.problem import Problem
from solvers.rules import Rules
from tests.oracles.rules import cheapest
from tests.oracles.strategies import drawn_problems, seeded

KINDS = {
    "vertices, one output": {"vertices": "small", "n_outputs": 1},
    "vertices, several outputs": {"vertices": "small", "n_outputs": 2},
    "vertices, real": {"vertices": "float", "costs": "float"},
    "rewards, one output": {"rewards": "small", "n_outputs": 1},
    "rewards, several outputs": {"rewards": "small", "n_outputs": 3},
    "both, one output": {"vertices": "small", "rewards": "small", "costs": "small", "n_outputs": 1},
    "both": {"vertices": "small", "rewards": "small", "parallel": True},
    "both, real": {"vertices": "float", "rewards": "float", "costs": "float"},
}
at_every_kind = pytest.mark.parametrize("kind", KINDS)


@lru_cache
def drawn(kind: str, count: int = 40) -> tuple[tuple[Problem, Fraction], ...]:
    """Problems of a kind with their exact optimum, by enumeration."""
    options = dict(KINDS[kind])
    vertices, rewards = options.pop("vertices", None), options.pop("rewards", None)
    integer = seeded(44)
    found = []
    for base in drawn_problems(count, seed=45, max_edges=9, **options):
        problem = base.changed(
            vertex_costs=[_number(integer, vertices) for _ in range(base.n_vertices)],
            rules=Rules(
                rewards={v: _number(integer, rewards) for v in base.inputs.tolist() if rewards and integer(0, 2)}
            ),
        )
        found.append((problem, min(exact(problem, edges) for edges in cheapest(problem).edge_sets)))
    return tuple(found)


def _number(integer, kind: str | None) -> float:
    return 0.0 if kind is None else float(integer(0, 4)) if kind == "small" else integer(0, 4000) / 1234.0


def exact(problem: Problem, edges) -> Fraction:
    """What a choice costs, without rounding."""
    touched = {int(vertex) for edge in edges for vertex in (problem.sources[edge], problem.targets[edge])}
    prices = [problem.costs[edge] for edge in edges] + [problem.vertex_costs[vertex] for vertex in touched]
    prices += [reward for vertex, reward in problem.rules.rewards.items() if vertex not in touched]
    return sum((Fraction(float(price)) for price in prices), Fraction(0))


@lru_cache
def certified(kind: str) -> tuple[tuple[Problem, Fraction, Certificate], ...]:
    """Problem, exact optimum and certificate."""
    return tuple((problem, optimum, certify(problem, optimum)) for problem, optimum in drawn(kind))


def bounded(problem: Problem, certificate: Certificate, optimum: Fraction) -> bool:
    """Whether the check lets a certificate pass; what passes must not prove too much."""
    try:
        assert checked_bound(problem, certificate) <= optimum
    except CertificateError:
        return False
    return True


# -- what certify makes --------------------------------------------------------------------------------------------


@at_every_kind
def test_a_certificate_proves_the_optimum_and_never_more(kind):
    proved = 0
    for problem, optimum, certificate in certified(kind):
        bound = checked_bound(problem, certificate)
        assert bound <= optimum
        proved += optimum - bound <= (0 if problem.has_integer_costs else optimum * Fraction(1, 10**10))
        assert certificate.folded == (not problem.is_plain and len(problem.outputs) == 1)
    assert proved >= len(certified(kind)) - 1


@at_every_kind
def test_what_the_fast_path_proves_is_certified(kind):
    for problem, optimum, certificate in certified(kind)[:20]:
        solution = solvers.solve(problem)
        assert solution.termination is solvers.Termination.OPTIMAL
        assert solution.bound == pytest.approx(float(optimum))
        assert float(checked_bound(problem, certificate)) == pytest.approx(solution.bound, rel=1e-9)


def test_all_kinds_of_elements_are_used_and_matter():
    """Without what vertices and inputs left out add, the same certificates prove less."""
    used = {"vertices": 0, "left_out": 0, "less": 0}
    for kind in KINDS:
        for problem, _, certificate in certified(kind):
            used["vertices"] += any(cut.vertices for cut in certificate.cuts)
            used["left_out"] += any(cut.left_out for cut in certificate.cuts)
            cheaper = problem.changed(vertex_costs=np.zeros(problem.n_vertices))
            used["less"] += checked_bound(cheaper, certificate) < checked_bound(problem, certificate)
    assert min(used.values()) > 50


def test_branching_where_the_linear_program_has_a_gap():
    """Two of three vertices of cost 8 are needed, of which each serves two of three inputs; a program pays for 1.5."""
    for n_outputs in (1, 2):
        pairs = [(0, 3), (0, 4), (1, 4), (1, 5), (2, 5), (2, 3)]
        pairs += [(vertex, 6 + output) for vertex in (3, 4, 5) for output in range(n_outputs)]
        problem = Problem(
            n_vertices=6 + n_outputs,
            sources=[tail for tail, _ in pairs],
            targets=[head for _, head in pairs],
            inputs=[0, 1, 2],
            outputs=range(6, 6 + n_outputs),
            vertex_costs=[0, 0, 0, 8, 8, 8, *[0] * n_outputs],
            rules=Rules(rewards={0: 20.0}),
        )
        assert solvers.solve(problem).objective == 21
        certificate = certify(problem, 21)
        assert checked_bound(problem, certificate) == 21
        assert certificate.n_leaves > 1


def test_known_cuts_are_taken_up():
    problem = Problem(
        n_vertices=3,
        sources=[0, 1],
        targets=[1, 2],
        inputs=[0],
        outputs=[2],
        vertex_costs=[0.0, 3.0, 1.0],
        rules=Rules(rewards={0: 9.0}),
    )
    cuts = [Cut(2, (), (1,)), Cut(2, (), (0,)), Cut(0, (), (2,), (0,))]
    assert checked_bound(problem, certify(problem, 6, cuts=cuts)) == 6


def test_without_time_little_is_proved():
    for problem, optimum, _ in certified("both")[:5]:
        assert checked_bound(problem, certify(problem, optimum, clock=Clock(1e-9))) <= optimum


def test_two_runs_give_the_same_certificate():
    for problem, optimum, certificate in certified("both, real")[:5]:
        assert certify(problem, optimum) == certificate


def test_negative_costs_of_vertices_are_refused_and_what_is_infeasible_is_said_in_its_own_numbers():
    base = {"n_vertices": 4, "sources": [0, 1], "targets": [1, 2], "inputs": [0, 3], "outputs": [2]}
    with pytest.raises(ProblemError):
        certify(Problem(**base, vertex_costs=[0, -1.0, 0, 0]), 2)
    with pytest.raises(InfeasibleProblem) as caught:
        certify(Problem(**base, vertex_costs=[1.0, 1, 1, 1]), 2)
    assert caught.value.inputs == (3,)


@at_every_kind
def test_the_expanded_problem_has_the_same_optimum(kind):
    for problem, optimum in drawn(kind)[:15]:
        assert solvers.solve(expanded(problem).problem).objective == pytest.approx(float(optimum))


# -- whatever is in it ---------------------------------------------------------------------------------------------


@at_every_kind
def test_no_certificate_at_all_proves_too_much(kind):
    """Drawn cuts of all elements, duals and trees, folded or not: what the check lets pass is at most the optimum."""
    integer = seeded(46)
    passed = sum(
        bounded(problem, _anything(integer, problem), optimum) for problem, optimum in drawn(kind) for _ in range(20)
    )
    assert passed > 100


def _anything(integer, problem: Problem) -> Certificate:
    roles = [*problem.inputs.tolist(), *problem.outputs.tolist()]
    folded = len(problem.outputs) == 1 and bool(integer(0, 1))
    cuts = []
    for _ in range(6):
        witness = roles[integer(0, len(roles) - 1)]
        cut = Cut(
            witness,
            tuple(edge for edge in range(problem.n_edges) if integer(0, 2)),
            tuple(vertex for vertex in range(problem.n_vertices) if not integer(0, 3)),
            tuple(vertex for vertex in problem.rules.rewards if vertex == witness or integer(0, 1)),
        )
        cuts.append(
            cut if bounded(problem, Certificate((cut,), 1, (Leaf(()),)), Fraction(0)) else replace(cut, witness=None)
        )
    cuts += [Cut(vertex, (), (vertex,), (vertex,) if vertex in problem.rules.rewards else ()) for vertex in roles]
    nodes: list = []

    def grow(given: list[int], depth: int) -> None:
        if depth and integer(0, 2):
            cut = integer(0, len(cuts) - 1)
            nodes.append(Branch(cut))
            grow(given, depth - 1)
            grow([*given, cut], depth - 1)
            return
        usable = [index for index, cut in enumerate(cuts) if cut.witness is not None or index in given]
        if not integer(0, 7):
            nodes.append(Closed(integer(0, len(cuts) - 1)))
        else:
            nodes.append(Leaf(tuple((index, integer(0, 60)) for index in usable if integer(0, 1))))

    grow([], 2)
    return Certificate(tuple(cuts), integer(1, 40), tuple(nodes), folded)


@at_every_kind
def test_a_certificate_for_other_costs_or_another_network_proves_nothing_wrong(kind):
    for (_, _, certificate), (problem, optimum, _) in zip(certified(kind), certified(kind)[1:], strict=False):
        bounded(problem, certificate, optimum)
        bounded(problem, replace(certificate, folded=not certificate.folded), optimum)
    for problem, optimum, certificate in certified(kind):
        half = problem.changed(
            costs=problem.costs / 2,
            vertex_costs=problem.vertex_costs / 2,
            rules=Rules(rewards={vertex: reward / 2 for vertex, reward in problem.rules.rewards.items()}),
        )
        assert checked_bound(half, certificate) <= optimum / 2
        assert bounded(problem, replace(certificate, folded=not certificate.folded), optimum) == (
            certificate.folded or len(problem.outputs) == 1
        )


# -- tampering -----------------------------------------------------------------------------------------------------


@at_every_kind
def test_a_raised_dual_never_raises_the_bound_above_the_optimum(kind):
    for problem, optimum, certificate in certified(kind):
        for where, node in enumerate(certificate.nodes):
            for pair in range(len(node.duals) if isinstance(node, Leaf) else 0):
                cut, numerator = node.duals[pair]
                duals = (*node.duals[:pair], (cut, 2 * numerator + 1), *node.duals[pair + 1 :])
                nodes = (*certificate.nodes[:where], Leaf(duals), *certificate.nodes[where + 1 :])
                assert checked_bound(problem, replace(certificate, nodes=nodes)) <= optimum


@at_every_kind
def test_a_cut_without_one_of_its_elements_is_refused_or_still_one(kind):
    refused = total = 0
    for problem, optimum, certificate in certified(kind):
        for where, cut in enumerate(certificate.cuts):
            for smaller in _without_one(cut) if cut.witness is not None else ():
                cuts = (*certificate.cuts[:where], smaller, *certificate.cuts[where + 1 :])
                total += 1
                refused += not bounded(problem, replace(certificate, cuts=cuts), optimum)
    assert refused > 0.8 * total > 0


def _without_one(cut: Cut) -> Iterator[Cut]:
    for name in ("edges", "vertices", "left_out"):
        held = getattr(cut, name)
        for element in held:
            yield replace(cut, **{name: tuple(other for other in held if other != element)})


WAY = Problem(  # 0 -> 1 -> 3 and 2 -> 3, of which 2 may be left out
    n_vertices=4,
    sources=[0, 1, 2],
    targets=[1, 3, 3],
    inputs=[0, 2],
    outputs=[3],
    vertex_costs=[1.0, 2.0, 3.0, 4.0],
    rules=Rules(rewards={2: 5.0}),
)


@pytest.mark.parametrize(
    ("cut", "says"),
    [
        (Cut(0, (), (4,)), "different vertices in"),
        (Cut(0, (), (-1,)), "different vertices in"),
        (Cut(0, (), (1, 1)), "different vertices in"),
        (Cut(0, (3,), (1,)), "different edges in"),
        (Cut(0, (), (1,), (0,)), "inputs that may be left out"),
        (Cut(0, (), (1,), (3,)), "inputs that may be left out"),
        (Cut(2, (2,), (), (2, 2)), "inputs that may be left out"),
        (Cut(None, (), (), (7,)), "inputs that may be left out"),
        (Cut(2, (2,)), "may be left out, which is not in it"),
        (Cut(2, (), (2, 3)), "may be left out, which is not in it"),
        (Cut(2, (), (), (2,)), "has a way that avoids its edges"),
        (Cut(2, (), (1,), (2,)), "has a way that avoids its edges and vertices"),
        (Cut(0, (), (2,)), "has a way that avoids its edges and vertices"),
        (Cut(3, (), (0,)), "has a way that avoids its edges and vertices"),
        (Cut(3, (2,), (), (2,)), "has a way that avoids its edges"),
        (Cut(1, (), (1,)), "expected an input or output, got vertex 1"),
    ],
    ids=str,
)
def test_what_is_no_cut_is_refused_and_says_why(cut, says):
    with pytest.raises(CertificateError, match=says) as caught:
        checked_bound(WAY, Certificate((cut,), 1, (Leaf(()),)))
    assert (caught.value.rule, caught.value.cut) == ("cut", 0)


@pytest.mark.parametrize(
    "cut",
    [Cut(0, (), (0,)), Cut(0, (), (1,)), Cut(0, (), (3,)), Cut(3, (), (3,)), Cut(3, (2,), (1,)), Cut(2, (), (2,), (2,)),
     Cut(2, (), (3,), (2,)), Cut(2, (2,), (), (2,))],
    ids=str,
)  # fmt: skip
def test_what_is_a_cut_is_one_at_its_ends_too(cut):
    assert checked_bound(WAY, Certificate((cut,), 1, (Leaf(((0, 1),)),))) <= 13
    assert checked_bound(WAY, certify(WAY, 13)) == 13


def test_folding_needs_one_output_and_costs_that_are_not_negative():
    leaf = Certificate((), 1, (Leaf(()),), folded=True)
    two = Problem(n_vertices=3, sources=[0, 0], targets=[1, 2], inputs=[0], outputs=[1, 2], vertex_costs=[1.0, 0, 0])
    one = Problem(n_vertices=2, sources=[0], targets=[1], inputs=[0], outputs=[1], vertex_costs=[-1.0, 0])
    for problem in (two, one):
        with pytest.raises(CertificateError, match="one output and costs >= 0"):
            checked_bound(problem, leaf)
    ways = Certificate((Cut(1, (0,)), Cut(2, (1,))), 1, (Leaf(((0, 2), (1, 2))),))
    assert checked_bound(two, ways) == 2  # folded it would be 4, but the choice of both edges costs 3


def test_further_rules_are_refused():
    ruled = WAY.changed(rules=replace(WAY.rules, max_parents=2))
    with pytest.raises(CertificateError, match="problem"):
        checked_bound(ruled, Certificate((), 1, (Leaf(()),)))
    with pytest.raises(ProblemError):
        certify(ruled, 13)


# -- JSON ----------------------------------------------------------------------------------------------------------


def test_what_is_written_and_read_again_is_equal():
    for kind in KINDS:
        for _, _, certificate in certified(kind):
            assert Certificate.from_dict(certificate.to_dict()) == certificate
    data = certify(WAY, 13).to_dict()
    for odd in ({"cuts": [[0, [0], [1]]]}, {"cuts": [[0, [0], [1], ["2"]]]}, {"cuts": [7]}, {"folded": 1}):
        with pytest.raises(CertificateError, match="shape"):
            Certificate.from_dict({**data, **odd})


def test_a_certificate_from_before_vertices_were_elements_is_read_and_holds():
    """Written by the version that knew edges alone; the present one writes the same."""
    stored = {
        "denominator": 4,
        "cuts": [[0, [0, 1]], [0, [1, 2, 4]], [0, [2, 3]]],
        "nodes": [{"leaf": [[0, 4], [1, 1], [2, 4]]}],
    }
    sources, targets, costs = [0, 0, 1, 2, 1], [1, 2, 3, 3, 2], [1.0, 2.5, 2.0, 1.0, 0.25]
    problem = Problem(n_vertices=4, sources=sources, targets=targets, inputs=[0], outputs=[3], costs=costs)
    read = Certificate.from_dict(stored)
    assert checked_bound(problem, read) == Fraction(9, 4)
    assert read.to_dict() == stored == certify(problem, 2.25).to_dict()
