"""Is a planted hidden vertex found? Ranks of planted vertices by importance over many seeds, with negative controls.

`python -m benchmarks.planted [--design NAME ...] [--seeds 30] [--first-seed 0] [--method NAME ...] [--store]`

Everything is trained with one setting for all seeds. It was chosen on seeds from 1000 on; figures are of seeds 0 to 29.
Each design trains the drawn network and, on the same cells and splits, a second one. Designs:

- sim1: one planted vertex among 101 hidden ones, of 3,504 inputs and 2,000 cells. The bar is the first rank with no
  decoy above a tenth of its score. Beside it the network rewired with its degrees kept, in which it must be lost.
- dealt: the same, beside it the same wiring with the names of the inputs dealt out anew.
- shuffled: sim1 with labels dealt out anew. no-effect: sim1 with inputs that know nothing.
- sim2: two planted vertices that read the same inputs, trained with dropout of hidden vertices. The bar is both in the
  top three. Beside it the minimal network, which keeps one of them. sim2-plain is the same without dropout.
- part, part-plain: only the first vertex is planted, and the second reads half of its inputs; both should be seen.
- overlap: sim1 with 30 % of the inputs read by a second hidden vertex. deep: three levels of hidden vertices, of which
  those above the planted one are neither planted nor decoys.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import binom

from benchmarks.store import show, store
from graphnn.compiler.options import NetworkOptions
from graphnn.data.designs import INPUT_SUFFIX, SimulatedNetwork, plant, relays, sim1, sim2, simulate_network
from graphnn.data.simulate import Simulation, simulate_cells
from graphnn.evaluate.compare import compare
from graphnn.evaluate.rewire import dealt, rewired
from graphnn.explain.importance import METHODS, node_importance
from graphnn.explain.recovery import recovery
from graphnn.extract.dag import Dag
from graphnn.extract.extract import extract_dag

L2 = 0.05  # on all edge weights: a hidden vertex that does not help loses its inputs and its edge to the output
PLAIN = NetworkOptions(kernel_l2=L2)
DROPOUT = NetworkOptions(kernel_l2=L2, dropout=0.5, dropout_on="nodes")

Made = tuple[SimulatedNetwork, Simulation]


@dataclass(frozen=True)
class Design:
    """What is drawn, how it is trained, and when a seed counts as a success.

    Attributes:
        make: Network and cells of a seed.
        second: The second network, of the first and the seed, and its name.
        network: How both are compiled.
        top: A seed is a success when all planted vertices are among so many.
        shuffled: Whether labels are dealt out anew.
    """

    make: Callable[[int], Made]
    second: tuple[str, Callable[[Dag, int], Dag]]
    network: NetworkOptions = field(default_factory=lambda: PLAIN)
    top: int = 1
    shuffled: bool = False


def _minimal(dag: Dag, seed: int) -> Dag:
    return extract_dag(dag.graph, dag.inputs, dag.outputs)


REWIRED = ("rewired", lambda dag, seed: rewired(dag, seed=seed))
DEALT = ("dealt", lambda dag, seed: dealt(dag, seed=seed))
MINIMAL = ("minimal", _minimal)


def _sim1(seed: int, effect: float = 1.0) -> Made:
    design = sim1(seed, effect=effect)
    return design.network, design.simulation


def _sim2(seed: int) -> Made:
    design = sim2(seed)
    return design.network, design.simulation


def _part(seed: int) -> Made:
    network = simulate_network(n_planted=2, shared=0.5, seed=seed)
    names, suffix = (network.graph, network.inputs, network.outputs), INPUT_SUFFIX
    return network, simulate_cells(
        *names, n_cells=2000, drivers=network.planted[:1], effect=1.0, input_suffix=suffix, seed=seed
    )


def _drawn(**options: Any) -> Callable[[int], Made]:
    def make(seed: int) -> Made:
        network = simulate_network(seed=seed, **options)
        return network, plant(network, seed=seed)

    return make


DESIGNS = {
    "sim1": Design(_sim1, REWIRED),
    "dealt": Design(_sim1, DEALT),
    "shuffled": Design(_sim1, REWIRED, shuffled=True),
    "no-effect": Design(lambda seed: _sim1(seed, 0.0), REWIRED),
    "sim2": Design(_sim2, MINIMAL, DROPOUT, top=3),
    "sim2-plain": Design(_sim2, MINIMAL, top=3),
    "part": Design(_part, MINIMAL, DROPOUT, top=3),
    "part-plain": Design(_part, MINIMAL, top=3),
    "overlap": Design(_drawn(overlap=0.3), MINIMAL),
    "deep": Design(_drawn(n_levels=3), REWIRED),
}


def run_seed(design: Design, seed: int, *, methods: Sequence[str], folds: int = 5) -> list[dict[str, Any]]:
    """One row a method and network: ranks and scores of the planted vertices, the largest decoy, ROC-AUC, seconds."""
    start = time.perf_counter()
    drawn, simulation = design.make(seed)
    dag = Dag.from_graph(drawn.graph, drawn.inputs, drawn.outputs)
    labels = simulation.labels
    if design.shuffled:
        labels = labels.set_axis(np.random.default_rng((seed, 31)).permutation(labels.index), axis=0)
    second, make = design.second
    found = compare(
        dag,
        make(dag, seed),
        simulation.to_cells().log_normalized(),
        labels,
        folds=folds,
        seed=seed,
        network=design.network,
        input_suffix=INPUT_SUFFIX,
    )
    rows = []
    for method in methods:
        importance = node_importance(found, method=method)
        for network, name in (("full", "drawn"), ("compressed", second)):
            passed = () if name == "rewired" else relays(dag.graph, drawn.planted)
            table = recovery(importance[importance["network"] == network], drawn.planted, passed=passed)
            scores = found.scores.loc[found.scores["network"] == network, "roc_auc"]
            rows.append(
                {
                    "network": name,
                    "method": method,
                    "seed": seed,
                    "planted": " ".join(drawn.planted),
                    "ranks": " ".join(f"{rank:g}" for rank in table["rank"]),
                    "worst_rank": float(table["rank"].max(skipna=False)),
                    "n_ranked": int(table["n_ranked"].iloc[0]),
                    "weaker_to_stronger": float(table["score"].min(skipna=False) / table["score"].max(skipna=False)),
                    "decoy_ratio": float(table["decoy_ratio"].max(skipna=False)),
                    "auc": float(scores.mean()),
                    "engine": found.engines[network],
                    "seconds": time.perf_counter() - start,
                }
            )
    return rows


def summary(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the rows of one design, network and method say; p: of so many in the top ten if the vertex were any one."""
    column = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    ranks, ratios, aucs = column["worst_rank"], column["decoy_ratio"], column["auc"]
    n_ranked, top = rows[0]["n_ranked"], DESIGNS[name].top
    upper = int((ranks <= 10).sum())
    return {
        "design": name,
        "network": rows[0]["network"],
        "method": rows[0]["method"],
        "seeds": len(rows),
        "all_in_top": top,
        "successes": int((ranks <= top).sum()),
        "median_rank": float(np.median(ranks)),
        "in_top_10": upper,
        "p_top_10": float(binom.sf(upper - 1, len(rows), min(1.0, 10 / n_ranked))),
        "median_ratio": float(np.median(ratios)),
        "largest_ratio": float(ratios.max()),
        "below_0.1": int((ratios < 0.1).sum()),
        "weaker_to_stronger": float(np.median(column["weaker_to_stronger"])),
        "auc": float(aucs.mean()),
        "auc_low": float(aucs.min()),
        "auc_high": float(aucs.max()),
    }


def _finite(row: dict[str, Any]) -> dict[str, Any]:
    """The row with None for what JSON cannot say."""
    return {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--design", nargs="+", choices=list(DESIGNS), default=["sim1", "shuffled", "sim2"])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--method", nargs="+", choices=list(METHODS), default=["gradient"])
    parser.add_argument("--l2", type=float, default=L2, help="weight of the squared edge weights in the loss")
    parser.add_argument("--store", action="store_true", help="write benchmarks/results/planted-DESIGN.json")
    given = parser.parse_args(arguments)
    for name in given.design:
        design = DESIGNS[name]
        design = replace(design, network=replace(design.network, kernel_l2=given.l2))
        rows: list[dict[str, Any]] = []
        for seed in range(given.first_seed, given.first_seed + given.seeds):
            rows += run_seed(design, seed, methods=given.method, folds=given.folds)
        kinds = dict.fromkeys((row["network"], row["method"]) for row in rows)
        parts = [[row for row in rows if (row["network"], row["method"]) == kind] for kind in kinds]
        told = [summary(name, part) for part in parts]
        print(f"\n{name}: {sum(row['seconds'] for row in parts[-1]):.0f} s")
        for part in parts:
            show(part)
        show(told)
        if given.store:
            kept = [row for row in rows if row["method"] == given.method[0]]
            print(store(f"planted-{name}", [_finite(row) for row in [*told, *kept]]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
