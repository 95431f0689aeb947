"""Sections on controls, importance and cells: chosen and ordered as they say, bounded, with hostile names."""

from __future__ import annotations

import copy
import math
import re
from functools import cache

import pytest

from graphnn.evaluate.compare import compare
from graphnn.evaluate.comparison import MEAN, Comparison
from graphnn.graph.prior import PriorGraph
from graphnn.report import sections, text
from graphnn.report.html import render_html
from graphnn.report.payload import make_payload
from tests.evaluate.small import PRIOR, TRAINING, cells, networks
from tests.report.sample import sample_payload
from tests.report.test_html import HOSTILE, Page, assert_closed
from tests.report.test_payload import Tables, agrees

METRICS = ["roc_auc", "accuracy", "precision", "recall", "f1"]


def part(html: str, name: str) -> str:
    """One section of the page."""
    found = re.search(rf'<section id="{name}".*?</section>', html, flags=re.DOTALL)
    return "" if found is None else found.group()


# -- controls ------------------------------------------------------------------------------------------------------


def test_without_controls_there_is_no_section():
    payload = sample_payload()
    for name in ("contrasts", "contenders"):
        payload[name] = [row for row in payload[name] if row.get("network", row.get("name")) in ("full", "compressed")]
    for name in ("null_tests", "null_draws", "minima_stability", "control_sentences"):
        payload[name] = []
    assert payload["contrasts"]
    assert part(render_html(payload), "controls") == ""
    assert '"#controls"' not in render_html(payload)
    assert part(render_html(sample_payload()), "controls")


def test_every_contender_has_a_mark_and_every_draw_a_dot():
    payload = sample_payload(draws=9, others=("disjoint",))
    html = part(render_html(payload), "controls")
    assert html.count('<rect class="compressed"') == len({row["network"] for row in payload["contrasts"]}) == 4
    assert html.count('class="draw') == len(payload["null_draws"]) == 27
    good = sum(row["value"] >= row["observed"] for row in payload["null_draws"])
    assert html.count("draw as-good") == good > 0
    page = Page(html)
    for row in payload["null_tests"]:
        if row["metric"] == "roc_auc":
            assert f"as good or better: {row['n_as_good']} of 9 draws; p = {row['p']:.3f}" in page.text


def test_where_less_is_better_a_lower_draw_is_as_good():
    payload = sample_payload(metrics={"mse": 0.95})
    html = part(render_html(payload), "controls")
    assert html.count("draw as-good") == sum(row["value"] <= row["observed"] for row in payload["null_draws"])
    assert "to the right of the dashed line it errs more" in html


def test_with_several_outputs_the_figure_is_of_their_mean():
    assert text.MEAN_OF_OUTPUTS == MEAN
    payload = sample_payload(outputs=("IL2", "TCR"))
    view = sections.controls_view(payload, METRICS)
    assert view["several"]
    assert view["contrast_figure"]["svg"].count("<rect") == 3  # full, dense, elastic-net
    assert "(mean of outputs)" in view["contrast_figure"]["metric"]
    assert [panel["output"] for panel in view["null_panels"][:3]] == [MEAN] * 3
    assert len(view["null_panels"]) == 9
    assert MEAN not in Page(part(render_html(payload), "controls")).text
    single = [row for row in payload["contrasts"] if row["output"] != MEAN]
    assert (
        sections.controls_view(payload | {"contrasts": single}, METRICS)["contrast_figure"]["svg"].count("<rect") == 6
    )


def test_draws_share_a_row_of_sizes():
    rows = {row["name"]: row for row in sections.controls_view(sample_payload(draws=5), METRICS)["sizes"]}
    assert rows["rewired"]["draws"] == 5
    assert rows["rewired"]["depth"] == (9.0, 13.0)
    assert rows["rewired"]["engines"] == ["numba"]
    assert rows["full"]["draws"] == 0
    assert rows["elastic-net"]["edges"] is None
    assert rows["elastic-net"]["engines"] == ["scikit-learn"]
    assert "scikit-learn" in Page(part(render_html(sample_payload()), "controls")).text


def test_a_metric_that_is_not_defined_is_not_drawn():
    payload = sample_payload()
    for row in payload["contrasts"]:
        row |= dict.fromkeys(("mean", "reference", "change", "ci_low", "ci_high", "p"))
    for row in payload["null_tests"]:
        row |= dict.fromkeys(("observed", "null_mean", "null_sd", "null_low", "null_high", "p")) | {"n_draws": 0}
    for row in payload["null_draws"]:
        row |= {"value": None, "observed": None}
    html = render_html(payload)
    assert_closed(Page(html))
    assert 'class="draw' not in part(html, "controls")
    assert "None" not in Page(part(html, "controls")).text


# -- importance ----------------------------------------------------------------------------------------------------


def test_every_node_at_the_top_has_two_violins():
    payload = sample_payload()
    html = part(render_html(payload), "importance")
    for name in ("full", "compressed"):
        assert html.count(f'<svg class="figure violin {name}"') == 2
    assert html.count('<path class="shape"') == 4 * sections.TOP_NODES
    changed = copy.deepcopy(payload)
    first = payload["importance"][0]["node"]
    row = next(row for row in changed["importance_runs"] if row["node"] == first)
    row["bias"] += 9.0
    other = part(render_html(changed), "importance")
    assert other != html
    figures = [re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL) for page in (html, other)]
    assert [a == b for a, b in zip(*figures, strict=True)] == [True, False, True, True]


def test_a_violin_of_several_outputs_holds_one_value_a_fit():
    payload = sample_payload(outputs=("IL2", "TCR"))
    html = part(render_html(payload), "importance")
    assert ": 5 fits, mean" in html
    assert ": 10 fits" not in html
    assert "Ranks in" not in html  # a node has others for each output
    assert "Ranks in" in part(render_html(sample_payload()), "importance")


def test_the_squared_bias_is_labelled():
    words = Page(part(render_html(sample_payload()), "importance")).text
    assert "Squared bias is the published tutorial's measure; it looks at no cells." in words


def test_the_corrected_table_is_the_start_of_the_list():
    payload = sample_payload()
    html = part(render_html(payload), "importance").partition("Beyond the shape")[2]
    nodes = re.findall(r'<td class="name">(.*?)</td>', html)
    assert nodes == [row["node"] for row in payload["corrected_importance"][: sections.TOP_NODES]]
    payload["corrected_importance"][0] |= {"ratio": None, "log2_ratio": None, "p": None, "q": None}
    assert "n/a" in part(render_html(payload), "importance")


# -- cells ---------------------------------------------------------------------------------------------------------


def test_the_cells_stand_with_every_network():
    payload = sample_payload(others=("disjoint",))
    words = Page(part(render_html(payload), "cells")).text
    assert "Cell Label Full Compressed Disjoint Distance from a tie" in words
    assert "CELL0000-1 0 " in words
    for row in payload["confusing_cells"]:
        row |= {"label": "T cell", "output": "(classes)"}
    assert "CELL0000-1 T cell " in Page(part(render_html(payload), "cells")).text


# -- a real comparison ---------------------------------------------------------------------------------------------


@cache
def controlled() -> Comparison:
    """Two folds with every kind of control, and a further network."""
    full, compressed = networks()
    x, y = cells()
    prior = PriorGraph.from_sif_tuples(PRIOR).prune(full.inputs, full.outputs)
    controls = ["dense", "elastic-net", "rewired", "shuffled", "minima", "control-inputs"]
    return compare(
        full, compressed, x, y, folds=2, training=TRAINING, controls=controls, draws=3, others={"again": compressed},
        prior=prior,
    )  # fmt: skip


def test_the_page_of_a_real_comparison_shows_all_of_it():
    found = controlled()
    payload = make_payload(found)
    html = render_html(payload)
    page = Page(html)
    assert_closed(page)
    assert {row["name"]: row["engine"] for row in payload["contenders"]} == dict(found.engines)
    assert html.count('<circle class="draw') == len(payload["null_draws"]) == len(found.draws()) / len(found.metrics)
    leading = [row for row in payload["null_tests"] if row["metric"] == found.metrics[0]]
    assert html.count('<circle class="draw as-good') == sum(row["n_as_good"] for row in leading)
    shown = set(page.values)
    for row in found.contrasts().itertuples():
        assert {row.mean, row.change} <= shown
    for row in found.null_tests().itertuples():
        assert {value for value in (row.observed, row.null_mean, row.p) if math.isfinite(value)} <= shown
    assert set(found.corrected_importance()["observed"]) <= shown
    assert set(found.confusing_cells(n=20)["again"]) <= shown
    assert "again" in Page(part(html, "controls")).text
    assert html.count('<svg class="figure violin other"') == 2
    assert "scikit-learn" in page.text


def test_every_number_that_is_shown_is_the_value_that_is_sorted_by():
    reader = Tables()
    reader.feed(render_html(make_payload(controlled())))
    cells_of = [cell for table in reader.tables for row in table for cell in row if cell[1] is not None and cell[0]]
    shown = [(words, float(value)) for words, value in cells_of if not re.search(r" to |%|yes|no|unchanged", words)]
    assert len(shown) > 300
    assert [pair for pair in shown if not agrees(*pair)] == []


# -- bounds and names ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_networks_and_controls_are_escaped(name):
    payload = sample_payload(others=(name,))
    for row in (*payload["null_tests"], *payload["null_draws"]):
        row["control"] = name + row["control"]
    for row in list(payload["importance"]):
        if row["network"] == "full":
            payload["importance"].append(row | {"network": name})
    payload["importance_runs"] += [
        row | {"network": name} for row in payload["importance_runs"] if row["network"] == "full"
    ]
    html = render_html(payload)
    page = Page(html)
    assert_closed(page)
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "<script>alert" not in html
    assert html.count('<svg class="figure violin other"') == 2


def test_a_large_comparison_stays_a_small_page():
    others = tuple(f"network {i}" for i in range(30))
    payload = sample_payload(n_hidden=1000, draws=57, outputs=("a", "b", "c"), others=others)
    full = [row for row in payload["importance"] if row["network"] == "full"]
    payload["importance"] += [row | {"network": name} for name in others for row in full]
    html = render_html(payload)
    assert len(html) < 1_500_000
    assert "and 28 more networks" in Page(html).text
    assert len(re.findall(r"<svg class=\"figure null\"", html)) == sections.MAX_PANELS
    assert html.count("<tr>") < 2000
    small = render_html(sample_payload(draws=57))
    assert len(small) < 600_000
