"""Controls, class names and class weights from the command line."""

from __future__ import annotations

import pytest

from tests.cli.tools import CELLS, COMPARE, NETWORK, SHORT, labels_csv, run, succeed


def test_controls_are_trained_and_told(folder):
    data = succeed(*COMPARE, "--controls", "shuffled, dense,control_inputs", "--draws", "2", "--json").data
    assert [row["name"] for row in data["contenders"]] == [
        "full", "compressed", "dense", "shuffled 1", "shuffled 2", "control-inputs 1", "control-inputs 2"
    ]  # fmt: skip
    assert {row["network"] for row in data["contrasts"]} == {"full", "dense"}
    assert {(row["control"], row["n_draws"]) for row in data["null_tests"] if row["metric"] == "roc_auc"} == {
        ("shuffled", 2)
    }
    assert "--draws 2" in data["command"]
    assert len(data["control_sentences"]) == 2
    page = (folder / "graphnn-report" / "report.html").read_text()
    assert all(sentence.split(":")[0] in page for sentence in data["control_sentences"])


def test_all_controls_at_once(folder):
    data = succeed(*COMPARE, "--controls", "all", "--draws", "1", "--json").data
    assert {row["control"] for row in data["contenders"]} >= {"dense", "elastic-net", "label-preferred", "rewired"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--controls", "rewird"), "did you mean 'rewired'"),
        (("--controls", "dense;random"), "among dense"),
        (("--controls", "dense", "--draws", "0"), "draws"),
        (("--class-weight", "equal"), "balanced"),
        (("--class-weight", "balanced", "--task", "regression"), "regression"),
    ],
)
def test_what_is_no_control_is_refused_before_anything_is_written(folder, words, message):
    result = run(*COMPARE, *words)
    assert result.code == 2
    assert message in result.stderr
    assert not (folder / "graphnn-report").exists()


def test_classes_by_name(folder):
    (folder / "net.sif").write_text(NETWORK + "D\t1\tZ\n")
    rows = labels_csv(("Y",)).splitlines()
    named = ["barcode,kind", *(row.replace(",1", ",Y").replace(",0", ",Z") for row in rows[1:])]
    (folder / "labels.csv").write_text("\n".join(named) + "\n")
    words = ("compare", "net.sif", "--input-suffix", "_gene", "-o", "Z,Y", *CELLS, *SHORT, "--task", "multiclass")
    data = succeed(*words, "--json").data
    assert [row["output"] for row in data["summary"] if row["metric"] == "roc_auc"] == ["Y", "Z", "(mean)"]
    (folder / "labels.csv").write_text("\n".join(named).replace(",Z", ",B") + "\n")
    result = run(*words, "--out", "other")
    assert result.code == 1
    assert "'B'" in result.stderr
    assert not (folder / "other").exists()
