"""Importance of hidden vertices, per fit, with names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.errors import UnknownNodeError
from graphnn.evaluate.compare import Comparison
from graphnn.evaluate.engine import Fit
from graphnn.explain import methods
from graphnn.explain.activities import check_network
from graphnn.explain.circuit import make_circuit
from graphnn.explain.options import ImportanceOptions, check_method
from graphnn.explain.passes import Passes

METHODS = {
    "gradient": "mean absolute derivative of the output by the vertex's value, over the cells of the reported fold",
    "numerical": (
        "difference quotient of the output by the vertex's value, moved up and down by a small epsilon with everything "
        "above it recomputed, over the cells of the reported fold"
    ),
    "integrated_gradients": (
        "conductance: the share of the integrated gradients, from a baseline cell to each cell of the reported fold, "
        "that flows through the vertex"
    ),
    "conductance": (
        "conductance: the share of the integrated gradients, from a baseline cell to each cell of the reported fold, "
        "that flows through the vertex"
    ),
    "knockout": (
        "change of the output when the vertex's value is replaced by its mean (or zero), over the cells of the "
        "reported fold"
    ),
    "squared_bias": "squared learnt bias of the vertex; it looks at no cells and at no output",
}

_COLUMNS = ["node", "network", "output", "fold", "seed", "score", "bias"]
_DETAILS = ["signed", "gap", "method"]


def node_importance(
    comparison: Comparison,
    *,
    method: str = "gradient",
    networks: Sequence[str] | None = None,
    options: ImportanceOptions | None = None,
    details: bool = False,
) -> pd.DataFrame:
    """Score every hidden vertex in every fit.

    With the default method the score is the mean, over the cells of the reported fold, of |d output / d value of the
    vertex|: how far the prediction would move if the vertex's activity did. Every method follows topology as well as
    data (a vertex that everything runs through scores high in any data), so compare scores of one vertex between
    conditions rather than vertices, or with `graphnn.explain.corrected.control_importance`.

    - "gradient": exact, by one reverse pass for all vertices.
    - "numerical": what the KPNN paper computes, vertex by vertex. With `over="absolute_mean"` it is the paper's score;
      for a small epsilon it equals "gradient" under the same options, at hundreds of times the price.
    - "conductance": how much of the integrated gradients flows through the vertex, from the baseline to each cell.
      "integrated_gradients" is the same: it is what they are for a vertex that is no input. Those of the inputs are
      `graphnn.explain.attributions.input_attributions`.
    - "knockout": how far the output moves when the vertex's value is its mean over the cells, or zero.
    - "squared_bias": the published tutorial's measure. It looks at no cells and at no output: each output has the same
      scores. Kept to compare with that figure only.

    Args:
        comparison: What `compare` returned.
        method: One of `METHODS`.
        networks: Names of networks, or of controls that have a plan; None: all networks. Each is scored once, in the
            order of the comparison.
        options: How it is measured; None: the defaults. A method ignores what does not concern it.
        details: Whether to add columns: signed (mean effect over cells with its sign: derivative, flow, or change by
            knockout; NaN for "squared_bias"), gap (completeness gap of the integration, of the fit and output; NaN
            where nothing is integrated), and method.

    Returns:
        node, network, output, fold, seed, score, bias; sorted by network, output, seed, fold, node. With several units
        the score is that of all units of a vertex together, and the bias their mean.

    Raises:
        OptionError: There is no such method or network.
        UnknownNodeError: `options.baseline` names what is no input.

    Reference:
        N. Fortelny, C. Bock, "Knowledge-primed neural networks enable biologically interpretable deep learning on
        single-cell sequencing data", Genome Biology 21 (2020) 190, doi:10.1186/s13059-020-02100-5;
        K. Dhamdhere, M. Sundararajan, Q. Yan, "How important is a neuron?", ICLR (2019), arXiv:1805.12233.
    """
    check_method(method, tuple(METHODS))
    options = options or ImportanceOptions()
    frames: list[pd.DataFrame] = []
    chosen = chosen_networks(comparison, networks)
    for name in chosen:
        for fit, ask in questions(comparison, name, options):
            frames.append(_frame(comparison, name, fit, ask, method))
    frame = pd.concat(frames or [pd.DataFrame(columns=[*_COLUMNS, *_DETAILS])], ignore_index=True)
    place = {name: position for position, name in enumerate(chosen)}
    order = frame.assign(place=frame["network"].map(place)).sort_values(["place", "output", "seed", "fold", "node"])
    return order[[*_COLUMNS, *_DETAILS] if details else _COLUMNS].reset_index(drop=True)


def chosen_networks(comparison: Comparison, networks: Sequence[str] | None) -> tuple[str, ...]:
    """The networks asked for, and controls that have a plan, in the order of the comparison; None: all networks.

    Raises:
        OptionError: The comparison has no such network.
    """
    if networks is None:
        return tuple(comparison.networks)
    asked = (networks,) if isinstance(networks, str) else tuple(networks)
    for name in asked:
        check_network(comparison, name)
    return tuple(name for name in comparison.plans if name in asked)


def questions(
    comparison: Comparison, network: str, options: ImportanceOptions
) -> Iterator[tuple[Fit, methods.Question]]:
    """Each fit of a network with what is asked of it.

    Raises:
        UnknownNodeError: `options.baseline` names what is no input.
    """
    circuit = make_circuit(comparison.plans[network], comparison.options)
    for fit in comparison.fits[network]:
        passes, x = Passes(circuit, circuit.fill(fit.state)), comparison.inputs_of(fit)
        start = passes.from_data(baseline_of(fit, x, circuit.plan.inputs, options)[None])
        yield fit, methods.Question(passes, passes.from_data(x), start, options)


def baseline_of(
    fit: Fit, x: npt.NDArray[np.float32], inputs: Sequence[str], options: ImportanceOptions
) -> npt.NDArray[np.float64]:
    """The cell where integrated gradients begin, scaled, shape (n_inputs,).

    Args:
        fit: Whose scaling it is.
        x: Its reported cells, scaled.
        inputs: Names of the columns.
        options: Say which cell.

    Raises:
        UnknownNodeError: The baseline names what is no input.
    """
    found = np.zeros(len(inputs))
    if options.baseline == "mean":
        return x.mean(axis=0, dtype=np.float64)
    if options.baseline == "empty":
        return fit.scaler.transform(np.zeros((1, len(inputs)), dtype=np.float32))[0].astype(np.float64)
    if not isinstance(options.baseline, str):
        place = {name: column for column, name in enumerate(inputs)}
        unknown = [name for name in options.baseline if name not in place]
        if unknown:
            raise UnknownNodeError(unknown, role="inputs of the baseline", do="list the inputs with Dag.inputs")
        for name, value in options.baseline.items():
            found[place[name]] = value
    return found


def _frame(comparison: Comparison, network: str, fit: Fit, ask: methods.Question, method: str) -> pd.DataFrame:
    """Scores of one fit, outputs in the order of the plan."""
    circuit = ask.passes.circuit
    effects = methods.METHODS[method](ask)
    scores, n_hidden = effects.score(ask.options.over), len(circuit.hidden)
    signed = np.full(scores.shape, np.nan) if method == "squared_bias" else effects.signed
    bias = circuit.bias_of_hidden(ask.passes.weights.bias).mean(axis=1)
    n_outputs = len(circuit.plan.outputs)
    return pd.DataFrame(
        {
            "node": np.array(circuit.hidden * n_outputs, dtype=object),
            "network": network,
            "output": np.repeat(np.array(circuit.plan.outputs, dtype=object), n_hidden),
            "fold": fit.split.fold,
            "seed": fit.split.seed,
            "score": scores.ravel(),
            "bias": np.tile(bias, n_outputs),
            "signed": signed.ravel(),
            "gap": np.repeat(effects.gap, n_hidden),
            "method": method,
        }
    )
