"""The training contest: what a contestant says is checked, what is derived from it is right, nothing is dropped."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import log_loss

import graphnn as gn
from graphnn.errors import OptionError
from graphnn.evaluate.bench import own, task
from graphnn.evaluate.bench.contest import (
    RIVAL,
    Contestant,
    TotalOptions,
    contest,
    contestant,
    extrapolated,
    instance_of,
    run,
    total,
)
from graphnn.evaluate.bench.floor import copy_bandwidth, step_bytes
from graphnn.evaluate.bench.shapes import draw_cells, draw_network, shape_of
from tests.evaluate.bench.small import OPTIONS, instance, rival


def only_row(entrant, *, bandwidth=None, limit_s=60):
    (row,) = contest(instance(), [entrant], OPTIONS, limit_s=limit_s, bandwidth=bandwidth)
    return row


# -- what is derived -----------------------------------------------------------------------------------------------


def test_figures_of_a_row_come_from_what_was_said_and_loss_and_auc_from_the_predictions(tmp_path):
    body = "GOOD['prediction'] = np.where(cells['y_test'][:, 0] > 0, 0.8, 0.4).tolist(); say(**GOOD)"
    row = only_row(rival(tmp_path, body), bandwidth=1e6)
    truth = instance().cells.y_test[:, 0]
    assert (row.status, row.build_s, row.first_epoch_s, row.first_predict_s, row.peak_mb) == (
        "done",
        2.0,
        9.0,
        4.0,
        100.0,
    )
    assert row.step_ms == pytest.approx(1e3 * 0.2 / 3)  # median of 0.3 and 0.1 s, 48 cells in batches of 16
    assert row.predict_s == pytest.approx(0.6)
    assert row.auc == 1.0
    assert row.loss == pytest.approx(log_loss(truth, np.where(truth > 0, 0.8, 0.4)))
    assert (row.n_inputs, row.n_units, row.n_edges, row.n_levels, row.n_train) == (99, 14, 200, 7, 48)
    assert row.floor_ms == pytest.approx(1e3 * 4 * (16 * 99 + 6 * 214) / 1e6)
    assert row.floor_ratio == pytest.approx(row.step_ms / row.floor_ms)
    assert json.dumps(row.to_dict())


def test_the_floor_counts_cells_once_and_three_numbers_a_parameter_both_ways():
    assert step_bytes(n_inputs=10, n_parameters=5, batch_size=2) == 4 * 20 + 4 * 5 * 3 * 2
    assert copy_bandwidth(1, repeats=1) > 0


def test_cells_train_in_whole_batches_and_are_scaled_by_those_that_train():
    cells = instance().cells
    assert (len(cells.x_train), len(cells.x_test)) == (48, 10)
    scaled = cells.scaled(cells.x_train)
    varies = cells.x_train.std(axis=0) > 0
    assert scaled.mean(axis=0) == pytest.approx(0, abs=0.05)
    assert np.median(scaled[:, varies].std(axis=0)) == pytest.approx(1, abs=0.05)


def test_an_extrapolation_counts_two_builds_and_our_epochs():
    own_row = {
        "instance": "small", "folds": 5, "seeds": 1, "epochs": 200, "patience": 10, "status": "done", "n_cells": 100,
        "epochs_full": 20.0, "epochs_compressed": 10.0,
    }  # fmt: skip
    row = {"contestant": "x", "status": "done", "import_s": 1.0, "build_s": 2.0, "first_epoch_s": 3.0, "step_ms": 10.0}
    found = extrapolated(row, own_row, batch_size=16)
    assert found["basis"] == "extrapolated"
    assert found["seconds"] == pytest.approx(1 + 2 * (2 + 3) + 5 * 30 * (100 * 0.8 * 0.8 / 16) * 0.010)
    assert extrapolated({**row, "step_ms": None}, own_row, batch_size=16) is None
    assert extrapolated({**row, "status": "time out"}, own_row, batch_size=16) is None


# -- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("say(**{**GOOD, 'prediction': [0.5]})", "failed", "expected 10 predictions, got 1"),
        ("say(**{**GOOD, 'prediction': [2.0] * 10})", "failed", "between 0 and 1"),
        ("say(**{**GOOD, 'prediction': [float('nan')] * 10})", "failed", "between 0 and 1"),
        ("say(**{**GOOD, 'epochs_s': [1.0]})", "failed", "seconds of 3 epochs"),
        ("say(**{**GOOD, 'build_s': None})", "failed", "build_s"),
        ("say(**{**GOOD, 'epochs_s': ['x']})", "failed", "no number"),
        ("say(status='wonderful')", "failed", "expected a status among"),
        ("open(os.path.join(folder, 'answer.json'), 'w').write('{')", "failed", "cannot be read"),
        ("raise ValueError('too bad')", "failed", "exit code 1: ValueError: too bad"),
        ("say(**GOOD); sys.exit(3)", "failed", "exit code 3"),
        ("pass", "failed", "exit code 0: it said nothing"),
        ("say(status='not installed', message='no rival')", "not installed", "no rival"),
    ],
)
def test_a_bad_answer_is_a_row_that_says_why(body, status, words, tmp_path):
    row = only_row(rival(tmp_path, body))
    assert (row.status, words in row.message) == (status, True), row.message
    assert (row.step_ms, row.loss, row.auc) == (None, None, None)


def test_who_never_ends_is_stopped(tmp_path):
    row = only_row(rival(tmp_path, "time.sleep(60)"), limit_s=0.5)
    assert (row.status, row.message) == ("time out", "stopped after 0.5 s")


def test_everyone_is_cold_and_a_rival_sees_none_of_our_packages(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "1")
    names = ("PYTHONPATH", "KERAS_BACKEND", "JAX_ENABLE_COMPILATION_CACHE")
    body = f"""
cache = os.environ["XDG_CACHE_HOME"]
say(**GOOD, details={{**{{name: os.environ.get(name) for name in {names}}}, "cached": os.listdir(cache)}})
"""
    row = only_row(rival(tmp_path, body))
    found = {name: row.details[name] for name in (*names, "cached")}
    assert found == {"PYTHONPATH": None, "KERAS_BACKEND": "jax", "JAX_ENABLE_COMPILATION_CACHE": "0", "cached": []}


@pytest.mark.parametrize("name", RIVAL)
def test_an_absent_rival_is_not_installed(name, tmp_path, monkeypatch):
    variable = RIVAL[name][1]
    monkeypatch.delenv(variable, raising=False)
    row = only_row(contestant(name))
    assert (row.status, row.message) == ("not installed", f"set {variable} to a Python that has it")
    row = only_row(contestant(name, pythons={variable: sys.executable}))
    assert (row.status, row.message.startswith("this Python has no")) == ("not installed", True)
    row = only_row(contestant(name, pythons={variable: sys.executable}, rivals=tmp_path))
    assert "name its folder" in row.message
    row = only_row(contestant(name, pythons={variable: str(tmp_path / "python")}))
    assert "no program python" in row.message


def test_what_cannot_be_is_refused():
    with pytest.raises(OptionError, match=r"contestant to be one of ours, .*did you mean 'ours'"):
        contestant("our")
    with pytest.raises(OptionError, match="epochs to be at least 2"):
        next(contest(instance(), [], replace(OPTIONS, epochs=1), limit_s=1))
    with pytest.raises(OptionError, match="second network"):
        next(total(instance(), OPTIONS, TotalOptions(), limit_s=1))
    dag = draw_network(shape_of(200))
    x, y = draw_cells(dag, 20)
    for n_train in (10, 20):
        with pytest.raises(OptionError, match="at least one batch of 16 and fewer than all 20 cells"):
            instance_of("x", dag, x, y, n_train=n_train, batch_size=16)
    assert run(Contestant("x", ("no-such-program",)), instance(), OPTIONS, limit_s=1).status == "not installed"


# -- files ---------------------------------------------------------------------------------------------------------


def test_network_cells_and_options_survive_their_files(tmp_path):
    small = instance()
    task.write_network(tmp_path / "n.npz", small.network)
    task.write_cells(tmp_path / "c.npz", small.cells)
    task.write_options(tmp_path / "o.json", OPTIONS)
    network, cells = task.read_network(tmp_path / "n.npz"), task.read_cells(tmp_path / "c.npz")
    assert own.as_dag(network).fingerprint == draw_network(shape_of(200)).fingerprint
    for name in ("sources", "targets", "interactions", "inputs", "outputs", "level"):
        assert np.array_equal(getattr(network, name), getattr(small.network, name))
    for name in ("x_train", "y_train", "x_test", "y_test", "offset", "factor", "limit"):
        assert np.array_equal(getattr(cells, name), getattr(small.cells, name))
    assert task.read_options(tmp_path / "o.json") == OPTIONS


# -- our own -------------------------------------------------------------------------------------------------------


def test_masks_hold_every_edge_once_in_its_place():
    network = instance().network
    names, inputs = np.array(network.nodes), {*network.inputs.tolist()}
    level = np.where([index in inputs for index in range(len(names))], 0, network.level)
    columns = [names[level == number] for number in range(8)]
    found = []
    for number, (read, mask) in enumerate(own.level_masks(network), start=1):
        rows = np.concatenate([columns[one] for one in read])
        assert mask.shape == (len(rows), len(columns[number]))
        found += [(rows[s], columns[number][t]) for s, t in np.argwhere(mask)]
    assert sorted(found) == sorted(zip(names[network.sources], names[network.targets], strict=True))
    assert own.level_widths(network) == [99, *shape_of(200).level_units]


@cache
def our_row(name):
    """Measured in a process of its own, as a user runs it."""
    (row,) = contest(instance(), [contestant(name)], OPTIONS, limit_s=300)
    return row


@pytest.mark.parametrize("name", [pytest.param("masked", marks=pytest.mark.slow), "ours", "dense"])
def test_our_contestants_run_to_their_end(name):
    row = our_row(name)
    assert row.status == "done", row.message
    assert min(row.import_s, row.build_s, row.first_epoch_s, row.step_ms, row.first_predict_s, row.predict_s) > 0
    assert row.peak_mb > 50
    assert row.loss < 2
    assert set(row.versions) >= {"graphnn", "keras", "jax"}
    widths = [99, *shape_of(200).level_units]
    expected = {
        "ours": 214,
        "dense": sum(before * width + width for before, width in pairwise(widths)),
        "masked": sum(mask.size + mask.shape[1] for _, mask in own.level_masks(instance().network)),
    }
    assert row.n_parameters == expected[name]


@pytest.mark.slow
def test_the_whole_job_is_measured_cold_and_warm(tmp_path):
    dag = draw_network(shape_of(200))
    second = gn.extract_dag(dag.graph, dag.inputs, dag.outputs)
    x, y = draw_cells(dag, 80)
    both = instance_of("small", dag, x, y, n_train=64, batch_size=16, second=second)
    rows = list(total(both, OPTIONS, TotalOptions(folds=2, epochs=2), limit_s=300))
    assert [(row["status"], row["cache"], row["message"]) for row in rows] == [
        ("done", "cold", ""),
        ("done", "warm", ""),
    ]
    for row in rows:
        assert row["seconds"] > row["compare_s"] > 0
        assert (row["n_cells"], row["n_parameters_full"]) == (80, 214)
        assert row["n_parameters_compressed"] < 214
        assert 0 <= row["auc_full"] <= 1
        assert row["epochs_full"] == 2
    assert rows[0]["auc_full"] == rows[1]["auc_full"]
