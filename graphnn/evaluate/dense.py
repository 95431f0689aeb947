"""A dense network of as many parameters as another one: what the wiring of a network adds to its size.

May import `graphnn.compiler` and what that may.
"""

from __future__ import annotations

from collections.abc import Collection

from graphnn.compiler.plan import plan_layers
from graphnn.extract.dag import Dag, Proof
from graphnn.graph.prior import PriorGraph


def dense_network(like: Dag, *, units: int = 1) -> Dag:
    """One level of hidden vertices, each of which reads every input and feeds every output.

    Args:
        like: The network whose inputs, outputs and number of parameters it has; as near to the latter as whole vertices
            allow, with one at least.
        units: Of each hidden vertex.

    Returns:
        The network; its hidden vertices are called "dense 1", "dense 2", ...

    Example:
        >>> edges = [("x1", 1, "a"), ("x2", 1, "b"), ("a", 1, "y"), ("b", 1, "y")]
        >>> dag = Dag.from_graph(PriorGraph.from_sif_tuples(edges), ["x1", "x2"], ["y"])
        >>> dense = dense_network(dag)
        >>> dense.hidden, plan_layers(dag).count_parameters(), plan_layers(dense).count_parameters()
        (('dense 1',), 7, 5)
    """
    wanted = plan_layers(like).count_parameters(units)
    one, two = (plan_layers(_dense(like, width)).count_parameters(units) for width in (1, 2))
    each = two - one  # parameters of a further vertex
    return _dense(like, max(1, round((wanted - one) / each) + 1))


def _dense(like: Dag, width: int) -> Dag:
    hidden = _names(width, taken={*like.inputs, *like.outputs})
    edges = [(name, 0, vertex) for name in like.inputs for vertex in hidden]
    edges += [(vertex, 0, name) for vertex in hidden for name in like.outputs]
    how = "joining every input with every hidden vertex, and these with every output"
    proof = Proof("drawn", "constructed", float(len(edges)), None, how, "none")
    return Dag.from_graph(PriorGraph.from_sif_tuples(edges), like.inputs, like.outputs, proof=proof)


def _names(count: int, *, taken: Collection[str]) -> list[str]:
    stem = "dense"
    while any(f"{stem} {number}" in taken for number in range(1, count + 1)):
        stem += "'"
    return [f"{stem} {number}" for number in range(1, count + 1)]
