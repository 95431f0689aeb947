"""The report as one HTML file that needs nothing else: no network and no font; it reads without a script.

`render_html` receives the payload of `report.json` and only lays it out; every number in the page is a number of
the payload. A content security policy in the page forbids every request and every script but the one of the
template, which sorts tables and searches the picture, so that a hostile vertex name can do nothing even in an old
browser. Of graphnn this module imports only `graphnn.errors` and what lies beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jinja2
from markupsafe import Markup

from graphnn.errors import FormatError
from graphnn.report import figures
from graphnn.report.canvas import environment
from graphnn.report.sections import (
    OPTIONAL,
    confusing_view,
    controls_view,
    corrected_view,
    importance_view,
    label_of,
)
from graphnn.report.text import MEAN_OF_OUTPUTS, METRIC_LABELS, metric_label, significant_text

FORMAT = "graphnn-report/1"
MAX_NAMES = 200
MAX_FOLD_ROWS = 500
MAX_OUTPUTS_DRAWN = 6
MAX_EDGE_ROWS = 200
MAX_ABSENT = 2000

_NETWORKS = ("full", "compressed")
_MAY_LACK = ("created", "command", "python", "importance_method", "confusing_sentence", *OPTIONAL)
_FOLD_FACTS = ("network", "output", "seed", "fold", "n_train", "n_validation", "n_test", "epochs")
_MISSING: Any = object()
_SECTIONS: dict[str, type | tuple[type, ...]] = {
    "title": str,
    "seed": int,
    "versions": Mapping,
    "asked": Mapping,
    "dropped": Mapping,
    "networks": Mapping,
    "compression": Sequence,
    "protocol": Mapping,
    "folds": Sequence,
    "summary": Sequence,
    "sentences": Sequence,
    "importance": Sequence,
    "hidden_network": Mapping,
    "warnings": Sequence,
}
_LOSSES = (
    ("absent_inputs", "Inputs asked for that the prior knowledge network does not have"),
    ("lost_inputs", "Inputs without a way to any output"),
    ("unreachable", "Vertices that no input reaches"),
    ("dead_end", "Vertices from which no output is reached"),
    ("absent_outputs", "Outputs asked for that the prior knowledge network does not have"),
    ("lost_outputs", "Outputs that no input reaches"),
)
_SIZES = (
    ("edges", "edges"),
    ("hidden", "hidden nodes"),
    ("nodes", "nodes"),
    ("parameters", "parameters"),
    ("depth", "depth"),
    ("inputs", "measured inputs"),
    ("outputs", "outputs"),
)


def render_html(payload: Mapping[str, Any]) -> str:
    """Lay out the payload of a report as one self-contained page.

    Args:
        payload: The content of `report.json`, format "graphnn-report/1"; it is not modified.

    Returns:
        The HTML. The same payload, also after a round trip through JSON, gives the same text.

    Raises:
        FormatError: The payload is of another format, or a part of it is missing or of another type.
    """
    _check(payload)
    try:
        page = environment().get_template("report.html.j2").render(_view(payload))
    except (jinja2.UndefinedError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"expected a complete payload of format {FORMAT}, got one in which {_reason(error)}; "
            "make it with Comparison.to_json()"
        ) from error
    return _writable(page)


def _check(payload: Mapping[str, Any]) -> None:
    """Refuse what is no payload of this format, naming the part that is wrong."""
    got = payload.get("format") if isinstance(payload, Mapping) else type(payload).__name__
    if got != FORMAT:
        raise FormatError(f"expected a report payload of format {FORMAT!r}, got {got!r}; write it anew with to_json()")
    for name, kind in (*_SECTIONS.items(), *((name, Sequence) for name in OPTIONAL if name in payload)):
        value = payload.get(name, _MISSING)
        if not isinstance(value, kind) or (kind is Sequence and isinstance(value, str)):
            found = "nothing" if value is _MISSING else type(value).__name__
            expected = {Mapping: "an object", Sequence: "a list", str: "a text", int: "a whole number"}[kind]  # type: ignore[index]
            raise FormatError(
                f"expected {name!r} of a {FORMAT} payload to be {expected}, got {found}; write it anew with to_json()"
            )


def _reason(error: Exception) -> str:
    return f"the key {error} is missing" if isinstance(error, KeyError) else str(error)


def _view(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the template needs beside the payload: figures, selections and orders; no new results."""
    metrics = _metrics(payload)
    script = _source("report.js").strip()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    compressed = payload["networks"]["compressed"]
    return {
        "report": {**dict.fromkeys(_MAY_LACK), **payload},
        "style": Markup(_source("report.css")),
        "script": Markup(script),
        "script_hash": f"sha256-{digest}",
        "headline": _headline(payload, metrics),
        "losses": [
            {
                "key": key,
                "label": label,
                "count": payload["dropped"]["counts"][key],
                **_bounded(payload["dropped"][key]),
            }
            for key, label in _LOSSES
        ],
        "sizes": _sizes(payload),
        "proved": {name: _is_proved(payload["networks"][name]["proof"]) for name in _NETWORKS},
        "is_tree": compressed["edges"] == compressed["nodes"] - compressed["outputs"],
        "metrics": metrics,
        "panels": _panels(payload, metrics),
        "outputs_not_drawn": max(0, len(_outputs(payload)) - MAX_OUTPUTS_DRAWN),
        "fold_rows": _fold_rows(payload)[:MAX_FOLD_ROWS],
        "fold_rows_left": max(0, len(payload["folds"]) - MAX_FOLD_ROWS),
        "several_seeds": len({row["seed"] for row in payload["folds"]}) > 1,
        "summary_rows": _summary_rows(payload, metrics),
        "change_svg": _change(payload, metrics),
        "network": _network(payload),
        "network_edges": _network_edges(payload),
        "network_edges_left": max(0, len(payload["hidden_network"]["edges"]) - MAX_EDGE_ROWS),
        "controls": controls_view(payload, metrics),
        "importance": importance_view(payload),
        "corrected": corrected_view(payload),
        "confusing": confusing_view(payload),
        "margins": list(payload.get("non_inferiority", ()))[:MAX_FOLD_ROWS],
        "label_of": label_of,
        "error_metrics": figures.ERROR_METRICS,
        "options": [(name, _pairs(payload["protocol"].get(name) or {})) for name in ("training", "network")],
        "pairs": _pairs,
    }


def _source(name: str) -> str:
    loader = environment().loader
    if loader is None:  # pragma: no cover - `environment` always has one
        raise FormatError(f"expected the template {name} in the package, found no loader; install graphnn again")
    return loader.get_source(environment(), name)[0]


def _metrics(payload: Mapping[str, Any]) -> list[str]:
    """Metrics of the folds and the summary: in the order of `METRIC_LABELS`, the others by name."""
    found = {row["metric"] for row in payload["summary"]}
    for row in payload["folds"]:
        found.update(name for name, value in row.items() if name not in _FOLD_FACTS and _is_number(value))
    known = list(METRIC_LABELS)
    return sorted(found, key=lambda name: (known.index(name) if name in known else len(known), name))


def _outputs(payload: Mapping[str, Any]) -> list[str]:
    return sorted({row["output"] for row in payload["folds"]})


def _headline(payload: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    """The tiles at the top: compression of edges and hidden nodes, the first metric's change, the proof."""
    by_quantity = {row["quantity"]: row for row in payload["compression"]}
    leading = [row for row in _summary_rows(payload, metrics) if metrics and row["metric"] == metrics[0]]
    changes = [row for row in leading if row["output"] != MEAN_OF_OUTPUTS]
    return {
        "compression": [by_quantity[name] for name in ("edges", "hidden nodes", "parameters") if name in by_quantity],
        "changes": changes,
        "mean": next((row for row in leading if row["output"] == MEAN_OF_OUTPUTS), None),
        "low": min((row["change"] for row in changes if row["change"] is not None), default=None),
        "high": max((row["change"] for row in changes if row["change"] is not None), default=None),
    }


def _sizes(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the table of sizes: the compression as it was reported, then the sizes it does not speak of."""
    rows: list[dict[str, Any]] = [dict(row) for row in payload["compression"]]
    reported = {row["quantity"] for row in rows}
    networks = payload["networks"]
    for key, label in _SIZES:
        if label not in reported:
            pair = {name: networks[name][key] for name in _NETWORKS}
            rows.append({"quantity": label, **pair, "reduction_percent": None})
    return rows


def _is_proved(proof: Mapping[str, Any]) -> bool:
    return proof["termination"] == "optimal" and proof["bound"] == proof["objective"]


def _panels(payload: Mapping[str, Any], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """One row of figures for each output: a figure for each metric, folds paired by seed and number."""
    means = {(row["metric"], row["output"]): row for row in payload["summary"]}
    rows = []
    for output in _outputs(payload)[:MAX_OUTPUTS_DRAWN]:
        drawn = []
        for metric in metrics:
            pairs = _fold_pairs(payload["folds"], metric=metric, output=output)
            if pairs:
                title = f"{metric_label(metric)} of {output} in {len(pairs)} folds, full against compressed"
                svg = Markup(figures.folds_figure(pairs, title=title))
                drawn.append({"metric": metric, "svg": svg, "means": means.get((metric, output))})
        rows.append({"output": output, "figures": drawn})
    return rows


def _fold_pairs(folds: Iterable[Mapping[str, Any]], *, metric: str, output: str) -> list[tuple[float, float]]:
    found: dict[tuple[int, int], dict[str, float]] = {}
    for row in folds:
        if row["output"] == output and _is_number(row.get(metric)):
            found.setdefault((row["seed"], row["fold"]), {})[row["network"]] = row[metric]
    return [(pair["full"], pair["compressed"]) for _, pair in sorted(found.items()) if set(_NETWORKS) <= set(pair)]


def _fold_rows(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    def key(row: Mapping[str, Any]) -> tuple[str, int, int, bool, str]:
        return row["output"], row["seed"], row["fold"], row["network"] != "full", row["network"]

    return sorted(payload["folds"], key=key)


def _summary_rows(payload: Mapping[str, Any], metrics: Sequence[str]) -> list[Mapping[str, Any]]:
    return sorted(payload["summary"], key=lambda row: (row["output"], metrics.index(row["metric"])))


def _change(payload: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any] | None:
    """The figure of the changes and how many rows it leaves out; errors in units of the output are only tabulated."""
    rows = [
        row
        for row in _summary_rows(payload, metrics)
        if row["metric"] not in figures.ERROR_METRICS and row["change"] is not None
    ]
    if not rows:
        return None
    svg = figures.change_figure(rows, title="Change of each metric, compressed minus full, with 95 % intervals")
    shown = min(len(rows), figures.MAX_INTERVALS)
    return {"svg": Markup(svg), "left_out": len(payload["summary"]) - shown}


def _network(payload: Mapping[str, Any]) -> dict[str, Any] | None:
    hidden = payload["hidden_network"]
    if not hidden["nodes"]:
        return None
    drawn = figures.network_figure(
        hidden,
        title=f"Hidden part of the compressed network: {len(hidden['nodes'])} vertices and {len(hidden['edges'])} "
        "edges from left to right; the table of its edges follows",
    )
    return {
        "svg": Markup(drawn.svg),
        "drawn": drawn,
        "sizes": _legend(drawn),
        "steps": range(figures.IMPORTANCE_STEPS),
        "absent": drawn.absent[:MAX_ABSENT],
        "absent_left": max(0, len(drawn.absent) - MAX_ABSENT),
    }


def _legend(drawn: figures.NetworkFigure) -> list[dict[str, Any]]:
    """Two circles of the picture's scale, and what they stand for."""
    scale = drawn.scale
    if scale.largest <= 0:
        return []
    if scale.by == "importance":
        return [
            {"r": scale.radius(value), "text": f"importance {significant_text(value)}"}
            for value in (0.1 * scale.largest, scale.largest)
        ]
    return [
        {"r": scale.radius(n), "text": f"{n:,} measured input{'' if n == 1 else 's'} attached"}
        for n in sorted({max(1, round(scale.largest / 10)), int(scale.largest)})
    ]


def _network_edges(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    edges = sorted(payload["hidden_network"]["edges"], key=lambda edge: (edge["source"], edge["target"]))
    return edges[:MAX_EDGE_ROWS]


def _bounded(names: Sequence[str]) -> dict[str, Any]:
    return {"names": list(names)[:MAX_NAMES], "left": max(0, len(names) - MAX_NAMES)}


def _pairs(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Options as texts, sorted by name, so that a payload read from JSON gives the same page."""
    return [(str(name), _plain(mapping[name])) for name in sorted(mapping, key=str)]


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _writable(page: str) -> str:
    """Replace what no UTF-8 file or no HTML may hold: control characters and lone surrogates."""
    return "".join(
        "\ufffd"
        if (letter < " " and letter not in "\n\t") or "\x7f" <= letter <= "\x9f" or "\ud800" <= letter <= "\udfff"
        else letter
        for letter in page
    )
