"""A proof of a lower bound that anyone can check: cuts, numbers on them, and where needed a tree of cases.

What can add to the cost of a choice S is an *element*: an edge, if S holds it; a vertex, if an edge of S begins or ends
there; and, of an input that may be left out, that it is, if no edge of S begins or ends there (its cost is the reward
that is lost). Write E(S) for the elements that S has. So cost(S) is the sum of the costs of E(S).

A *cut* is a set of elements with a vertex, its witness, such that E(S) holds one of them for every feasible S:

- Of an input that must be served, S holds a way to an output, hence the edges of that way and all its vertices, its two
  ends included. If no way from the input to an output avoids the edges and vertices of the set, it is a cut.
- Of an output, S holds a way from an input, which need not be one that must be served; likewise.
- An input that may be left out is left out, or else an edge of S begins or ends there. No edge of S is stray, so from
  its head, and hence from the input, S holds a way to an output. If no way from the input to an output avoids the set,
  and the set holds that the input is left out, it is a cut.

Let y(C) >= 0 be any numbers on cuts and r(a) = cost(a) - sum of y(C) over the cuts C that hold a. Then for every
feasible choice S

    cost(S) = sum over a in E(S) of r(a) + sum over C of y(C) |E(S) n C| >= sum over a of min(0, r(a)) + sum of y(C).

A *branching* on a set of elements D distinguishes two cases: E(S) holds none of D, so that these elements drop out of
the first sum; or E(S) holds at least one, so that D is a cut as far as this case goes. The least bound over all cases
holds for every S. With D one edge this is the usual branching; with D all edges of high reduced cost it is reduced-cost
fixing.

*One output.* Where no cost is negative, a bound on *trees* is enough: choices in which every vertex but the output that
an edge begins or ends at is where exactly one edge begins. For let S be any feasible choice. From each vertex at its
edges S holds a way to the output (no edge is stray); of each but the output keep one edge, the first of a shortest way.
All inputs that S serves still arrive, no edge is stray, the same vertices are touched, and the cost is no higher. And a
tree pays for each of its vertices with the edge that begins there, so the cost of that vertex may be put on all edges
out of it: a *folded* certificate is about costs of edges that include those of their tails, and vertices but the output
cost nothing. This says more, since cuts may share out what a vertex costs between its edges.

Everything here is exact: floats are the rational numbers that they are, sums are integers over one denominator. The
module shares no code with what searches; it is short so that it can be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

from solvers.errors import CertificateError
from solvers.problem import Problem


@dataclass(frozen=True)
class Cut:
    """Elements of which every feasible choice has one.

    Attributes:
        witness: The input that reaches no output, or the output that no input reaches, without them. None: a set to
            branch on, a cut only in the case that says so.
        edges: Indices of edges of the problem.
        vertices: Vertices of the problem.
        left_out: Inputs that may be left out; the element is that they are.
    """

    witness: int | None
    edges: tuple[int, ...]
    vertices: tuple[int, ...] = ()
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True)
class Branch:
    """Two cases: none of the elements of `cuts[cut]` is there, or at least one is. The cases follow, in this order."""

    cut: int


@dataclass(frozen=True)
class Leaf:
    """A case with a bound: pairs of a cut (its index) and its dual value's numerator, each cut at most once."""

    duals: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Closed:
    """A case that cannot be: of the elements of `cuts[cut]`, of which one is needed, none is there."""

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
        folded: Whether edges pay for the vertices that they begin at; with one output only.
    """

    cuts: tuple[Cut, ...]
    denominator: int
    nodes: tuple[Node, ...]
    folded: bool = False

    @property
    def n_leaves(self) -> int:
        """Number of cases."""
        return sum(not isinstance(node, Branch) for node in self.nodes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; the inverse of `from_dict`."""
        return {
            "denominator": self.denominator,
            "cuts": [_written_cut(cut) for cut in self.cuts],
            "nodes": [_written(node) for node in self.nodes],
            **({"folded": True} if self.folded else {}),
        }

    @classmethod
    def from_dict(cls, data: Any) -> Certificate:
        """Read what `to_dict` gives.

        Raises:
            CertificateError: The data have another shape, or a number is no integer.
        """
        try:
            cuts = tuple(map(_read_cut, data["cuts"]))
            folded = data.get("folded", False)
            if not isinstance(folded, bool):
                raise TypeError(f"{folded!r} is not true or false")
            return cls(cuts, _whole(data["denominator"]), tuple(map(_read, data["nodes"])), folded)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CertificateError(
                "shape", f"expected cuts, denominator and nodes of integers, got others ({error})"
            ) from error


def checked_bound(problem: Problem, certificate: Certificate) -> Fraction:
    """Check a certificate and give the bound that it proves.

    Args:
        problem: Only covering is asked (`problem.is_cover`): edges and vertices cost, and rewards of inputs left out.
        certificate: What is claimed to be a proof for this problem.

    Returns:
        No feasible choice costs less. Every choice costs a multiple of the greatest common divisor of the costs of all
        elements (with integer costs a whole number), so the bound is rounded up to one.

    Raises:
        CertificateError: A cut does not separate, an index is out of range, a dual is negative, the tree is not
            complete, or the problem is of another kind; with the rule and the number of the cut or node.
    """
    if not problem.is_cover:
        raise CertificateError("problem", "expected a problem of costs, rewards and covering, got further rules")
    if certificate.denominator <= 0:
        raise CertificateError("denominator", f"expected a number > 0, got {certificate.denominator}")
    _check_cuts(problem, certificate.cuts)
    ratios = [cost.as_integer_ratio() for cost in _costs(problem, folded=certificate.folded)]
    unit = lcm(certificate.denominator, *{denominator for _, denominator in ratios})
    costs = [numerator * (unit // denominator) for numerator, denominator in ratios]
    elements = [_elements(problem, cut) for cut in certificate.cuts]
    least = min(_leaf_bounds(costs, unit // certificate.denominator, certificate, elements), default=None)
    if least is None:
        raise CertificateError("tree", "expected a case that can be, got none: this claims that there is no network")
    step = gcd(*costs)
    return Fraction(-(-least // step) * step if step else least, unit)


# -- elements ------------------------------------------------------------------------------------------------------


def _costs(problem: Problem, *, folded: bool) -> list[Fraction]:
    """Cost of each element: all edges, all vertices, and of each vertex that it is left out (0 unless it may be)."""
    edges = list(map(Fraction, problem.costs.tolist()))
    vertices = list(map(Fraction, problem.vertex_costs.tolist()))
    if folded:
        if len(problem.outputs) > 1 or problem.has_negative_costs:
            raise CertificateError("problem", "expected one output and costs >= 0 of what is folded, got others")
        edges = [cost + vertices[tail] for cost, tail in zip(edges, problem.sources.tolist(), strict=True)]
        output = int(problem.outputs[0])
        vertices = [cost if vertex == output else Fraction(0) for vertex, cost in enumerate(vertices)]
    lost = [Fraction(problem.rules.rewards.get(vertex, 0)) for vertex in range(problem.n_vertices)]
    return [*edges, *vertices, *lost]


def _elements(problem: Problem, cut: Cut) -> tuple[int, ...]:
    """The elements of a cut by their places in `_costs`."""
    first_vertex = problem.n_edges
    first_left_out = first_vertex + problem.n_vertices
    vertices = (first_vertex + vertex for vertex in cut.vertices)
    return (*cut.edges, *vertices, *(first_left_out + vertex for vertex in cut.left_out))


# -- cuts ----------------------------------------------------------------------------------------------------------


def _check_cuts(problem: Problem, cuts: Sequence[Cut]) -> None:
    """Every cut with a witness separates it; every index is in range."""
    inputs, outputs = set(problem.inputs.tolist()), set(problem.outputs.tolist())
    tails, heads = problem.sources.tolist(), problem.targets.tolist()
    onward = _Search(problem.n_vertices, tails, heads)
    back = _Search(problem.n_vertices, heads, tails)
    for number, cut in enumerate(cuts):
        _check_indices(problem, cut, number)
        if cut.witness is None:
            continue
        if cut.witness in inputs:
            if cut.witness in problem.rules.rewards and cut.witness not in cut.left_out:
                raise CertificateError("cut", f"vertex {cut.witness} may be left out, which is not in it", cut=number)
            joined = onward.meets(cut.witness, outputs, without=cut.edges, avoiding=cut.vertices)
        elif cut.witness in outputs:
            joined = back.meets(cut.witness, inputs, without=cut.edges, avoiding=cut.vertices)
        else:
            raise CertificateError("cut", f"expected an input or output, got vertex {cut.witness}", cut=number)
        if joined:
            what = "edges and vertices" if cut.vertices else "edges"
            raise CertificateError("cut", f"vertex {cut.witness} has a way that avoids its {what}", cut=number)


def _check_indices(problem: Problem, cut: Cut, number: int) -> None:
    for what, indices, limit in (("edges", cut.edges, problem.n_edges), ("vertices", cut.vertices, problem.n_vertices)):
        if any(not 0 <= index < limit for index in indices) or len(set(indices)) < len(indices):
            raise CertificateError("cut", f"expected different {what} in [0, {limit})", cut=number)
    if any(vertex not in problem.rules.rewards for vertex in cut.left_out) or len({*cut.left_out}) < len(cut.left_out):
        raise CertificateError("cut", "expected different inputs that may be left out, got others", cut=number)


class _Search:
    """Searches from single vertices; marks are numbered, so that nothing is cleared between them."""

    def __init__(self, n_vertices: int, tails: Sequence[int], heads: Sequence[int]) -> None:
        self.heads = heads
        self.out_of: list[list[int]] = [[] for _ in range(n_vertices)]
        for edge, tail in enumerate(tails):
            self.out_of[tail].append(edge)
        self.seen, self.barred = [0] * n_vertices, [0] * len(tails)
        self.turn = 0

    def meets(self, start: int, goals: set[int], *, without: Iterable[int], avoiding: Collection[int]) -> bool:
        """Whether a way from `start` to a goal avoids some edges, and some vertices, its ends included."""
        self.turn += 1
        turn, heads, out_of, seen, barred = self.turn, self.heads, self.out_of, self.seen, self.barred
        if start in avoiding:
            return False
        for edge in without:
            barred[edge] = turn
        for vertex in avoiding:
            seen[vertex] = turn  # as if it had been looked at
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


def _leaf_bounds(
    costs: Sequence[int], scale: int, certificate: Certificate, elements: Sequence[Sequence[int]]
) -> list[int]:
    """Bound of each case that can be, over the denominator of the costs; duals are multiplied by `scale`.

    A case is a list of pairs (cut, whether one of its elements is there) for the branchings above it.
    """
    cuts = certificate.cuts
    bounds: list[int] = []
    cases: list[tuple[tuple[int, bool], ...]] = [()]
    for number, node in enumerate(certificate.nodes):
        if not cases:
            raise CertificateError("tree", "expected the tree to end here, got a further node", node=number)
        case = cases.pop()
        usable = {cut for cut, taken in case if taken}
        absent = {element for cut, taken in case if not taken for element in elements[cut]}
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
            bounds.append(_bound(costs, scale, elements, node, absent, number))
        elif not absent.issuperset(elements[node.cut]):
            raise CertificateError("node", f"not all elements of cut {node.cut} are absent in this case", node=number)
    if cases:
        raise CertificateError("tree", f"expected {len(cases)} further cases, got none", node=len(certificate.nodes))
    return bounds


def _bound(
    costs: Sequence[int], scale: int, elements: Sequence[Sequence[int]], leaf: Leaf, absent: set[int], number: int
) -> int:
    """Sum of the duals and of the negative reduced costs of the elements that may be there."""
    reduced = list(costs)
    bound = 0
    for cut, numerator in leaf.duals:
        if numerator < 0:
            raise CertificateError("node", f"expected duals >= 0, got {numerator} for cut {cut}", node=number)
        dual = numerator * scale
        bound += dual
        for element in elements[cut]:
            reduced[element] -= dual
    return bound + sum(value for element, value in enumerate(reduced) if value < 0 and element not in absent)


# -- JSON ----------------------------------------------------------------------------------------------------------


def _written_cut(cut: Cut) -> list[Any]:
    """Witness and edges; and vertices and inputs left out, where there are any."""
    beside = [list(cut.vertices), list(cut.left_out)] if cut.vertices or cut.left_out else []
    return [cut.witness, list(cut.edges), *beside]


def _read_cut(data: Any) -> Cut:
    if len(data) not in (2, 4):
        raise ValueError(f"a cut of {len(data)} parts")
    witness, *parts = data
    return Cut(None if witness is None else _whole(witness), *(tuple(map(_whole, part)) for part in parts))


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
