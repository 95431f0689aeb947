"""No option is parsed and then forgotten: each one changes what is recorded or computed."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import graphnn.cli.extract as cli_extract
import graphnn.cli.pipeline as pipeline
from graphnn.cli.app import app
from graphnn.compiler.plan import plan_layers
from graphnn.errors import GraphnnError
from graphnn.evaluate.compare import NETWORKS
from graphnn.extract.dag import Dag
from tests.cli.tools import CELLS, COMPARE, NETWORK, ROLES, SHORT, labels_csv, run, succeed


def numbers(data: Any) -> dict[str, Any]:
    """What was computed, less everything that merely repeats an option."""
    return {key: data[key] for key in ("folds", "summary", "importance", "hidden_network", "compression")}


def at(data: Any, path: str) -> Any:
    for key in path.split("."):
        data = data[key]
    return data


# Options that go into one run, and for each where the report records it and the value there: all values differ, so that
# none can stand in for another. Whether results change is asked of the run; None: they need not.
COMPARE_OPTIONS = [
    ({"--folds": ("protocol.folds", 3), "--seeds": ("protocol.seeds", 2), "--seed": ("seed", 7)}, True),
    ({"--protocol": ("protocol.name", "tutorial")}, True),
    (
        {
            "--epochs": ("protocol.training.epochs", 3),
            "--patience": ("protocol.training.patience", 1),
            "--batch-size": ("protocol.training.batch_size", 4),
        },
        True,
    ),
    ({"--learning-rate": ("protocol.training.learning_rate", 0.1)}, True),
    ({"--scaling": ("protocol.training.scaling", "max")}, True),
    ({"--margin": ("protocol.margin", 0.05)}, None),
    ({"--engine": ("protocol.training.engine", "jax")}, None),
    ({"--class-weight": ("protocol.training.class_weight", "balanced")}, None),
    ({"--task": ("protocol.network.task", "regression")}, True),
    ({"--hidden-activation": ("protocol.network.hidden_activation", "relu")}, True),
    ({"--units": ("protocol.network.units", 2)}, True),
    ({"--input-normalization": ("protocol.network.input_normalization", True)}, True),
    ({"--input-dropout": ("protocol.network.input_dropout", 0.25)}, True),
    (
        {
            "--sign-policy": ("protocol.network.sign_policy", "soft"),
            "--sign-penalty": ("protocol.network.sign_penalty", 2.0),
            "--full-objective": ("asked.full_objective", "max_edges"),
        },
        True,
    ),
    ({"--kernel": ("protocol.network.kernel", "edge")}, None),
    ({"--dtype": ("protocol.network.dtype", "mixed_bfloat16")}, True),
    (
        {
            "--kernel-l1": ("protocol.network.kernel_l1", 0.1),
            "--kernel-l2": ("protocol.network.kernel_l2", 0.2),
            "--bias-l1": ("protocol.network.bias_l1", 0.3),
            "--bias-l2": ("protocol.network.bias_l2", 0.4),
        },
        True,
    ),
    ({"--objective": ("asked.objective", "shortest_paths")}, True),
    ({"--full-objective": ("asked.full_objective", "max_edges")}, True),
    (
        {
            "--method": ("networks.compressed.proof.method", "milp"),
            "--solver": ("networks.compressed.proof.solver", "scip"),
        },
        None,
    ),
]


def _label(value: Any) -> str:
    return next(iter(value)) if isinstance(value, dict) else ""


@pytest.mark.parametrize(("options", "changes"), COMPARE_OPTIONS, ids=_label)
def test_every_option_of_compare_is_recorded_and_used(folder, compared, options, changes):
    words = [
        word for option, (_, value) in options.items() for word in ([option] if value is True else [option, value])
    ]
    base = compared[1].data
    data = succeed(*COMPARE, *map(str, words), "--json").data
    for option, (path, value) in options.items():
        assert at(data, path) == value
        assert at(base, path) != value
        assert option in data["command"].split()
    assert changes is None or numbers(data) != numbers(base)


def test_normalize_changes_values_and_is_recorded(folder, compared):
    data = succeed(*COMPARE, "--normalize", "none", "--json").data
    assert data["asked"]["cells"]["normalization"] is None
    assert compared[1].data["asked"]["cells"]["normalization"] is not None
    assert numbers(data) != numbers(compared[1].data)


def test_patience_stops_training(folder):
    slow = (*COMPARE, "--epochs", "60", "--learning-rate", "0.5", "--json", "--force")
    short, long = (succeed(*slow, "--patience", p).data["folds"] for p in ("1", "60"))
    assert [row["epochs"] for row in long] == [60] * 4
    assert min(row["epochs"] for row in short) < 60
    assert sum(row["epochs"] for row in short) < 240


def test_dropout_on_nodes_differs_from_dropout_on_edges(folder):
    edges, nodes = (
        succeed(*COMPARE, "--dropout", "0.5", "--dropout-on", where, "--json", "--force").data
        for where in ("edges", "nodes")
    )
    assert (edges["protocol"]["network"]["dropout_on"], nodes["protocol"]["network"]["dropout_on"]) == (
        "edges",
        "nodes",
    )
    assert numbers(edges) != numbers(nodes)


def test_adaptive_dropout_differs_from_plain_dropout(folder):
    plain, adaptive = (
        succeed(*COMPARE, "--dropout", "0.5", *more, "--json", "--force").data for more in ((), ("--adaptive-dropout",))
    )
    assert adaptive["protocol"]["network"]["adaptive_dropout"] is True
    assert numbers(plain) != numbers(adaptive)


def test_the_hard_sign_policy_reaches_training(folder):
    """B -> A has the interaction -1 and is in the largest network only."""
    wide = (*COMPARE, "--full-objective", "max_edges", "--json", "--force")
    free, hard = (succeed(*wide, "--sign-policy", policy).data for policy in ("free", "hard"))
    assert hard["protocol"]["network"]["sign_policy"] == "hard"
    assert numbers(free) != numbers(hard)


def test_activations_of_vertices_and_levels(folder, compared):
    """An exception for a vertex of one network only is taken; the report's command line repeats each of them."""
    words = ("--activation", "A=tanh", "--activation", "D=relu", "--level-activation", "1=sigmoid")
    data = succeed(*COMPARE, "--full-objective", "max_edges", *words, "--json", "--force").data
    assert data["protocol"]["network"]["activations"] == [
        {"of": 1, "activation": "sigmoid"},
        {"of": "A", "activation": "tanh"},
        {"of": "D", "activation": "relu"},
    ]
    assert " ".join(words) in data["command"]
    assert "--activation" not in compared[1].data["command"]
    assert numbers(data) != numbers(compared[1].data)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--activation", "a=tanh"), "did you mean 'A'"),
        (("--activation", "tanh"), "NAME=ACTIVATION"),
        (("--activation", "A=tahn"), "tahn"),
        (("--activation", "A=tanh", "--activation", "A=relu"), "once"),
        (("--level-activation", "A=tanh"), "LEVEL=ACTIVATION"),
        (("--level-activation", "77=tanh"), "got 77"),
        (("--level-activation", "0=tanh"), "from 1"),
        (("--units", "0"), "units"),
        (("--sign-policy", "strict"), "sign_policy"),
        (("--dtype", "float16"), "dtype"),
        (("--kernel", "sparse"), "kernel"),
        (("--task", "multiclass"), "multiclass"),
    ],
)
def test_what_no_network_can_do_is_refused(folder, words, message):
    result = run(*COMPARE, *words)
    assert result.code == 2
    assert message in result.stderr
    assert not (folder / "graphnn-report").exists()


def test_the_report_counts_the_parameters_of_units(folder):
    data = succeed(*COMPARE, "--units", "3", "--out", "wide", "--json").data
    counts = [plan_layers(Dag.read(folder / "wide" / f"{name}.json")).count_parameters(3) for name in NETWORKS]
    assert [data["networks"][name]["parameters"] for name in NETWORKS] == counts
    row = next(row for row in data["compression"] if row["quantity"] == "parameters")
    assert [row[name] for name in NETWORKS] == counts
    assert {edge["weight"] for edge in data["hidden_network"]["edges"]} != {None}


class Caught(GraphnnError):
    """Raised in the place of training."""


@pytest.fixture
def caught(monkeypatch) -> list[tuple[Any, ...]]:
    """What `compare` would have trained on, a tuple (full, compressed, cells, labels) for each run."""
    calls: list[tuple[Any, ...]] = []

    def catch(*arguments, **options):
        calls.append(arguments)
        raise Caught("caught")

    monkeypatch.setattr(pipeline, "compare", catch)
    return calls


def test_the_time_limit_reaches_both_extractions(folder, monkeypatch, caught):
    limits = []

    def spy(*arguments, **options):
        limits.append(options["time_limit_s"])
        return extract_dag(*arguments, **options)

    extract_dag = pipeline.extract_dag
    monkeypatch.setattr(pipeline, "extract_dag", spy)
    run(*COMPARE, "--time-limit", "77")
    assert limits == [77, 77]


def test_inputs_can_be_named_listed_or_told_by_their_ending(folder):
    (folder / "inputs.txt").write_text("# measured\nA_gene\n\nB_gene\n")
    named = succeed("extract", "net.sif", "-i", "A_gene, B_gene", "-o", "Y", "--json").data
    listed = succeed("extract", "net.sif", "--inputs-file", "inputs.txt", "-o", "Y", "--json").data
    ending = succeed("extract", "net.sif", *ROLES, "--json").data
    assert named["inputs"] == listed["inputs"] == ["A_gene", "B_gene"]
    assert ending["inputs"] == ["A_gene", "B_gene", "C_gene", "E_gene"]


def test_inputs_that_are_named_and_a_suffix_go_together_in_compare(folder, caught):
    run("compare", "net.sif", "-i", "A_gene,B_gene", "--input-suffix", "_gene", "-o", "Y", *CELLS)
    full, compressed, *_ = caught[0]
    assert full.inputs == compressed.inputs == ("A_gene", "B_gene")


def test_an_edge_table_by_its_column_names_is_the_same_network(folder):
    rows = [line.split("\t") for line in NETWORK.splitlines()]
    for tail, head, options in (
        ("source", "target", ()),
        ("child", "parent", ("--source", "child", "--target", "parent")),
    ):
        lines = [f"{tail},interaction,{head}", *(",".join(row) for row in rows)]
        (folder / "edges.csv").write_text("\n".join(lines) + "\n")
        (folder / "edges.csv.gz").write_bytes(gzip.compress((folder / "edges.csv").read_bytes()))
        for name in ("edges.csv", "edges.csv.gz"):
            table = succeed("prune", name, *ROLES, *options, "--json").data
            assert table["fingerprint"] == succeed("prune", "net.sif", *ROLES, "--json").data["fingerprint"]


@pytest.mark.parametrize(
    ("options", "path", "value"),
    [
        (("--objective", "shortest_paths"), "proof.termination", "constructed"),
        (("--objective", "max_edges"), "proof.objective", 10),
        (("--method", "milp"), "proof.method", "milp"),
        (("--method", "milp", "--solver", "scip"), "proof.solver", "scip"),
        (("--method", "milp", "--solver", "cvxpy"), "proof.solver", "cvxpy"),
        (("--seed", "9"), "seed", 9),
    ],
)
def test_every_option_of_extract_is_recorded(folder, options, path, value):
    base = succeed("extract", "net.sif", *ROLES, "--json").data
    data = succeed("extract", "net.sif", *ROLES, *options, "--json").data
    assert at(data, path) == value or str(at(data, path)).startswith(str(value))
    assert at(data, path) != at(base, path)


def test_time_limit_and_seed_of_extract_reach_the_solver(folder, monkeypatch):
    seen = {}

    def spy(*arguments, **options):
        seen.update(options)
        return extract_dag(*arguments, **options)

    extract_dag = cli_extract.extract_dag
    monkeypatch.setattr(cli_extract, "extract_dag", spy)
    succeed("extract", "net.sif", *ROLES, "--time-limit", "33", "--seed", "8", "--method", "milp", "--solver", "scip")
    assert (seen["time_limit_s"], seen["seed"], seen["method"], seen["solver"]) == (33, 8, "milp", "scip")


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        (("--task", "regression"), "task", "regression"),
        (("--hidden-activation", "relu"), "hidden_activation", "relu"),
        (("--activation", "A=tanh"), "activations", [{"of": "A", "activation": "tanh"}]),
        (("--level-activation", "1=tanh"), "activations", [{"of": 1, "activation": "tanh"}]),
        (("--units", "2"), "units", 2),
        (("--input-normalization",), "input_normalization", True),
        (("--input-dropout", "0.25"), "input_dropout", 0.25),
        (("--dropout", "0.25"), "dropout", 0.25),
        (("--dropout", "0.25", "--adaptive-dropout"), "adaptive_dropout", True),
        (("--dropout", "0.25", "--dropout-on", "nodes"), "dropout_on", "nodes"),
        (("--kernel-l1", "0.5"), "kernel_l1", 0.5),
        (("--kernel-l2", "0.5"), "kernel_l2", 0.5),
        (("--bias-l1", "0.5"), "bias_l1", 0.5),
        (("--bias-l2", "0.5"), "bias_l2", 0.5),
        (("--sign-policy", "hard"), "sign_policy", "hard"),
        (("--sign-penalty", "0.5"), "sign_penalty", 0.5),
        (("--kernel", "dense"), "kernel", "dense"),
        (("--dtype", "mixed_float16"), "dtype", "mixed_float16"),
        (("--seed", "6"), "seed", 6),
    ],
)
def test_every_option_of_compile_is_recorded_and_changes_the_bundle(folder, options, key, value):
    succeed("extract", "net.sif", *ROLES, "--out", "net.json")
    base = succeed("compile", "net.json", "--out", "base.gnn", "--json").data
    data = succeed("compile", "net.json", "--out", "net.gnn", *options, "--json").data
    assert data["options"][key] == value
    assert base["options"][key] != value
    assert (folder / "net.gnn").read_bytes() != (folder / "base.gnn").read_bytes()


def test_compile_counts_parameters_of_units_and_the_bundle_loads(folder):
    from graphnn.compiler.bundle import load_bundle

    succeed("extract", "net.sif", *ROLES, "--out", "net.json")
    words = (
        "--units",
        "3",
        "--input-dropout",
        "0.1",
        "--sign-policy",
        "hard",
        "--dropout",
        "0.2",
        "--adaptive-dropout",
    )
    data = succeed("compile", "net.json", "--out", "net.gnn", *words, "--json").data
    model = load_bundle(folder / "net.gnn")
    assert data["parameters"] == sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert data["parameters"] > data["edges"] * 2


def test_compile_twice_gives_the_same_bytes(folder):
    succeed("extract", "net.sif", *ROLES, "--out", "net.json")
    for name in ("a.gnn", "b.gnn"):
        succeed("compile", "net.json", "--out", name)
    assert (folder / "a.gnn").read_bytes() == (folder / "b.gnn").read_bytes()


@pytest.mark.parametrize("verb", ["check", "prune", "extract"])
def test_the_seed_is_recorded(folder, verb):
    assert succeed(verb, "net.sif", *ROLES, "--seed", "11", "--json").data["seed"] == 11


# -- options that only some formats of cells have ------------------------------------------------------------------


def _frame(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "cells.csv", index_col=0)


def _trained_on(caught: list[tuple[Any, ...]], cells: str, *options: str) -> tuple[list[Any], list[Any]]:
    """Values and labels that `compare` would train on."""
    result = run("compare", "net.sif", *ROLES, "--cells", cells, "--normalize", "none", *options)
    assert "caught" in result.stderr, result.stderr
    _, _, table, labels = caught[-1]
    return table.select(["A", "B", "C", "E"]).tolist(), labels.loc[list(table.barcodes)].to_numpy().ravel().tolist()


def test_duplicates_says_what_becomes_of_a_gene_given_twice(folder, caught):
    frame = _frame(folder)
    doubled = pd.concat([frame, frame[["A"]].iloc[::-1].set_axis(frame.index)], axis="columns")
    doubled.to_csv(folder / "double.csv")
    values = [
        _trained_on(caught, "double.csv", "--labels", "labels.csv", "--duplicates", how)[0]
        for how in ("max", "sum", "first")
    ]
    assert values[0] != values[1] != values[2] != values[0]
    assert values[2] == frame.to_numpy().tolist()
    arguments = ("--cells", "double.csv", "--labels", "labels.csv")
    refused = run("compare", "net.sif", *ROLES, *arguments, "--duplicates", "raise")
    assert refused.code == 1
    assert "'A'" in refused.stderr


def test_layer_and_label_of_an_h5ad_file(folder, caught):
    anndata = pytest.importorskip("anndata")
    frame = _frame(folder)
    adata = anndata.AnnData(frame.astype("float32"))
    adata.layers["other"] = np.ascontiguousarray(adata.X[:, ::-1])
    adata.obs["state"] = pd.read_csv(folder / "labels.csv", index_col=0)["Y"]
    adata.obs["alternate"] = [cell // 2 % 2 for cell in range(len(frame))]
    adata.write_h5ad(folder / "cells.h5ad")
    values, labels = _trained_on(caught, "cells.csv", "--labels", "labels.csv")
    assert _trained_on(caught, "cells.h5ad", "--label", "state") == (values, labels)
    assert _trained_on(caught, "cells.h5ad", "--labels", "labels.csv") == (values, labels)
    assert _trained_on(caught, "cells.h5ad", "--label", "alternate") == (values, list(adata.obs["alternate"]))
    other, _ = _trained_on(caught, "cells.h5ad", "--label", "state", "--layer", "other")
    assert other == [row[::-1] for row in values]


def test_genome_of_a_10x_file_with_two(folder, caught):
    pytest.importorskip("scanpy")
    h5py = pytest.importorskip("h5py")
    frame = _frame(folder)
    with h5py.File(folder / "cells.h5", "w") as file:
        for genome, values in (("human", frame.to_numpy()), ("mouse", frame.to_numpy()[::-1])):
            group = file.create_group(genome)
            rows, columns = np.nonzero(values)
            group["data"] = values[rows, columns].astype("int32")
            group["indices"] = columns.astype("int64")
            group["indptr"] = np.searchsorted(rows, np.arange(len(values) + 1)).astype("int64")
            group["shape"] = np.array(values.shape[::-1], dtype="int32")
            group["barcodes"] = np.array(frame.index, dtype="S")
            group["genes"] = np.array([f"id{gene}" for gene in frame], dtype="S")
            group["gene_names"] = np.array(frame.columns, dtype="S")
    human, mouse = (
        _trained_on(caught, "cells.h5", "--labels", "labels.csv", "--genome", genome)[0]
        for genome in ("human", "mouse")
    )
    assert human == frame.to_numpy().tolist()
    assert mouse == human[::-1]
    refused = run("compare", "net.sif", *ROLES, "--cells", "cells.h5", "--labels", "labels.csv")
    assert refused.code == 2
    assert "'human' or 'mouse'" in refused.stderr
    assert "--genome" in refused.stderr, "the message should name the option of the command"


# -- the battery is complete ---------------------------------------------------------------------------------------


def test_no_option_of_compare_is_left_out_here():
    import inspect

    compare = next(info.callback for info in app.registered_commands if info.callback.__name__ == "compare")
    tested = {option[2:].replace("-", "_") for options, _ in COMPARE_OPTIONS for option in options}
    elsewhere = {
        *(
            "dropout",
            "dropout_on",
            "adaptive_dropout",
            "activation",
            "level_activation",
            "normalize",
            "time_limit",
            "layer",
            "genome",
            "label",
            "groups",
            "controls",
            "draws",
            "duplicates",
            "source",
            "target",
        ),
        *("network", "outputs", "cells", "labels", "inputs", "inputs_file", "input_suffix"),
        *("context", "out", "force", "json_", "quiet"),
    }
    assert set(inspect.signature(compare).parameters) == tested | elsewhere


def test_two_outputs_are_named_in_table_and_json(folder):
    (folder / "net.sif").write_text(NETWORK + "D\t1\tZ\n")
    (folder / "labels.csv").write_text(labels_csv(("Y", "Z")))
    result = succeed("compare", "net.sif", "--input-suffix", "_gene", "-o", "Z,Y", *CELLS, *SHORT, "--json")
    assert result.data["asked"]["outputs"] == ["Y", "Z"]
    assert {row["output"] for row in result.data["summary"]} == {"Y", "Z", "(mean)"}
    assert "output" in result.stderr
