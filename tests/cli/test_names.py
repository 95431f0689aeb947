"""Names in odd characters go through every verb as they are: nothing is markup, path, separator or column."""

from __future__ import annotations

import html

import pytest

import graphnn as gn
from tests.cli.tools import SHORT, contents, labels_csv, run, succeed

ODD = ["[bold]X[/]", "[/]", "[link=x]", "A/B", "π–κ", "a:b", "<b>&amp;", "x" * 80, "NA", "%s{0}", "\\[x]", "é\u0301"]


def network(name: str) -> str:
    return f"{name}_gene\t1\t{name}\nB_gene\t1\t{name}\nC_gene\t1\tC\nC\t1\t{name}\n{name}\t1\tC\n{name}\t1\tY\n"


def flat(text: str) -> str:
    """Text as if the terminal had no width."""
    return "".join(text.split())


@pytest.mark.parametrize("name", ODD)
def test_a_vertex_of_any_name_goes_through_check_prune_extract_and_compile(folder, name):
    (folder / "odd.sif").write_text(network(name), encoding="utf-8")
    roles = ("-i", f"{name}_gene,B_gene,C_gene", "-o", "Y")
    assert succeed("check", "odd.sif", *roles, "--json").data["ok"] is True
    assert f"{name}_gene\t1\t{name}" in succeed("prune", "odd.sif", *roles).stdout.splitlines()
    data = succeed("extract", "odd.sif", *roles, "--json", "--out", "net.json").data
    assert f"{name}_gene" in data["inputs"]
    assert gn.Dag.read(folder / "net.json").inputs == tuple(data["inputs"])
    before = set(contents(folder))
    succeed("compile", "net.json", "--out", "net.gnn")
    assert set(contents(folder)) - before == {"net.gnn"}


@pytest.mark.parametrize("name", ODD)
def test_a_name_prints_as_it_is_where_it_is_the_trouble(folder, name):
    for verb in ("check", "prune", "extract"):
        result = run(verb, "net.sif", "-i", name, "-o", "Y")
        assert result.code == 3
        assert flat(repr(name)) in flat(result.stdout if verb == "check" else result.stderr)
    warned = run("check", "net.sif", "-i", f"A_gene,{name}", "-o", "Y")
    assert warned.code == 0
    assert flat(repr(name)) in flat(warned.stdout)


@pytest.mark.parametrize("name", ["[bold]X[/]", "[/]", "π/<b>&amp;"])
def test_an_output_of_any_name_goes_into_the_report(folder, name):
    text = network("A").replace("\tY\n", f"\t{name}\n") + "C\t1\tZ\n"
    (folder / "odd.sif").write_text(text, encoding="utf-8")
    (folder / "labels.csv").write_text(labels_csv((name, "Z")), encoding="utf-8")
    arguments = ("--cells", "cells.csv", "--labels", "labels.csv", *SHORT, "--input-suffix", "_gene")
    result = succeed("compare", "odd.sif", "-o", f"Z,{name}", *arguments, "--out", "rep", "--json")
    assert result.data["asked"]["outputs"] == sorted(("Z", name))
    assert flat(f"of {name} is") in flat(result.stderr)
    page = (folder / "rep" / "report.html").read_text(encoding="utf-8")
    assert html.escape(name) in page or html.escape(name, quote=False) in page
    assert "<b>&amp;" not in page


def test_files_and_folders_in_brackets_and_blanks_print_as_they_are(folder):
    for name in ("[red]net[/].sif", "my net.sif"):
        path = folder / name.replace("/", "|")
        path.write_text((folder / "net.sif").read_text())
        arguments = ("--cells", "cells.csv", "--labels", "labels.csv", *SHORT, "--input-suffix", "_gene", "-o", "Y")
        result = succeed("compare", path.name, *arguments, "--out", "rep [x] " + path.stem)
        assert flat(f"Read {path.name}") in flat(result.stderr)
        assert flat(f"rep [x] {path.stem}") in flat(result.stderr)
    result = succeed("prune", "net.sif", "-i", "A_gene", "-o", "Y", "--out", "[bold]p.sif")
    assert (folder / "[bold]p.sif").exists()
    succeed("extract", "[bold]p.sif", "-i", "A_gene", "-o", "Y", "--out", "n.json")
    result = succeed("compile", "n.json", "--out", "[bold]n.gnn")
    assert "[bold]n.gnn" in flat(result.stderr)
