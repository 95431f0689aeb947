"""What can go wrong on purpose in `solvers`."""

from __future__ import annotations

from collections.abc import Sequence


class SolverError(Exception):
    """Base of the errors of this package."""


class ProblemError(SolverError, ValueError):
    """The arrays do not describe a problem."""


class UnknownBackend(SolverError, ValueError):
    """A back end, method or option name is not one of ours, or its package is not installed."""


class InfeasibleProblem(SolverError, ValueError):
    """No set of edges covers everything: `inputs` reach no output, or `outputs` are reached from no input."""

    def __init__(self, inputs: Sequence[int], outputs: Sequence[int]) -> None:
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        super().__init__(
            f"{len(self.inputs)} inputs reach no output and {len(self.outputs)} outputs are reached from no input"
        )

    def __reduce__(self) -> tuple[type, tuple[tuple[int, ...], tuple[int, ...]]]:
        return type(self), (self.inputs, self.outputs)
