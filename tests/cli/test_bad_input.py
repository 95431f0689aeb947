"""Bar 6: bad input gives one clear sentence on stderr, the right exit code, and leaves every file as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.tools import CELLS, COMPARE, NETWORK, ROLES, SHORT, Run, contents, labels_csv, run


@pytest.fixture
def folder(folder: Path) -> Path:
    """The tiny folder with an older report in it, and --force in every call: the bytes are really at risk."""
    (folder / "rep").mkdir()
    for name in ("full.json", "compressed.json", "report.json", "report.html", "out.json"):
        (folder / "rep" / name).write_text(f"older {name}")
    return folder


def refuse(folder: Path, *arguments: str, code: int, words: tuple[str, ...]) -> Run:
    """Run, and see that it failed as it should."""
    before = contents(folder)
    result = run(*arguments, "--force", "--json")
    assert result.code == code, result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("error:")]
    assert len(errors) == 1, result.stderr
    for word in words:
        assert word in errors[0]
    assert contents(folder) == before
    return result


def compare(
    network: str = "net.sif", roles: tuple[str, ...] = ROLES, cells: tuple[str, ...] = CELLS
) -> tuple[str, ...]:
    return ("compare", network, *roles, *cells, *SHORT, "--out", "rep")


def all_verbs(network: str, roles: tuple[str, ...] = ROLES) -> list[tuple[str, ...]]:
    return [
        *((verb, network, *roles, "--out", "rep/out.json") for verb in ("check", "prune", "extract")),
        compare(network, roles),
    ]


VERBS = pytest.mark.parametrize("verb", range(4), ids=["check", "prune", "extract", "compare"])


@VERBS
def test_a_missing_file(folder, verb):
    refuse(folder, *all_verbs("gone.sif")[verb], code=1, words=("gone.sif", "check the path"))


@VERBS
def test_an_empty_file(folder, verb):
    (folder / "bad.sif").write_text("")
    refuse(folder, *all_verbs("bad.sif")[verb], code=1, words=("bad.sif", "at least one edge"))


@VERBS
def test_a_line_with_two_fields_is_named(folder, verb):
    (folder / "bad.sif").write_text(NETWORK + "A\tY\n")
    refuse(folder, *all_verbs("bad.sif")[verb], code=1, words=("bad.sif", "line 12", "2 fields"))


@VERBS
def test_an_unknown_interaction_word_is_named_with_its_line(folder, verb):
    (folder / "bad.sif").write_text("# a comment\n\n" + NETWORK + "A\tbinds\tY\n")
    refuse(folder, *all_verbs("bad.sif")[verb], code=1, words=("bad.sif", "line 14", "'binds'"))


@pytest.mark.parametrize("verb", [1, 2, 3])
def test_no_input_in_the_network(folder, verb):
    roles = ("-i", "P_gene,Q_gene", "-o", "Y")
    refuse(folder, *all_verbs("net.sif", roles)[verb], code=3, words=("input", "'P_gene', 'Q_gene'"))


@pytest.mark.parametrize("verb", [1, 2, 3])
def test_an_output_that_nothing_reaches(folder, verb):
    (folder / "bad.sif").write_text(NETWORK + "Q\t1\tZ\n")
    refuse(
        folder, *all_verbs("bad.sif", ("--input-suffix", "_gene", "-o", "Z"))[verb], code=3, words=("'Z'", "direction")
    )


@pytest.mark.parametrize("verb", [2, 3])
def test_one_of_two_outputs_that_nothing_reaches(folder, verb):
    (folder / "bad.sif").write_text(NETWORK + "Q\t1\tZ\n")
    (folder / "labels.csv").write_text(labels_csv(("Y", "Z")))
    roles = ("--input-suffix", "_gene", "-o", "Y,Z")
    refuse(folder, *all_verbs("bad.sif", roles)[verb], code=3, words=("'Z'",))


def test_check_says_as_json_what_is_wrong_and_ends_with_3(folder):
    (folder / "bad.sif").write_text(NETWORK + "Q\t1\tZ\n")
    for roles in (("-i", "P_gene", "-o", "Y"), ("--input-suffix", "_gene", "-o", "Z")):
        result = run("check", "bad.sif", *roles, "--json")
        assert result.code == 3
        assert result.data["ok"] is False
        assert "error" in {finding["level"] for finding in result.data["findings"]}


def test_check_names_absent_inputs_and_absent_outputs_at_once(folder):
    result = run("check", "net.sif", "-i", "P_gene", "-o", "Z", "--json")
    assert result.code == 3
    assert {"P_gene", "Z"} <= {name for finding in result.data["findings"] for name in finding["names"]}


def test_an_ending_that_no_vertex_has(folder):
    for arguments in all_verbs("net.sif", ("--input-suffix", "_Gene", "-o", "Y")):
        refuse(folder, *arguments, code=2, words=("'_Gene'",))


def test_a_label_file_with_other_barcodes(folder):
    (folder / "labels.csv").write_text(labels_csv().replace("\nc", "\nother"))
    refuse(folder, *compare(), code=1, words=("barcode",))


def test_a_label_file_without_the_outputs(folder):
    (folder / "labels.csv").write_text(labels_csv(("P", "Q")))
    refuse(folder, *compare(), code=1, words=("'Y'", "'P'"))


def test_a_single_class(folder):
    (folder / "labels.csv").write_text(labels_csv().replace(",1\n", ",0\n"))
    refuse(folder, *compare(), code=1, words=("Y", "class"))


def test_labels_that_are_not_0_and_1(folder):
    (folder / "labels.csv").write_text(labels_csv().replace(",1\n", ",2\n"))
    refuse(folder, *compare(), code=1, words=("Y",))


@pytest.mark.parametrize("value", ["nan", "", "inf", "high"])
def test_a_value_that_is_no_number_among_the_cells(folder, value):
    lines = (folder / "cells.csv").read_text().splitlines()
    fields = lines[5].split(",")
    lines[5] = ",".join((*fields[:2], value, *fields[3:]))
    (folder / "cells.csv").write_text("\n".join(lines) + "\n")
    refuse(folder, *compare(), code=1, words=("c04", "B"))


def test_a_label_that_is_nan(folder):
    (folder / "labels.csv").write_text(labels_csv().replace("c03,1", "c03,nan"))
    refuse(folder, *compare(), code=1, words=("labels.csv", "line 5"))


def test_fewer_cells_than_folds(folder):
    (folder / "labels.csv").write_text(labels_csv(n_cells=4))
    refuse(folder, *compare(), "--folds", "6", code=1, words=("fold",))


def test_fewer_cells_of_a_class_than_folds(folder):
    text = labels_csv().replace(",1\n", ",0\n").replace("c01,0", "c01,1").replace("c03,0", "c03,1")
    (folder / "labels.csv").write_text(text)
    refuse(folder, *compare(), "--folds", "5", code=1, words=("fold",))


@pytest.mark.parametrize("limit", ["-1", "-0.001", "nan"])
def test_a_time_limit_that_is_none(folder, limit):
    for arguments in (("extract", "net.sif", *ROLES, "--out", "rep/out.json"), compare()):
        refuse(folder, *arguments, "--time-limit", limit, code=2, words=("--time-limit",))


@pytest.mark.parametrize("option", ["--cells", "--labels"])
def test_missing_and_empty_cells_and_labels(folder, option):
    (folder / "empty.csv").write_text("")
    (folder / "header.csv").write_text("barcode,A,B,C,E\n" if option == "--cells" else "barcode,Y\n")
    for name in ("gone.csv", "empty.csv", "header.csv", "rep"):
        refuse(folder, *compare(), option, name, code=1, words=(name,))


def test_cells_of_an_unknown_format(folder):
    (folder / "cells.rds").write_bytes(b"RDX3")
    refuse(folder, *compare(), "--cells", "cells.rds", code=1, words=("cells.rds",))


def test_damaged_cells(folder):
    for name in ("cells.h5", "cells.h5ad", "cells.csv.gz"):
        (folder / name).write_bytes(b"\x89HDF\r\n\x1a\nnothing more")
        refuse(folder, *compare(), "--cells", name, code=1, words=(name,))


def test_a_network_that_is_no_text_and_a_damaged_gzip_file(folder):
    (folder / "bad.sif").write_bytes(b"\xff\xfe\x00binary")
    (folder / "bad.sif.gz").write_bytes(b"\x1f\x8b\x08\x00damaged")
    for name in ("bad.sif", "bad.sif.gz", "rep"):
        for arguments in all_verbs(name):
            refuse(folder, *arguments, code=1, words=(name,))


def test_cells_without_any_of_the_inputs(folder):
    for roles in (("-i", "A_gene,B_gene", "-o", "Y"), ROLES):
        text = (folder / "cells.csv").read_text().replace("barcode,A,B,C,E", "barcode,P,Q,R,S")
        (folder / "cells.csv").write_text(text)
        refuse(folder, *compare(roles=roles), code=1, words=("--input-suffix",))


def test_an_inputs_file_that_is_missing_or_lists_nothing(folder):
    (folder / "none.txt").write_text("# nothing\n")
    for name in ("gone.txt", "none.txt"):
        for arguments in all_verbs("net.sif", ("--inputs-file", name, "-o", "Y")):
            refuse(folder, *arguments, code=1, words=(name,))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": "graphnn-dag/99"}', "A\t1\tB\n"])
def test_compile_and_report_refuse_what_is_not_theirs(folder, text):
    (folder / "bad.json").write_text(text)
    for verb in ("compile", "report"):
        refuse(folder, verb, "bad.json", "--out", "rep/out.json", code=1, words=())


def test_compile_and_report_of_a_missing_file(folder):
    for verb in ("compile", "report"):
        refuse(folder, verb, "gone.json", "--out", "rep/out.json", code=1, words=("gone.json",))


def test_compile_refuses_a_report_and_report_refuses_a_network(folder, compared):
    place, _ = compared
    refuse(folder, "compile", str(place / "rep" / "report.json"), "--out", "rep/out.json", code=1, words=())
    refuse(folder, "report", str(place / "rep" / "full.json"), "--out", "rep/out.json", code=1, words=())


def test_an_edge_table_without_the_columns_names_the_options_of_the_command(folder):
    (folder / "edges.csv").write_text("child,parent\nA_gene,A\n")
    for arguments in all_verbs("edges.csv"):
        refuse(folder, *arguments, code=1, words=("edges.csv", "'child', 'parent'", "--source"))


# -- places to write to --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["gone/out.json", "net.sif/out.json", "rep"])
def test_an_output_in_a_place_that_cannot_be(folder, out):
    for verb in ("check", "prune", "extract"):
        before = contents(folder)
        result = run(verb, "net.sif", *ROLES, "--out", out, "--json")
        assert result.code in (1, 2)
        assert (result.stdout, out.split("/")[0] in result.stderr) == ("", True)
        assert contents(folder) == before


@pytest.mark.parametrize("out", ["net.sif", "net.sif/rep"])
def test_a_report_folder_that_cannot_be_is_refused_before_training(folder, monkeypatch, out):
    monkeypatch.setattr("graphnn.evaluate.entrants.Trainer", None)
    before = contents(folder)
    result = run(*COMPARE, "--out", out)
    assert result.code in (1, 2)
    assert "net.sif" in result.stderr
    assert contents(folder) == before


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder in which nobody may write")
def test_a_folder_in_which_nobody_may_write_gives_a_sentence(folder):
    for verb in ("check", "prune", "extract"):
        result = run(verb, "net.sif", *ROLES, "--out", "/proc/out.json")
        assert result.code == 1
        assert "/proc" in result.stderr
    result = run(*COMPARE, "--out", "/proc/rep")
    assert result.code == 1
    assert "/proc" in result.stderr
