"""`ImportanceOptions`: how importance is measured. May import `graphnn.errors` and option checks only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphnn.compiler.options import check_choice
from graphnn.errors import OptionError, did_you_mean
from graphnn.explain.passes import OF

OVER = ("mean_absolute", "absolute_mean")
KNOCKOUT_TO = ("mean", "zero")
BASELINES = ("zeros", "mean", "empty")


@dataclass(frozen=True)
class ImportanceOptions:
    """Options of `node_importance` and `input_attributions`.

    Attributes:
        of: "prediction": what the model puts out; "logit": the sum into the output, before its activation or the
            softmax. Where predictions are near 0 or 1 a sigmoid is flat, and the importance of everything vanishes for
            these cells; that of the logit does not.
        over: "mean_absolute": mean over cells of the absolute effect, so that effects of different sign do not cancel;
            "absolute_mean": absolute value of the mean effect, as in the KPNN paper.
        epsilon: How far "numerical" moves a value, > 0.
        knockout_to: What "knockout" sets a value to: its "mean" over the reported cells, or "zero".
        baseline: Where integrated gradients begin. "zeros": scaled inputs that are all 0, which is the mean training
            cell where inputs are standardised, and a cell without counts where they are not; "mean": the mean of the
            reported cells; "empty": a cell of which every measurement is 0 before scaling; or scaled values by name of
            the input, 0 for the others.
        tolerance: Of the completeness gap: integration goes on until it is below, in (0, 1).

    Raises:
        OptionError: A value is out of its range.

    Reference:
        N. Fortelny, C. Bock, Genome Biology 21 (2020) 190, doi:10.1186/s13059-020-02100-5.
    """

    of: str = "prediction"
    over: str = "mean_absolute"
    epsilon: float = 1e-4
    knockout_to: str = "mean"
    baseline: str | Mapping[str, float] = field(default="zeros", hash=False)
    tolerance: float = 0.01

    def __post_init__(self) -> None:
        check_choice("of", self.of, OF)
        check_choice("over", self.over, OVER)
        check_choice("knockout_to", self.knockout_to, KNOCKOUT_TO)
        for name, below in (("epsilon", math.inf), ("tolerance", 1.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < below:
                raise OptionError(name, value, f"a number above 0 and below {below:g}")
        if isinstance(self.baseline, Mapping):
            object.__setattr__(self, "baseline", {name: _number(name, of) for name, of in self.baseline.items()})
        else:
            check_choice("baseline", self.baseline, BASELINES)


def check_method(method: object, known: tuple[str, ...]) -> None:
    """Refuse what is no method, with the nearest name.

    Raises:
        OptionError: It is not.
    """
    if method not in known:
        hint = did_you_mean([str(method)], known).removeprefix("; ")
        raise OptionError("method", method, f"one of {', '.join(known)}", do=hint)


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise OptionError(f"baseline of {name!r}", value, "a finite number")
    return float(value)
