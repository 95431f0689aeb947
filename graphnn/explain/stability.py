"""Do fits agree on which vertices matter, and do networks? Agreement of ranks, and intervals of each rank.

NumPy, SciPy and pandas only: it works on a table of importances, wherever that comes from.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from graphnn.errors import OptionError, did_you_mean
from graphnn.evaluate.options import check_whole

KEYS = ["network", "output"]
FIT = ["seed", "fold"]
_AGREEMENTS = ["n_nodes", "kendall_w", "p", "top", "jaccard", "jaccard_by_chance"]


def rank_stability(importance: pd.DataFrame, *, top: int = 10) -> pd.DataFrame:
    """How far fits agree on the order of the vertices.

    Kendall's W is 1 where all fits give one order and near 0 where they agree no more than by chance; its p value is
    that of Friedman's test of no agreement. It rests on folds that share training cells, so it is no test of new data.
    The Jaccard index of two fits is the share of vertices among the first `top` of either that both have.

    Args:
        importance: node, network, output, fold, seed, score, as `Comparison.importance` gives it.
        top: How many vertices at the top are compared, at least 1; all where there are fewer.

    Returns:
        One row a network and output: network, output, n_fits, n_nodes, kendall_w, p, top, jaccard (mean over pairs of
        fits), jaccard_by_chance (of two random choices). With fewer than two fits or three vertices, or where all
        scores tie, W and p are NaN; with fewer than two fits the indices.

    Raises:
        OptionError: `top` is no whole number of at least 1.

    Example:
        >>> table = pd.DataFrame({"node": list("abc") * 2, "network": "full", "output": "y", "fold": [0] * 3 + [1] * 3,
        ...                       "seed": 0, "score": [3.0, 2.0, 1.0, 9.0, 5.0, 4.0]})
        >>> row = rank_stability(table, top=1).iloc[0]
        >>> float(row["kendall_w"]), float(row["jaccard"]), round(float(row["jaccard_by_chance"]), 3)
        (1.0, 1.0, 0.333)

    Reference:
        M. G. Kendall, B. Babington Smith, "The problem of m rankings", Annals of Mathematical Statistics 10 (1939)
        275-287.
    """
    check_whole("top", top, least=1)
    rows = [(*key, *_agreements(scores, top)) for key, scores in _tables(importance)]
    return pd.DataFrame(rows, columns=[*KEYS, "n_fits", *_AGREEMENTS])


def stability_across(importance: pd.DataFrame, *, networks: Sequence[str] | None = None, top: int = 10) -> pd.DataFrame:
    """How far networks agree on the order of the vertices that they share, e.g. several minimal networks.

    A minimal network is often one of many. What all of them rank high is no accident of which one was taken. The
    scores of each fit are divided by their mean over the shared vertices, and averaged over the fits of a network;
    then networks are compared as `rank_stability` compares fits.

    Args:
        importance: node, network, output, fold, seed, score.
        networks: Which networks; None: all.
        top: As for `rank_stability`.

    Returns:
        One row an output: output, n_networks, n_absent (vertices that some of the networks lack, which are left out),
        n_nodes (shared), then as `rank_stability`; by the same rules NaN.

    Raises:
        OptionError: `top` is no whole number of at least 1, or a network is not in the table.
    """
    check_whole("top", top, least=1)
    known = importance["network"].drop_duplicates().tolist()
    unknown = [name for name in networks or () if name not in known]
    if unknown:
        hint = did_you_mean(unknown, known).removeprefix("; ")
        raise OptionError("networks", unknown[0], f"among {', '.join(known)}", do=hint)
    chosen = importance if networks is None else importance[importance["network"].isin(list(networks))]
    rows = []
    for output, part in chosen.groupby("output", sort=False):
        tables = [scores for _, scores in _tables(part)]
        shared = sorted(set.intersection(*(set(scores.columns) for scores in tables)))
        every = set.union(*(set(scores.columns) for scores in tables))
        means = pd.DataFrame([_mean_share(scores[shared]) for scores in tables], columns=shared)
        n_networks, *rest = _agreements(means, top)
        rows.append((output, n_networks, len(every) - len(shared), *rest))
    return pd.DataFrame(rows, columns=["output", "n_networks", "n_absent", *_AGREEMENTS])


def rank_intervals(importance: pd.DataFrame, *, level: float = 0.9, top: int = 10) -> pd.DataFrame:
    """Where each vertex ranks over fits.

    Args:
        importance: As for `rank_stability`.
        level: Share of the fits that the interval holds at least, in (0, 1).
        top: As for `rank_stability`.

    Returns:
        network, output, node, score (mean), rank (median; 1 is first), rank_low, rank_high (quantiles of the ranks
        that occur), in_top (share of the fits in which it is among the first `top`); by rank, then
        by score and name.

    Raises:
        OptionError: `level` is not in (0, 1), or `top` is no whole number of at least 1.
    """
    check_whole("top", top, least=1)
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise OptionError("level", level, "in (0, 1)", do="write 0.9 for 90 %")
    names = ["node", "score", "rank", "rank_low", "rank_high", "in_top"]
    frames = [pd.DataFrame(columns=[*KEYS, *names])]
    for (network, output), scores in _tables(importance):
        ranks = np.argsort(_orders(scores), axis=1, kind="stable") + 1
        low = np.quantile(ranks, (1 - level) / 2, axis=0, method="lower")
        high = np.quantile(ranks, (1 + level) / 2, axis=0, method="higher")
        frame = pd.DataFrame(
            {
                "network": network,
                "output": output,
                "node": scores.columns,
                "score": scores.to_numpy().mean(axis=0),
                "rank": np.median(ranks, axis=0),
                "rank_low": low.astype(np.int64),
                "rank_high": high.astype(np.int64),
                "in_top": (ranks <= top).mean(axis=0),
            }
        )
        frames.append(frame.sort_values(["rank", "score", "node"], ascending=[True, False, True], kind="stable"))
    return pd.concat(frames[1:] or frames, ignore_index=True)


def _tables(importance: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
    """For each network and output the scores, a row a fit and a column a vertex, names ascending."""
    groups = importance.groupby(KEYS, sort=False)
    return [(key, rows.pivot(index=FIT, columns="node", values="score").sort_index(axis=1)) for key, rows in groups]


def _agreements(scores: pd.DataFrame, top: int) -> tuple[Any, ...]:
    """Number of rows, then `_AGREEMENTS`."""
    n_rows, n_nodes = scores.shape
    w, p = _agreement(scores)
    count = min(top, n_nodes)
    first = [set(row[:count].tolist()) for row in _orders(scores)]
    shared = [len(a & b) / len(a | b) for a, b in combinations(first, 2)] if count else []
    mean = float(np.mean(shared)) if shared else np.nan
    by_chance = _jaccard_by_chance(count, n_nodes) if shared else np.nan
    return n_rows, n_nodes, w, p, count, mean, by_chance


def _mean_share(scores: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Mean over fits of scores divided by the fit's mean; a fit in which all are 0 has shares of 0."""
    values = scores.to_numpy(dtype=np.float64)
    mean = values.mean(axis=1, keepdims=True) if values.shape[1] else np.ones((len(values), 1))
    return (values / np.where(mean > 0, mean, 1.0)).mean(axis=0)


def _orders(scores: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The vertices of each fit, highest score first, ties by name."""
    return np.argsort(-scores.to_numpy(dtype=np.float64), axis=1, kind="stable")


def _agreement(scores: pd.DataFrame) -> tuple[float, float]:
    """Kendall's W, corrected for ties, and its p value."""
    n_fits, n_nodes = scores.shape
    if n_fits < 2 or n_nodes < 3:
        return np.nan, np.nan
    if (scores.nunique(axis=1) == 1).all():  # nobody ranks anything
        return np.nan, np.nan
    found = stats.friedmanchisquare(*scores.to_numpy(dtype=np.float64).T)
    return float(found.statistic / (n_fits * (n_nodes - 1))), float(found.pvalue)


def _jaccard_by_chance(count: int, n_nodes: int) -> float:
    """Mean index of two random choices of `count` among the vertices: the number that both have is hypergeometric."""
    both = np.arange(count + 1)
    return float(np.sum(stats.hypergeom.pmf(both, n_nodes, count, count) * both / (2 * count - both)))
