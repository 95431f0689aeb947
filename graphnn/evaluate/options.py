"""How networks are trained and compared. May import `graphnn.errors` only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from numbers import Integral
from typing import Any

from graphnn.errors import OptionError, did_you_mean

PROTOCOLS = ("nested", "tutorial")
SCALINGS = ("standard", "max", "none")
ENGINES = ("auto", "jax", "numba")
# What each is, as the report says it. Drawn ones make up a distribution in which the compressed network is looked for.
CONTROLS: dict[str, str] = {
    "dense": "a network of one dense hidden level with about as many parameters",
    "elastic-net": "an elastic-net regression by scikit-learn, no network at all",
    "label-preferred": "the minimal network that holds, of all minimal ones, the proteins whose own genes are most "
    "associated with the label among the cells that train; chosen anew in every split",
    "rewired": "networks with the same vertices, each with the same number of edges into it and out of it, but other "
    "partners",
    "dealt": "the same wiring, with the measured genes dealt out anew among its inputs",
    "random": "networks with the same vertices and as many edges, wired at random",
    "shuffled": "the same network, with labels dealt out anew among the cells",
    "minima": "other minimal networks of the same prior knowledge",
    "control-inputs": "the same network on drawn cells in which every input tells the label equally well, for the "
    "correction of importances",
}


@dataclass(frozen=True)
class TrainingOptions:
    """One training run; the same for every network, fold and seed.

    Attributes:
        epochs: At most so many passes over the training cells.
        patience: Stop after so many epochs without a lower validation loss; the best epoch's weights are restored.
        batch_size: At most so many cells a step. The training cells of an epoch are cut into batches of one size, the
            same for all splits, so that no small batch is left over; a few cells, fewer than a batch has and mostly no
            more than there are batches, sit out each epoch.
        learning_rate: Of Adam.
        validation_fraction: Part of the training cells that early stopping watches, in (0, 0.5].
        scaling: Of each input, fitted on the cells that train: "standard" (mean 0, standard deviation 1, cut at
            +-10 standard deviations), "max" (divided by the largest absolute value), "none".
        engine: What trains. "jax": any network, on every device that JAX sees; "numba": most networks, on the CPU,
            several times faster, where numba is installed (`pip install 'graphnn[fast]'`); "auto": numba where it can
            and JAX sees nothing better. They differ by rounding, which long training may make visible: what trained is
            told with the result.
        class_weight: "balanced": every class counts as much as any other in the loss, whatever its share of the cells
            that train (`graphnn.evaluate.engine.weights`); None: every cell counts as much. Not for a regression.
    """

    epochs: int = 200
    patience: int = 20
    batch_size: int = 64
    learning_rate: float = 0.005
    validation_fraction: float = 0.2
    scaling: str = "standard"
    engine: str = "auto"
    class_weight: str | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size"):
            value = getattr(self, name)
            check_whole(name, value, least=1)
        if not 0 < self.learning_rate < float("inf"):
            raise OptionError("learning_rate", self.learning_rate, "a finite number > 0")
        if not 0 < self.validation_fraction <= 0.5:
            raise OptionError("validation_fraction", self.validation_fraction, "in (0, 0.5]")
        for name, choices in (("scaling", SCALINGS), ("engine", ENGINES)):
            if getattr(self, name) not in choices:
                raise OptionError(name, getattr(self, name), f"one of {', '.join(choices)}")
        if self.class_weight not in (None, "balanced"):
            raise OptionError("class_weight", self.class_weight, "'balanced' or None")

    def to_dict(self) -> dict[str, Any]:
        """All options, as JSON types."""
        return asdict(self)


def check_protocol(*, folds: int, seeds: int, seed: int, protocol: str) -> None:
    """Refuse a cross-validation that cannot be, before anything is read or trained.

    Raises:
        OptionError: A number is out of its range, or the protocol is none of `PROTOCOLS`.
    """
    check_whole("folds", folds, least=2)
    check_whole("seeds", seeds, least=1)
    check_whole("seed", seed, least=0, below=2**32 - int(seeds))
    if protocol not in PROTOCOLS:
        raise OptionError("protocol", protocol, f"one of {', '.join(PROTOCOLS)}")


def check_task(task: str, *, n_outputs: int, training: TrainingOptions) -> None:
    """Refuse a task that does not fit the outputs, and weights of classes where there are none.

    Raises:
        OptionError: One output cannot tell several classes apart, or class weights are given for a regression.
    """
    if task == "multiclass" and n_outputs < 2:
        raise OptionError("task", task, "binary or regression with one output", do="give each class its output")
    if training.class_weight is not None and task == "regression":
        raise OptionError("class_weight", training.class_weight, "None for a regression")


def check_controls(controls: Iterable[str]) -> tuple[str, ...]:
    """The controls that were asked for, in the order of `CONTROLS`; "all" is all, underscores pass for hyphens.

    Raises:
        OptionError: A name is that of no control, or there is a text instead of a list.
    """
    if isinstance(controls, str) and controls != "all":
        raise OptionError("controls", controls, "a list of names", do=f"write [{controls!r}]")
    wanted: list[Any] = []
    for name in [controls] if isinstance(controls, str) else controls:
        plain = name.strip().casefold().replace("_", "-") if isinstance(name, str) else name
        if plain == "all":
            wanted += CONTROLS
            continue
        if plain not in CONTROLS:
            close = did_you_mean([str(plain)], list(CONTROLS)).removeprefix("; ")
            raise OptionError("controls", name, f"among {', '.join(CONTROLS)}, all", do=close or "choose among these")
        wanted.append(plain)
    return tuple(name for name in CONTROLS if name in wanted)


def check_margin(margin: object) -> None:
    """Refuse what is no margin of a loss.

    Raises:
        OptionError: It is no finite number above 0.
    """
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin < float("inf"):
        raise OptionError("margin", margin, "a finite number above 0", do="write 0.01 for a loss of 0.01")


def check_whole(option: str, value: object, *, least: int, below: int | None = None) -> None:
    """Refuse what is no whole number in [least, below).

    Raises:
        OptionError: It is none.
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (below is not None and value >= below):  # type: ignore[operator]
        limit = "" if below is None else f" and below {below:,}"
        raise OptionError(option, value, f"a whole number of at least {least}{limit}")
