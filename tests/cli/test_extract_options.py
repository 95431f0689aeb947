"""Options of `graphnn extract` beyond roles: each reaches the extraction, odd tables are refused, files are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphnn as gn
import graphnn.cli.extract as cli_extract
from tests.cli.tools import COMPARE, NETWORK, ROLES, contents, read_json, run, succeed
from tests.real_data import real_data

EXTRACT = ("extract", "net.sif", *ROLES)


def table(folder: Path, name: str, *lines: str) -> str:
    (folder / name).write_text("\n".join(lines) + "\n")
    return name


@pytest.fixture
def seen(monkeypatch) -> dict[str, Any]:
    """Keywords with which `extract_dag` was called."""
    found: dict[str, Any] = {}

    def spy(*arguments, **options):
        found.update(options)
        return extract_dag(*arguments, **options)

    extract_dag = cli_extract.extract_dag
    monkeypatch.setattr(cli_extract, "extract_dag", spy)
    return found


def constraints(*arguments: str) -> Any:
    return succeed(*EXTRACT, *arguments, "--json").data["proof"]["details"].get("constraints")


# -- every option reaches the extraction ---------------------------------------------------------------------------


def test_options_without_a_table(folder):
    assert constraints() is None
    assert constraints("--max-parents", "2") == {"max_parents": 2}
    assert constraints("--max-depth", "3") == {"max_depth": 3}
    assert constraints("--min-routes", "2") == {"min_routes": 2}
    assert constraints("--min-routes", "2", "--disjoint-routes") == {"min_routes": 2, "disjoint_routes": True}
    assert constraints("--signs") == {"signs": True}
    assert constraints("--forced-nodes", "D", "--forbidden-nodes", "B_gene, ", "-i", "A_gene") == {
        "forced_nodes": ["D"],
    }
    assert constraints("--forced-nodes", "A, D") == {"forced_nodes": ["A", "D"]}


def test_options_with_a_table(folder):
    nodes = table(folder, "nodes.csv", "node,cost,more", "A,2,x", "B,0.5,y", "B,0.5,y")
    assert constraints("--node-costs", nodes) == {"node_cost": {"A": 2, "B": 0.5}}
    rewards = table(folder, "rewards.tsv", "node\treward", "A_gene\t1", "B_gene\t4")
    assert constraints("--rewards", rewards) == {"rewards": {"A_gene": 1, "B_gene": 4}}
    edges = table(folder, "edges.csv", "source,target", "A,D", "A,D")
    assert constraints("--forced-edges", edges) == {"forced_edges": [["A", "D"]]}
    assert constraints("--forbidden-edges", edges) == {"forbidden_edges": [["A", "D"]]}
    states = table(folder, "states.csv", "node,state", "A,1", "Y,1")
    assert constraints("--signs", "--states", states) == {"signs": True, "states": {"A": 1, "Y": 1}}


def test_costs_by_table_and_by_column(folder):
    costs = table(folder, "costs.csv", "source,target,cost", "A,Y,7", "D,Y,2")
    data = succeed(*EXTRACT, "--costs", costs, "--json").data
    assert dict(zip(map(tuple, data["edges"]), data["edge_cost"], strict=True)) == {
        (source, sign, target): {("A", "Y"): 7.0, ("D", "Y"): 2.0}.get((source, target), 1.0)
        for source, sign, target in data["edges"]
    }
    rows = [line.split("\t") for line in NETWORK.splitlines()]
    lines = ["child,parent,interaction,price", *(f"{s},{t},{i},{3 if t == 'A' else 2}" for s, i, t in rows)]
    name = table(folder, "net.csv", *lines)
    ends = ("--source", "child", "--target", "parent")
    data = succeed("extract", name, *ROLES, *ends, "--edge-cost", "price", "--json").data
    assert data["edge_cost"] == [3.0 if target == "A" else 2.0 for _, _, target in data["edges"]]


def test_scores_by_name_choose_among_the_smallest(folder):
    """A or B takes C_gene along; the other two genes leave no choice."""
    for wanted, other in (("A", "B"), ("B", "A")):
        scores = table(folder, "scores.csv", "source,target,score", f"C_gene,{wanted},0.25", f"C_gene,{other},-1.5")
        data = succeed(*EXTRACT, "--prefer", scores, "--json").data
        assert ["C_gene", 1, wanted] in data["edges"]
        assert data["proof"]["details"]["prefer"] | {"scores": 0} == {
            "criterion": "score", "kind": "edges", "value": 0.25, "bound": 0.25, "proved": True, "resolution": 0.0,
            "scores": 0,
        }  # fmt: skip
    scores = table(folder, "scores.csv", "node,score", "A,2", "D,-1")
    data = succeed(*EXTRACT, "--prefer", scores, "--json").data
    assert data["proof"]["details"]["prefer"]["value"] == 2
    assert data["proof"]["details"]["prefer"]["kind"] == "vertices"


def test_negative_costs_go_to_the_program_or_are_refused(folder):
    costs = table(folder, "costs.csv", "source,target,cost", "A,D,-3")
    data = succeed(*EXTRACT, "--costs", costs, "--json").data
    assert data["proof"]["method"] == "milp"
    assert ["A", 1, "D"] in data["edges"]
    result = run(*EXTRACT, "--costs", costs, "--method", "steiner")
    assert result.code == 2
    assert "steiner" in result.stderr


def test_a_second_criterion_by_word_by_table_and_by_column(folder, seen):
    assert succeed(*EXTRACT, "--prefer", "shallow", "--json").data["proof"]["details"]["prefer"]["criterion"] == "depth"
    weights = table(folder, "weights.csv", "source,target,weight", "C_gene,A,5", "B,Y,3")
    data = succeed(*EXTRACT, "--prefer", weights, "--json").data
    assert data["proof"]["details"]["prefer"]["proved"] is True
    assert sum(seen["prefer"]) == 8
    rows = [line.split("\t") for line in NETWORK.splitlines()]
    name = table(folder, "net.csv", "source,target,interaction,doubt", *(f"{s},{t},{i},2" for s, i, t in rows))
    data = succeed("extract", name, *ROLES, "--prefer", "doubt", "--json").data
    assert data["proof"]["details"]["prefer"]["value"] == 12


def test_names_that_pruning_drops_are_no_error(folder):
    (folder / "net.sif").write_text(NETWORK + "A\t1\tdead\n")
    assert constraints("--forbidden-nodes", "dead") is None
    costs = table(folder, "costs.csv", "source,target,cost", "A,dead,4")
    succeed(*EXTRACT, "--costs", costs)
    assert run(*EXTRACT, "--forced-nodes", "dead").code == 3


# -- several networks ----------------------------------------------------------------------------------------------


def test_alternatives_go_to_numbered_files(folder):
    result = succeed(*EXTRACT, "--alternatives", "3", "--kind", "best", "--out", "net.json", "--json")
    dags = [gn.Dag.read(folder / f"net-{number}.json") for number in (1, 2, 3)]
    assert not (folder / "net.json").exists()
    assert [dag.proof.details["alternative"]["number"] for dag in dags] == [1, 2, 3]
    assert [network["fingerprint"] for network in result.data["networks"]] == [dag.fingerprint for dag in dags]
    assert result.stderr.count("Proved minimal") == 3
    refused = run(*EXTRACT, "--alternatives", "2", "--out", "net.json")
    assert refused.code == 2
    assert "net-1.json" in refused.stderr


def test_alternatives_on_stdout_are_told_apart(folder):
    text = succeed(*EXTRACT, "--alternatives", "2", "--quiet").stdout
    one, other = (part.splitlines()[1:] for part in text.split("# network ")[1:])
    assert one != other
    assert len(one) == len(other) == 6


def test_samples_by_table(folder):
    lines = ("sample,node,role", "late,A_gene,input", "late,Y,output", "early,C_gene,input", "early,Y,output")
    samples = table(folder, "samples.csv", *lines)
    data = succeed("extract", "net.sif", "--samples", samples, "--json", "--out", "all.json").data
    assert data["samples"] == ["late", "early"]
    assert data["dags"]["early"]["inputs"] == ["C_gene"]
    assert data["dag"]["proof"]["details"]["constraints"]["samples"]["late"] == [["A_gene"], ["Y"]]
    assert read_json(folder / "all.json") == {key: value for key, value in data.items() if key != "seed"}
    assert gn.Dag.from_dict(read_json(folder / "all.json")["dags"]["late"]).inputs == ("A_gene",)
    own = succeed("extract", "net.sif", "--samples", samples, "--own-orders", "--json").data
    assert own["dag"] is None
    text = succeed("extract", "net.sif", "--samples", samples, "--quiet").stdout
    assert len(text.splitlines()) == len(data["edges"]) == 3


def test_what_was_asked_is_checked_again_by_verify(folder):
    rewards = table(folder, "rewards.csv", "node,reward", "A_gene,1", "B_gene,1")
    costs = table(folder, "costs.csv", "node,cost", "A,2", "B,3")
    for number, asked in enumerate((("--rewards", rewards, "--node-costs", costs), ("--min-routes", "2"))):
        succeed(*EXTRACT, *asked, "--out", f"{number}.json")
        said = succeed("verify", "net.sif", f"{number}.json").stdout
        objective = read_json(folder / f"{number}.json")["proof"]["objective"]
        assert f"cost {objective:g} recomputed" in said
    changed = read_json(folder / "1.json")
    changed["proof"]["details"]["constraints"]["max_parents"] = 1
    (folder / "1.json").write_text(json.dumps(changed))
    result = run("verify", "net.sif", "1.json")
    assert result.code == 1
    assert "too many parents" in result.stderr


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "lines", "code", "words"),
    [
        ("--node-costs", ("node,price", "A,1"), 1, ("'cost'", "'price'")),
        ("--node-costs", ("node,cost", "A,dear"), 1, ("line 2", "'dear'")),
        ("--node-costs", ("node,cost", "A,nan"), 1, ("line 2", "finite")),
        ("--node-costs", ("node,cost", "A,"), 1, ("line 2", "empty")),
        ("--node-costs", ("node,cost", "A,1", "A,2"), 1, ("line 3", "'A'")),
        ("--node-costs", ("node,cost", "AA,1"), 1, ("'AA'",)),
        ("--node-costs", ("node,cost", "A,-1"), 2, ("'A'", "at least 0")),
        ("--node-costs", ("node,cost,cost", "A,1,1"), 1, ("one column 'cost'",)),
        ("--rewards", ("node,reward", "A,1"), 2, ("'A'", "input")),
        ("--costs", ("source,target,cost", "A,Q,1"), 1, ("A -> Q", "prior network")),
        ("--costs", ("source,target,cost", "A,Y,1", "A,Y,2"), 1, ("line 3", "A -> Y")),
        ("--forced-edges", ("source,target", "Y,A"), 2, ("Y -> A", "other way")),
        ("--forced-edges", ("source", "Y"), 1, ("column",)),
        ("--forbidden-edges", ("source,target", "QQ,A"), 1, ("'QQ'",)),
        ("--states", ("node,state", "A,1"), 2, ("states", "signs")),
        ("--prefer", ("source,target,weight", "A,Q,1"), 1, ("A -> Q",)),
        ("--prefer", ("source,target,weight", "A,Y,-1"), 2, ("prefer",)),
        ("--prefer", ("source,target,score", "A,Q,1"), 1, ("A -> Q",)),
        ("--prefer", ("node,score", "QQ,1"), 1, ("'QQ'",)),
        ("--prefer", ("node,score", "A,much"), 1, ("line 2", "much")),
    ],
    ids=str,
)
def test_a_table_that_cannot_be_meant_is_refused_before_anything_is_solved(
    folder, monkeypatch, option, lines, code, words
):
    monkeypatch.setattr("graphnn.extract.question.solve", None)
    monkeypatch.setattr("graphnn.extract.question.solve_preferring", None)
    name = table(folder, "odd.csv", *lines)
    before = contents(folder)
    result = run(*EXTRACT, option, name, "--out", "net.json")
    assert (result.code, result.stdout) == (code, ""), result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert result.stderr.count("error:") == 1
    assert contents(folder) == before


@pytest.mark.parametrize(
    "option", ["--costs", "--node-costs", "--forced-edges", "--forbidden-edges", "--rewards", "--states", "--samples"]
)
def test_a_table_that_is_not_there(folder, option):
    roles = () if option == "--samples" else ROLES
    result = run("extract", "net.sif", *roles, option, "gone.csv")
    assert result.code == 1
    assert "gone.csv" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-depth", "0"), ("max_depth",)),
        (("--max-parents", "0"), ("max_parents",)),
        (("--min-routes", "0"), ("min_routes",)),
        (("--disjoint-routes",), ("disjoint_routes",)),
        (("--max-depth", "2", "--objective", "max_edges"), ("max_depth", "max_edges")),
        (("--edge-cost", "price"), ("--edge-cost", "SIF")),
        (("--prefer", "deep"), ("--prefer", "shallow")),
        (("--alternatives", "0"), ("k",)),
        (("--alternatives", "2", "--kind", "worst"), ("kind", "worst")),
        (("--kind", "best"), ("--kind", "--alternatives")),
        (("--alternatives", "2", "--prefer", "shallow"), ("--prefer",)),
        (("--alternatives", "2", "--objective", "max_edges"), ("--objective",)),
        (("--own-orders",), ("--own-orders", "--samples")),
        (("--forced-nodes", "A", "--forbidden-nodes", "A"), ("'A'",)),
        (("--forbidden-nodes", "A_gene"), ("'A_gene'", "inputs")),
        (("--certificate", "cert.json", "--max-depth", "5"), ("--certificate",)),
    ],
    ids=str,
)
def test_options_that_cannot_stand_are_usage_errors(folder, arguments, words):
    before = contents(folder)
    result = run(*EXTRACT, *arguments)
    assert (result.code, result.stdout) == (2, ""), result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert contents(folder) == before


def test_roles_are_given_once(folder):
    samples = table(folder, "samples.csv", "sample,node,role", "one,A_gene,input", "one,Y,output")
    for roles in (("-o", "Y"), ("-i", "A_gene"), ("--inputs-file", "net.sif")):
        assert run("extract", "net.sif", "--samples", samples, *roles).code == 2
    assert run("extract", "net.sif", "-i", "A_gene").code == 2


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("sample,node,role", "one,A_gene,source"), ("line 2", "'source'")),
        (("sample,node,role", "one,A,input", "one,A,output"), ("line 3", "'A'")),
        (("sample,node,role",), ("header",)),
        (("sample,node", "one,A"), ("'role'",)),
    ],
    ids=str,
)
def test_a_table_of_samples_that_cannot_be_meant(folder, lines, words):
    result = run("extract", "net.sif", "--samples", table(folder, "samples.csv", *lines))
    assert result.code == 1
    assert all(word in result.stderr for word in words), result.stderr


def test_no_network_under_the_options_is_code_3_with_names(folder):
    result = run(*EXTRACT, "--max-depth", "1")
    assert result.code == 3
    assert "'A_gene'" in result.stderr
    assert "at most 1" in result.stderr


@pytest.mark.parametrize("method", ["auto", "milp"])
def test_no_time_at_all_is_code_0_3_or_4(folder, method):
    result = run(*EXTRACT, "--time-limit", "0", "--method", method, "--out", "net.json")
    assert result.code in (0, 3, 4)
    assert (folder / "net.json").exists() == (result.code != 3)
    assert run(*COMPARE, "--time-limit", "0", "--method", method, "--out", "rep").code in (0, 3, 4)


# -- Ctrl-C, as it looks from here ---------------------------------------------------------------------------------


@pytest.fixture
def _interrupted(monkeypatch):
    """The solver was stopped with a network in hand."""
    from dataclasses import replace

    import graphnn.extract.question as question
    from solvers.result import Termination

    solve = question.solve

    def stopped(problem, **options):
        solution = solve(problem, **options)
        bound, details = solution.objective - 1, {**solution.details, "interrupted": True}
        return replace(solution, termination=Termination.LIMIT, bound=bound, details=details)

    monkeypatch.setattr(question, "solve", stopped)


@pytest.mark.usefixtures("_interrupted")
def test_an_interrupted_extraction_writes_what_it_has_and_ends_with_4(folder):
    result = run(*EXTRACT, "--out", "net.json", "--json")
    assert result.code == 4
    assert "Ctrl-C" in result.stderr
    assert "Not proved minimal" in result.stderr
    dag = gn.Dag.read(folder / "net.json")
    assert dag.proof.details["interrupted"] is True
    assert json.loads(result.stdout)["fingerprint"] == dag.fingerprint


@pytest.mark.usefixtures("_interrupted")
def test_an_interrupted_extraction_ends_a_comparison_with_nothing_written(folder):
    before = contents(folder)
    result = run(*COMPARE, "--out", "rep")
    assert (result.code, result.stdout) == (130, "")
    assert contents(folder) == before


# -- the real network ----------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_options_on_the_t_cell_network_from_the_command_line(folder):
    path = str(real_data("pkn/tcell_abc.sif.gz"))
    costs = table(folder, "costs.csv", "node,cost", *(f"{name},1" for name in gn.read_sif(path).nodes))
    roles = ("--input-suffix", "_gene", "--outputs", "LCK")
    result = run("extract", path, *roles, "--node-costs", costs, "--time-limit", "60", "--out", "net.json")
    assert result.code in (0, 4)
    assert gn.Dag.read(folder / "net.json").proof.bound >= 9000
