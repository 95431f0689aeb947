"""The pages say what the program does: code runs, commands and options exist, links lead somewhere, keys are there."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import graphnn as gn
from graphnn.cli.app import app
from graphnn.data.demo import DEMO_OUTPUT, demo_inputs, demo_network
from graphnn.graph.interaction import WORDS
from graphnn.graph.sif import sif_bytes
from graphnn.report.payload import Context, make_payload
from graphnn.report.write import json_bytes
from tests.docs.pages import DOCS, NO_RUN, PAGES, ROOT, Block, anchors, blocks, coded, commands, links, rows, sections
from tests.evaluate.small import TRAINING, cells, comparison, networks
from tests.evaluate.test_controls import controlled

PAGE_IDS = [path.name for path in PAGES]
CHEAP = ("check", "prune", "extract", "compile", "report")
COMMANDS = [(path.name, words) for path in PAGES for words in commands(path.read_text(encoding="utf-8"))]
INTERFACE = typer.main.get_command(app)
VERBS = {  # "bench solvers" is a verb like any other
    " ".join(filter(None, (name, inner))): command
    for name, outer in INTERFACE.commands.items()
    for inner, command in getattr(outer, "commands", {"": outer}).items()
}
BANNED = ("issue #", "/home/", "/tmp/", "todo", "fixme")


def page(name: str) -> str:
    """The text of a page of docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def at_page_level(test: Any) -> Any:
    """Run a test for every page."""
    return pytest.mark.parametrize("path", PAGES, ids=PAGE_IDS)(test)


# -- Python --------------------------------------------------------------------------------------------------------


def run_python(block: Block, names: dict[str, Any]) -> None:
    """Run one block; comments behind a `print` that look like its output are compared with it."""
    if ">>>" in block.text:
        doctest_of = doctest.DocTestParser().get_doctest(block.text, names, "page", None, block.line)
        runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
        said: list[str] = []
        runner.run(doctest_of, out=said.append, clear_globs=False)
        assert not said, "".join(said)
        names.update(doctest_of.globs)
        return
    lines = block.text.splitlines()
    for statement in ast.parse(block.text).body:
        code = compile(ast.Module([statement], []), f"line {block.line + statement.lineno - 1}", "exec")
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(code, names)
        following = lines[statement.end_lineno] if statement.end_lineno < len(lines) else ""
        if ast.unparse(statement).startswith("print(") and following.startswith("# "):
            assert output.getvalue().strip() == following.removeprefix("# ")


@at_page_level
def test_python_blocks_run_in_order(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.language == "python" and not block.skipped:
            run_python(block, names)


def test_a_stale_output_and_a_broken_block_are_found():
    """Negative control of the test above."""
    for text in ("print(1)\n# 2\n", ">>> 1 + 1\n3\n", "import graphnn\ngraphnn.no_such_name\n"):
        with pytest.raises((AssertionError, AttributeError)):
            run_python(Block("python", text, 1, False), {})
    run_python(Block("python", "print(1)\n# 1\n", 1, False), {})


def test_blocks_are_skipped_only_where_files_of_the_user_are_needed():
    held = [block for path in PAGES for block in blocks(path.read_text(encoding="utf-8")) if block.skipped]
    readers = ("read_sif", "read_cells", "read_labels", "read_edge_table", "Dag.read")
    assert all(any(reader in block.text for reader in readers) for block in held), held
    assert blocks(f"{NO_RUN}\n\n```python\n1\n```\n")[0].skipped
    assert not blocks(f"{NO_RUN}\n\ntext\n\n```python\n1\n```\n")[0].skipped


def test_every_public_name_stands_in_the_reference():
    listed = {line.rpartition(".")[2] for line in page("api.md").splitlines() if line.startswith("::: ")}
    assert listed == set(gn.__all__) - {"__version__"}
    homes = [
        line.removeprefix("::: ").rpartition(".") for line in page("api.md").splitlines() if line.startswith(":::")
    ]
    assert all(getattr(getattr(gn, name), "__module__", gn.__name__) == home for home, _, name in homes)


# -- commands ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "words"), COMMANDS, ids=lambda value: " ".join(value)[:60] if value else "")
def test_commands_and_options_exist(name, words):
    if words[0].startswith("-") or words[0] == "VERB":
        return
    words = words[: words.index(">")] if ">" in words else words
    n_words = 1 if words[0] in VERBS else 2
    verb = " ".join(words[:n_words])
    assert verb in VERBS, f"{name}: no verb {verb}"
    VERBS[verb].make_context(verb, words[n_words:])  # raises for what does not exist or is missing


def test_an_unknown_option_is_found():
    for words in (["check", "net.sif", "--outputs", "y", "--nonsense"], ["prune", "net.sif"]):
        with pytest.raises(Exception, match=r"(?i)no such option|missing"):
            VERBS[words[0]].make_context(words[0], words[1:])


@pytest.fixture
def demo_folder(tmp_path, monkeypatch) -> Path:
    """A folder with what `graphnn demo --out demo` leaves, a small report among it."""
    folder = tmp_path / "demo"
    folder.mkdir()
    simulation = gn.simulate_cells(demo_network(), demo_inputs(), [DEMO_OUTPUT], n_cells=60)
    (folder / "network.sif").write_bytes(sif_bytes(demo_network()))
    simulation.to_frame().to_csv(folder / "cells.csv")
    simulation.labels.to_csv(folder / "labels.csv")
    (folder / "report.json").write_bytes(json_bytes(make_payload(comparison())))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize("name", ["index.md", "cli.md"])
def test_cheap_commands_run_in_order(name, demo_folder):
    done = []
    for words in commands(page(name)):
        arguments, _, target = " ".join(words).partition(" > ")
        if words[0] not in CHEAP or not Path(words[1]).exists():
            continue
        if name == "cli.md" and "--out" in words:
            Path(words[words.index("--out") + 1]).unlink(missing_ok=True)  # examples of a reference stand alone
        result = CliRunner().invoke(app, arguments.split())
        assert result.exit_code == 0, (words, result.stderr)
        if target:
            Path(target).write_text(result.stdout, encoding="utf-8")
        done.append(words[0])
    assert set(done) == (set(CHEAP) if name == "cli.md" else set(CHEAP) - {"report"})


@pytest.mark.slow
def test_the_commands_of_the_first_page_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in commands(page("index.md")):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (words, result.stderr)
    for folder in ("demo", "results"):
        for file in ("report.html", "report.json", "full.json", "compressed.json"):
            assert (tmp_path / folder / file).is_file()
            assert f"`{file}`" in page("index.md")


def test_every_verb_and_option_stands_in_the_command_line_page():
    """Names, short names and defaults, both ways."""
    found = sections(page("cli.md"))
    described = {title.removeprefix("graphnn "): text for title, text in found.items() if title.startswith("graphnn ")}
    assert set(described) == set(VERBS)
    for verb, command in VERBS.items():
        options = {
            tuple(parameter.opts): "required" if parameter.required else _shown(parameter.default)
            for parameter in command.params
            if parameter.param_type_name == "option"
        }
        tables = {tuple(coded(row[0])): row[1].strip("`") for row in rows(described[verb]) if "`--" in row[0]}
        assert tables == options, verb


def _shown(default: object) -> str:
    return "" if default is None or default is False else str(default)


def test_exit_codes_are_those_of_the_program():
    listed = {int(row[0]) for row in rows(page("cli.md")) if row[0].isdigit()}
    assert listed == {0, 1, 2, 3, 4, 130}
    raised = {kind.exit_code for kind in _below(gn.GraphnnError)}
    assert raised <= listed


def _below(kind: type) -> list[Any]:
    return [kind, *(found for child in kind.__subclasses__() for found in _below(child))]


# -- formats -------------------------------------------------------------------------------------------------------


def test_every_word_for_an_interaction_is_listed_with_its_value():
    text = sections(page("formats.md"), level=3)["Words for interactions"]
    listed = {}
    for value, part in re.findall(r"^- \*\*(-?\d), \w+:\*\*(.*?)(?=^- |\Z)", text, flags=re.MULTILINE | re.DOTALL):
        listed |= dict.fromkeys(coded(part), int(value))
    assert listed == WORDS


def test_the_keys_of_a_network_file_are_listed():
    listed = {coded(row[0])[0] for row in rows(sections(page("formats.md"))["Network JSON"]) if coded(row[0])}
    assert listed == set(networks()[1].to_dict())
    origin = next(row[2] for row in rows(page("formats.md")) if row[0] == "`origin`")
    assert set(coded(origin)) == set(networks()[1].origin)


# -- report.json ---------------------------------------------------------------------------------------------------


@cache
def payloads() -> tuple[dict[str, Any], ...]:
    """Real payloads that together have every key: binary and regression, normalised counts, a planted vertex."""
    pruned, (full, compressed) = demo_network().prune(demo_inputs(), [DEMO_OUTPUT]), networks()
    dags = [
        gn.extract_dag(pruned, demo_inputs(), [DEMO_OUTPUT], objective=way) for way in ("shortest_paths", "min_edges")
    ]
    simulation = gn.simulate_cells(demo_network(), demo_inputs(), [DEMO_OUTPUT], n_cells=40)
    short = gn.TrainingOptions(epochs=1)
    counts = gn.Cells.from_frame(pd.concat([simulation.to_frame(), _an_empty_cell(simulation)]))
    labels = pd.concat([simulation.labels, pd.DataFrame({DEMO_OUTPUT: [0]}, index=["empty"])])
    binary = gn.compare(*dags, counts.log_normalized(), labels, folds=2, training=short, input_suffix="_gene")
    x, y = cells()
    noise = y + np.random.default_rng(0).normal(size=len(y))
    numbers = gn.NetworkOptions(task="regression", activations={"h": "tanh", 1: "relu"})
    regression = gn.compare(full, compressed, x, noise, folds=2, training=TRAINING, network=numbers)
    rows = [("a", 1, "b"), ("a", 1, "b"), ("b", 1, "b"), ("b", 1, "c"), ("b", -1, "c")]
    planted = Context(
        graph=gn.PriorGraph.from_sif_tuples(rows),
        planted=tuple(dags[1].hidden[:2]),
        unmeasured=("LOST_gene",),
        command="graphnn compare",
        notes=("a note",),
    )
    of = (make_payload(found) for found in (regression, comparison(), controlled()))
    return make_payload(binary, planted), *of


def _an_empty_cell(simulation: Any) -> pd.DataFrame:
    return pd.DataFrame(0, index=["empty"], columns=list(simulation.genes))


def keys_of(value: Any, path: str = "") -> set[str]:
    """Every path to a value; `[]` for the elements of a list; empty lists have their own path."""
    if isinstance(value, dict):
        return {key for name, item in value.items() for key in keys_of(item, f"{path}.{name}" if path else name)}
    if isinstance(value, list):
        return {key for item in value for key in keys_of(item, path + "[]")} or {path + "[]"}
    return {path}


def patterns() -> dict[str, re.Pattern[str]]:
    """Documented keys: the first cell of each row of the tables with a column `type`."""
    found = {}
    for text in sections(page("report-json.md")).values():
        tables = re.split(r"^(?=\| key \|)", text, flags=re.MULTILINE)
        for row in [row for table in tables if table.startswith("| key | type") for row in rows(table)[1:]]:
            key = coded(row[0])[0]
            assert key not in found, f"{key} twice"
            star = "(full|compressed)" if key.startswith("networks.*") else "[^.]+"
            regex = re.escape(key).replace(r"\*", "@", 1) if key.startswith("networks.*") else re.escape(key)
            regex = regex.replace("@", star, 1).replace(r"\*", ".+")
            found[key] = re.compile(regex)
    return found


def test_every_key_of_a_payload_is_in_the_dictionary_and_none_else():
    keys = set().union(*map(keys_of, payloads()))
    known = patterns()
    empty = {key for key in keys if key.endswith("[]") and any(other.startswith(key + ".") for other in keys)}
    strange = {key for key in keys - empty if not any(regex.fullmatch(key) for regex in known.values())}
    assert strange == set()
    unused = {name for name, regex in known.items() if not any(regex.fullmatch(key) for key in keys)}
    assert unused == set()
    assert "networks.full.proof.bound" in keys
    assert len(known) > 100


def test_the_documented_types_are_those_of_the_payload():
    kinds = {"text": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "any": object}
    described = {
        coded(row[0])[0]: tuple(kinds[word] for word in row[1].split(" or "))
        for row in rows(page("report-json.md"))
        if len(row) == 4 and coded(row[0])
    }
    for payload in payloads():
        for path, value in _leaves(payload):
            name = next(key for key, regex in patterns().items() if regex.fullmatch(path))
            assert isinstance(value, _flat(described[name])), (path, value)
            assert not isinstance(value, bool) or bool in _flat(described[name]) or object in _flat(described[name])


def _flat(kinds: Any) -> tuple[type, ...]:
    return tuple(kind for entry in kinds for kind in (entry if isinstance(entry, tuple) else (entry,)))


def _leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in _leaves(item, f"{path}.{name}" if path else name)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item, path + "[]")]
    return [(path, value)]


def test_what_varies_is_named():
    listed = {coded(row[0])[0] for row in rows(page("report-json.md")) if "**varies**" in row[-1] and "." in row[0]}
    assert listed == {"networks.*.proof.seconds"}
    varying = {path.rpartition(".")[2] for payload in payloads() for path, _ in _leaves(payload)} & {
        "created",
        "seconds",
    }
    assert varying == {"created", "seconds"}
    assert json.loads(json.dumps(payloads()[0])) == payloads()[0]


# -- links and words -----------------------------------------------------------------------------------------------


@at_page_level
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for link in links(text):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.is_file(), link
        assert ROOT in file.parents, link
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), link


@at_page_level
def test_no_page_names_a_machine_or_a_tracker(path):
    text = path.read_text(encoding="utf-8").lower()
    assert [word for word in BANNED if word in text] == []


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    assert set(re.findall(r": (\S+\.md)", navigation)) == {path.name for path in DOCS.glob("*.md")}
