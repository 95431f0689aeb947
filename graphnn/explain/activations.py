"""Activations and their slopes in NumPy, by the names of `NetworkOptions`. May import NumPy and SciPy only.

The law is that of Keras 3. At a kink the slope is that of one side, as in every reverse pass.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr

Floats = npt.NDArray[np.floating]

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al. 2017
_LEAK = 0.2


class Activation(NamedTuple):
    """One activation.

    Attributes:
        value: a(z), the shape of z.
        slope: da/dz from z and a(z).
    """

    value: Callable[[Floats], Floats]
    slope: Callable[[Floats, Floats], Floats]


def _elu(z: Floats) -> Floats:
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def _elu_slope(z: Floats, a: Floats) -> Floats:
    return np.where(z > 0, 1, a + 1)


def _selu_slope(z: Floats, a: Floats) -> Floats:
    return np.where(z > 0, _SELU_SCALE, a + _SELU_SCALE * _SELU_ALPHA)


def _hard_sigmoid(z: Floats) -> Floats:
    return np.clip(z / 6 + 0.5, 0, 1)


def _softplus(z: Floats) -> Floats:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _mish_slope(z: Floats, a: Floats) -> Floats:
    bent = np.tanh(_softplus(z))
    return bent + z * (1 - bent**2) * expit(z)


def _silu_slope(z: Floats, a: Floats) -> Floats:
    gate = expit(z)
    return gate * (1 + z * (1 - gate))


def _gelu_slope(z: Floats, a: Floats) -> Floats:
    return ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


ACTIVATIONS: dict[str, Activation] = {
    "celu": Activation(_elu, _elu_slope),
    "elu": Activation(_elu, _elu_slope),
    "exponential": Activation(np.exp, lambda z, a: a),
    "gelu": Activation(lambda z: z * ndtr(z), _gelu_slope),
    "hard_sigmoid": Activation(_hard_sigmoid, lambda z, a: np.where(np.abs(z) < 3, 1 / 6, 0.0)),
    "hard_silu": Activation(
        lambda z: z * _hard_sigmoid(z), lambda z, a: _hard_sigmoid(z) + np.where(np.abs(z) < 3, z / 6, 0)
    ),
    "hard_tanh": Activation(lambda z: np.clip(z, -1, 1), lambda z, a: np.where(np.abs(z) < 1, 1.0, 0.0)),
    "leaky_relu": Activation(lambda z: np.where(z > 0, z, _LEAK * z), lambda z, a: np.where(z > 0, 1, _LEAK)),
    "linear": Activation(lambda z: z, lambda z, a: np.ones_like(z)),
    "log_sigmoid": Activation(lambda z: -_softplus(-z), lambda z, a: expit(-z)),
    "mish": Activation(lambda z: z * np.tanh(_softplus(z)), _mish_slope),
    "relu": Activation(lambda z: np.maximum(z, 0), lambda z, a: np.where(z > 0, 1.0, 0.0)),
    "relu6": Activation(lambda z: np.clip(z, 0, 6), lambda z, a: np.where((z > 0) & (z < 6), 1.0, 0.0)),
    "selu": Activation(
        lambda z: _SELU_SCALE * np.where(z > 0, z, _SELU_ALPHA * np.expm1(np.minimum(z, 0))), _selu_slope
    ),
    "sigmoid": Activation(expit, lambda z, a: a * (1 - a)),
    "silu": Activation(lambda z: z * expit(z), _silu_slope),
    "softplus": Activation(_softplus, lambda z, a: expit(z)),
    "softsign": Activation(lambda z: z / (1 + np.abs(z)), lambda z, a: 1 / (1 + np.abs(z)) ** 2),
    "tanh": Activation(np.tanh, lambda z, a: 1 - a**2),
}
