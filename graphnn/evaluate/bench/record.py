"""What the training benchmark keeps and shows: record, tables, ratios, a drawing; computed from rows alone."""

from __future__ import annotations

import csv
import io
import json
import platform
import time
from collections.abc import Mapping, Sequence
from importlib import metadata, util
from typing import Any

from graphnn.errors import DataError
from graphnn.evaluate.bench.task import DONE, NOT_INSTALLED
from solvers.bench.record import commit, machine

PACKAGES = ("graphnn", "keras", "jax", "jaxlib", "numpy", "scipy", "scikit-learn")
COLUMNS = (
    "instance", "n_inputs", "n_units", "n_edges", "n_levels", "n_train", "contestant", "status", "import_s", "graph_s",
    "build_s", "first_epoch_s", "step_ms", "first_predict_s", "predict_s", "peak_mb", "n_parameters", "loss", "auc",
    "floor_ms", "floor_ratio", "message",
)  # fmt: skip
# What can be a ratio to ours, and in words; each is better when it is smaller.
RATIOS = {
    "build_s": "build",
    "build_and_first_epoch_s": "build + first epoch",
    "step_ms": "step",
    "first_predict_s": "first prediction",
    "predict_s": "prediction",
    "peak_mb": "peak memory",
}
DRAWN = {"build_and_first_epoch_s": "build + first epoch, s", "step_ms": "step, ms", "peak_mb": "peak memory, MB"}
OURS = "ours"


def facts() -> dict[str, Any]:
    """On what it is measured now: commit, date, machine, Python, versions."""
    return {
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "python": platform.python_version(),
        "versions": _installed(),
    }


def record(
    rows: Sequence[Mapping[str, Any]], *, bandwidth: float, options: Mapping[str, Any], seed: int, finished: bool
) -> dict[str, Any]:
    """All that was measured, as JSON types.

    Args:
        rows: As `Row.to_dict` gives them.
        bandwidth: Bytes a second that this machine copies.
        options: How everyone trained.
        seed: Of network and cells.
        finished: Whether every contestant had its turn.
    """
    return {
        "benchmark": "training",
        **facts(),
        "copy_gb_per_s": bandwidth / 1e9,
        "options": dict(options),
        "seed": seed,
        "finished": finished,
        "rows": [dict(row) for row in rows],
    }


def json_bytes(data: Mapping[str, Any]) -> bytes:
    """The record as a file holds it."""
    return (json.dumps(data, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def table_csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """The rows as CSV, empty where nothing is known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if row[column] is None else row[column] for column in COLUMNS] for row in rows)
    return text.getvalue().encode()


def ratios(rows: Sequence[Mapping[str, Any]], instance: str) -> dict[str, dict[str, float]]:
    """How many times as much as ours each other contestant takes on an instance, for each key of `RATIOS`.

    Empty where ours was not measured there; a key is left out where one of the two is not known.
    """
    done = {row["contestant"]: row for row in rows if row["instance"] == instance and row["status"] == DONE}
    if OURS not in done:
        return {}
    own = {key: value_of(done[OURS], key) for key in RATIOS}
    found: dict[str, dict[str, float]] = {}
    for name, row in done.items():
        pairs = {key: (value_of(row, key), mine) for key, mine in own.items()}
        found[name] = {key: theirs / mine for key, (theirs, mine) in pairs.items() if theirs is not None and mine}
    del found[OURS]
    return found


def value_of(row: Mapping[str, Any], key: str) -> float | None:
    """A figure of a row; "build_and_first_epoch_s" is the sum of two of them."""
    if key != "build_and_first_epoch_s":
        return row[key]
    parts = row["build_s"], row["first_epoch_s"]
    return None if None in parts else sum(parts)


def step_table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The rows of one instance as a Markdown table."""
    lines = [
        "| contestant | parameters | import | build | first epoch | step | x floor | first prediction | prediction "
        "| peak memory | loss | ROC-AUC |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        if row["status"] != DONE:
            lines.append(f"| {row['contestant']} | {row['status']} |" + " |" * 10)
            continue
        cells = (
            f"{row['n_parameters']:,}",
            *(_figure(row[key], " s") for key in ("import_s", "build_s", "first_epoch_s")),
            _figure(row["step_ms"], " ms"),
            _figure(row["floor_ratio"], ""),
            *(_figure(row[key], " s") for key in ("first_predict_s", "predict_s")),
            _figure(row["peak_mb"], " MB"),
            *(_figure(row[key], "") for key in ("loss", "auc")),
        )
        lines.append(f"| {row['contestant']} | {' | '.join(cells)} |")
    return lines


def ratio_table(rows: Sequence[Mapping[str, Any]], instance: str) -> list[str]:
    """How many times as much as ours, as a Markdown table; empty where there is nothing to compare."""
    found = ratios(rows, instance)
    if not found:
        return []
    lines = [f"| times ours | {' | '.join(RATIOS.values())} |", "|---|" + "---|" * len(RATIOS)]
    for name, times in found.items():
        lines.append(f"| {name} | {' | '.join(_figure(times.get(key), '') for key in RATIOS)} |")
    return lines


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return util.find_spec("matplotlib") is not None


def drawn(rows: Sequence[Mapping[str, Any]], *, form: str = "svg") -> bytes:
    """Bars of build and first epoch, step and memory, one group an instance; each on a logarithmic scale.

    Args:
        rows: As `Row.to_dict` gives them.
        form: "svg" or "png".

    Raises:
        DataError: matplotlib is not installed, or nothing was measured.
    """
    if not can_draw():
        raise DataError("expected the package matplotlib for the plot, but it is not installed; install graphnn[bench]")
    import matplotlib
    from matplotlib.figure import Figure

    done = [row for row in rows if row["status"] == DONE]
    if not done:
        raise DataError("expected at least one contestant that was measured, got none; nothing can be drawn")
    names = list(dict.fromkeys(row["contestant"] for row in done))
    instances = list(dict.fromkeys(row["instance"] for row in done))
    figure = Figure(figsize=(12, 1.2 + 0.28 * len(names) * len(instances)), layout="constrained")
    panels = figure.subplots(1, len(DRAWN), sharey=True, squeeze=False)[0]
    thickness = 0.8 / len(names)
    for axes, (key, title) in zip(panels, DRAWN.items(), strict=True):
        for place, name in enumerate(names):
            found = {row["instance"]: value_of(row, key) for row in done if row["contestant"] == name}
            places = [number + place * thickness for number, one in enumerate(instances) if found.get(one)]
            axes.barh(places, [found[one] for one in instances if found.get(one)], thickness, label=name)
        axes.set(xscale="log", xlabel=title)
        axes.grid(axis="x", alpha=0.3)
    panels[0].set_yticks([number + 0.4 - thickness / 2 for number in range(len(instances))], instances)
    panels[0].invert_yaxis()
    panels[-1].legend(frameon=False, fontsize="small")
    image = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "graphnn.evaluate.bench"}):  # equal rows, equal bytes
        figure.savefig(image, format=form, metadata={"Date": None} if form == "svg" else {"Software": None})
    return image.getvalue()


def sentence(row: Mapping[str, Any]) -> str:
    """One line for people."""
    start = f"{row['instance']}: {row['contestant']}: "
    if row["status"] != DONE:
        return f"{start}{row['status']} ({row['message']})"
    auc = "" if row["auc"] is None else f", ROC-AUC {row['auc']:.3f}"
    floor = "" if row["floor_ratio"] is None else f" ({row['floor_ratio']:.1f} x the floor)"
    return (
        f"{start}build {row['build_s']:.2f} s, first epoch {row['first_epoch_s']:.2f} s, "
        f"step {row['step_ms']:.3g} ms{floor}, peak {row['peak_mb']:,.0f} MB, loss {row['loss']:.3f}{auc}"
    )


def absent(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Contestants that are not installed, in order of first appearance."""
    return list(dict.fromkeys(row["contestant"] for row in rows if row["status"] == NOT_INSTALLED))


def _figure(value: float | None, unit: str) -> str:
    """Three digits that count, with thousands separated."""
    if value is None:
        return ""
    return (f"{value:,.0f}" if value >= 100 else f"{value:.3g}") + unit


def _installed() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
