"""Simulated cells with a planted truth: hidden vertices of a network that drive both the label and their genes.

A user can ask "with n cells and this network, which hidden vertices could I recover?", and a test knows the answer.
May import `graphnn.errors`, `graphnn.graph` and `graphnn.data.cells`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy.special import expit

from graphnn.data.cells import Cells
from graphnn.errors import NoNetworkError, OptionError, UnknownNodeError, quoted
from graphnn.graph.prior import PriorGraph, as_names
from graphnn.graph.reach import BoolVector, reachable

FloatMatrix = npt.NDArray[np.float64]

MIN_GENES = 3
MAX_MEAN = 1e9  # numpy draws Poisson counts of larger means less exactly, and of much larger ones not at all


@dataclass(frozen=True)
class SimulationOptions:
    """How counts and labels are drawn; the defaults look like a shallow 10x run (70 to 90 % zeros).

    Attributes:
        label_slope: Log-odds of the label for one standard deviation of the mean driver activity; > 0.
        activity_correlation: Correlation between the activities of two drivers, in [0, 1]. 1 makes them redundant.
        mean_count: Median over genes of the mean count in a cell of median library size; > 0.
        gene_sd: Standard deviation of the log mean over genes; >= 0.
        size_factor_sd: Standard deviation of the log library size over cells; >= 0.
        dispersion: Negative-binomial dispersion a, variance = m + a m^2; > 0.
        n_nuisance_genes: Genes that stand in no network and carry no signal; >= 0.
    """

    label_slope: float = 6.0
    activity_correlation: float = 0.0
    mean_count: float = 0.1
    gene_sd: float = 1.2
    size_factor_sd: float = 0.35
    dispersion: float = 0.2
    n_nuisance_genes: int = 0

    def __post_init__(self) -> None:
        for name in ("label_slope", "mean_count", "dispersion"):
            check_number(name, getattr(self, name), lambda value: value > 0, "a finite number above 0")
        for name in ("gene_sd", "size_factor_sd"):
            check_number(name, getattr(self, name), lambda value: value >= 0, "a finite number of at least 0")
        check_number(
            "activity_correlation", self.activity_correlation, lambda value: 0 <= value <= 1, "between 0 and 1"
        )
        check_count("n_nuisance_genes", self.n_nuisance_genes, least=0)


@dataclass(frozen=True, eq=False)
class Simulation:
    """Simulated cells and the truth behind them. Arrays are read-only.

    Attributes:
        counts: CSR array of int64 counts, shape (n_cells, n_genes).
        genes: Name of each column: inputs without their suffix, sorted, then nuisance genes.
        barcodes: Name of each row.
        labels: Index barcode; one column for each output, 0 or 1.
        drivers: Planted hidden vertices, sorted.
        driver_genes: Names of the genes whose expression the drivers move, sorted.
        links: (driver, sign, gene), sorted: the driver shifts the log-expression of the gene by sign x effect x
            activity.
        activities: Latent activity of each driver, standard normal, shape (n_cells, n_drivers).
        parameters: Every argument and option, as JSON types.
    """

    counts: sp.csr_array
    genes: tuple[str, ...]
    barcodes: tuple[str, ...]
    labels: pd.DataFrame
    drivers: tuple[str, ...]
    driver_genes: tuple[str, ...]
    links: tuple[tuple[str, int, str], ...]
    activities: FloatMatrix
    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        for array in (self.counts.data, self.counts.indices, self.counts.indptr, self.activities):
            array.setflags(write=False)

    @property
    def sparsity(self) -> float:
        """Share of zeros among the counts."""
        return 1.0 - int(self.counts.count_nonzero()) / math.prod(self.counts.shape)

    def to_frame(self) -> pd.DataFrame:
        """Counts as a table: barcodes x genes, int64."""
        index = pd.Index(self.barcodes, name="barcode")
        return pd.DataFrame(self.counts.toarray(), index=index, columns=list(self.genes))

    def to_cells(self) -> Cells:
        """Counts as `Cells`, still sparse."""
        return Cells(self.counts, self.barcodes, self.genes)


def simulate_cells(
    graph: PriorGraph,
    inputs: Iterable[str],
    outputs: str | Iterable[str] | None = None,
    *,
    n_cells: int = 600,
    drivers: Iterable[str] | None = None,
    n_drivers: int = 3,
    effect: float = 2.0,
    redundancy: bool = False,
    input_suffix: str = "_gene",
    seed: int = 0,
    options: SimulationOptions | None = None,
) -> Simulation:
    """Simulate sparse counts and labels from hidden vertices of a network.

    The model, for cell c, gene g, driver d of D and output o:

        activity       a[c,d]  = sqrt(r) z[c] + sqrt(1 - r) z[c,d],       z standard normal, r = activity_correlation
        library size   l[c]    = exp(size_factor_sd e[c]),                e standard normal
        gene mean      u[g]    = mean_count exp(gene_sd e[g]),            e standard normal
        expression     m[c,g]  = l[c] u[g] exp(sum_d sign[d,g] effect a[c,d])
        counts         x[c,g]  ~ negative binomial with mean m and variance m + dispersion m^2
        label          y[c,o]  ~ Bernoulli(logistic(label_slope mean_d a[c,d] / sd(mean_d a[c,d])))

    A gene follows a driver when the network has the edge gene -> driver; sign is the interaction of that edge, or a
    drawn sign where the interaction is 0. The mean in the label is over the drivers that reach the output. Zeros come
    from small means alone; none are added. Two designs:

    - `redundancy=False`: a gene that feeds several drivers is given to one of them (the one with fewest genes, then
      the first by name), so that each gene speaks for one driver only (as in SIM1 of Fortelny and Bock 2020);
    - `redundancy=True`: such a gene follows all of them. With `activity_correlation` near 1 the drivers also carry
      the same information (as in SIM2).

    Names are sorted first and every draw comes from `numpy.random.default_rng(seed)`, so equal arguments give equal
    bytes in any process. Other options leave unrelated draws as they are: more nuisance genes change no label.

    Args:
        graph: Network in the direction of computation.
        inputs: Names of the measured vertices, each in `graph`.
        outputs: Names of the outputs, each in `graph`. None: the vertices without outgoing edges.
        n_cells: Number of cells, >= 2.
        drivers: Hidden vertices to plant, each fed by at least one input. None: `n_drivers` are drawn among the
            hidden vertices that at least three inputs feed and that reach every output.
        n_drivers: How many to draw where `drivers` is None, >= 1.
        effect: Shift of the natural log of the expression for one standard deviation of activity, >= 0. 0 plants
            nothing in the genes (a negative control).
        redundancy: Which of the two designs.
        input_suffix: Ending taken off an input to name its gene; inputs without it keep their name.
        seed: Of the generator, >= 0.
        options: How counts and labels are drawn.

    Returns:
        The cells, their labels and the planted truth.

    Raises:
        UnknownNodeError: An input, output or driver is not in the network.
        OptionError: A number is outside its range; a driver is an input or output, or no input feeds it; there are
            fewer candidates than `n_drivers`; two inputs name the same gene.
        NoNetworkError: No driver reaches one of the outputs.

    Example:
        >>> from graphnn.data.demo import demo_inputs, demo_network
        >>> cells = simulate_cells(demo_network(), demo_inputs(), ["TCR"], n_cells=50, drivers=["FOXO1", "MYC"])
        >>> cells.counts.shape, cells.labels.columns.tolist(), cells.drivers
        ((50, 54), ['TCR'], ('FOXO1', 'MYC'))
        >>> [gene for driver, sign, gene in cells.links if driver == "MYC" and sign < 0]
        ['CDKN1B']

    Reference:
        Fortelny N, Bock C (2020) Knowledge-primed neural networks enable biologically interpretable deep learning on
        single-cell sequencing data. Genome Biology 21:190.
    """
    settings = options or SimulationOptions()
    check_count("n_cells", n_cells, least=2)
    check_count("n_drivers", n_drivers, least=1)
    check_count("seed", seed, least=0)
    check_number("effect", effect, lambda value: value >= 0, "a finite number of at least 0")
    frame = _frame(graph, inputs, outputs)
    genes = _gene_names(frame.inputs, input_suffix, settings.n_nuisance_genes)

    # one stream a purpose: what one option asks for never shifts the draws behind another
    choice, sign, state, count, label = np.random.default_rng(seed).spawn(5)
    planted = _drawn(frame, n_drivers, choice) if drivers is None else _given(frame, as_names(drivers, role="drivers"))
    links = _links(frame, planted, redundancy=redundancy, rng=sign)
    activities = _activities(n_cells, len(planted), settings.activity_correlation, state)
    shift = activities @ (effect * _sign_matrix(links, planted, frame.inputs))
    counts = _counts(shift, settings, effect, count)
    labels = _labels(activities, frame, planted, settings, label)

    barcodes = tuple(f"cell{number:0{len(str(n_cells))}d}" for number in range(1, n_cells + 1))
    gene_of = dict(zip(frame.inputs, genes, strict=False))
    return Simulation(
        counts=sp.csr_array(counts),
        genes=genes,
        barcodes=barcodes,
        labels=pd.DataFrame(labels, index=pd.Index(barcodes, name="barcode")),
        drivers=planted,
        driver_genes=tuple(sorted({gene_of[name] for _, _, name in links})),
        links=tuple(sorted((driver, sign, gene_of[name]) for driver, sign, name in links)),
        activities=activities,
        parameters={
            "n_cells": int(n_cells),
            "drivers": list(planted),
            "drivers_drawn": drivers is None,
            "effect": float(effect),
            "redundancy": bool(redundancy),
            "input_suffix": input_suffix,
            "seed": int(seed),
            "network": graph.fingerprint,
            **asdict(settings),
        },
    )


def driver_candidates(
    graph: PriorGraph, inputs: Iterable[str], outputs: str | Iterable[str] | None = None
) -> tuple[str, ...]:
    """Hidden vertices from which `simulate_cells` draws: at least three inputs feed them and they reach all outputs.

    Raises:
        UnknownNodeError: An input or output is not in the network.

    Example:
        >>> edges = [("a", 1, "h"), ("b", 1, "h"), ("c", 1, "h"), ("c", 1, "k"), ("h", 1, "y"), ("k", 1, "y")]
        >>> driver_candidates(PriorGraph.from_sif_tuples(edges), ["a", "b", "c"], ["y"])
        ('h',)
    """
    return _candidates(_frame(graph, inputs, outputs))


@dataclass(frozen=True)
class _Frame:
    """The network as the simulation sees it: what is measured and predicted, who feeds whom, who reaches what."""

    graph: PriorGraph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fed: Mapping[str, Mapping[str, int]]  # vertex -> {input with an edge to it: interaction}, sorted
    reach: Mapping[str, BoolVector]  # output -> which vertices reach it

    @cached_property
    def visible(self) -> frozenset[str]:
        return frozenset((*self.inputs, *self.outputs))


def _frame(graph: PriorGraph, inputs: Iterable[str], outputs: str | Iterable[str] | None) -> _Frame:
    measured = as_names(inputs, role="inputs")
    if outputs is None:
        leaving = np.bincount(graph.sources, minlength=graph.n_nodes)
        predicted = tuple(graph.nodes[index] for index in np.flatnonzero(leaving == 0))
    else:
        predicted = as_names([outputs] if isinstance(outputs, str) else outputs, role="outputs")
    for option, names in (("inputs", measured), ("outputs", predicted)):
        if not names:
            raise OptionError(option, list(names), "at least one name", do=f"name the {option}")
        graph.indices(names, role=option)
    fed: dict[str, dict[str, int]] = {}
    known = frozenset(measured)
    for source, sign, target in graph.to_sif_tuples():
        if source in known:
            fed.setdefault(target, {})[source] = sign
    ends = {name: graph.indices([name]) for name in predicted}
    reach = {name: reachable(graph.n_nodes, graph.targets, graph.sources, end) for name, end in ends.items()}
    return _Frame(graph, measured, predicted, fed, reach)


def _gene_names(inputs: Sequence[str], suffix: str, n_nuisance: int) -> tuple[str, ...]:
    genes = [name.removesuffix(suffix) or name for name in inputs]
    genes += [f"NUISANCE{number:0{len(str(n_nuisance))}d}" for number in range(1, n_nuisance + 1)]
    twice = [name for name, copies in Counter(genes).items() if copies > 1]
    if twice:
        raise OptionError("inputs", twice, "different genes once their suffix is off", do="choose another input_suffix")
    return tuple(genes)


def _candidates(frame: _Frame) -> tuple[str, ...]:
    everywhere = np.logical_and.reduce(list(frame.reach.values()))
    return tuple(
        name
        for name, reaches in zip(frame.graph.nodes, everywhere.tolist(), strict=True)
        if reaches and name not in frame.visible and len(frame.fed.get(name, ())) >= MIN_GENES
    )


def _drawn(frame: _Frame, n_drivers: int, rng: np.random.Generator) -> tuple[str, ...]:
    names = _candidates(frame)
    if n_drivers > len(names):
        raise OptionError(
            "n_drivers",
            n_drivers,
            f"at most {len(names)}, the number of hidden vertices fed by {MIN_GENES} or more inputs",
            do="ask for fewer, or name them with drivers=...",
        )
    return tuple(names[index] for index in sorted(rng.permutation(len(names))[:n_drivers].tolist()))


def _given(frame: _Frame, drivers: tuple[str, ...]) -> tuple[str, ...]:
    absent = [name for name in drivers if name not in frame.graph]
    if absent:
        raise UnknownNodeError(absent, role="drivers", do="choose among driver_candidates(graph, inputs, outputs)")
    wrong = [name for name in drivers if name in frame.visible or name not in frame.fed]
    if wrong or not drivers:
        raise OptionError(
            "drivers",
            list(drivers),
            "hidden vertices that at least one input feeds directly",
            do=f"leave out {quoted(wrong)}" if wrong else "name at least one, or leave drivers=None",
        )
    return drivers


def _links(
    frame: _Frame, drivers: Sequence[str], *, redundancy: bool, rng: np.random.Generator
) -> list[tuple[str, int, str]]:
    """(driver, sign, input) of every planted effect; an interaction of 0 gets a drawn sign."""
    pairs = [(driver, name) for driver in drivers for name in frame.fed[driver]]
    drawn = dict(zip(pairs, rng.choice([-1, 1], size=len(pairs)).tolist(), strict=True))
    owned = pairs if redundancy else _shared_out(pairs)
    empty = [driver for driver in drivers if not any(driver == owner for owner, _ in owned)]
    if empty:
        raise OptionError(
            "redundancy",
            redundancy,
            "True for these drivers",
            do=f"every gene of {quoted(empty)} went to another driver; choose other drivers or redundancy=True",
        )
    return [(driver, frame.fed[driver][name] or drawn[driver, name], name) for driver, name in owned]


def _shared_out(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """One driver for each input: the one with fewest inputs so far, then the first by name."""
    users: dict[str, list[str]] = {}
    for driver, name in pairs:
        users.setdefault(name, []).append(driver)
    size: Counter[str] = Counter()
    owned = []
    # inputs with fewest drivers first, so that a driver whose inputs are all shared still gets its part
    for name in sorted(users, key=lambda name: (len(users[name]), name)):
        owner = min(users[name], key=lambda driver: (size[driver], driver))
        size[owner] += 1
        owned.append((owner, name))
    return sorted(owned)


def _sign_matrix(
    links: Sequence[tuple[str, int, str]], drivers: Sequence[str], inputs: Sequence[str]
) -> npt.NDArray[np.int64]:
    """Sign of each driver's effect on each input, shape (n_drivers, n_inputs); 0 where there is none."""
    row, column = ({name: index for index, name in enumerate(names)} for names in (drivers, inputs))
    signs = np.zeros((len(drivers), len(inputs)), dtype=np.int64)
    for driver, sign, name in links:
        signs[row[driver], column[name]] = sign
    return signs


def _activities(n_cells: int, n_drivers: int, correlation: float, rng: np.random.Generator) -> FloatMatrix:
    shared = rng.standard_normal((n_cells, 1))
    own = rng.standard_normal((n_cells, n_drivers))
    return math.sqrt(correlation) * shared + math.sqrt(1.0 - correlation) * own


def _counts(
    shift: FloatMatrix, settings: SimulationOptions, effect: float, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Counts of the measured genes, then of the nuisance genes; `shift` (n_cells, n_inputs) is in natural-log units."""
    library = np.exp(settings.size_factor_sd * rng.standard_normal((len(shift), 1)))
    blocks = []
    # nuisance genes are drawn last: they leave the counts of the measured genes as they are
    for block in (shift, np.zeros((len(shift), settings.n_nuisance_genes))):
        gene_mean = settings.mean_count * np.exp(settings.gene_sd * rng.standard_normal((1, block.shape[1])))
        with np.errstate(over="ignore"):
            mean = library * gene_mean * np.exp(block)
        if mean.max(initial=0.0) > MAX_MEAN:
            raise OptionError("effect", effect, f"small enough for mean counts below {MAX_MEAN:g}", do="try 2")
        # a Poisson count of a gamma-distributed mean is negative binomial
        gamma = rng.gamma(1.0 / settings.dispersion, settings.dispersion, size=mean.shape)
        blocks.append(rng.poisson(mean * gamma).astype(np.int64))
    return np.concatenate(blocks, axis=1)


def _labels(
    activities: FloatMatrix,
    frame: _Frame,
    drivers: Sequence[str],
    settings: SimulationOptions,
    rng: np.random.Generator,
) -> dict[str, npt.NDArray[np.int64]]:
    """A 0/1 column for each output, from the drivers that reach it."""
    index = frame.graph.indices(drivers)
    labels = {}
    for output in frame.outputs:
        heard = frame.reach[output][index]
        n_heard = int(heard.sum())
        if not n_heard:
            raise NoNetworkError(
                f"expected a driver that reaches {output!r}, but none of {quoted(drivers)} does; choose other drivers",
                outputs=[output],
            )
        variance = (1.0 + (n_heard - 1) * settings.activity_correlation) / n_heard
        score = activities[:, heard].mean(axis=1) / math.sqrt(variance)
        chance = expit(settings.label_slope * score)
        labels[output] = (rng.random(len(score)) < chance).astype(np.int64)
    return labels


def check_number(option: str, value: Any, holds: Callable[[float], bool], expected: str) -> None:
    """Refuse what is no finite number for which `holds` is true.

    Raises:
        OptionError: It is not.
    """
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not holds(float(value)):
        raise OptionError(option, value, expected)


def check_count(option: str, value: Any, *, least: int) -> None:
    """Refuse what is no whole number of at least `least`.

    Raises:
        OptionError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise OptionError(option, value, f"a whole number of at least {least}")
