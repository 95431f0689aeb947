"""Groups of cells that no split divides: laws of the splits, forms of groups, and a leak that they close."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from graphnn.data.groups import match_groups, read_groups
from graphnn.errors import DataError, FormatError, MissingFileError
from graphnn.evaluate.compare import compare
from graphnn.evaluate.options import TrainingOptions
from tests.evaluate.small import TRAINING, cells, networks, splits_of

FULL, COMPRESSED = networks()


def donors(n_cells: int, n_donors: int, *, seed: int = 0) -> np.ndarray:
    """A donor for each cell, sizes very different."""
    rng = np.random.default_rng(seed)
    return np.concatenate([np.arange(n_donors), rng.choice(n_donors, n_cells - n_donors, p=_shares(n_donors))])


def _shares(count: int) -> np.ndarray:
    return np.arange(1, count + 1) / np.arange(1, count + 1).sum()


# -- splits ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    n_cells=st.integers(40, 120),
    n_donors=st.integers(5, 14),
    folds=st.integers(2, 4),
    seed=st.integers(0, 99),
    fraction=st.sampled_from([0.1, 0.2, 0.5]),
    stratify=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_no_group_stands_in_two_parts_and_every_cell_is_reported_once(
    n_cells, n_donors, folds, seed, fraction, stratify
):
    groups = donors(n_cells, n_donors, seed=seed)
    labels = np.random.default_rng(seed).permutation(np.arange(n_cells) % 2)
    options = {"folds": folds, "seeds": 2, "validation_fraction": fraction, "stratify": stratify, "groups": groups}
    try:
        splits = splits_of(labels, **options)
    except DataError:
        assume(folds > 2)  # with two folds a large group may stand alone, which the next test looks at
        raise
    for split in splits:
        parts = [set(groups[rows]) for rows in (split.train, split.validation, split.test)]
        assert all(parts)
        assert not (parts[0] & parts[1])
        assert not (parts[0] & parts[2])
        assert not (parts[1] & parts[2])
        rows = np.concatenate([split.train, split.validation, split.test])
        assert sorted(rows) == list(range(n_cells))
    for start in (0, folds):
        tested = np.concatenate([split.test for split in splits[start : start + folds]])
        assert sorted(tested) == list(range(n_cells))
    again = splits_of(labels, **options)
    assert all(np.array_equal(a.train, b.train) for a, b in zip(splits, again, strict=True))


def test_a_group_that_is_all_outside_a_fold_is_refused_in_words():
    groups = np.concatenate([np.zeros(60, dtype=np.int64), [1, 1, 2, 2]])
    with pytest.raises(DataError, match=r"two groups outside fold .* use more folds"):
        splits_of(np.arange(64) % 2, folds=2, groups=groups)


def test_the_inner_part_has_both_classes_where_groups_allow():
    """Three donors hold one class only: a part of these alone would tell nothing."""
    groups = np.repeat(np.arange(9), 10)
    labels = np.where(groups < 3, 1, np.arange(90) % 2)
    for split in splits_of(labels, folds=3, seeds=4, groups=groups):
        assert len(np.unique(labels[split.validation])) == 2
        assert len(np.unique(labels[split.train])) == 2


@pytest.mark.parametrize(("protocol", "count"), [("nested", 4), ("tutorial", 2)])
def test_fewer_groups_than_folds_are_refused_with_what_to_do(protocol, count):
    labels, groups = np.arange(60) % 2, np.arange(60) % count
    folds = count + 1
    with pytest.raises(DataError, match=rf"at least {folds} groups for {folds} folds, got {count}; "):
        splits_of(labels, folds=folds, protocol=protocol, groups=groups)
    splits_of(labels, folds=count, protocol=protocol, groups=groups)


def test_two_groups_leave_nothing_to_train_on_beside_a_fold_and_its_inner_part():
    with pytest.raises(DataError, match="at least 3 groups for a fold, a part that tells when to stop"):
        splits_of(np.arange(60) % 2, folds=2, groups=np.arange(60) % 2)


# -- comparisons -----------------------------------------------------------------------------------------------------


def splits_in(comparison) -> list[bytes]:
    return [np.concatenate([fit.split.train, [-1], fit.split.test]).tobytes() for fit in comparison.fits["full"]]


def test_every_form_of_groups_gives_the_same_splits():
    anndata = pytest.importorskip("anndata")
    x, y = cells()
    donor = pd.Series([f"donor {number}" for number in donors(len(x), 7)], index=x.index)
    shuffled = donor.sample(frac=1, random_state=3)
    wider = pd.concat([shuffled, pd.Series({"no such cell": "donor 99"})])
    adata = anndata.AnnData(x, obs=pd.DataFrame({"donor": donor.astype("category")}))
    found = [
        compare(FULL, COMPRESSED, x, y, folds=3, training=TRAINING, groups=groups)
        for groups in (donor, wider, list(donor), donor.to_numpy())
    ]
    found.append(compare(FULL, COMPRESSED, adata, y, folds=3, training=TRAINING, groups="donor"))
    assert len({tuple(splits_in(each)) for each in found}) == 1
    assert {each.n_groups for each in found} == {7}
    plain = compare(FULL, COMPRESSED, x, y, folds=3, training=TRAINING)
    assert plain.n_groups is None
    assert splits_in(plain) != splits_in(found[0])


def test_groups_follow_their_cells_when_some_have_no_label():
    x, y = cells()
    donor = pd.Series(donors(len(x), 6), index=x.index)
    labelled = y.iloc[5:]
    listed, series = (
        compare(FULL, COMPRESSED, x, labelled, folds=3, training=TRAINING, groups=groups)
        for groups in (donor.tolist(), donor)
    )
    assert splits_in(listed) == splits_in(series)


def test_what_only_tells_donors_apart_predicts_no_new_donor():
    """Each donor has one label and values of its own: cells of a known donor are easy, those of a new one are not."""
    rng = np.random.default_rng(5)
    donor = np.repeat(np.arange(24), 12)
    label = rng.permutation(np.arange(24) % 2)[donor]
    values = rng.normal(size=(24, 4))[donor] + 0.05 * rng.normal(size=(len(donor), 4))
    names = [f"cell {number}" for number in range(len(donor))]
    x, y = pd.DataFrame(values, index=names, columns=list("abcd")), pd.Series(label, index=names)
    training = TrainingOptions(epochs=60, patience=60, batch_size=16, learning_rate=0.05)
    auc = {}
    for name, groups in (("cells", None), ("donors", donor)):
        found = compare(FULL, COMPRESSED, x, y, folds=4, training=training, groups=groups)
        auc[name] = found.summary().set_index("metric").loc["roc_auc", "full"]
    assert auc["cells"] > 0.8
    assert auc["donors"] < auc["cells"] - 0.15


# -- reading and matching --------------------------------------------------------------------------------------------


GIVEN = ("c0", "c1", "c2")


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (pd.Series({"c0": "a", "c1": "b"}), r"a group for every cell .* 1 cells \('c2'\) have none"),
        (pd.Series({"c0": "a", "c1": None, "c2": "b"}), r"'c1'"),
        (["a", np.nan, "b"], r"'c1'"),
        (["a", "b"], r"one group for each of 3 cells, got shape \(2,\)"),
        ("donor", r"got the name 'donor'"),
        (pd.Series(["a", "b", "c"], index=["c0", "c0", "c1"]), "'c0' occur several times"),
    ],
)
def test_groups_that_do_not_fit_are_refused_by_name(groups, words):
    with pytest.raises(DataError, match=words):
        match_groups(GIVEN, groups, barcodes=("c0", "c1", "c2"))


def test_numbers_and_text_are_groups_and_their_order_is_that_of_their_text():
    for groups in ([10, 9, 10], ["10", "9", "10"], np.array([10.0, 9.0, 10.0])):
        assert match_groups(GIVEN, groups, barcodes=("c2", "c1")).tolist() == [0, 1]


def test_a_table_of_groups_is_read_and_what_is_none_refused(tmp_path):
    path = tmp_path / "donors.csv"
    path.write_text("barcode,donor\nc1,mother\nc2,NA\n")
    found = read_groups(path)
    assert found.to_dict() == {"c1": "mother", "c2": "NA"}  # no name is taken for a missing value
    for text, words in (
        ("barcode\nc1\n", "two columns"),
        ("barcode,donor,plate\nc1,a,b\n", "columns barcode and group"),
        ("barcode,donor\nc1,\n", "empty entry"),
    ):
        path.write_text(text)
        with pytest.raises(FormatError, match=words):
            read_groups(path)
    with pytest.raises(MissingFileError):
        read_groups(tmp_path / "absent.csv")
