"""One instance: a first answer with a bound in milliseconds, and the work that closes what is left between them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from solvers.bounds import meets
from solvers.clock import Clock
from solvers.options import Options
from solvers.problem import IntVector
from solvers.result import Progress
from solvers.steiner.dual_ascent import Ascent, dual_ascent
from solvers.steiner.improve import cost_of_arcs, polish, shake
from solvers.steiner.instance import Instance
from solvers.steiner.paths import join_by_paths

SHAKES = 30  # perturbed restarts before the linear program; each takes milliseconds after the reductions
SHAKE_UP_TO = 60_000  # arcs; beyond that a restart takes longer than the linear program's first rounds


@dataclass(frozen=True, eq=False)
class Attempt:
    """An answer and a bound, both without the constant.

    Attributes:
        instance: What is asked.
        constant: Cost that is settled.
        ascent: The dual solution behind the bound; None where nothing is left.
        arcs: The answer.
        cost: What it costs.
        bound: What any answer costs at least.
        prover: Who proved that.
        facts: For the record.
    """

    instance: Instance
    constant: float
    ascent: Ascent | None
    arcs: IntVector
    cost: float
    bound: float
    prover: str
    facts: dict[str, Any]

    @property
    def is_proved(self) -> bool:
        """Whether the bound meets the cost."""
        return meets(self.cost, self.bound)


def first_attempt(instance: Instance, options: Options, clock: Clock, *, constant: float) -> Attempt:
    """Dual ascent, and paths guided by cost and by reduced cost.

    Args:
        instance: Costs >= 0.
        options: `seed` and `on_progress` are used.
        clock: Time left.
        constant: Cost that is settled, for progress.
    """
    if not len(instance.terminals):
        return Attempt(instance, constant, None, np.zeros(0, dtype=np.int64), 0.0, 0.0, "reductions", {})
    ascent = dual_ascent(instance, clock)
    arcs = _best_paths(instance, ascent, clock)
    if (
        instance.has_free_arcs
        and instance.n_arcs <= SHAKE_UP_TO
        and not meets(cost_of_arcs(instance, arcs), ascent.bound)
    ):
        arcs = shake(instance, arcs, clock, seed=options.seed, rounds=SHAKES, enough=ascent.bound)
    cost = cost_of_arcs(instance, arcs)
    report(options, clock, constant + cost, constant + ascent.bound)
    facts = {"ascent_cuts": len(ascent.cuts)}
    return Attempt(instance, constant, ascent, arcs, cost, ascent.bound, "dual ascent", facts)


def closed(attempt: Attempt, options: Options, clock: Clock) -> Attempt:
    """The attempt with its gap closed, as far as time allows."""
    if attempt.is_proved or attempt.ascent is None or clock.expired:
        return attempt
    from solvers.steiner.branch_and_cut import close_gap  # loads engines, which most networks never need

    def shifted(cost: float, bound: float) -> None:
        report(options, clock, attempt.constant + cost, attempt.constant + bound)

    found = close_gap(attempt.instance, attempt.arcs, attempt.ascent, clock, seed=options.seed, on_progress=shifted)
    facts = {**attempt.facts, "cuts": found.n_cuts, "rounds": found.rounds, "nodes": found.n_nodes}
    return replace(
        attempt,
        arcs=found.arcs,
        cost=cost_of_arcs(attempt.instance, found.arcs),
        bound=found.bound,
        prover="scip" if found.n_nodes else "highs",
        facts=facts,
    )


def report(options: Options, clock: Clock, cost: float, bound: float) -> None:
    """Tell the caller how far it is, if he wants to know."""
    if options.on_progress is not None:
        options.on_progress(Progress(cost, bound, clock.seconds))


def _best_paths(instance: Instance, ascent: Ascent, clock: Clock) -> IntVector:
    """The cheaper of two path heuristics: by cost, and by reduced cost with cost to break ties."""
    spread = float(instance.costs.max()) or 1.0
    guides = (instance.costs, ascent.reduced + 1e-6 * instance.costs / spread)
    found = [join_by_paths(instance, guide) for guide in guides]
    found = [polish(instance, arcs, clock) for arcs in found]
    return min(found, key=lambda arcs: cost_of_arcs(instance, arcs))
