"""Batches on the device: the same values from sparse and from dense cells, and those of the scaler."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphnn.evaluate.engine.feed import DENSE_FROM, Feed
from graphnn.evaluate.preprocess import fit_scaler


def counts(n_cells=40, n_inputs=70, share=0.1, seed=0):
    """Mostly zeros; cells of very different size, one empty, one full."""
    rng = np.random.default_rng(seed)
    x = rng.random((n_cells, n_inputs)) * (rng.random((n_cells, n_inputs)) < share * rng.lognormal(size=(n_cells, 1)))
    x[0], x[1] = 0, 1 + np.arange(n_inputs)
    return x.astype(np.float32)


def assembled(feed, x, rows, width, scaling="standard"):
    scaler = fit_scaler(x, scaling)
    batches = feed.batches(rows, feed.capacity([rows]))
    scale = (scaler.offset, scaler.factor, np.float32(scaler.limit))
    found = [
        np.asarray(feed.assemble(feed.arrays, {name: part[at] for name, part in batches.items()}, scale, width))
        for at in range(len(rows))
    ]
    return found, scaler


@pytest.mark.parametrize("share", [0.05, 0.9])
@pytest.mark.parametrize("scaling", ["standard", "max", "none"])
@pytest.mark.parametrize("given", [np.asarray, sp.csr_array])
def test_a_batch_holds_the_scaled_values_of_its_cells(share, scaling, given):
    x = counts(share=share)
    feed = Feed(given(x))
    assert feed.is_sparse == (np.count_nonzero(x) < DENSE_FROM * x.size)
    rows = np.array([[0, 1, 5, 6, 7], [8, 1, 1, 39, 0]])
    found, scaler = assembled(feed, x, rows, 5, scaling)
    for batch, values in zip(rows, found, strict=True):
        np.testing.assert_allclose(values, scaler.transform(x[batch]).T, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("share", [0.05, 0.9])
def test_columns_beyond_the_batch_are_cells_of_zeros(share):
    x = counts(share=share)
    rows = np.array([[3, 4, 5]])
    (values,), scaler = assembled(Feed(x), x, rows, 8)
    np.testing.assert_allclose(values[:, :3], scaler.transform(x[rows[0]]).T, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(values[:, 3:], np.repeat(scaler.transform(np.zeros_like(x[:5])).T, 1, axis=1), atol=1e-6)


def test_the_capacity_is_enough_for_the_fullest_batch_and_stays_alike():
    x = counts()
    feed = Feed(x)
    rows = np.array([[0, 2], [1, 1], [3, 4]])
    assert feed.capacity([rows]) >= feed.n_chunks[rows].sum(axis=1).max()
    assert feed.capacity([rows]) == feed.capacity([rows[1:2]])
    assert Feed(np.ones((3, 2), np.float32)).capacity([np.array([[0]])]) == 0


def test_a_scaler_of_sparse_cells_is_that_of_dense_ones():
    x = counts(seed=3)
    x[:, 7] = 0  # never seen
    x[:, 8] = 2.5  # constant
    for scaling in ("standard", "max", "none"):
        dense, sparse = fit_scaler(x, scaling), fit_scaler(sp.csr_array(x), scaling)
        np.testing.assert_allclose(sparse.offset, dense.offset, rtol=1e-6)
        np.testing.assert_allclose(sparse.factor, dense.factor, rtol=1e-5)
        assert sparse.limit == dense.limit
