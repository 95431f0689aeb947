"""Compiled programs on disk: where, when not, and that they change nothing. Each in a process of its own."""

from __future__ import annotations

import json
import os

import pytest

from tests.compiler.drawn import run_python

ASK = """
import json, jax
from graphnn.evaluate.engine.cache import use_compilation_cache
folder = use_compilation_cache()
print(json.dumps([folder and str(folder), jax.config.jax_compilation_cache_dir]))
"""
TRAIN = """
import hashlib
from tests.evaluate.small import bytes_of, cells, networks, splits_of, trainer
x, y = cells(60)
y = y.to_numpy()
splits = splits_of(y)
fit = trainer(networks()[0], x, y, splits, epochs=2, engine="jax").fit(splits[0])
print(hashlib.sha256(bytes_of(fit)).hexdigest())
"""


def test_the_folder_is_the_users_cache_or_the_one_that_is_named(tmp_path):
    home, named = tmp_path / "home", tmp_path / "named"
    folder, used = json.loads(run_python(ASK, GRAPHNN_CACHE="", XDG_CACHE_HOME=str(home)))
    assert folder == used
    assert folder.startswith(str(home / "graphnn" / "jax-"))
    folder, used = json.loads(run_python(ASK, GRAPHNN_CACHE=str(named)))
    assert folder == used
    assert folder.startswith(str(named))


def test_it_stays_off_where_it_is_switched_off_and_leaves_the_users_own_alone(tmp_path):
    assert json.loads(run_python(ASK, GRAPHNN_CACHE="off", XDG_CACHE_HOME=str(tmp_path))) == [None, None]
    own = str(tmp_path / "own")
    found = json.loads(run_python(ASK, GRAPHNN_CACHE=str(tmp_path / "named"), JAX_COMPILATION_CACHE_DIR=own))
    assert found == [None, own]
    assert not (tmp_path / "named").exists()


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert json.loads(run_python(ASK, GRAPHNN_CACHE=str(tmp_path / "file"))) == [None, None]


@pytest.mark.slow
def test_a_program_from_the_cache_gives_the_same_bits(tmp_path):
    cache = {"GRAPHNN_CACHE": str(tmp_path), "PYTHONPATH": os.getcwd()}
    first = run_python(TRAIN, **cache)
    assert "persistent compilation cache" not in first
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert run_python(TRAIN, **cache) == first == run_python(TRAIN, **{**cache, "GRAPHNN_CACHE": "off"})
