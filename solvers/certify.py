"""Make a certificate for a claimed optimum, after the fact and without the run that found it.

First dual ascent, from the inputs and, with several outputs, back from the outputs too. Where its bound is short of the
claim, linear programs over cuts without the columns that only a dearer choice can use, and branching
(`solvers.cut_tree`). The duals of engines are floats; they are rounded to whole multiples of a small unit, and whatever
error they hold shows in the bound that `solvers.certificate.checked_bound` computes: nothing here has to be trusted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from solvers.certificate import Branch, Certificate, Cut, Leaf, Node, checked_bound
from solvers.clock import Clock
from solvers.cut_forms import Form, Row, Side, arc_form, node_form
from solvers.errors import ProblemError
from solvers.expanded import expanded
from solvers.problem import FloatVector, IntVector, Problem
from solvers.reduce.normal import normalise
from solvers.steiner.dual_ascent import dual_ascent
from solvers.steiner.instance import Instance

TICKS = 2**20  # duals are whole multiples of 1 / TICKS of the costs' common unit
LONG = 2**20  # costs up to so many units go to the engines as they are
REACHED = Fraction(1, 10**11)  # where a unit is less than this (relative to the claim), a bound so near it will do
MAX_CUTS = 10**7  # of an ascent: all that there are


def certify(
    problem: Problem,
    objective: float | Fraction,
    *,
    cuts: Iterable[Cut] = (),
    clock: Clock | None = None,
    seed: int = 0,
) -> Certificate:
    """A certificate whose bound meets a claimed optimum, or else comes as near to it as time and effort allow.

    Args:
        problem: Costs >= 0, only covering is asked (`problem.is_cover`).
        objective: Cost of the network in hand, exact if it can be.
        cuts: Cuts that are known already; rows to begin with. Those with vertices that cost nothing are not used.
        clock: When to stop; None: never.
        seed: For the engine.

    Returns:
        A certificate for the problem; `checked_bound` says what it proves.

    Raises:
        ProblemError: A cost is negative, or more than covering is asked.
        InfeasibleProblem: There is no network.
    """
    if not problem.is_cover or problem.has_negative_costs:
        raise ProblemError("expected costs >= 0 and covering alone for a certificate, got more; leave it out")
    if problem.is_plain:
        return _of_edges(problem, Fraction(objective), cuts, clock or Clock(), seed=seed)
    normalise(problem)  # if there is no network, it says so of vertices of this problem
    folds = len(problem.outputs) == 1
    priced = _folded(problem) if folds else problem
    wide = expanded(priced)
    known = [wide.expanded(cut) for cut in cuts if priced.vertex_costs[list(cut.vertices)].all()]
    found = _of_edges(wide.problem, Fraction(objective), known, clock or Clock(), seed=seed)
    return replace(found, cuts=tuple(wide.original(cut) for cut in found.cuts), folded=folds)


def _folded(problem: Problem) -> Problem:
    """Edges pay for the vertices that they begin at, which is the same where trees are cheapest (one output)."""
    prices = np.zeros(problem.n_vertices)
    prices[problem.outputs] = problem.vertex_costs[problem.outputs]
    return problem.changed(costs=problem.costs + (problem.vertex_costs - prices)[problem.sources], vertex_costs=prices)


def _of_edges(problem: Problem, objective: Fraction, cuts: Iterable[Cut], clock: Clock, *, seed: int) -> Certificate:
    """The certificate of a problem in which only edges cost."""
    scale = Scale.of(problem, objective)
    normal = normalise(problem)
    smaller, kept = normal.problem, normal.kept
    costs = [scale.whole[edge] for edge in kept.tolist()]
    weights = np.array([cost / scale.dearest for cost in costs])
    known = _on(cuts, kept, problem.n_edges)
    best, reached = Certificate((), 1, (Leaf(()),)), Fraction(0)
    proofs = _ascended(smaller, costs, weights, scale, clock)
    for number, proof in enumerate(proofs):
        if reached >= scale.goal * scale.unit or (number and clock.expired):
            break
        is_last = number + 1 == len(proofs)
        nodes = proof.nodes(known, clock if is_last else clock.share(0.5), seed=seed)
        certificate = _assembled(proof.cuts, nodes, kept, scale)
        bound = checked_bound(problem, certificate)
        if bound > reached:
            best, reached = certificate, bound
        known += [proof.cuts[index] for index in proof.rows]
    return best


def _ascended(problem: Problem, costs: Sequence[int], weights: FloatVector, scale: Scale, clock: Clock) -> list[Proof]:
    """Proofs by dual ascent in either form, up to one that is enough; the better one first."""
    proofs: list[Proof] = []
    for make in (node_form, arc_form):
        form = None if clock.expired else make(problem, costs, weights)
        if form is None:
            continue
        proofs.append(Proof(form, scale, clock))
        if proofs[-1].bound >= proofs[-1].goal:
            break
    return sorted(proofs, key=lambda proof: -proof.bound)


@dataclass(frozen=True)
class Scale:
    """Costs as whole multiples of their greatest common divisor.

    Attributes:
        unit: That divisor; 1 where all costs are 0.
        whole: Cost of each edge in units.
        dearest: What engines take for 1, in units: 1, or about the dearest edge where units are tiny.
        goal: Bound to reach, in units: less than one below the claim, since bounds are rounded up.
    """

    unit: Fraction
    whole: tuple[int, ...]
    dearest: int
    goal: Fraction

    @classmethod
    def of(cls, problem: Problem, objective: Fraction) -> Scale:
        """Read it off the costs and the claim."""
        ratios = [cost.as_integer_ratio() for cost in problem.costs.tolist()]
        below = math.lcm(*{denominator for _, denominator in ratios})
        numbers = [numerator * (below // denominator) for numerator, denominator in ratios]
        step = math.gcd(*numbers) or 1
        whole = tuple(number // step for number in numbers)
        dearest, unit = max(whole, default=0), Fraction(step, below)
        claimed = objective / unit
        return cls(
            unit=unit,
            whole=whole,
            dearest=1 if dearest <= LONG else 1 << (dearest.bit_length() - 1),
            goal=claimed - max(Fraction(1023, 1024), claimed * REACHED),
        )


class Proof:
    """A proof in the making over one form: cuts with an index, and nodes that refer to them.

    Duals are integers, in ticks of 1 / TICKS of the costs' unit.

    Attributes:
        form: Columns and sides.
        scale: Of the costs.
        clock: When to stop.
        goal: Bound to reach, in ticks.
        cuts: All cuts and sets to branch on so far.
        rows: Columns of those of them that are rows.
        settled: Cuts that are paid in full beside all columns, and their duals.
        constant: Sum of those duals.
        bound: Of dual ascent, in ticks.
    """

    def __init__(self, form: Form, scale: Scale, clock: Clock) -> None:
        self.form, self.scale, self.clock = form, scale, clock
        self.goal = math.ceil(scale.goal * TICKS)
        self.cuts: list[Cut] = []
        self.rows: dict[int, IntVector] = {}
        self._known: dict[bytes, int] = {}
        self.settled = tuple((self.new_cut(cut), dual * TICKS) for cut, dual in form.settled)
        self.constant = sum(dual for _, dual in self.settled)
        self._left, self._ascent = self._ascend()
        self.bound = self.constant + sum(dual for _, dual in self._ascent)

    def new_cut(self, cut: Cut) -> int:
        """Number a cut that is no row."""
        self.cuts.append(cut)
        return len(self.cuts) - 1

    def new_row(self, row: Row) -> tuple[int, bool]:
        """Number of a row, and whether it is new."""
        key = row.columns.tobytes()
        if key in self._known:
            return self._known[key], False
        index = self._known[key] = self.new_cut(row.cut)
        self.rows[index] = row.columns
        return index, True

    def nodes(self, known: Iterable[Cut], clock: Clock, *, seed: int) -> list[Node]:
        """The tree of cases: one leaf by dual ascent if that is enough, else what linear programs give by the clock.

        Reduced-cost fixing is a branching: a choice with one of the columns that are left out pays at least the bound
        of the ascent and the least reduced cost among them, which reaches the goal; the program decides the rest.
        """
        self.clock = clock
        leaf = Leaf((*self.settled, *self._ascent))
        if self.bound >= self.goal or clock.expired:
            return [leaf]
        if self.form.is_by_edges:
            for cut in known:
                if all(self.form.costs[edge] for edge in cut.edges):
                    self.new_row(Row(cut, np.array(cut.edges, dtype=np.int64)))
        from solvers.cut_tree import CutTree  # loads HiGHS, which many proofs never need

        dear = [column for column, value in enumerate(self._left) if value and self.bound + value * TICKS >= self.goal]
        closed = set(dear)
        paid = [column for column, cost in enumerate(self.form.costs) if cost and column not in closed]
        rest = CutTree(self, np.array(paid, dtype=np.int64), seed=seed).nodes()
        if rest is None:
            return [leaf]
        if not dear:
            return rest
        edges = sorted({edge for column in dear for edge in self.form.edges[column]})
        fixing = self.new_cut(Cut(None, tuple(edges)))
        least = min(self._left[column] for column in dear) * TICKS
        return [Branch(fixing), *rest, Leaf((*leaf.duals, (fixing, least)))]

    def _ascend(self) -> tuple[list[int], list[tuple[int, int]]]:
        """Dual ascent on each side, its steps taken again in whole numbers: reduced costs and duals.

        Each may take half of the time that is left, so that linear programs have their turn.
        """
        left = list(self.form.costs)
        duals: dict[int, int] = {}
        for side in self.form.sides:
            ascent = dual_ascent(self._at(side, left), self.clock.share(0.5), max_cuts=MAX_CUTS)
            for arcs, witness in zip(ascent.cuts, ascent.witnesses.tolist(), strict=True):
                step = min(left[column] for column in side.column[arcs].tolist())
                if step > 0:
                    index, _ = self.new_row(side.row(arcs, witness))
                    duals[index] = duals.get(index, 0) + step * TICKS
                    for column in self.rows[index].tolist():
                        left[column] -= step
        return left, list(duals.items())

    def _at(self, side: Side, costs: Sequence[int]) -> Instance:
        """The side's instance at what is left of the costs."""
        weights = np.array([cost / self.scale.dearest for cost in costs])
        return replace(side.instance, costs=np.where(side.column >= 0, weights[side.column], 0.0))


def _assembled(cuts: Sequence[Cut], nodes: Sequence[Node], kept: IntVector, scale: Scale) -> Certificate:
    """The certificate on the problem's own edges, with the cuts that it needs and duals in lowest terms."""
    used: dict[int, int] = {}
    for node in nodes:
        for cut, dual in node.duals if isinstance(node, Leaf) else ((node.cut, 1),):
            if dual:
                used.setdefault(cut, len(used))
    duals = [dual for node in nodes if isinstance(node, Leaf) for _, dual in node.duals]
    below = scale.unit.denominator * TICKS
    common = math.gcd(below, *(dual * scale.unit.numerator for dual in duals))

    def renumbered(node: Node) -> Node:
        if isinstance(node, Leaf):
            pairs = ((used[cut], dual * scale.unit.numerator // common) for cut, dual in node.duals if dual)
            return Leaf(tuple(sorted(pairs)))
        return replace(node, cut=used[node.cut])

    edges = kept.tolist()
    return Certificate(
        cuts=tuple(Cut(cuts[cut].witness, tuple(edges[edge] for edge in cuts[cut].edges)) for cut in used),
        denominator=below // common,
        nodes=tuple(map(renumbered, nodes)),
    )


def _on(cuts: Iterable[Cut], kept: IntVector, n_edges: int) -> list[Cut]:
    """Cuts in the numbers of the edges that are kept; no way leads over the others."""
    number = np.full(n_edges, -1)
    number[kept] = np.arange(len(kept))
    renumbered = [number[list(cut.edges)] for cut in cuts]
    return [
        replace(cut, edges=tuple(np.sort(edges[edges >= 0]).tolist()))
        for cut, edges in zip(cuts, renumbered, strict=True)
    ]
