"""How strongly a gene tells the label, by ranks; for cells that train only, wherever a network is chosen by it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.stats import rankdata

FloatMatrix = npt.NDArray[np.float64]

WIDTH = 512  # columns ranked at a time


def label_association(x: npt.NDArray[np.float32] | sp.csr_array, y: FloatMatrix) -> npt.NDArray[np.float64]:
    """|Spearman's rho| between each gene and the labels, the largest over the labels.

    With a label of two classes this is, up to a factor for ties and for the shares of the classes, |2 ROC-AUC - 1|.

    Args:
        x: Cells, shape (n_cells, n_genes), dense or sparse.
        y: Labels, shape (n_cells, n_outputs).

    Returns:
        Shape (n_genes,), in [0, 1]; 0 for a gene or a label that does not vary.

    Example:
        >>> x = np.array([[1, 5], [2, 5], [3, 5]], dtype=np.float32)
        >>> label_association(x, np.array([[0.0], [1.0], [2.0]])).tolist()
        [1.0, 0.0]
    """
    labels = _standardised(rankdata(y, axis=0))
    columns = x if isinstance(x, np.ndarray) else sp.csc_array(x)
    parts = []
    for at in range(0, x.shape[1], WIDTH):
        some = columns[:, at : at + WIDTH]
        values = some if isinstance(some, np.ndarray) else some.toarray()
        parts.append(_standardised(rankdata(values, axis=0)).T @ labels)
    found = np.abs(np.concatenate(parts)).max(axis=1) if parts else np.zeros(0)
    return np.asarray(np.clip(np.round(found, 12), 0.0, 1.0))


def _standardised(ranks: FloatMatrix) -> FloatMatrix:
    """Columns of mean 0 and length 1; what does not vary stays 0."""
    centred = ranks - ranks.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    return np.asarray(centred / np.where(length > 0, length, 1.0))
