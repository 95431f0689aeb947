"""`Passes`: what a trained network computes, and its derivatives, in NumPy and SciPy; no compilation.

May import `graphnn.explain.circuit` and the NumPy modules of `graphnn.compiler`; no Keras, no JAX. Units stand first
and cells second. Nothing is dropped: it is the network that predicts. It computes in float64, whatever the model was
trained in; a model in half precision therefore predicts otherwise by what its rounding costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from graphnn.compiler.options import NetworkOptions, check_choice
from graphnn.compiler.plan import LayerPlan
from graphnn.errors import MismatchError
from graphnn.explain.activations import ACTIVATIONS
from graphnn.explain.circuit import Circuit, Floats, Weights, make_circuit

OF = ("prediction", "logit")
_CELLS = 128  # transposed at a time: what fits in the cache


class Run(NamedTuple):
    """One forward pass.

    Attributes:
        sums: Of each unit before its activation, shape (n_units, n_cells).
        values: Of each unit, the same shape.
    """

    sums: Floats
    values: Floats


class Slopes(NamedTuple):
    """One reverse pass, of one output.

    Attributes:
        by_value: d output / d value of each unit, with everything above it recomputed, shape (n_units, n_cells).
        by_sum: d output / d sum of each unit, the same shape.
    """

    by_value: Floats
    by_sum: Floats


@dataclass(frozen=True, eq=False)
class Passes:
    """A network with the weights of one fit.

    Attributes:
        circuit: The network, unit by unit.
        weights: Of the fit.
    """

    circuit: Circuit
    weights: Weights

    @classmethod
    def of(
        cls,
        plan: LayerPlan,
        options: NetworkOptions,
        state: tuple[Any, Any],
        *,
        dtype: npt.DTypeLike = np.float64,
    ) -> Passes:
        """The passes of one fit; for several fits of a network make its circuit once, and `Passes(circuit, weights)`.

        Args:
            plan: Of the network.
            options: With which it was compiled.
            state: Values of the model's trainable and other variables.
            dtype: What is computed in.

        Raises:
            MismatchError: The state is that of another model.

        Example:
            >>> from graphnn.compiler.plan import plan_layers
            >>> from graphnn.extract.dag import Dag
            >>> from graphnn.graph.prior import PriorGraph
            >>> g = PriorGraph.from_sif_tuples([("a", 1, "h"), ("h", 1, "y")])
            >>> plan = plan_layers(Dag.from_graph(g, ["a"], ["y"]))
            >>> state = ([[2.0], [0.0], [3.0], [0.0]], [])
            >>> passes = Passes.of(plan, NetworkOptions(output_activation="linear"), state)
            >>> run = passes.forward(passes.from_data(np.array([[1.0]])))
            >>> passes.read(run).tolist(), passes.reverse(run, output=0).by_value.tolist()
            ([[6.0]], [[3.0], [1.0]])
        """
        circuit = make_circuit(plan, options)
        return cls(circuit, circuit.fill(state, dtype))

    def from_data(self, x: npt.NDArray[Any]) -> Floats:
        """What data, biases and measurements bring to each unit: the part of its sum that no other unit changes.

        Args:
            x: Cells as the model gets them, shape (n_cells, n_inputs), columns in the plan's order.

        Returns:
            Shape (n_units, n_cells).

        Raises:
            MismatchError: The number of columns is not that of the inputs.
        """
        n_inputs, weights = len(self.circuit.plan.inputs), self.weights
        if x.ndim != 2 or x.shape[1] != n_inputs:
            raise MismatchError(
                f"expected cells of shape (n_cells, {n_inputs:,}), got {x.shape}; align them to the plan's inputs",
                expected=n_inputs,
                got=x.shape,
            )
        found = np.empty((self.circuit.n_units, len(x)), dtype=weights.bias.dtype)
        for start in range(0, len(x), _CELLS):
            rows = x[start : start + _CELLS].T.astype(weights.bias.dtype, order="C")
            if self.circuit.is_normalised:
                rows = (rows - weights.mean[:, None]) * weights.factor[:, None]
            arrived = weights.data @ rows + weights.bias[:, None]
            arrived[self.circuit.fed_units] += rows[self.circuit.fed_columns]
            found[:, start : start + _CELLS] = arrived
        return found

    def forward(self, base: Floats) -> Run:
        """Compute all units.

        Args:
            base: What `from_data` gives.
        """
        run = Run(np.empty_like(base), np.empty_like(base))
        self.advance(run, base)
        return run

    def advance(self, run: Run, base: Floats, *, above: int = 0) -> None:
        """Compute the units of all levels above one anew, in place; the others are read as they stand.

        Args:
            run: Is overwritten above the level.
            base: What `from_data` gives.
            above: Number of the level; 0: all are computed.
        """
        for layer, kernel in zip(self.circuit.layers[above:], self.weights.between[above:], strict=True):
            sums, values = run.sums[layer.units], run.values[layer.units]
            if kernel is None:
                sums[...] = base[layer.units]
            else:
                np.add(kernel @ run.values[: layer.units.start], base[layer.units], out=sums)
            values[...] = sums
            for name, rows in layer.activations:
                if name != "linear":
                    values[rows] = ACTIVATIONS[name].value(sums[rows])

    def read(self, run: Run, of: str = "prediction") -> Floats:
        """The outputs.

        Args:
            run: A forward pass.
            of: "prediction": what the model puts out; "logit": the sum into each output, before its activation or the
                softmax.

        Returns:
            Shape (n_outputs, n_cells).

        Raises:
            OptionError: `of` is something else.
        """
        check_choice("of", of, OF)
        units = self.circuit.output_units
        if of == "logit":
            return run.sums[units]
        found = run.values[units]
        return softmax(found, axis=0) if self.circuit.is_softmax else found

    def bends(self, run: Run) -> Floats:
        """Slope of each unit's activation, shape (n_units, n_cells)."""
        found = np.ones_like(run.values)
        for layer in self.circuit.layers:
            sums, values, part = run.sums[layer.units], run.values[layer.units], found[layer.units]
            for name, rows in layer.activations:
                if name != "linear":
                    part[rows] = ACTIVATIONS[name].slope(sums[rows], values[rows])
        return found

    def reverse(self, run: Run, *, output: int, of: str = "prediction", bends: Floats | None = None) -> Slopes:
        """Differentiate one output by the value and by the sum of every unit at once.

        For a small epsilon the derivative by a value is the difference quotient that the KPNN paper takes vertex by
        vertex, at the price of one pass instead of two for each vertex.

        Args:
            run: A forward pass.
            output: Which output, its position in `plan.outputs`.
            of: As for `read`. The derivative of a logit by the value of its own unit is what flows through others.
            bends: What the method of that name gives, where it is known already.

        Raises:
            OptionError: `of` is something else.

        Reference:
            N. Fortelny, C. Bock, "Knowledge-primed neural networks enable biologically interpretable deep learning on
            single-cell sequencing data", Genome Biology 21 (2020) 190, doi:10.1186/s13059-020-02100-5.
        """
        check_choice("of", of, OF)
        bends = self.bends(run) if bends is None else bends
        circuit, by_value, by_sum = self.circuit, np.zeros_like(run.values), np.zeros_like(run.values)
        unit, levels = circuit.output_units[output], circuit.level_of_outputs
        highest = int(levels[output])
        if of == "prediction" and circuit.is_softmax:
            share = softmax(run.values[circuit.output_units], axis=0)
            by_value[circuit.output_units] = -share * share[output]
            by_value[unit] += share[output]
            highest = int(levels.max())
        elif of == "prediction":
            by_value[unit] = 1.0
        else:
            by_sum[unit] = 1.0
        for layer, back in zip(circuit.layers[:highest][::-1], self._back[:highest][::-1], strict=True):
            slope = by_sum[layer.units]
            slope += by_value[layer.units] * bends[layer.units]
            if back is not None:
                by_value[: layer.units.start] += back @ slope
        return Slopes(by_value, by_sum)

    def along(self, change: Floats, bends: Floats) -> Run:
        """How sums and values move when the cells do: the forward pass of derivatives.

        Args:
            change: How what the data bring moves, shape (n_units, n_cells).
            bends: What the method of that name gives, where the cells are.
        """
        moved = Run(np.empty_like(change), np.empty_like(change))
        for layer, kernel in zip(self.circuit.layers, self.weights.between, strict=True):
            sums = moved.sums[layer.units]
            sums[...] = change[layer.units]
            if kernel is not None:
                sums += kernel @ moved.values[: layer.units.start]
            np.multiply(sums, bends[layer.units], out=moved.values[layer.units])
        return moved

    def read_along(self, run: Run, moved: Run, of: str = "prediction") -> Floats:
        """How the outputs move with `moved`, shape (n_outputs, n_cells); `of` as for `read`."""
        units = self.circuit.output_units
        if of == "logit":
            return moved.sums[units]
        found = moved.values[units]
        if not self.circuit.is_softmax:
            return found
        share = softmax(run.values[units], axis=0)
        return share * (found - (share * found).sum(axis=0))

    def to_data(self, by_sum: Floats) -> Floats:
        """From derivatives by the sums of units to derivatives by the inputs, shape (n_inputs, n_cells).

        An input that nothing reads has 0.
        """
        found = self.weights.data.T @ by_sum
        found[self.circuit.fed_columns] += by_sum[self.circuit.fed_units]
        return found * self.weights.factor[:, None]

    @cached_property
    def _back(self) -> tuple[Any, ...]:
        return tuple(None if kernel is None else kernel.T for kernel in self.weights.between)

    def hidden_values(self, x: npt.NDArray[Any]) -> Floats:
        """Value of every hidden vertex, the mean of its units.

        Args:
            x: As for `from_data`.

        Returns:
            Shape (n_cells, n_hidden), columns in the order of `circuit.hidden`.
        """
        run = self.forward(self.from_data(x))
        return self.circuit.by_vertex(run.values).T / self.circuit.units
