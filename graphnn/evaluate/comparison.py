"""`Comparison`: networks and controls, trained and tested on the same splits, and what follows from it.

It has methods for convenience that call upwards when used: `importance`, `stability`, `activities`, ...
(`graphnn.explain`), `to_json` and `to_html` (`graphnn.report`). Nothing else here knows of those packages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from graphnn.compiler.options import NetworkOptions
from graphnn.compiler.plan import LayerPlan
from graphnn.data.cells import Cells
from graphnn.errors import OptionError, did_you_mean
from graphnn.evaluate.controls import CONTROL_INPUTS, DRAWN, Control
from graphnn.evaluate.engine import Fit
from graphnn.evaluate.metrics import SMALLER_IS_BETTER, names_of
from graphnn.evaluate.options import TrainingOptions, check_whole
from graphnn.evaluate.statistics import corrected_resampled_t, empirical_p, not_worse
from graphnn.extract.dag import Dag

NETWORKS = ("full", "compressed")
LEAST_MOVED = 0.5  # share of the edges that a random network must not share with the real one
MEAN = "(mean)"  # stands for an output where figures are means over outputs


@dataclass(frozen=True, eq=False)
class Comparison:
    """Networks, trained and tested on the same splits, and controls beside them.

    Attributes:
        networks: "full", "compressed", and further ones by the names that they were given.
        plans: The layer plan of each network, and of each control that has one.
        cells: The cells that were used, those with a label.
        labels: One column for each output, indexed by barcode.
        columns: Column of `cells` that feeds each input.
        protocol: "nested" or "tutorial"; see `graphnn.evaluate.splits`.
        folds: Folds of each repeat.
        seeds: Number of repeats.
        seed: The first repeat's.
        training: How the networks were trained.
        options: How they were compiled.
        fits: For each network and each control, one `Fit` a split, in the order of the splits.
        engines: What trained each: "jax", "numba", or "scikit-learn" for a control that is no network.
        scores: One row a network or control, output and split: network, output, seed, fold, n_train, n_validation,
            n_test, epochs, then the metrics. For "elastic-net" epochs are strengths of the penalty that were tried.
        controls: What was trained beside the networks (`graphnn.evaluate.controls`), by name. Of drawn controls each
            draw is one, e.g. "rewired 3", and is trained on the splits of one repeat.
        lost_controls: Controls that the user stopped before they were there, or wholly there.
        n_groups: How many groups the cells are of, none of which stands on both sides of a split; None: no groups.
        n_unlabelled: Cells without a label, which were left out.
        notes: What was left out or should be known, in sentences.
    """

    networks: Mapping[str, Dag]
    plans: Mapping[str, LayerPlan]
    cells: Cells
    labels: pd.DataFrame
    columns: Mapping[str, str]
    protocol: str
    folds: int
    seeds: int
    seed: int
    training: TrainingOptions
    options: NetworkOptions
    fits: Mapping[str, tuple[Fit, ...]]
    engines: Mapping[str, str]
    scores: pd.DataFrame
    controls: Mapping[str, Control] = field(default_factory=dict)
    lost_controls: tuple[str, ...] = ()
    n_groups: int | None = None
    n_unlabelled: int = 0
    notes: tuple[str, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """Predicted vertices, sorted."""
        return self.networks["full"].outputs

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of the task, the leading one first."""
        return names_of(self.options.task)

    @property
    def is_optimistic(self) -> bool:
        """Whether early stopping watched the reported fold."""
        return self.protocol == "tutorial"

    @property
    def is_partial(self) -> bool:
        """Whether the user stopped it before all splits and controls were done."""
        return len(self.fits["full"]) < self.folds * self.seeds or bool(self.lost_controls)

    @property
    def compression(self) -> pd.DataFrame:
        """Sizes: quantity, full, compressed, reduction_percent.

        Edges are real edges. The last row counts, as the published tutorial of the field does, one artificial edge
        for each input and output as well; it is there to compare with that figure only.
        """
        rows = []
        for quantity, count in _QUANTITIES.items():
            units = self.options.units
            full, compressed = (count(self.networks[name], self.plans[name], units) for name in NETWORKS)
            reduction = 100.0 * (full - compressed) / full if full else 0.0
            rows.append((quantity, full, compressed, reduction))
        return pd.DataFrame(rows, columns=["quantity", "full", "compressed", "reduction_percent"])

    @property
    def sizes(self) -> pd.DataFrame:
        """What was trained: name, control (empty for a network that is compared), draw, edges, hidden, parameters,
        depth, n_fits. Sizes are NaN where there is no network, or one for each split.
        """
        rows = []
        for name in self.fits:
            plan, dag = self.plans.get(name), self.networks.get(name)
            control = self.controls.get(name)
            dag = control.dag if control else dag
            what = (control.control, control.draw) if control else ("", 0)
            size = [np.nan] * 4
            if plan is not None and dag is not None:
                units = self.options.units
                size = [dag.graph.n_edges, len(dag.hidden), plan.count_parameters(units), plan.depth]
            rows.append((name, *what, *size, len(self.fits[name])))
        columns = ["name", "control", "draw", "edges", "hidden", "parameters", "depth", "n_fits"]
        return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(columns[3:7], np.float64))

    def summary(self, *, confidence: float = 0.95) -> pd.DataFrame:
        """Mean of each metric and its paired change, compressed - full.

        Args:
            confidence: Of the interval.

        Returns:
            metric, full, compressed, change, ci_low, ci_high, p: interval and two-sided p value by the corrected
            resampled t test (`graphnn.evaluate.statistics`). With several outputs a column `output` comes last, and
            the rows "(mean)" are of means over outputs (in each split over those for which the metric is defined). A
            metric that is undefined on every split (ROC-AUC with one class) has NaN.
        """
        rows = []
        for output, metric, full, compressed in self._pairs():
            rows.append((metric, *self._changed(full, compressed, confidence), output))
        columns = ["metric", "full", "compressed", "change", "ci_low", "ci_high", "p", "output"]
        return self._table(rows, columns, numbers=columns[1:7])

    def non_inferiority(self, *, margin: float = 0.01, confidence: float = 0.95) -> pd.DataFrame:
        """Whether the compressed network is shown not to be worse than the full one by `margin` or more.

        An interval that holds zero shows nothing; this asks the question that a compression raises. "Supported" is a
        statement at the confidence asked for; "not supported" says that these cells cannot rule such a loss out.

        Args:
            margin: The largest loss that would not matter to you, > 0, in units of each metric.
            confidence: Of the one-sided bound.

        Returns:
            metric, margin, change (turned so that more is better: for the mean squared error full - compressed), bound,
            p, supported; see `graphnn.evaluate.statistics.not_worse`. With several outputs a column `output` comes
            last. A metric that is undefined on every split has NaN and is not supported.

        Raises:
            OptionError: `margin` is no finite number above 0, or `confidence` is not in (0, 1).
        """
        rows = []
        for output, metric, full, compressed in self._pairs():
            gain = (full - compressed) if metric in SMALLER_IS_BETTER else (compressed - full)
            ratio = self._test_to_train
            # an empty difference is refused below; options are checked in any case
            found = not_worse(
                gain if len(gain) else np.zeros(1), margin=margin, test_to_train=ratio, confidence=confidence
            )
            if len(gain):
                rows.append((metric, margin, found.change, found.bound, found.p, found.supported, output))
            else:
                rows.append((metric, margin, np.nan, np.nan, np.nan, False, output))
        columns = ["metric", "margin", "change", "bound", "p", "supported", "output"]
        return self._table(rows, columns, numbers=columns[1:5])

    def contrasts(self, *, reference: str = "compressed", confidence: float = 0.95) -> pd.DataFrame:
        """Every network, and every control that is not drawn, against one network on the same splits.

        Args:
            reference: Name of a network or of such a control.
            confidence: Of the interval.

        Returns:
            network, metric, mean, reference (its mean), change (mean - reference), ci_low, ci_high, p, n_splits; by the
            corrected resampled t test, as in `summary`. p values are not adjusted for their number. With several
            outputs a column `output` comes last.

        Raises:
            OptionError: There is no such network.
        """
        names = [name for name in self.fits if not (name in self.controls and self.controls[name].draw)]
        if reference not in names:
            do = did_you_mean([str(reference)], names).removeprefix("; ")
            raise OptionError("reference", reference, f"one of {', '.join(names)}", do=do)
        rows = []
        for name in names:
            if name == reference:
                continue
            for output, metric, base, own in self._pairs(reference, name):
                reference_mean, mean, *change = self._changed(base, own, confidence)
                rows.append((name, metric, mean, reference_mean, *change, len(own), output))
        columns = ["network", "metric", "mean", "reference", "change", "ci_low", "ci_high", "p", "n_splits", "output"]
        return self._table(rows, columns, numbers=columns[2:8])

    def _changed(
        self, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64], confidence: float
    ) -> tuple[float | None, ...]:
        """Both means, the mean change after - before, its interval and p value; NaN where there is no split."""
        if not len(before):
            return (np.nan,) * 6
        change = corrected_resampled_t(after - before, test_to_train=self._test_to_train, confidence=confidence)
        return before.mean(), after.mean(), change.mean, change.ci_low, change.ci_high, change.p

    def _table(self, rows: Sequence[Any], columns: list[str], *, numbers: Sequence[str]) -> pd.DataFrame:
        """Rows as a table; the last column, `output`, goes where there is one output only."""
        frame = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(numbers, np.float64))
        return frame if len(self.outputs) > 1 else frame.drop(columns="output")

    def means(self, metric: str) -> dict[str, float]:
        """Mean of a metric for each network over the splits on which all have it; with several outputs the mean of
        their means. NaN where there is no such split."""
        every = {
            output: pd.concat([self._values[name, output][metric] for name in self.networks], axis=1, join="inner")
            for output in self.outputs
        }
        parts = [table.dropna().mean().to_numpy() for table in every.values()]
        return dict(zip(self.networks, np.mean(parts, axis=0).tolist(), strict=True))

    def draws(self) -> pd.DataFrame:
        """Every draw of a drawn control beside the compressed network: control, draw, output, metric, value, observed.

        Both are means over the folds of the repeat on which the draw was trained. NaN where a metric is not defined.
        """
        rows = []
        for name, control in self.controls.items():
            if control.control not in DRAWN:
                continue
            for output in self._rows:
                for metric in self.metrics:
                    value, observed = self._both(name, "compressed", output, metric)
                    pair = (value.mean(), observed.mean()) if len(value) else (np.nan, np.nan)
                    rows.append((control.control, control.draw, output, metric, *pair))
        columns = ["control", "draw", "output", "metric", "value", "observed"]
        return pd.DataFrame(rows, columns=columns).astype({"value": np.float64, "observed": np.float64})

    def null_tests(self) -> pd.DataFrame:
        """Where the compressed network falls among random ones.

        Returns:
            One row a drawn control, output and metric: control, output, metric, observed (mean over the repeats in
            which draws were made), null_mean, null_sd, null_low, null_high (least and greatest draw), n_draws,
            n_as_good (draws that do at least as well as the compressed network in the same repeat), p =
            (1 + n_as_good) / (1 + n_draws); see `graphnn.evaluate.statistics.empirical_p`. There is no p for "minima",
            which are no random networks, nor for networks of which most edges could not be moved: it is NaN.
        """
        rows = []
        for (control, output, metric), found in self.draws().groupby(["control", "output", "metric"], sort=False):
            found = found.dropna()
            value, observed = found["value"].to_numpy(), found["observed"].to_numpy()
            gain = (observed - value) if metric in SMALLER_IS_BETTER else (value - observed)
            n, as_good = len(found), int((gain >= 0).sum())
            spread = float(value.std(ddof=1)) if n > 1 else np.nan
            of_null = (value.mean(), spread, value.min(), value.max()) if n else (np.nan,) * 4
            mean = observed.mean() if n else np.nan
            p = empirical_p(as_good, n) if self._is_random(control) else np.nan
            rows.append((control, output, metric, mean, *of_null, n, as_good, p))
        columns = ["control", "output", "metric", "observed", "null_mean", "null_sd", "null_low", "null_high"]
        return pd.DataFrame(rows, columns=[*columns, "n_draws", "n_as_good", "p"])

    def _is_random(self, control: str) -> bool:
        """Whether draws are such that the compressed network could be one of them."""
        moved = [self.controls[name].moved for name in self.drawn(control)]
        return control != "minima" and float(np.mean(moved)) >= LEAST_MOVED

    def confusing_cells(self, *, n: int = 20) -> pd.DataFrame:
        """The cells of which the networks are least sure, over all repeats.

        Args:
            n: So many cells for each output, at least 1.

        Returns:
            output, barcode, label, one column a network (its mean prediction over repeats), distance, n_wrong (networks
            whose mean prediction calls the other class); the nearest first, then by barcode. The distance from a tie is
            that of a network's mean prediction from 1/2, the mean over full and compressed; where the outputs are
            classes of one question, the lead of the most probable class over the next, and there is one row a cell,
            with the name of its class as label and as predictions the probabilities of it.

        Raises:
            OptionError: The task is a regression, which has no ties, or `n` is no whole number of at least 1.
        """
        from graphnn.evaluate.confusing import confusing_cells

        check_whole("n", n, least=1)
        return confusing_cells(self, n=n)

    @property
    def _rows(self) -> tuple[str, ...]:
        """Outputs, and where there are several also their mean."""
        return (*self.outputs, MEAN) if len(self.outputs) > 1 else self.outputs

    def _pairs(
        self, first: str = "full", second: str = "compressed"
    ) -> Iterator[tuple[str, str, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
        """Output, metric, and its values for two networks on the splits on which both have one."""
        for output in self._rows:
            for metric in self.metrics:
                one, other = self._both(first, second, output, metric)
                yield output, metric, one, other

    def _both(
        self, first: str, second: str, output: str, metric: str
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Values of a metric for two networks, split by split; the mean over outputs is over those that both have."""
        outputs = self.outputs if output == MEAN else (output,)
        shared = self._values[first, outputs[0]].index.intersection(self._values[second, outputs[0]].index, sort=False)
        pair = np.array(
            [[self._values[name, each].loc[shared, metric].to_numpy() for each in outputs] for name in (first, second)]
        )
        known = np.isfinite(pair).all(axis=0)  # outputs x splits
        count = known.sum(axis=0)
        one, other = np.where(known, pair, 0.0).sum(axis=1)[:, count > 0] / count[count > 0]
        return one, other

    @property
    def _test_to_train(self) -> float:
        """Cells of the reported fold by all others, the mean over splits."""
        tested = np.array([len(fit.split.test) for fit in self.fits["full"]])
        return float(np.mean(tested / (len(self.cells.barcodes) - tested)))

    def predictions(self) -> pd.DataFrame:
        """Every reported prediction of the networks: network, output, seed, fold, barcode, label, prediction."""
        frames = []
        for name in self.networks:
            for fit in self.fits[name]:
                rows = fit.split.test
                for column, output in enumerate(self.outputs):
                    frames.append(
                        pd.DataFrame(
                            {
                                "network": name,
                                "output": output,
                                "seed": fit.split.seed,
                                "fold": fit.split.fold,
                                "barcode": self.labels.index[rows],
                                "label": self.labels[output].to_numpy()[rows],
                                "prediction": fit.prediction[:, column],
                            }
                        )
                    )
        return pd.concat(frames, ignore_index=True)

    def inputs_of(self, fit: Fit) -> npt.NDArray[np.float32]:
        """Scaled values of the reported cells of a fit, shape (n_test, n_inputs), columns in the plan's order."""
        plan = self.plans["full"]
        for name, control in self.controls.items():
            if control.control == CONTROL_INPUTS and any(fit is own for own in self.fits[name]):
                return fit.scaler.transform(self._control_cells(name)[fit.split.test])
        cells = self.cells.subset([self.cells.barcodes[row] for row in fit.split.test])
        return fit.scaler.transform(cells.select([self.columns[name] for name in plan.inputs]))

    def importance(self, *, method: str = "gradient", networks: Sequence[str] | None = None) -> pd.DataFrame:
        """Importance of every hidden vertex in every fit; see `graphnn.explain.importance.node_importance`.

        Args:
            method: "gradient", "numerical", "conductance", "integrated_gradients", "knockout" or "squared_bias".
            networks: Names of networks, or of controls that are networks ("rewired 1"); None: all networks.

        Returns:
            node, network, output, fold, seed, score, bias. What no argument asks for is computed once; each call gives
            a copy.

        Raises:
            OptionError: There is no such method or network.
        """
        if method == "gradient" and networks is None:
            return self._importance.copy()
        from graphnn.explain.importance import node_importance

        return node_importance(self, method=method, networks=networks)

    def corrected_importance(self, *, method: str = "gradient") -> pd.DataFrame:
        """Importance in the compressed network beside that on control inputs, so that its shape is taken out.

        It asks for the control "control-inputs"; see `graphnn.explain.corrected.control_importance`.

        Returns:
            network, output, node, observed, control, ratio, log2_ratio, p, q.

        Raises:
            OptionError: The comparison was made without "control-inputs", or there is no such method.
        """
        from graphnn.explain.corrected import control_importance
        from graphnn.explain.importance import node_importance

        drawn = self.drawn(CONTROL_INPUTS)
        if not drawn:
            do = f"add controls=[{CONTROL_INPUTS!r}] to compare()"
            raise OptionError("controls", list(self.controls), f"with {CONTROL_INPUTS!r}", do=do)
        observed = node_importance(self, method=method, networks=["compressed"])
        control = node_importance(self, method=method, networks=drawn)
        return control_importance(observed, control.assign(draw=control["network"], network="compressed"))

    def drawn(self, control: str) -> list[str]:
        """Names of the draws of a control, in their order; of one that is not drawn its name; none if it is absent."""
        return [name for name, made in self.controls.items() if made.control == control]

    def activities(self, network: str = "compressed") -> pd.DataFrame:
        """Value of every hidden vertex in every cell, from fits that neither trained on the cell nor watched it.

        Under the "tutorial" protocol early stopping watched it.

        Args:
            network: Name of a network.

        Returns:
            Barcodes x names of hidden vertices, the mean over repeats; the order of the labels. Cells of splits that
            were not done are left out.

        Raises:
            OptionError: There is no such network.
        """
        from graphnn.explain.activities import check_network, node_activities

        check_network(self, network)
        parts = pd.concat([node_activities(self, network, fit) for fit in self.fits[network]])
        mean = parts.groupby(level=0, sort=False).mean()
        return mean.loc[[barcode for barcode in self.labels.index if barcode in mean.index]]

    def stability(self, *, top: int = 10) -> pd.DataFrame:
        """How far the fits agree on which vertices matter; see `graphnn.explain.stability.rank_stability`."""
        from graphnn.explain.stability import rank_stability

        return rank_stability(self._importance, top=top)

    def minima_stability(self, *, top: int = 10) -> pd.DataFrame:
        """How far minimal networks agree on which of their shared vertices matter.

        It asks for the control "minima"; see `graphnn.explain.stability.stability_across`.

        Raises:
            OptionError: The comparison has no other minimal networks.
        """
        from graphnn.explain.importance import node_importance
        from graphnn.explain.stability import stability_across

        drawn = self.drawn("minima")
        if not drawn:
            raise OptionError("controls", list(self.controls), "with 'minima'", do="add controls=['minima']")
        return stability_across(node_importance(self, networks=["compressed", *drawn]), top=top)

    def rank_intervals(self, *, level: float = 0.9, top: int = 10) -> pd.DataFrame:
        """Where each vertex ranks over the fits; see `graphnn.explain.stability.rank_intervals`."""
        from graphnn.explain.stability import rank_intervals

        return rank_intervals(self._importance, level=level, top=top)

    def _control_cells(self, name: str) -> npt.NDArray[np.float32]:
        """Control inputs of a draw. Those asked for last are kept: they are asked for fit by fit."""
        kept: dict[str, npt.NDArray[np.float32]] = self.__dict__.setdefault("_kept_cells", {})
        if name not in kept:
            kept.clear()
            kept[name] = self.controls[name].own_cells(len(self.plans["full"].inputs))
        return kept[name]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_kept_cells"}

    @cached_property
    def _importance(self) -> pd.DataFrame:
        from graphnn.explain.importance import node_importance

        return node_importance(self)

    def to_json(self, path: str | Path, *, force: bool = False, **context: Any) -> None:
        """Write everything that the report shows, and all names, as JSON; see `graphnn.report.write`."""
        from graphnn.report.write import write_json

        write_json(self, Path(path), force=force, **context)

    def to_html(self, path: str | Path, *, force: bool = False, **context: Any) -> None:
        """Write the report as one self-contained HTML file; see `graphnn.report.write`."""
        from graphnn.report.write import write_html

        write_html(self, Path(path), force=force, **context)

    @cached_property
    def _values(self) -> dict[tuple[str, str], pd.DataFrame]:
        """Metrics of each network and output, indexed by seed and fold."""
        found = self.scores.set_index(["seed", "fold"])
        metrics = list(self.metrics)
        return {key: rows[metrics].astype(np.float64) for key, rows in found.groupby(["network", "output"], sort=False)}


_QUANTITIES: dict[str, Callable[[Dag, LayerPlan, int], int]] = {
    "edges": lambda dag, plan, units: dag.graph.n_edges,
    "hidden nodes": lambda dag, plan, units: len(dag.hidden),
    "nodes": lambda dag, plan, units: dag.graph.n_nodes,
    "parameters": lambda dag, plan, units: plan.count_parameters(units),
    "depth": lambda dag, plan, units: plan.depth,
    "edges with boundary edges (the published tutorial's basis)": lambda dag, plan, units: (
        dag.graph.n_edges + len(dag.inputs) + len(dag.outputs)
    ),
}
