"""Is a planted vertex found? Ranks of planted vertices in a table of importances. NumPy and pandas only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def recovery(importance: pd.DataFrame, planted: Sequence[str], *, passed: Sequence[str] = ()) -> pd.DataFrame:
    """Where planted vertices rank, and how near the best decoy comes.

    "With so many cells and this network, which vertices could I recover?": plant one (`simulate_cells`), compare as
    usual, and look where it ranks.

    Args:
        importance: node, network, output, fold, seed, score; scores are averaged over fits.
        planted: Names of the planted vertices.
        passed: Names of what the signal passes through: neither planted nor decoys, and left out of the ranks.

    Returns:
        One row a network, output and planted vertex, in the order given: network, output, node, score, rank (1 is
        first; a tie counts against the vertex), n_ranked, decoy, decoy_score, decoy_ratio (decoy_score / score). A
        vertex that the network lacks has NaN, and so has the decoy where everything is planted.

    Example:
        >>> table = pd.DataFrame({"node": list("abc"), "network": "full", "output": "y", "score": [0.1, 2.0, 0.5]})
        >>> recovery(table, ["b"])[["rank", "decoy", "decoy_ratio"]].values.tolist()
        [[1.0, 'c', 0.25]]
    """
    rows = []
    for (network, output), part in importance.groupby(["network", "output"], sort=False):
        mean = part.groupby("node")["score"].mean().drop(list(passed), errors="ignore")
        others = mean.drop(list(planted), errors="ignore")
        decoy, best = (str(others.idxmax()), float(others.max())) if len(others) else ("", np.nan)
        for node in planted:
            score = float(mean.get(node, np.nan))
            rank = float((mean.drop(node) >= score).sum() + 1) if node in mean else np.nan
            rows.append((network, output, node, score, rank, len(mean), decoy, best, _ratio(best, score)))
    names = ["node", "score", "rank", "n_ranked", "decoy", "decoy_score", "decoy_ratio"]
    return pd.DataFrame(rows, columns=["network", "output", *names])


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("inf" if part else "nan")
