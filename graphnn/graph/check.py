"""The pre-flight check: what can be said of a network and a list of measured names before anything is solved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnn.errors import NoNetworkError, did_you_mean, quoted
from graphnn.graph.prior import PriorGraph, as_names
from graphnn.graph.reach import strong_components

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing.

    Attributes:
        level: "ok", "note" (nothing to do, but know it), "warning" (something is lost), "error" (no network exists).
        topic: "inputs", "outputs", "duplicates", "self-loops", "sign conflicts", "signs", "cycles", "size", "roles".
        sentence: In words, with counts.
        names: All names concerned.
    """

    level: str
    topic: str
    sentence: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """Findings and the numbers behind them; `ok` is whether a network exists."""

    findings: tuple[Finding, ...]
    numbers: dict[str, int]

    @property
    def ok(self) -> bool:
        """Whether a network exists that joins at least one input to every output."""
        return all(finding.level != "error" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types."""
        return {
            "ok": self.ok,
            "numbers": dict(self.numbers),
            "findings": [
                {"level": f.level, "topic": f.topic, "sentence": f.sentence, "names": list(f.names)}
                for f in self.findings
            ],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: level, topic, sentence."""
        import pandas as pd

        return pd.DataFrame(
            [(f.level, f.topic, f.sentence) for f in self.findings], columns=["level", "topic", "sentence"]
        )

    def __str__(self) -> str:
        return "\n".join(f"{f.level:8}{f.topic}: {f.sentence}" for f in self.findings)


def check(graph: PriorGraph, inputs: Iterable[str], outputs: Iterable[str]) -> Check:
    """Say in words whether network, inputs and outputs fit together, and what would be lost.

    Args:
        graph: The prior knowledge network as read.
        inputs: Measured vertices.
        outputs: Predicted vertices.

    Returns:
        Findings on reading (duplicates, self-loops, sign conflicts), inputs and outputs (absent, not connected,
        in both roles), cycles, and the size of the problem. Nothing is solved; linear time.

    Example:
        >>> g = PriorGraph.from_sif_tuples([("x", 1, "y"), ("y", 1, "z"), ("z", 1, "y")])
        >>> report = check(g, ["x", "w"], ["y"])
        >>> report.ok, [f.topic for f in report.findings if f.level == "warning"]
        (True, ['inputs'])
    """
    wanted_in, wanted_out = as_names(inputs, role="inputs"), as_names(outputs, role="outputs")
    findings = reading(graph)
    numbers = {"nodes": graph.n_nodes, "edges": graph.n_edges, "inputs": len(wanted_in), "outputs": len(wanted_out)}
    both = tuple(sorted({*wanted_in} & {*wanted_out}))
    if both:
        findings.append(
            Finding(
                "error", "roles", f"{quoted(both)} {_are(both)} input and output; measure or predict it, not both", both
            )
        )
    try:
        pruned = graph.prune(wanted_in, wanted_out)
    except NoNetworkError as error:
        findings += _impossible(graph, wanted_in, wanted_out, error)
        return Check(tuple(findings), numbers)
    findings += _roles(pruned, wanted_in, wanted_out)
    findings += _problem(pruned, numbers, n_inputs=sum(name in pruned for name in wanted_in))
    return Check(tuple(findings), numbers)


def reading(graph: PriorGraph) -> list[Finding]:
    """What reading merged or left out, and how many signs are unknown."""
    read = graph.ingestion
    findings = []
    if read.duplicates:
        names = tuple(f"{source} -> {target}" for source, target in read.duplicates)
        findings.append(
            Finding("note", "duplicates", f"{_count(names, 'edge')} given more than once; kept once", names)
        )
    if read.self_loops:
        text = f"{_count(read.self_loops, 'edge')} from a vertex to itself left out"
        findings.append(Finding("note", "self-loops", text, read.self_loops))
    if read.sign_conflicts:
        names = tuple(f"{source} -> {target}" for source, target in read.sign_conflicts)
        text = f"{_count(names, 'edge')} given as activating and as inhibiting; kept with sign 0 (unknown)"
        findings.append(Finding("warning", "sign conflicts", text, names))
    unknown = int((graph.interactions == 0).sum())
    if unknown:
        findings.append(Finding("note", "signs", f"{unknown:,} of {graph.n_edges:,} edges have no known sign"))
    return findings


def _roles(pruned: PriorGraph, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> list[Finding]:
    lost = pruned.dropped
    kept = sum(name in pruned for name in inputs)
    level = "ok" if kept == len(inputs) else "warning"
    findings = [Finding(level, "inputs", f"{kept:,} of {len(inputs):,} inputs are in the network and reach an output")]
    if lost.absent_inputs:
        text = f"{_count(lost.absent_inputs, 'input')} not in the network: {quoted(lost.absent_inputs)}"
        findings.append(Finding("warning", "inputs", text, lost.absent_inputs))
    if lost.lost_inputs:
        text = f"{_count(lost.lost_inputs, 'input')} without a path to an output: {quoted(lost.lost_inputs)}"
        findings.append(Finding("warning", "inputs", text, lost.lost_inputs))
    missing = tuple(sorted((*lost.absent_outputs, *lost.lost_outputs)))
    if missing:
        text = f"{_count(missing, 'output')} absent or reached from no input: {quoted(missing)}; leave them out"
        findings.append(Finding("error", "outputs", text, missing))
    else:
        findings.append(Finding("ok", "outputs", f"{_count(outputs, 'output')} reached"))
    return findings


def _impossible(
    graph: PriorGraph, inputs: tuple[str, ...], outputs: tuple[str, ...], error: NoNetworkError
) -> list[Finding]:
    """Why there is no network: names that are absent, for either role, or else that nothing connects them."""
    findings = []
    for role, wanted in (("inputs", inputs), ("outputs", outputs)):
        absent = tuple(name for name in wanted if name not in graph)
        if wanted and len(absent) == len(wanted):
            text = f"none of {len(wanted):,} {role} is in the network: {quoted(absent)}" + did_you_mean(
                absent, graph.nodes
            )
            findings.append(Finding("error", role, text, absent))
    return findings or [Finding("error", "outputs", str(error), (*error.inputs, *error.outputs))]


def _problem(pruned: PriorGraph, numbers: dict[str, int], *, n_inputs: int) -> list[Finding]:
    count, label = strong_components(pruned.n_nodes, pruned.sources, pruned.targets)
    largest = int(np.bincount(label).max())
    inner = int((label[pruned.sources] == label[pruned.targets]).sum())
    numbers.update(
        pruned_nodes=pruned.n_nodes,
        pruned_edges=pruned.n_edges,
        pruned_inputs=n_inputs,
        components=count,
        largest_component=largest,
        edges_in_components=inner,
    )
    if largest == 1:
        cycles = Finding("ok", "cycles", "the network is acyclic already")
    else:
        text = (
            f"the network is cyclic: the largest strongly connected component has {largest:,} vertices, "
            f"{inner:,} edges lie on cycles; extract an acyclic network before compiling"
        )
        cycles = Finding("note", "cycles", text)
    size = (
        f"{pruned.n_nodes:,} vertices and {pruned.n_edges:,} edges lie on input-to-output paths "
        f"({pruned.dropped.n_edges:,} edges do not)"
    )
    return [cycles, Finding("ok", "size", size)]


def _count(names: tuple[str, ...], noun: str) -> str:
    return f"{len(names):,} {noun}{'' if len(names) == 1 else 's'}"


def _are(names: tuple[str, ...]) -> str:
    return "is" if len(names) == 1 else "are"
