"""Every verb does its work, says so in JSON, and keeps data (stdout) and messages (stderr) apart."""

from __future__ import annotations

from functools import partial

import pytest

import graphnn as gn
from graphnn.cli.app import app
from graphnn.evaluate.options import TrainingOptions
from tests.cli.tools import COMPARE, NETWORK, ROLES, contents, process, read_json, run, succeed, without

VERBS = ("demo", "check", "prune", "extract", "verify", "compile", "train", "predict", "compare", "report")


# -- the command itself --------------------------------------------------------------------------------------------


def test_the_version_goes_to_stdout():
    result = succeed("--version")
    assert (result.stdout, result.stderr) == (f"{gn.__version__}\n", "")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_has_the_common_options(verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = succeed(verb, "--help")
    for option in ("--json", "--quiet", "--out", "--force", "--seed"):
        assert option in result.stdout


def test_help_shows_every_word_of_every_option_in_a_narrow_window(tmp_path):
    result = process("compare", "--help", cwd=tmp_path, COLUMNS="60")  # the runner of the tests has its own width
    assert result.code == 0
    assert max(map(len, result.stdout.splitlines())) <= 60
    assert "…" not in result.stdout, "names, defaults or words are cut"
    assert "--hidden-activation" in result.stdout


def test_help_says_which_columns_an_edge_table_has_by_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = succeed("check", "--help").stdout
    words = " ".join(text.split())
    assert "(default: source)" in words
    assert "(default: target)" in words


def test_the_command_has_the_verbs_of_its_help():
    assert {*VERBS} <= {info.name or info.callback.__name__.rstrip("_") for info in app.registered_commands}


def test_a_misspelt_verb_and_a_misspelt_option_are_usage_errors_with_a_hint(folder):
    for arguments, hint in ((("prun", "net.sif"), "prune"), (("prune", "net.sif", "--output", "Y"), "--outputs")):
        result = run(*arguments)
        assert (result.code, result.stdout) == (2, "")
        assert hint in result.stderr


# -- check, prune, extract -----------------------------------------------------------------------------------------


def test_check_says_what_fits_and_writes_what_it_prints(folder):
    result = succeed("check", "net.sif", *ROLES, "--json", "--out", "check.json", "--seed", "3")
    assert result.data["ok"] is True
    assert result.data["seed"] == 3
    assert result.data["numbers"]["pruned_edges"] == 11
    assert read_json(folder / "check.json") == result.data
    for finding in result.data["findings"]:
        assert finding["sentence"] in result.stdout


def test_prune_writes_sif_to_stdout_that_reads_back(folder):
    (folder / "wide.sif").write_text(NETWORK + "Y\t1\tOUT\nLONE\t1\tA\n")
    result = succeed("prune", "wide.sif", *ROLES)
    assert sorted(result.stdout.splitlines()) == sorted(NETWORK.splitlines())
    (folder / "again.sif").write_text(result.stdout)
    assert gn.read_sif(folder / "again.sif").fingerprint == gn.read_sif(folder / "net.sif").fingerprint


def test_prune_writes_files_plain_and_gzipped_and_says_in_json_what_was_lost(folder):
    (folder / "wide.sif").write_text(NETWORK + "Y\t1\tOUT\nLONE\t1\tA\n")
    data = succeed("prune", "wide.sif", *ROLES, "--json", "--out", "p.sif").data
    assert (data["nodes"], data["edges"]) == (8, 11)
    assert data["dropped"]["unreachable"] == ["LONE"]
    assert data["dropped"]["dead_end"] == ["OUT"]
    assert data["seed"] == 0
    assert succeed("prune", "wide.sif", *ROLES, "--out", "p.sif.gz").stdout == ""
    assert gn.read_sif(folder / "p.sif").fingerprint == gn.read_sif(folder / "p.sif.gz").fingerprint
    assert data["fingerprint"] == gn.read_sif(folder / "p.sif").fingerprint


def test_extract_prints_edges_and_its_json_is_the_network_that_it_writes(folder):
    assert len(succeed("extract", "net.sif", *ROLES).stdout.splitlines()) == 6
    data = succeed("extract", "net.sif", *ROLES, "--json", "--out", "net.json").data
    assert without(data, "seed", "seconds") == without(read_json(folder / "net.json"), "seed", "seconds")
    assert data["proof"]["termination"] == "optimal"
    assert data["proof"]["objective"] == data["proof"]["bound"] == 6
    dag = gn.Dag.read(folder / "net.json")
    assert dag.proof.is_optimal
    gn.verify_dag(gn.read_sif(folder / "net.sif"), dag)
    succeed("extract", "net.sif", *ROLES, "--out", "net2.sif.gz")
    assert gn.read_sif(folder / "net2.sif.gz").fingerprint == dag.graph.fingerprint


def test_one_step_feeds_the_next(folder):
    succeed("prune", "net.sif", *ROLES, "--out", "p.sif")
    succeed("extract", "p.sif", *ROLES, "--out", "net.json")
    succeed("compile", "net.json", "--out", "net.gnn")
    assert gn.load_bundle(folder / "net.gnn").count_params() == 6 + 3


# -- compile, compare, report, demo --------------------------------------------------------------------------------


def test_compile_counts_one_parameter_an_edge_and_one_a_vertex_that_is_no_input(folder):
    succeed("extract", "net.sif", *ROLES, "--out", "net.json")
    result = succeed("compile", "net.json", "--out", "net.gnn", "--json", "--seed", "5")
    data = result.data
    assert (data["inputs"], data["outputs"], data["edges"], data["parameters"]) == (4, ["Y"], 6, 9)
    assert data["seed"] == data["options"]["seed"] == 5
    assert "9 parameters" in result.stderr


def test_compare_writes_four_files_and_prints_its_report_as_json(compared):
    place, result = compared
    assert sorted(contents(place / "rep")) == ["compressed.json", "full.json", "report.html", "report.json"]
    assert result.data == read_json(place / "rep" / "report.json")
    assert result.data["networks"]["full"]["edges"] == 7
    assert result.data["networks"]["compressed"]["edges"] == 6
    assert len(result.data["folds"]) == 2 * 2
    assert (
        gn.Dag.read(place / "rep" / "compressed.json").fingerprint
        == result.data["networks"]["compressed"]["fingerprint"]
    )
    for sentence in result.data["sentences"]:
        assert sentence in result.stderr


def test_report_makes_the_same_page_from_the_json(compared, folder):
    place, _ = compared
    result = succeed("report", place / "rep" / "report.json", "--out", "again.html", "--json")
    page = (folder / "again.html").read_bytes()
    assert page == (place / "rep" / "report.html").read_bytes()
    assert without(result.data, "seed") == {"out": "again.html", "bytes": len(page)}


def test_demo_does_the_whole_job(folder, monkeypatch):
    import graphnn.cli.pipeline as pipeline

    quick = partial(pipeline.Job, folds=2, training=TrainingOptions(epochs=2))
    monkeypatch.setattr(pipeline, "Job", quick)
    result = succeed("demo", "--n-cells", "60", "--seed", "4", "--out", "d", "--json")
    assert result.data == read_json(folder / "d" / "report.json")
    assert result.data["seed"] == 4
    assert result.data["asked"]["cells"]["cells"] == 60
    assert str(folder / "d" / "report.html") in result.stderr.replace("\n", "")
    files = ["cells.csv", "compressed.json", "full.json", "labels.csv", "network.sif", "report.html", "report.json"]
    assert sorted(contents(folder / "d")) == files
    assert result.data["command"] == "graphnn demo --n-cells 60 --seed 4"
    # What the demo leaves behind is what `compare` takes.
    arguments = ("--input-suffix", "_gene", "--outputs", "TCR", "--cells", "d/cells.csv", "--labels", "d/labels.csv")
    shared = succeed("compare", "d/network.sif", *arguments, "--folds", "2", "--epochs", "2", "--seed", "4", "--json")
    assert shared.data["summary"] == result.data["summary"]


# -- stdout, stderr, quiet -----------------------------------------------------------------------------------------


def test_quiet_says_nothing_and_still_works(folder):
    for arguments in (
        ("check", "net.sif", *ROLES, "--out", "c.json"),
        ("prune", "net.sif", *ROLES, "--out", "p.sif"),
        ("extract", "net.sif", *ROLES, "--out", "n.json"),
        ("compile", "n.json", "--out", "n.gnn"),
        (*COMPARE, "--out", "rep"),
        ("report", "rep/report.json", "--out", "r.html"),
    ):
        result = succeed(*arguments, "--quiet")
        assert (result.stdout, result.stderr) == ("", ""), arguments
        assert (folder / arguments[-1]).exists()


def test_quiet_leaves_errors_and_json_alone(folder):
    assert "error:" in run("prune", "net.sif", "-i", "nobody", "-o", "Y", "-q").stderr
    assert succeed("prune", "net.sif", *ROLES, "-q", "--json").data["edges"] == 11


def test_without_out_nothing_is_written(folder):
    before = contents(folder)
    for verb in ("check", "prune", "extract"):
        succeed(verb, "net.sif", *ROLES)
        succeed(verb, "net.sif", *ROLES, "--json")
    assert contents(folder) == before


# -- outputs that are there ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["check", "prune", "extract"])
def test_what_is_there_stays_unless_forced(folder, verb):
    (folder / "out.json").write_bytes(b"mine")
    result = run(verb, "net.sif", *ROLES, "--out", "out.json", "--json")
    assert (result.code, result.stdout) == (2, "")
    assert "out.json" in result.stderr
    assert "--force" in result.stderr
    assert (folder / "out.json").read_bytes() == b"mine"
    succeed(verb, "net.sif", *ROLES, "--out", "out.json", "--force")
    assert (folder / "out.json").read_bytes() != b"mine"


def test_compile_and_report_replace_only_when_forced(folder, compared):
    succeed("extract", "net.sif", *ROLES, "--out", "net.json")
    for arguments in (("compile", "net.json"), ("report", compared[0] / "rep" / "report.json")):
        (folder / "out").write_bytes(b"mine")
        result = run(*arguments, "--out", "out")
        assert (result.code, result.stdout) == (2, "")
        assert (folder / "out").read_bytes() == b"mine"
        succeed(*arguments, "--out", "out", "--force")
        assert (folder / "out").read_bytes() != b"mine"


@pytest.mark.parametrize("name", ["full.json", "compressed.json", "report.json", "report.html"])
def test_compare_refuses_a_folder_with_any_of_its_files(folder, name):
    (folder / "rep").mkdir()
    (folder / "rep" / name).write_bytes(b"mine")
    before = contents(folder)
    result = run(*COMPARE, "--out", "rep")
    assert (result.code, result.stdout) == (2, "")
    assert name in result.stderr
    assert contents(folder) == before


def test_compare_with_force_replaces_its_files_and_leaves_the_others(folder):
    (folder / "rep").mkdir()
    for name in ("report.json", "notes.txt"):
        (folder / "rep" / name).write_bytes(b"mine")
    succeed(*COMPARE, "--out", "rep", "--force")
    assert (folder / "rep" / "notes.txt").read_bytes() == b"mine"
    assert read_json(folder / "rep" / "report.json")["seed"] == 0


def test_compare_makes_the_folders_that_it_needs(folder):
    succeed(*COMPARE, "--out", "new/deep")
    assert (folder / "new" / "deep" / "report.html").is_file()
