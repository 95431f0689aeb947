"""Drawn prior networks that can be extracted from, with the oracles' view of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace

import graphnn as gn
from tests.oracles.closure import pruned, simple
from tests.oracles.cover import Cover, cheapest_cover
from tests.oracles.strategies import build_prior, seeded


@dataclass(frozen=True)
class Case:
    """A pruned network with roles that all survived, its signed edges, and the sorted names of its vertices."""

    graph: gn.PriorGraph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    signs: dict[tuple[str, str], int]
    names: tuple[str, ...]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Edges, sorted: row i of the graph's frame."""
        return sorted(self.signs)

    def best(self, costs: list[float] | None = None) -> Cover:
        """Enumerate on names, without the product's encoding."""
        place = {name: index for index, name in enumerate(self.names)}
        return cheapest_cover(
            SimpleNamespace(
                n_vertices=len(self.names),
                sources=[place[source] for source, _ in self.pairs],
                targets=[place[target] for _, target in self.pairs],
                inputs=[place[name] for name in self.inputs],
                outputs=[place[name] for name in self.outputs],
                costs=costs or [1.0] * len(self.pairs),
            )
        )


@lru_cache
def cases(count: int, *, seed: int, max_rows: int = 16, most: int = 11, least: int = 3) -> tuple[Case, ...]:
    """So many cases with least .. most edges after pruning, at least one input and all their outputs served."""
    integer = seeded(seed)
    found: list[Case] = []
    while len(found) < count:
        case = build_prior(integer, max_rows=max_rows)
        full = simple(case.triples)
        kept = pruned(full, case.inputs, case.outputs)
        outputs = tuple(sorted(set(case.outputs) & kept.nodes))
        inputs = tuple(sorted(set(case.inputs) & kept.nodes))
        if not least <= len(kept.edges) <= most:
            continue
        graph = gn.PriorGraph.from_sif_tuples(case.triples).prune(inputs, outputs)
        found.append(
            Case(graph, inputs, outputs, {pair: full.signs[pair] for pair in kept.edges}, tuple(sorted(kept.nodes)))
        )
    return tuple(found)


@lru_cache
def choices(count: int, *, seed: int) -> tuple[Case, ...]:
    """Cases with several hidden vertices that can stand for each other: inputs, a layer with ways in it, outputs."""
    integer = seeded(seed)
    found: list[Case] = []
    while len(found) < count:
        names = [f"v{(7 * place + seed) % 11}" for place in range(9)]  # the order of names is not that of the layers
        inputs, hidden = names[: integer(2, 3)], names[3 : 3 + integer(3, 4)]
        outputs = names[7 : 7 + (1, 1, 2)[integer(0, 2)]]
        pairs = {(name, hidden[integer(0, len(hidden) - 1)]) for name in inputs for _ in range(2)}
        pairs |= {(hidden[integer(0, len(hidden) - 1)], output) for output in outputs for _ in range(3)}
        pairs |= {(name, hidden[integer(0, len(hidden) - 1)]) for name in hidden[: integer(0, 2)]}
        triples = [(source, 1 - 2 * (len(found) % 2), target) for source, target in sorted(pairs) if source != target]
        kept = pruned(simple(triples), inputs, outputs)
        if not ({*inputs, *outputs} <= kept.nodes and len(kept.edges) <= 11):
            continue
        graph = gn.PriorGraph.from_sif_tuples(triples).prune(inputs, outputs)
        signs = {pair: simple(triples).signs[pair] for pair in kept.edges}
        roles = tuple(sorted(inputs)), tuple(sorted(outputs))
        found.append(Case(graph, *roles, signs, tuple(sorted(kept.nodes))))
    return tuple(found)
