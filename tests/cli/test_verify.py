"""`graphnn verify` and `extract --certificate`: what is said, and with which exit code."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import graphnn as gn
from tests.cli.tools import ROLES, contents, process, read_json, run, succeed, without


@pytest.fixture
def proved(folder: Path) -> Path:
    """The working directory with net.json and its certificate cert.json."""
    succeed("extract", "net.sif", *ROLES, "--out", "net.json", "--certificate", "cert.json")
    return folder


def edited(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file."""
    path.write_text(json.dumps({**read_json(path), **changes}), encoding="utf-8")


def test_0_and_plain_words_where_all_is_right(proved):
    result = succeed("verify", "net.sif", "net.json", "--certificate", "cert.json")
    network, certificate = result.stdout.splitlines()
    assert network.startswith("network: acyclic, covers 4 inputs and 1 output, 6 edges, none stray")
    assert "cost 6 recomputed" in network
    assert certificate.startswith("certificate: ")
    assert "bound 6 checked in exact arithmetic: proved minimal" in certificate
    assert result.stderr == ""


def test_0_and_a_plain_word_about_trust_without_a_certificate(proved):
    result = succeed("verify", "net.sif", "net.json")
    assert "certificate: none given; that no network costs less than 6 rests on the word of the run" in result.stdout
    assert "proved minimal" not in result.stdout


def test_json_out_and_quiet(proved):
    words = ("verify", "net.sif", "net.json", "--certificate", "cert.json")
    printed = succeed(*words, "--json", "--seed", "3", "--out", "found.json").data
    assert printed == read_json(proved / "found.json")
    assert printed["certificate"]["bound"] == printed["certificate"]["objective"] == "6"
    assert printed["certificate"]["is_minimal"] is True
    assert printed["claim"] == {"termination": "optimal", "bound": 6.0}
    assert (len(printed["findings"]), printed["seed"]) == (2, 3)
    assert succeed(*words, "--quiet").stdout == ""
    assert run(*words, "--out", "found.json").code == 2
    assert succeed("verify", "net.sif", "net.json", "--json").data["certificate"] is None


def test_a_compressed_certificate_is_the_same(proved):
    succeed("extract", "net.sif", *ROLES, "--certificate", "cert.json.gz")
    unpacked = json.loads(gzip.decompress((proved / "cert.json.gz").read_bytes()))
    assert without(unpacked, "seconds") == without(read_json(proved / "cert.json"), "seconds")
    succeed("verify", "net.sif", "net.json", "--certificate", "cert.json.gz")


def test_1_where_the_network_breaks_a_rule(proved):
    other = (proved / "net.sif").read_text().replace("A_gene\t1\tA", "A_gene\t-1\tA")
    (proved / "other.sif").write_text(other)
    result = run("verify", "other.sif", "net.json", "--certificate", "cert.json")
    assert (result.code, result.stdout) == (1, "")
    assert "origin" in result.stderr
    edited(proved / "net.json", origin={})
    assert "subgraph" in run("verify", "other.sif", "net.json").stderr
    data = read_json(proved / "net.json")
    edited(proved / "net.json", proof={**data["proof"], "objective": 5.0, "bound": 5.0})
    result = run("verify", "net.sif", "net.json")
    assert result.code == 1
    assert "objective" in result.stderr


def test_1_where_the_prior_network_is_quite_another(proved):
    (proved / "other.sif").write_text("a\t1\tb\n")
    result = run("verify", "other.sif", "net.json", "--certificate", "cert.json")
    assert (result.code, result.stdout) == (1, "")
    assert "subgraph" in result.stderr


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"bound": "7"}, "certificate bound"),
        ({"objective": "5"}, "certificate objective"),
        ({"graph": "0" * 64}, "certificate network"),
        ({"inputs": ["A_gene"]}, "certificate roles"),
        ({"nodes": []}, "certificate tree"),
        ({"denominator": 0}, "certificate denominator"),
        ({"cuts": []}, "certificate node"),
        ({"nodes": [{"leaf": []}]}, "certificate bound"),
        ({"format": "other"}, "graphnn-certificate/1"),
    ],
    ids=str,
)
def test_1_where_the_certificate_is_wrong_and_which_rule(proved, change, word):
    edited(proved / "cert.json", **change)
    result = run("verify", "net.sif", "net.json", "--certificate", "cert.json")
    assert (result.code, result.stdout) == (1, "")
    assert word in result.stderr


def test_4_where_the_certificate_proves_less_than_is_claimed(proved):
    edited(proved / "cert.json", nodes=[{"leaf": []}], bound="0")
    result = run("verify", "net.sif", "net.json", "--certificate", "cert.json")
    assert result.code == 4
    assert "not proved minimal" in result.stdout
    assert "although 6 is claimed" in result.stdout


def test_0_where_a_network_that_claims_less_gets_what_it_claims(proved):
    data = read_json(proved / "net.json")
    edited(proved / "net.json", proof={**data["proof"], "termination": "limit", "bound": 5.0})
    result = succeed("verify", "net.sif", "net.json", "--certificate", "cert.json")
    assert "proved minimal" in result.stdout
    result = succeed("verify", "net.sif", "net.json")
    assert "no network costs less than 5 rests on the word" in result.stdout


def test_a_network_without_a_claim_is_checked_too(proved):
    succeed("extract", "net.sif", *ROLES, "--objective", "shortest_paths", "--out", "wide.json")
    assert "nothing is claimed about its size" in succeed("verify", "net.sif", "wide.json").stdout


def test_a_network_of_pruned_and_of_named_inputs_fits_the_whole_prior_network(proved):
    (proved / "more.sif").write_text((proved / "net.sif").read_text() + "LOST_gene\t1\tEND\nZ\t1\tA\n")
    succeed("extract", "more.sif", *ROLES, "--out", "more.json", "--certificate", "more.cert.json")
    succeed("verify", "more.sif", "more.json", "--certificate", "more.cert.json")
    succeed("verify", "net.sif", "more.json", "--certificate", "more.cert.json")  # equal once pruned


def test_an_edge_table_is_verified_with_its_columns(proved):
    (proved / "net.csv").write_text("child,parent\nA_gene,A\nA,Y\n")
    columns = ("--source", "child", "--target", "parent")
    succeed("extract", "net.csv", *columns, *ROLES, "--out", "t.json", "--certificate", "t.cert.json")
    succeed("verify", "net.csv", "t.json", *columns, "--certificate", "t.cert.json")


# -- extract --certificate -----------------------------------------------------------------------------------------


def test_extract_says_what_the_certificate_shows(folder):
    result = succeed("extract", "net.sif", *ROLES, "--out", "net.json", "--certificate", "cert.json")
    assert "cuts show, in exact arithmetic, that no network costs less than 6" in result.stderr
    assert succeed("extract", "net.sif", *ROLES, "--certificate", "only.json").stdout.count("\n") == 6


def test_extract_refuses_a_certificate_before_the_work_begins(folder, monkeypatch):
    monkeypatch.setattr("graphnn.cli.extract.extract_dag", None)
    (folder / "there.json").write_text("mine")
    before = contents(folder)
    base = ("extract", "net.sif", *ROLES, "--out", "net.json")
    for words, code in (
        (("--certificate", "there.json"), 2),
        (("--certificate", "net.json"), 2),
        (("--certificate", "."), 2),
        (("--certificate", "nowhere/c.json"), 1),
        (("--certificate", "c.json", "--objective", "max_edges"), 2),
    ):
        result = run(*base, *words)
        assert (result.code, result.stdout) == (code, ""), words
    assert contents(folder) == before


def test_force_replaces_both_files(proved):
    edited(proved / "cert.json", bound="7")
    succeed("extract", "net.sif", *ROLES, "--out", "net.json", "--certificate", "cert.json", "--force")
    succeed("verify", "net.sif", "net.json", "--certificate", "cert.json")


def test_missing_files_are_named(proved):
    for words in (
        ("gone.sif", "net.json"),
        ("net.sif", "gone.json"),
        ("net.sif", "net.json", "--certificate", "gone.json"),
    ):
        result = run("verify", *words)
        assert (result.code, result.stdout) == (1, "")
        assert "gone" in result.stderr
    assert run("verify", "net.sif").code == 2


def test_equal_bytes_under_two_hash_seeds(folder):
    for seed in ("1", "2"):
        words = ("extract", "net.sif", *ROLES, "--certificate", f"cert{seed}.json", "--quiet")
        assert process(*words, cwd=folder, PYTHONHASHSEED=seed).code == 0
    one, other = (without(read_json(folder / f"cert{seed}.json"), "seconds") for seed in ("1", "2"))
    assert one == other
    assert gn.Certificate.read(folder / "cert1.json").bound == 6
