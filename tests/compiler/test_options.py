"""Options: defaults, refusals, dictionary both ways; and the initial draw."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphnn.compiler.initial import SPREAD, dropout_state, initial_kernel, live_glorot
from graphnn.compiler.options import NetworkOptions
from graphnn.errors import OptionError


def test_auto_follows_the_task():
    assert NetworkOptions().output == "sigmoid"
    assert NetworkOptions(task="regression").output == "linear"
    assert NetworkOptions(task="regression", output_activation="relu").output == "relu"


@pytest.mark.parametrize(
    "wrong",
    [
        {"task": "Binary"},
        {"hidden_activation": "tahn"},
        {"hidden_activation": "softmax"},
        {"output_activation": "relu"},
        {"output_activation": "softmax", "task": "regression"},
        {"input_normalization": 1},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"dropout": True},
        {"dropout": math.nan},
        {"dropout_on": "genes"},
        {"kernel_l1": -1.0},
        {"kernel_l2": math.inf},
        {"bias_l1": "0.1"},
        {"bias_l2": math.nan},
        {"seed": -1},
        {"seed": 1.0},
        {"seed": True},
    ],
)
def test_a_value_out_of_range_is_refused_and_named(wrong):
    with pytest.raises(OptionError) as caught:
        NetworkOptions(**wrong)
    assert caught.value.option in wrong


def test_dictionary_both_ways_and_unknown_keys():
    options = NetworkOptions(dropout=0.2, dropout_on="nodes", bias_l1=0.1, seed=4)
    assert NetworkOptions.from_dict(options.to_dict()) == options
    assert NetworkOptions.from_dict({}) == NetworkOptions()
    with pytest.raises(OptionError, match="kernel_L1"):
        NetworkOptions.from_dict({"kernel_L1": 0.1})


def test_initial_kernel_is_positive_and_scaled_by_the_live_fan_in():
    fan_in = np.repeat([1, 4], 20_000)
    kernel = initial_kernel(fan_in, seed=1, level=2)
    relative = kernel * np.sqrt(fan_in)
    assert (np.abs(relative - 1) <= SPREAD + 1e-6).all()
    assert relative.mean() == pytest.approx(1, rel=0.01)
    assert relative.std() == pytest.approx(SPREAD / math.sqrt(3), rel=0.02)
    assert kernel.dtype == np.float32
    assert np.array_equal(kernel, initial_kernel(fan_in, seed=1, level=2))
    assert not np.array_equal(kernel, initial_kernel(fan_in, seed=2, level=2))
    assert not np.array_equal(kernel, initial_kernel(fan_in, seed=1, level=3))


def test_live_glorot_is_uniform_within_live_fans():
    kernel = live_glorot(np.full(20_000, 3), np.full(20_000, 9), seed=1)
    limit = math.sqrt(6 / 12)
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / math.sqrt(3), rel=0.02)
    assert np.array_equal(kernel, live_glorot(np.full(20_000, 3), np.full(20_000, 9), seed=1))


def test_dropout_states_differ_between_levels_and_seeds_and_fit_a_signed_integer():
    states = {int(dropout_state(seed=seed, level=level)[0]) for seed in range(20) for level in range(1, 8)}
    assert len(states) == 140
    assert max(states) < 2**31
