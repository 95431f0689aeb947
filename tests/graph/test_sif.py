"""Reading and writing SIF files: every dialect that is promised, and every line that must be refused by its number."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given

import graphnn as gn
from graphnn.errors import FormatError, MissingFileError
from graphnn.graph.sif import sif_bytes
from tests.oracles.strategies import PriorCase, prior_cases

TRIANGLE = [("a", 1, "b"), ("a", -1, "c"), ("b", 0, "c")]


@pytest.fixture
def sif(tmp_path: Path):
    """Write bytes or text to a file and read it as SIF."""

    def read(content: str | bytes, name: str = "net.sif") -> gn.PriorGraph:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return gn.read_sif(path)

    return read


@pytest.mark.parametrize(
    "text",
    [
        "a\t1\tb\na\t-1\tc\nb\t0\tc\n",
        "a 1 b\na -1 c\nb 0 c\n",
        "a   1  b\n   a -1 c  \n\n\nb 0 c",
        "# a header\na\tactivates\tb\n#\tb\t1\ta\na\tINHIBITS\tc\nb\t?\tc\n",
        "a -> b\na -| c\nb unknown c\n",
        "a + b\na - c\nb 0.0 c\n",
        "a\t1\tb\r\na\t-1\tc\r\nb\t0\tc\r\n",
        "\ufeffa\t1\tb\na\t-1\tc\nb\t0\tc\n",
        "a\t1\tb\t\na\t-1\tc\t\t\nb\t0\tc\n",
        "a\t 1\tb \n a\t-1\tc\nb\t0\t c\n",
    ],
    ids=["tabs", "blanks", "ragged blanks", "comments", "arrows", "plus", "CRLF", "BOM", "trailing tabs", "padding"],
)
def test_every_dialect_gives_the_same_network(sif, text):
    assert sif(text).to_sif_tuples() == TRIANGLE


def test_gzip_is_read_by_its_name(sif):
    assert sif(gzip.compress(b"\xef\xbb\xbfa\t1\tb\r\na -1 c\n".replace(b" ", b"\t")), "n.sif.gz").n_edges == 2


def test_one_line_to_many_targets(sif):
    assert sif("a\t1\tb\tc\td\n").to_sif_tuples() == [("a", 1, "b"), ("a", 1, "c"), ("a", 1, "d")]
    assert sif("a activates b c\n").n_edges == 2


def test_a_line_with_one_name_is_a_vertex_without_edges(sif):
    graph = sif("lonely\na\t1\tb\n")
    assert graph.nodes == ("a", "b", "lonely")
    assert graph.n_edges == 1


@pytest.mark.parametrize("name", ["NA", "nan", "None", "null", "NULL", "inf", "1", "-1", "True", "é", "a/b-c:d"])
def test_names_that_look_like_something_else_stay_names(sif, name):
    assert sif(f"{name}\t1\tTARGET\n").nodes == tuple(sorted([name, "TARGET"]))


def test_names_keep_their_blanks_in_a_file_with_tabs(sif):
    assert sif("T cell\tactivates\tCD 3\n").to_sif_tuples() == [("T cell", 1, "CD 3")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\t1\tb\na\tphosphorylates\tb\n", 2),
        ("# c\n\na\t2\tb\n", 3),
        ("a 1 b\r\nc maybe d\r\n", 2),
        ("a\t1\tb\n\nb\t1\n", 3),
        ("a 1 b\nb c\n", 2),
        ("a\t1\tb\n\t1\tb\n", 2),
        ("a\t1\t\tb\n", 1),
        ("a\t1\tb\na\t \tb\n", 2),
        ("a\t1\tb\na\t−1\tc\n", 2),
        ("a\tnan\tb\n", 1),
    ],
    ids=[
        "unknown word", "number out of range", "CRLF", "two fields", "two blanks", "no source", "empty target",
        "empty interaction", "a minus that is none", "nan",
    ],
)  # fmt: skip
def test_a_bad_line_is_named(sif, text, line):
    with pytest.raises(FormatError) as caught:
        sif(text)
    assert caught.value.line == line
    assert caught.value.path.endswith("net.sif")
    assert f"line {line}" in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "lonely\n", "\ufeff"])
def test_a_file_without_edges_is_refused(sif, text):
    with pytest.raises(FormatError, match="at least one edge"):
        sif(text)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.sif") as caught:
        gn.read_sif(tmp_path / "none.sif")
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.path.endswith("none.sif")


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"a\t1\tb\n", "plain.sif.gz"),
        (gzip.compress(b"a\t1\tb\n", mtime=0)[:-6], "cut.sif.gz"),
        (b"\xff\xfe\x00a", "bytes.sif"),
    ],
)
def test_bytes_that_are_no_text_are_refused(sif, content, name):
    with pytest.raises(FormatError) as caught:
        sif(content, name)
    assert caught.value.path.endswith(name)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(FormatError):
        gn.read_sif(tmp_path)


def test_a_tab_in_a_comment_does_not_make_blanks_part_of_names(sif):
    assert sif("# made by\tsomebody\na 1 b\na -1 c\nb 0 c\n").to_sif_tuples() == TRIANGLE


def test_an_edge_with_blanks_in_a_file_with_tabs_is_not_read_as_a_vertex(sif):
    """Cytoscape's rule alone would make the first line one vertex called "a 1 b", and lose an edge in silence."""
    with pytest.raises(FormatError) as caught:
        sif("a 1 b\na\t-1\tc\n")
    assert caught.value.line == 1


@given(case=prior_cases())
def test_what_is_written_is_read_back(case: PriorCase, tmp_path_factory):
    graph = gn.PriorGraph.from_sif_tuples([row for row in case.triples if not (row[0] + row[2]).count("#")])
    if not graph.n_edges:
        return
    for name in ("net.sif", "net.sif.gz"):
        path = tmp_path_factory.mktemp("sif") / name
        path.write_bytes(sif_bytes(graph, compress=name.endswith(".gz")))
        assert gn.read_sif(path) == graph


def test_writing_twice_gives_the_same_bytes():
    graph = gn.PriorGraph.from_sif_tuples(TRIANGLE)
    assert sif_bytes(graph) == b"a\t1\tb\na\t-1\tc\nb\t0\tc\n"
    assert sif_bytes(graph, compress=True) == sif_bytes(graph, compress=True)
    assert gzip.decompress(sif_bytes(graph, compress=True)) == sif_bytes(graph)


@pytest.mark.parametrize("name", ["#7", "two\tfields", "two\nlines", " padded ", "next\x85line"])
def test_a_name_that_sif_cannot_hold_is_never_lost_in_silence(name, tmp_path):
    graph = gn.PriorGraph.from_sif_tuples([(name, 1, "b"), ("b", 1, "c")])
    try:
        (tmp_path / "net.sif").write_bytes(sif_bytes(graph))
    except FormatError:
        return
    assert gn.read_sif(tmp_path / "net.sif") == graph
