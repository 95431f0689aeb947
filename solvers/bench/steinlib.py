"""Reading SteinLib files (.stp, .stp.gz): undirected Steiner trees and Steiner arborescences as problems.

The format is that of Koch, Martin and Voss, *SteinLib: An updated library on Steiner tree problems in graphs* (2001).
An undirected edge (`E`) becomes two edges of one cost. In SteinLib the arcs (`A`) of an arborescence run from the root
to the terminals; here inputs must reach the output, so arcs are reversed: terminals are inputs, the root is the output.
Without a root the first terminal is it, which changes nothing for undirected edges and is refused for arcs.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from solvers.errors import ProblemError
from solvers.problem import Problem

MAGIC = "33d32945"
SKIPPED = ("comment", "coordinates")  # they say nothing of the problem
READ = ("graph", "terminals")
COUNTED = {"graph": ("nodes", "edges", "arcs"), "terminals": ("terminals",)}


class StpError(ProblemError):
    """A file is not what SteinLib's format asks for: `name` of the file, `line` (None: no single one), `reason`."""

    def __init__(self, name: str, reason: str, *, line: int | None = None) -> None:
        self.name, self.reason, self.line = name, reason, line
        super().__init__(f"{name}{'' if line is None else f', line {line}'}: {reason}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuilt, (self.name, self.reason, self.line)


@dataclass
class _Draft:
    """What was read so far; vertices are numbered from 1, as in the file."""

    counts: dict[str, int] = field(default_factory=dict)
    edges: list[tuple[int, int, float]] = field(default_factory=list)
    arcs: list[tuple[int, int, float]] = field(default_factory=list)
    terminals: list[int] = field(default_factory=list)
    root: int | None = None


def read_stp(path: str | Path) -> Problem:
    """Read a SteinLib file.

    Args:
        path: The file; through gzip if its name ends in ".gz".

    Raises:
        StpError: The file is absent or cannot be read, or a line is not what the format asks for: the line is
            named. Sections that change the problem (prizes, degrees, presolve) are refused, not skipped.
    """
    return parse_stp(_text(Path(path)), name=str(path))


def parse_stp(text: str, *, name: str = "text") -> Problem:
    """As `read_stp`, for the text of a file; `name` stands in errors."""
    lines = _lines(text, name)
    number, words = next(lines, (1, [""]))
    if words[0].lower() != MAGIC:
        raise _wrong(name, number, "the header '33D32945 STP File'", " ".join(words))
    draft, section = _Draft(), ""
    for number, words in lines:
        key = words[0].lower()
        if key == "eof":
            break
        if key == "section" and not section:
            section = _section(words, name, number)
        elif key == "end" and section:
            section = ""
        elif not section:
            raise _wrong(name, number, "SECTION or EOF", " ".join(words))
        elif section in READ:
            _take(draft, section, words, (name, number))
    else:
        raise _wrong(name, number, "EOF at the end", f"the end of the file{' inside a section' if section else ''}")
    return _problem(draft, name)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if path.name.lower().endswith(".gz") else data).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise StpError(str(path), f"expected a SteinLib file, but it cannot be read ({error})") from error


def _lines(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Number and words of each line that is neither empty nor a comment."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


def _section(words: list[str], name: str, number: int) -> str:
    section = " ".join(words[1:]).lower()
    if section not in (*SKIPPED, *READ):
        raise _wrong(name, number, "one of the sections Comment, Graph, Terminals and Coordinates", " ".join(words[1:]))
    return section


def _take(draft: _Draft, section: str, words: list[str], place: tuple[str, int]) -> None:
    """Put one line of a section into the draft."""
    key = words[0].lower()
    if section == "graph" and key in ("e", "a"):
        tail, head = _whole(words, 1, place), _whole(words, 2, place)
        cost = _cost(words, place)
        if tail == head:
            raise _wrong(*place, "two different ends", " ".join(words))
        (draft.edges if key == "e" else draft.arcs).append((tail, head, cost))
    elif key in COUNTED[section]:
        draft.counts[key] = _whole(words, 1, place)
    elif section == "terminals" and key == "t":
        draft.terminals.append(_whole(words, 1, place))
    elif section == "terminals" and key in ("root", "rootp"):
        draft.root = _whole(words, 1, place)
    else:
        known = "Nodes, Edges, Arcs, E or A" if section == "graph" else "Terminals, Root, RootP or T"
        raise _wrong(*place, known, " ".join(words))


def _whole(words: list[str], index: int, place: tuple[str, int]) -> int:
    """The whole number at a position of a line."""
    if index < len(words) and words[index].isascii() and words[index].isdigit():
        return int(words[index])
    raise _wrong(*place, f"a whole number behind {words[0]} (word {index + 1})", " ".join(words))


def _cost(words: list[str], place: tuple[str, int]) -> float:
    """The cost of an edge: the fourth and last word of its line."""
    try:
        cost = float(words[3])
    except (IndexError, ValueError):
        cost = -1.0
    if len(words) != 4 or not 0.0 <= cost < math.inf:
        raise _wrong(*place, f"'{words[0]} tail head cost' with one cost >= 0", " ".join(words))
    return cost


def _problem(draft: _Draft, name: str) -> Problem:
    found = {"edges": len(draft.edges), "arcs": len(draft.arcs), "terminals": len(draft.terminals)}
    for key, count in found.items():
        if draft.counts.get(key, count) != count:
            raise StpError(name, f"expected {draft.counts[key]} {key} as announced, got {count}")
    n = draft.counts.get("nodes", 0)
    ends = [end for tail, head, _ in (*draft.edges, *draft.arcs) for end in (tail, head)]
    roles = [*draft.terminals, *([] if draft.root is None else [draft.root])]
    outside = [vertex for vertex in (*ends, *roles) if not 1 <= vertex <= n]
    if outside:
        raise StpError(name, f"expected vertices from 1 to {n} (Nodes), got {outside[0]}")
    if draft.root is None and draft.arcs:
        raise StpError(name, "expected a Root in section Terminals of a file with arcs (A), got none")
    root = draft.root if draft.root is not None else next(iter(draft.terminals), None)
    inputs = sorted({*draft.terminals} - {root})
    if root is None or not inputs:
        raise StpError(name, f"expected a root and a terminal beside it, got {len(draft.terminals)} terminals")
    # Reversed: an arc of the file runs away from the root, an edge of the problem towards it.
    run = [(head, tail, cost) for tail, head, cost in (*draft.edges, *draft.arcs)] + draft.edges
    return Problem(
        n_vertices=n,
        sources=[tail - 1 for tail, _, _ in run],
        targets=[head - 1 for _, head, _ in run],
        inputs=[vertex - 1 for vertex in inputs],
        outputs=[root - 1],
        costs=[cost for _, _, cost in run],
    )


def _wrong(name: str, number: int, expected: str, got: str) -> StpError:
    return StpError(name, f"expected {expected}, got {got!r}", line=number)


def _rebuilt(name: str, reason: str, line: int | None) -> StpError:
    return StpError(name, reason, line=line)
