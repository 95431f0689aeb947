"""`NetworkOptions`: how a network computes and what is punished or dropped. May import `graphnn.errors` only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from graphnn.errors import OptionError, quoted

TASKS = ("binary", "regression")
DROPOUT_ON = ("edges", "nodes")
# Elementwise ones only: a softmax would mix vertices that the prior knowledge keeps apart.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
)  # fmt: skip
# Sigmoid predicts probabilities; linear predicts logits, and the loss knows it.
_OUTPUTS_OF_BINARY = ("auto", "sigmoid", "linear")


@dataclass(frozen=True)
class NetworkOptions:
    """Options of `compile_network`.

    Attributes:
        hidden_activation: One of `ACTIVATIONS`.
        output_activation: "auto": sigmoid for "binary", linear for "regression"; or one of `ACTIVATIONS` for
            "regression", and sigmoid or linear (logits) for "binary".
        task: "binary": each output is a yes or no of its own, so several outputs are multi-label;
            "regression": each output is a number, with squared error.
        input_normalization: Batch normalisation of the data, without centre and scale, as a part of the model.
        dropout: Fraction that is dropped in training, in [0, 1).
        dropout_on: "edges": each edge input of a vertex separately, at vertices into which at least two edges lead;
            "nodes": the value of each hidden vertex, for all its targets at once.
        kernel_l1: Weight of the sum of absolute edge weights in the loss.
        kernel_l2: Weight of the sum of squared edge weights.
        bias_l1: Weight of the sum of absolute biases.
        bias_l2: Weight of the sum of squared biases.
        seed: Of the initial weights and of dropout.

    Raises:
        OptionError: A value is out of its range.

    Example:
        >>> NetworkOptions(task="regression", output_activation="softplus").output
        'softplus'
    """

    hidden_activation: str = "elu"
    output_activation: str = "auto"
    task: str = "binary"
    input_normalization: bool = False
    dropout: float = 0.0
    dropout_on: str = "edges"
    kernel_l1: float = 0.0
    kernel_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        _one_of("task", self.task, TASKS)
        _one_of("dropout_on", self.dropout_on, DROPOUT_ON)
        _one_of("hidden_activation", self.hidden_activation, ACTIVATIONS)
        allowed = _OUTPUTS_OF_BINARY if self.task == "binary" else ("auto", *ACTIVATIONS)
        _one_of("output_activation", self.output_activation, allowed)
        if not isinstance(self.input_normalization, bool):
            raise OptionError("input_normalization", self.input_normalization, "True or False")
        for name in ("kernel_l1", "kernel_l2", "bias_l1", "bias_l2"):
            check_number(name, getattr(self, name), below=math.inf, expected="a finite number, 0 or more")
        check_number("dropout", self.dropout, below=1.0, expected="a fraction in [0, 1)")
        check_seed(self.seed)

    @property
    def output(self) -> str:
        """The activation of the outputs, "auto" resolved."""
        if self.output_activation != "auto":
            return self.output_activation
        return "sigmoid" if self.task == "binary" else "linear"

    def to_dict(self) -> dict[str, Any]:
        """All options, as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkOptions:
        """Inverse of `to_dict`; options that are left out keep their default.

        Raises:
            OptionError: An option is unknown or out of its range.
        """
        known = [field.name for field in fields(cls)]
        unknown = [str(name) for name in data if name not in known]
        if unknown:
            raise OptionError("options", quoted(unknown), f"among {', '.join(known)}", do="check the spelling")
        return cls(**data)


def check_number(option: str, value: object, *, below: float, expected: str) -> None:
    """Refuse what is no number in [0, below).

    Raises:
        OptionError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < below:
        raise OptionError(option, value, expected)


def check_seed(seed: object) -> None:
    """Refuse what is no seed.

    Raises:
        OptionError: It is no whole number, or negative.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise OptionError("seed", seed, "a whole number, 0 or more")


def _one_of(option: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise OptionError(option, value, f"one of {', '.join(choices)}")
