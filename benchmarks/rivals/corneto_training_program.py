"""CORNETO's `build_dagnn` as a contestant of the training benchmark. A separate program: CORNETO is GPL.

    pip install 'corneto==1.0.0rc8' keras==3.15.1 jax       # in a virtual environment of its own
    export GRAPHNN_CORNETO_PYTHON=.../bin/python

It is asked for the same model as everyone: no normalisation, no dropout, free signs, elu inside, sigmoid at the
output. That is less than its defaults do, so it is faster than with them. Keras' own `fit` trains it, on JAX.

It imports nothing of graphnn; the files are described in graphnn/evaluate/bench/task.py.
"""

from __future__ import annotations

import os

import training_task


def train(task, way, clock):
    """Build and train; gives the number of trainable parameters and a function that predicts."""
    os.environ["KERAS_BACKEND"] = "jax"
    clock.start()
    import corneto  # noqa: TID251 - this is the separate program
    import keras
    from corneto.ml import build_dagnn  # noqa: TID251

    clock.stage("import_s")
    graph = corneto.Graph()
    for source, target in task.edges():
        graph.add_edge(source, target)
    clock.stage("graph_s")
    options = task.options
    model = build_dagnn(
        graph,
        task.input_names(),
        task.output_names(),
        batch_norm_input=False,
        dropout=0.0,
        default_hidden_activation="elu",
        default_output_activation="sigmoid",
        force_sign=False,
    )
    model.compile(optimizer=keras.optimizers.Adam(options["learning_rate"]), loss="binary_crossentropy")
    clock.stage("build_s")
    after = keras.callbacks.LambdaCallback(on_epoch_end=clock.epoch)
    size = options["batch_size"]
    clock.start()
    model.fit(task.x_train, task.y_train, batch_size=size, epochs=options["epochs"], callbacks=[after], verbose=0)
    n_parameters = sum(variable.value.size for variable in model.trainable_variables)
    return n_parameters, lambda rows: model.predict(rows, batch_size=size, verbose=0)


if __name__ == "__main__":
    training_task.run(train, ("corneto", "keras", "jax"))
