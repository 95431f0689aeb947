"""Bounds and answers for several views at once (`solvers.steiner.network`): ascent, paths, branch and cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from solvers.bounds import rounded_up
from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.steiner.dual_ascent import dual_ascent
from solvers.steiner.improve import cost_of_arcs
from solvers.steiner.network import Network, covers_all
from solvers.steiner.paths import join_by_paths

MOST_DOUBTS = 200  # arcs that one answer is tried without


@dataclass(frozen=True, eq=False)
class Duals:
    """A dual solution over all views: the bound, reduced costs of arcs, and the cuts."""

    bound: float
    reduced: FloatVector
    cuts: tuple[IntVector, ...]


@dataclass(frozen=True, eq=False)
class Answer:
    """Arcs that answer all views, a bound on what any answer costs, who proved it, counts for the record."""

    arcs: IntVector
    cost: float
    bound: float
    prover: str
    facts: dict[str, int]


def ascend(network: Network, clock: Clock) -> Duals:
    """Dual ascent view by view, each on the reduced costs that the ones before have left."""
    costs, bound = network.costs, 0.0
    cuts: list[IntVector] = []
    for view in network.views:
        ascent = dual_ascent(replace(view, costs=costs), clock)
        bound += ascent.bound
        costs = ascent.reduced
        cuts += ascent.cuts
    return Duals(bound, costs, tuple(cuts))


def join_all(network: Network, lengths: FloatVector) -> IntVector:
    """Costly arcs of an answer: path heuristics view by view, arcs that are taken being free for the next view."""
    lengths = lengths.copy()
    taken: list[IntVector] = []
    for view in network.views:
        arcs = join_by_paths(replace(view, costs=lengths), lengths)
        lengths[arcs] = 0.0
        taken.append(arcs)
    chosen = np.unique(np.concatenate(taken))
    return _thinned(network, chosen[network.costs[chosen] > 0])


def _thinned(network: Network, arcs: IntVector) -> IntVector:
    """Leave out arcs that no view needs, the dearest first, among those whose tail or head has another arc taken."""
    costs, first = network.costs, network.views[0]
    out_of = np.bincount(first.tails[arcs], minlength=first.n_vertices)
    into = np.bincount(first.heads[arcs], minlength=first.n_vertices)
    several = (out_of[first.tails[arcs]] > 1) | ((into[first.heads[arcs]] > 1) & (out_of[first.heads[arcs]] == 0))
    kept = arcs
    doubtful = arcs[several]
    for arc in doubtful[np.argsort(-costs[doubtful], kind="stable")][:MOST_DOUBTS].tolist():
        without = kept[kept != arc]
        if covers_all(network, without):
            kept = without
    return kept


def answer_views(
    network: Network,
    clock: Clock,
    *,
    seed: int,
    start: IntVector | None = None,
    on_progress: Callable[[float, float], None] | None = None,
) -> Answer:
    """The cheapest answer to all views, or the best by the time limit with a bound.

    Args:
        network: What is asked.
        clock: Time left.
        seed: For the engine.
        start: Costly arcs of an answer, if one is known.
        on_progress: Called with (cost, bound), what is settled included.
    """
    first, settled = network.views[0], network.constant

    def report(cost: float, bound: float) -> None:
        if on_progress is not None:
            on_progress(settled + cost, settled + bound)

    duals = ascend(network, clock)
    guides = (network.costs, duals.reduced + 1e-6 * network.costs)
    found = [join_all(network, guide) for guide in guides] + ([] if start is None else [start])
    arcs = min(found, key=lambda each: cost_of_arcs(first, each))
    cost = cost_of_arcs(first, arcs)
    bound = rounded_up(duals.bound) if first.has_integer_costs else duals.bound
    report(cost, min(bound, cost))
    facts = {"ascent_cuts": len(duals.cuts)}
    if bound >= cost or clock.expired:
        return Answer(arcs, cost, min(bound, cost), "dual ascent", facts)
    from solvers.steiner.steps import Gap, close  # loads SCIP, which most networks never need

    gap = Gap(
        views=network.views,
        arcs=arcs,
        cost=cost,
        bound=bound,
        value=duals.bound,
        reduced=duals.reduced,
        cuts=duals.cuts,
        integral=network.has_integer_costs,
        repair=lambda x: join_all(network, network.costs * (1.0 - np.clip(x, 0.0, 1.0)) + 1e-9 * network.costs),
    )
    done = close(gap, clock, seed=seed, on_progress=report)
    facts |= {"cuts": done.n_cuts, "nodes": done.n_nodes}
    return Answer(done.arcs, done.cost, done.bound, "scip", facts)
