"""The sweep from the minimal network to the full one."""

from __future__ import annotations

import numpy as np
import pytest

import graphnn as gn
from graphnn.errors import OptionError
from graphnn.evaluate.pareto import Sweep, pareto
from tests.evaluate.small import INPUTS, PRIOR, TRAINING, cells


def sweep(**how) -> Sweep:
    graph = gn.PriorGraph.from_sif_tuples(PRIOR).prune(INPUTS, ["y"])
    return pareto(graph, INPUTS, ["y"], *cells(), **{"folds": 3, "training": TRAINING} | how)


def test_sizes_grow_and_every_network_obeys_what_was_asked() -> None:
    found = sweep(redundancy=(3, 2))
    frame = found.frame()
    assert frame["edges"].is_monotonic_increasing
    assert frame["network"].iloc[0] == "compressed"
    assert set(frame["network"]) == {"full", "compressed", "r = 2", "r = 3"}
    assert frame.set_index("network")["redundancy"].to_dict() == {"full": 0, "compressed": 1, "r = 2": 2, "r = 3": 3}
    assert frame.set_index("network")["proved"].to_dict() == {
        "full": False, "compressed": True, "r = 2": True, "r = 3": True
    }  # fmt: skip
    graph = gn.PriorGraph.from_sif_tuples(PRIOR).prune(INPUTS, ["y"])
    outgoing = graph.to_frame()["source"].value_counts()
    kept = found.comparison.networks["r = 2"].graph.to_frame()["source"].value_counts()
    for name in INPUTS:
        assert kept[name] >= min(2, outgoing[name])


def test_means_are_those_of_the_comparison_and_the_front_is_what_nothing_smaller_reaches() -> None:
    found = sweep()
    frame = found.frame(metric="accuracy").set_index("network")
    mean = found.comparison.scores.groupby("network")["accuracy"].mean()
    for name in frame.index:
        assert frame.loc[name, "mean"] == pytest.approx(mean[name])
        assert frame.loc[name, "change"] == pytest.approx(mean[name] - mean["compressed"])
    best = -np.inf
    for row in frame.itertuples():
        assert row.on_front == (row.mean > best)
        best = max(best, row.mean)


def test_errors_count_the_other_way() -> None:
    x, _ = cells()
    graph = gn.PriorGraph.from_sif_tuples(PRIOR).prune(INPUTS, ["y"])
    found = pareto(
        graph, INPUTS, ["y"], x, x["a"], folds=2, training=TRAINING, network=gn.NetworkOptions(task="regression")
    )
    frame = found.frame(metric="mse")
    assert frame["on_front"].tolist() == [
        all(mean < earlier for earlier in frame["mean"][:k]) for k, mean in enumerate(frame["mean"])
    ]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"redundancy": (1,)}, "at least 2"),
        ({"redundancy": (2, 2)}, "different"),
        ({"full_objective": "min_edges"}, "shortest_paths"),
        ({"folds": 1}, "folds"),
    ],
)
def test_what_cannot_be_is_refused(how, message) -> None:
    with pytest.raises(OptionError, match=message):
        sweep(**how)


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(OptionError, match="roc_auc"):
        sweep(redundancy=()).frame(metric="r2")
