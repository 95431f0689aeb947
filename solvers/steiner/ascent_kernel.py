"""The loop of dual ascent compiled with numba, where that is installed; step by step what the Python loop does.

Same order, same sums, same cuts (a test compares them), so whether numba is there changes no result.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import util
from typing import Any

import numpy as np

SCANS_A_CALL = 2_000  # between two looks at the clock


def is_available() -> bool:
    """Whether numba is installed."""
    return util.find_spec("numba") is not None


@lru_cache(maxsize=1)
def kernel() -> Any:
    """The compiled loop; see `_ascend` for what it takes."""
    import numba

    return numba.njit(cache=True)(_ascend)


def _ascend(  # type: ignore[no-untyped-def]
    first, order, into_first, into, tails, heads, reduced, joined, tiny, park_from,
    heap, count, stamp, turn, owner, waits_for, parked, beside, stack, cut, found, ends, witnesses, steps,
):  # fmt: skip
    """Raise duals until the heap is empty, the scans of a call are used up, or the room for cuts is.

    Heap keys are size of the cut times number of vertices, plus terminal, so that they compare as the pairs do.
    `parked[t]` is the first of those that wait for t, `beside` links them; -1 ends a list.

    Returns:
        Length of the heap, the turn, and how many cuts were found.
    """
    n = len(first) - 1
    n_found = 0
    used = 0
    scans = 0
    while count > 0 and scans < SCANS_A_CALL and used + len(heads) <= len(found) and n_found < len(ends):
        key = heap[0]  # pop
        count -= 1
        last = heap[count]
        at = 0
        while 2 * at + 1 < count:
            child = 2 * at + 1
            if child + 1 < count and heap[child + 1] < heap[child]:
                child += 1
            if heap[child] >= last:
                break
            heap[at] = heap[child]
            at = child
        heap[at] = last
        size, terminal = key // n, key % n
        again = terminal
        weight = 0
        if joined[terminal]:
            again = parked[terminal]
            parked[terminal] = -1
        else:
            scans += 1
            turn += 1
            stamp[terminal] = turn
            stack[0] = terminal
            top = 1
            n_cut = 0
            waits = -1
            while top > 0 and waits < 0:
                top -= 1
                vertex = stack[top]
                for position in range(first[vertex], first[vertex + 1]):
                    arc = order[position]
                    head = heads[arc]
                    if stamp[head] == turn:
                        continue
                    if reduced[arc] > tiny:
                        cut[n_cut] = arc
                        n_cut += 1
                        continue
                    if owner[head] != terminal:
                        other = owner[head]
                        if n_cut > park_from:
                            while other >= 0 and waits_for[other] >= 0:
                                other = waits_for[other]
                            if other >= 0 and other != terminal and not joined[other]:
                                waits = other
                                break
                        owner[head] = terminal
                    stamp[head] = turn
                    stack[top] = head
                    top += 1
            if waits >= 0:
                waits_for[terminal] = waits
                beside[terminal] = parked[waits]
                parked[waits] = terminal
                continue
            weight = 0
            step = np.inf
            for position in range(n_cut):
                arc = cut[position]
                if stamp[heads[arc]] != turn:
                    cut[weight] = arc
                    weight += 1
                    step = min(step, reduced[arc])
            if not (count > 0 and weight > size and weight > heap[0] // n):
                for position in range(weight):
                    arc = cut[position]
                    reduced[arc] -= step
                    found[used + position] = arc
                used += weight
                ends[n_found] = used
                witnesses[n_found] = terminal
                steps[n_found] = step
                n_found += 1
                for position in range(weight):
                    arc = cut[position]
                    if reduced[arc] <= tiny and joined[heads[arc]] and not joined[tails[arc]]:
                        joined[tails[arc]] = True
                        stack[0] = tails[arc]
                        top = 1
                        while top > 0:
                            top -= 1
                            vertex = stack[top]
                            for place in range(into_first[vertex], into_first[vertex + 1]):
                                back = into[place]
                                if reduced[back] <= tiny and not joined[tails[back]]:
                                    joined[tails[back]] = True
                                    stack[top] = tails[back]
                                    top += 1
        while again >= 0:  # push: the terminal itself, or those that waited for it
            following = -1
            if again != terminal:
                following = beside[again]
                waits_for[again] = -1
            fresh = weight * n + again
            at = count
            count += 1
            while at > 0 and heap[(at - 1) // 2] > fresh:
                heap[at] = heap[(at - 1) // 2]
                at = (at - 1) // 2
            heap[at] = fresh
            again = following
    return count, turn, n_found
