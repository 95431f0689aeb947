"""Close the gap that dual ascent leaves: linear program over cuts (HiGHS), a search by swaps, branch and cut (SCIP)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from solvers.arrays import reachable
from solvers.bounds import rounded_up, to_beat
from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.reduce.arcs import restricted_to, within_bound
from solvers.steiner.cover_search import search_cover
from solvers.steiner.cuts import Cut
from solvers.steiner.dual_ascent import Ascent
from solvers.steiner.improve import cost_of_arcs, polish, shake
from solvers.steiner.instance import Instance
from solvers.steiner.linear import CutProgram
from solvers.steiner.paths import join_by_paths

FIRST_ENTRIES = 300_000  # of the cuts that the linear program begins with
TAIL_OF_GAP = 0.01  # the linear program is left when its last rounds closed less than this share of the gap
SWAP_COLUMNS = 250  # arcs of least reduced cost that the local search may use
SWAPS = 10_000  # without a better answer, until the local search gives up
SWAPS_A_TERMINAL = 20
SWAP_SHARE = 0.5  # of the time that is left
FEW_TERMINALS = 1_000  # with more of them swaps do better than restarts
RESTART_COLUMNS = 2_000  # arcs that restarts may use, at least
SHAKES = 300  # perturbed restarts
SHAKE_SHARE = 0.3  # of the time that is left


@dataclass(frozen=True, eq=False)
class Closed:
    """What cut and branch reached: the best answer, the bound, and counts for the record."""

    arcs: IntVector
    bound: float
    n_cuts: int
    rounds: int
    n_nodes: int


def close_gap(
    instance: Instance,
    arcs: IntVector,
    ascent: Ascent,
    clock: Clock,
    *,
    seed: int,
    on_progress: Callable[[float, float], None] | None = None,
) -> Closed:
    """Prove an answer or find a better one.

    Args:
        instance: Costs >= 0.
        arcs: A feasible answer.
        ascent: A dual solution: its bound, reduced costs (for fixing) and cuts (the first rows).
        clock: Stops with a valid bound when it expires.
        seed: For the engine.
        on_progress: Called with (cost, bound).
    """
    search = _Search(instance, arcs, ascent, clock, seed=seed, on_progress=on_progress)
    search.linear()
    search.swaps()
    search.integer()
    return Closed(
        arcs=search.arcs,
        bound=min(search.bound, search.cost),
        n_cuts=search.program.n_cuts + search.n_cuts,
        rounds=search.program.rounds,
        n_nodes=search.n_nodes,
    )


def _lean(ascent: Ascent) -> list[Cut]:
    """The smallest cuts of an ascent: large ones make the first programs slow, and are found again if they matter."""
    sizes = np.array([len(cut) for cut in ascent.cuts], dtype=np.int64)
    order = np.argsort(sizes, kind="stable")
    kept = np.sort(order[np.cumsum(sizes[order]) <= FIRST_ENTRIES])
    return [Cut(ascent.cuts[position], int(ascent.witnesses[position])) for position in kept.tolist()]


class _Search:
    """State of one run: a program over the costly arcs that a better answer can use, and the best answer."""

    def __init__(
        self,
        instance: Instance,
        arcs: IntVector,
        ascent: Ascent,
        clock: Clock,
        *,
        seed: int,
        on_progress: Callable[[float, float], None] | None,
    ) -> None:
        self.instance, self.clock, self.seed, self.on_progress = instance, clock, seed, on_progress
        self.integral = instance.has_integer_costs
        self.n_nodes = self.n_cuts = 0
        self.arcs, self.cost, self.bound = arcs, cost_of_arcs(instance, arcs), 0.0
        self._raise_bound(ascent.bound)
        # An arc that no better answer can use is left out. The best answer known is kept aside, so nothing is lost.
        usable = within_bound(instance, ascent.bound, ascent.reduced, to_beat(self.cost, integral=self.integral))
        opened = np.flatnonzero((instance.costs > 0) & usable)
        if not len(opened):  # no arc is left that a better answer could use
            self.bound = self.cost
        self.program = CutProgram([instance], opened, seed=seed)
        if not self.done:
            self.program.add_cuts(_lean(ascent), view=0)

    @property
    def done(self) -> bool:
        return self.bound >= self.cost or self.clock.expired

    def linear(self) -> None:
        """Raise the bound by the linear relaxation over cuts; round its points now and then."""
        if self.done:
            return
        self.program.raise_bound(self.clock, on_point=self._look)
        if math.isinf(self.program.value):
            self._raise_bound(self.cost)
        if not self.done:
            self._try(self._rounded(self.program.x))
            self._fix()

    def swaps(self) -> None:
        """Look for a better answer where the relaxation has left a gap: swaps where arcs are free, else restarts."""
        if self.done:
            return
        if not self.instance.has_free_arcs or len(self.instance.terminals) < FEW_TERMINALS:
            self._restart()
        if self.done or not self.instance.has_free_arcs:
            return
        program, costs = self.program, self.instance.costs
        opened = program.open[~program.closed]
        columns = opened[np.argsort(program.reduced[opened], kind="stable")[:SWAP_COLUMNS]]
        found = search_cover(
            self.instance,
            self.arcs[costs[self.arcs] > 0],
            columns,
            [row.arcs for row in program.pool if row is not None],
            self.clock.share(SWAP_SHARE),
            seed=self.seed,
            steps=min(SWAPS, SWAPS_A_TERMINAL * len(self.instance.terminals)),
            enough=self.bound,
        )
        self._try(polish(self.instance, self._spanned(found), self.clock))
        self._fix()

    def _restart(self) -> None:
        """Perturbed restarts over the arcs of least reduced cost, and those of the best answer: a small instance."""
        program, instance = self.program, self.instance
        opened = program.open[~program.closed]
        count = max(RESTART_COLUMNS, len(opened) // 20)
        usable = instance.costs == 0
        usable[opened[np.argsort(program.reduced[opened], kind="stable")[:count]]] = True
        usable[self.arcs] = True
        near = reachable(instance.n_vertices, instance.tails[usable], instance.heads[usable], instance.terminals)
        kept = np.flatnonzero(usable & near[instance.tails])
        small = restricted_to(instance, kept)
        best = np.searchsorted(kept, self.arcs[near[instance.tails[self.arcs]]])
        share = self.clock.share(SHAKE_SHARE)
        found = shake(small, best, share, seed=self.seed, rounds=SHAKES, enough=self.bound)
        self._try(kept[found])
        self._fix()

    def integer(self) -> None:
        """Branch and cut over the arcs that the linear program has left open."""
        if self.done:
            return
        from solvers.steiner.steps import Gap, close  # loads SCIP, which is needed for a gap of the relaxation only

        program = self.program
        reduced = np.full(self.instance.n_arcs, np.inf)
        opened = program.open[~program.closed]
        reduced[opened] = np.maximum(program.reduced[opened], 0.0)
        gap = Gap(
            views=program.views,
            arcs=self.arcs,
            cost=self.cost,
            bound=self.bound,
            value=min(program.value, self.bound),
            reduced=reduced,
            cuts=[row.arcs for row in program.pool if row is not None],
            integral=self.integral,
            repair=self._rounded,
        )
        done = close(gap, self.clock, seed=self.seed, on_progress=self.on_progress)
        self.n_nodes, self.n_cuts = done.n_nodes, done.n_cuts
        self._try(done.arcs)
        self._raise_bound(done.bound)

    def _look(self) -> bool:
        """After each linear program: take its value as bound, round its point from time to time; whether to stop."""
        if math.isinf(self.program.value):
            return True
        self._raise_bound(self.program.value)
        if not self.done and (self.program.rounds & (self.program.rounds - 1)) == 0:  # rounds 1, 2, 4, 8, ...
            self._try(self._rounded(self.program.x))
            self._fix()
        self.program.least_gain = TAIL_OF_GAP * (self.cost - self.bound)
        return self.done

    def _fix(self) -> None:
        """Close arcs that no better answer can use, by the reduced costs of the last linear program."""
        useless = self.program.useless(to_beat(self.cost, integral=self.integral))
        if len(useless):
            self.program.close(useless)

    def _rounded(self, x: FloatVector) -> IntVector:
        """An answer guided by the point: arcs with a high value are short."""
        lengths = self.instance.costs * (1.0 - np.clip(x, 0.0, 1.0))
        return polish(self.instance, join_by_paths(self.instance, lengths), self.clock)

    def _spanned(self, chosen: IntVector) -> IntVector:
        """An arborescence over the chosen arcs and the free ones, which the model takes for granted."""
        usable = self.instance.costs == 0
        usable[chosen] = True
        return join_by_paths(self.instance, np.where(usable, self.instance.costs, np.inf))

    def _try(self, arcs: IntVector) -> None:
        cost = cost_of_arcs(self.instance, arcs)
        if cost < self.cost:
            self.arcs, self.cost = arcs, cost
            self._raise_bound(self.bound)  # which may meet the new cost but for rounding
            self._report()

    def _raise_bound(self, value: float) -> None:
        """Take over a bound on what the open arcs allow; beyond them only the best answer is left."""
        value = rounded_up(value) if self.integral else value
        value = min(value, self.cost)
        if not self.integral and value >= to_beat(self.cost, integral=False):
            value = self.cost
        if value > self.bound:
            self.bound = float(value)
            self._report()

    def _report(self) -> None:
        if self.on_progress is not None:
            self.on_progress(self.cost, self.bound)
