"""What the rivals of the training benchmark share: reading the task, clocks, writing the answer. NumPy only.

It imports nothing of graphnn; the files are described in graphnn/evaluate/bench/task.py.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from importlib import metadata

import numpy as np

PREDICTIONS = 4  # the first compiles


class Task:
    """Network, cells and options out of the files of a folder, as attributes and arrays."""

    def __init__(self, folder):
        for name in ("network.npz", "cells.npz"):
            with np.load(os.path.join(folder, name), allow_pickle=False) as held:
                for key in held.files:
                    setattr(self, key, held[key])
        with open(os.path.join(folder, "options.json"), encoding="utf-8") as file:
            self.options = json.load(file)
        self.names = self.nodes.tolist()
        for key in ("x_train", "x_test"):  # scaled once, off everyone's clock
            scaled = (getattr(self, key) - self.offset) * self.factor
            setattr(self, key, np.clip(scaled, -self.limit, self.limit).astype(np.float32))

    def edges(self):
        """(source, target) of each edge, by name."""
        return [
            (self.names[s], self.names[t]) for s, t in zip(self.sources.tolist(), self.targets.tolist(), strict=True)
        ]

    def input_names(self):
        """Names of the columns of the data."""
        return [self.names[vertex] for vertex in self.inputs.tolist()]

    def output_names(self):
        """Names of the outputs."""
        return [self.names[vertex] for vertex in self.outputs.tolist()]


class Clock:
    """Seconds of stages by name, and of epochs."""

    def __init__(self):
        self.stages, self.epochs_s, self._last = {}, [], time.perf_counter()

    def start(self):
        """From here on the next stage or epoch counts."""
        self._last = time.perf_counter()

    def stage(self, name):
        """What was done since the last mark was this stage."""
        self.stages[name] = self._passed()

    def epoch(self, *_):
        """What was done since the last mark was an epoch."""
        self.epochs_s.append(self._passed())

    def _passed(self):
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed


def peak_mb():
    """Largest resident memory of this process. Linux would else count what the process that started it once held."""
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(train, packages):
    """The whole program; `train(task, way, clock)` gives the number of trainable parameters and what predicts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--way", required=True)
    given = parser.parse_args()
    try:
        versions = {name: metadata.version(name) for name in packages}
    except metadata.PackageNotFoundError as error:
        said = {"status": "not installed", "message": f"this Python has no {error.name}"}
    else:
        task, clock = Task(given.folder), Clock()
        n_parameters, predict = train(task, given.way, clock)
        seconds = []
        for _ in range(PREDICTIONS):
            start = time.perf_counter()
            found = np.asarray(predict(task.x_test))
            seconds.append(time.perf_counter() - start)
        said = {"status": "done", **clock.stages, "epochs_s": clock.epochs_s, "n_parameters": int(n_parameters)}
        said |= {"predicts_s": seconds, "prediction": found.ravel().astype(float).tolist(), "versions": versions}
    said["peak_mb"] = peak_mb()
    with open(os.path.join(given.folder, "answer.json"), "w", encoding="utf-8") as file:
        json.dump(said, file)
