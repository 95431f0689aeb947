"""Reports on disk: whole or not at all, and never over something the user had."""

from __future__ import annotations

import json
import os

import pytest

from graphnn.errors import MissingFileError, OptionError, OutputExistsError
from graphnn.report.html import render_html
from graphnn.report.payload import make_payload
from graphnn.report.write import json_bytes
from tests.evaluate.small import comparison, without_times

WRITERS = ["to_json", "to_html"]


def write(verb: str, path, **options) -> None:
    getattr(comparison(), verb)(path, **options)


def test_json_and_page_are_those_of_the_payload(tmp_path):
    write("to_json", tmp_path / "r.json", title="Titel é", command="c")
    write("to_html", str(tmp_path / "r.html"), title="Titel é", command="c")
    told = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert told["title"] == "Titel é"
    expected = json.loads(json_bytes(make_payload(comparison())))
    assert without_times({**expected, "title": "Titel é", "command": "c"}) == without_times(told)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    line = f'<p class="meta">{told["created"]}'
    assert page.count(line) <= 1
    with_time_of_page = {**told, "created": page.split('<p class="meta">')[1].split(" · ")[0]}
    assert page == render_html(with_time_of_page)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.json"]


@pytest.mark.parametrize("verb", WRITERS)
def test_nothing_is_overwritten_unless_forced(verb, tmp_path):
    path = tmp_path / "mine"
    path.write_text("precious")
    with pytest.raises(OutputExistsError):
        write(verb, path)
    assert path.read_text() == "precious"
    write(verb, path, force=True)
    assert path.stat().st_size > 1000
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("verb", WRITERS)
def test_the_refusal_comes_before_the_work(verb, tmp_path, monkeypatch):
    def work(*_):
        raise AssertionError("the payload was made for nothing")

    monkeypatch.setattr("graphnn.report.write.make_payload", work)
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(OutputExistsError):
        write(verb, tmp_path / "mine")
    with pytest.raises(MissingFileError):
        write(verb, tmp_path / "no folder" / "r")
    with pytest.raises(OptionError):
        write(verb, tmp_path)


@pytest.mark.parametrize("verb", WRITERS)
@pytest.mark.parametrize("present", [False, True])
def test_an_interruption_leaves_nothing_behind(verb, present, tmp_path, monkeypatch):
    path = tmp_path / "r"
    if present:
        path.write_text("precious")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(verb, path, force=True)
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == ([("r", "precious")] if present else [])


@pytest.mark.parametrize("verb", WRITERS)
def test_a_misspelt_field_of_the_context_is_refused_and_nothing_is_written(verb, tmp_path):
    with pytest.raises((TypeError, OptionError), match="titel"):
        write(verb, tmp_path / "r", titel="x")
    assert list(tmp_path.iterdir()) == []
