"""Real networks as problems, and larger ones made of them: names meet integers here, `solvers.bench` sees arrays only.

The files are those of the folder of real data: a ready PKN (tcell_abc), signalling (OmniPath, signed), regulons
(DoRothEA A-C) and an ontology (Gene Ontology as used by DrugCell). They run in the direction of biology, or from the
whole to the part, and are turned: gene -> regulator -> ... -> receptor, gene -> process -> wider process.
"""

from __future__ import annotations

import csv
import gzip
from functools import cache, partial
from pathlib import Path

import numpy as np

import graphnn as gn
from graphnn.extract.encode import encode, roles
from solvers.bench.drawing import distinct_edges, zipf
from solvers.bench.instances import Instance
from solvers.problem import Problem

SUFFIX = "_gene"
OUTPUT = "LCK"
ROOT = "GO:0008150"  # biological process
OUTPUTS = ("EGFR", "INSR", "LCK")


def real_instances(folder: Path, *, seed: int = 0) -> tuple[Instance, ...]:
    """The real network, the union of the real networks, and PKNs of 26,000 and 104,000 edges.

    Args:
        folder: The folder of real data.
        seed: Of the regulon edges that are drawn to reach 26,000 and 104,000.
    """
    pkn = folder / "pkn"
    return (
        Instance("tcell_abc", "real", partial(tcell, pkn)),
        Instance("tcell_abc-3-outputs", "real", partial(tcell, pkn, OUTPUTS)),
        Instance("union", "real", partial(union, folder)),
        Instance("pkn-26k", "real", partial(enlarged, pkn, 26_000, 6_335, seed=seed), seed),
        Instance("pkn-26k-real", "real", partial(enlarged, pkn, 26_000, 6_335, seed=seed, real=True), seed),
        Instance("pkn-104k", "real", partial(enlarged, pkn, 104_000, 18_327, seed=seed), seed),
        Instance("pkn-104k-real", "real", partial(enlarged, pkn, 104_000, 18_327, seed=seed, real=True), seed),
    )


def tcell(pkn: Path, outputs: tuple[str, ...] = (OUTPUT,)) -> Problem:
    """The T-cell PKN as it is; its output is LCK, others can be asked for."""
    return _problem(gn.read_sif(pkn / "tcell_abc.sif.gz"), outputs)


def union(folder: Path) -> Problem:
    """Signalling, regulons and an ontology of processes in one network; outputs are LCK and the root of the ontology.

    Genes are inputs of all three, so that a gene may be joined to either output.
    """
    pkn = folder / "pkn"
    tuples = [*signalling(pkn), *regulons(pkn), *ontology(folder / "ontology" / "drugcell_ont.txt.gz")]
    return _problem(gn.PriorGraph.from_sif_tuples(tuples), (OUTPUT, ROOT))


def enlarged(pkn: Path, n_edges: int, n_inputs: int, *, seed: int, real: bool = False) -> Problem:
    """Signalling and regulons, pruned, with drawn genes and regulon edges up to a number of edges and inputs.

    A drawn edge picks its regulator by the size of the real regulons and its gene by a heavy tail, so that regulons
    stay as unequal as they are. Costs are 1, or drawn uniformly in [0.1, 1).
    """
    graph = gn.PriorGraph.from_sif_tuples([*signalling(pkn), *regulons(pkn)])
    graph = graph.prune([name for name in graph.nodes if name.endswith(SUFFIX)], [OUTPUT])
    draw = np.random.default_rng(seed)
    known = [name for name in graph.nodes if name.endswith(SUFFIX)]
    genes = known + [f"DRAWN{index:05d}{SUFFIX}" for index in range(n_inputs - len(known))]
    held = [(source, target) for source, _, target in graph.to_sif_tuples() if source.endswith(SUFFIX)]
    regulators = sorted({target for _, target in held})
    place = {name: index for index, name in enumerate(regulators)}
    position = {name: index for index, name in enumerate(genes)}
    sizes = np.bincount([place[target] for _, target in held], minlength=len(regulators)) / len(held)
    new = np.arange(len(known), len(genes))
    start = (
        np.concatenate([[position[source] for source, _ in held], new]).astype(np.int64),
        np.concatenate([[place[target] for _, target in held], draw.choice(len(regulators), len(new), p=sizes)]),
    )
    wanted = n_edges - graph.n_edges + len(held)
    tails, heads = distinct_edges(draw, start, wanted, zipf(draw, len(genes), 0.8), sizes)
    drawn = zip(tails[len(held) :].tolist(), heads[len(held) :].tolist(), strict=True)
    tuples = [*graph.to_sif_tuples(), *((genes[tail], 1, regulators[head]) for tail, head in drawn)]
    problem = _problem(gn.PriorGraph.from_sif_tuples(tuples), (OUTPUT,))
    return _with_real_costs(problem, draw) if real else problem


@cache
def signalling(pkn: Path) -> tuple[tuple[str, int, str], ...]:
    """OmniPath turned round: what is acted on -> what acts."""
    rows = _rows(pkn / "omnipath_signed.tsv.gz")
    return tuple(
        (row["target"], int(row["interaction"]), row["source"]) for row in rows if row["source"] != row["target"]
    )


@cache
def regulons(pkn: Path) -> tuple[tuple[str, int, str], ...]:
    """DoRothEA turned round: gene (with the suffix) -> regulator."""
    rows = _rows(pkn / "dorothea_abc.tsv.gz")
    return tuple((row["target"] + SUFFIX, int(float(row["weight"])), row["source"]) for row in rows)


@cache
def ontology(path: Path) -> tuple[tuple[str, int, str], ...]:
    """The Gene Ontology as DrugCell uses it: gene (with the suffix) -> term -> wider term."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        triples = [line.split() for line in file]
    return tuple(
        (below + SUFFIX if kind == "gene" else below, 0, above) for above, below, kind in triples if above != below
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _problem(graph: gn.PriorGraph, outputs: tuple[str, ...]) -> Problem:
    """Pruned, all genes as inputs."""
    genes = [name for name in graph.nodes if name.endswith(SUFFIX)]
    pruned = graph.prune(genes, list(outputs))
    return encode(pruned, *roles(pruned, genes, list(outputs)))


def _with_real_costs(problem: Problem, draw: np.random.Generator) -> Problem:
    return Problem(
        n_vertices=problem.n_vertices,
        sources=problem.sources,
        targets=problem.targets,
        inputs=problem.inputs,
        outputs=problem.outputs,
        costs=draw.uniform(0.1, 1.0, problem.n_edges),
    )
