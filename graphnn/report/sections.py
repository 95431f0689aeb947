"""What the sections on controls, importance and cells show: selections, orders and figures; no new results.

Every key here may be missing from a payload that was written before it existed; the section is then absent. Of
graphnn this module imports only the figures and words beside it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from markupsafe import Markup

from graphnn.report import figures
from graphnn.report.nulls import MAX_DRAWS, Draw, null_figure
from graphnn.report.text import MEAN_OF_OUTPUTS, metric_label
from graphnn.report.violin import Violin, violin_figure

TOP_NODES = 20
MAX_ROWS = 200
MAX_NETWORKS_SHOWN = 4
MAX_PANELS = 12
MAX_OUTPUTS_SHOWN = 6

OPTIONAL = (
    "contenders",
    "contrasts",
    "null_tests",
    "null_draws",
    "minima_stability",
    "control_sentences",
    "corrected_importance",
    "corrected_sentences",
    "confusing_cells",
    "importance_runs",
    "rank_intervals",
    "importance_sentences",
    "non_inferiority",
)  # lists; all may be missing
Runs = dict[tuple[int, int], list[Mapping[str, Any]]]  # rows by (seed, fold)
_OF_A_CELL = ("output", "barcode", "label", "distance", "n_wrong")
_NETWORKS = ("full", "compressed")


# --- controls ------------------------------------------------------------------------------------------------------


def controls_view(payload: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any] | None:
    """The section on controls; None where nothing was trained but the full and the compressed network."""
    contrasts = _by_metric(payload.get("contrasts", ()), metrics)
    nulls = _by_metric(payload.get("null_tests", ()), metrics)
    minima = list(payload.get("minima_stability", ()))
    contenders = [row for row in payload.get("contenders", ()) if row["name"] not in _NETWORKS]
    if all(row["network"] == "full" for row in contrasts) and not nulls and not minima and not contenders:
        return None
    return {
        "contrasts": contrasts[:MAX_ROWS],
        "contrasts_left": max(0, len(contrasts) - MAX_ROWS),
        "contrast_figure": _contrast_figure(contrasts),
        "nulls": nulls[:MAX_ROWS],
        "nulls_left": max(0, len(nulls) - MAX_ROWS),
        "null_panels": _null_panels(payload),
        "null_panels_left": max(0, len(_strips(payload)) - MAX_PANELS),
        "minima": minima[:MAX_ROWS],
        "sizes": _sizes(payload.get("contenders", ()))[:MAX_ROWS],
        "several": len({row["output"] for row in (*contrasts, *nulls)}) > 1,
    }


def _by_metric(rows: Iterable[Mapping[str, Any]], metrics: Sequence[str]) -> list[Mapping[str, Any]]:
    """The leading metric first, within it the order of the payload, means of outputs before single outputs."""
    known = {name: number for number, name in enumerate(metrics)}
    return sorted(
        rows,
        key=lambda row: (known.get(row["metric"], len(known)), row["metric"], row["output"] != MEAN_OF_OUTPUTS),
    )


def _contrast_figure(contrasts: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One row a contender in the leading metric; with several outputs the mean over them."""
    if not contrasts:
        return None
    leading = [row for row in contrasts if row["metric"] == contrasts[0]["metric"]]
    means = [row for row in leading if row["output"] == MEAN_OF_OUTPUTS]
    rows = [row for row in means or leading if row["change"] is not None]
    if not rows:
        return None
    metric = metric_label(rows[0]["metric"])
    whose = " (mean of outputs)" if means else ""
    title = f"{metric}{whose} of each network or control minus that of the compressed network, with 95 % intervals"
    return {
        "svg": Markup(figures.contrast_figure(rows, title=title)),
        "metric": metric + whose,
        "left_out": max(0, len(rows) - figures.MAX_INTERVALS),
    }


def _strips(payload: Mapping[str, Any]) -> list[tuple[tuple[str, str], list[Mapping[str, Any]]]]:
    """Draws of each control and output that have a value, means of outputs first."""

    def key(row: Mapping[str, Any]) -> tuple[bool, str, int]:
        return row["output"] != MEAN_OF_OUTPUTS, row["output"], order.index(row["control"])

    rows = [row for row in payload.get("null_draws", ()) if row["value"] is not None and row["observed"] is not None]
    order = list(dict.fromkeys(row["control"] for row in rows))
    grouped = groupby(sorted(rows, key=key), key=lambda row: (row["control"], row["output"]))
    return [(name, list(found)) for name, found in grouped]


def _null_panels(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A figure for each drawn control and output, in the leading metric."""
    tests = {(row["control"], row["output"], row["metric"]): row for row in payload.get("null_tests", ())}
    panels = []
    for (control, output), rows in _strips(payload)[:MAX_PANELS]:
        metric = rows[0]["metric"]
        test = tests.get((control, output, metric))
        sign = -1 if metric in figures.ERROR_METRICS else 1
        draws = [
            Draw(row["draw"], row["value"], row["observed"], sign * (row["value"] - row["observed"]) >= 0)
            for row in rows
        ]
        observed = math.fsum(row["observed"] for row in rows) / len(rows) if test is None else test["observed"]
        title = f"{metric_label(metric)} of {len(draws)} draws of {control} beside the compressed network's"
        svg = null_figure(draws, observed=observed, title=title, axis=metric_label(metric))
        panels.append(
            {
                "control": control,
                "output": output,
                "svg": Markup(svg),
                "test": test,
                "left_out": max(0, len(draws) - MAX_DRAWS),
            }
        )
    return panels


def _sizes(contenders: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row a network or control; draws of one control share a row, with the range of each size."""
    groups: dict[tuple[str, bool], list[Mapping[str, Any]]] = {}
    for row in contenders:
        groups.setdefault((row["control"], True) if row["draw"] else (row["name"], False), []).append(row)
    rows = []
    for (name, is_draw), group in groups.items():
        sizes = {}
        for quantity in ("edges", "hidden", "parameters", "depth", "n_fits"):
            known = [row[quantity] for row in group if row[quantity] is not None]
            sizes[quantity] = (min(known), max(known)) if known else None
        engines = sorted({row["engine"] for row in group if row.get("engine")})
        rows.append({"name": name, "draws": len(group) if is_draw else 0, "engines": engines, **sizes})
    return rows


# --- importance ----------------------------------------------------------------------------------------------------


def importance_view(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The first nodes of each network as a table and as violins."""
    names = sorted({row["network"] for row in payload["importance"]}, key=_network_first)
    shown = names[:MAX_NETWORKS_SHOWN]
    ranked = {name: [row for row in payload["importance"] if row["network"] == name] for name in shown}
    top = {name: sorted(rows, key=lambda row: (row["rank"], row["node"]))[:TOP_NODES] for name, rows in ranked.items()}
    wanted = {(name, row["node"]) for name, rows in top.items() for row in rows}
    runs = _runs(payload.get("importance_runs", ()), wanted)
    intervals = _rank_intervals(payload.get("rank_intervals", ()), wanted)
    tables = [
        {
            "network": name,
            "rows": rows,
            "total": len(ranked[name]),
            "greatest": max((abs(row["mean"]) for row in ranked[name] if row["mean"] is not None), default=0.0),
            "has_bias": all("squared_bias" in row for row in rows),
            "has_conductance": all("conductance" in row for row in rows),
            "intervals": {node: ends for (network, node), ends in intervals.items() if network == name},
            "violins": _violins(name, [row["node"] for row in rows], runs),
        }
        for name, rows in top.items()
    ]
    return {"tables": tables, "networks_left": len(names) - len(shown)}


def _network_first(name: str) -> tuple[int, str]:
    return (_NETWORKS.index(name) if name in _NETWORKS else len(_NETWORKS), name)


def _runs(rows: Iterable[Mapping[str, Any]], wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], Runs]:
    """Of each network and node that is wanted, the rows of each fit, one an output."""
    found: dict[tuple[str, str], Runs] = {}
    for row in rows:
        key = (row["network"], row["node"])
        if key in wanted:
            found.setdefault(key, {}).setdefault((row["seed"], row["fold"]), []).append(row)
    return found


def _rank_intervals(
    rows: Iterable[Mapping[str, Any]], wanted: Collection[tuple[str, str]]
) -> dict[tuple[str, str], tuple[int, int]]:
    """Ranks of each node; none with several outputs, in each of which a node has others."""
    chosen = [row for row in rows if (row["network"], row["node"]) in wanted]
    if len({row["output"] for row in chosen}) != 1:
        return {}
    return {(row["network"], row["node"]): (row["rank_low"], row["rank_high"]) for row in chosen}


def _violins(network: str, nodes: Sequence[str], runs: Mapping[tuple[str, str], Runs]) -> list[dict[str, Any]]:
    """The figure of importances and that of biases; a value is the mean over outputs in one fit."""
    drawn = []
    kind = network if network in _NETWORKS else "other"
    for key, what, axis in (("score", "importances", "importance"), ("bias", "biases", "learnt bias")):
        rows = []
        for node in nodes:
            values = []
            for _, fit in sorted(runs.get((network, node), {}).items()):
                known = [row[key] for row in fit if row.get(key) is not None]
                values += [math.fsum(known) / len(known)] if known else []
            if values:
                rows.append(Violin(node, tuple(values)))
        if rows:
            title = f"{what.capitalize()} of the first {len(rows)} nodes of the {network} network in single fits"
            svg = Markup(violin_figure(rows, title=title, axis=axis, kind=kind))
            drawn.append({"key": key, "what": what, "svg": svg})
    return drawn


def corrected_view(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The first nodes of each output beside their importance on control inputs, in the order of the payload."""
    return [
        {"output": output, "rows": rows[:TOP_NODES], "total": len(rows)}
        for output, rows in _by_output(payload.get("corrected_importance", ()))
    ]


# --- cells ---------------------------------------------------------------------------------------------------------


def confusing_view(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The cells near a tie, by output; every key that is none of the fixed ones is a network."""
    tables = []
    for output, rows in _by_output(payload.get("confusing_cells", ())):
        networks = sorted({key for row in rows for key in row if key not in _OF_A_CELL}, key=_network_first)
        shown = networks[:MAX_NETWORKS_SHOWN]
        table = {"output": output, "rows": rows[:TOP_NODES], "networks": shown, "total": len(rows)}
        tables.append(table | {"networks_left": len(networks) - len(shown)})
    return tables


def _by_output(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Rows of each output, of the first outputs only."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["output"], []).append(row)
    return list(found.items())[:MAX_OUTPUTS_SHOWN]


def label_of(value: Any) -> str:
    """A label as it was given: a class without decimals.

    Example:
        >>> label_of(1.0), label_of("T cell"), label_of(None)
        ('1', 'T cell', 'n/a')
    """
    if value is None:
        return "n/a"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
