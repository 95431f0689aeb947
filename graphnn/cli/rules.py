"""Options of `graphnn extract` beyond roles and objective, and the small tables that they name."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from graphnn.errors import FormatError, OptionError, did_you_mean, quoted
from graphnn.graph.files import read_rows
from graphnn.graph.prior import PriorGraph

Edge = tuple[str, str]
Samples = dict[str, tuple[list[str], list[str]]]

SHALLOW = "shallow"
ROLES = ("input", "output")


@dataclass(frozen=True)
class RuleOptions:
    """Options as they were typed; the fields are the options of the verb."""

    edge_cost: Annotated[str | None, typer.Option(help="Column of the edge table with the cost of each edge.")] = None
    costs: Annotated[Path | None, typer.Option(help="Table source,target,cost; other edges cost 1.")] = None
    node_costs: Annotated[Path | None, typer.Option(help="Table node,cost; other vertices cost nothing.")] = None
    forced_edges: Annotated[Path | None, typer.Option(help="Table source,target: edges that have to be in.")] = None
    forbidden_edges: Annotated[Path | None, typer.Option(help="Table source,target: edges to do without.")] = None
    forced_nodes: Annotated[str | None, typer.Option(help="Vertices that have to be in, separated by commas.")] = None
    forbidden_nodes: Annotated[str | None, typer.Option(help="Vertices to do without, separated by commas.")] = None
    rewards: Annotated[
        Path | None, typer.Option(help="Table node,reward: inputs that may be left out at that price.")
    ] = None
    max_parents: Annotated[int | None, typer.Option(help="Most edges into a vertex.")] = None
    max_depth: Annotated[int | None, typer.Option(help="Most edges on a path.")] = None
    min_routes: Annotated[int, typer.Option(help="Regulators that every input keeps, as far as it has them.")] = 1
    disjoint_routes: Annotated[
        bool, typer.Option("--disjoint-routes", help="With --min-routes: count paths that share no vertex between.")
    ] = False
    signs: Annotated[bool, typer.Option("--signs", help="Vertices have states that all signs agree with.")] = False
    states: Annotated[Path | None, typer.Option(help="With --signs: table node,state with 1 and -1.")] = None
    prefer: Annotated[
        str | None,
        typer.Option(
            help="Among the cheapest networks: shallow; the least total of a column of the edge table, or of a table "
            "source,target,weight (others weigh 0); or the greatest total of a table node,score or "
            "source,target,score (others have 0)."
        ),
    ] = None
    samples: Annotated[
        Path | None, typer.Option(help="Table sample,node,role: one network for several samples, in place of roles.")
    ] = None
    own_orders: Annotated[
        bool, typer.Option("--own-orders", help="With --samples: an acyclic network for each, not for all together.")
    ] = False
    alternatives: Annotated[int | None, typer.Option(help="So many networks, in NAME-1.json, NAME-2.json, ...")] = None
    kind: Annotated[
        str, typer.Option(help="Of --alternatives: diverse (as little in common as can be) or best (the cheapest).")
    ] = "diverse"


def takes_rules(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb all options of `RuleOptions`; it receives them as one argument, `rules`."""
    own = inspect.signature(verb, eval_str=True).parameters
    added = inspect.signature(RuleOptions, eval_str=True).parameters

    @functools.wraps(verb)
    def run(**options: Any) -> None:
        rules = RuleOptions(**{name: options.pop(name) for name in added})
        verb(**options, rules=rules)

    plain = [parameter for name, parameter in own.items() if name != "rules"]
    every = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in (*plain, *added.values())]
    run.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
    return run


def rule_keywords(
    rules: RuleOptions, graph: PriorGraph, pruned: PriorGraph, network: Path, ends: tuple[str, str]
) -> dict[str, Any]:
    """Keywords of `extract_dag` for these options, with all tables read.

    Args:
        rules: As typed.
        graph: The prior network as it was read.
        pruned: What is extracted from.
        network: Its file, whose columns options may name.
        ends: Names of its columns with tail and head.

    Raises:
        FormatError, MissingFileError: A table cannot be read, lacks a column, or contradicts itself.
        OptionError: Options exclude each other.
    """
    if rules.edge_cost is not None and rules.costs is not None:
        raise OptionError("--edge-cost", rules.edge_cost, "absent where --costs is given", do="give one of them")
    found: dict[str, Any] = {
        "max_parents": rules.max_parents,
        "max_depth": rules.max_depth,
        "min_routes": rules.min_routes,
        "disjoint_routes": rules.disjoint_routes,
        "signs": rules.signs,
    }
    if rules.edge_cost is not None:
        costs = column_of_edges(network, rules.edge_cost, ends, option="--edge-cost")
        found["edge_cost"] = _aligned(costs, graph, pruned, other=None, where=network)
    if rules.costs is not None:
        costs = edge_table(rules.costs, "cost")
        found["edge_cost"] = _aligned(costs, graph, pruned, other=1.0, where=rules.costs)
    for option, path, value in (
        ("node_cost", rules.node_costs, "cost"),
        ("rewards", rules.rewards, "reward"),
        ("states", rules.states, "state"),
    ):
        if path is not None:
            found[option] = node_table(path, value)
    for option, path in (("forced_edges", rules.forced_edges), ("forbidden_edges", rules.forbidden_edges)):
        if path is not None:
            found[option] = list(edge_table(path, None))
    for option, text in (("forced_nodes", rules.forced_nodes), ("forbidden_nodes", rules.forbidden_nodes)):
        if text is not None:
            found[option] = [name.strip() for name in text.split(",") if name.strip()]
    if rules.prefer is not None:
        found["prefer"] = _preference(rules.prefer, graph, pruned, network, ends)
    return found


def check_rules(rules: RuleOptions) -> None:
    """Refuse, before any file is read, options that cannot stand together.

    Raises:
        OptionError: Which ones.
    """
    if rules.own_orders and rules.samples is None:
        raise OptionError("--own-orders", True, "absent without --samples")
    if rules.alternatives is None:
        if rules.kind != "diverse":
            raise OptionError("--kind", rules.kind, "absent without --alternatives")
        return
    from graphnn.extract.alternatives import check_alternatives

    check_alternatives(rules.alternatives, rules.kind)
    for option, value in (("--samples", rules.samples), ("--prefer", rules.prefer)):
        if value is not None:
            raise OptionError(option, str(value), "absent with --alternatives")


def read_samples(path: Path) -> Samples:
    """Inputs and outputs of each sample, in the order of the file.

    Raises:
        FormatError: A column is missing, a role is another word, or a vertex has two roles in a sample.
    """
    samples: Samples = {}
    seen: dict[tuple[str, str], str] = {}
    for line, (sample, node, role) in _columns(path, ("sample", "node", "role")):
        if role not in ROLES:
            raise FormatError(f"expected the role input or output, got {role!r}", path=path, line=line)
        if seen.setdefault((sample, node), role) != role:
            raise FormatError(f"expected one role of {node!r} in sample {sample!r}, got two", path=path, line=line)
        names = samples.setdefault(sample, ([], []))[ROLES.index(role)]
        names += [] if node in names else [node]
    if not samples:
        raise FormatError("expected at least one sample, got a header only; is this the right file?", path=path)
    return samples


def node_table(path: Path, value: str) -> dict[str, float]:
    """The numbers of a table `node,<value>` by name.

    Raises:
        FormatError: A column is missing, a number is none, or a vertex has two different ones.
    """
    found: dict[str, float] = {}
    for line, (node, text) in _columns(path, ("node", value)):
        number = _number(text, value, path, line)
        if found.setdefault(node, number) != number:
            raise FormatError(f"expected one {value} of {node!r}, got two that differ", path=path, line=line)
    return found


def edge_table(path: Path, value: str | None) -> dict[Edge, float]:
    """The numbers of a table `source,target,<value>` by edge; 1 each where no value is asked for.

    Raises:
        FormatError: as `node_table`.
    """
    return _edges(path, ("source", "target"), value)


def column_of_edges(network: Path, column: str, ends: tuple[str, str], *, option: str) -> dict[Edge, float]:
    """A column of the prior network's own table, by edge.

    Raises:
        OptionError: The network is no table.
        FormatError: as `node_table`.
    """
    plain = network.name.lower().removesuffix(".gz")
    if not plain.endswith((".csv", ".tsv", ".txt")):
        raise OptionError(option, column, "a column of an edge table", do="SIF has none; name a table of its own")
    return _edges(network, ends, column)


def _edges(path: Path, ends: tuple[str, str], value: str | None) -> dict[Edge, float]:
    found: dict[Edge, float] = {}
    for line, (source, target, *rest) in _columns(path, (*ends, *([value] if value else []))):
        number = _number(rest[0], value or "", path, line) if rest else 1.0
        if source != target and found.setdefault((source, target), number) != number:
            named = f"{source} -> {target}"
            raise FormatError(f"expected one {value} of {named!r}, got two that differ", path=path, line=line)
    return found


def _columns(path: Path, names: Sequence[str]) -> Iterable[tuple[int, list[str]]]:
    """Line and stripped fields of these columns, row by row."""
    rows = read_rows(path, what=f"a table with the columns {', '.join(names)}")
    _, header = next(iter(rows))
    absent = [name for name in names if header.count(name) != 1]
    if absent:
        got = ", ".join(map(repr, header))
        hint = did_you_mean(absent, header)
        raise FormatError(f"expected one column {absent[0]!r}, got {got}; name it in the header{hint}", path=path)
    places = [header.index(name) for name in names]
    for line, fields in rows:
        chosen = [fields[place].strip() for place in places]
        if not all(chosen):
            raise FormatError(f"expected {', '.join(names)} in every row, got an empty field", path=path, line=line)
        yield line, chosen


def _number(text: str, value: str, path: Path, line: int) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FormatError(f"expected a finite number as {value}, got {text!r}", path=path, line=line)
    return number


def _preference(text: str, graph: PriorGraph, pruned: PriorGraph, network: Path, ends: tuple[str, str]) -> Any:
    if text == SHALLOW:
        return SHALLOW
    path = Path(text)
    if path.is_file():
        header = next(iter(read_rows(path, what="a table of scores or weights")))[1]
        if "score" not in header:
            return _aligned(edge_table(path, "weight"), graph, pruned, other=0.0, where=path)
        return node_table(path, "score") if "node" in header else _edge_scores(path, graph, pruned)
    plain = network.name.lower().removesuffix(".gz")
    if not plain.endswith((".csv", ".tsv", ".txt")):
        known = "shallow, or a table source,target,weight or node,score or source,target,score"
        raise OptionError("--prefer", text, known, do="there is no such file")
    return _aligned(column_of_edges(network, text, ends, option="--prefer"), graph, pruned, other=None, where=network)


def _edge_scores(path: Path, graph: PriorGraph, pruned: PriorGraph) -> dict[Edge, float]:
    """Scores of the edges that pruning left; those of the others choose nothing.

    Raises:
        FormatError: An edge is not in the prior network.
    """
    scores = edge_table(path, "score")
    _aligned(scores, graph, pruned, other=0.0, where=path)  # refuses edges of no network
    left = {(source, target) for source, _, target in pruned.to_sif_tuples()}
    return {edge: score for edge, score in scores.items() if edge in left}


def _aligned(
    values: Mapping[Edge, float], graph: PriorGraph, pruned: PriorGraph, *, other: float | None, where: Path
) -> np.ndarray:
    """A number for each edge of the pruned network; `other` for edges without one.

    Raises:
        FormatError: An edge is not in the prior network.
    """
    known = {(source, target) for source, _, target in graph.to_sif_tuples()}
    foreign = [f"{source} -> {target}" for source, target in values if (source, target) not in known]
    if foreign:
        raise FormatError(
            f"expected edges of the prior network, got {quoted(foreign)}; check names and direction", path=where
        )
    default = math.nan if other is None else other
    return np.array([values.get((source, target), default) for source, _, target in pruned.to_sif_tuples()])
