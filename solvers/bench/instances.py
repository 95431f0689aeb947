"""Named instances: what the benchmark runs by default, by family, and as its hard set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from solvers.bench import families
from solvers.bench.steinlib import read_stp
from solvers.problem import Problem


@dataclass(frozen=True)
class Instance:
    """A problem with a name, made when it is needed.

    Attributes:
        name: Unique in a contest.
        family: One of `FAMILIES`, or where else it comes from.
        make: Gives the problem, always the same.
        seed: Of the draw; None where nothing is drawn.
        optimum: Least cost where the literature knows it, else None.
    """

    name: str
    family: str
    make: Callable[[], Problem]
    seed: int | None = None
    optimum: float | None = None


def digest(problem: Problem) -> str:
    """Twelve hexadecimal digits that tell problems apart, so that results can be compared across machines."""
    sums = hashlib.sha256(str(problem.n_vertices).encode())
    for array in (problem.sources, problem.targets, problem.inputs, problem.outputs, problem.costs):
        sums.update(np.ascontiguousarray(array).tobytes())
    return sums.hexdigest()[:12]


def from_stp(path: Path) -> Instance:
    """The instance in a SteinLib file, named after it; read at once, so that a bad file is known before the contest."""
    problem = read_stp(path)
    return Instance(name=path.name, family="stp", make=lambda: problem)


def _drawn(name: str, family: str, draw: Callable[..., Problem], seed: int, optimum: float | None = None) -> Instance:
    return Instance(name=name, family=family, make=partial(draw, seed=seed), seed=seed, optimum=optimum)


def regulons(seed: int) -> tuple[Instance, ...]:
    """Heavy-tailed regulons: unit and real costs, one output and several."""
    tail, draw = "regulons", families.regulons
    return (
        _drawn("regulons-1k", tail, partial(draw, 200, 40, 600, hidden_edges=400), seed),
        _drawn("regulons-20k", tail, partial(draw, 2_000, 300, 12_000), seed),
        _drawn("regulons-300k", tail, partial(draw), seed),
        _drawn("regulons-300k-real", tail, partial(draw, costs="real"), seed),
        _drawn("regulons-100k-3-outputs", tail, partial(draw, 6_000, 1_000, 75_000, n_outputs=3), seed),
    )


def regulons_uniform(seed: int) -> tuple[Instance, ...]:
    """Regulators by popularity, genes uniform: a set cover beneath a network."""
    draw = partial(families.regulons, attachment="uniform")
    return (
        _drawn("regulons-uniform-1k", "regulons-uniform", partial(draw, 150, 30, 600, hidden_edges=300), seed),
        _drawn("regulons-uniform-4k", "regulons-uniform", partial(draw, 400, 60, 2_400), seed),
        _drawn("regulons-uniform-300k", "regulons-uniform", draw, seed),
    )


def preferential(seed: int) -> tuple[Instance, ...]:
    """Networks grown by preferential attachment."""
    draw = families.preferential
    return (
        _drawn("preferential-1k", "preferential", partial(draw, 150, 100), seed),
        _drawn("preferential-10k", "preferential", partial(draw, 2_000, 1_000), seed),
        _drawn("preferential-40k-real", "preferential", partial(draw, 8_000, 4_000, costs="real"), seed),
        _drawn("preferential-40k-3-outputs", "preferential", partial(draw, 8_000, 4_000, n_outputs=3), seed),
    )


def layered(seed: int) -> tuple[Instance, ...]:
    """Random layers, with a set-cover gap at each."""
    draw = families.layered
    return (
        _drawn("layered-3x20", "layered", partial(draw, 3, 20), seed),
        _drawn("layered-6x300", "layered", partial(draw, 6, 300), seed),
        _drawn("layered-10x200", "layered", partial(draw, 10, 200), seed),
        _drawn("layered-6x100-real", "layered", partial(draw, 6, 100, costs="real"), seed),
        _drawn("layered-4x60-2-outputs", "layered", partial(draw, 4, 60, n_outputs=2), seed),
    )


def set_cover(seed: int) -> tuple[Instance, ...]:
    """Random set covers."""
    draw = families.set_cover
    return (
        _drawn("set-cover-60x30", "set-cover", partial(draw, 60, 30), seed),
        _drawn("set-cover-200x100", "set-cover", partial(draw, 200, 100), seed),
        _drawn("set-cover-500x200", "set-cover", partial(draw, 500, 200), seed),
        _drawn("set-cover-500x200-real", "set-cover", partial(draw, 500, 200, costs="real"), seed),
    )


def grid(seed: int) -> tuple[Instance, ...]:
    """Grids with edges both ways."""
    draw = families.grid
    return (
        _drawn("grid-8x8", "grid", partial(draw, 8, 8, 8), seed),
        _drawn("grid-40x40", "grid", partial(draw, 40, 40, 40), seed),
        _drawn("grid-40x40-integer", "grid", partial(draw, 40, 40, 40, costs="integer"), seed),
    )


def hypercube(seed: int) -> tuple[Instance, ...]:
    """Hypercubes; hypercube-6 and hypercube-7 are SteinLib's hc6u and hc7u, whose optima are known."""
    draw = families.hypercube
    return (
        _drawn("hypercube-4", "hypercube", partial(draw, 4), seed),
        _drawn("hypercube-6", "hypercube", partial(draw, 6), seed, optimum=39.0),
        _drawn("hypercube-6-perturbed", "hypercube", partial(draw, 6, costs="perturbed"), seed),
        _drawn("hypercube-7", "hypercube", partial(draw, 7), seed, optimum=77.0),
    )


def random_digraph(seed: int) -> tuple[Instance, ...]:
    """Random directed graphs, up to 20,000 vertices."""
    draw = families.random_digraph
    return (
        _drawn("random-100", "random", partial(draw, 100, 500, 10), seed),
        _drawn("random-1k", "random", partial(draw, 1_000, 5_000, 50), seed),
        _drawn("random-5k-real", "random", partial(draw, 5_000, 25_000, 50, costs="real"), seed),
        _drawn("random-20k", "random", partial(draw, 20_000, 100_000, 100), seed),
        _drawn("random-20k-real", "random", partial(draw, 20_000, 100_000, 100, costs="real"), seed),
        _drawn("random-1k-3-outputs", "random", partial(draw, 1_000, 5_000, 50, n_outputs=3), seed),
    )


FAMILIES: dict[str, Callable[[int], tuple[Instance, ...]]] = {
    "regulons": regulons,
    "regulons-uniform": regulons_uniform,
    "preferential": preferential,
    "layered": layered,
    "set-cover": set_cover,
    "grid": grid,
    "hypercube": hypercube,
    "random": random_digraph,
}


def quick(seed: int) -> tuple[Instance, ...]:
    """The smallest instance of each family."""
    return tuple(family(seed)[0] for family in FAMILIES.values())
