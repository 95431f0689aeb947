"""The standing training benchmark of the repository: what it runs on, its store, and the page that is made of it."""

from __future__ import annotations

import json

import pytest

from benchmarks import training
from graphnn.errors import DataError
from graphnn.evaluate.bench import record
from graphnn.evaluate.bench.contest import contest
from graphnn.evaluate.bench.shapes import enlarged
from tests.evaluate.bench.small import OPTIONS, instance, rival
from tests.real_data import real_data

FACTS = {
    "kind": "step", "commit": "abc", "date": "2000-01-01", "machine": {"processor": "P", "cores": 2}, "batch_size": 16,
    "trained_epochs": 3, "load": 1.5, "learning_rate": 0.003, "copy_gb_per_s": 10.0, "limit_s": 60.0,
}  # fmt: skip


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A store of its own, in which the tiny instance has a place."""
    monkeypatch.setattr("benchmarks.store.RESULTS", tmp_path)
    monkeypatch.setattr(training, "RESULTS", tmp_path)
    monkeypatch.setattr(training, "MAKERS", {"small": instance})
    monkeypatch.setattr(training, "NAMES", ("ours", "slow", "gone"))
    monkeypatch.setattr(training, "PAIRS", ("small",))
    return tmp_path


def step_rows(tmp_path):
    """Ours takes 1 s to build and 0.1 s an epoch, the other ten times as much; the third is absent."""
    bodies = {
        "ours": "GOOD['build_s'] = 1.0; GOOD['epochs_s'] = [2.0, 0.1, 0.1]; say(**GOOD)",
        "slow": "GOOD['build_s'] = 10.0; GOOD['epochs_s'] = [20.0, 1.0, 1.0]; GOOD['peak_mb'] = 400.0; say(**GOOD)",
        "gone": "say(status='not installed', message='no rival')",
    }
    entrants = [rival(tmp_path, body, name) for name, body in bodies.items()]
    rows = contest(instance(), entrants, OPTIONS, limit_s=60, bandwidth=1e10)
    return [{**row.to_dict(), **FACTS} for row in rows]


TOTAL = {
    **FACTS, "kind": "total", "instance": "small", "contestant": "ours", "basis": "measured", "cache": "cold",
    "folds": 5, "seeds": 1, "epochs": 200, "patience": 10, "n_cells": 100, "status": "done", "message": "",
    "versions": {}, "seconds": 12.5, "auc_full": 0.9, "auc_compressed": 0.8, "epochs_full": 20.0,
    "epochs_compressed": 10.0,
}  # fmt: skip


def test_ratios_are_theirs_over_ours(tmp_path):
    rows = step_rows(tmp_path)
    ((name, found),) = record.ratios(rows, "small").items()
    assert name == "slow"
    assert found == {
        "build_s": 10.0, "build_and_first_epoch_s": 10.0, "step_ms": pytest.approx(10.0), "first_predict_s": 1.0,
        "predict_s": 1.0, "peak_mb": 4.0,
    }  # fmt: skip
    assert record.ratios(rows[1:], "small") == {}
    assert record.absent(rows) == ["gone"]
    assert "not installed (no rival)" in record.sentence(rows[2])


def test_a_record_is_json_and_its_table_has_every_row(tmp_path):
    rows = step_rows(tmp_path)
    data = json.loads(record.json_bytes(record.record(rows, bandwidth=1e10, options={}, seed=1, finished=True)))
    assert (data["benchmark"], data["copy_gb_per_s"], len(data["rows"])) == ("training", 10.0, 3)
    assert len(record.table_csv(rows).decode().splitlines()) == 4


def test_equal_rows_are_drawn_as_equal_bytes(tmp_path):
    if not record.can_draw():
        pytest.skip("matplotlib is not installed")
    rows = step_rows(tmp_path)
    assert record.drawn(rows) == record.drawn(rows)
    with pytest.raises(DataError, match="at least one contestant"):
        record.drawn(rows[2:])


def test_rows_are_replaced_and_kept_in_order(results):
    kept: list = []
    for row in reversed(step_rows(results)):
        training.save(row, kept)
    training.save({**kept[0], "build_s": 3.0}, kept)
    stored = training.stored()["rows"]
    assert [(row["contestant"], row["build_s"]) for row in stored] == [("ours", 3.0), ("slow", 10.0), ("gone", None)]


def test_the_page_is_made_of_the_store(results, tmp_path, monkeypatch):
    page = tmp_path / "training-benchmark.md"
    page.write_text(f"# Title\n\n{training.BEGIN}\n\nwhat stood here\n\n{training.END}\n\nafter\n")
    monkeypatch.setattr(training, "PAGE", page)
    training.write_page()
    assert page.read_text() == f"# Title\n\n{training.BEGIN}\n\n{training.NOT_YET}\n\n{training.END}\n\nafter\n"
    kept: list = []
    for row in [*step_rows(results), TOTAL]:
        training.save(row, kept)
    training.write_page()
    text = page.read_text()
    assert "| slow | 7 | 1 s | 10 s | 20 s | 333 ms |" in text
    assert "| slow | 10 | 10 | 10 | 1 | 1 | 4 |" in text
    assert "| gone | not installed |" in text
    assert "| small | ours | 5 x 1 x 2 | cold | **12.5** | measured | 20 / 10 | 0.9 / 0.8 |" in text
    seconds = 1 + 2 * (10 + 20) + 5 * 30 * (100 * 0.64 / 16) / 3
    assert f"| small | slow | 5 x 1 x 2 | | {seconds:,.0f} | extrapolated |" in text
    assert "P, 2 cores, 2000-01-01, load average before the runs 1.5 to 1.5, commit abc; rival 1.0." in text
    assert "what stood here" not in text
    assert ("![" in text) == record.can_draw()
    training.write_page()
    assert page.read_text() == text


def test_measuring_stores_each_row(results, monkeypatch):
    entrant = rival(results, "say(**GOOD)", "ours")
    monkeypatch.setattr(training, "contestant", lambda name: entrant)
    training.measure(["small"], ["ours"], OPTIONS, limit_s=60, keep=[])
    (row,) = training.stored()["rows"]
    assert (row["kind"], row["instance"], row["status"], row["batch_size"]) == ("step", "small", "done", 16)
    assert row["floor_ms"] == pytest.approx(1e3 * 4 * (16 * 99 + 6 * 214) / (row["copy_gb_per_s"] * 1e9))


def test_the_page_of_the_repository_holds_what_is_stored():
    text = training.PAGE.read_text(encoding="utf-8")
    held = text.partition(training.BEGIN)[2].partition(training.END)[0]
    assert training.section(training.stored()) in held


def test_the_standing_networks_have_their_sizes():
    assert (training.TUTORIAL.n_inputs, training.TUTORIAL.n_edges + training.TUTORIAL.n_units) == (12_459, 26_236)
    assert (training.LARGEST.n_inputs, training.LARGEST.n_units, training.LARGEST.n_edges) == (
        100_000,
        50_000,
        4_000_000,
    )
    assert [enlarged(factor).n_edges for factor in (10, 100)] == [369_090, 3_690_900]
    assert set(training.GROWTH) | set(training.PAIRS) | {"pkn-37k"} == set(training.MAKERS)


@pytest.mark.real_data
def test_the_real_network_and_its_minimal_one_have_the_same_inputs(monkeypatch):
    folder = real_data("pkn/tcell_abc.sif.gz").parents[1]
    monkeypatch.setenv("GRAPHNN_REAL_DATA", str(folder))
    found = training.tcell()
    assert found.second.n_edges < found.network.n_edges
    names = [[net.nodes[vertex] for vertex in net.inputs] for net in (found.network, found.second)]
    assert names[0] == names[1]
    assert found.cells.x_train.shape[1] == len(names[0])
    assert all(0.1 < part.mean() < 0.9 for part in (found.cells.y_train, found.cells.y_test))
