"""Drawn instances: the same ones for a seed, and with what their family promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from solvers import Options, ProblemError, solve
from solvers.arrays import reachable, strong_components
from solvers.bench import families
from solvers.bench.instances import FAMILIES, digest, quick

ROOT = Path(__file__).resolve().parents[3]
SMALL = {
    "regulons": lambda seed: families.regulons(300, 40, 2_000, seed=seed, hidden_edges=200),
    "regulons-uniform": lambda seed: families.regulons(300, 40, 2_000, seed=seed, attachment="uniform"),
    "regulons-real-outputs": lambda seed: families.regulons(300, 40, 2_000, seed=seed, costs="real", n_outputs=3),
    "preferential": lambda seed: families.preferential(300, 100, seed=seed),
    "preferential-outputs": lambda seed: families.preferential(300, 100, seed=seed, n_outputs=2, costs="integer"),
    "layered": lambda seed: families.layered(4, 30, seed=seed, n_outputs=2),
    "set-cover": lambda seed: families.set_cover(50, 20, seed=seed, costs="real"),
    "grid": lambda seed: families.grid(7, 9, 12, seed=seed, costs="integer"),
    "hypercube": lambda seed: families.hypercube(5, seed=seed, costs="perturbed"),
    "random": lambda seed: families.random_digraph(200, 900, 20, seed=seed, n_outputs=3, costs="real"),
}
CYCLIC = ("regulons", "regulons-uniform", "preferential", "grid", "hypercube", "random")


@pytest.mark.parametrize("name", SMALL)
def test_a_seed_gives_one_instance_and_another_seed_another(name):
    assert digest(SMALL[name](0)) == digest(SMALL[name](0))
    assert digest(SMALL[name](0)) != digest(SMALL[name](1))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SMALL)
def test_every_instance_has_a_network_and_no_parallel_edges(name, seed):
    problem = SMALL[name](seed)
    back = reachable(problem.n_vertices, problem.targets, problem.sources, problem.outputs)
    ahead = reachable(problem.n_vertices, problem.sources, problem.targets, problem.inputs)
    assert back[problem.inputs].all()
    assert ahead[problem.outputs].all()
    keys = problem.sources * problem.n_vertices + problem.targets
    assert len(np.unique(keys)) == problem.n_edges
    assert (problem.costs > 0).all()


@pytest.mark.parametrize("name", CYCLIC)
def test_most_hidden_vertices_lie_in_one_strong_component(name):
    problem = SMALL[name](0)
    labels = strong_components(problem.n_vertices, problem.sources, problem.targets)
    hidden = np.setdiff1d(np.arange(problem.n_vertices), [*problem.inputs, *problem.outputs])
    among = labels if name in ("grid", "hypercube", "random") else labels[hidden]
    assert np.bincount(among).max() > 0.9 * len(among)


@pytest.mark.parametrize("name", ["layered", "set-cover"])
def test_layers_and_covers_have_no_cycle(name):
    problem = SMALL[name](0)
    labels = strong_components(problem.n_vertices, problem.sources, problem.targets)
    assert len(np.unique(labels)) == problem.n_vertices


def regulators(problem, n_hidden):
    """Number of regulators of each gene, and of genes of each regulator."""
    edges = np.isin(problem.sources, problem.inputs)
    per_gene = np.bincount(problem.sources[edges], minlength=problem.n_vertices)[problem.inputs]
    return per_gene, np.bincount(problem.targets[edges], minlength=n_hidden)


def test_preferential_regulons_have_a_heavy_tail_on_both_sides():
    problem = families.regulons(6_000, 1_000, 60_000)
    genes, sizes = regulators(problem, 1_000)
    assert genes.sum() == 60_000
    assert genes.min() >= 1
    assert np.mean(genes <= 3) > 0.4
    assert genes.max() > 300
    assert sizes.max() > 20 * np.median(sizes)


def test_uniform_regulons_have_a_heavy_tail_on_one_side_only():
    problem = families.regulons(6_000, 1_000, 60_000, attachment="uniform")
    genes, sizes = regulators(problem, 1_000)
    assert genes.sum() == 60_000
    assert 8 <= np.median(genes) <= 12
    assert genes.max() < 30
    assert sizes.max() > 20 * np.median(sizes)


def test_regulons_are_numbered_as_they_say():
    problem = families.regulons(300, 40, 2_000, hidden_edges=200, n_outputs=2, output_edges=20)
    assert problem.n_vertices == 342
    assert problem.inputs.tolist() == list(range(40, 340))
    assert problem.outputs.tolist() == [340, 341]
    assert problem.n_edges == 2_000 + 200 + 2 * 20
    assert not np.isin(problem.targets, problem.inputs).any()


def test_the_default_regulons_have_the_size_of_a_large_network():
    problem = families.regulons()
    assert (problem.n_vertices, problem.n_edges, len(problem.inputs)) == (20_001, 350_020, 18_000)


def test_costs_of_both_directions_agree():
    for problem in (SMALL["grid"](0), SMALL["hypercube"](0)):
        cost = {(s, t): c for s, t, c in zip(problem.sources, problem.targets, problem.costs, strict=True)}
        assert all(cost[head, tail] == value for (tail, head), value in cost.items())


@pytest.mark.parametrize(("dimension", "n_edges", "n_inputs"), [(3, 24, 3), (6, 384, 31), (7, 896, 63)])
def test_hypercubes_have_the_counts_of_steinlib(dimension, n_edges, n_inputs):
    problem = families.hypercube(dimension)
    assert (problem.n_vertices, problem.n_edges, len(problem.inputs)) == (2**dimension, n_edges, n_inputs)


@pytest.mark.slow
def test_the_hypercube_of_dimension_six_has_the_optimum_of_hc6u():
    assert solve(families.hypercube(6), options=Options(time_limit_s=300)).objective == 39


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: families.regulons(10, 5, 20, attachment="prefer", hidden_edges=10),
        lambda: families.regulons(10, 5, 51, hidden_edges=10),
        lambda: families.regulons(10, 5, 20, hidden_edges=3),
        lambda: families.regulons(10, 5, 20, hidden_edges=10, costs="free"),
        lambda: families.preferential(10, 5, edges_per_vertex=5),
        lambda: families.layered(3, 4, out_edges=5),
        lambda: families.set_cover(3, 4, sets_per_element=5),
        lambda: families.grid(3, 3, 9),
        lambda: families.hypercube(1),
        lambda: families.random_digraph(10, 91, 3),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(wrong):
    with pytest.raises(ProblemError, match="expected"):
        wrong()


def test_instances_do_not_depend_on_the_hash_seed():
    code = "from solvers.bench.instances import *; print([digest(i.make()) for i in quick(1)])"
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert said[0].strip() == str([digest(instance.make()) for instance in quick(1)])


def test_the_catalogue_names_each_instance_once_and_says_where_it_is_from():
    found = [instance for family in FAMILIES.values() for instance in family(0)]
    assert len({instance.name for instance in found}) == len(found)
    assert {instance.family for instance in found} == set(FAMILIES)
    assert [instance.family for instance in quick(3)] == list(FAMILIES)
    assert {instance.seed for instance in quick(3)} == {3}
    assert all(instance.make().n_edges <= 1_500 for instance in quick(0))
