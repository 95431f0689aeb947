"""`NetworkOptions`: how a network computes and what is punished or dropped. May import `graphnn.errors` only."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from graphnn.errors import OptionError, quoted

TASKS = ("binary", "multiclass", "regression")
DROPOUT_ON = ("edges", "nodes")
SIGN_POLICIES = ("free", "initialised", "soft", "hard")
KERNELS = ("auto", "edge", "dense")
DTYPES = ("auto", "float32", "mixed_float16", "mixed_bfloat16")
# Elementwise ones only: a softmax would mix vertices that the prior knowledge keeps apart.
ACTIVATIONS = (
    "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
)  # fmt: skip
# Sigmoid and softmax predict probabilities; linear predicts logits, and the loss knows it. The first is "auto".
_OUTPUTS = {"binary": ("sigmoid", "linear"), "multiclass": ("softmax", "linear"), "regression": ("linear",)}


@dataclass(frozen=True)
class NetworkOptions:
    """Options of `compile_network`.

    Attributes:
        hidden_activation: One of `ACTIVATIONS`.
        output_activation: "auto": sigmoid for "binary", softmax for "multiclass", linear for "regression". Or linear
            (logits) for the first two, and any of `ACTIVATIONS` for "regression".
        activations: Exceptions to `hidden_activation`, by name of a hidden vertex or by number of a level (from 1);
            where both are given, the name wins. `compile_network` refuses those that the network does not have.
        task: "binary": each output is a yes or no of its own, so several outputs are multi-label;
            "multiclass": each cell is of one class and each output stands for a class;
            "regression": each output is a number, with squared error.
        units: Columns of each hidden vertex. An edge has a weight for each pair of units of its ends; inputs and
            outputs have one unit.
        input_normalization: Batch normalisation of the data, without centre and scale, as a part of the model.
        input_dropout: Fraction of the input values that is dropped in training (set to 0 behind the normalisation, the
            others divided by 1 - input_dropout), each for all its targets at once, in [0, 1).
        dropout: Fraction that is dropped in training further up, in [0, 1).
        dropout_on: "edges": each edge input of a unit separately, at units with at least two inputs;
            "nodes": the value of each unit of a hidden vertex, for all its targets at once.
        adaptive_dropout: Drop less where little arrives; see `graphnn.compiler.dropout.adapted`.
        kernel_l1: Weight of the sum of absolute edge weights in the loss.
        kernel_l2: Weight of the sum of squared edge weights.
        bias_l1: Weight of the sum of absolute biases.
        bias_l2: Weight of the sum of squared biases.
        sign_policy: What an interaction of 1 or -1 means for the weight. "free": nothing; "initialised": its first
            value has that sign; "soft": that, and the wrong sign is punished; "hard": that, and a step that would
            give it the wrong sign leaves 0. An interaction of 0 means nothing under any policy.
        sign_penalty: Under "soft": weight of the sum of max(0, -interaction * weight) over all edges in the loss.
        kernel: How a layer computes: "edge", "dense", or "auto", which takes the faster one. The results are the same.
        dtype: "auto": the policy of Keras (`keras.config.set_dtype_policy`); or "float32", "mixed_float16",
            "mixed_bfloat16". Under mixed precision the data, the outputs and all weights are float32.
        seed: Of the initial weights and of dropout.

    Raises:
        OptionError: A value is out of its range.

    Example:
        >>> NetworkOptions(task="regression", output_activation="softplus").output
        'softplus'
    """

    hidden_activation: str = "elu"
    output_activation: str = "auto"
    activations: Mapping[str | int, str] = field(default_factory=dict, hash=False)
    task: str = "binary"
    units: int = 1
    input_normalization: bool = False
    input_dropout: float = 0.0
    dropout: float = 0.0
    dropout_on: str = "edges"
    adaptive_dropout: bool = False
    kernel_l1: float = 0.0
    kernel_l2: float = 0.0
    bias_l1: float = 0.0
    bias_l2: float = 0.0
    sign_policy: str = "free"
    sign_penalty: float = 0.01
    kernel: str = "auto"
    dtype: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            check_choice(name, getattr(self, name), choices)
        outputs = _OUTPUTS[self.task] if self.task != "regression" else ACTIVATIONS
        check_choice("output_activation", self.output_activation, ("auto", *outputs))
        object.__setattr__(self, "activations", _exceptions(self.activations))
        for name in ("input_normalization", "adaptive_dropout"):
            if not isinstance(getattr(self, name), bool):
                raise OptionError(name, getattr(self, name), "True or False")
        for name in ("kernel_l1", "kernel_l2", "bias_l1", "bias_l2", "sign_penalty"):
            check_number(name, getattr(self, name), below=math.inf, expected="a finite number, 0 or more")
        for name in ("input_dropout", "dropout"):
            check_number(name, getattr(self, name), below=1.0, expected="a fraction in [0, 1)")
        check_units(self.units)
        check_seed(self.seed)

    @property
    def output(self) -> str:
        """The activation of the outputs, "auto" resolved."""
        return self.output_activation if self.output_activation != "auto" else _OUTPUTS[self.task][0]

    def to_dict(self) -> dict[str, Any]:
        """All options, as JSON types; `activations` as a list of records {"of": name or level, "activation": name}."""
        exceptions = [{"of": of, "activation": activation} for of, activation in self.activations.items()]
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"activations": exceptions}

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
        return cls(**{**data, "activations": _from_records(data.get("activations", []))})


_CHOICES = {
    "task": TASKS,
    "hidden_activation": ACTIVATIONS,
    "dropout_on": DROPOUT_ON,
    "sign_policy": SIGN_POLICIES,
    "kernel": KERNELS,
    "dtype": DTYPES,
}


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


def check_units(units: object) -> None:
    """Refuse what is no number of units.

    Raises:
        OptionError: It is no whole number, or below 1.
    """
    if isinstance(units, bool) or not isinstance(units, int) or units < 1:
        raise OptionError("units", units, "a whole number, 1 or more")


def check_choice(option: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of the choices.

    Raises:
        OptionError: It is not.
    """
    if value not in choices:
        raise OptionError(option, value, f"one of {', '.join(choices)}")


def _exceptions(given: object) -> dict[str | int, str]:
    """A checked copy in one order: levels by number, then vertices by name."""
    expected = 'a mapping such as {"TP53": "tanh", 2: "relu"}: names of vertices or numbers of levels, from 1'
    if not isinstance(given, Mapping):
        raise OptionError("activations", given, expected)
    for of, activation in given.items():
        if not of or isinstance(of, bool) or not isinstance(of, (str, int)) or (isinstance(of, int) and of < 1):
            raise OptionError("activations", of, expected)
        check_choice("activations", activation, ACTIVATIONS)
    return {of: given[of] for of in sorted(given, key=lambda of: (isinstance(of, str), of))}


def _from_records(records: Any) -> dict[str | int, str]:
    found: dict[str | int, str] = {}
    for record in records if isinstance(records, (list, tuple)) else [records]:
        known = isinstance(record, Mapping) and set(record) == {"of", "activation"}
        of = record["of"] if known else None
        if not isinstance(of, (str, int)) or of in found:
            expected = 'a list of {"of": name or level, "activation": name}, each vertex and level once'
            raise OptionError("activations", record, expected)
        found[of] = record["activation"]
    return found
