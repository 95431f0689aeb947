"""kpnn2 (MIT, PyTorch) as two contestants of the training benchmark: `--way packed` and `--way masked`.

    pip install 'kpnn2==0.3.0'       # in a virtual environment of its own
    export GRAPHNN_KPNN2_PYTHON=.../bin/python

The model is assembled as its documentation shows: one `PackedLinear.from_hop`, or `MaskedLinear(hop.to_mask())`, a hop,
fed by `gather_hop_inputs`; elu between hops, logits at the output. The training loop is the plain one of PyTorch, with
one thread or with all, whichever trains a copy of the model faster; that choice is off the clock.

It imports nothing of graphnn; the files are described in graphnn/evaluate/bench/task.py.
"""

from __future__ import annotations

import copy
import time

import numpy as np
import training_task

TRIAL_STEPS = 6


def train(task, way, clock):
    """Build and train; gives the number of trainable parameters and a function that predicts."""
    clock.start()
    import kpnn2
    import pandas as pd
    import torch

    clock.stage("import_s")
    edgelist = pd.DataFrame(task.edges(), columns=["source", "target"])
    spec = kpnn2.parse_layered(edgelist)
    clock.stage("graph_s")
    options = task.options
    generator = torch.Generator().manual_seed(options["seed"])

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            layers = [
                kpnn2.PackedLinear.from_hop(hop, generator=generator)
                if way == "packed"
                else kpnn2.MaskedLinear(hop.to_mask(), generator=generator)
                for hop in spec.hops
            ]
            self.layers = torch.nn.ModuleList(layers)

        def forward(self, x):
            saved = {0: x}
            last = len(self.layers)
            for depth, (hop, layer) in enumerate(zip(spec.hops, self.layers, strict=True), start=1):
                result = layer(kpnn2.gather_hop_inputs(saved, hop))
                saved[depth] = result if depth == last else torch.nn.functional.elu(result)
            return saved[last]

    def stepping(model):
        optimizer = torch.optim.Adam(model.parameters(), lr=options["learning_rate"])

        def step(x, y):
            optimizer.zero_grad()
            loss_of(model(x), y).backward()
            optimizer.step()

        return step

    loss_of = torch.nn.BCEWithLogitsLoss()
    model = Model()
    step = stepping(model)
    columns = np.asarray(kpnn2.align_inputs(task.input_names(), spec))
    clock.stage("build_s")
    x, y = torch.from_numpy(np.ascontiguousarray(task.x_train[:, columns])), torch.from_numpy(task.y_train)
    size = options["batch_size"]
    torch.set_num_threads(fastest_threads(torch, stepping(copy.deepcopy(model)), x[:size], y[:size]))
    clock.start()
    for _ in range(options["epochs"]):
        order = torch.randperm(len(x), generator=generator)
        for start in range(0, len(x), size):
            rows = order[start : start + size]
            step(x[rows], y[rows])
        clock.epoch()

    def predict(rows):
        with torch.no_grad():
            data = torch.from_numpy(np.ascontiguousarray(rows[:, columns]))
            return torch.sigmoid(torch.cat([model(data[at : at + size]) for at in range(0, len(data), size)])).numpy()

    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad), predict


def fastest_threads(torch, step, x, y):
    """1, or the number of threads that PyTorch takes by itself: by the fastest of several steps each."""
    seconds = {}
    for threads in dict.fromkeys((torch.get_num_threads(), 1)):
        torch.set_num_threads(threads)
        for _ in range(TRIAL_STEPS):
            start = time.perf_counter()
            step(x, y)
            seconds[threads] = min(seconds.get(threads, float("inf")), time.perf_counter() - start)
    return min(seconds, key=seconds.get)


if __name__ == "__main__":
    training_task.run(train, ("kpnn2", "torch", "numpy"))
