"""Progress for people: a line while a solver runs, a bar while networks train; silent where nobody watches."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from graphnn.evaluate.compare import TrainingProgress

BETWEEN_S = 0.1  # two looks at the training; epochs may take a hundredth of it


def now_and_then(between_s: float = BETWEEN_S) -> Callable[[], bool]:
    """A function that says whether so many seconds have passed since it last said so; at first it does."""
    last = -math.inf

    def is_due() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < between_s:
            return False
        last = now
        return True

    return is_due


@contextmanager
def solver_line(screen: Console, objective: str) -> Iterator[Callable[[Any], None]]:
    """A status line with best cost, bound, gap and seconds; gives the callback that feeds it."""
    with screen.status(Text(f"extracting: {objective}")) as status:

        def report(moment: Any) -> None:
            best = "none yet" if moment.incumbent is None else f"{abs(moment.incumbent):,.6g}"
            gap = ""
            if moment.incumbent:
                gap = f", gap {100 * abs(moment.incumbent - moment.bound) / abs(moment.incumbent):.2f} %"
            status.update(Text(f"extracting: best {best}, bound {abs(moment.bound):,.6g}{gap}, {moment.seconds:.0f} s"))

        yield report


@contextmanager
def training_bar(screen: Console) -> Iterator[Callable[[TrainingProgress], None]]:
    """A bar over all runs, and how the last one that spoke does on its validation cells; gives what feeds it."""
    columns = (
        TextColumn("training"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TextColumn("{task.fields[what]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True, disable=screen.quiet) as progress:
        task = progress.add_task("training", total=None, what="beginning")
        is_due = now_and_then()

        def report(moment: TrainingProgress) -> None:
            if not is_due():
                return
            where = f"{moment.network} seed {moment.seed} fold {moment.fold} epoch {moment.epoch}"
            metric = "" if moment.metric is None else f", metric {moment.metric:.3f}"
            progress.update(
                task, completed=moment.n_done, total=moment.n_runs, what=f"{where} loss {moment.loss:.4f}{metric}"
            )

        yield report
