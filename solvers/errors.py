"""What can go wrong on purpose in `solvers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class SolverError(Exception):
    """Base of the errors of this package."""


class ProblemError(SolverError, ValueError):
    """The arrays do not describe a problem."""


class UnknownBackend(SolverError, ValueError):
    """A back end, method or option name is not one of ours, or its package is not installed."""


class InfeasibleProblem(SolverError, ValueError):
    """No network does what is asked.

    Attributes:
        inputs: Inputs that cannot be joined to an output.
        outputs: Outputs that cannot be reached from an input.
        reason: Under which rules; "" where there are none.
        edges: Forced edges that cannot be in a network.
        vertices: Forced vertices that cannot be in a network.
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: Sequence[int],
        reason: str = "",
        edges: Sequence[int] = (),
        vertices: Sequence[int] = (),
    ) -> None:
        self.inputs, self.outputs, self.reason = tuple(inputs), tuple(outputs), reason
        self.edges, self.vertices = tuple(edges), tuple(vertices)
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """What cannot be, by vertex and edge index."""
        parts = []
        if self.inputs:
            parts.append(f"{len(self.inputs)} inputs reach no output ({_shown(self.inputs)})")
        if self.outputs:
            parts.append(f"{len(self.outputs)} outputs are reached from no input ({_shown(self.outputs)})")
        if self.edges:
            parts.append(f"forced edges {_shown(self.edges)}")
        if self.vertices:
            parts.append(f"forced vertices {_shown(self.vertices)}")
        return " and ".join(parts or ["no network exists"]) + (f" {self.reason}" if self.reason else "")

    def __reduce__(self) -> tuple[type, tuple[Sequence[int], Sequence[int], str, Sequence[int], Sequence[int]]]:
        return type(self), (self.inputs, self.outputs, self.reason, self.edges, self.vertices)


def _shown(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")


class CertificateError(SolverError, ValueError):
    """A certificate proves nothing: `rule` says what is wrong, `cut` or `node` which part (None: the whole)."""

    def __init__(self, rule: str, message: str, *, cut: int | None = None, node: int | None = None) -> None:
        self.rule, self.reason, self.cut, self.node = rule, message, cut, node
        where = "" if cut is None else f" {cut}"
        where = where if node is None else f" {node}"
        super().__init__(f"{rule}{where}: {message}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _certificate_error, (self.rule, self.reason, self.cut, self.node)


def _certificate_error(rule: str, message: str, cut: int | None, node: int | None) -> CertificateError:
    return CertificateError(rule, message, cut=cut, node=node)
