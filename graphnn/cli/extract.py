"""`graphnn extract`: an acyclic network with its proof; several of them, or one for several samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from graphnn.cli.common import (
    LIMIT,
    Force,
    Inputs,
    InputsFile,
    InputSuffix,
    Json,
    Method,
    Network,
    Out,
    Quiet,
    Seed,
    Solver,
    Source,
    Target,
    TimeLimit,
    choose_inputs,
    console,
    names_of,
    print_json,
    print_lines,
    read_network,
    verb,
)
from graphnn.cli.progress import solver_line
from graphnn.cli.rules import RuleOptions, check_rules, read_samples, rule_keywords, takes_rules
from graphnn.errors import OptionError, quoted
from graphnn.extract.alternatives import extract_alternatives
from graphnn.extract.certificate import certify_dag
from graphnn.extract.dag import Dag, Proof
from graphnn.extract.extract import extract_dag
from graphnn.extract.samples import SampleNetworks, extract_samples
from graphnn.graph.files import check_output, write_together
from graphnn.graph.prior import PriorGraph
from graphnn.graph.sif import sif_bytes

Outputs = Annotated[
    str | None, typer.Option("--outputs", "-o", help="Predicted vertices, separated by commas; not with --samples.")
]
Objective = Annotated[str, typer.Option(help="min_edges, shortest_paths or max_edges.")]


@verb
@takes_rules
def extract(
    network: Network,
    outputs: Outputs = None,
    inputs: Inputs = None,
    inputs_file: InputsFile = None,
    input_suffix: InputSuffix = None,
    source: Source = None,
    target: Target = None,
    objective: Objective = "min_edges",
    method: Method = "auto",
    solver: Solver = "auto",
    time_limit: TimeLimit = None,
    out: Out = None,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
    certificate: Annotated[Path | None, typer.Option(help="Where to write a certificate that `verify` checks.")] = None,
    *,
    rules: RuleOptions,
) -> None:
    """Find an acyclic network that joins all inputs to the outputs; exit code 4 if it stopped before the proof.

    --out NAME.json holds the network with its roles and proof, for `graphnn compile`; NAME.sif holds its edges only.
    Without --out the edges go to stdout. Ctrl-C, once, ends the search with the best network so far.
    """
    check_time_limit(time_limit)
    check_rules(rules)
    paths = _paths(out, rules.alternatives)
    for path in paths:
        check_output(path, force=force)
    if certificate is not None:
        check_certificate(certificate, out, objective, rules, time_limit=time_limit, force=force)
    screen = console(quiet=quiet)
    graph = read_network(network, screen, source=source, target=target)
    roles = _roles(graph, outputs, inputs, inputs_file, input_suffix, rules)
    pruned = graph.prune(roles.inputs, roles.outputs)
    keywords = rule_keywords(rules, graph, pruned, network, (source or "source", target or "target"))
    keywords |= {"method": method, "solver": solver, "time_limit_s": time_limit, "seed": seed}
    with solver_line(screen, objective) as report:
        found = _extracted(pruned, roles, rules, objective, {**keywords, "on_progress": report})
    if isinstance(found, SampleNetworks):
        contents = [samples_bytes(found, path) for path in paths]
    else:
        contents = [dag_bytes(dag, path) for dag, path in zip(found, paths, strict=False)]
    files = dict(zip(paths, contents, strict=False))
    if certificate is not None and not isinstance(found, SampleNetworks):
        files[certificate] = certified_bytes(
            pruned, found[0], certificate, screen, edge_cost=keywords.get("edge_cost"), time_limit=time_limit, seed=seed
        )
    write_together(files, force=force)
    _print_data(found, as_json=json_, to_stdout=out is None, rules=rules, seed=seed)
    _say(found, rules, screen)


@dataclass(frozen=True)
class _Roles:
    """Inputs and outputs of the whole, and of each sample where there are several."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    samples: dict[str, tuple[list[str], list[str]]]


def _roles(
    graph: PriorGraph,
    outputs: str | None,
    inputs: str | None,
    inputs_file: Path | None,
    input_suffix: str | None,
    rules: RuleOptions,
) -> _Roles:
    if rules.samples is not None:
        for option, value in (("--outputs", outputs), ("--inputs", inputs), ("--inputs-file", inputs_file)):
            if value is not None:
                raise OptionError(option, str(value), "absent where --samples is given", do="the file names the roles")
        samples = read_samples(rules.samples)
        every = [[name for pair in samples.values() for name in pair[role]] for role in (0, 1)]
        return _Roles(every[0], every[1], samples)
    if outputs is None:
        raise OptionError("--outputs", None, "given", do="name the predicted vertices, or use --samples FILE")
    wanted = choose_inputs(graph, inputs, inputs_file, input_suffix)
    return _Roles(wanted, names_of(outputs, option="--outputs"), {})


def _extracted(
    pruned: PriorGraph, roles: _Roles, rules: RuleOptions, objective: str, keywords: dict[str, Any]
) -> tuple[Dag, ...] | SampleNetworks:
    if objective != "min_edges" and (rules.samples is not None or rules.alternatives is not None):
        raise OptionError("--objective", objective, "min_edges with --samples or --alternatives")
    if rules.samples is not None:
        return extract_samples(pruned, roles.samples, shared_order=not rules.own_orders, **keywords)
    if rules.alternatives is not None:
        return extract_alternatives(
            pruned, roles.inputs, roles.outputs, k=rules.alternatives, kind=rules.kind, **keywords
        )
    return (extract_dag(pruned, roles.inputs, roles.outputs, objective=objective, **keywords),)


def _paths(out: Path | None, count: int | None) -> list[Path]:
    """Where networks go: to the file that was named, or with several to NAME-1.json, NAME-2.json, ..."""
    if out is None or count is None:
        return [] if out is None else [out]
    name, ending = out.name, "".join(end for end in out.suffixes[-2:] if end in (".json", ".sif", ".gz"))
    stem = name.removesuffix(ending)
    return [out.with_name(f"{stem}-{number}{ending}") for number in range(1, count + 1)]


def _print_data(
    found: tuple[Dag, ...] | SampleNetworks, *, as_json: bool, to_stdout: bool, rules: RuleOptions, seed: int
) -> None:
    """Data on stdout: JSON, or edges if they go to no file."""
    if isinstance(found, SampleNetworks):
        if as_json:
            print_json({**found.to_dict(), "seed": seed})
        elif to_stdout:
            print_lines(sif_bytes(found.union).decode().splitlines())
    elif as_json:
        each = [{**dag.to_dict(), "seed": seed} for dag in found]
        print_json(each[0] if rules.alternatives is None else {"networks": each, "seed": seed})
    elif to_stdout:
        for number, dag in enumerate(found, start=1):
            print_lines([f"# network {number}"] if rules.alternatives is not None else [])
            print_lines(sif_bytes(dag.graph).decode().splitlines())


def _say(found: tuple[Dag, ...] | SampleNetworks, rules: RuleOptions, screen: Console) -> None:
    """What was found and what is proved of it; ends with code 4 where that is less than was asked."""
    proofs: tuple[Proof, ...]
    if isinstance(found, SampleNetworks):
        dags, proofs = dict(found.dags), (found.proof,)
        left_out = sorted({name for names in found.inputs_left_out.values() for name in names})
        screen.print(f"all samples: {found.union.n_edges:,} edges")
    else:
        dags = {f"network {number}" if len(found) > 1 else "": dag for number, dag in enumerate(found, start=1)}
        proofs = tuple(dag.proof for dag in found)
        left_out = found[0].origin["inputs_left_out"]
    for title, dag in dags.items():
        screen.print(
            (f"{title}: " if title else "") + f"inputs: {len(dag.inputs):,}, hidden: {len(dag.hidden):,}, "
            f"outputs: {len(dag.outputs):,}, edges: {dag.graph.n_edges:,}"
        )
    if left_out:
        screen.print(f"inputs left out, absent or without a path: {len(left_out):,} ({quoted(left_out)})")
    not_taken = proofs[0].details.get("inputs_not_taken", [])
    if not_taken:
        screen.print(f"inputs not taken, for their reward: {len(not_taken):,} ({quoted(not_taken)})")
    for proof in proofs:
        screen.print(proof.sentence())
    if any(proof.details.get("interrupted") for proof in proofs):
        screen.print("stopped by Ctrl-C: this is the best so far")
    complete = rules.alternatives in (None, len(proofs)) or proofs[0].details["complete"]
    if any(map(_is_open, proofs)) or not complete:
        raise typer.Exit(LIMIT)


def _is_open(proof: Proof) -> bool:
    """Whether a limit left something unproved."""
    shared = proof.details.get("alternative", {})
    second = proof.details.get("prefer", {}).get("proved", True) and shared.get("shared") == shared.get("shared_bound")
    return proof.termination == "limit" or not second


def samples_bytes(found: SampleNetworks, out: Path) -> bytes:
    """SIF of the union for names that end in .sif or .sif.gz, else everything as JSON."""
    if out.name.endswith((".sif", ".sif.gz")):
        return sif_bytes(found.union, compress=out.name.endswith(".gz"))
    return found.to_json().encode()


def dag_bytes(dag: Dag, out: Path) -> bytes:
    """SIF for names that end in .sif or .sif.gz, else the whole network as JSON."""
    if out.name.endswith((".sif", ".sif.gz")):
        return sif_bytes(dag.graph, compress=out.name.endswith(".gz"))
    return dag.to_json().encode()


def check_certificate(
    path: Path, out: Path | None, objective: str, rules: RuleOptions, *, time_limit: float | None, force: bool
) -> None:
    """Refuse, before any work is done, a certificate that could not be made or written."""
    if replace(rules, edge_cost=None, costs=None, node_costs=None, rewards=None) != RuleOptions():
        raise OptionError("--certificate", str(path), "absent with options that change what a network has to respect")
    if time_limit == 0:
        raise OptionError("--certificate", str(path), "absent with --time-limit 0", do="making it takes time")
    if objective != "min_edges":
        raise OptionError("--certificate", str(path), "absent with another objective than min_edges")
    if out is not None and path.resolve() == out.resolve():
        raise OptionError("--certificate", str(path), "another file than --out")
    check_output(path, force=force)


def certified_bytes(
    pruned: PriorGraph,
    dag: Dag,
    path: Path,
    screen: Console,
    *,
    edge_cost: Any = None,
    time_limit: float | None,
    seed: int,
) -> bytes:
    """The certificate of a network as it stands in its file; what it proves is said."""
    with screen.status("certificate"):
        proof = certify_dag(pruned, dag, edge_cost=edge_cost, time_limit_s=time_limit, seed=seed)
    cuts, bound = len(proof.proved_by.cuts), float(proof.bound)
    screen.print(f"certificate: {cuts:,} cuts show, in exact arithmetic, that no network costs less than {bound:,.10g}")
    return proof.to_bytes(compress=path.name.endswith(".gz"))


def check_time_limit(time_limit: float | None) -> None:
    """Refuse a limit that is none, before any file is read."""
    if time_limit is not None and not time_limit >= 0:
        raise OptionError("--time-limit", time_limit, "a number of seconds >= 0", do="leave it out for no limit")
