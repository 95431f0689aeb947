"""SteinLib files: what is read, which way round, and what is refused with its line."""

from __future__ import annotations

import gzip
import pickle  # noqa: TID251 - errors must survive worker processes

import pytest

from solvers import solve
from solvers.bench.families import hypercube
from solvers.bench.steinlib import StpError, parse_stp, read_stp

UNDIRECTED = """33D32945 STP File, STP Format Version 1.0

SECTION Comment
Name    "star"
Remark  "END of the world"
END

# a comment
SECTION Graph
Nodes 5
Edges 5
E 1 2 1
E 2 3 2.5
E 2 4 1
E 4 5 1
E 1 5 7
END

SECTION Terminals
Terminals 3
T 1
T 3
T 5
END

SECTION Coordinates
DD 1 80 40
END

EOF
"""
DIRECTED = """33d32945 stp file
section graph
nodes 4
arcs 4
a 1 2 3
A 1 3 1
A 3 2 1
A 2 4 1
end
section terminals
terminals 2
root 1
t 2
t 4
end
eof
"""


def edges_of(problem):
    return sorted(zip(problem.sources.tolist(), problem.targets.tolist(), problem.costs.tolist(), strict=True))


def test_an_undirected_edge_is_two_edges_and_the_first_terminal_the_output():
    problem = parse_stp(UNDIRECTED)
    once = [(0, 1, 1.0), (1, 2, 2.5), (1, 3, 1.0), (3, 4, 1.0), (0, 4, 7.0)]
    assert edges_of(problem) == sorted(once + [(head, tail, cost) for tail, head, cost in once])
    assert problem.outputs.tolist() == [0]
    assert problem.inputs.tolist() == [2, 4]
    assert solve(problem).objective == 5.5


def test_arcs_run_away_from_the_root_in_the_file_and_towards_the_output_here():
    problem = parse_stp(DIRECTED)
    assert edges_of(problem) == [(1, 0, 3.0), (1, 2, 1.0), (2, 0, 1.0), (3, 1, 1.0)]
    assert problem.outputs.tolist() == [0]
    assert problem.inputs.tolist() == [1, 3]
    assert solve(problem).objective == 3.0


@pytest.mark.parametrize("word", ["Root", "RootP"])
def test_a_root_of_an_undirected_file_is_the_output_also_among_the_terminals(word):
    text = UNDIRECTED.replace("Terminals 3\n", f"Terminals 3\n{word} 5\n")
    assert parse_stp(text).outputs.tolist() == [4]
    assert parse_stp(text).inputs.tolist() == [0, 2]
    assert solve(parse_stp(text)).objective == 5.5


def test_files_are_read_plain_and_through_gzip(tmp_path):
    (tmp_path / "a.stp").write_text(UNDIRECTED)
    (tmp_path / "a.stp.gz").write_bytes(gzip.compress(UNDIRECTED.encode()))
    assert edges_of(read_stp(tmp_path / "a.stp")) == edges_of(read_stp(tmp_path / "a.stp.gz"))


def test_a_hypercube_written_as_steinlib_writes_it_is_the_drawn_one():
    cube = hypercube(4)
    pairs = [(s, t) for s, t in zip(cube.sources.tolist(), cube.targets.tolist(), strict=True) if s < t]
    ends = [*cube.outputs.tolist(), *cube.inputs.tolist()]
    lines = ["33D32945 STP File", "SECTION Graph", "Nodes 16", f"Edges {len(pairs)}"]
    lines += [*(f"E {s + 1} {t + 1} 1" for s, t in pairs), "END", "SECTION Terminals", f"Terminals {len(ends)}"]
    lines += [*(f"T {vertex + 1}" for vertex in ends), "END", "EOF"]
    read = parse_stp("\n".join(lines))
    assert edges_of(read) == edges_of(cube)
    assert (read.inputs.tolist(), read.outputs.tolist()) == (cube.inputs.tolist(), cube.outputs.tolist())


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("33D32945 STP File", "STP File", 1, "header"),
        ("SECTION Graph", "SECTION Tree", 9, "Comment, Graph, Terminals and Coordinates"),
        ("SECTION Graph", "SECTION Presolve", 9, "Comment, Graph"),
        ("# a comment", "E 1 2 1", 8, "SECTION or EOF"),
        ("E 2 3 2.5", "E 2 3", 13, "cost"),
        ("E 2 3 2.5", "E 2 3 2.5 4", 13, "cost"),
        ("E 2 3 2.5", "E 2 3 -1", 13, ">= 0"),
        ("E 2 3 2.5", "E 2 3 nan", 13, "cost"),
        ("E 2 3 2.5", "E 2 three 1", 13, "whole number"),
        ("E 2 3 2.5", "E 2 2 1", 13, "two different ends"),
        ("E 2 3 2.5", "EC 2 3 1", 13, "Nodes, Edges, Arcs, E or A"),
        ("E 1 5 7\nEND", "E 1 5 7", 18, "Nodes, Edges, Arcs, E or A"),
        ("T 3", "TP 3 5", 22, "Terminals, Root, RootP or T"),
        ("T 3", "T", 22, "whole number"),
        ("EOF\n", "", 28, "EOF"),
        ("END\n\nEOF\n", "", 27, "inside a section"),
    ],
)
def test_a_line_that_is_not_right_is_named(before, after, line, words):
    assert before in UNDIRECTED
    with pytest.raises(StpError, match=words) as caught:
        parse_stp(UNDIRECTED.replace(before, after, 1), name="x.stp")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"x.stp, line {line}: expected")


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("Edges 5", "Edges 6", "expected 6 edges as announced, got 5"),
        ("Terminals 3", "Terminals 2", "expected 2 terminals as announced, got 3"),
        ("Nodes 5", "Nodes 4", "from 1 to 4"),
        ("Nodes 5\n", "", "from 1 to 0"),
        ("E 1 5 7", "E 0 5 7", "from 1 to 5"),
        ("Terminals 3\nT 1\nT 3\nT 5", "Terminals 1\nT 1", "a terminal beside it"),
        ("E 1 5 7", "A 1 5 7", "expected 5 edges"),
    ],
)
def test_counts_ends_and_roles_are_compared(before, after, words):
    assert before in UNDIRECTED
    with pytest.raises(StpError, match=words):
        parse_stp(UNDIRECTED.replace(before, after, 1))


def test_counts_of_edges_need_not_be_announced():
    assert parse_stp(UNDIRECTED.replace("Edges 5\n", "")).n_edges == 10


def test_arcs_without_a_root_are_refused():
    with pytest.raises(StpError, match="expected a Root"):
        parse_stp(DIRECTED.replace("root 1\n", ""))


@pytest.mark.parametrize("content", [None, b"", b"\x00\xff" * 10])
def test_a_file_that_is_absent_or_something_else_is_refused(content, tmp_path):
    path = tmp_path / "a.stp"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StpError, match="expected"):
        read_stp(path)
    (tmp_path / "a.stp.gz").write_bytes(b"no gzip")
    with pytest.raises(StpError, match="cannot be read"):
        read_stp(tmp_path / "a.stp.gz")


def test_the_error_survives_worker_processes():
    error = StpError("a.stp", "expected this", line=3)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(again), again.name, again.line) == (str(error), "a.stp", 3)
