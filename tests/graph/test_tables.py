"""Edge tables: direction, signs from words, weights and flags, and what must be refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest

import graphnn as gn
from graphnn.errors import FormatError, GraphnnError, MissingFileError


@pytest.fixture
def table(tmp_path: Path):
    """Write text to a file and read it as an edge table."""

    def read(text: str | bytes, name: str = "edges.csv", **options) -> gn.PriorGraph:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return gn.read_edge_table(path, **options)

    return read


def test_a_kpnn_edge_list_is_reversed_on_request_only(table):
    kpnn = "parent,child\nTCR,LCK\nLCK,LCK_gene\n"
    assert table(kpnn, source="child", target="parent").to_sif_tuples() == [("LCK", 0, "TCR"), ("LCK_gene", 0, "LCK")]
    assert table(kpnn, source="parent", target="child").to_sif_tuples() == [("LCK", 0, "LCK_gene"), ("TCR", 0, "LCK")]
    with pytest.raises(FormatError, match="'source'") as caught:
        table(kpnn)
    assert "'parent'" in str(caught.value)


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_the_delimiter_is_read_off_the_header(table, delimiter):
    rows = [["source", "interaction", "target"], ["a", "activates", "b"], ["b", "-1", "c d"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    assert table(text).to_sif_tuples() == [("a", 1, "b"), ("b", -1, "c d")]


def test_gzip_byte_order_mark_and_windows_line_ends(table):
    data = "\ufeffsource,target\r\na,b\r\n".encode()
    assert table(data).to_sif_tuples() == [("a", 0, "b")]
    assert table(gzip.compress(data), name="edges.csv.gz").to_sif_tuples() == [("a", 0, "b")]


def test_omnipath_flags(table):
    text = (
        "source,target,is_stimulation,is_inhibition,curation\n"
        "a,b,1,0,x\na,c,0,1,x\na,d,1,1,x\na,e,0,0,x\na,f,True,False,x\na,g,False,True,x\n"
    )
    signs = {target: sign for _, sign, target in table(text).to_sif_tuples()}
    assert signs == {"b": 1, "c": -1, "d": 0, "e": 0, "f": 1, "g": -1}
    frame = pd.DataFrame(
        {"source": ["a", "a"], "target": ["b", "c"], "is_stimulation": [True, False], "is_inhibition": [False, True]}
    )
    assert gn.read_edge_table(frame).to_sif_tuples() == [("a", 1, "b"), ("a", -1, "c")]


def test_the_sign_of_a_decoupler_weight_is_the_interaction(table):
    text = "source,target,weight\na,b,0.3\na,c,-2\na,d,0\na,e,1e-9\n"
    signs = {target: sign for _, sign, target in table(text).to_sif_tuples()}
    assert signs == {"b": 1, "c": -1, "d": 0, "e": 1}
    with pytest.raises(FormatError) as caught:
        table("source,target,weight\na,b,1\na,c,nan\n")
    assert caught.value.line == 3
    renamed = table("tf\ttarget\tmor\na\tb\t-1\n", source="tf", weight="mor")
    assert renamed.to_sif_tuples() == [("a", -1, "b")]


def test_a_column_that_is_asked_for_beats_one_that_is_found(table):
    text = "source,target,interaction,mor\na,b,1,-1\n"
    assert table(text, weight="mor").to_sif_tuples() == [("a", -1, "b")]


def test_a_flag_that_is_asked_for_alone_is_not_ignored(table):
    text = "source,target,up\na,b,1\n"
    try:
        graph = table(text, stimulation="up")
    except GraphnnError:
        return
    assert graph.to_sif_tuples() == [("a", 1, "b")]


@pytest.mark.parametrize("option", ["source", "target", "interaction", "weight", "stimulation", "inhibition"])
def test_a_missing_column_is_named_with_those_there_are(table, option):
    with pytest.raises(FormatError) as caught:
        table("source,target\na,b\n", **{option: "colour"})
    assert "'colour'" in str(caught.value)
    assert "'target'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("source,target\na,b\na\n", 3),
        ("source,target\na,b,c\n", 2),
        ("source,target\na,b\n,c\n", 3),
        ("source,target\na,\n", 2),
        ("source,target\na,b\n\n,c\n", 4),
        ("source,interaction,target\na,1,b\na,sideways,c\n", 3),
        ("source,target,is_stimulation,is_inhibition\na,b,yes,0\n", 2),
        ('source,target\n"a\nb",c\nd\n', 4),
    ],
    ids=[
        "short", "long", "no source", "no target", "after an empty line", "unknown word", "odd flag",
        "after a name of two lines",
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_its_line(table, text, line):
    with pytest.raises(FormatError) as caught:
        table(text)
    assert caught.value.line == line


@pytest.mark.parametrize("text", ["", "\n", "source,target\n", '"source,target\na,b\n'])
def test_a_table_without_rows_is_refused(table, text):
    with pytest.raises(FormatError):
        table(text)


def test_a_column_that_is_there_twice_is_refused(table):
    with pytest.raises(FormatError, match="source"):
        table("source,target,source\na,b,c\nd,e,f\n")


def test_bare_carriage_returns_are_read_or_refused(table):
    try:
        graph = table(b"source,target\ra,b\r")
    except FormatError:
        return
    assert graph.to_sif_tuples() == [("a", 0, "b")]


def test_names_stay_as_they_are(table):
    text = 'source,target\nNA,nan\nNone,"x,y"\n007,1.0\n'
    assert set(table(text).nodes) == {"NA", "nan", "None", "x,y", "007", "1.0"}


@pytest.mark.parametrize("value", [None, float("nan"), 7, ""])
def test_a_frame_whose_names_are_no_names_is_refused(value):
    frame = pd.DataFrame({"source": ["a", value], "target": ["b", "c"]}, dtype=object)
    with pytest.raises(FormatError) as caught:
        gn.read_edge_table(frame)
    assert caught.value.line == 3


def test_a_frame_is_not_changed():
    frame = pd.DataFrame({"source": [" a"], "target": ["b"], "interaction": ["->"]})
    before = frame.copy()
    gn.read_edge_table(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"none\.csv"):
        gn.read_edge_table(tmp_path / "none.csv")
