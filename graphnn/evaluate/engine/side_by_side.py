"""`fit_all`: replicates side by side in threads, each on one of the devices that JAX sees. Imports JAX.

Not in one program with a further axis: gathers of rows over several replicates do not vectorise on the CPU
(`python -m benchmarks.kernels`), and a replicate alone gives the same bits as among others.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from graphnn.evaluate.engine.fit import Epoch, Fit
from graphnn.evaluate.engine.place import Place, places
from graphnn.evaluate.splits import Split

REPLICATES_BYTES = 4 * 2**30  # what replicates side by side may hold beside what they share


class Fitter(Protocol):
    """What trains replicates: a `Trainer`, or something beside it."""

    @property
    def engine(self) -> str:
        """What it trains on."""

    @property
    def replicate_bytes(self) -> int:
        """What a replicate holds of its own while it trains, about."""

    def fit(
        self,
        split: Split,
        on_epoch: Callable[[Epoch], None] | None = None,
        *,
        place: Place | None = None,
        stop: threading.Event | None = None,
    ) -> Fit:
        """Train one replicate; see `Trainer.fit`."""


@dataclass(frozen=True)
class Job:
    """A replicate to train: of which trainer, on which split, and what is called after each epoch."""

    trainer: Fitter
    split: Split
    on_epoch: Callable[[Epoch], None] | None = None


def fit_all(
    jobs: Sequence[Job], *, workers: int | None = None, on_done: Callable[[int], None] | None = None
) -> list[Fit | None]:
    """Train replicates side by side, each on one of the devices that JAX sees, in turn.

    Law: the fits are the same, bit for bit, for every number of workers on one kind of device.

    Args:
        jobs: What to train, in the order in which they begin.
        workers: How many at a time; None: see `default_workers`.
        on_done: Called with the number of jobs done, whenever one is.

    Returns:
        One fit a job. Ctrl-C stops what is running; jobs that were not done are None then, and where none was done
        KeyboardInterrupt is raised.

    Raises:
        DataError: A loss is not finite any more.
        BatchMemoryError: A batch does not fit in memory.
    """
    if not jobs:
        return []
    where = places(len(jobs))
    count = min(workers or default_workers(len(where), threads=_threads(jobs)), len(jobs))
    stop = threading.Event()
    running: dict[Future[Fit], int] = {}
    fits: list[Fit | None] = [None] * len(jobs)

    def collect(futures: Iterable[Future[Fit]]) -> None:
        for future in futures:
            fits[running.pop(future)] = future.result()
            if on_done is not None:
                on_done(sum(fit is not None for fit in fits))

    with ThreadPoolExecutor(max_workers=count, thread_name_prefix="graphnn") as pool:
        try:
            for at, job in enumerate(jobs):
                place = where[at % len(where)]
                running[pool.submit(job.trainer.fit, job.split, job.on_epoch, place=place, stop=stop)] = at
            while running:
                collect(wait(running, timeout=0.2, return_when=FIRST_COMPLETED).done)
        except BaseException as error:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            if not isinstance(error, KeyboardInterrupt):
                raise
            collect([future for future in running if not future.cancelled() and future.exception() is None])
            if not any(fits):
                raise
    return fits


def _threads(jobs: Sequence[Job]) -> int:
    """How many replicates a device takes: two on JAX; on numba one a core, as far as their copies fit in memory."""
    if any(job.trainer.engine == "jax" for job in jobs):
        return 2
    largest = max(job.trainer.replicate_bytes for job in jobs)
    return max(1, min(cores(), REPLICATES_BYTES // max(largest, 1)))


def default_workers(n_places: int, *, threads: int = 2) -> int:
    """Replicates at a time: so many threads for each device, never more than cores.

    On JAX two, as one leaves a core idle while it scatters; loops that hold no lock take every core.
    """
    return max(1, min(threads * n_places, cores()))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
