"""From a plan to a `keras.Model` and back: compile, recover the plan, re-initialise, weights by name.

May import `graphnn.errors`, `graphnn.graph`, `graphnn.extract.dag` and the modules of this package.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import EdgeDense, InputNames, Readout
from graphnn.compiler.options import NetworkOptions, check_seed
from graphnn.compiler.plan import LayerPlan, plan_layers
from graphnn.errors import DataError, FormatError, MismatchError, quoted
from graphnn.extract.dag import Dag

_OURS = (keras.layers.InputLayer, InputNames, keras.layers.BatchNormalization, EdgeDense, Readout)


def compile_network(network: Dag | LayerPlan, options: NetworkOptions | None = None) -> keras.Model:
    """Build the Keras model of a network: one `EdgeDense` for each level, ready for `fit`.

    Laws: the model has `plan.n_parameters` trainable numbers, one for each edge and one for each vertex that is no
    input; a level reads only the blocks out of which its edges lead.

    Args:
        network: Acyclic network, or its plan. Columns of the data are its inputs, sorted; see `align`.
        options: How it computes; None: the defaults.

    Returns:
        Compiled with Adam and the loss of the task (binary cross-entropy, or squared error). The names of vertices
        are in the layers' configurations, never in layer names.

    Raises:
        VerificationError: A vertex is both input and output.

    Example:
        >>> from graphnn.graph.prior import PriorGraph
        >>> g = PriorGraph.from_sif_tuples([("a", 1, "h"), ("b", 1, "h"), ("h", 1, "y")])
        >>> model = compile_network(Dag.from_graph(g, ["a", "b"], ["y"]))
        >>> model.count_params(), model.predict(np.zeros((4, 2)), verbose=0).shape
        (5, (4, 1))
    """
    plan = network if isinstance(network, LayerPlan) else plan_layers(network)
    options = options or NetworkOptions()
    data = keras.Input((len(plan.inputs),), name="data")
    blocks = {0: InputNames(plan.inputs, name="input_names")(data)}
    if options.input_normalization:
        normalize = keras.layers.BatchNormalization(center=False, scale=False, momentum=0.9, name="input_normalization")
        blocks[0] = normalize(blocks[0])
    for number, layer in enumerate(_edge_layers(plan, options), start=1):
        blocks[number] = layer([blocks[block] for block in layer.level.blocks])
    positions, columns, numbers = output_places(plan)
    readout = Readout(plan.outputs, positions, columns, name="outputs")
    model = keras.Model(data, readout([blocks[number] for number in numbers]), name="graphnn")
    model.compile(optimizer=keras.optimizers.Adam(name="adam"), loss=_loss(options))
    model.optimizer.build(model.trainable_variables)  # a model saved before training then loads without a warning
    return model


def plan_of(model: keras.Model) -> LayerPlan:
    """Recover the plan of a model that `compile_network` built, in this process or another.

    Raises:
        MismatchError: The model was not built by `compile_network`, or was changed since.
    """
    names, layers, readout = parts_of(model)
    try:
        plan = LayerPlan(names.names, readout.names, tuple(layer.level for layer in layers))
    except FormatError as error:
        raise MismatchError(f"expected the layers of one network, got layers that do not fit ({error})") from error
    if (readout.blocks, readout.columns) != output_places(plan)[:2]:
        raise MismatchError("expected the outputs from where the network has them, got others; compile it again")
    return plan


def initial_state(model: keras.Model, seed: int) -> tuple[list[npt.NDArray[np.generic]], list[npt.NDArray[np.generic]]]:
    """What a replicate of that seed starts from; changes nothing.

    Returns:
        Two lists of arrays, aligned with `model.trainable_variables` and `model.non_trainable_variables`: redrawn
        weights, and the state of input normalisation and of dropout. They fit `model.stateless_call`.

    Raises:
        MismatchError: The model was not built by `compile_network`.
        OptionError: The seed is no whole number, or negative.
    """
    start = _start(model, seed)
    return (
        [start[id(variable)] for variable in model.trainable_variables],
        [start[id(variable)] for variable in model.non_trainable_variables],
    )


def initial_weights(model: keras.Model, seed: int) -> list[npt.NDArray[np.generic]]:
    """The weights that a replicate of that seed starts from, aligned with `model.weights`; changes nothing.

    Keras does not count dropout state among the weights; `initial_state` has it too. Raises like `initial_state`.
    """
    start = _start(model, seed)
    return [start[id(variable)] for variable in model.weights]


def reset(model: keras.Model, seed: int) -> None:
    """Make the model a fresh replicate, in place: weights, normalisation, dropout and the optimiser's memory.

    Law: `reset(model, s)` leaves what `compile_network(..., NetworkOptions(seed=s))` would have built, whatever the
    model had learnt. Raises like `initial_state`.
    """
    start = _start(model, seed)
    for variable in [*model.trainable_variables, *model.non_trainable_variables]:
        variable.assign(start[id(variable)])
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and optimizer.built:
        fresh = type(optimizer).from_config(optimizer.get_config())
        fresh.build(model.trainable_variables)
        for variable, value in zip(optimizer.variables, fresh.variables, strict=True):
            variable.assign(value)


def weights_frame(model: keras.Model) -> pd.DataFrame:
    """One row for each edge: source, target, interaction, weight; in the order of the plan's `edges()`."""
    plan = plan_of(model)
    edges = plan.edges()
    layers = parts_of(model)[1]
    return pd.DataFrame(
        {
            "source": [source for source, _ in edges],
            "target": [target for _, target in edges],
            "interaction": np.concatenate([level.interaction for level in plan.levels]),
            "weight": np.concatenate([keras.ops.convert_to_numpy(layer.kernel) for layer in layers]),
        }
    )


def bias_frame(model: keras.Model) -> pd.DataFrame:
    """One row for each vertex that is no input: node, bias; level by level."""
    plan = plan_of(model)
    biases = [keras.ops.convert_to_numpy(layer.bias) for layer in parts_of(model)[1] if layer.bias is not None]
    nodes = [name for level in plan.levels for name in level.nodes[: level.n_biases]]
    return pd.DataFrame({"node": nodes, "bias": np.concatenate(biases)})


def columns_for(model: keras.Model) -> tuple[str, ...]:
    """Names of the columns that the model reads, in its order."""
    return plan_of(model).inputs


def align(frame: pd.DataFrame, plan: LayerPlan) -> npt.NDArray[np.float32]:
    """Bring a table of cells into the order of the model's inputs, by name and never by position.

    Args:
        frame: One column for each measured vertex, in any order; further columns are ignored.
        plan: Of the model.

    Returns:
        Shape (n_cells, n_inputs).

    Raises:
        MismatchError: Columns are missing, or stand twice; `expected` and the text name them.
        DataError: Columns hold what is no finite number; `names` lists them.

    Example:
        >>> from graphnn.graph.prior import PriorGraph
        >>> g = PriorGraph.from_sif_tuples([("a", 1, "y"), ("b", 1, "y")])
        >>> plan = plan_layers(Dag.from_graph(g, ["a", "b"], ["y"]))
        >>> align(pd.DataFrame({"b": [2.0], "other": [9.0], "a": [1.0]}), plan).tolist()
        [[1.0, 2.0]]
    """
    position: dict[object, int] = {}
    twice: dict[object, None] = {}
    for column, name in enumerate(frame.columns):
        if name in position:
            twice[name] = None
        position[name] = column
    missing = [name for name in plan.inputs if name not in position]
    repeated = [name for name in plan.inputs if name in twice]
    if missing or repeated:
        what = f"{quoted(missing)} missing" if missing else f"{quoted(repeated)} more than once"
        raise MismatchError(
            f"expected one column for each of {len(plan.inputs):,} inputs, got {what}; "
            "add the columns or extract the network again from the inputs that you have",
            expected=tuple(missing or repeated),
        )
    chosen = frame.iloc[:, [position[name] for name in plan.inputs]]
    try:
        values = chosen.to_numpy(dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"expected numbers in the columns of the inputs, got others ({error}); convert them") from error
    odd = [plan.inputs[column] for column in np.flatnonzero(~np.isfinite(values).all(axis=0))]
    if odd:
        raise DataError(f"expected finite numbers, got missing or infinite ones in {quoted(odd)}; fill them", names=odd)
    return values


def _edge_layers(plan: LayerPlan, options: NetworkOptions) -> list[EdgeDense]:
    return [
        EdgeDense(
            level,
            number=number,
            hidden_activation=options.hidden_activation,
            output_activation=options.output,
            dropout=options.dropout,
            dropout_on=options.dropout_on,
            seed=options.seed,
            kernel_regularizer=_penalty(options.kernel_l1, options.kernel_l2),
            bias_regularizer=_penalty(options.bias_l1, options.bias_l2),
            name=f"level_{number}",
        )
        for number, level in enumerate(plan.levels, start=1)
    ]


def output_places(plan: LayerPlan) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """Where each output stands: position in the list of levels with outputs, column there; and that list."""
    place = {
        name: (number, level.n_hidden + column)
        for number, level in enumerate(plan.levels, start=1)
        for column, name in enumerate(level.outputs)
    }
    numbers = sorted({number for number, _ in place.values()})
    positions = tuple(numbers.index(place[name][0]) for name in plan.outputs)
    return positions, tuple(place[name][1] for name in plan.outputs), numbers


def _penalty(l1: float, l2: float) -> keras.Regularizer | None:
    return keras.regularizers.L1L2(l1=l1, l2=l2) if l1 or l2 else None


def _loss(options: NetworkOptions) -> keras.Loss:
    if options.task == "regression":
        return keras.losses.MeanSquaredError()
    return keras.losses.BinaryCrossentropy(from_logits=options.output == "linear")


def parts_of(model: keras.Model) -> tuple[InputNames, list[EdgeDense], Readout]:
    """Input names, levels in order, and readout of a model that `compile_network` built.

    Raises:
        MismatchError: It was not, or was changed since.
    """
    layers = list(getattr(model, "layers", ()))
    foreign = [layer for layer in layers if not isinstance(layer, _OURS)]
    names = [layer for layer in layers if isinstance(layer, InputNames)]
    edges = sorted((layer for layer in layers if isinstance(layer, EdgeDense)), key=lambda layer: layer.number)
    readouts = [layer for layer in layers if isinstance(layer, Readout)]
    numbers = [layer.number for layer in edges]
    if foreign or (len(names), len(readouts)) != (1, 1) or numbers != list(range(1, len(edges) + 1)):
        got = quoted([type(layer).__name__ for layer in foreign or layers]) or type(model).__name__
        raise MismatchError(
            f"expected a model that compile_network built, got one of {got}; compile the network again", got=got
        )
    return names[0], edges, readouts[0]


def _start(model: keras.Model, seed: int) -> dict[int, npt.NDArray[np.generic]]:
    """The initial value of each variable, by its identity."""
    check_seed(seed)
    parts_of(model)
    start: dict[int, npt.NDArray[np.generic]] = {}
    for layer in model.layers:
        if isinstance(layer, EdgeDense):
            values: list[Any] = [*layer.initial_weights(seed), *layer.initial_dropout_state(seed)]
        elif isinstance(layer, keras.layers.BatchNormalization):
            values = [np.zeros(layer.moving_mean.shape, np.float32), np.ones(layer.moving_variance.shape, np.float32)]
        else:
            values = []
        start |= {id(variable): value for variable, value in zip(layer.variables, values, strict=True)}
    return start
