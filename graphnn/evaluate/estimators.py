"""`KPNNClassifier` and `KPNNRegressor`: a network of known vertices and edges as an estimator of scikit-learn.

They train as `graphnn.evaluate.train.train` does, on tables instead of cells: columns of a DataFrame are matched with
the network's inputs by name. What stands between a table and a network is in this module, what scikit-learn asks of an
estimator is in its own base classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from numbers import Integral
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from graphnn.compiler.bundle import Bundle
from graphnn.compiler.features import Features
from graphnn.compiler.model import compile_network
from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan, plan_layers
from graphnn.data.cells import Cells, is_anndata
from graphnn.errors import DataError, MismatchError, OptionError, quoted
from graphnn.evaluate.engine import Fit, Table, Trainer
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.predict import predict_batches
from graphnn.evaluate.splits import hold_out
from graphnn.extract.dag import Dag
from graphnn.graph.prior import PriorGraph

FloatMatrix = npt.NDArray[np.float32]
Values = Any  # FloatMatrix, or scipy.sparse.csr_array of float32

DENSE_HIDDEN = 16  # hidden vertices of the network that stands in where there is no prior knowledge


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be predicted.

    Attributes:
        task: As in `NetworkOptions`.
        outputs: The vertex of each column of `labels`.
        labels: Shape (n_cells, n_outputs).
    """

    task: str
    outputs: tuple[str, ...]
    labels: FloatMatrix


class _KPNN(BaseEstimator):
    """What both estimators share: columns by name, training, prediction, and a state without Keras objects."""

    def __init__(
        self,
        network: Dag | LayerPlan | None = None,
        *,
        input_suffix: str = "",
        epochs: int = 200,
        patience: int = 20,
        batch_size: int = 64,
        learning_rate: float = 0.005,
        validation_fraction: float = 0.2,
        scaling: str = "standard",
        engine: str = "auto",
        options: NetworkOptions | None = None,
        random_state: Any = None,
    ) -> None:
        self.network = network
        self.input_suffix = input_suffix
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.scaling = scaling
        self.engine = engine
        self.options = options
        self.random_state = random_state

    def _fit(self, X: Any, y: Any, target_of: Callable[[Any, LayerPlan | None], Target]) -> Self:
        self.__dict__.pop("model_", None)  # where this fit fails, nothing of an earlier one is mixed with it
        given = _plan(self.network)
        training = TrainingOptions(**{name: getattr(self, name) for name in _TRAINING if hasattr(self, name)})
        columns, x = self._learn_columns(X, y, given)
        check_consistent_length(x, y)
        target = target_of(y, given)
        if given is None:
            target = replace(target, outputs=_free_names(target.outputs, taken=columns))
        plan = dense_plan(columns, target.outputs) if given is None else given
        feeding = [name.removesuffix(self.input_suffix) if given is not None else name for name in plan.inputs]
        options = replace(self.options or NetworkOptions(), task=target.task)
        place = {name: position for position, name in enumerate(columns)}
        x = _columns_of(x, [place[name] for name in feeding])
        order = [target.outputs.index(name) for name in plan.outputs]
        labels = np.ascontiguousarray(target.labels[:, order])
        split = hold_out(
            _strata(labels, target.task),
            seed=_seed(self.random_state),
            validation_fraction=training.validation_fraction,
            stratify=target.task != "regression",
        )
        model = compile_network(plan, options)
        trainer = Trainer(model, Table(x, labels), [split], training, task=target.task)
        fit = trainer.fit(split)
        _assign(model, [*fit.state[0], *fit.state[1]])
        self._columns, self._options = tuple(columns), options
        self.model_, self.plan_ = model, plan
        self.features_ = _features(plan, feeding, fit, x)
        self.outputs_ = target.outputs
        self.engine_ = trainer.engine
        self.n_iter_, self.best_epoch_ = len(fit.losses), fit.best_epoch
        self.validation_loss_ = fit.losses
        return self

    def _forward(self, X: Any) -> npt.NDArray[np.float64]:
        """Predictions of the model, shape (n_cells, n_outputs), in the order of `outputs_`."""
        check_is_fitted(self, "model_")
        x = self._known_columns(X)
        cells = Cells(x, tuple(map(str, range(x.shape[0]))), self._columns)
        bundle = Bundle(self.model_, self.plan_, self.features_)
        frame = pd.concat(list(predict_batches(bundle, cells, normalize="none")))
        return frame[list(self.outputs_)].to_numpy(dtype=np.float64)

    # -- columns -----------------------------------------------------------------------------------------------------

    def _learn_columns(self, X: Any, y: Any, given: LayerPlan | None) -> tuple[list[str], Values]:
        """Names of the columns that are used and their values; sets what scikit-learn keeps of a table."""
        _refuse_anndata(X)
        _refuse_repeated(list(getattr(X, "columns", ())))
        validate_data(self, X, y, skip_check_array=True)
        known = getattr(self, "feature_names_in_", None)
        if known is None and given is not None:
            raise DataError(
                f"expected a DataFrame, whose columns can be matched by name with the network's {len(given.inputs):,} "
                f"inputs, got {type(X).__name__} without names of columns; pass pandas.DataFrame(X, columns=genes)"
            )
        if known is None:
            x = validate_data(self, X, accept_sparse="csr", dtype=np.float32, ensure_min_samples=2)
            return [f"x{number}" for number in range(x.shape[1])], x
        wanted = list(known) if given is None else [name.removesuffix(self.input_suffix) for name in given.inputs]
        columns = [str(name) for name in dict.fromkeys(wanted)]
        return columns, self._named(X, columns, least=2)

    def _known_columns(self, X: Any) -> Values:
        """Values of the columns that `fit` learnt."""
        _refuse_anndata(X)
        if not hasattr(self, "feature_names_in_"):
            return validate_data(self, X, reset=False, accept_sparse="csr", dtype=np.float32)
        return self._named(X, list(self._columns), least=1)

    def _named(self, X: Any, columns: list[str], *, least: int) -> Values:
        """Values of the named columns of a DataFrame, whatever their order and whatever else it holds."""
        if not hasattr(X, "columns"):
            raise DataError(
                f"expected a DataFrame, as {type(self).__name__} was fitted with one, got {type(X).__name__} without "
                "names of columns; pass pandas.DataFrame(X, columns=...)"
            )
        have = list(X.columns)
        known = set(have)
        missing = [name for name in columns if name not in known]
        if missing:
            raise MismatchError(
                f"expected a column for each of {len(columns):,} inputs, but {quoted(missing)} have none (there are "
                f"{quoted(have)}); add them, or give input_suffix if the network's inputs have one",
                expected=tuple(columns),
                got=tuple(missing),
            )
        wanted = set(columns)
        _refuse_repeated([name for name in have if name in wanted])
        with np.errstate(over="ignore"):  # beyond float32 is infinite, which is refused below
            x = check_array(
                X[columns],
                accept_sparse="csr",
                dtype=np.float32,
                ensure_all_finite=False,
                ensure_min_samples=least,
                estimator=self,
            )
        _check_finite(x, columns)
        return x

    # -- state -------------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        model = state.pop("model_", None)
        if model is not None:
            state["_values"] = [np.array(variable.value) for variable in _variables(model)]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        values = state.pop("_values", None)
        super().__setstate__(state)
        if values is not None:
            model = compile_network(self.plan_, self._options)
            _assign(model, values)
            self.model_ = model

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.two_d_array = self.network is None
        return tags


class KPNNClassifier(ClassifierMixin, _KPNN):
    """Predict classes with a network of known vertices and edges.

    Two classes need a network with one output, which predicts the second class (in sorted order); more need one output
    for each class, named like it. Columns of a DataFrame feed the inputs of their names, in any order; further columns
    are ignored. A part of the rows sets no weights and tells when to stop, as in `graphnn.train`.

    Where it differs from other estimators: with a network, arrays and sparse matrices are refused, because they have
    no names (a DataFrame of sparse columns stays sparse); a DataFrame with columns in another order is no error. There
    are no sample weights, and `class_weight` takes no dictionary. With `network=None` the checks of scikit-learn
    (`sklearn.utils.estimator_checks.check_estimator`) pass, but for that of such dictionaries.

    Args:
        network: Acyclic network, or its plan. None: a small dense network from all columns, the base line where there
            is no prior knowledge.
        input_suffix: What inputs of the network have behind the column's name, e.g. "_gene".
        epochs: As in `TrainingOptions`, like the next six.
        patience: Epochs without a lower validation loss before training stops.
        batch_size: Most rows of a step.
        learning_rate: Of Adam.
        validation_fraction: Part of the rows that tells when to stop.
        scaling: Of each input: "standard", "max" or "none".
        engine: "auto", "jax" or "numba".
        class_weight: "balanced": every class counts as much as any other; None: every row does.
        options: How the network computes; None: the defaults. Its task and seed are not used: the labels and
            `random_state` decide.
        random_state: Of the validation part, the weights, dropout and batches. A whole number gives the same model
            every time, the one that `graphnn.train` with that seed gives.

    Attributes:
        classes_: Sorted, shape (n_classes,).
        n_features_in_: Columns of the table that was seen in `fit`.
        feature_names_in_: Their names, where they have some.
        outputs_: The vertex that predicts the second of two classes, or each class.
        model_: The Keras model, with the weights of the best epoch.
        plan_: Of the model.
        features_: The column that feeds each input, and its scaling.
        engine_: What trained it: "jax" or "numba".
        n_iter_: Epochs that were trained.
        best_epoch_: Whose weights were kept, from 1.
        validation_loss_: After each epoch, shape (n_iter_,).

    Example:
        >>> from graphnn.graph.prior import PriorGraph
        >>> g = PriorGraph.from_sif_tuples([("a", 1, "h"), ("b", 1, "h"), ("h", 1, "y")])
        >>> x = pd.DataFrame({"b": [0.0, 1.0] * 20, "other": 5.0, "a": [1.0, 3.0] * 20})
        >>> kpnn = KPNNClassifier(Dag.from_graph(g, ["a", "b"], ["y"]), learning_rate=0.1, random_state=0)
        >>> kpnn.fit(x, ["ill", "well"] * 20).predict(x[["a", "b"]].head(2)).tolist()
        ['ill', 'well']
    """

    def __init__(
        self,
        network: Dag | LayerPlan | None = None,
        *,
        input_suffix: str = "",
        epochs: int = 200,
        patience: int = 20,
        batch_size: int = 64,
        learning_rate: float = 0.005,
        validation_fraction: float = 0.2,
        scaling: str = "standard",
        engine: str = "auto",
        class_weight: str | None = None,
        options: NetworkOptions | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(
            network,
            input_suffix=input_suffix,
            epochs=epochs,
            patience=patience,
            batch_size=batch_size,
            learning_rate=learning_rate,
            validation_fraction=validation_fraction,
            scaling=scaling,
            engine=engine,
            options=options,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows.

        Args:
            X: DataFrame with a column for each input; without a network also an array or sparse matrix, shape
                (n_cells, n_columns).
            y: The class of each row, shape (n_cells,).

        Raises:
            MismatchError: An input has no column, or the outputs of the network are not named like the classes.
            DataError: There are no names, a value is not finite, or there are too few classes or rows.
            OptionError: An option is out of its range.
        """
        return self._fit(X, y, self._target)

    def _target(self, y: Any, given: LayerPlan | None) -> Target:
        y = column_or_1d(y, warn=True)
        _refuse_missing(y)
        check_classification_targets(y)
        classes, codes = np.unique(y, return_inverse=True)
        names = tuple(str(name) for name in classes)
        if len(classes) < 2:
            raise DataError(
                f"expected at least two classes, got one class ({quoted(names)}); add rows of another class"
            )
        outputs = _outputs_of_classes(names, given)
        self.classes_ = classes
        if len(outputs) == 1:
            return Target("binary", outputs, codes.astype(np.float32)[:, None])
        return Target("multiclass", outputs, np.eye(len(classes), dtype=np.float32)[codes])

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probability of each class, shape (n_cells, n_classes), columns in the order of `classes_`.

        Raises:
            MismatchError: A column that trained is missing.
            DataError: There are no names where there were some in `fit`, or a value is not finite.
        """
        found = self._forward(X)
        if found.shape[1] == 1:
            return np.hstack([1.0 - found, found])
        return found / found.sum(axis=1, keepdims=True)  # float32 is not exact enough for a sum of 1

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The most probable class of each row, shape (n_cells,); raises like `predict_proba`."""
        found = self.predict_proba(X)
        return self.classes_[found.argmax(axis=1)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.network is None or len(self.network.outputs) > 1
        return tags


class KPNNRegressor(RegressorMixin, _KPNN):
    """Predict numbers with a network of known vertices and edges.

    As `KPNNClassifier`, with squared error. Labels are not scaled: bring them to a standard deviation of about 1, e.g.
    with `sklearn.compose.TransformedTargetRegressor`. With several outputs `y` is a DataFrame with a column for each,
    by name, and predictions have the order of its columns.

    Args:
        network: Acyclic network, or its plan. None: a small dense network from all columns.
        input_suffix: As in `KPNNClassifier`, like all others.
        epochs: Most passes over the rows that train.
        patience: Epochs without a lower validation loss before training stops.
        batch_size: Most rows of a step.
        learning_rate: Of Adam.
        validation_fraction: Part of the rows that tells when to stop.
        scaling: Of each input: "standard", "max" or "none".
        engine: "auto", "jax" or "numba".
        options: How the network computes; its task and seed are not used.
        random_state: Of the validation part, the weights, dropout and batches.

    Attributes:
        outputs_: The vertex that predicts each column of `y`.
        n_features_in_: As in `KPNNClassifier`, like all others but `classes_`.

    Example:
        >>> x = pd.DataFrame({"a": np.linspace(-1, 1, 60), "b": np.linspace(1, 0, 60)})
        >>> kpnn = KPNNRegressor(learning_rate=0.05, random_state=0).fit(x, 2 * x["a"])
        >>> kpnn.score(x, 2 * x["a"]) > 0.9
        True
    """

    def fit(self, X: Any, y: Any) -> Self:
        """Train on all rows.

        Args:
            X: As in `KPNNClassifier.fit`.
            y: Numbers, shape (n_cells,) or (n_cells, n_outputs); with a network of several outputs a DataFrame.

        Raises:
            MismatchError: An input has no column, or an output none in `y`.
            DataError: There are no names, a value is not finite, or there are too few rows.
            OptionError: An option is out of its range.
        """
        return self._fit(X, y, self._target)

    def _target(self, y: Any, given: LayerPlan | None) -> Target:
        names = [str(name) for name in y.columns] if hasattr(y, "columns") else None
        values = check_array(y, ensure_2d=False, dtype=np.float32, input_name="y", estimator=self)
        self._is_flat = values.ndim == 1
        values = values.reshape(len(values), -1)
        return Target("regression", _outputs_of_numbers(names, values.shape[1], given), values)

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Shape (n_cells,), or (n_cells, n_outputs) where `y` had two dimensions; columns in the order of `y`.

        Raises:
            MismatchError: A column that trained is missing.
            DataError: There are no names where there were some in `fit`, or a value is not finite.
        """
        found = self._forward(X)
        return found[:, 0] if self._is_flat else found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = self.network is None or len(self.network.outputs) > 1
        return tags


_TRAINING = tuple(field.name for field in fields(TrainingOptions))


def dense_plan(columns: Sequence[str], outputs: Sequence[str]) -> LayerPlan:
    """Every column feeds every one of a few hidden vertices, and these all outputs.

    Args:
        columns: Inputs.
        outputs: Predicted vertices; none of them is a column.

    Example:
        >>> dense_plan(["a", "b"], ["y"]).n_edges == DENSE_HIDDEN * 3
        True
    """
    hidden = _free_names([f"hidden {number}" for number in range(1, DENSE_HIDDEN + 1)], taken=[*columns, *outputs])
    edges = [*product(columns, hidden), *product(hidden, outputs)]
    sources, targets = zip(*edges, strict=True)
    graph = PriorGraph.from_edges(sources, targets, np.zeros(len(edges), dtype=np.int64))
    return plan_layers(Dag.from_graph(graph, columns, outputs))


def _free_names(names: Sequence[str], *, taken: Sequence[str]) -> tuple[str, ...]:
    """The names, or ones like them that nobody has."""
    used, found = {"", *taken}, []
    for name in names:
        while name in used:
            name += "_"
        used.add(name)
        found.append(name)
    return tuple(found)


def _plan(network: Dag | LayerPlan | None) -> LayerPlan | None:
    if network is None or isinstance(network, LayerPlan):
        return network
    if not isinstance(network, Dag):
        do = "prune and extract it (graphnn.extract_dag), or give roles with Dag.from_graph"
        raise OptionError("network", type(network).__name__, "a Dag, a LayerPlan or None", do=do)
    return plan_layers(network)


def _outputs_of_classes(names: tuple[str, ...], given: LayerPlan | None) -> tuple[str, ...]:
    """The vertex of the second of two classes, or of each class."""
    if given is None:
        return names[1:] if len(names) == 2 else names
    outputs = given.outputs
    if len(outputs) == 1 and len(names) == 2:
        return outputs
    if len(outputs) == 1:
        raise DataError(
            f"expected two classes for a network with one output ({quoted(outputs)}), got {len(names):,} classes "
            f"({quoted(names)}); keep two of them, or extract a network with one output named like each class"
        )
    odd = sorted({*outputs} ^ {*names})
    if odd:
        raise MismatchError(
            f"expected one output named like each class, but {quoted(odd)} are outputs or classes only (outputs: "
            f"{quoted(outputs)}; classes: {quoted(names)}); rename the classes, or leave others out",
            expected=outputs,
            got=names,
        )
    return names


def _outputs_of_numbers(names: list[str] | None, count: int, given: LayerPlan | None) -> tuple[str, ...]:
    """The vertex of each column of labels."""
    if given is None:
        return tuple(names) if names else ("y",) if count == 1 else tuple(f"y{number}" for number in range(count))
    if len(given.outputs) == 1 and count == 1:
        return given.outputs
    if names is None:
        raise DataError(
            f"expected labels with a name for each of {len(given.outputs):,} outputs ({quoted(given.outputs)}), got "
            f"{count:,} columns without; give a DataFrame with these columns"
        )
    odd = sorted({*given.outputs} ^ {*names})
    if odd or len(names) > len(given.outputs):
        raise MismatchError(
            f"expected one column of labels for each output, but {quoted(odd or names)} are outputs or columns only, "
            f"or stand twice; give the columns {quoted(given.outputs)}",
            expected=given.outputs,
            got=tuple(names),
        )
    return tuple(names)


def _strata(labels: FloatMatrix, task: str) -> npt.NDArray[np.float64]:
    """What the validation part keeps the shares of; as numbers of classes, of which a lone row is sure to train."""
    if task == "multiclass" and labels.sum(axis=0).min() < 2:
        return labels.argmax(axis=1)[:, None].astype(np.float64)
    return labels.astype(np.float64)


def _seed(random_state: Any) -> int:
    """A whole number as it is; of anything else one that is drawn, as scikit-learn has it."""
    if isinstance(random_state, Integral) and not isinstance(random_state, bool):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _refuse_anndata(X: Any) -> None:
    if is_anndata(X):
        raise DataError(
            "expected a DataFrame, got AnnData; give adata.to_df() and a column of adata.obs, or use graphnn.tl.compare"
        )


def _refuse_repeated(names: list[Any]) -> None:
    twice = [str(name) for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"expected each column once, but {quoted(twice)} occur several times; keep one", names=twice)


def _refuse_missing(y: npt.NDArray[Any]) -> None:
    count = int(pd.isna(y).sum())
    if count:
        raise DataError(f"expected a class in every row, but y contains NaN or none in {count:,}; leave these rows out")


def _check_finite(x: Values, columns: list[str]) -> None:
    bad = ~np.isfinite(x.data if sp.issparse(x) else x)
    if bad.any():
        at = x.indices[bad] if sp.issparse(x) else np.nonzero(bad)[1]
        names = [columns[column] for column in np.unique(at).tolist()]
        raise DataError(
            f"expected finite values, got {int(bad.sum()):,} NaN or infinite ones in columns {quoted(names)}; impute "
            "them or drop the columns or rows",
            names=names,
        )


def _columns_of(x: Values, places: list[int]) -> Values:
    """The columns in another order; one may come several times."""
    if sp.issparse(x):
        chosen = sp.csr_array(sp.csr_array(x)[:, places], dtype=np.float32)
        chosen.sort_indices()
        return chosen
    return np.ascontiguousarray(x[:, places])


def _features(plan: LayerPlan, columns: list[str], fit: Fit, x: Values) -> Features:
    n_inputs, scaler = len(plan.inputs), fit.scaler
    mean = np.asarray(x[fit.split.train].mean(axis=0, dtype=np.float64)).reshape(-1)
    limit = np.full(n_inputs, scaler.limit, dtype=np.float32)
    return Features(plan.inputs, tuple(columns), scaler.offset, scaler.factor, limit, mean.astype(np.float32))


def _variables(model: Any) -> list[Any]:
    return [*model.trainable_variables, *model.non_trainable_variables]


def _assign(model: Any, values: Sequence[Any]) -> None:
    for variable, value in zip(_variables(model), values, strict=True):
        variable.assign(value)
