"""Attributions of the inputs by integrated gradients, per fit, with names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from graphnn.evaluate.compare import Comparison
from graphnn.evaluate.engine import Fit
from graphnn.explain.circuit import make_circuit
from graphnn.explain.importance import baseline_of, chosen_networks
from graphnn.explain.methods import Means, total_gap
from graphnn.explain.options import ImportanceOptions
from graphnn.explain.passes import Passes
from graphnn.explain.paths import Gap, integrate

METHOD = (
    "integrated gradients of the input, from a baseline cell to each cell of the reported fold; over all inputs they "
    "sum to the output of the cell minus that of the baseline"
)
_CELLS = 256  # at a time: attributions are as wide as the data
_COLUMNS = ["input", "network", "output", "fold", "seed", "score", "signed", "gap", "steps"]


def input_attributions(
    comparison: Comparison,
    *,
    networks: Sequence[str] | None = None,
    options: ImportanceOptions | None = None,
) -> pd.DataFrame:
    """Attribute the outputs to the inputs, in every fit.

    The attribution of an input for a cell x is (x - b) times the mean derivative along the straight line from the
    baseline b to x. Completeness: over all inputs attributions sum to F(x) - F(b). It holds up to the quadrature,
    whose steps are doubled until the gap of each part of the cells is below `options.tolerance`. The default baseline,
    scaled inputs that are all 0, is the mean training cell where inputs are standardised.

    Args:
        comparison: What `compare` returned.
        networks: Names of networks, None: all; each once, in the order of the comparison.
        options: Its `of`, `over`, `baseline` and `tolerance`; None: the defaults.

    Returns:
        input, network, output, fold, seed, score (mean over the reported cells of |attribution|, or as `options.over`
        says), signed (mean attribution), gap (sum over cells of |sum of attributions - (F(x) - F(b))| divided by
        sum over cells of |F(x) - F(b)|, of the fit and output; above the tolerance only if 512 steps did not reach
        it), steps (the most that any part took); sorted by network, output, seed, fold, input.

    Raises:
        OptionError: There is no such network.
        UnknownNodeError: `options.baseline` names what is no input.

    Reference:
        M. Sundararajan, A. Taly, Q. Yan, "Axiomatic attribution for deep networks", ICML (2017), arXiv:1703.01365.
    """
    options = options or ImportanceOptions()
    frames: list[pd.DataFrame] = []
    chosen = chosen_networks(comparison, networks)
    for name in chosen:
        circuit = make_circuit(comparison.plans[name], comparison.options)
        for fit in comparison.fits[name]:
            frames.append(_frame(comparison, name, fit, Passes(circuit, circuit.fill(fit.state)), options))
    frame = pd.concat(frames or [pd.DataFrame(columns=_COLUMNS)], ignore_index=True)
    place = {name: position for position, name in enumerate(chosen)}
    order = frame.assign(place=frame["network"].map(place))
    return order.sort_values(["place", "output", "seed", "fold", "input"])[_COLUMNS].reset_index(drop=True)


def _frame(comparison: Comparison, network: str, fit: Fit, passes: Passes, options: ImportanceOptions) -> pd.DataFrame:
    plan, x = passes.circuit.plan, comparison.inputs_of(fit)
    baseline = baseline_of(fit, x, plan.inputs, options)
    start = passes.from_data(baseline[None])
    means, gaps = Means(len(plan.outputs), len(plan.inputs), len(x)), []
    for first in range(0, len(x), _CELLS):
        part = x[first : first + _CELLS].astype(np.float64)
        path = integrate(passes, passes.from_data(part), start=start, of=options.of, tolerance=options.tolerance)
        missed, moved = np.zeros(len(plan.outputs)), path.gap.moved
        away = (part - baseline).T
        for output, by_sum in enumerate(path.by_sum):
            attributions = passes.to_data(by_sum) * away
            means.add(output, attributions)
            missed[output] = np.abs(attributions.sum(axis=0) - path.moved[output]).sum()
        gaps.append(Gap(missed, moved, path.gap.steps))
    effects, gap = means.done(), total_gap(gaps)
    n_inputs, n_outputs = len(plan.inputs), len(plan.outputs)
    return pd.DataFrame(
        {
            "input": np.array(plan.inputs * n_outputs, dtype=object),
            "network": network,
            "output": np.repeat(np.array(plan.outputs, dtype=object), n_inputs),
            "fold": fit.split.fold,
            "seed": fit.split.seed,
            "score": effects.score(options.over).ravel(),
            "signed": effects.signed.ravel(),
            "gap": np.repeat(gap.share, n_inputs),
            "steps": gap.steps,
        }
    )
