"""Orders of groups by annealing: one group at a time moves to a place drawn by how many edges run forward there.

A place is drawn with probability proportional to exp(edges / temperature) among all places that differ ("heat bath").
Besides edges that run forward, *needs* count: a group must keep an arc out unless an output lies in it, and an arc in
unless an input does, else all its edges go; and what was merged may hang on some arcs (see `contract.Bundle`). A need
weighs as one more edge on the last of its arcs, so all of it is known from the places of a group's neighbours. A draw
of that kind is the largest of edges plus temperature times Gumbel noise.

As long as every group has an arc that runs forward or an output, all walks end in outputs, so that inputs stay covered.
A first order with this exists (by distance to the outputs), and the weight of that need lets no move give it up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from solvers.largest.contract import Contracted
from solvers.problem import FloatVector

DEAD_GROUP = 10.0  # weight of a group's own needs at first, of an arc in, in edges
VITAL = 1000.0  # of a need that must be met
HOT, COLD = 1.0, 0.15  # temperatures, in edges
MOST_DRAWS = 1 << 16  # random numbers drawn for one sweep; beyond that they are used again


class Annealing:
    """Arcs inside components, and what each group needs, as lists for loops over single groups."""

    def __init__(self, contracted: Contracted) -> None:
        self.n_groups = contracted.n_groups
        self.penalty: list[float] = []  # of each need
        self.is_of_group: list[bool] = []  # whether the need is a group's own
        self.before: list[list[tuple[int, float, list[int]]]] = [[] for _ in range(self.n_groups)]
        self.after: list[list[tuple[int, float, list[int]]]] = [[] for _ in range(self.n_groups)]
        self.wants_after: list[list[tuple[int, list[int]]]] = [[] for _ in range(self.n_groups)]
        self.wants_before: list[list[tuple[int, list[int]]]] = [[] for _ in range(self.n_groups)]
        self.ends = (contracted.tails.tolist(), contracted.heads.tolist())
        self.inner = np.flatnonzero(contracted.inner).tolist()
        needs = self._needs(contracted)
        weights = contracted.weights.tolist()
        for arc in self.inner:
            tail, head = self.ends[0][arc], self.ends[1][arc]
            self.after[tail].append((head, float(weights[arc]), needs[False].get(arc, [])))
            self.before[head].append((tail, float(weights[arc]), needs[True].get(arc, [])))
        self.members = [group for group in range(self.n_groups) if self.before[group]]
        wants = [len(self.wants_after[group]) + len(self.wants_before[group]) for group in self.members]
        arcs = [len(self.before[group]) + len(self.after[group]) for group in self.members]
        self.slots = [1 + n_wants + n_arcs for n_wants, n_arcs in zip(wants, arcs, strict=True)]  # places that differ

    def run(
        self, rank: FloatVector, stop: Callable[[], bool], *, seed: int, sweeps: int, hot: float = HOT
    ) -> FloatVector:
        """Anneal from an order of all groups.

        Args:
            rank: Place of each group, shape (n_groups,).
            stop: Asked before every move; True ends the run with the order at hand.
            seed: Of all draws.
            sweeps: How often every group moves, the last one downhill only.
            hot: First temperature, in edges.

        Returns:
            Place of each group, shape (n_groups,).
        """
        draw = np.random.default_rng(seed)
        place = rank.tolist()
        n_draws = min(MOST_DRAWS, sum(self.slots))
        for sweep in range(sweeps):
            is_last = sweep == sweeps - 1
            temperature = 0.0 if is_last else hot * (COLD / hot) ** (sweep / (sweeps - 1))
            noise = (temperature * draw.gumbel(size=n_draws)).tolist()
            chances = draw.random(len(self.members)).tolist()
            met, start = self._met(place), 0
            for chance, index in zip(chances, draw.permutation(len(self.members)).tolist(), strict=True):
                if stop():
                    return np.array(_renumbered(place))
                group, slots = self.members[index], self.slots[index]
                start = start if start + slots <= n_draws else 0
                there = self._drawn(group, place, met, noise[start : start + slots], chance)
                start += slots
                if there is not None:
                    self._put(group, place, met, there)
            place = _renumbered(place)
        return np.array(place)

    def insist(self, place: FloatVector) -> bool:
        """Make the needs of groups that an order leaves unmet vital from now on; whether there are any."""
        found = False
        for number, count in enumerate(self._met(place.tolist())):
            if not count and self.is_of_group[number]:
                self.penalty[number], found = VITAL, True
        return found

    def _needs(self, contracted: Contracted) -> dict[bool, dict[int, list[int]]]:
        """Number all needs; gives the needs that each arc serves at its tail (True) and at its head (False)."""
        serves: dict[bool, dict[int, list[int]]] = {True: {}, False: {}}
        own = {True: np.full(self.n_groups, VITAL), False: np.where(contracted.out, VITAL, DEAD_GROUP)}
        for leaving, settled in ((True, contracted.out), (False, contracted.fed)):
            ends, others = self.ends if leaving else self.ends[::-1]
            wants = self.wants_after if leaving else self.wants_before
            arcs_at: dict[int, list[int]] = {}
            for arc, end in enumerate(ends):
                arcs_at.setdefault(end, []).append(arc)
            asked = [(arcs, float(own[leaving][end]), True) for end, arcs in arcs_at.items() if not settled[end]]
            asked += [(list(b.arcs), float(b.weight), False) for b in contracted.bundles if b.leaving == leaving]
            for arcs, weight, is_of_group in asked:
                if not contracted.inner[arcs].all():  # met: arcs between components run forward always
                    continue
                number = len(self.penalty)
                wants[ends[arcs[0]]].append((number, [others[arc] for arc in arcs]))
                for arc in arcs:
                    serves[leaving].setdefault(arc, []).append(number)
                self.penalty.append(weight)
                self.is_of_group.append(is_of_group)
        return serves

    def _met(self, place: list[float]) -> list[int]:
        """How many arcs that run forward serve each need."""
        met = [0] * len(self.penalty)
        for group in self.members:
            for number, heads in self.wants_after[group]:
                met[number] = sum(place[head] > place[group] for head in heads)
            for number, tails in self.wants_before[group]:
                met[number] = sum(place[tail] < place[group] for tail in tails)
        return met

    def _drawn(self, group: int, place: list[float], met: list[int], noise: list[float], chance: float) -> float | None:
        """Draw a place for a group: the best by edges plus noise; None: where it is. Without noise only for gain."""
        here, gains = place[group], self._gains(group, place, met)
        best, value, slot, own, worth = noise[0], 0.0, 0, 0, 0.0
        for number, (where, gain) in enumerate(gains, start=1):
            value += gain
            if where < here:
                own, worth = number, value
            if value + noise[number] > best:
                best, slot = value + noise[number], number
        if slot == own or (best <= worth and not any(noise)):
            return None
        low = gains[slot - 1][0] if slot else gains[0][0] - 1.0
        high = gains[slot][0] if slot < len(gains) else gains[-1][0] + 1.0
        there = low + (high - low) * chance
        return there if low < there < high else None

    def _put(self, group: int, place: list[float], met: list[int], there: float) -> None:
        """Move a group, and count anew which arcs that run forward serve each need."""
        here, place[group] = place[group], there
        for tail, _, needs in self.before[group]:
            change = (place[tail] < there) - (place[tail] < here)
            if change:
                for number in needs:
                    met[number] += change
        for head, _, needs in self.after[group]:
            change = (place[head] > there) - (place[head] > here)
            if change:
                for number in needs:
                    met[number] += change
        for number, heads in self.wants_after[group]:
            met[number] = sum(place[head] > there for head in heads)
        for number, tails in self.wants_before[group]:
            met[number] = sum(place[tail] < there for tail in tails)

    def _gains(self, group: int, place: list[float], met: list[int]) -> list[tuple[float, float]]:
        """What is gained when the group moves past each place where something changes, sorted by place."""
        here, penalty = place[group], self.penalty
        gains = []
        for tail, gain, needs in self.before[group]:
            where = place[tail]
            for number in needs:
                if met[number] == (where < here):
                    gain += penalty[number]
            gains.append((where, gain))
        for head, gain, needs in self.after[group]:
            where = place[head]
            for number in needs:
                if met[number] == (where > here):
                    gain += penalty[number]
            gains.append((where, -gain))
        for number, heads in self.wants_after[group]:
            gains.append((max([place[head] for head in heads]), -penalty[number]))
        for number, tails in self.wants_before[group]:
            gains.append((min([place[tail] for tail in tails]), penalty[number]))
        gains.sort()
        return gains


def _renumbered(place: list[float]) -> list[float]:
    order = sorted(range(len(place)), key=lambda group: (place[group], group))
    result = [0.0] * len(place)
    for index, group in enumerate(order):
        result[group] = float(index)
    return result
