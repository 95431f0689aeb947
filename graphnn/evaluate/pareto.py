"""`pareto`: size of the network against how well it predicts, from the minimal network through redundant ones to full.

May import `graphnn.extract` and `compare`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from graphnn.errors import OptionError
from graphnn.evaluate.compare import compare
from graphnn.evaluate.comparison import MEAN, Comparison
from graphnn.evaluate.metrics import SMALLER_IS_BETTER
from graphnn.evaluate.options import check_whole
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag
from graphnn.graph.prior import PriorGraph

FULL_OBJECTIVES = ("shortest_paths", "max_edges")


@dataclass(frozen=True, eq=False)
class Sweep:
    """Networks of growing size, compared on the same splits.

    Attributes:
        comparison: Of all of them: "compressed" is the minimal network, "r = 2" that in which every input keeps two
            regulators, and so on.
        redundancy: Regulators that every input keeps at least, where the prior knowledge has them, by name of the
            network; 0: nothing was asked ("full", further ones).
    """

    comparison: Comparison
    redundancy: Mapping[str, int]

    def frame(self, *, metric: str | None = None) -> pd.DataFrame:
        """One row a network, the smallest first.

        Args:
            metric: None: the leading metric of the task.

        Returns:
            network, redundancy, edges, hidden, parameters, depth, proved (minimal for what was asked), mean (of the
            metric over the splits on which all networks have it; with several outputs the mean of these), change (from
            the minimal network), ci_low, ci_high, p, and on_front: whether no network with fewer edges has as good a
            mean.

        Raises:
            OptionError: The task has no such metric.
        """
        found = self.comparison
        chosen = found.metrics[0] if metric is None else metric
        if chosen not in found.metrics:
            raise OptionError("metric", metric, f"one of {', '.join(found.metrics)}")
        sizes = found.sizes.set_index("name")
        changes = found.contrasts()
        changes = changes[changes["metric"] == chosen]
        if "output" in changes:
            changes = changes[changes["output"] == MEAN]
        changes = changes.set_index("network")
        means = found.means(chosen)
        rows = []
        for name, dag in found.networks.items():
            minimal, mean = name == "compressed", means[name]
            change = [0.0, *[np.nan] * 3] if minimal else changes.loc[name, ["change", "ci_low", "ci_high", "p"]]
            size = sizes.loc[name, ["edges", "hidden", "parameters", "depth"]].astype(np.int64)
            rows.append((name, self.redundancy[name], *size, dag.proof.is_optimal, mean, *change))
        columns = ["network", "redundancy", "edges", "hidden", "parameters", "depth", "proved", "mean"]
        frame = pd.DataFrame(rows, columns=[*columns, "change", "ci_low", "ci_high", "p"])
        frame = frame.sort_values(["edges", "redundancy"], kind="stable", ignore_index=True)
        gain = -frame["mean"] if chosen in SMALLER_IS_BETTER else frame["mean"]
        smaller = [gain[frame["edges"] < edges] for edges in frame["edges"]]
        return frame.assign(
            on_front=[
                value > others.max() if len(others) else True for value, others in zip(gain, smaller, strict=True)
            ]
        )


def pareto(
    graph: PriorGraph,
    inputs: Iterable[str],
    outputs: Iterable[str],
    X: Any,
    y: Any,
    *,
    redundancy: int | Sequence[int] = (2, 3),
    disjoint_routes: bool = False,
    full_objective: str = "shortest_paths",
    time_limit_s: float | None = None,
    **how: Any,
) -> Sweep:
    """Extract networks of growing redundancy and compare them on the same splits: what does each edge buy?

    Args:
        graph: The prior knowledge network, usually pruned.
        inputs: Measured vertices.
        outputs: Predicted vertices.
        X: Cells x genes with names, as for `compare`.
        y: Labels, as for `compare`.
        redundancy: Regulators that every input is to keep at least, where the network has so many; each at least 2.
        disjoint_routes: Count paths that share no vertex but the input and outputs instead of regulators.
        full_objective: "shortest_paths" or "max_edges".
        time_limit_s: Of each extraction; a network that is not proved minimal by then is used, and said so.
        how: Further arguments of `compare`, such as `folds`, `seeds`, `input_suffix`, `controls`.

    Returns:
        The sweep; `frame()` is its table.

    Raises:
        OptionError: A redundancy is no whole number of at least 2 or given twice, or an argument of `extract_dag` or
            `compare` cannot be.
        MismatchError, DataError, NoNetworkError: As `extract_dag` and `compare`.
    """
    if full_objective not in FULL_OBJECTIVES:
        raise OptionError("full_objective", full_objective, f"one of {', '.join(FULL_OBJECTIVES)}")
    redundancy = [redundancy] if isinstance(redundancy, int) else list(redundancy)
    for number in redundancy:
        check_whole("redundancy", number, least=2)
    if len(set(redundancy)) < len(redundancy):
        raise OptionError("redundancy", list(redundancy), "different numbers")
    inputs, outputs = list(inputs), list(outputs)

    def extracted(**asked: Any) -> Dag:
        return extract_dag(graph, inputs, outputs, time_limit_s=time_limit_s, **asked)

    full, minimal = extracted(objective=full_objective), extracted()
    others = {
        f"r = {number}": extracted(min_routes=number, disjoint_routes=disjoint_routes) for number in sorted(redundancy)
    }
    further = dict(how.pop("others", None) or {})
    taken = sorted({*others} & {*further})
    if taken:
        raise OptionError("others", taken[0], "names that the sweep does not use itself")
    found = compare(full, minimal, X, y, others=others | further, prior=how.pop("prior", graph), **how)
    numbers = {"full": 0, "compressed": 1} | {f"r = {number}": int(number) for number in sorted(redundancy)}
    numbers |= dict.fromkeys(further, 0)
    return Sweep(found, numbers)
