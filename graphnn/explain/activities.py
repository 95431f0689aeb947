"""Values of hidden vertices in cells, with names."""

from __future__ import annotations

import pandas as pd

from graphnn.errors import OptionError, did_you_mean
from graphnn.evaluate.compare import Comparison
from graphnn.evaluate.engine import Fit
from graphnn.explain.passes import Passes


def node_activities(comparison: Comparison, network: str, fit: Fit) -> pd.DataFrame:
    """The value of every hidden vertex in the reported cells of a fit.

    Args:
        comparison: What `compare` returned.
        network: Name of one of its networks, or of a control that has a plan.
        fit: One of `comparison.fits[network]`.

    Returns:
        Barcodes x names of hidden vertices, sorted, float64; with several units the mean of the units of a vertex. It
        is the value behind the activation, which the vertices above read.

    Raises:
        OptionError: There is no such network.
        MismatchError: The fit is that of another network.
    """
    check_network(comparison, network)
    passes = Passes.of(comparison.plans[network], comparison.options, fit.state)
    values = passes.hidden_values(comparison.inputs_of(fit))
    barcodes = pd.Index([comparison.cells.barcodes[row] for row in fit.split.test], name="barcode")
    return pd.DataFrame(values, index=barcodes, columns=list(passes.circuit.hidden)).sort_index(axis=1)


def check_network(comparison: Comparison, network: str) -> None:
    """Refuse a name that is none of a network, or of a control with a plan.

    Raises:
        OptionError: It is not.
    """
    known = tuple(comparison.plans)
    if network not in known:
        hint = did_you_mean([str(network)], known).removeprefix("; ")
        raise OptionError("network", network, f"one of {', '.join(known)}", do=hint)
