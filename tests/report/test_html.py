"""The page says what the payload says, stays closed to the outside, and survives hostile names."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from graphnn.errors import FormatError
from graphnn.report.html import MAX_NAMES, render_html
from graphnn.report.sections import TOP_NODES
from tests.report.sample import NEW, old_payload, sample_payload

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=https://evil.example/x.png onerror=alert(1)>',
    "'; alert(1) // & &amp; {{ 7 * 7 }} {% raw %}",
    "</title></style></svg><script>alert(2)</script>",
    "TGF-β/細胞受容体:α−1",
    "N" * 80,
    "nul\x00 bell\x07 lone\ud800 end",
]
STRUCTURE = {"format", "network", "role"}  # strings that the format itself fixes
LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href"}
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Tags with attributes, the text, the scripts, and whether every tag is closed in its turn."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def values(self) -> list[float]:
        return [float(a["data-value"]) for _, a in self.tags if "data-value" in a]


def hostile(value, text, key=""):
    """The payload with `text` for every string that the format leaves free."""
    if isinstance(value, dict):
        return {name: hostile(item, text, name) for name, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, text, key) for item in value]
    if not isinstance(value, str) or key in STRUCTURE:
        return value
    return f"{text}{value}" if key in {"name", "source", "target", "node", "output", "quantity", "metric"} else text


def assert_closed(page: Page) -> None:
    """No tag of the page loads anything; links are plain anchors; one script, which the policy names."""
    assert page.open == []
    assert len(page.scripts) == 1
    for tag, attributes in page.tags:
        assert not LOADING & set(attributes), (tag, attributes)
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "audio", "video", "image", "use"}
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert "url(http" not in (attributes.get("style") or "")
        if "href" in attributes:
            assert tag == "a"
            assert re.match(r"#|https://doi\.org/", attributes["href"] or "")


def test_the_page_loads_nothing_and_is_well_formed():
    html = render_html(sample_payload())
    assert_closed(Page(html))
    style = html[html.index("<style>") : html.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style
    assert "default-src 'none'" in html


@pytest.mark.parametrize("text", HOSTILE)
def test_every_string_is_escaped(text):
    plain, page = render_html(sample_payload()), render_html(hostile(sample_payload(), text))
    assert_closed(Page(page))
    assert [tag for tag, _ in Page(page).tags].count("script") == 1
    assert Page(page).scripts == Page(plain).scripts
    assert "<script>alert" not in page
    assert "{{" not in Page(render_html(sample_payload())).text
    page.encode()  # a file can hold it
    assert "\x00" not in page


@pytest.mark.parametrize("text", HOSTILE[:3])
def test_keys_are_escaped_too(text):
    payload = sample_payload()
    payload["versions"][text] = text
    payload["protocol"]["training"][text] = {text: [text]}
    payload["networks"]["compressed"]["proof"]["details"][text] = text
    for row in payload["folds"]:
        row[text] = 0.5
    page = Page(render_html(payload))
    assert_closed(page)


def test_the_numbers_are_those_of_the_payload():
    payload = sample_payload()
    page = Page(render_html(payload))
    expected = [row[m] for row in payload["folds"] for m in ("roc_auc", "accuracy", "precision", "recall", "f1")]
    expected += [
        row[k] for row in payload["summary"] for k in ("full", "compressed", "change", "ci_low", "ci_high", "p")
    ]
    expected += [row[k] for row in payload["compression"] for k in ("full", "compressed", "reduction_percent")]
    expected += [row[k] for row in payload["importance"] if row["rank"] <= TOP_NODES for k in ("mean", "sd")]
    expected += [row[k] for row in payload["importance"] if row["rank"] <= TOP_NODES for k in ("squared_bias",)]
    expected += [row[k] for row in payload["contrasts"] for k in ("mean", "change", "ci_low", "ci_high", "p")]
    expected += [row[k] for row in payload["null_tests"] for k in ("observed", "null_mean", "n_as_good", "p")]
    expected += [row[k] for row in payload["minima_stability"] for k in ("kendall_w", "n_nodes", "jaccard")]
    expected += [row[k] for row in payload["corrected_importance"][:TOP_NODES] for k in ("ratio", "observed", "q")]
    expected += [row[k] for row in payload["confusing_cells"] for k in ("full", "compressed", "distance", "n_wrong")]
    expected += [row[k] for row in payload["non_inferiority"] for k in ("margin", "bound", "p")]
    expected += [float(count) for count in payload["dropped"]["counts"].values()]
    assert set(expected) <= set(page.values)
    change = payload["summary"][0]
    for text in ("25,928 → 12,618", "−51.3 %", f"{change['full']:.3f} → {change['compressed']:.3f}", "34.7 %"):
        assert text in page.text
    assert f"95 % interval {change['ci_low']:.3f}".replace("-", "−") in page.text
    assert payload["command"] in page.text
    told = [payload[f"{what}_sentences"] for what in ("control", "importance", "corrected")]
    told += [
        payload["sentences"],
        [payload["networks"]["compressed"]["proof"]["sentence"], payload["confusing_sentence"]],
    ]
    for sentence in [sentence for sentences in told for sentence in sentences]:
        assert sentence in page.text


def test_sections_stand_in_their_order():
    titles = re.findall(r'<section[^>]* id="(\w+)"|<section id="(\w+)"', render_html(sample_payload()))
    found = [a or b for a, b in titles]
    wanted = ["answer", "asked", "lost", "networks", "proof", "metrics", "change", "controls", "picture"]
    assert found == [*wanted, "importance", "cells", "reproduce"]


def test_headers_and_figures_can_be_read_aloud():
    page = Page(render_html(sample_payload()))
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert all(a.get("aria-hidden") == "true" or (a.get("role") == "img" and a.get("aria-label")) for a in drawings)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    jumps = {attributes["href"][1:] for tag, attributes in page.tags if tag == "a" and attributes["href"][0] == "#"}
    assert jumps <= set(ids)


def test_the_page_is_complete_without_what_may_be_missing():
    payload = sample_payload()
    payload |= {"created": None, "command": None, "python": "gn.compare(full, dag, X, y)", "importance": []}
    proof = payload["networks"]["compressed"]["proof"]
    proof |= {"bound": None, "gap": None, "termination": "limit", "details": {}, "versions": {}}
    for row in payload["summary"]:
        row |= {"p": None, "ci_low": None, "ci_high": None}
    for node in payload["hidden_network"]["nodes"]:
        node["importance"] = None
    for edge in payload["hidden_network"]["edges"]:
        edge["weight"] = None
    page = Page(render_html(payload))
    assert_closed(page)
    assert "None" not in page.text
    assert "✓ proved" not in page.text
    assert "not proved" in page.text
    assert "gn.compare(full, dag, X, y)" in page.text
    for name in ("created", "command", "python"):
        del payload[name]
    Page(render_html(payload))


def test_a_payload_of_the_first_versions_still_makes_a_page():
    page = Page(render_html(old_payload()))
    assert_closed(page)
    assert {attributes["id"] for _, attributes in page.tags if "id" in attributes}.isdisjoint({"controls", "cells"})
    for words in ("Squared bias", "Trained by", "Beyond the shape", "None", "Ranks in"):
        assert words not in page.text
    assert old_payload()["importance"][0]["node"] in page.text


@pytest.mark.parametrize("name", ["contrasts", "null_draws", "importance_runs", "confusing_cells"])
def test_an_optional_part_of_another_type_is_refused(name):
    with pytest.raises(FormatError, match=f"'{name}' of a graphnn-report/1 payload to be a list, got dict"):
        render_html(sample_payload() | {name: {}})


def test_nothing_at_all_still_makes_a_page():
    payload = sample_payload()
    payload |= {"folds": [], "summary": [], "importance": [], "compression": [], "sentences": [], "versions": {}}
    payload |= {key: [] for key in payload if key in NEW - {"confusing_sentence"}}
    payload["hidden_network"] = {"nodes": [], "edges": []}
    page = Page(render_html(payload))
    assert_closed(page)
    assert "No fold was run" in page.text


def test_several_outputs_and_regression():
    payload = sample_payload(outputs=("TCR", "IL2/α"), metrics={"spearman": 0.61, "r2": 0.4, "mse": 1512.5})
    page = Page(render_html(payload))
    assert "Output IL2/α" in page.text
    assert "R²" in page.text
    assert "Change in Spearman ρ, 2 outputs" in page.text
    assert {row["mse"] for row in payload["folds"]} <= set(page.values)


def test_long_lists_are_cut_and_say_so():
    payload = sample_payload()
    names = payload["dropped"]["absent_inputs"]
    text = Page(render_html(payload)).text
    assert names[MAX_NAMES - 1] in text
    assert names[MAX_NAMES] not in text
    assert f"and {len(names) - MAX_NAMES} more; all names stand in the JSON" in text


@pytest.mark.parametrize("optimistic", [True, False])
def test_the_optimistic_protocol_is_labelled(optimistic):
    payload = sample_payload()
    payload["protocol"]["optimistic"] = optimistic
    text = Page(render_html(payload)).text
    assert ("optimistic: early stopping watched the reported fold" in text) is optimistic


def test_a_tree_is_called_a_tree():
    caution = "with one output and unit costs the smallest network is a tree: every gene keeps one regulator"
    payload = sample_payload()
    assert caution in Page(render_html(payload)).text
    payload["networks"]["compressed"]["edges"] += 1
    assert caution not in Page(render_html(payload)).text


def test_the_same_payload_gives_the_same_bytes_in_every_process():
    code = (
        "from tests.report.sample import NEW, old_payload, sample_payload\n"
        "from graphnn.report.html import render_html\n"
        "import hashlib, json\n"
        "p = sample_payload(n_hidden=150)\n"
        "q = json.loads(json.dumps(p, sort_keys=True))\n"
        "for payload in (p, q):\n"
        "    print(hashlib.sha256(render_html(payload).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    answers = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for seed in ("0", "1")
    ]
    assert len({digest for answer in answers for digest in answer}) == 1


def test_the_payload_is_not_modified():
    payload = sample_payload()
    before = copy.deepcopy(payload)
    render_html(payload)
    assert payload == before
    assert json.dumps(payload)


def without(path):
    payload = sample_payload()
    *way, last = path
    place = payload
    for key in way:
        place = place[key]
    del place[last]
    return payload


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        {},
        sample_payload() | {"format": "graphnn-report/2"},
        sample_payload() | {"folds": {}},
        sample_payload() | {"sentences": "one"},
        sample_payload() | {"networks": {"full": {}}},
        without(["summary"]),
        without(["asked", "pkn"]),
        without(["networks", "compressed", "proof", "bound"]),
        without(["folds", 0, "output"]),
        without(["hidden_network", "nodes", 0, "n_inputs"]),
        without(["dropped", "counts", "edges"]),
    ],
)
def test_another_payload_is_refused(payload):
    with pytest.raises(FormatError, match=r"expected .* got"):
        render_html(payload)


def test_an_error_names_the_missing_part():
    with pytest.raises(FormatError, match="'summary' of a graphnn-report/1 payload to be a list, got nothing"):
        render_html(without(["summary"]))
