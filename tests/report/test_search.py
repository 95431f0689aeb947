"""The search of the picture: what the page gives it, and what the script makes of it, by Node where there is one."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess

import pytest

from graphnn.report.html import MAX_ABSENT, render_html
from tests.report.sample import sample_payload
from tests.report.test_html import HOSTILE, Page

NODE = shutil.which("node")
STAGE = """
const words = JSON.parse(process.argv[2]), given = JSON.parse(process.argv[3]);
const listeners = {};
function classes() {
  const held = new Set();
  const add = (c) => held.add(c), remove = (c) => held.delete(c);
  return { held, add, remove, toggle: (c, on) => (on ? add(c) : remove(c)) };
}
const jumps = [];
const nodes = given.drawn.map((name) => ({
  getAttribute: () => name, classList: classes(), scrollIntoView: () => jumps.push(name),
}));
const picture = { querySelectorAll: () => nodes, classList: classes() };
const list = { children: given.absent.map((t) => ({ textContent: t })), getAttribute: () => given.left };
const field = { value: "", addEventListener: (kind, act) => { listeners[kind] = act; } };
const parts = { "search": { hidden: true }, "search-name": field, "search-found": {}, "not-drawn": list };
globalThis.document = {
  querySelectorAll: () => [], querySelector: () => picture, getElementById: (name) => parts[name],
};
globalThis.window = { addEventListener: () => {} };
require("vm").runInThisContext(given.script);
const answers = words.map((word) => {
  field.value = word;
  listeners.input();
  listeners.keydown({ key: "Enter" });
  return {
    says: parts["search-found"].textContent,
    found: given.drawn.filter((_, i) => nodes[i].classList.held.has("found")),
    searching: picture.classList.held.has("searching"),
  };
});
console.log(JSON.stringify({ answers, jumps, hidden: parts.search.hidden }));
"""


def test_the_page_has_the_names_that_the_script_reads():
    payload = sample_payload(n_hidden=300, long_names=True)
    page = Page(render_html(payload))
    drawn = [a["data-name"] for tag, a in page.tags if tag == "g" and "data-name" in a]
    names = {node["name"] for node in payload["hidden_network"]["nodes"]}
    assert len(drawn) == 120
    listed = re.search(r'<ul class="names" id="not-drawn" data-left="0">(.*?)</ul>', render_html(payload), re.DOTALL)
    absent = re.findall(r"<li>(.*?)</li>", listed.group(1))
    assert set(drawn) | set(absent) == names
    boxes = [a for tag, a in page.tags if a.get("id") == "search"]
    assert len(boxes) == 1
    assert "hidden" in boxes[0]  # without the script nothing promises a search


def test_a_picture_of_everything_has_no_list_and_a_long_list_is_cut():
    assert "not-drawn" not in render_html(sample_payload()).replace('getElementById("not-drawn")', "")
    n = MAX_ABSENT + 200
    html = render_html(sample_payload(n_hidden=n))
    assert f'data-left="{n + 1 - 120 - MAX_ABSENT}"' in html


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_escaped_in_their_attribute(name):
    payload = sample_payload(n_hidden=10)
    old = payload["hidden_network"]["nodes"][-1]["name"]
    payload = json.loads(json.dumps(payload).replace(json.dumps(old), json.dumps(name)))
    page = Page(render_html(payload))
    drawn = [a["data-name"] for tag, a in page.tags if tag == "g" and "data-name" in a]
    assert len(drawn) == 11
    readable = re.sub("[\x00\x07\ud800]", "\ufffd", name)
    assert readable in drawn


def test_the_policy_names_the_script_and_the_script_writes_no_markup():
    html = render_html(sample_payload())
    script = Page(html).scripts[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in html
    for banned in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert banned not in script


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_the_script_finds_what_is_drawn_and_says_what_is_not(tmp_path):
    script = Page(render_html(sample_payload())).scripts[0]
    long = "family_of_kinases_with_a_very_long_name_7"
    given = {
        "script": script,
        "drawn": ["MAPK14", "AR", "CARD11", long, "aR2"],
        "absent": ["GTF2I", "PPARA"],
        "left": "3",
    }
    (tmp_path / "stage.js").write_text(STAGE, encoding="utf-8")
    words = ["ar", "very_LONG", "gtf", "nothing", "  "]
    done = subprocess.run(
        [NODE, "stage.js", json.dumps(words), json.dumps(given)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    said = json.loads(done.stdout)
    assert said["hidden"] is False
    rest = "; 3 further vertices are neither drawn nor listed here"
    answers = said["answers"]
    assert answers[0] == {
        "says": f"3 of 5 drawn vertices match: AR, CARD11, aR2; not drawn, but in the network, is 1: PPARA{rest}",
        "found": ["AR", "CARD11", "aR2"],
        "searching": True,
    }
    assert answers[1]["says"] == f"1 of 5 drawn vertices matches: {long}{rest}"
    assert answers[1]["found"] == [long]
    assert answers[2]["says"] == f"0 of 5 drawn vertices match; not drawn, but in the network, is 1: GTF2I{rest}"
    assert answers[2]["searching"] is False
    assert answers[3] == {"says": f"0 of 5 drawn vertices match{rest}", "found": [], "searching": False}
    assert answers[4] == {"says": "", "found": [], "searching": False}
    assert said["jumps"] == ["AR", long]
