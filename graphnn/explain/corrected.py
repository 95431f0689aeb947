"""Importance beside that of networks trained on control inputs: what of a score is due to topology alone.

NumPy, SciPy and pandas only: it works on two tables of importances, wherever they come from.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from graphnn.errors import DataError, MismatchError, quoted
from graphnn.explain.stability import FIT, KEYS

DRAW = "draw"  # a further column that tells draws of control inputs apart, where there is one
LEAST_DRAWS = 3  # from which a spread is read
LITTLE = 0.01  # added to shares, of which the mean vertex has 1
_COLUMNS = ["observed", "control", "ratio", "log2_ratio", "p", "q"]


def control_importance(observed: pd.DataFrame, control: pd.DataFrame) -> pd.DataFrame:
    """Compare the importance of each vertex with what the shape of the network gives it on control inputs.

    A vertex that many ways run through scores high on any data. Where all inputs are equally predictive
    (`graphnn.evaluate.control_inputs.control_cells`), its score is due to the network's shape; a ratio above 1 is what
    the data add. First the scores of each fit are divided by their mean over vertices: how far an output moves in all
    says how sure a fit is, not which vertex matters. So ratios are shares, and where one vertex gains others lose a
    little.

    p asks whether the observed data could be one more draw of control inputs. Fits of one data set are no replicates of
    it: folds share cells, repeats share all of them. So the fits of a data set are averaged, and the one observed value
    is compared with those of n draws by a two-sided t test of a further observation from the same law,

        t = (log o - mean log c) / (s sqrt(1 + 1 / n)),   n - 1 degrees of freedom,

    with 0.01 added to all shares, so that vertices that do next to nothing differ by next to nothing. Logarithms of
    shares over draws are taken to be normal. q is the false discovery rate among the vertices of a network and output.

    Args:
        observed: node, network, output, fold, seed, score of fits on real data, as `node_importance` gives it.
        control: The same of fits of the same networks on control inputs, under the same names of networks. A column
            `draw` tells apart the draws of control inputs; without it each seed is taken for one.

    Returns:
        network, output, node, observed and control (mean share over replicates; 1 is the mean vertex), ratio
        (observed / control; infinite where only the control is 0, NaN where both are), log2_ratio, p, q; networks and
        outputs in the order of `observed`, within them by p, then the largest ratio first, then by name. Fits in which
        all scores are 0 say nothing and are left out. p and q are NaN with fewer than 3 draws, and where draws do not
        differ but the observed share does; p is 1 where it does not either.

    Raises:
        MismatchError: The tables are not of the same networks, outputs and vertices.
        DataError: A score is negative or no finite number, or a vertex stands twice in a fit.

    Example:
        >>> rows = [(node, "full", "y", fold, 0, score) for fold in (0, 1) for node, score in (("a", 3.0), ("b", 1.0))]
        >>> table = pd.DataFrame(rows, columns=["node", "network", "output", "fold", "seed", "score"])
        >>> found = control_importance(table, table.assign(score=1.0))
        >>> found["node"].tolist(), found["ratio"].tolist()
        (['a', 'b'], [1.5, 0.5])

    Reference:
        N. Fortelny, C. Bock, "Knowledge-primed neural networks enable biologically interpretable deep learning on
        single-cell sequencing data", Genome Biology 21 (2020) 190, doi:10.1186/s13059-020-02100-5 (control inputs);
        a further observation: G. J. Hahn, W. Q. Meeker, "Statistical Intervals", Wiley (1991), chapter 4;
        Y. Benjamini, Y. Hochberg, Journal of the Royal Statistical Society B 57 (1995) 289-300,
        doi:10.1111/j.2517-6161.1995.tb02031.x.
    """
    seen, expected = _shares(observed, "observed"), _shares(control, "control")
    if set(seen) != set(expected):
        odd = [" of ".join(key[::-1]) for key in sorted({*seen} ^ {*expected})]
        raise MismatchError(
            f"expected importances of the same networks and outputs, but {quoted(odd)} stand in one table only; "
            "give both tables the same names of networks",
            expected=tuple(seen),
            got=tuple(expected),
        )
    frames = [_compared(key, shares, expected[key]) for key, shares in seen.items()]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=[*KEYS, "node", *_COLUMNS])


def _shares(importance: pd.DataFrame, what: str) -> dict[tuple[str, str], pd.DataFrame]:
    """For each network and output a row a fit and a column a vertex, each row divided by its mean."""
    fit = [*FIT, DRAW] if DRAW in importance else FIT
    twice = importance[importance.duplicated([*KEYS, *fit, "node"])]
    if len(twice):
        raise DataError(
            f"expected each vertex once in a fit, but {quoted(sorted(set(twice['node'])))} of the {what} importances "
            f"stand twice; add a column {DRAW!r} that tells the fits apart",
            names=sorted(set(twice["node"])),
        )
    wrong = importance[~(np.isfinite(importance["score"].to_numpy(dtype=np.float64)) & (importance["score"] >= 0))]
    if len(wrong):
        raise DataError(
            f"expected {what} scores of 0 or more, got others for {quoted(sorted(set(wrong['node'])))}; "
            "give the column score of node_importance",
            names=sorted(set(wrong["node"])),
        )
    found = {}
    for key, rows in importance.groupby(KEYS, sort=False):
        scores = rows.pivot(index=fit, columns="node", values="score").sort_index(axis=1)
        mean = scores.mean(axis=1)
        found[key] = scores[mean > 0].div(mean[mean > 0], axis=0)
    return found


def _compared(key: tuple[str, str], observed: pd.DataFrame, control: pd.DataFrame) -> pd.DataFrame:
    if list(observed.columns) != list(control.columns):
        odd = sorted({*observed.columns} ^ {*control.columns})
        raise MismatchError(
            f"expected the same vertices in both tables, but {quoted(odd)} of {key[0]!r} stand in one only; "
            "score fits of the same network",
            expected=tuple(observed.columns),
            got=tuple(control.columns),
        )
    if observed.isna().any(axis=None) or control.isna().any(axis=None):
        raise MismatchError(f"expected every vertex of {key[0]!r} in every fit, got gaps; score fits of one network")
    n_nodes = observed.shape[1]
    seen, expected = observed.to_numpy(dtype=np.float64), _by_draw(control)
    means = [table.mean(axis=0) if len(table) else np.full(n_nodes, np.nan) for table in (seen, expected)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = means[0] / means[1]
        log2_ratio = np.log2(ratio)
    p = _p_values(means[0], expected)
    q = np.full(n_nodes, np.nan)
    known = np.isfinite(p)
    if known.any():
        q[known] = stats.false_discovery_control(p[known])
    columns = dict(zip(_COLUMNS, (*means, ratio, log2_ratio, p, q), strict=True))
    frame = pd.DataFrame({"network": key[0], "output": key[1], "node": observed.columns, **columns})
    return frame.sort_values(["p", "ratio", "node"], ascending=[True, False, True], kind="stable")


def _by_draw(control: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Mean shares of each draw, shape (n_draws, n_nodes)."""
    draw = control.index.get_level_values(DRAW if DRAW in control.index.names else "seed")
    return control.groupby(draw, sort=True).mean().to_numpy(dtype=np.float64)


def _p_values(seen: npt.NDArray[np.float64], draws: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Of each vertex: one further observation of the law of its draws, on the scale of logarithms."""
    n_draws = len(draws)
    if n_draws < LEAST_DRAWS or not np.isfinite(seen).all():
        return np.full(draws.shape[1], np.nan)
    logs, own = np.log(draws + LITTLE), np.log(seen + LITTLE)
    spread, gap = logs.std(axis=0, ddof=1), np.abs(own - logs.mean(axis=0))
    same = np.ptp(draws, axis=0) < 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(gap / (spread * np.sqrt(1 + 1 / n_draws)), n_draws - 1)
    return np.where(same, np.where(gap < 1e-9, 1.0, np.nan), p)
