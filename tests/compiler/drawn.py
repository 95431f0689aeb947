"""Networks and helpers that the tests of the compiler share."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
from hypothesis import strategies as st

from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph

AWKWARD = ("A/B", "a:b", "x-y", "Überwachung ✓", "long" * 25, "p" * 60 + "1", "p" * 60 + "2", "A", "tab\tnul\0")


def dag_of(text: str, *, inputs: str, outputs: str) -> Dag:
    """`dag_of("a>h h>y", inputs="a", outputs="y")`; the interaction of edge i is 1, -1, 0, 1, ..."""
    edges = [edge.split(">") for edge in text.split()]
    tuples = [(source, (1, -1, 0)[i % 3], target) for i, (source, target) in enumerate(edges)]
    return Dag.from_graph(PriorGraph.from_sif_tuples(tuples), inputs.split(), outputs.split())


def everything() -> Dag:
    """Skip edges, a fed input f with two edges into it, an output y with a successor, two outputs."""
    return dag_of(
        "a>h b>h b>g a>g h>f g>f f>k h>k k>y g>y y>z a>z f>z c>z", inputs="a b c f", outputs="y z"
    )  # fmt: skip


def awkward() -> Dag:
    """Names that layer names, file names and fixed widths would break."""
    names = AWKWARD
    tuples = [(names[i], 1, names[j]) for i, j in [(0, 3), (1, 3), (2, 4), (3, 4), (4, 5), (6, 5), (0, 5), (5, 7)]]
    tuples += [(names[8], -1, names[3])]
    return Dag.from_graph(PriorGraph.from_sif_tuples(tuples), [names[i] for i in (0, 1, 2, 6, 8)], [names[5], names[7]])


@st.composite
def dags(draw: st.DrawFn, *, max_nodes: int = 9) -> Dag:
    """Any acyclic network: several inputs and outputs, some inputs fed, some outputs with successors, skip edges."""
    n_nodes = draw(st.integers(2, max_nodes))
    names = draw(st.permutations([f"{'/-: '[i % 4]}v{i}" for i in range(n_nodes)]))
    pairs = [(i, j) for j in range(n_nodes) for i in range(j)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=3 * n_nodes, unique=True))
    roles = draw(st.lists(st.sampled_from(["hidden", "hidden", "input", "output"]), min_size=n_nodes, max_size=n_nodes))
    roles[0], roles[-1] = "input", "output"
    signs = draw(st.lists(st.sampled_from([1, -1, 0]), min_size=len(chosen), max_size=len(chosen)))
    tuples = [(names[i], sign, names[j]) for (i, j), sign in zip(chosen, signs, strict=True)]
    graph = PriorGraph.from_sif_tuples([*tuples, (names[0], 1, names[-1])])
    role_of = dict(zip(names, roles, strict=True))
    inputs = [name for name in graph.nodes if role_of[name] == "input"]
    outputs = [name for name in graph.nodes if role_of[name] == "output"]
    kept = graph.prune(inputs, outputs)
    return Dag.from_graph(kept, [n for n in inputs if n in kept], [n for n in outputs if n in kept])


def rich_dag(seed: int) -> Dag:
    """A network of up to 14 vertices, many with skips, fed inputs, several outputs, outputs that feed on."""
    rng = np.random.default_rng(seed)
    n_nodes = int(rng.integers(6, 15))
    names = [f"{'/-: '[i % 4]}v{i}" for i in rng.permutation(n_nodes)]
    middle = rng.choice(["hidden", "hidden", "hidden", "hidden", "input", "output"], size=n_nodes - 3).tolist()
    roles = dict(zip(names, ["input", "input", *middle, "output"], strict=True))
    read = {(int(rng.integers(0, j)), j) for j in range(2, n_nodes)}  # every vertex reads one before it
    fed = {(i, int(rng.integers(max(i + 1, 2), n_nodes))) for i in range(n_nodes - 1)}  # and feeds one behind it
    others = {(i, j) for j in range(2, n_nodes) for i in range(j) if rng.random() < 0.1}
    pairs = sorted(read | fed | others)
    graph = PriorGraph.from_sif_tuples([(names[i], int(rng.integers(-1, 2)), names[j]) for i, j in pairs])
    inputs, outputs = ([name for name in graph.nodes if roles[name] == role] for role in ("input", "output"))
    kept = graph.prune(inputs, outputs)
    return Dag.from_graph(kept, [n for n in inputs if n in kept], [n for n in outputs if n in kept])


def cells(n_inputs: int, *, n_cells: int = 6, seed: int = 0) -> np.ndarray:
    """Made-up measurements, shape (n_cells, n_inputs), float32."""
    return np.random.default_rng(seed).normal(size=(n_cells, n_inputs)).astype(np.float32)


def randomize(model, seed: int = 0) -> None:
    """Give every trainable weight, biases too, a number of its own; by size such that values stay of order 1."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.trainable_variables:
            fan_in = layer.wiring.fan_in[layer.wiring.target_column] if variable.path.endswith("kernel") else 1.0
            variable.assign(rng.normal(size=variable.shape) / np.sqrt(fan_in))


def run_python(code: str, *arguments: str, **environment: str) -> str:
    """Run code in a fresh process, on the CPU; its standard output."""
    given = {**os.environ, "JAX_PLATFORMS": "cpu", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=given, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
