"""What interactions say about signs: initial weights, penalty, constraint, and the frame of violations."""

from __future__ import annotations

import numpy as np
import pytest

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import SignConstraint, SignPenalty
from graphnn.compiler.model import compile_network, reset, sign_violations, weights_frame
from graphnn.compiler.options import NetworkOptions
from graphnn.errors import OptionError
from tests.compiler.drawn import cells, everything, randomize


def model_of(policy: str, **options):
    return compile_network(everything(), NetworkOptions(sign_policy=policy, **options))


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("policy", ["initialised", "soft", "hard"])
def test_first_weights_have_the_sign_of_the_interaction_and_the_size_of_the_free_ones(policy, units):
    free, signed = (weights_frame(model_of(p, units=units, seed=4)) for p in ("free", policy))
    assert (free["weight"] > 0).all()
    assert np.array_equal(signed["weight"].abs(), free["weight"])
    assert np.array_equal(np.sign(signed["weight"]), np.where(signed["interaction"] == -1, -1, 1))
    model = model_of(policy, units=units)
    reset(model, 4)
    assert weights_frame(model).equals(signed)


def test_violations_are_counted_by_name():
    model = model_of("free")
    randomize(model, 1)
    frame, wrong = weights_frame(model), sign_violations(model)
    assert list(wrong.columns) == ["source", "target", "interaction", "weight"]
    expected = [row for row in frame.itertuples(index=False) if row.interaction * row.weight < 0]
    assert list(wrong.itertuples(index=False)) == expected
    assert 0 < len(wrong) < len(frame)
    assert len(sign_violations(model_of("initialised"))) == 0
    assert "source_unit" in sign_violations(model_of("free", units=2)).columns


@pytest.mark.parametrize("units", [1, 3])
def test_the_soft_penalty_is_the_sum_over_wrong_signs(units):
    model = model_of("soft", sign_penalty=0.25, kernel_l2=0.5, units=units)
    assert float(sum(model.losses)) == pytest.approx(0.5 * (weights_frame(model)["weight"] ** 2).sum(), rel=1e-5)
    randomize(model, 2)
    frame = weights_frame(model)
    wrong = np.maximum(0, -frame["interaction"] * frame["weight"]).sum()
    assert wrong > 0
    assert float(sum(model.losses)) == pytest.approx(0.25 * wrong + 0.5 * (frame["weight"] ** 2).sum(), rel=1e-5)


def _trained(policy: str, **options):
    """On labels that pull weights against their signs: those of the negated data under the free policy."""
    model = model_of(policy, **options)
    data = cells(4, n_cells=128, seed=3)
    teacher = model_of("initialised")
    labels = (np.asarray(teacher(-data)) > np.median(np.asarray(teacher(-data)), axis=0)).astype(np.float32)
    model.optimizer.learning_rate = 0.05
    model.fit(data, labels, epochs=15, batch_size=32, shuffle=False, verbose=0)
    return model


def test_the_hard_policy_never_leaves_the_sign_and_the_soft_one_less_often():
    free, soft, hard = _trained("initialised"), _trained("soft", sign_penalty=1.0), _trained("hard")
    assert len(sign_violations(hard)) == 0
    assert len(sign_violations(free)) > 0
    worst = [(-wrong["interaction"] * wrong["weight"]).sum() for wrong in map(sign_violations, (free, soft))]
    assert worst[1] < 0.5 * worst[0]
    frame = weights_frame(hard)
    assert (frame["weight"][frame["interaction"] != 0] == 0).any(), "no weight was ever held back"
    free_ones = frame["interaction"] == 0
    assert not np.array_equal(frame["weight"][free_ones], weights_frame(model_of("hard"))["weight"][free_ones])


def test_unknown_interactions_are_not_constrained():
    constraint = SignConstraint([1, 1, -1, -1, 0, 0])
    given = np.array([2.0, -2.0, 2.0, -2.0, 2.0, -2.0], dtype=np.float32)
    np.testing.assert_array_equal(constraint(keras.ops.convert_to_tensor(given)), [2, 0, 0, -2, 2, -2])
    assert float(SignPenalty([1, 1, -1, -1, 0, 0], 0.5)(keras.ops.convert_to_tensor(given))) == 2.0


def test_constraint_and_penalty_are_registered_and_serialisable():
    for held in (SignConstraint([1, 0, -1]), SignPenalty([1, 0, -1], 0.5)):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(held))
        assert type(again) is type(held)
        assert again.get_config() == held.get_config()
    layer = keras.layers.Dense(1, use_bias=False, kernel_constraint=SignConstraint([[1], [-1]]))
    assert isinstance(keras.layers.Dense.from_config(layer.get_config()).kernel_constraint, SignConstraint)
    for wrong in ([2], [0.5], [np.nan]):
        with pytest.raises(OptionError):
            SignConstraint(wrong)


def test_a_saved_model_keeps_its_policy(tmp_path):
    model = _trained("hard")
    model.save(tmp_path / "m.keras")
    again = keras.saving.load_model(tmp_path / "m.keras")
    randomize(again, 0)
    assert len(sign_violations(again)) > 0
    again.train_on_batch(cells(4), np.zeros((6, 2), dtype=np.float32))
    assert len(sign_violations(again)) == 0
