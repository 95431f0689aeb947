"""The rules of the house, read off the source: who imports whom, what loading costs, which calls are banned."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import graphnn as gn

ROOT = Path(__file__).resolve().parent.parent
LEFT_TO_RIGHT = ("errors", "graph", "extract", "compiler", "evaluate", "explain", "report", "tl", "cli")
SIDE_ROOMS = {"data": {"errors", "graph"}, "infer": {"errors", "graph"}}
GUESTS = {"data": {"evaluate", "explain", "report", "tl", "cli"}, "infer": {"cli"}}  # who may use a side room
CONVENIENCE = {("evaluate/comparison.py", "explain"), ("evaluate/comparison.py", "report")}  # inside functions only
ENGINES = {"highspy", "pyscipopt", "cvxpy"}
KERAS = {"keras", "jax", "tensorflow", "torch"}
KERAS_FREE = {"errors", "graph", "extract", "data", "infer"}


class Import(NamedTuple):
    """One imported module; `inside` a function body or not."""

    module: str
    line: int
    inside: bool


def sources(folder: str) -> list[Path]:
    """All Python files of a top-level package."""
    return sorted((ROOT / folder).rglob("*.py"))


def tree(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> list[Import]:
    """Every import of a file, with `from x import y` as x.y, relative ones resolved, and import_module("x")."""
    package = ".".join(path.relative_to(ROOT).with_suffix("").parts[:-1])
    found = []
    for node, inside in _walk(tree(path), inside=False):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names = [f"{module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and dotted(node.func).endswith(("import_module", "__import__")):
            names = [str(argument.value) for argument in node.args[:1] if isinstance(argument, ast.Constant)]
        found += [Import(name, node.lineno, inside) for name in names]
    return found


def _walk(node: ast.AST, *, inside: bool) -> Iterator[tuple[ast.AST, bool]]:
    for child in ast.iter_child_nodes(node):
        yield child, inside
        deeper = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from _walk(child, inside=deeper)


def dotted(node: ast.AST) -> str:
    """`a.b.c` as text; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else node.attr
    return ""


def room(path: Path) -> str:
    """Which part of graphnn a file belongs to; "" for graphnn/__init__.py; __main__ is the command line."""
    first = path.relative_to(ROOT / "graphnn").with_suffix("").parts[0].removeprefix("__init__")
    return "cli" if first == "__main__" else first


def allowed(home: str) -> set[str]:
    """Parts of graphnn that a part may import."""
    if home in SIDE_ROOMS:
        return {home} | SIDE_ROOMS[home]
    left = set(LEFT_TO_RIGHT[: LEFT_TO_RIGHT.index(home) + 1])
    return left | {side for side, guests in GUESTS.items() if home in guests}


def test_every_part_of_graphnn_has_its_place():
    parts = {room(path) for path in sources("graphnn")} - {""}
    assert parts <= {*LEFT_TO_RIGHT, *SIDE_ROOMS}


@pytest.mark.parametrize("home", [*LEFT_TO_RIGHT, *SIDE_ROOMS])
def test_arrows_go_one_way(home):
    wrong = []
    for path in sources("graphnn"):
        if room(path) != home:
            continue
        short = path.relative_to(ROOT / "graphnn").as_posix()
        for found in imports(path):
            parts = found.module.split(".")
            if parts[0] != "graphnn" or parts[1:] == ["__version__"]:
                continue
            target = parts[1] if len(parts) > 1 else ""
            excused = found.inside and (short, target) in CONVENIENCE
            if not excused and target not in allowed(home) and not (home == "cli" and len(parts) == 1):
                wrong.append(f"{short}:{found.line} imports {found.module}")
    assert wrong == []


def test_only_extract_and_the_benchmarks_use_the_solvers():
    """One exception measures the solvers themselves; the others only run programs and name machines as it does."""
    users = [(path, found) for path in sources("graphnn") for found in imports(path) if top(found) == "solvers"]
    outside = {
        (path.relative_to(ROOT / "graphnn").as_posix(), found.module)
        for path, found in users
        if room(path) != "extract"
    }
    others = {(place, module.rpartition(".")[0]) for place, module in outside if place != "cli/bench.py"}
    assert "cli/bench.py" in {place for place, _ in outside}
    assert others == {
        ("evaluate/bench/contest.py", "solvers.bench.program"),
        ("evaluate/bench/record.py", "solvers.bench.record"),
    }


def test_solvers_know_nothing_of_graphnn():
    tops = {top(found) for path in sources("solvers") for found in imports(path)}
    assert tops.isdisjoint({"graphnn", "tests", "benchmarks", "networkx", "pandas", *KERAS})


def test_engines_are_imported_by_solvers_only():
    users = {path.as_posix() for path in sources("graphnn") for found in imports(path) if top(found) in ENGINES}
    assert users == set()


def test_no_keras_above_the_layer_plan():
    users = {
        path.relative_to(ROOT).as_posix()
        for path in sources("graphnn")
        for found in imports(path)
        if top(found) in KERAS and (room(path) in KERAS_FREE | {""} or path.name == "plan.py")
    }
    assert users == set()


def test_the_check_of_answers_shares_no_code_with_the_engines():
    own = {found.module for found in imports(ROOT / "solvers" / "check.py") if top(found) == "solvers"}
    assert own == {"solvers.problem.Problem"}


def top(found: Import) -> str:
    """First part of a module name."""
    return found.module.split(".")[0]


# -- loading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["graphnn", "graphnn.errors", "graphnn.graph.prior", "solvers"])
def test_importing_loads_neither_keras_nor_an_engine(module):
    heavy = sorted(KERAS | ENGINES)
    code = f"import {module}, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", gn.__all__)
def test_every_public_name_is_there(name):
    assert getattr(gn, name) is not None
    assert name in dir(gn)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        gn.no_such_name  # noqa: B018


# -- banned calls --------------------------------------------------------------------------------------------------

BANNED_CALLS = {
    "print": "return values and let the command line print",
    "eval": "parse instead",
    "exec": "write the code down",
    "sys.exit": "raise a GraphnnError; the command line chooses the exit code",
    "os._exit": "raise a GraphnnError; the command line chooses the exit code",
    "exit": "raise a GraphnnError",
    "quit": "raise a GraphnnError",
    "breakpoint": "remove it",
}
BANNED_ENDINGS = ("random.seed", "random.set_seed", "set_random_seed", "read_pickle", "to_pickle", "joblib.load")
BANNED_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "corneto", "igraph"}


def broken_bans(path: Path, *, is_cli: bool) -> list[str]:
    """Where a file uses what it must not use."""
    broken = [f"{found.line}: imports {found.module}" for found in imports(path) if top(found) in BANNED_MODULES]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            if (name in BANNED_CALLS and not is_cli) or name in ("eval", "exec", "breakpoint"):
                broken.append(f"{node.lineno}: {name}(): {BANNED_CALLS[name]}")
            if name.endswith(BANNED_ENDINGS):
                broken.append(f"{node.lineno}: {name}()")
            broken += [
                f"{node.lineno}: allow_pickle"
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and getattr(keyword.value, "value", True) is not False
            ]
        elif isinstance(node, ast.Raise) and not is_cli and node.exc is not None:
            raised = dotted(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
            if raised == "SystemExit":
                broken.append(f"{node.lineno}: raises SystemExit")
        elif isinstance(node, ast.Assert):
            broken.append(f"{node.lineno}: assert; users get typed errors")
    return broken


@pytest.mark.parametrize("folder", ["graphnn", "solvers"])
def test_no_banned_call(folder):
    broken = {}
    for path in sources(folder):
        short = path.relative_to(ROOT).as_posix()
        found = broken_bans(path, is_cli=short.startswith(("graphnn/cli/", "graphnn/__main__")))
        if found:
            broken[short] = found
    assert broken == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from pickle import loads", "import numpy as np\nnp.random.seed(0)", "print(1)", "eval('1')",
        "import random\nrandom.seed(1)", "import keras\nkeras.utils.set_random_seed(1)", "import sys\nsys.exit(1)",
        "import os\nos._exit(1)", "exec('x')", "raise SystemExit(2)", "np.load('x', allow_pickle=True)", "assert 1",
        "def f():\n    import dill",
    ],
)  # fmt: skip
def test_the_ban_finds_each_of_these(text, tmp_path, monkeypatch):
    """A negative control: a reader of sources that finds nothing would pass everything."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "graphnn" / "graph" / "bad.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert broken_bans(path, is_cli=False)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("graph/bad.py", "from graphnn.extract.dag import Dag"),
        ("graph/bad.py", "def f():\n    import graphnn.extract"),
        ("graph/bad.py", "from ..cli import app"),
        ("graph/bad.py", "from graphnn import extract_dag"),
        ("extract/bad.py", "from graphnn import compiler"),
        ("evaluate/compare.py", "from graphnn.report import html"),
        ("evaluate/other.py", "def f():\n    from graphnn.report import html"),
        ("data/bad.py", "import graphnn.report.html"),
    ],
)
def test_the_arrows_find_each_of_these(place, text, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "graphnn" / place
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(AssertionError):
        test_arrows_go_one_way(place.split("/")[0])


# -- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["graphnn", "solvers"])
def test_every_public_module_says_what_it_holds(folder):
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in sources(folder)
        if (not path.stem.startswith("_") or path.stem == "__init__") and not ast.get_docstring(tree(path))
    ]
    assert silent == []


@pytest.mark.parametrize("folder", ["graphnn", "solvers"])
def test_every_public_function_and_class_says_what_it_does(folder):
    silent = []
    for path in sources(folder):
        for node in tree(path).body:
            is_public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if is_public and not ast.get_docstring(node):
                silent.append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno} {node.name}")
    assert silent == []
