"""`graphnn verify`: a network and its proof, without trusting the run that made them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

from graphnn.cli.common import (
    LIMIT,
    Force,
    Json,
    Network,
    Out,
    Quiet,
    Seed,
    Source,
    Target,
    console,
    print_json,
    print_lines,
    read_network,
    verb,
)
from graphnn.errors import NoNetworkError, VerificationError
from graphnn.extract.certificate import Certificate, CheckedBound, exact_cost, verify_certificate
from graphnn.extract.dag import Dag
from graphnn.extract.verify import verify_dag
from graphnn.graph.files import check_output, write_whole
from graphnn.graph.prior import PriorGraph

CertificateFile = Annotated[Path | None, typer.Option(help="Certificate of the network, as extract writes it.")]


@verb
def verify(
    network: Network,
    minimal: Annotated[Path, typer.Argument(help="Network JSON to check, as extract writes it.")],
    certificate: CertificateFile = None,
    source: Source = None,
    target: Target = None,
    out: Out = None,
    force: Force = False,
    json_: Json = False,
    quiet: Quiet = False,
    seed: Seed = 0,
) -> None:
    """Check a network against its prior network, and its certificate in exact arithmetic.

    Exit code 1 if a rule is broken, 4 if the network is right but the certificate proves less than is claimed of it.
    """
    if out is not None:
        check_output(out, force=force)
    graph = read_network(network, console(quiet=True), source=source, target=target)
    dag = Dag.read(minimal)
    proof = None if certificate is None else Certificate.read(certificate)
    pruned = _pruned(graph, dag)
    _check_origin(graph, pruned, dag)
    verify_dag(pruned, dag)
    checked = None if proof is None else verify_certificate(graph, dag, proof)
    short = checked is not None and _proves_less(checked, dag)
    lines = [_of_network(dag), _of_proof(dag, checked, short=short)]
    data = _data(dag, checked, lines, seed=seed)
    if out is not None:
        write_whole(out, (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode(), force=force)
    if json_:
        print_json(data)
    elif not quiet:
        print_lines(lines)
    if short:
        raise typer.Exit(LIMIT)


def _pruned(graph: PriorGraph, dag: Dag) -> PriorGraph:
    try:
        return graph.prune([*dag.inputs, *dag.proof.details.get("inputs_not_taken", ())], dag.outputs)
    except NoNetworkError as error:
        raise VerificationError("subgraph", str(error)) from error


def _check_origin(graph: PriorGraph, pruned: PriorGraph, dag: Dag) -> None:
    """Refuse a network that says it was extracted from another prior network."""
    stated = dag.origin.get("fingerprint")
    if stated is not None and stated not in (graph.fingerprint, pruned.fingerprint):
        raise VerificationError(
            "origin",
            f"expected a network extracted from this prior network ({pruned.fingerprint[:12]} when pruned), "
            f"got one from {str(stated)[:12]}",
        )


def _proves_less(checked: CheckedBound, dag: Dag) -> bool:
    """Whether the certificate falls short of the bound that the network's file claims."""
    if dag.proof.termination == "optimal":
        return not checked.is_minimal
    return dag.proof.bound is not None and float(checked.bound) < dag.proof.bound * (1 - 1e-9)


def _of_network(dag: Dag) -> str:
    return (
        f"network: acyclic, covers {_count(len(dag.inputs), 'input')} and {_count(len(dag.outputs), 'output')}, "
        f"{_count(dag.graph.n_edges, 'edge')}, none stray, all in the prior network, "
        f"cost {_number(exact_cost(dag))} recomputed"
    )


def _of_proof(dag: Dag, checked: CheckedBound | None, *, short: bool) -> str:
    if checked is None:
        if dag.proof.bound is None:
            return "certificate: none given; nothing is claimed about its size"
        return (
            f"certificate: none given; that no network costs less than {_number(Fraction(dag.proof.bound))} "
            "rests on the word of the run"
        )
    parts = _count(checked.n_cuts, "cut") + (f", {checked.n_cases:,} cases" if checked.n_cases > 1 else "")
    found = f"certificate: {parts}, bound {_number(checked.bound)} checked in exact arithmetic"
    if checked.is_minimal:
        gap = checked.objective - checked.bound
        return f"{found}: proved minimal" + (f", to within {float(gap):.1g}" if gap > 0 else "")
    claim = f", although {_number(Fraction(dag.proof.bound or 0))} is claimed" if short else ""
    return f"{found}: not proved minimal, a network may cost {_number(checked.objective - checked.bound)} less{claim}"


def _data(dag: Dag, checked: CheckedBound | None, lines: list[str], *, seed: int) -> dict[str, Any]:
    return {
        "network": {
            "fingerprint": dag.fingerprint,
            "inputs": len(dag.inputs),
            "outputs": len(dag.outputs),
            "edges": dag.graph.n_edges,
            "objective": dag.proof.objective,
        },
        "claim": {"termination": dag.proof.termination, "bound": dag.proof.bound},
        "certificate": None if checked is None else checked.to_dict(),
        "findings": lines,
        "seed": seed,
    }


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _number(value: Fraction) -> str:
    return f"{int(value):,}" if value.denominator == 1 else f"{float(value):,.10g}"
