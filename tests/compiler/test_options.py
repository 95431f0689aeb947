"""Options: defaults, refusals, dictionary both ways; and the initial draw."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import fields

import numpy as np
import pytest

from graphnn.compiler.initial import SPREAD, dropout_state, initial_kernel, live_glorot
from graphnn.compiler.options import NetworkOptions
from graphnn.errors import OptionError


def test_auto_follows_the_task():
    assert NetworkOptions().output == "sigmoid"
    assert NetworkOptions(task="regression").output == "linear"
    assert NetworkOptions(task="regression", output_activation="relu").output == "relu"
    assert NetworkOptions(task="multiclass").output == "softmax"
    assert NetworkOptions(task="multiclass", output_activation="linear").output == "linear"


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
        {"output_activation": "sigmoid", "task": "multiclass"},
        {"activations": {"h": "tahn"}},
        {"activations": {0: "tanh"}},
        {"activations": {"": "tanh"}},
        {"activations": {True: "tanh"}},
        {"activations": {1.0: "tanh"}},
        {"activations": [("h", "tanh")]},
        {"units": 0},
        {"units": 2.0},
        {"units": True},
        {"input_dropout": 1.0},
        {"adaptive_dropout": 1},
        {"sign_policy": "Hard"},
        {"sign_penalty": -0.1},
        {"sign_penalty": math.inf},
        {"kernel": "sparse"},
        {"dtype": "float16"},
        {"seed": -1},
        {"seed": 1.0},
        {"seed": True},
    ],
)
def test_a_value_out_of_range_is_refused_and_named(wrong):
    with pytest.raises(OptionError) as caught:
        NetworkOptions(**wrong)
    assert caught.value.option in wrong


EVERYTHING = NetworkOptions(
    hidden_activation="tanh",
    output_activation="linear",
    activations={"h": "relu", "2": "elu", 2: "selu", 1: "celu"},
    task="multiclass",
    units=3,
    input_normalization=True,
    input_dropout=0.1,
    dropout=0.2,
    dropout_on="nodes",
    adaptive_dropout=True,
    kernel_l1=0.3,
    kernel_l2=0.4,
    bias_l1=0.5,
    bias_l2=0.6,
    sign_policy="soft",
    sign_penalty=0.7,
    kernel="edge",
    dtype="mixed_bfloat16",
    seed=4,
)


def test_dictionary_both_ways_and_unknown_keys():
    default = NetworkOptions()
    assert all(getattr(EVERYTHING, field.name) != getattr(default, field.name) for field in fields(NetworkOptions))
    again = NetworkOptions.from_dict(json.loads(json.dumps(EVERYTHING.to_dict())))
    assert again == EVERYTHING
    assert list(again.activations) == [1, 2, "2", "h"]  # a level and a vertex that is called so stay apart
    assert hash(again) == hash(EVERYTHING)
    assert copy.deepcopy(EVERYTHING) == EVERYTHING
    assert NetworkOptions.from_dict({}) == default
    with pytest.raises(OptionError, match="kernel_L1"):
        NetworkOptions.from_dict({"kernel_L1": 0.1})


def test_options_keep_a_copy_of_the_activations():
    given = {"h": "relu"}
    options = NetworkOptions(activations=given)
    given["h"] = "elu"
    assert options.activations == {"h": "relu"}


@pytest.mark.parametrize(
    "records",
    [
        {"h": "relu"},
        [["h", "relu"]],
        [{"of": "h"}],
        [{"of": "h", "activation": "relu", "more": 1}],
        [{"of": ["h"], "activation": "relu"}],
        [{"of": "h", "activation": "relu"}, {"of": "h", "activation": "elu"}],
        [{"of": "h", "activation": ["relu"]}],
        None,
    ],
)
def test_records_of_activations_that_are_none_are_refused(records):
    with pytest.raises(OptionError):
        NetworkOptions.from_dict({"activations": records})


def test_initial_kernel_is_positive_and_scaled_by_the_live_fan_in():
    fan_in = np.repeat([1, 4], 20_000)
    kernel = initial_kernel(fan_in, seed=1, level=2)
    relative = kernel * fan_in
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
