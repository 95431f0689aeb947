"""Splits: who trains, who stops, who is reported."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn.errors import DataError, OptionError
from graphnn.evaluate.splits import Split
from tests.evaluate.small import splits_of


def labels_of(n_cells: int, share: float = 0.5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).permutation(np.arange(n_cells) < share * n_cells).astype(float)


def rows_of(split: Split) -> tuple[list[int], list[int], list[int]]:
    return split.train.tolist(), split.validation.tolist(), split.test.tolist()


@settings(max_examples=60, deadline=None)
@given(
    n_cells=st.integers(12, 90),
    folds=st.integers(2, 5),
    share=st.floats(0.42, 0.58),
    fraction=st.floats(0.05, 0.5),
    stratify=st.booleans(),
    protocol=st.sampled_from(["nested", "tutorial"]),
    seed=st.integers(0, 2**31),
)
def test_every_repeat_partitions_the_cells(n_cells, folds, share, fraction, stratify, protocol, seed):
    labels = labels_of(n_cells, share, seed)
    splits = splits_of(
        labels,
        folds=folds,
        seeds=2,
        seed=seed,
        stratify=stratify,
        protocol=protocol,
        validation_fraction=fraction,
    )
    assert [(split.seed, split.fold) for split in splits] == [
        (repeat, fold) for repeat in (seed, seed + 1) for fold in range(folds)
    ]
    for repeat in (seed, seed + 1):
        tested = np.concatenate([split.test for split in splits if split.seed == repeat])
        assert sorted(tested.tolist()) == list(range(n_cells))
    for split in splits:
        train, validation, test = (set(rows) for rows in rows_of(split))
        assert min(len(train), len(validation), len(test)) > 0
        assert all(rows == sorted(set(rows)) for rows in rows_of(split))
        assert not train & test
        assert train | validation | test == set(range(n_cells))
        if protocol == "nested":
            assert not validation & test
            assert not validation & train
        else:
            assert validation == test


def test_validation_takes_its_share_of_the_training_part():
    for split in splits_of(labels_of(100), folds=5, validation_fraction=0.25):
        assert len(split.test) == 20
        assert len(split.validation) == 20
        assert len(split.train) == 60


def test_a_seed_is_a_seed():
    labels = labels_of(60)
    first = [rows_of(split) for split in splits_of(labels, seed=3, seeds=2)]
    assert first == [rows_of(split) for split in splits_of(labels, seed=3, seeds=2)]
    assert first[:3] != first[3:]  # repeats differ
    other = [rows_of(split) for split in splits_of(labels, seed=4, seeds=1)]
    assert other != first[:3]
    assert other == first[3:]  # the second repeat of seed 3 is the first of seed 4


def test_neither_protocol_nor_validation_fraction_moves_the_reported_cells():
    labels = labels_of(60)
    first = [split.test.tolist() for split in splits_of(labels)]
    assert first == [split.test.tolist() for split in splits_of(labels, protocol="tutorial")]
    assert first == [split.test.tolist() for split in splits_of(labels, validation_fraction=0.5)]


def test_drawing_splits_leaves_the_global_generator_alone():
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    splits_of(labels_of(60))
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_strata_keep_the_share_of_each_class_in_all_three_parts(share):
    labels = labels_of(200, share)
    for split in splits_of(labels, folds=5):
        for rows in rows_of(split):
            assert abs(labels[rows].sum() - share * len(rows)) <= 1
            assert 0 < labels[rows].sum() < len(rows)


def test_strata_of_several_labels_are_their_combinations():
    both = np.stack([labels_of(120, 0.5, 1), labels_of(120, 0.25, 2)], axis=1)
    combinations = both @ [1, 2]
    for split in splits_of(both, folds=4):
        for rows in rows_of(split):
            for value in range(4):
                expected = (combinations == value).mean() * len(rows)
                assert abs((combinations[rows] == value).sum() - expected) <= 1.5


def test_rare_combinations_of_labels_fall_back_to_plain_folds():
    both = np.zeros((40, 2))
    both[:20, 0], both[:2, 1] = 1, 1  # the combination (1, 1) has two cells
    splits = splits_of(both, folds=4)
    assert sorted(np.concatenate([split.test for split in splits]).tolist()) == list(range(40))


def test_regression_takes_plain_folds():
    """Every value its own class would raise, were these strata."""
    values = np.random.default_rng(0).normal(size=30)
    splits = splits_of(values, stratify=False, folds=5)
    assert [len(split.test) for split in splits] == [6] * 5
    assert [rows_of(split) for split in splits] == [
        rows_of(split) for split in splits_of(values[::-1], stratify=False, folds=5)
    ]  # labels do not even enter


@pytest.mark.parametrize("protocol", ["nested", "tutorial"])
def test_fewer_cells_than_folds(protocol):
    with pytest.raises(DataError, match="at least 5 cells for 5 folds, got 4"):
        splits_of([0, 1, 0, 1], folds=5, protocol=protocol)
    with pytest.raises(DataError, match="at least 5 cells"):
        splits_of([0.1, 0.2, 0.3, 0.4], folds=5, protocol=protocol, stratify=False)


def test_a_class_rarer_than_the_folds():
    with pytest.raises(DataError, match="at least 5 cells of each class for 5 folds, got 4"):
        splits_of([1] * 4 + [0] * 30, folds=5)


def test_no_cells_left_to_train_on():
    with pytest.raises(DataError, match="train"):
        splits_of([0.0, 1.0], folds=2, stratify=False)


@pytest.mark.parametrize("n_each", [2, 3])
def test_as_few_cells_of_a_class_as_folds_are_enough_or_refused_in_words(n_each):
    labels = [1] * n_each + [0] * 20
    for split in splits_of(labels, folds=n_each):
        assert set(split.test.tolist()) & set(range(n_each))
        assert not {*split.train.tolist(), *split.validation.tolist()} & {*split.test.tolist()}


def test_no_network_trains_on_a_single_class_where_there_are_two():
    """Three cells of a class and two folds: one fold leaves a single one to train on, and it must train.

    Early stopping on one class is poor; training on one class is no training, and nothing would say so.
    """
    labels = np.array([1.0] * 3 + [0.0] * 21)
    for seed in range(20):
        for split in splits_of(labels, folds=2, seed=seed):
            assert set(labels[split.train]) == {0.0, 1.0}, (seed, split.fold)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("folds", value) for value in (1, 0, -3, 2.0, "3", True, None)],
        *[("seeds", value) for value in (0, -1, 1.5, True, None)],
        *[("seed", value) for value in (-1, 0.5, False, None)],
        *[("protocol", value) for value in ("Nested", "", None, "nestd")],
    ],
)
def test_bad_options_are_named(option, value):
    with pytest.raises(OptionError) as caught:
        splits_of(labels_of(30), **{option: value})
    assert caught.value.option == option


def test_a_seed_too_large_for_the_generator_is_refused_as_an_option():
    """scikit-learn takes 32 bits; its own error is no error of graphnn."""
    with pytest.raises(OptionError, match="seed"):
        splits_of(labels_of(30), seed=2**32)
