"""A tiny instance, fake rivals of a few lines, and rows for pages."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from graphnn.evaluate.bench.contest import Contestant, Instance, instance_of
from graphnn.evaluate.bench.shapes import draw_cells, draw_network, shape_of
from graphnn.evaluate.bench.task import RunOptions

OPTIONS = RunOptions(batch_size=16, epochs=3)

HEAD = """
import json, os, sys, time
import numpy as np
folder, way = sys.argv[1], sys.argv[3]
cells = np.load(os.path.join(folder, "cells.npz"))
network = np.load(os.path.join(folder, "network.npz"))
options = json.load(open(os.path.join(folder, "options.json")))
GOOD = {
    "status": "done", "import_s": 1.0, "graph_s": 0.5, "build_s": 2.0,
    "epochs_s": [9.0, 0.3, 0.1], "predicts_s": [4.0, 0.5, 0.7], "peak_mb": 100.0, "n_parameters": 7,
    "prediction": cells["y_test"][:, 0].tolist(), "versions": {"rival": "1.0"},
}

def say(**said):
    with open(os.path.join(folder, "answer.json"), "w") as file:
        json.dump(said, file)

"""


@cache
def instance() -> Instance:
    """200 edges, 60 cells of which 48 train."""
    dag = draw_network(shape_of(200))
    x, y = draw_cells(dag, 60)
    return instance_of("small", dag, x, y, n_train=50, batch_size=16)


def rival(folder: Path, body: str, name: str = "rival") -> Contestant:
    """A contestant that is a program of its own, with `cells`, `options`, `GOOD` and `say` at hand."""
    path = folder / f"{name}.py"
    path.write_text(HEAD + body, encoding="utf-8")
    return Contestant(name, (sys.executable, str(path)), "any")
