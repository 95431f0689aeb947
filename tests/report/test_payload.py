"""The payload: JSON types, the same numbers as the comparison and the page, the same bytes in every process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from graphnn.compiler.options import NetworkOptions
from graphnn.evaluate.compare import NETWORKS, compare
from graphnn.evaluate.options import TrainingOptions
from graphnn.report import sentences
from graphnn.report.payload import Context, make_payload
from graphnn.report.text import output_label
from graphnn.report.write import html_bytes, json_bytes
from tests.compiler.drawn import dag_of
from tests.evaluate.small import (
    TRAINING,
    cells,
    comparison,
    digest_of,
    named_weights,
    networks,
    splits_of,
    without_times,
)

HERE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


@cache
def payload() -> dict:
    return make_payload(comparison())


@cache
def twin() -> dict:
    """The payload of the same comparison, run again."""
    full, compressed = networks()
    x, y = cells()
    return make_payload(compare(full, compressed, x, y, folds=3, seeds=2, seed=4, training=TRAINING))


def leaves(value, path: tuple = ()):
    if isinstance(value, dict):
        for key, item in value.items():
            assert type(key) is str
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


# -- JSON ------------------------------------------------------------------------------------------------------------


def test_only_plain_json_types_and_a_round_trip():
    for path, value in leaves(payload()):
        assert value is None or type(value) in (str, int, float, bool), path
    text = json.dumps(payload(), allow_nan=False)
    assert json.loads(text) == payload()
    assert json.loads(json_bytes(payload())) == payload()


def test_two_runs_differ_in_times_alone():
    first, second = dict(leaves(payload())), dict(leaves(twin()))
    assert first.keys() == second.keys()
    odd = {path for path in first if first[path] != second[path]}
    assert all(path[-1] in ("created", "seconds") for path in odd), odd
    timed = {path for path in first if path[-1] in ("created", "seconds")}
    assert {path[0] for path in timed} == {"created", "networks"}
    assert json_bytes(without_times(payload())) == json_bytes(without_times(twin()))


def test_every_process_gives_the_same_bytes():
    """From the prior network to the payload and every bit of the weights, under two hash seeds and in this process."""
    code = "from tests.evaluate.small import *\nprint('digest', digest_of(comparison()))"
    given = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": HERE}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=HERE,
            env={**given, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("0", "1")
    ]
    said = [process.communicate(timeout=300) for process in running]
    assert [process.returncode for process in running] == [0, 0], said
    assert [out.split("digest ")[-1].strip() for out, _ in said] == [digest_of(comparison())] * 2


# -- the numbers of the comparison -----------------------------------------------------------------------------------


def test_folds_and_summary_are_those_of_the_comparison():
    found = comparison()
    folds = pd.DataFrame(payload()["folds"])
    pd.testing.assert_frame_equal(folds, found.scores, check_dtype=False, check_exact=True)
    summary = pd.DataFrame(payload()["summary"])
    pd.testing.assert_frame_equal(
        summary.drop(columns="output"), found.summary(), check_dtype=False, check_exact=True, check_like=True
    )
    assert set(summary["output"]) == {"y"}
    assert payload()["compression"] == json.loads(found.compression.to_json(orient="records", double_precision=15))


def test_mean_and_rank_of_importance_by_hand():
    runs = pd.DataFrame(payload()["importance_runs"])
    assert len(runs) == len(comparison().importance())
    for name in NETWORKS:
        rows = [row for row in payload()["importance"] if row["network"] == name]
        assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
        assert [row["mean"] for row in rows] == sorted((row["mean"] for row in rows), reverse=True)
        assert {row["node"] for row in rows} == set(comparison().networks[name].hidden)
        for row in rows:
            scores = runs.query("network == @name and node == @row['node']")["score"]
            assert len(scores) == 6
            assert row["mean"] == pytest.approx(scores.mean())
            assert row["sd"] == pytest.approx(scores.std(ddof=1))


def test_hidden_network_names_its_edges_and_their_mean_weights():
    found, hidden = comparison(), payload()["hidden_network"]
    dag = found.networks["compressed"]
    named = [named_weights(dag, fit) for fit in found.fits["compressed"]]
    inside = {(s, t): sign for s, sign, t in dag.graph.to_sif_tuples() if s not in dag.inputs}
    assert {(edge["source"], edge["target"]): edge["interaction"] for edge in hidden["edges"]} == inside
    for edge in hidden["edges"]:
        mean = np.mean([weights[edge["source"], edge["target"]] for weights in named])
        assert edge["weight"] == pytest.approx(mean, rel=1e-5)
    assert {node["name"] for node in hidden["nodes"]} == {*dag.hidden, *dag.outputs}
    for node in hidden["nodes"]:
        feeding = [s for s, _, t in dag.graph.to_sif_tuples() if t == node["name"] and s in dag.inputs]
        assert node["n_inputs"] == len(feeding)
        assert (node["role"] == "output") == (node["name"] == "y")


def test_sizes_proof_and_pruning_are_told():
    full, compressed = networks()
    sizes = payload()["networks"]
    for name, dag in (("full", full), ("compressed", compressed)):
        assert (sizes[name]["nodes"], sizes[name]["edges"]) == dag.graph.shape
        assert sizes[name]["proof"]["sentence"] == dag.proof.sentence()
        assert sizes[name]["fingerprint"] == dag.fingerprint
    assert payload()["asked"]["pkn"]["nodes"] == full.origin["nodes"]
    assert payload()["dropped"] == full.origin["dropped"]
    assert payload()["asked"]["objective"] == "min_edges"
    assert payload()["warnings"] == []


def test_the_context_is_told_in_full():
    context = Context(
        title="T & <b>", pkn="p.sif", cells="c.h5", n_inputs_requested=9, command="graphnn demo", notes=("n1",),
        planted=(comparison().networks["full"].hidden[0], "no such vertex"),
    )  # fmt: skip
    told = make_payload(comparison(), context)
    assert (told["title"], told["command"]) == ("T & <b>", "graphnn demo")
    assert (told["asked"]["pkn"]["name"], told["asked"]["cells"]["name"]) == ("p.sif", "c.h5")
    assert told["asked"]["inputs_requested"] == 9
    assert told["asked"]["notes"][0] == "n1"
    ranks = {(row["node"], row["network"]): row["rank"] for row in told["importance"]}
    assert {row["node"] for row in told["planted"]} == {context.planted[0]}
    assert all(ranks[row["node"], row["network"]] == row["rank"] for row in told["planted"])
    assert b"<b>" not in html_bytes(told).split(b"</title>")[0]


# -- words -----------------------------------------------------------------------------------------------------------


def test_the_answer_in_words_has_the_numbers_of_the_summary():
    row = payload()["summary"][0]
    assert row["metric"] == "roc_auc"
    sentence = payload()["sentences"][1].replace("−", "-")
    assert f"{row['full']:.3f} before and {row['compressed']:.3f} after" in sentence
    assert f"{row['change']:+.3f}" in sentence
    assert f"{row['ci_low']:+.3f} to {row['ci_high']:+.3f}" in sentence
    beyond = row["ci_low"] > 0 or row["ci_high"] < 0
    assert ("a difference beyond chance" in sentence) == beyond
    sizes = {entry["quantity"]: entry for entry in payload()["compression"]}["edges"]
    assert f"has {sizes['compressed']} edges, the full one {sizes['full']} " in payload()["sentences"][0]


@pytest.mark.parametrize(("p", "written"), [(0.0, "p < 0.001"), (0.0004, "p < 0.001"), (0.0312, "p = 0.031")])
def test_a_small_p_value_reads_as_a_sentence(p, written):
    row = {"metric": "accuracy", "full": 0.5, "compressed": 0.4, "change": -0.1, "ci_low": -0.2, "ci_high": -0.05}
    assert written in sentences.of_change({**row, "p": p}, several=False)


@cache
def optimistic() -> dict:
    """Two outputs under the tutorial's protocol."""
    full = dag_of("a>h b>h c>h h>y h>z a>y y>z", inputs="a b c", outputs="y z")
    compressed = dag_of("a>h b>h c>h h>y y>z", inputs="a b c", outputs="y z")
    x, y = cells(columns=("a", "b", "c"))
    labels = pd.DataFrame({"y": y, "z": (x["c"] > 1).astype(int)})
    found = compare(full, compressed, x, labels, folds=2, protocol="tutorial", training=TrainingOptions(epochs=2))
    assert found.is_optimistic
    return make_payload(found)


def test_the_tutorial_protocol_is_labelled_wherever_it_appears():
    told = optimistic()
    assert told["protocol"]["optimistic"] is True
    assert "optimistic" in told["protocol"]["sentence"]
    assert any("optimistic" in sentence for sentence in told["sentences"])
    assert any("ptimistic" in warning for warning in told["warnings"])
    assert payload()["protocol"]["optimistic"] is False
    assert not any("ptimistic" in text for text in (*payload()["sentences"], *payload()["warnings"]))


def test_networks_given_by_hand_are_not_called_minimal():
    assert any("not proved to be minimal" in warning for warning in optimistic()["warnings"])


def test_several_outputs_have_a_sentence_each():
    leading = [text for text in optimistic()["sentences"] if "ROC-AUC of " in text and not text.startswith("Not worse")]
    assert [re.search("ROC-AUC of (.)", sentence)[1] for sentence in leading] == ["y", "z"]


def test_a_metric_that_is_not_defined_is_null_and_said_so():
    """One cell a fold: neither Spearman's rho nor R2 exists; the rest of the report does."""
    full, compressed = networks()
    x, _ = cells(4)
    found = compare(
        full, compressed, x, x["a"].rename("t"), folds=4, network=NetworkOptions(task="regression"),
        training=TrainingOptions(epochs=1),
    )  # fmt: skip
    told = make_payload(found)
    rows = {row["metric"]: row for row in told["summary"]}
    for metric in ("spearman", "r2"):
        assert all(rows[metric][key] is None for key in ("full", "compressed", "change", "ci_low", "ci_high", "p"))
    assert rows["mse"]["full"] > 0
    assert any("not defined on any fold" in sentence for sentence in told["sentences"])
    assert json_bytes(told)
    assert b"n/a" in html_bytes(told)


# -- the page --------------------------------------------------------------------------------------------------------


class Tables(HTMLParser):
    """Every table of a page: its header, and its rows as (text, data-value) cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[tuple[str, str | None]]]] = []
        self._cell: tuple[list[str], str | None] | None = None

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr" and self.tables:
            self.tables[-1].append([])
        elif tag in ("td", "th") and self.tables:
            self._cell = ([], dict(attributes).get("data-value"))

    def handle_data(self, data):
        if self._cell is not None:
            self._cell[0].append(data)

    def handle_endtag(self, tag):
        if tag in ("td", "th") and self._cell is not None:
            self.tables[-1][-1].append(("".join(self._cell[0]).strip(), self._cell[1]))
            self._cell = None


def table_with(page: str, first: list[str]) -> list[list[tuple[str, str | None]]]:
    reader = Tables()
    reader.feed(page)
    found = [rows for rows in reader.tables if [text for text, _ in rows[0]][: len(first)] == first]
    assert len(found) == 1, [rows[0] for rows in reader.tables]
    return found[0]


def agrees(text: str, value: float) -> bool:
    """A shown number is the value, rounded to as many digits as it shows."""
    plain = text.replace("−", "-").replace(",", "").replace("+", "")
    if plain.startswith("<"):
        return abs(value) < float(plain[1:])
    digits = len(plain.partition(".")[2])
    return abs(float(plain) - value) <= 0.5 * 10.0**-digits + 1e-12


@pytest.mark.parametrize("told", [payload, optimistic], ids=["two seeds", "two outputs"])
def test_every_number_of_the_tables_is_in_the_json(told):
    told = told()
    page = html_bytes(json.loads(json_bytes(told))).decode()
    header, *rows = table_with(page, ["Network", "Output"])
    several = len({row["seed"] for row in told["folds"]}) > 1
    keys = ["seed"] * several + ["fold", "n_train", "n_validation", "n_test", "epochs"]
    keys += ["roc_auc", "accuracy", "precision", "recall", "f1"]
    assert len(header) == 2 + len(keys)
    assert len(rows) == len(told["folds"])
    seen = set()
    for (network, _), (output, _), *shown in rows:
        fold = {key: float(value) for key, (_, value) in zip(keys, shown, strict=True)}
        match = [
            row
            for row in told["folds"]
            if (row["network"], row["output"]) == (network, output) and all(row[key] == fold[key] for key in keys)
        ]
        assert len(match) == 1, (network, output, fold)
        seen.add(tuple(match[0].values()))
        for key, (text, _) in zip(keys, shown, strict=True):
            assert agrees(text, match[0][key]), (key, text, match[0][key])
    assert len(seen) == len(rows)

    _, *rows = table_with(page, ["Metric", "Output"])
    assert len(rows) == len(told["summary"])
    keys = ["full", "compressed", "change", "ci_low", "ci_high", "p"]
    for _, (output, _), *shown in rows:
        values = [None if value is None else float(value) for _, value in shown]
        match = [
            row
            for row in told["summary"]
            if output_label(row["output"]) == output and [row[key] for key in keys] == values
        ]
        assert match, (output, values)
        for key, (text, _) in zip(keys, shown, strict=True):
            assert agrees(text, match[0][key]) if match[0][key] is not None else text == "n/a", (key, text)


def test_no_split_in_the_report_was_trained_on():
    """The counts in the report are those of the splits that anybody can draw again."""
    y = cells()[1]
    splits = splits_of(y, folds=3, seeds=2, seed=4, validation_fraction=TRAINING.validation_fraction)
    for row in payload()["folds"]:
        split = next(split for split in splits if (split.seed, split.fold) == (row["seed"], row["fold"]))
        sizes = (len(split.train), len(split.validation), len(split.test))
        assert (row["n_train"], row["n_validation"], row["n_test"]) == sizes
