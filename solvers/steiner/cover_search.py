"""Local search for instances that are set covers at heart: swap arcs under weights on the cuts that are hard to meet.

The rows are cuts: those around what terminals reach over free arcs, and others that turn out to be violated. Every
choice of arcs that meets all cuts is an answer; one that meets the rows at hand is checked, and where it leaves
terminals stuck the cuts that say so become rows. The search on the rows is the row weighting of C. Gao, X. Yao,
T. Weise, J. Li, "An efficient local search heuristic with row weighting for the unicost set covering problem",
European Journal of Operational Research 246 (2015) 750-761, here with costs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from solvers.clock import Clock
from solvers.problem import FloatVector, IntVector
from solvers.reduce.terminals import undominated
from solvers.steiner.cuts import Separator, separator
from solvers.steiner.instance import Instance

CUTS_A_CHECK = 10


def search_cover(
    instance: Instance,
    arcs: IntVector,
    columns: IntVector,
    cuts: Sequence[IntVector],
    clock: Clock,
    *,
    seed: int,
    steps: int,
    enough: float,
) -> IntVector:
    """Look for a cheaper choice of costly arcs that joins all terminals.

    Args:
        instance: With free arcs, such as the node form.
        arcs: Costly arcs of an answer, shape (n_chosen,).
        columns: Costly arcs to choose from, shape (n_columns,); those of the answer are added.
        cuts: Rows to begin with, besides those around closures.
        clock: Stops when it expires.
        seed: Of the choices among rows.
        steps: Stop after so many swaps without a better answer.
        enough: Stop when the cost is down to this (a bound).

    Returns:
        Costly arcs, sorted, that join all terminals with the free arcs and cost no more than the answer.
    """
    find = separator(instance)
    columns = np.union1d(columns, arcs)
    rows = [row.astype(np.int64) for row in np.split(find.closures[0].indices, find.closures[0].indptr[1:-1])]
    search = _Swaps(instance.costs[columns], columns, instance.n_arcs, _needed([*rows, *cuts], columns), seed)
    search.begin(np.searchsorted(columns, arcs))
    best, best_cost = np.sort(arcs), float(instance.costs[arcs].sum())
    left = steps
    while left > 0 and best_cost > enough and not clock.expired:
        if search.is_cover:
            missed = _missed(find, columns[search.chosen])
            if missed:
                search.add_rows(missed)
                continue
            best, best_cost, left = columns[search.chosen], search.cost, steps
            if not search.remove_one():
                break
            continue
        left -= 1
        search.swap(best_cost)
    return best


def _needed(rows: Sequence[IntVector], columns: IntVector) -> list[IntVector]:
    """Rows over these columns, less those that are met wherever another is met."""
    allowed = set(columns.tolist())
    ways = {number: allowed.intersection(row.tolist()) for number, row in enumerate(rows)}
    return [np.array(sorted(way)) for way in undominated({number: way for number, way in ways.items() if way}).values()]


def _missed(find: Separator, chosen: IntVector) -> list[IntVector]:
    return [cut.arcs for cut in find.of_choice(chosen, most=CUTS_A_CHECK)]


class _Swaps:
    """A choice of columns, how often each row is met, and the score of each column.

    The score of a column that is out is the weight of the rows that it would meet; of one that is in, minus the
    weight of the rows that only it meets.
    """

    def __init__(
        self, costs: FloatVector, columns: IntVector, n_arcs: int, rows: Sequence[IntVector], seed: int
    ) -> None:
        self.costs, self.columns = costs, columns
        self.number = np.full(n_arcs, -1)
        self.number[columns] = np.arange(len(columns))
        self.draw = np.random.default_rng(seed)
        self.inside = np.zeros(len(columns), dtype=bool)
        self.moved = np.zeros(len(columns), dtype=np.int64)  # step of the last change
        self.may_enter = np.ones(len(columns), dtype=bool)  # a neighbour changed since it left
        self.step = 0
        self.weight = np.zeros(0)
        self.rows = csr_array((0, len(columns)))
        self._set_rows(rows)

    def begin(self, chosen: IntVector) -> None:
        """Start from a choice of columns."""
        self.inside[chosen] = True
        self._count()

    @property
    def chosen(self) -> IntVector:
        """Columns that are in."""
        return np.flatnonzero(self.inside)

    @property
    def cost(self) -> float:
        """What they cost."""
        return float(self.costs[self.inside].sum())

    @property
    def is_cover(self) -> bool:
        """Whether every row is met."""
        return bool(self.met.all())

    def add_rows(self, rows: Sequence[IntVector]) -> None:
        """Add rows given as arcs."""
        self._set_rows(rows)
        self._count()

    def remove_one(self) -> bool:
        """Take out the column whose loss weighs least for its cost, but not the one that came last."""
        inside = self.chosen
        if not len(inside):
            return False
        rate = self.score[inside] / self.costs[inside]
        rate[self.moved[inside] == self.step] -= 1e12
        best = inside[rate == rate.max()]
        self._flip(int(best[np.argmin(self.moved[best])]), enters=False)
        return True

    def swap(self, below: float) -> None:
        """Take a column out, bring one in that meets a row drawn from those not met, and make those rows heavier."""
        self.step += 1
        self.remove_one()
        open_rows = np.flatnonzero(self.met == 0)
        row = int(open_rows[self.draw.integers(len(open_rows))])
        ways = self.rows.indices[self.rows.indptr[row] : self.rows.indptr[row + 1]]
        allowed = ways[self.may_enter[ways]]
        ways = allowed if len(allowed) else ways
        rate = self.score[ways] / self.costs[ways]
        best = ways[rate == rate.max()]
        column = int(best[np.argmin(self.moved[best])])
        while self.cost + self.costs[column] >= below and self.remove_one():
            pass
        self.moved[column] = self.step
        self._flip(column, enters=True)
        open_rows = np.flatnonzero(self.met == 0)
        self.weight[open_rows] += 1.0
        np.add.at(self.score, _entries(self.rows, open_rows), 1.0)

    def _flip(self, column: int, *, enters: bool) -> None:
        """Change a column, and with it the scores of all that meet one of its rows."""
        mine = self.of_column.indices[self.of_column.indptr[column] : self.of_column.indptr[column + 1]]
        own = self.score[column]
        change = 1 if enters else -1
        before = self.met[mine]
        self.met[mine] = before + change
        lonely = mine[before == (0 if enters else 1)]  # rows that this column alone meets while it is in
        shared = mine[before == (1 if enters else 2)]  # rows that one other meets
        touched, weights = _entries(self.rows, lonely), self._weights(lonely)
        np.add.at(self.score, touched, -change * weights)
        others, weights = _entries(self.rows, shared), self._weights(shared)
        stays = self.inside[others] & (others != column)
        np.add.at(self.score, others[stays], change * weights[stays])
        self.score[column] = -own
        self.inside[column] = enters
        if not enters:
            self.moved[column] = self.step
        self.may_enter[touched] = True
        self.may_enter[column] = enters

    def _weights(self, rows: IntVector) -> FloatVector:
        return np.repeat(self.weight[rows], np.diff(self.rows.indptr)[rows])

    def _set_rows(self, rows: Sequence[IntVector]) -> None:
        kept = [self.number[row] for row in rows]
        kept = [row[row >= 0] for row in kept]
        indices = np.concatenate([self.rows.indices, *kept])
        lengths = np.concatenate([np.diff(self.rows.indptr), [len(row) for row in kept]]).astype(np.int64)
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        shape = (len(lengths), len(self.columns))
        self.rows = csr_array((np.ones(len(indices)), indices.astype(np.int64), indptr), shape=shape)
        self.of_column = self.rows.T.tocsr()
        self.weight = np.concatenate([self.weight, np.ones(len(rows))])

    def _count(self) -> None:
        """Count and score afresh."""
        self.met = (self.rows @ self.inside.astype(np.float64)).astype(np.int64)
        gain = self.of_column @ np.where(self.met == 0, self.weight, 0.0)
        loss = self.of_column @ np.where(self.met == 1, self.weight, 0.0)
        self.score = np.where(self.inside, -loss, gain)


def _entries(rows: csr_array, which: IntVector) -> IntVector:
    """Columns of some rows, one row after the other."""
    begin, count = rows.indptr[which].astype(np.int64), np.diff(rows.indptr)[which].astype(np.int64)
    total = int(count.sum())
    if not total:
        return np.zeros(0, dtype=np.int64)
    offsets = np.repeat(begin - np.concatenate([[0], np.cumsum(count)[:-1]]), count)
    return rows.indices[offsets + np.arange(total)].astype(np.int64)
