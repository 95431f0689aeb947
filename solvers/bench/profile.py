"""Tables, performance profiles and gaps at the limit, computed from rows; and their drawing, where matplotlib is.

A performance profile (Dolan and More, *Benchmarking optimization software with performance profiles*, Mathematical
Programming 91, 2002) shows, for each contestant and each factor tau, on what share of the instances it took at most
tau times as long to a proof as the fastest contestant.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from importlib import util
from typing import Any

import numpy as np

from solvers.bench.answer import NOT_APPLICABLE, NOT_INSTALLED
from solvers.errors import SolverError
from solvers.problem import FloatVector

COLUMNS = (
    "instance", "n", "m", "k", "outputs", "contestant", "status", "objective", "bound", "gap", "open_gap", "build_s",
    "first_s", "last_s", "proof_s", "seconds", "peak_mb", "valid", "message",
)  # fmt: skip
LEAST_S = 0.01  # times below are taken as this: they measure the clock, and would make ratios of nothing
Steps = tuple[FloatVector, FloatVector]


def table_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows as CSV, empty where nothing is known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if row[column] is None else row[column] for column in COLUMNS] for row in rows)
    return text.getvalue().encode()


def taking_part(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Contestants with at least one row that they could have solved, in order of first appearance."""
    absent = (NOT_INSTALLED, NOT_APPLICABLE)
    return list(dict.fromkeys(row["contestant"] for row in rows if row["status"] not in absent))


def common_instances(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Instances that every contestant who takes part was given, in order of first appearance: only these compare."""
    given = {(row["contestant"], row["instance"]) for row in rows}
    names = taking_part(rows)
    instances = dict.fromkeys(row["instance"] for row in rows)
    return [instance for instance in instances if all((name, instance) in given for name in names)]


def performance_profile(times: Mapping[str, Sequence[float]]) -> dict[str, Steps]:
    """Dolan and More's profile.

    Args:
        times: For each contestant its seconds to a proof on each instance, inf where there is none; all of one length.

    Returns:
        For each contestant the factors tau >= 1 at which its share grows, ascending, and the share of instances
        from there on, both of shape (n_steps,). Instances that nobody proves count below the line.
    """
    names = list(times)
    table = np.maximum(np.array([times[name] for name in names], dtype=np.float64), LEAST_S)
    n_instances = table.shape[1] if table.ndim == 2 else 0
    if not n_instances:
        return {name: (np.zeros(0), np.zeros(0)) for name in names}
    best = table.min(axis=0)
    solved = np.isfinite(best)
    ratios = np.full(table.shape, np.inf)
    ratios[:, solved] = table[:, solved] / best[solved]
    return {name: shares(ratios[index]) for index, name in enumerate(names)}


def shares(values: Sequence[float] | FloatVector) -> Steps:
    """Finite values, ascending and once each, and the share of all values that are at most so large."""
    table = np.asarray(values, dtype=np.float64)
    finite, counts = np.unique(table[np.isfinite(table)], return_counts=True)
    return finite, np.cumsum(counts) / max(1, len(table))


def proof_times(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Seconds to a proof by contestant and common instance, inf where it has none or is not applicable."""
    return _by_contestant(rows, "proof_s")


def gaps(rows: Sequence[Mapping[str, Any]], column: str = "open_gap") -> dict[str, list[float]]:
    """Gap at the end by contestant and common instance, inf where there is no valid network or no bound."""
    return _by_contestant(rows, column)


def _by_contestant(rows: Sequence[Mapping[str, Any]], column: str) -> dict[str, list[float]]:
    names, instances = taking_part(rows), common_instances(rows)
    found = {(row["contestant"], row["instance"]): row[column] for row in rows}
    table: dict[str, list[float]] = {}
    for name in names:
        values = [found.get((name, instance)) for instance in instances]
        table[name] = [math.inf if value is None else float(value) for value in values]
    return table


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return util.find_spec("matplotlib") is not None


def drawn(rows: Sequence[Mapping[str, Any]], *, limit_s: float, form: str = "svg") -> bytes:
    """Performance profile and gaps at the limit, side by side, as an image.

    Args:
        rows: As `Row.to_dict` gives them.
        limit_s: For the title.
        form: "svg" or "png".

    Raises:
        SolverError: matplotlib is not installed.
    """
    if not can_draw():
        raise SolverError("expected the package matplotlib for the plot, but it is not installed")
    import matplotlib
    from matplotlib.figure import Figure

    profile, gap = performance_profile(proof_times(rows)), {name: shares(one) for name, one in gaps(rows).items()}
    n_instances = len(common_instances(rows))
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _steps(left, profile, start=1.0)
    left.set(xscale="log", xlabel="time to proof / fastest", ylabel=f"share of {n_instances} instances", ylim=(0, 1.02))
    _steps(right, gap, start=0.0)
    right.set(xlabel=f"gap on what is open, at most, after {limit_s:g} s")
    right.set_xscale("symlog", linthresh=1e-3)
    if profile:
        left.legend(loc="lower right", frameon=False)
    image = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "solvers.bench"}):  # equal rows, equal bytes
        figure.savefig(image, format=form, metadata={"Date": None} if form == "svg" else {"Software": None})
    return image.getvalue()


def _steps(axes: Any, curves: Mapping[str, Steps], *, start: float) -> None:
    """One staircase a contestant, from `start` to beyond the last step of all."""
    ends = [float(places[-1]) for places, _ in curves.values() if len(places)]
    end = max([2 * max(start, 0.5), *(1.3 * value for value in ends)])
    for index, (name, (places, heights)) in enumerate(curves.items()):
        x = np.concatenate([[start], places, [end]])
        y = np.concatenate([[0.0], heights, heights[-1:] if len(heights) else [0.0]])
        axes.step(x, y, where="post", label=name, linestyle=("-", "--", "-.", ":")[index % 4])
    axes.grid(alpha=0.3)
