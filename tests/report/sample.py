"""A payload as `graphnn.report.payload` makes it: 5 folds, 40 hidden vertices; numbers are drawn, not measured."""

from __future__ import annotations

import json
from statistics import fmean
from typing import Any

import numpy as np

REAL = [
    *("LCK", "ZAP70", "LAT", "SLP76", "PLCG1", "ITK", "FYN", "CD3E", "CD3Z", "CD28", "PI3K", "PDK1", "AKT1", "GSK3B"),
    *("MTOR", "S6K", "RAS", "RAF1", "MEK1", "ERK2", "JNK1", "P38A", "PKCQ", "CARD11", "BCL10", "MALT1", "IKKB", "IKBA"),
    *("NFKB1", "RELA", "NFATC1", "CALCINEURIN", "CALM1", "IP3R", "FOS", "JUN", "MYC", "STAT3", "JAK3", "SOCS1"),
]
METRICS = {"roc_auc": 0.952, "accuracy": 0.884, "precision": 0.871, "recall": 0.902, "f1": 0.886}


def sample_payload(
    *,
    n_hidden: int = 40,
    outputs: tuple[str, ...] = ("TCR",),
    metrics: dict[str, float] | None = None,
    long_names: bool = False,
    skips: int = 4,
    seed: int = 0,
    draws: int = 7,
    others: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Draw a payload; `skips` further edges make the hidden tree a DAG; `others` are further networks."""
    rng = np.random.default_rng(seed)
    names = [_name(i, long_names) for i in range(n_hidden)]
    hidden = _hidden(rng, names, outputs, skips)
    folds = _folds(rng, outputs, METRICS if metrics is None else metrics)
    payload = {
        "format": "graphnn-report/1",
        "title": "What compressing the T-cell receptor network costs",
        "created": "2026-11-20T14:00:00+00:00",
        "command": "graphnn compare tcell.sif cells.csv --labels labels.csv --output TCR --folds 5 --seed 7 --out run",
        "python": None,
        "seed": 7,
        "versions": {"graphnn": "0.1.0", "keras": "3.15.1", "jax": "0.9.0", "numpy": "2.3.4", "highspy": "1.12.0"},
        "asked": _asked(outputs),
        "dropped": _dropped(),
        "networks": {"full": _network(25_928, 12_619, 308, full=True), "compressed": _network(12_618, 12_619, 160)},
        "compression": [
            _compression("edges", 25_928, 12_618),
            _compression("hidden nodes", 307, 159),
            _compression("nodes", 12_767, 12_619),
            _compression("parameters", 26_236, 12_778),
            _compression("depth", 17, 9),
            _compression("edges with boundary edges (published tutorial's basis)", 38_388, 25_078),
        ],
        "protocol": {
            "name": "nested",
            "optimistic": False,
            "sentence": "Five stratified folds, the same for both networks; an inner split decided when to stop.",
            "folds": 5,
            "seeds": 1,
            "training": {"epochs": 200, "patience": 10, "learning_rate": 0.001, "class_weight": None, "shuffle": True},
            "network": {"hidden_activation": "sigmoid", "dropout": 0.1, "l1": [0.0, 0.001]},
        },
        "folds": folds,
        "summary": _summary(folds, outputs, METRICS if metrics is None else metrics),
        "sentences": [
            "The compressed network has 51.3 % fewer edges and is proved to be as small as possible.",
            "ROC-AUC changed by −0.004 (95 % interval −0.011 to +0.003): compatible with no change.",
        ],
        "importance": _importance(rng, hidden),
        "hidden_network": hidden,
        "warnings": [],
    }
    payload |= _controls(rng, outputs, list(METRICS if metrics is None else metrics), draws, others)
    payload |= _explained(rng, payload["importance"], outputs, others)
    return json.loads(json.dumps(payload))


NEW = {  # what payloads of the first versions lack
    *("contenders", "contrasts", "null_tests", "null_draws", "minima_stability", "control_sentences"),
    *("corrected_importance", "corrected_sentences", "confusing_cells", "confusing_sentence"),
    *("importance_runs", "rank_intervals", "importance_sentences", "non_inferiority"),
}


def old_payload(**options: Any) -> dict[str, Any]:
    """A payload as the first versions wrote it."""
    payload = {key: value for key, value in sample_payload(**options).items() if key not in NEW}
    for row in payload["importance"]:
        del row["squared_bias"], row["bias_rank"]
    for network in payload["networks"].values():
        del network["engine"]
    return payload


def _controls(
    rng: np.random.Generator, outputs: tuple[str, ...], metrics: list[str], draws: int, others: tuple[str, ...]
) -> dict[str, Any]:
    drawn, single = ("rewired", "shuffled", "minima"), ("dense", "elastic-net")
    rows = (*outputs, "(mean)") if len(outputs) > 1 else outputs
    sizes = {"edges": 12_618.0, "hidden": 159.0, "parameters": 12_778.0, "depth": 9.0}
    contenders = [
        {"name": name, "control": name if name in single else "", "draw": 0, **sizes, "n_fits": 5, "engine": "numba"}
        for name in ("full", "compressed", *others, *single)
    ]
    contenders[-1] |= dict.fromkeys(sizes) | {"engine": "scikit-learn"}
    contenders += [
        {"name": f"{control} {draw}", "control": control, "draw": draw, **sizes, "depth": 8.0 + draw, "n_fits": 5}
        | {"engine": "numba"}
        for control in (*drawn, "control-inputs")
        for draw in range(1, draws + 1)
    ]
    contrasts, tests, found = [], [], []
    for name in ("full", *others, *single):
        for output in rows:
            for metric in metrics:
                change = float(rng.normal(0, 0.01))
                row = {"network": name, "metric": metric, "mean": 0.95 + change, "reference": 0.95, "change": change}
                row |= {"ci_low": change - 0.012, "ci_high": change + 0.009, "p": float(rng.random()), "n_splits": 5}
                contrasts.append(row | {"output": output})
    for control in drawn:
        for output in rows:
            values = [float(value) for value in 0.5 + 0.44 * (control != "shuffled") + rng.normal(0, 0.03, draws)]
            good = sum(value >= 0.95 for value in values)
            for metric in metrics:
                row = {"control": control, "output": output, "metric": metric, "observed": 0.95}
                row |= {"null_mean": fmean(values), "null_sd": 0.03, "null_low": min(values), "null_high": max(values)}
                tests.append(row | {"n_draws": draws, "n_as_good": good, "p": (1 + good) / (1 + draws)})
            found += [
                {"control": control, "draw": draw, "output": output, "metric": metrics[0]}
                | {"value": value, "observed": 0.95}
                for draw, value in enumerate(values, start=1)
            ]
    minima = {"n_networks": draws + 1, "n_absent": 3, "n_nodes": 37, "kendall_w": 0.44, "p": 0.0002, "top": 10}
    return {
        "contenders": contenders,
        "contrasts": contrasts,
        "null_tests": tests,
        "null_draws": found,
        "minima_stability": [
            {"output": output, **minima, "jaccard": 0.31, "jaccard_by_chance": 0.15} for output in outputs
        ],
        "control_sentences": ["Rewired: these cells do not tell it from chance."],
    }


def _explained(
    rng: np.random.Generator, importance: list[dict[str, Any]], outputs: tuple[str, ...], others: tuple[str, ...]
) -> dict[str, Any]:
    runs, corrected = [], []
    for row in importance:
        shared = {"node": row["node"], "network": row["network"]}
        for fold in range(5):
            bias = float(rng.normal())
            runs += [
                {**shared, "output": output, "fold": fold, "seed": 7}
                | {"score": row["mean"] * float(rng.uniform(0.5, 1.5)), "bias": bias}
                for output in outputs
            ]
        row |= {"squared_bias": float(rng.gamma(1.0, 0.1)), "bias_rank": row["rank"]}
        if row["network"] == "compressed":
            ratio = float(rng.gamma(2.0))
            shares = {"observed": ratio, "control": 1.0, "ratio": ratio, "log2_ratio": float(np.log2(ratio))}
            tested = {"p": float(rng.random()), "q": float(rng.random())}
            corrected += [
                {"network": "compressed", "output": o, "node": row["node"], **shares, **tested} for o in outputs
            ]
    cells = [
        {"output": output, "barcode": f"CELL{number:04d}-1", "label": float(number % 2)}
        | {name: float(rng.random()) for name in ("full", "compressed", *others)}
        | {"distance": 0.01 * number, "n_wrong": number % 3}
        for output in outputs
        for number in range(20)
    ]
    return {
        "importance_runs": runs,
        "rank_intervals": [
            {"network": row["network"], "output": output, "node": row["node"], "score": row["mean"]}
            | {
                "rank": float(row["rank"]),
                "rank_low": max(1, row["rank"] - 2),
                "rank_high": row["rank"] + 3,
                "in_top": 0.6,
            }
            for output in outputs
            for row in importance
        ],
        "importance_sentences": ["Compressed network: over 5 fits the ranks of 40 nodes have Kendall's W 0.61."],
        "corrected_importance": corrected,
        "corrected_sentences": ["3 of 40 nodes matter more than the shape of the network explains."],
        "confusing_cells": cells,
        "confusing_sentence": "The 20 cells of which the networks are least sure.",
        "non_inferiority": [
            {"output": outputs[0], "metric": "roc_auc", "margin": 0.01, "change": -0.004, "bound": -0.0071}
            | {"p": 0.0213, "supported": True}
        ],
    }


def _name(i: int, long_names: bool) -> str:
    name = REAL[i] if i < len(REAL) else f"REG{i:03d}"
    return f"{name}:complex/of-several_subunits_with_a_very_long_official_name_β{i}" if long_names else name


def _hidden(rng: np.random.Generator, names: list[str], outputs: tuple[str, ...], skips: int) -> dict[str, Any]:
    order = [*outputs, *names]  # every edge runs from a later to an earlier vertex
    edges, depth = {}, dict.fromkeys(order, 0)
    for i in range(len(outputs), len(order)):
        target = int(rng.integers(max(0, i // 4 - 2), i // 2 + 1)) if i > 3 else int(rng.integers(len(outputs)))
        edges[order[i], order[target]] = None
    for _ in range(skips):
        late, early = sorted(rng.choice(len(names), size=2, replace=False), reverse=True)
        edges[names[late], names[early]] = None
    for source, target in edges:
        depth[source] = max(depth[source], depth[target] + 1)
    deepest = max(depth.values())
    nodes = [
        {
            "name": name,
            "level": 1 + deepest - depth[name],
            "role": "output" if name in outputs else "regulator",
            "n_inputs": 0 if name in outputs else int(rng.gamma(0.7, 60)),
            "importance": float(rng.gamma(0.8, 0.02)),
        }
        for name in order
    ]
    return {
        "nodes": nodes,
        "edges": [
            {
                "source": a,
                "target": b,
                "interaction": int(rng.choice([1, 1, 1, -1, -1, 0])),
                "weight": float(rng.normal()),
            }
            for a, b in edges
        ],
    }


def _folds(rng: np.random.Generator, outputs: tuple[str, ...], metrics: dict[str, float]) -> list[dict[str, Any]]:
    rows = []
    for output in outputs:
        for fold in range(5):
            shared = rng.normal(0, 0.012)
            for network, cost in (("full", 0.0), ("compressed", 0.004)):
                row: dict[str, Any] = {"network": network, "output": output, "seed": 7, "fold": fold}
                row |= {"n_train": 1072, "n_validation": 268, "n_test": 335, "epochs": int(rng.integers(20, 90))}
                rows.append(row | {m: mean + shared - cost + rng.normal(0, 0.004) for m, mean in metrics.items()})
    return rows


def _summary(folds: list[dict[str, Any]], outputs: tuple[str, ...], metrics: dict[str, float]) -> list[dict[str, Any]]:
    rows = []
    for output in outputs:
        for metric in metrics:
            full, compressed = (
                fmean(row[metric] for row in folds if row["network"] == network and row["output"] == output)
                for network in ("full", "compressed")
            )
            change = compressed - full
            rows.append({"metric": metric, "output": output, "full": full, "compressed": compressed, "change": change})
            rows[-1] |= {"ci_low": change - 0.007, "ci_high": change + 0.007, "p": 0.0004 if metric == "f1" else 0.182}
    return rows


def _importance(rng: np.random.Generator, hidden: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for network in ("full", "compressed"):
        scored = sorted(hidden["nodes"], key=lambda node: -node["importance"])
        for rank, node in enumerate(scored, start=1):
            mean = node["importance"]
            rows.append(
                {"node": node["name"], "network": network, "mean": mean, "sd": mean * rng.random(), "rank": rank}
            )
    return rows


def _asked(outputs: tuple[str, ...]) -> dict[str, Any]:
    return {
        "pkn": {"name": "tcell_abc.sif.gz", "nodes": 13_435, "edges": 27_579, "fingerprint": "9f3c" * 16},
        "cells": {"name": "tcr.h5", "cells": 1735, "genes": 33_694, "merged_genes": 24, "unlabelled": 60},
        "inputs_requested": 12_500,
        "outputs": list(outputs),
        "objective": "min_edges",
        "full_objective": "shortest_paths",
        "notes": ["Inputs named <gene>_gene were matched to the column <gene>."],
    }


def _dropped() -> dict[str, Any]:
    names = {
        "absent_inputs": [f"LOC{i:05d}_gene" for i in range(260)],
        "unreachable": ["EPO", "EPOR"],
        "dead_end": ["INSR"],
        "lost_inputs": ["HBB_gene"],
        "lost_outputs": [],
        "absent_outputs": [],
    }
    return {"counts": {**{key: len(value) for key, value in names.items()}, "edges": 31}, **names}


def _network(edges: int, nodes: int, hidden: int, *, full: bool = False) -> dict[str, Any]:
    proof = {
        "objective_name": "shortest_paths" if full else "min_edges",
        "termination": "constructed" if full else "optimal",
        "objective": float(edges),
        "bound": None if full else float(edges),
        "gap": None if full else 0.0,
        "method": "breadth-first search" if full else "steiner",
        "solver": "graphnn" if full else "dual ascent",
        "seconds": 0.21 if full else 1.37,
        "versions": {"graphnn": "0.1.0"},
        "details": {} if full else {"classes_of_inputs": 1916, "undominated": 118, "cuts": None},
        "sentence": (
            f"{edges:,} edges, built by breadth-first search; "
            "nothing was optimised, so nothing is claimed to be minimal."
            if full
            else f"Proved minimal: cost {edges:,} is reached, and every network costs at least {edges:,} "
            "(steiner, dual ascent)."
        ),
    }
    sizes = {"nodes": nodes, "edges": edges, "inputs": 12_459, "hidden": hidden - 1, "outputs": 1}
    return {
        **sizes,
        "parameters": edges + hidden,
        "depth": 17 if full else 9,
        "fingerprint": "ab12" * 16,
        "engine": "numba",
        "proof": proof,
    }


def _compression(quantity: str, full: int, compressed: int) -> dict[str, Any]:
    percent = 100 * (1 - compressed / full)
    return {"quantity": quantity, "full": full, "compressed": compressed, "reduction_percent": percent}
