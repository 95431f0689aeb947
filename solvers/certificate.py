"""A proof of a lower bound that anyone can check: cuts, numbers on them, and where needed a tree of cases.

A *cut* is a vertex, its witness, with a set of edges. If the witness is an input, no output can be reached from it
without these edges; if it is an output, no input reaches it without them. So every feasible choice takes one of them.
Let y(C) >= 0 be any numbers on cuts and r(e) = cost(e) - sum of y(C) over the cuts C that hold e. Then for every
feasible choice S

    cost(S) = sum over e in S of r(e) + sum over C of y(C) |S n C| >= sum over e of min(0, r(e)) + sum over C of y(C).

A *branching* on a set of edges D distinguishes two cases: S holds none of D, so that these edges drop out of the first
sum; or S holds at least one, so that D is a cut as far as this case goes. The least bound over all cases holds for
every S. With D one edge this is the usual branching; with D all edges of high reduced cost it is reduced-cost fixing.

Everything here is exact: floats are the rational numbers that they are, sums are integers over one denominator. The
module shares no code with what searches; it is short so that it can be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from solvers.errors import CertificateError
from solvers.problem import Problem


@dataclass(frozen=True)
class Cut:
    """Edges of which every feasible choice takes one.

    Attributes:
        witness: The input that reaches no output, or the output that no input reaches, without them. None: a set to
            branch on, a cut only in the case that says so.
        edges: Indices of edges of the problem.
    """

    witness: int | None
    edges: tuple[int, ...]


@dataclass(frozen=True)
class Branch:
    """Two cases: none of the edges of `cuts[cut]` is taken, or at least one is. The cases follow, in this order."""

    cut: int


@dataclass(frozen=True)
class Leaf:
    """A case with a bound: pairs of a cut (its index) and its dual value's numerator, each cut at most once."""

    duals: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Closed:
    """A case that cannot be: all edges of `cuts[cut]`, of which one is needed, are left out."""

    cut: int


Node = Branch | Leaf | Closed


@dataclass(frozen=True)
class Certificate:
    """Cuts, and a tree of cases over them.

    Attributes:
        cuts: All cuts and sets to branch on.
        denominator: Of all dual values, > 0.
        nodes: The tree in preorder: a branching, then all of its first case, then all of its second. Without
            branchings it is one leaf.
    """

    cuts: tuple[Cut, ...]
    denominator: int
    nodes: tuple[Node, ...]

    @property
    def n_leaves(self) -> int:
        """Number of cases."""
        return sum(not isinstance(node, Branch) for node in self.nodes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; the inverse of `from_dict`."""
        return {
            "denominator": self.denominator,
            "cuts": [[cut.witness, list(cut.edges)] for cut in self.cuts],
            "nodes": [_written(node) for node in self.nodes],
        }

    @classmethod
    def from_dict(cls, data: Any) -> Certificate:
        """Read what `to_dict` gives.

        Raises:
            CertificateError: The data have another shape, or a number is no integer.
        """
        try:
            cuts = tuple(
                Cut(None if witness is None else _whole(witness), tuple(map(_whole, edges)))
                for witness, edges in data["cuts"]
            )
            return cls(cuts, _whole(data["denominator"]), tuple(map(_read, data["nodes"])))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CertificateError(
                "shape", f"expected cuts, denominator and nodes of integers, got others ({error})"
            ) from error


def checked_bound(problem: Problem, certificate: Certificate) -> Fraction:
    """Check a certificate and give the bound that it proves.

    Args:
        problem: Only edges cost, only covering is asked (`problem.is_plain`).
        certificate: What is claimed to be a proof for this problem.

    Returns:
        No feasible choice of edges costs less. Every choice costs a multiple of the greatest common divisor of the
        costs (with integer costs a whole number), so the bound is rounded up to one.

    Raises:
        CertificateError: A cut does not separate, an index is out of range, a dual is negative, the tree is not
            complete, or the problem is of another kind; with the rule and the number of the cut or node.
    """
    if not problem.is_plain:
        raise CertificateError("problem", "expected a problem of edge costs and covering alone, got further rules")
    if certificate.denominator <= 0:
        raise CertificateError("denominator", f"expected a number > 0, got {certificate.denominator}")
    _check_cuts(problem, certificate.cuts)
    ratios = [cost.as_integer_ratio() for cost in problem.costs.tolist()]
    unit = lcm(certificate.denominator, *{denominator for _, denominator in ratios})
    costs = [numerator * (unit // denominator) for numerator, denominator in ratios]
    least = min(_leaf_bounds(costs, unit // certificate.denominator, certificate), default=None)
    if least is None:
        raise CertificateError("tree", "expected a case that can be, got none: this claims that there is no network")
    step = gcd(*costs)
    return Fraction(-(-least // step) * step if step else least, unit)


# -- cuts ----------------------------------------------------------------------------------------------------------


def _check_cuts(problem: Problem, cuts: Sequence[Cut]) -> None:
    """Every cut with a witness separates it; every index is in range."""
    inputs, outputs = set(problem.inputs.tolist()), set(problem.outputs.tolist())
    tails, heads = problem.sources.tolist(), problem.targets.tolist()
    onward = _Search(problem.n_vertices, tails, heads)
    back = _Search(problem.n_vertices, heads, tails)
    for number, cut in enumerate(cuts):
        if any(not 0 <= edge < problem.n_edges for edge in cut.edges) or len(set(cut.edges)) < len(cut.edges):
            raise CertificateError("cut", f"expected different edges in [0, {problem.n_edges})", cut=number)
        if cut.witness is None:
            continue
        if cut.witness in inputs:
            joined = onward.meets(cut.witness, outputs, without=cut.edges)
        elif cut.witness in outputs:
            joined = back.meets(cut.witness, inputs, without=cut.edges)
        else:
            raise CertificateError("cut", f"expected an input or output, got vertex {cut.witness}", cut=number)
        if joined:
            raise CertificateError("cut", f"vertex {cut.witness} has a way that avoids its edges", cut=number)


class _Search:
    """Searches from single vertices; marks are numbered, so that nothing is cleared between them."""

    def __init__(self, n_vertices: int, tails: Sequence[int], heads: Sequence[int]) -> None:
        self.heads = heads
        self.out_of: list[list[int]] = [[] for _ in range(n_vertices)]
        for edge, tail in enumerate(tails):
            self.out_of[tail].append(edge)
        self.seen, self.barred = [0] * n_vertices, [0] * len(tails)
        self.turn = 0

    def meets(self, start: int, goals: set[int], *, without: Iterable[int]) -> bool:
        """Whether a way from `start` to a goal avoids some edges."""
        self.turn += 1
        turn, heads, out_of, seen, barred = self.turn, self.heads, self.out_of, self.seen, self.barred
        for edge in without:
            barred[edge] = turn
        seen[start] = turn
        stack = [start]
        while stack:
            for edge in out_of[stack.pop()]:
                head = heads[edge]
                if barred[edge] != turn and seen[head] != turn:
                    if head in goals:
                        return True
                    seen[head] = turn
                    stack.append(head)
        return False


# -- the tree ------------------------------------------------------------------------------------------------------


def _leaf_bounds(costs: Sequence[int], scale: int, certificate: Certificate) -> list[int]:
    """Bound of each case that can be, over the denominator of the costs; duals are multiplied by `scale`.

    A case is a list of pairs (cut, whether one of its edges is taken) for the branchings above it.
    """
    cuts = certificate.cuts
    bounds: list[int] = []
    cases: list[tuple[tuple[int, bool], ...]] = [()]
    for number, node in enumerate(certificate.nodes):
        if not cases:
            raise CertificateError("tree", "expected the tree to end here, got a further node", node=number)
        case = cases.pop()
        usable = {cut for cut, taken in case if taken}
        left_out = {edge for cut, taken in case if not taken for edge in cuts[cut].edges}
        indices = [cut for cut, _ in node.duals] if isinstance(node, Leaf) else [node.cut]
        if any(not 0 <= cut < len(cuts) for cut in indices) or len(set(indices)) < len(indices):
            raise CertificateError("node", f"expected different cuts in [0, {len(cuts)})", node=number)
        if isinstance(node, Branch):
            cases += [(*case, (node.cut, True)), (*case, (node.cut, False))]
            continue
        unproved = [cut for cut in indices if cuts[cut].witness is None and cut not in usable]
        if unproved:
            raise CertificateError(
                "node", f"cut {unproved[0]} has no witness and is not given in this case", node=number
            )
        if isinstance(node, Leaf):
            bounds.append(_bound(costs, scale, cuts, node, left_out, number))
        elif not left_out.issuperset(cuts[node.cut].edges):
            raise CertificateError("node", f"not all edges of cut {node.cut} are left out in this case", node=number)
    if cases:
        raise CertificateError("tree", f"expected {len(cases)} further cases, got none", node=len(certificate.nodes))
    return bounds


def _bound(costs: Sequence[int], scale: int, cuts: Sequence[Cut], leaf: Leaf, left_out: set[int], number: int) -> int:
    """Sum of the duals and of the negative reduced costs of the edges that are not left out."""
    reduced = list(costs)
    bound = 0
    for cut, numerator in leaf.duals:
        if numerator < 0:
            raise CertificateError("node", f"expected duals >= 0, got {numerator} for cut {cut}", node=number)
        dual = numerator * scale
        bound += dual
        for edge in cuts[cut].edges:
            reduced[edge] -= dual
    return bound + sum(value for edge, value in enumerate(reduced) if value < 0 and edge not in left_out)


# -- JSON ----------------------------------------------------------------------------------------------------------


def _written(node: Node) -> dict[str, Any]:
    if isinstance(node, Leaf):
        return {"leaf": [list(pair) for pair in node.duals]}
    return {"branch" if isinstance(node, Branch) else "closed": node.cut}


def _read(data: Any) -> Node:
    ((kind, value),) = data.items()
    if kind == "leaf":
        return Leaf(tuple((_whole(cut), _whole(numerator)) for cut, numerator in value))
    if kind not in ("branch", "closed"):
        raise ValueError(f"unknown node {kind!r}")
    return Branch(_whole(value)) if kind == "branch" else Closed(_whole(value))


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{value!r} is no integer")
    return value
