"""The sum over edges: against loops, and its gradients against differences and against autodiff."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphnn.compiler.edge_sum import DENSE_RATIO, Drop, EdgeSum
from graphnn.compiler.noise import keep_factor

KINDS = ("edge", "dense")


@st.composite
def drawn(draw):
    """Sources, targets, sizes: few or many edges into one target, targets without edges, any order."""
    n_sources, n_targets = draw(st.integers(1, 12)), draw(st.integers(1, 9))
    pairs = st.tuples(st.integers(0, n_sources - 1), st.integers(0, n_targets - 1))
    edges = draw(st.lists(pairs, min_size=1, max_size=60, unique=True))
    sources, targets = np.array(edges).T
    return sources, targets, n_sources, n_targets


def by_loop(sources, targets, n_targets, rows, kernel, factor):
    total = np.zeros((n_targets, rows.shape[1]))
    for edge, (source, target) in enumerate(zip(sources, targets, strict=True)):
        total[target] += float(kernel[edge]) * rows[source].astype(float) * factor[edge]
    return total


def values(shape, seed):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(drawn(), st.sampled_from(KINDS), st.booleans())
def test_the_sum_is_that_of_a_loop(edges, kind, drops):
    sources, targets, n_sources, n_targets = edges
    part = EdgeSum(sources, targets, n_sources=n_sources, n_targets=n_targets, kind=kind)
    rows, kernel = values((n_sources, 5), 0), values(len(sources), 1)
    rates = np.where(np.arange(len(sources)) % 2, 0.5, 0.0).astype(np.float32)
    state = jnp.array([3, 4], dtype=jnp.uint32)
    drop = Drop(state, rates, 7) if drops else None
    factor = np.asarray(keep_factor(state, rates, (len(sources), 5), first=7)) if drops else np.ones((len(sources), 1))
    expected = by_loop(sources, targets, n_targets, rows, kernel, factor)
    np.testing.assert_allclose(part(rows, kernel, drop), expected, atol=1e-5)
    np.testing.assert_allclose(part.scattered(rows, kernel, drop), expected, atol=1e-5)
    if not drops:
        np.testing.assert_allclose(part.matrix(kernel) @ rows, expected, atol=1e-5)


@settings(max_examples=12, deadline=None)
@given(drawn(), st.sampled_from(KINDS), st.booleans())
def test_its_gradients_are_those_of_the_plain_sum(edges, kind, drops):
    sources, targets, n_sources, n_targets = edges
    part = EdgeSum(sources, targets, n_sources=n_sources, n_targets=n_targets, kind=kind)
    rows, kernel, slope = values((n_sources, 4), 0), values(len(sources), 1), values((n_targets, 4), 2)
    rates = np.where(np.arange(len(sources)) % 3, 0.4, 0.0).astype(np.float32)
    drop = Drop(jnp.array([1, 2], dtype=jnp.uint32), rates, 0) if drops else None
    own = jax.grad(lambda r, k: jnp.sum(part(r, k, drop) * slope), argnums=(0, 1))(rows, kernel)
    plain = jax.grad(lambda r, k: jnp.sum(part.scattered(r, k, drop) * slope), argnums=(0, 1))(rows, kernel)
    for got, expected in zip(own, plain, strict=True):
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_gradients_are_those_of_differences():
    """The sum is linear in either argument: differences are exact but for rounding."""
    sources, targets = np.array([0, 1, 2, 2, 0]), np.array([1, 1, 1, 0, 3])
    for kind in KINDS:
        part = EdgeSum(sources, targets, n_sources=3, n_targets=4, kind=kind)
        rows, kernel, slope = values((3, 6), 0), values(5, 1), values((4, 6), 2)

        def total(r, k, part=part, slope=slope):
            return jnp.sum(part(r, k) * slope)

        def scalar(r, k, part=part, slope=slope):
            return float(np.sum(np.asarray(part(r, k), dtype=np.float64) * slope))

        of_rows, of_kernel = jax.grad(total, argnums=(0, 1))(rows, kernel)
        for place in np.ndindex(rows.shape):
            moved = rows.copy()
            moved[place] += 1
            assert scalar(moved, kernel) - scalar(rows, kernel) == pytest.approx(float(of_rows[place]), abs=1e-5)
        for edge in range(5):
            moved = kernel.copy()
            moved[edge] += 1
            assert scalar(rows, moved) - scalar(rows, kernel) == pytest.approx(float(of_kernel[edge]), abs=1e-5)


def test_edges_may_read_from_more_rows_than_they_name():
    part = EdgeSum(np.array([1]), np.array([0]), n_sources=2, n_targets=1, kind="edge")
    rows = values((9, 3), 0)
    of_rows = jax.grad(lambda r: jnp.sum(part(r, np.ones(1, np.float32))))(rows)
    assert of_rows.shape == rows.shape
    assert np.asarray(of_rows).sum(axis=1).tolist() == [0, 3, 0, 0, 0, 0, 0, 0, 0]


def test_auto_is_dense_where_most_pairs_are_edges_only():
    everything = np.array([(s, t) for s in range(4) for t in range(4)])
    full = EdgeSum(*everything.T, n_sources=4, n_targets=4, kind="auto")
    lone = EdgeSum(np.array([0]), np.array([0]), n_sources=DENSE_RATIO + 1, n_targets=1, kind="auto")
    assert (full.kind, lone.kind) == ("dense", "edge")


def test_chunks_hold_every_edge_once():
    sources, targets = np.arange(100), np.repeat([0, 1, 2, 5], [61, 1, 30, 8])
    part = EdgeSum(sources, targets, n_sources=100, n_targets=6, kind="edge")
    chunks = part.chunks
    held = chunks.edges[chunks.edges < 100]
    assert sorted(held.tolist()) == list(range(100))
    for row, target in enumerate(chunks.targets.tolist()):
        mine = chunks.edges[row][chunks.edges[row] < 100]
        assert len(mine)
        assert set(targets[mine].tolist()) == {target}
        assert chunks.sources[row][chunks.edges[row] < 100].tolist() == sources[mine].tolist()


def test_parts_of_one_layer_drop_apart_from_each_other():
    state, rates = jnp.array([5, 6], dtype=jnp.uint32), np.full(40, 0.5, np.float32)
    whole = np.asarray(keep_factor(state, rates, (40, 8)))
    parts = [keep_factor(state, rates[:15], (15, 8)), keep_factor(state, rates[15:], (25, 8), first=15)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(parts[0], whole[15:30])
