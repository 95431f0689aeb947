"""Training of all contenders of a comparison, group by group, so that Ctrl-C leaves what is done. Imports JAX."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from sklearn.exceptions import ConvergenceWarning

from graphnn.compiler.options import NetworkOptions
from graphnn.evaluate.controls import OF_PRIOR, Contender, Control, Ground, contenders
from graphnn.evaluate.engine import Epoch, Fit, Job, fit_all
from graphnn.evaluate.engine.able import MOST_VALUES
from graphnn.evaluate.entrants import AnyTrainer, trainers_of
from graphnn.evaluate.linear import LinearTrainer
from graphnn.evaluate.options import TrainingOptions
from graphnn.evaluate.splits import Split

T = TypeVar("T")


@dataclass(frozen=True)
class TrainingProgress:
    """A moment of a comparison: the epoch that one of its runs has just finished. Several runs may be under way.

    Attributes:
        run: Which run, from 1.
        n_runs: Of so many, at most.
        n_done: So many are done.
        network: Its network.
        seed: Its repeat.
        fold: Its fold.
        at: The epoch.
    """

    run: int
    n_runs: int
    n_done: int
    network: str
    seed: int
    fold: int
    at: Epoch

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 1."""
        return self.at.number

    @property
    def loss(self) -> float:
        """On the cells that early stopping watches."""
        return self.at.loss

    @property
    def metric(self) -> float | None:
        """The task's leading metric on these cells; None where it is not defined. Computed when it is first read."""
        return self.at.metric


@dataclass(eq=False)
class Results:
    """What was trained.

    Attributes:
        fits: Of each contender, in the order of its splits; of a draw all or none.
        entries: The contenders themselves.
        engines: What trained each.
        lost: Controls that were begun or asked for and are not, or not wholly, there.
        unproved: Controls with a network that is not proved to be what it is called.
        unconverged: Of all penalties that "elastic-net" chose, how many models had not converged.
    """

    fits: dict[str, tuple[Fit, ...]]
    entries: dict[str, Control]
    engines: dict[str, str]
    lost: tuple[str, ...] = ()
    unproved: tuple[str, ...] = ()
    unconverged: int = 0


class Training:
    """Trains groups of contenders, one after another.

    Args:
        training: How.
        options: How networks are compiled.
        ground: What controls are made of.
        n_runs: How many runs there will be, at most.
        on_progress: Called after each epoch of each run.
        workers: Runs side by side.
    """

    def __init__(
        self,
        training: TrainingOptions,
        options: NetworkOptions,
        ground: Ground,
        *,
        n_runs: int,
        on_progress: Callable[[TrainingProgress], None] | None,
        workers: int | None,
    ) -> None:
        self._training, self._options, self._ground, self._workers = training, options, ground, workers
        self._progress = _Progress(on_progress, n_runs)

    def networks(self, entered: Sequence[Contender]) -> Results:
        """Train all networks on each split in turn, so that Ctrl-C leaves whole splits; those that all have are kept.

        Raises:
            KeyboardInterrupt: No split has all networks.
        """
        trainers = trainers_of(entered, self._training, self._options)
        pairs = [(contender.name, split) for split in self._ground.splits for contender in entered]
        keys = [(name, split.seed, split.fold) for name, split in pairs]
        done = dict(zip(keys, self._run(trainers, pairs), strict=True))
        names = [contender.name for contender in entered]
        whole = [s for s in self._ground.splits if all(done[name, s.seed, s.fold] is not None for name in names)]
        if not whole:
            raise KeyboardInterrupt
        fits = {name: tuple(fit for s in whole if (fit := done[name, s.seed, s.fold]) is not None) for name in names}
        engines = {name: trainers[name].engine for name in names}
        return Results(fits, {contender.name: contender.entry for contender in entered}, engines)

    def controls(self, wanted: Sequence[str], found: Results) -> Results:
        """Train controls beside networks that are trained, with the engine that trained these.

        Ctrl-C ends the training, of networks or of controls; what is done is kept.
        """
        result = Results(dict(found.fits), dict(found.entries), dict(found.engines))
        if len(found.fits["full"]) < len(self._ground.splits):  # the user has stopped it
            result.lost = tuple(wanted)
            return result
        engine = found.engines["full"]
        for at, control in enumerate(wanted):
            try:
                for group in contenders(control, self._ground):
                    if not self._group(group, engine, result):
                        raise KeyboardInterrupt
            except KeyboardInterrupt:
                result.lost = tuple(wanted[at:])
                return result
        return result

    def _group(self, group: Sequence[Contender], engine: str, result: Results) -> bool:
        """Train a group and add what is done to the result; whether all of it is."""
        if any(contender.table.n_values > MOST_VALUES for contender in group):  # dense control inputs
            engine = "jax"
        trainers = trainers_of(group, replace(self._training, engine=engine), self._options)
        pairs = [(contender.name, split) for contender in group for split in contender.splits]
        with _quiet():
            done = self._run(trainers, pairs)
        own: dict[str, list[Fit]] = {}
        for (name, _), fit in zip(pairs, done, strict=True):
            if fit is not None:
                own.setdefault(name, []).append(fit)
        for contender in group:
            fits, entry = own.get(contender.name, []), contender.entry
            if fits and not (entry.draw and len(fits) < len(contender.splits)):
                result.fits[entry.name] = tuple(fits)
                result.entries[entry.name] = entry
                result.engines[entry.name] = trainers[entry.name].engine
            if entry.control in OF_PRIOR and not all(dag.proof.is_optimal for dag in entry.dags):
                result.unproved = tuple(dict.fromkeys((*result.unproved, entry.control)))
        result.unconverged += sum(t.unconverged for t in trainers.values() if isinstance(t, LinearTrainer))
        return all(fit is not None for fit in done)

    def _run(self, trainers: Mapping[str, AnyTrainer], pairs: Sequence[tuple[str, Split]]) -> list[Fit | None]:
        jobs = [Job(trainers[name], split, self._progress.of(name, split)) for name, split in pairs]
        before = self._progress.n_done
        return fit_all(jobs, workers=self._workers, on_done=lambda n_done: self._progress.done(before + n_done))


def undisturbed(work: Callable[[], T]) -> T:
    """Do what is left once everything is trained; one Ctrl-C does not throw that away."""
    try:
        return work()
    except KeyboardInterrupt:
        return work()


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings of models that had not converged: they are counted. Set here, since filters belong to all threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


class _Progress:
    """Tells one listener of all runs, one moment at a time, whichever thread it comes from."""

    def __init__(self, listener: Callable[[TrainingProgress], None] | None, n_runs: int) -> None:
        self._listener, self._n_runs, self._lock = listener, n_runs, threading.Lock()
        self._n_begun, self.n_done = 0, 0

    def done(self, n_done: int) -> None:
        """Say how many runs are done."""
        self.n_done = n_done

    def of(self, network: str, split: Split) -> Callable[[Epoch], None] | None:
        """What a run calls after each epoch."""
        self._n_begun += 1
        listener, run = self._listener, self._n_begun
        if listener is None:
            return None

        def tell(epoch: Epoch) -> None:
            with self._lock:
                listener(
                    TrainingProgress(
                        run=run,
                        n_runs=self._n_runs,
                        n_done=self.n_done,
                        network=network,
                        seed=split.seed,
                        fold=split.fold,
                        at=epoch,
                    )
                )

        return tell
