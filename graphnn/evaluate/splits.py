"""Who trains, who stops the training early, who is reported: row indices, drawn once and shared by all networks."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold, train_test_split

from graphnn.errors import DataError
from graphnn.evaluate.options import check_protocol, check_whole

IntVector = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """One split of the cells.

    Attributes:
        seed: Of the repeat it belongs to.
        fold: Which fold of the repeat is reported, from 0.
        train: Rows that set the weights and the scaling.
        validation: Rows that early stopping watches.
        test: Rows that are reported. Disjoint from `train`; under "nested" from `validation` too.
    """

    seed: int
    fold: int
    train: IntVector
    validation: IntVector
    test: IntVector


def make_splits(
    labels: npt.NDArray[np.float64],
    *,
    folds: int,
    seeds: int,
    seed: int,
    protocol: str,
    validation_fraction: float,
    stratify: bool,
    groups: IntVector | None = None,
) -> tuple[Split, ...]:
    """Repeated (stratified) k-fold splits with an inner validation part.

    Under "nested" the validation rows come out of the training part, so the reported fold chooses nothing. Under
    "tutorial" the reported fold itself is watched, which is optimistic. With groups none of them stands in two parts;
    shares of classes and sizes of folds are then kept as far as the groups allow.

    Args:
        labels: Shape (n_cells, n_outputs).
        folds: Number of folds, at least 2.
        seeds: Number of repeats, each with a seed of its own: seed, seed + 1, ...
        seed: The first of them.
        protocol: "nested" or "tutorial".
        validation_fraction: Part of the training rows, under "nested".
        stratify: Keep the share of each class (of each combination of labels where there are several outputs).
        groups: Number of each cell's group, shape (n_cells,); None: every cell stands for itself.

    Raises:
        OptionError: An option is out of its range.
        DataError: There are fewer cells, fewer cells of a class, or fewer groups than folds, or a fold leaves no two
            groups outside it.
    """
    check_protocol(folds=folds, seeds=seeds, seed=seed, protocol=protocol)
    if len(labels) < folds:
        raise DataError(f"expected at least {folds} cells for {folds} folds, got {len(labels)}; use fewer folds")
    strata = strata_of(labels, folds) if stratify else None
    if groups is not None:
        _check_groups(groups, folds, nested=protocol == "nested")
    splits = []
    for repeat in range(seed, seed + seeds):
        for fold, (rest, test) in enumerate(_outer(len(labels), strata, groups, folds=folds, seed=repeat)):
            train, validation = rest, test
            if protocol == "nested" and groups is not None:
                train, validation = _inner_groups(rest, strata, groups, validation_fraction, seed=repeat, fold=fold)
            elif protocol == "nested":
                train, validation = _inner(rest, strata, validation_fraction, seed=repeat, fold=fold)
            splits.append(Split(repeat, fold, np.sort(train), np.sort(validation), np.sort(test)))
    return tuple(splits)


def _outer(
    n_cells: int, strata: IntVector | None, groups: IntVector | None, *, folds: int, seed: int
) -> Iterable[tuple[IntVector, IntVector]]:
    """Rows outside and inside each fold."""
    rows = np.zeros(n_cells)
    if groups is not None:
        cutter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
        return _quietly(cutter.split(rows, np.zeros(n_cells, dtype=np.int64) if strata is None else strata, groups))
    kind = KFold if strata is None else StratifiedKFold
    return kind(n_splits=folds, shuffle=True, random_state=seed).split(rows, strata)


def _check_groups(groups: IntVector, folds: int, *, nested: bool) -> None:
    count, need = len(np.unique(groups)), max(folds, 3) if nested else folds
    if count < need:
        why = f"{folds} folds" if need == folds else "a fold, a part that tells when to stop, and one that trains"
        do = "use fewer folds" if count >= (3 if nested else 2) else "give no groups, or more of them"
        raise DataError(f"expected at least {need} groups for {why}, got {count}; {do}")


def _inner_groups(
    rest: IntVector, strata: IntVector | None, groups: IntVector, fraction: float, *, seed: int, fold: int
) -> tuple[IntVector, IntVector]:
    """Training and validation rows of a fold, whole groups each; about `fraction` of the rows tell when to stop."""
    state = int(np.random.SeedSequence((seed, fold)).generate_state(1)[0])
    own = groups[rest]
    if len(np.unique(own)) < 2:
        raise DataError(
            f"expected at least two groups outside fold {fold}, one to train on and one that tells when to stop, got "
            "one, as all others make up the fold; use more folds, or more groups"
        )
    parts = min(max(2, round(1 / fraction)), len(np.unique(own)))
    cutter = StratifiedGroupKFold(n_splits=parts, shuffle=True, random_state=state)
    classes = np.zeros(len(rest), dtype=np.int64) if strata is None else strata[rest]
    if np.bincount(classes).max() < parts:  # scikit-learn asks for one class of so many
        classes = np.zeros_like(classes)
    cuts = _quietly(cutter.split(own, classes, own))

    def merit(cut: tuple[IntVector, IntVector]) -> tuple[int, float]:
        """Classes that stand in both parts first, then how near the size is to what was asked for."""
        shared = len(np.intersect1d(classes[cut[0]], classes[cut[1]]))
        return shared, -abs(len(cut[1]) / len(rest) - fraction)

    train, validation = max(cuts, key=merit)
    return rest[train], rest[validation]


def _quietly(cuts: Iterable[tuple[IntVector, IntVector]]) -> list[tuple[IntVector, IntVector]]:
    """All cuts, without scikit-learn's warning of classes rarer than folds: `compare` notes what lacks a class."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        return list(cuts)


def hold_out(labels: npt.NDArray[np.float64], *, seed: int, validation_fraction: float, stratify: bool) -> Split:
    """All cells for one model: most of them train, the others tell when to stop.

    There is no test part. `test` holds the validation rows, so figures on it are not those of cells that chose nothing.

    Args:
        labels: Shape (n_cells, n_outputs).
        seed: Of the draw.
        validation_fraction: Part of the rows.
        stratify: Keep the share of each class; with several outputs, of each combination of labels, unless there are
            more combinations than validation rows or one occurs once.

    Raises:
        OptionError: The seed is no whole number in [0, 2**32 - 1).
        DataError: There are too few cells.
    """
    check_whole("seed", seed, least=0, below=2**32 - 1)
    strata = None
    if stratify:
        _, strata, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
        strata = strata.reshape(-1)
        if labels.shape[1] > 1 and (counts.min() < 2 or len(counts) > round(validation_fraction * len(labels))):
            strata = None
    rows = np.arange(len(labels), dtype=np.int64)
    train, validation = _inner(rows, strata, validation_fraction, seed=seed, fold=0)
    return Split(seed, 0, np.sort(train), np.sort(validation), np.sort(validation))


def _inner(
    rest: IntVector, strata: IntVector | None, fraction: float, *, seed: int, fold: int
) -> tuple[IntVector, IntVector]:
    """Training and validation rows of a fold, stratified as far as that goes.

    The only row of a class trains: no network is to learn from one class where there are two.
    """
    state = int(np.random.SeedSequence((seed, fold)).generate_state(1)[0])
    size = max(1, round(fraction * len(rest)))
    lone = np.zeros(0, dtype=np.int64)
    classes = None
    if strata is not None:
        counts = np.bincount(strata[rest])[strata[rest]]
        lone, rest = rest[counts == 1], rest[counts > 1]
        n_classes = len(np.unique(strata[rest]))
        size = max(size, n_classes)
        classes = strata[rest] if len(rest) - size >= n_classes else None
    if len(rest) - size < 1:
        got = len(rest) + len(lone)
        raise DataError(f"expected cells left to train on, got {got} in all outside fold {fold}; use more cells")
    train, validation = train_test_split(rest, test_size=size, random_state=state, stratify=classes)
    return np.concatenate([train, lone]), validation


def strata_of(labels: npt.NDArray[np.float64], folds: int) -> IntVector | None:
    """Class of each cell; None (no strata) for combinations of several labels that are rarer than the folds."""
    _, strata, counts = np.unique(labels, axis=0, return_inverse=True, return_counts=True)
    if labels.shape[1] == 1 and counts.min() < folds:
        raise DataError(
            f"expected at least {folds} cells of each class for {folds} folds, got {counts.min()}; use fewer folds"
        )
    return strata.reshape(-1) if counts.min() >= folds else None
