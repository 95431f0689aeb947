"""SIF files: `source interaction target`, one edge or one-to-many a line, plain or gzip."""

from __future__ import annotations

import gzip
from pathlib import Path

from graphnn.errors import FormatError
from graphnn.graph.files import read_text
from graphnn.graph.interaction import parse_interaction
from graphnn.graph.prior import PriorGraph


def read_sif(path: str | Path) -> PriorGraph:
    """Read a SIF file into a PriorGraph; the edges must run in the direction of computation.

    Fields are separated by tabs if the file has a tab anywhere, else by blanks (the rule of Cytoscape). A line
    `A rel B C D` stands for three edges; a line with one field names a vertex without edges; lines that begin with
    `#` and empty lines are skipped. Interactions are 1, -1, 0 or words (`graphnn.graph.interaction.WORDS`).

    Args:
        path: The file; read through gzip if its name ends in ".gz".

    Raises:
        MissingFileError: There is no such file.
        FormatError: The file is empty or not text, a line has two fields or an empty one, or an interaction is
            unknown; the line is named.
    """
    text = read_text(path, what="a SIF file")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    delimiter = "\t" if any("\t" in line for line in lines if not line.startswith("#")) else None
    sources: list[str] = []
    targets: list[str] = []
    signs: list[int] = []
    isolated: list[str] = []
    known: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        plain = line.split("\t")
        if len(plain) == 3 and plain[1] in known and _is_plain(line) and plain[0] and plain[2]:
            sources.append(plain[0])  # the common line, read without looking twice: a million take a second less
            targets.append(plain[2])
            signs.append(known[plain[1]])
            continue
        if line.startswith("#") or not line.strip():
            continue
        fields = [field.strip() for field in line.rstrip("\t ").split(delimiter)]
        if len(fields) == 1 and len(line.split()) < 3:
            isolated.append(fields[0])
            continue
        if len(fields) < 3 or not all(fields):
            raise FormatError(
                f"expected 'source interaction target', got {len(fields)} fields {line.strip()!r}; "
                f"separate the fields by {'tabs, as elsewhere in this file' if delimiter else 'tabs or blanks'}",
                path=path,
                line=number,
            )
        source, word, *heads = fields
        if word not in known:
            known[word] = _sign_in_line(word, path=path, line=number)
        sign = known[word]
        for head in heads:
            sources.append(source)
            targets.append(head)
            signs.append(sign)
    if not sources:
        raise FormatError("expected at least one edge, found none; is this the right file?", path=path)
    return PriorGraph.from_edges(sources, targets, signs, isolated=isolated)


def _is_plain(line: str) -> bool:
    """Whether nothing in a line needs stripping, and it is no comment."""
    return line.isascii() and " " not in line and line[0] != "#"


def sif_bytes(graph: PriorGraph, *, compress: bool = False) -> bytes:
    """The edges as tab-separated `source interaction target` lines, with gzip or without.

    The bytes depend on the graph alone (no time stamp). Vertices without edges stand alone on a line.

    Raises:
        FormatError: A name cannot stand in a SIF file: it begins with `#` or a blank, ends in one, or holds a tab or
            the end of a line. Such networks keep their names in the JSON of a Dag.
    """
    for name in graph.nodes:
        if name.startswith("#") or name != name.strip() or "\t" in name or len(name.splitlines()) != 1:
            raise FormatError(f"expected names that SIF can hold, got {name!r}; rename it, or write JSON")
    lines = [f"{source}\t{sign}\t{target}" for source, sign, target in graph.to_sif_tuples()]
    touched = {*graph.sources.tolist(), *graph.targets.tolist()}
    lines += [name for index, name in enumerate(graph.nodes) if index not in touched]
    data = ("\n".join(lines) + "\n").encode()
    return gzip.compress(data, mtime=0) if compress else data


def _sign_in_line(word: str, *, path: str | Path, line: int) -> int:
    try:
        return parse_interaction(word)
    except FormatError as error:
        raise FormatError(error.reason, path=path, line=line) from error
