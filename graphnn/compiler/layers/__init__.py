"""The Keras layers: `EdgeDense` (one weight an edge), `MaskedDense` (a masked matrix) and those around the levels.

May import `graphnn.errors`, `graphnn.graph` and the NumPy modules of the compiler. All classes stand at module level
and are registered, so a saved model loads in a process that did not build it; only `keras.ops` and `keras.random`
compute.
"""

from graphnn.compiler.layers.edge import EdgeDense
from graphnn.compiler.layers.masked import MaskedDense
from graphnn.compiler.layers.names import InputDropout, InputNames, Readout
from graphnn.compiler.layers.signs import SignConstraint, SignPenalty

__all__ = ["EdgeDense", "InputDropout", "InputNames", "MaskedDense", "Readout", "SignConstraint", "SignPenalty"]
