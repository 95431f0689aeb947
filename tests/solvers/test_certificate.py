"""A certificate never proves too much, whatever is in it; and what `certify` makes proves the optimum."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

import solvers
from solvers.certificate import Branch, Certificate, Closed, Cut, Leaf, checked_bound
from solvers.certify import certify
from solvers.clock import Clock
from solvers.errors import CertificateError, ProblemError
from solvers.problem import Problem
from solvers.rules import Rules
from tests.oracles.cover import Cover
from tests.oracles.strategies import seeded
from tests.solvers.drawn import Solved, solved_problems

KINDS = {
    "unit": {"costs": "unit"},
    "one output": {"costs": "unit", "n_outputs": 1},
    "three outputs": {"costs": "unit", "n_outputs": 3},
    "zero and small": {"costs": "small"},
    "parallel": {"costs": "small", "parallel": True},
    "real": {"costs": "float"},
    "real, three outputs": {"costs": "float", "n_outputs": 3},
}
at_every_kind = pytest.mark.parametrize("kind", KINDS)


@lru_cache
def drawn(kind: str, count: int = 60) -> tuple[Solved, ...]:
    """Problems of a kind with their optimum."""
    return solved_problems(count, seed=41, max_edges=11, **KINDS[kind])


@lru_cache
def certified(kind: str) -> tuple[tuple[Problem, Fraction, Certificate], ...]:
    """Problem, exact optimum and certificate."""
    return tuple(
        (problem, optimum, certify(problem, optimum))
        for problem, cover in drawn(kind)
        for optimum in [exact(problem, cover)]
    )


def exact(problem: Problem, cover: Cover) -> Fraction:
    """The least cost of the sets that enumeration found, without rounding."""
    return min(sum((Fraction(float(problem.costs[edge])) for edge in edges), Fraction(0)) for edges in cover.edge_sets)


def triples(costs: list[float] | None = None, n_outputs: int = 1) -> Problem:
    """Nine ways to cover twelve inputs, three for each: the lines of the plane of order 3. Linear bound 3, optimum 5.

    Vertices: 12 inputs, 9 ways, then the outputs, each with an edge from every way.
    """
    points = [(x, y) for x in range(3) for y in range(3)]
    lines = [
        line
        for line in combinations(range(9), 3)
        if all(sum(points[point][axis] for point in line) % 3 == 0 for axis in (0, 1))
    ]
    edges = [(number, 12 + point) for number, line in enumerate(lines) for point in line]
    edges += [(12 + point, 21 + output) for point in range(9) for output in range(n_outputs)]
    return Problem(
        n_vertices=21 + n_outputs,
        sources=[tail for tail, _ in edges],
        targets=[head for _, head in edges],
        inputs=range(12),
        outputs=range(21, 21 + n_outputs),
        costs=costs,
    )


# -- what certify makes --------------------------------------------------------------------------------------------


@at_every_kind
def test_a_certificate_proves_the_optimum_and_never_more(kind):
    proved = 0
    for problem, optimum, certificate in certified(kind):
        bound = checked_bound(problem, certificate)
        assert bound <= optimum
        proved += optimum - bound <= (0 if problem.has_integer_costs else optimum * Fraction(1, 10**10))
    assert proved >= len(certified(kind)) - 1


def test_large_integer_costs_are_proved_to_the_last_unit():
    for problem, cover in solved_problems(40, seed=42, max_edges=10, costs="small"):
        costs = problem.costs * 99_999_999_977 + np.arange(problem.n_edges)
        large = Problem(
            n_vertices=problem.n_vertices,
            sources=problem.sources,
            targets=problem.targets,
            inputs=problem.inputs,
            outputs=problem.outputs,
            costs=costs,
        )
        objective = Fraction(int(solvers.solve(large).objective))
        least = exact(large, cover)  # of the sets that are optimal at small costs, hence an upper bound
        bound = checked_bound(large, certify(large, min(least, objective)))
        assert bound <= min(least, objective)
        assert bound.denominator == 1


def test_a_claim_above_the_optimum_is_not_proved():
    for problem, optimum, _ in certified("unit"):
        assert checked_bound(problem, certify(problem, optimum + 1)) <= optimum


def test_branching_where_the_linear_program_has_a_gap():
    problem = triples()
    certificate = certify(problem, 17)
    assert checked_bound(problem, certificate) == 17
    assert certificate.n_leaves > 1
    assert checked_bound(problem, certify(problem, 17, clock=Clock(1e-9))) < 17


def test_branching_on_edges_where_costs_differ_and_with_two_outputs():
    for n_outputs in (1, 2):
        problem = triples(n_outputs=n_outputs)
        costs = np.ones(problem.n_edges)
        costs[36:] = 1 + np.arange(problem.n_edges - 36) / 64
        problem = triples(costs.tolist(), n_outputs)
        objective = Fraction(solvers.solve(problem).objective)
        certificate = certify(problem, objective)
        assert checked_bound(problem, certificate) == objective
        assert certificate.n_leaves > 1


def test_larger_networks_with_leaf_inputs_are_proved_too():
    """Beyond enumeration: many inputs without predecessors, forced vertices, several outputs, cycles."""
    for seed in range(12):
        problem = genes(seed, n_outputs=1 + seed % 3, unit=seed % 4 != 3)
        solution = solvers.solve(problem)
        objective = sum((Fraction(float(cost)) for cost in problem.costs[solution.edges]), Fraction(0))
        bound = checked_bound(problem, certify(problem, objective))
        assert objective * (1 - Fraction(1, 10**10)) <= bound <= objective


def genes(seed: int, *, n_outputs: int, unit: bool) -> Problem:
    """60 inputs with one to three ways each into 25 hidden vertices with cycles."""
    draw = np.random.default_rng(seed)
    hidden, outputs = np.arange(60, 85), np.arange(85, 85 + n_outputs)
    edges = {(gene, int(way)) for gene in range(60) for way in draw.choice(hidden, size=draw.integers(1, 4))}
    edges |= {(int(a), int(b)) for a, b in draw.choice(hidden, size=(60, 2)) if a != b}
    edges |= {(int(draw.choice(hidden)), int(output)) for output in outputs for _ in range(3)}
    edges |= {(60 + k, 60 + (k + 1) % 25) for k in range(25)}
    pairs = sorted(edges)
    costs = np.ones(len(pairs)) if unit else draw.uniform(0.1, 2, len(pairs))
    return Problem(
        n_vertices=85 + n_outputs,
        sources=[tail for tail, _ in pairs],
        targets=[head for _, head in pairs],
        inputs=range(60),
        outputs=outputs,
        costs=costs,
    )


def test_edges_that_lead_nowhere_do_not_matter():
    problem = Problem(n_vertices=5, sources=[0, 0, 1, 3], targets=[1, 3, 2, 4], inputs=[0], outputs=[2])
    assert checked_bound(problem, certify(problem, 2)) == 2


def test_known_cuts_are_taken_up():
    problem = Problem(n_vertices=3, sources=[0, 1], targets=[1, 2], inputs=[0], outputs=[2], costs=[2.0, 3.0])
    assert checked_bound(problem, certify(problem, 5, cuts=[Cut(2, (1,))])) == 5


def test_two_runs_give_the_same_certificate():
    assert certify(triples(), 17) == certify(triples(), 17)


def test_only_problems_of_covering_have_certificates():
    base = {"n_vertices": 3, "sources": [0, 1], "targets": [1, 2], "inputs": [0], "outputs": [2]}
    for odd in ({"costs": [-1.0, 1.0]}, {"vertex_costs": [0.0, -1.0, 0.0]}, {"rules": Rules(forced_edges=(0,))}):
        with pytest.raises(ProblemError):
            certify(Problem(**base, **odd), 2)
    with pytest.raises(CertificateError, match="problem"):
        checked_bound(Problem(**base, rules=Rules(forced_edges=(0,))), Certificate((), 1, (Leaf(()),)))


# -- whatever is in it ---------------------------------------------------------------------------------------------


@at_every_kind
def test_no_certificate_at_all_proves_too_much(kind):
    """Drawn cuts, duals and trees: what the check lets pass is at most the optimum."""
    integer = seeded(43)
    passed = 0
    for problem, cover in drawn(kind):
        optimum = exact(problem, cover)
        for _ in range(10):
            certificate = _anything(integer, problem)
            try:
                bound = checked_bound(problem, certificate)
            except CertificateError:
                continue
            passed += 1
            assert bound <= optimum
    assert passed > 100


def _anything(integer, problem: Problem) -> Certificate:
    roles = [*problem.inputs.tolist(), *problem.outputs.tolist()]
    cuts = [Cut(vertex, tuple(_ends(problem, vertex))) for vertex in roles]
    for _ in range(3):
        edges = tuple(edge for edge in range(problem.n_edges) if integer(0, 2))
        cut = Cut(roles[integer(0, len(roles) - 1)], edges)
        cuts.append(cut if _separates(problem, cut) else replace(cut, witness=None))
    nodes: list = []

    def grow(given: list[int], depth: int) -> None:
        if depth and integer(0, 2):
            cut = integer(0, len(cuts) - 1)
            nodes.append(Branch(cut))
            grow(given, depth - 1)
            grow([*given, cut], depth - 1)
            return
        usable = [index for index, cut in enumerate(cuts) if cut.witness is not None or index in given]
        if not integer(0, 5):
            nodes.append(Closed(integer(0, len(cuts) - 1)))
        else:
            nodes.append(Leaf(tuple((index, integer(0, 60)) for index in usable if integer(0, 1))))

    grow([], 2)
    return Certificate(tuple(cuts), integer(1, 40), tuple(nodes))


def _ends(problem: Problem, vertex: int) -> list[int]:
    ends = problem.sources if vertex in problem.inputs else problem.targets
    return np.flatnonzero(ends == vertex).tolist()


def _separates(problem: Problem, cut: Cut) -> bool:
    try:
        checked_bound(problem, Certificate((cut,), 1, (Leaf(()),)))
    except CertificateError:
        return False
    return True


# -- tampering -----------------------------------------------------------------------------------------------------


@at_every_kind
def test_a_raised_dual_never_raises_the_bound_above_the_optimum(kind):
    for problem, optimum, certificate in certified(kind):
        for where, node in enumerate(certificate.nodes):
            for pair in range(len(node.duals) if isinstance(node, Leaf) else 0):
                cut, numerator = node.duals[pair]
                duals = (*node.duals[:pair], (cut, 2 * numerator + 1), *node.duals[pair + 1 :])
                assert checked_bound(problem, _with_node(certificate, where, Leaf(duals))) <= optimum


@at_every_kind
def test_a_cut_without_one_of_its_edges_is_refused_or_still_one(kind):
    refused = total = 0
    for problem, optimum, certificate in certified(kind):
        for where, cut in enumerate(certificate.cuts):
            for edge in cut.edges if cut.witness is not None else ():
                smaller = replace(cut, edges=tuple(other for other in cut.edges if other != edge))
                total += 1
                try:
                    assert checked_bound(problem, _with_cut(certificate, where, smaller)) <= optimum
                except CertificateError as error:
                    refused += (error.rule, error.cut) == ("cut", where)
    assert refused > 0.9 * total


@at_every_kind
def test_another_witness_is_refused_or_one_too(kind):
    refused = 0
    for problem, optimum, certificate in certified(kind):
        hidden = sorted({*range(problem.n_vertices)} - {*problem.inputs.tolist(), *problem.outputs.tolist()})
        for where, cut in enumerate(certificate.cuts):
            for vertex in (*problem.inputs.tolist(), *problem.outputs.tolist()):
                try:
                    assert (
                        checked_bound(problem, _with_cut(certificate, where, replace(cut, witness=vertex))) <= optimum
                    )
                except CertificateError:
                    refused += 1
            for vertex in (*hidden, -1, problem.n_vertices):
                with pytest.raises(CertificateError, match=f"cut {where}: expected an input or output"):
                    checked_bound(problem, _with_cut(certificate, where, replace(cut, witness=vertex)))
    assert refused > 0


def _broken(certificate: Certificate) -> Iterator[tuple[str, Certificate]]:
    """Certificates that no check may let pass, made from one with branchings."""
    leaf = next(index for index, node in enumerate(certificate.nodes) if isinstance(node, Leaf))
    duals = certificate.nodes[leaf].duals
    (cut, numerator), rest = duals[0], duals[1:]
    n_cuts = len(certificate.cuts)
    chosen = next(index for index, node in enumerate(certificate.nodes) if isinstance(node, Branch))
    own = next(index for index, cut in enumerate(certificate.cuts) if cut.witness is None)
    yield "a negative dual", _with_node(certificate, leaf, Leaf(((cut, -numerator), *rest)))
    yield "a cut twice in a leaf", _with_node(certificate, leaf, Leaf((duals[0], *duals)))
    yield "a cut that is not there", _with_node(certificate, leaf, Leaf(((n_cuts, 1), *rest)))
    yield "a cut of negative number", _with_node(certificate, leaf, Leaf(((-1, 1), *rest)))
    yield "a branching on nothing", _with_node(certificate, chosen, Branch(n_cuts))
    yield "a leaf left out", replace(certificate, nodes=certificate.nodes[:-1])
    yield "a leaf too many", replace(certificate, nodes=(*certificate.nodes, Leaf(())))
    yield "no leaf", replace(certificate, nodes=())
    yield "a set without witness taken for a cut", replace(certificate, nodes=(Leaf(((own, 1),)),))
    yield "a case closed without reason", _with_node(certificate, leaf, Closed(0))
    yield "a case closed by a set", replace(certificate, nodes=(Closed(own),))
    yield "no denominator", replace(certificate, denominator=0)
    yield "a negative denominator", replace(certificate, denominator=-certificate.denominator)
    at = next(index for index, cut in enumerate(certificate.cuts) if cut.witness is not None)
    first = certificate.cuts[at]
    yield "an edge twice", _with_cut(certificate, at, replace(first, edges=(*first.edges, first.edges[0])))
    yield "an edge that is not there", _with_cut(certificate, at, replace(first, edges=(*first.edges, 10**6)))
    yield "an edge of negative number", _with_cut(certificate, at, replace(first, edges=(*first.edges, -1)))
    yield "no edges", _with_cut(certificate, at, replace(first, edges=()))


def test_what_is_broken_is_refused():
    problem = triples()
    certificate = certify(problem, 17)
    broken = dict(_broken(certificate))
    for what, tampered in broken.items():
        with pytest.raises(CertificateError):
            raise AssertionError(f"{what} passed with {checked_bound(problem, tampered)}")
    assert len(broken) > 15


def test_a_leaf_of_another_case_does_not_carry_over():
    """The set of a branching is a cut in its second case alone."""
    problem = triples()
    certificate = certify(problem, 17)
    root = next(index for index, node in enumerate(certificate.nodes) if isinstance(node, Branch))
    last = certificate.nodes[-1]
    assert any(cut == certificate.nodes[root].cut for cut, _ in last.duals)
    first = next(index for index, node in enumerate(certificate.nodes) if isinstance(node, Leaf))
    with pytest.raises(CertificateError, match="no witness"):
        checked_bound(problem, _with_node(certificate, first, last))


def test_a_proof_that_there_is_no_network_is_refused():
    problem = Problem(n_vertices=2, sources=[0], targets=[1], inputs=[0], outputs=[1])
    for nodes in ((Closed(0),), (Branch(0), Closed(0), Closed(0))):
        with pytest.raises(CertificateError):
            checked_bound(problem, Certificate((Cut(0, (0,)),), 1, nodes))
    forked = Problem(n_vertices=3, sources=[0], targets=[1], inputs=[0], outputs=[2])
    with pytest.raises(CertificateError, match="no network"):
        checked_bound(forked, Certificate((Cut(0, ()),), 1, (Closed(0),)))


@at_every_kind
def test_a_certificate_for_other_costs_or_another_network_proves_nothing_wrong(kind):
    pairs = list(zip(certified(kind), certified(kind)[1:], strict=False))
    for (_, _, certificate), (problem, optimum, _) in pairs:
        try:
            assert checked_bound(problem, certificate) <= optimum
        except CertificateError:
            continue
    for problem, optimum, certificate in certified(kind):
        cheaper = Problem(
            n_vertices=problem.n_vertices,
            sources=problem.sources,
            targets=problem.targets,
            inputs=problem.inputs,
            outputs=problem.outputs,
            costs=problem.costs / 2,
        )
        assert checked_bound(cheaper, certificate) <= optimum / 2


def _with_node(certificate: Certificate, where: int, node: Branch | Leaf | Closed) -> Certificate:
    return replace(certificate, nodes=(*certificate.nodes[:where], node, *certificate.nodes[where + 1 :]))


def _with_cut(certificate: Certificate, where: int, cut: Cut) -> Certificate:
    return replace(certificate, cuts=(*certificate.cuts[:where], cut, *certificate.cuts[where + 1 :]))


# -- the rest ------------------------------------------------------------------------------------------------------


def test_what_is_written_and_read_again_is_equal():
    certificate = certify(triples(), 17)
    assert Certificate.from_dict(certificate.to_dict()) == certificate
    for odd in (
        {},
        {**certificate.to_dict(), "denominator": 1.0},
        {**certificate.to_dict(), "denominator": True},
        {**certificate.to_dict(), "cuts": [[0]]},
        {**certificate.to_dict(), "cuts": [["0", [1]]]},
        {**certificate.to_dict(), "nodes": [{"twig": 0}]},
        {**certificate.to_dict(), "nodes": [{"leaf": [], "branch": 0}]},
        {**certificate.to_dict(), "nodes": [{"leaf": [[0, 0.5]]}]},
        {**certificate.to_dict(), "nodes": [3]},
    ):
        with pytest.raises(CertificateError, match="shape"):
            Certificate.from_dict(odd)


def test_the_error_survives_a_process_border():
    error = CertificateError("cut", "it is none", cut=3)
    again = copy.copy(error)  # by way of __reduce__, as worker processes do
    assert (str(again), again.rule, again.cut, again.node) == (str(error), "cut", 3, None)


def test_the_check_shares_no_code_with_what_searches():
    text = (Path(solvers.__file__).parent / "certificate.py").read_text(encoding="utf-8")
    own = {
        node.module
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("solvers")
    }
    assert own == {"solvers.errors", "solvers.problem"}
