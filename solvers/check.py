"""An independent check of an answer: plain Python over edge lists, no code shared with any engine."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from solvers.problem import Problem

RULES = (
    "edge index",
    "duplicate edge",
    "cycle",
    "uncovered input",
    "unfed output",
    "stray edge",
    "forbidden edge",
    "forbidden vertex",
    "missing edge",
    "missing vertex",
    "too many parents",
    "too deep",
    "too few routes",
    "state conflict",
    "excluded network",
)

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Violation:
    """A broken rule (one of `RULES`) and the vertices, or for edge rules the edge indices, that break it."""

    rule: str
    items: tuple[Any, ...]

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.items[:5])) + (", ..." if len(self.items) > 5 else "")
        return f"{self.rule}: {shown}"


def violations(problem: Problem, edges: Iterable[Any]) -> list[Violation]:
    """Every rule that a choice of edges breaks; an empty list says that it is a feasible network.

    Args:
        problem: The problem that was solved, with its rules.
        edges: Chosen edge indices in any order.

    Returns:
        Violations in the order of `RULES`. With an edge index out of range nothing else can be checked.

    Example:
        >>> p = Problem(n_vertices=3, sources=[0, 1], targets=[1, 2], inputs=[0], outputs=[2])
        >>> [str(v) for v in violations(p, [0])]
        ['uncovered input: 0', 'unfed output: 2', 'stray edge: 0']
    """
    given = list(edges)
    outside = tuple(edge for edge in given if int(edge) != edge or not 0 <= edge < problem.n_edges)
    if outside:
        return [Violation("edge index", outside)]
    chosen = sorted({int(edge) for edge in given})
    found: dict[str, tuple[Any, ...]] = {}
    if len(chosen) < len(given):
        found["duplicate edge"] = _repeated([int(edge) for edge in given])
    samples = [(sample.inputs, sample.outputs) for sample in problem.rules.samples]
    if samples and not problem.rules.shared_order:
        found |= _each_covered(problem, chosen, samples)
    else:
        pairs = _pairs(problem, chosen)
        found["cycle"] = _vertices_on_cycles(problem.n_vertices, pairs)
        found |= _covered(problem, chosen, pairs, samples)
    found |= _ruled(problem, chosen)
    return [Violation(rule, found[rule]) for rule in RULES if found.get(rule)]


def cost_of(problem: Problem, edges: Iterable[Any]) -> float:
    """Cost of a choice: its edges, the vertices at their ends, and the rewards of inputs left out.

    Summed exactly where all costs are integers, else correctly rounded.
    """
    chosen = [int(edge) for edge in edges]
    touched = sorted({vertex for pair in _pairs(problem, chosen) for vertex in pair})
    used = set(touched)
    prices = [problem.costs[edge] for edge in chosen]
    prices += [problem.vertex_costs[vertex] for vertex in touched]
    prices += [reward for vertex, reward in problem.rules.rewards.items() if vertex not in used]
    if problem.has_integer_costs:
        return float(sum(int(price) for price in prices))
    return float(sum(Fraction(float(price)) for price in prices))


def _pairs(problem: Problem, edges: Iterable[int]) -> list[tuple[int, int]]:
    return [(int(problem.sources[edge]), int(problem.targets[edge])) for edge in edges]


def _reverse(pairs: Pairs) -> list[tuple[int, int]]:
    return [(head, tail) for tail, head in pairs]


def _repeated(edges: Sequence[int]) -> tuple[int, ...]:
    seen: set[int] = set()
    twice: set[int] = set()
    for edge in edges:
        (twice if edge in seen else seen).add(edge)
    return tuple(sorted(twice))


# -- covering ------------------------------------------------------------------------------------------------------


def _covered(problem: Problem, chosen: Sequence[int], pairs: Pairs, samples: Sequence[Any]) -> dict[str, tuple]:
    """Uncovered inputs, unfed outputs and stray edges of S, sample by sample where there are several."""
    uncovered: set[int] = set()
    unfed: set[int] = set()
    useful: set[int] = set()
    for inputs, outputs in samples or [(problem.inputs.tolist(), problem.outputs.tolist())]:
        from_inputs = _reached(problem.n_vertices, pairs, inputs)
        to_outputs = _reached(problem.n_vertices, _reverse(pairs), outputs)
        required = [vertex for vertex in inputs if vertex not in problem.rules.rewards]
        uncovered |= {vertex for vertex in required if not to_outputs[vertex]}
        unfed |= {vertex for vertex in outputs if not from_inputs[vertex]}
        useful |= {edge for edge, (u, v) in zip(chosen, pairs, strict=True) if from_inputs[u] and to_outputs[v]}
    return {
        "uncovered input": tuple(sorted(uncovered)),
        "unfed output": tuple(sorted(unfed)),
        "stray edge": tuple(edge for edge in chosen if edge not in useful),
    }


def _each_covered(problem: Problem, chosen: Sequence[int], samples: Sequence[Any]) -> dict[str, tuple]:
    """As `_covered` for samples with orders of their own.

    Each sample needs a cover inside S; an acyclic one then exists (docs, theorem). An edge is stray if no simple path
    from an input to an output of one sample inside S uses it: such a path, with a path for every other input and
    output of the sample, is what an acyclic network of that sample can hold.
    """
    pairs = _pairs(problem, chosen)
    found = _covered(problem, chosen, pairs, samples)
    walks = {edge for edge in chosen if edge not in found["stray edge"]}
    cyclic = set(_vertices_on_cycles(problem.n_vertices, pairs))
    odd = []
    for edge, (tail, head) in zip(chosen, pairs, strict=True):
        on_cycle = tail in cyclic and head in cyclic
        if edge in walks and on_cycle and not any(_on_path(problem, pairs, tail, head, *s) for s in samples):
            odd.append(edge)
    found["stray edge"] = tuple(sorted({*found["stray edge"], *odd}))
    return found


def _on_path(problem: Problem, pairs: Pairs, tail: int, head: int, inputs: Any, outputs: Any) -> bool:
    """Whether a simple path from an input to an output uses the edge: two vertex-disjoint paths to its ends.

    Decided by search over simple paths back from the tail; short in networks of real size, where cycles are few.
    """
    before: dict[int, list[int]] = {}
    for u, v in pairs:
        before.setdefault(v, []).append(u)
    stack: list[tuple[int, frozenset[int]]] = [(tail, frozenset([tail]))]
    starts = set(inputs)
    while stack:
        vertex, used = stack.pop()
        if head in used:
            continue
        if vertex in starts:
            rest = [(u, v) for u, v in pairs if u not in used and v not in used]
            if any(_reached(problem.n_vertices, rest, [head])[output] for output in outputs if output not in used):
                return True
        stack += [(u, used | {u}) for u in before.get(vertex, ()) if u not in used]
    return False


def _reached(n_vertices: int, pairs: Pairs, starts: Iterable[int]) -> list[bool]:
    return [steps is not None for steps in _steps(n_vertices, pairs, starts)]


def _vertices_on_cycles(n_vertices: int, pairs: Pairs) -> tuple[int, ...]:
    """Vertices left when tails and heads without a way on are peeled off: all that lie on or between cycles."""
    remaining = set(range(n_vertices))
    for forward in (True, False):
        oriented = pairs if forward else _reverse(pairs)
        remaining -= {*_peeled(n_vertices, oriented, remaining)}
    return tuple(sorted(remaining))


def _peeled(n_vertices: int, pairs: Pairs, among: set[int]) -> Iterator[int]:
    """Vertices in an order in which every edge among them comes from an earlier one; those behind cycles are left."""
    waiting = [0] * n_vertices
    successors: list[list[int]] = [[] for _ in range(n_vertices)]
    for tail, head in pairs:
        if tail in among and head in among:
            waiting[head] += 1
            successors[tail].append(head)
    free = [vertex for vertex in sorted(among) if waiting[vertex] == 0]
    while free:
        vertex = free.pop()
        yield vertex
        for head in successors[vertex]:
            waiting[head] -= 1
            if waiting[head] == 0:
                free.append(head)


# -- rules ---------------------------------------------------------------------------------------------------------


def _ruled(problem: Problem, chosen: Sequence[int]) -> dict[str, tuple[Any, ...]]:
    """What is broken of `Problem.rules` apart from covering."""
    rules, pairs = problem.rules, _pairs(problem, chosen)
    touched, taken = {vertex for pair in pairs for vertex in pair}, set(chosen)
    found: dict[str, tuple[Any, ...]] = {
        "forbidden edge": tuple(edge for edge in rules.forbidden_edges if edge in taken),
        "forbidden vertex": tuple(vertex for vertex in rules.forbidden_vertices if vertex in touched),
        "missing edge": tuple(edge for edge in rules.forced_edges if edge not in taken),
        "missing vertex": tuple(vertex for vertex in rules.forced_vertices if vertex not in touched),
    }
    if rules.max_parents is not None:
        parents: dict[int, int] = {}
        for _, head in pairs:
            parents[head] = parents.get(head, 0) + 1
        found["too many parents"] = tuple(sorted(v for v, count in parents.items() if count > rules.max_parents))
    if rules.max_depth is not None:
        found["too deep"] = tuple(sorted(_deeper_than(problem.n_vertices, pairs, rules.max_depth)))
    if rules.min_routes > 1:
        found["too few routes"] = _short_of_routes(problem, pairs, touched)
    if rules.signs is not None:
        found["state conflict"] = _conflicts(pairs, [rules.signs[edge] for edge in chosen], rules.states)
    if any(set(edges) == taken for edges in rules.excluded):
        found["excluded network"] = tuple(chosen)
    return found


def _deeper_than(n_vertices: int, pairs: Pairs, limit: int) -> list[int]:
    """Vertices that end a path of more than `limit` edges; of cyclic networks the part in front of the cycles."""
    before: dict[int, list[int]] = {}
    for tail, head in pairs:
        before.setdefault(head, []).append(tail)
    depth: dict[int, int] = {}
    for vertex in _peeled(n_vertices, pairs, set(range(n_vertices))):
        depth[vertex] = max((depth[tail] + 1 for tail in before.get(vertex, ())), default=0)
    return [vertex for vertex, layers in depth.items() if layers > limit]


def _short_of_routes(problem: Problem, pairs: Pairs, touched: set[int]) -> tuple[int, ...]:
    rules = problem.rules
    allowed = _usable(problem)
    count = _disjoint_routes if rules.disjoint_routes else _regulators
    asked = [vertex for vertex in problem.inputs.tolist() if vertex in touched]
    have = count(problem, pairs, asked, rules.min_routes)
    could = count(problem, allowed, asked, rules.min_routes)
    return tuple(vertex for vertex in asked if have[vertex] < could[vertex])


def _usable(problem: Problem) -> Pairs:
    """Edges that are not forbidden and lie on a walk of allowed length from an input to an output of one sample."""
    rules = problem.rules
    barred_edges, barred = set(rules.forbidden_edges), set(rules.forbidden_vertices)
    pairs = _pairs(problem, [edge for edge in range(problem.n_edges) if edge not in barred_edges])
    pairs = [(tail, head) for tail, head in pairs if tail not in barred and head not in barred]
    limit = problem.n_edges if rules.max_depth is None else rules.max_depth
    samples = [(sample.inputs, sample.outputs) for sample in rules.samples]
    usable: set[tuple[int, int]] = set()
    for inputs, outputs in samples or [(problem.inputs.tolist(), problem.outputs.tolist())]:
        ahead = _steps(problem.n_vertices, pairs, inputs)
        behind = _steps(problem.n_vertices, _reverse(pairs), outputs)
        usable |= {
            (tail, head)
            for tail, head in pairs
            if ahead[tail] is not None and behind[head] is not None and ahead[tail] + 1 + behind[head] <= limit
        }
    return [pair for pair in pairs if pair in usable]


def _steps(n_vertices: int, pairs: Pairs, starts: Iterable[int]) -> list[Any]:
    """Fewest edges from one of `starts` to each vertex; None where it is not reached."""
    successors: list[list[int]] = [[] for _ in range(n_vertices)]
    for tail, head in pairs:
        successors[tail].append(head)
    steps: list[Any] = [None] * n_vertices
    queue = deque(starts)
    for start in queue:
        steps[start] = 0
    while queue:
        vertex = queue.popleft()
        for head in successors[vertex]:
            if steps[head] is None:
                steps[head] = steps[vertex] + 1
                queue.append(head)
    return steps


def _regulators(problem: Problem, pairs: Pairs, inputs: Sequence[int], most: int) -> dict[int, int]:
    """Vertices that follow each input and lead to an output without it, counted up to `most`."""
    after: dict[int, set[int]] = {vertex: set() for vertex in inputs}
    for tail, head in pairs:
        if tail in after:
            after[tail].add(head)
    fed = {head for _, head in pairs}
    counts = {}
    for vertex, heads in after.items():
        if vertex in fed and heads:
            others = [(tail, head) for tail, head in pairs if vertex not in (tail, head)]
            out = _reached(problem.n_vertices, _reverse(others), problem.outputs.tolist())
            heads = {head for head in heads if out[head]}
        counts[vertex] = min(most, len(heads))
    return counts


def _disjoint_routes(problem: Problem, pairs: Pairs, inputs: Sequence[int], most: int) -> dict[int, int]:
    """Paths from each input to outputs that share no other vertex, counted up to `most` by augmenting paths (Menger).

    Every vertex v is split into 2 v (enter) and 2 v + 1 (leave); outputs lead to one sink, over arcs with room for all.
    All other arcs have room for one path. Arcs are sorted so that a search tries first what is near an output.
    """
    ends = set(problem.outputs.tolist())
    sink = 2 * problem.n_vertices
    far = _steps(problem.n_vertices, _reverse(pairs), sorted(ends))
    arcs: list[list[int]] = [[] for _ in range(sink + 1)]
    for vertex in range(problem.n_vertices):
        arcs[2 * vertex].append(sink if vertex in ends else 2 * vertex + 1)
    for tail, head in sorted({*pairs}, key=lambda pair: (far[pair[1]] is None, far[pair[1]] or 0, pair)):
        if tail not in ends:
            arcs[2 * tail + 1].append(2 * head)
    counts = {}
    for start in inputs:
        used: dict[int, list[int]] = {}  # arcs of the paths, from head to tails
        counts[start] = 0
        while counts[start] < min(most, len(arcs[2 * start + 1])) and _augment(arcs, used, start, sink):
            counts[start] += 1
    return counts


def _augment(arcs: Sequence[Sequence[int]], used: dict[int, list[int]], start: int, sink: int) -> bool:
    """Add a path from a vertex to the sink, over arcs that are not used and back over arcs that are."""
    came = {2 * start + 1: -1, 2 * start: -1}
    stack = [2 * start + 1]
    while stack and sink not in came:
        place = stack.pop()
        free = [head for head in arcs[place] if head == sink or place not in used.get(head, ())]
        for head in (*reversed(free), *used.get(place, ())):
            if head not in came:
                came[head] = place
                stack.append(head)
    if sink not in came:
        return False
    place = sink
    while place != 2 * start + 1:
        tail = came[place]
        if place in used.get(tail, ()):
            used[tail].remove(place)
        else:
            used.setdefault(place, []).append(tail)
        place = tail
    return True


def _conflicts(pairs: Pairs, signs: Sequence[int], states: Any) -> tuple[int, ...]:
    """Vertices that would need two states at once."""
    beside: dict[int, list[tuple[int, int]]] = {}
    for (tail, head), sign in zip(pairs, signs, strict=True):
        beside.setdefault(tail, [])
        beside.setdefault(head, [])
        if sign:
            beside[tail].append((head, sign))
            beside[head].append((tail, sign))
    state: dict[int, int] = {}
    conflicts = set()
    for start in sorted(beside, key=lambda vertex: (vertex not in states, vertex)):
        if start in state:
            continue
        state[start] = states.get(start, 1)
        queue = deque([start])
        while queue:
            vertex = queue.popleft()
            for other, sign in beside[vertex]:
                wanted = sign * state[vertex]
                if other not in state:
                    state[other] = wanted
                    queue.append(other)
                if state[other] != wanted or states.get(other, wanted) != wanted:
                    conflicts.add(other)
    return tuple(sorted(conflicts))
