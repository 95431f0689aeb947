"""From a plan to a `keras.Model` and back: compile, recover the plan, re-initialise, weights by name.

May import `graphnn.errors`, `graphnn.graph`, `graphnn.extract.dag` and the modules of this package.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.compiler.backend import keras
from graphnn.compiler.layers import EdgeDense, InputDropout, InputNames, Readout
from graphnn.compiler.lowering import build_optimizer, edge_layers, half_precision, loss, optimizer
from graphnn.compiler.options import NetworkOptions, check_seed
from graphnn.compiler.plan import LayerPlan, plan_layers
from graphnn.errors import DataError, FormatError, MismatchError, OptionError, quoted
from graphnn.extract.dag import Dag

_OURS = (keras.layers.InputLayer, InputNames, keras.layers.BatchNormalization, InputDropout, EdgeDense, Readout)


def compile_network(network: Dag | LayerPlan, options: NetworkOptions | None = None) -> keras.Model:
    """Build the Keras model of a network: one `EdgeDense` for each level, ready for `fit`.

    Laws: the model has `plan.n_parameters` trainable numbers, one for each edge and one for each vertex that is no
    input (`plan.count_parameters(units)` with several units); a level reads only the blocks out of which its edges
    lead.

    Args:
        network: Acyclic network, or its plan. Columns of the data are its inputs, sorted; see `align`.
        options: How it computes; None: the defaults.

    Returns:
        Compiled with Adam and the loss of the task (binary or categorical cross-entropy, or squared error). The names
        of vertices are in the layers' configurations, never in layer names.

    Raises:
        VerificationError: A vertex is both input and output.
        OptionError: `activations` names what the network does not have, or one output should tell several classes.

    Example:
        >>> from graphnn.graph.prior import PriorGraph
        >>> g = PriorGraph.from_sif_tuples([("a", 1, "h"), ("b", 1, "h"), ("h", 1, "y")])
        >>> model = compile_network(Dag.from_graph(g, ["a", "b"], ["y"]))
        >>> model.count_params(), model.predict(np.zeros((4, 2)), verbose=0).shape
        (5, (4, 1))
    """
    plan = network if isinstance(network, LayerPlan) else plan_layers(network)
    options = options or NetworkOptions()
    if options.task == "multiclass" and len(plan.outputs) < 2:
        do = "use task='binary', or a network with one output for each class"
        raise OptionError("task", options.task, "binary or regression for a network with one output", do=do)
    around = "float32" if half_precision(options) else None  # data and outputs: what is lost there is lost for good
    data = keras.Input((len(plan.inputs),), name="data")
    blocks = {0: _front(data, plan, options, around)}
    for number, layer in enumerate(edge_layers(plan, options), start=1):
        blocks[number] = layer([blocks[block] for block in layer.level.blocks])
    positions, columns, numbers = output_places(plan, units=options.units)
    head = "softmax" if options.output == "softmax" else "linear"
    readout = Readout(plan.outputs, positions, columns, head=head, name="outputs", dtype=around)
    model = keras.Model(data, readout([blocks[number] for number in numbers]), name="graphnn")
    model.compile(optimizer=optimizer(options), loss=loss(options))
    build_optimizer(
        model.optimizer, model.trainable_variables
    )  # a model saved before training then loads without a warning
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
    if len({layer.units for layer in layers}) != 1:
        raise MismatchError("expected layers with one number of units, got several; compile the network again")
    if (readout.blocks, readout.columns) != output_places(plan, units=layers[0].units)[:2]:
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
    """One row for each edge: source, target, interaction, weight; in the order of the plan's `edges()`.

    With several units one row for each edge of units, in the order of the kernels, with the columns source_unit and
    target_unit, from 1, behind source and target.
    """
    plan, layers = plan_of(model), parts_of(model)[1]
    frames = []
    for layer in layers:
        names, columns = plan.level_edges(layer.number), layer.expansion()
        edges = columns.edge.tolist()
        found = {
            "source": [names[edge][0] for edge in edges],
            "source_unit": columns.source_unit + 1,
            "target": [names[edge][1] for edge in edges],
            "target_unit": columns.target_unit + 1,
            "interaction": layer.wiring.interaction,
            "weight": keras.ops.convert_to_numpy(layer.kernel),
        }
        frames.append(pd.DataFrame(found))
    frame = pd.concat(frames, ignore_index=True)
    return frame if layers[0].units > 1 else frame.drop(columns=["source_unit", "target_unit"])


def sign_violations(model: keras.Model) -> pd.DataFrame:
    """The rows of `weights_frame` whose weight has the other sign than the interaction; their number is its length.

    An interaction of 0 and a weight of 0 violate nothing. Under `sign_policy="hard"` there are none after a step.
    """
    frame = weights_frame(model)
    return frame[frame["interaction"] * frame["weight"] < 0].reset_index(drop=True)


def bias_frame(model: keras.Model) -> pd.DataFrame:
    """One row for each vertex that is no input: node, bias; level by level.

    With several units one row for each unit, with the column node_unit, from 1, behind node.
    """
    layers = parts_of(model)[1]
    plan_of(model)
    frames = []
    for layer in layers:
        columns, n_biases = layer.expansion(), layer.wiring.n_biases
        if n_biases:
            nodes = [layer.level.nodes[column] for column in columns.node[:n_biases].tolist()]
            bias = keras.ops.convert_to_numpy(layer.bias)
            frames.append(pd.DataFrame({"node": nodes, "node_unit": columns.node_unit[:n_biases] + 1, "bias": bias}))
    frame = pd.concat(frames, ignore_index=True)
    return frame if layers[0].units > 1 else frame.drop(columns="node_unit")


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


def _front(data: Any, plan: LayerPlan, options: NetworkOptions, dtype: str | None) -> Any:
    """Block 0: the data with their names, normalised and dropped as the options say."""
    block = InputNames(plan.inputs, name="input_names", dtype=dtype)(data)
    if options.input_normalization:
        block = keras.layers.BatchNormalization(
            center=False, scale=False, momentum=0.9, name="input_normalization", dtype=dtype
        )(block)
    if options.input_dropout:
        block = InputDropout(options.input_dropout, seed=options.seed, name="input_dropout", dtype=dtype)(block)
    return block


def output_places(plan: LayerPlan, *, units: int) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """Where each output stands: position in the list of levels with outputs, column there; and that list."""
    place = {
        name: (number, level.n_hidden * units + column)
        for number, level in enumerate(plan.levels, start=1)
        for column, name in enumerate(level.outputs)
    }
    numbers = sorted({number for number, _ in place.values()})
    positions = tuple(numbers.index(place[name][0]) for name in plan.outputs)
    return positions, tuple(place[name][1] for name in plan.outputs), numbers


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
        elif isinstance(layer, InputDropout):
            values = [*layer.initial_dropout_state(seed)]
        elif isinstance(layer, keras.layers.BatchNormalization):
            values = [np.zeros(layer.moving_mean.shape, np.float32), np.ones(layer.moving_variance.shape, np.float32)]
        else:
            values = []
        start |= {id(variable): value for variable, value in zip(layer.variables, values, strict=True)}
    return start
