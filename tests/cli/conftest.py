"""A folder with a tiny network and cells as working directory, and one comparison that many tests look at."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.tools import COMPARE, Run, fill, succeed


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: net.sif, cells.csv, labels.csv."""
    monkeypatch.chdir(tmp_path)
    return fill(tmp_path)


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A finished `compare --json --out rep`: its working directory and what it printed. To be read only."""
    place, before = fill(tmp_path_factory.mktemp("compared")), Path.cwd()
    os.chdir(place)
    try:
        return place, succeed(*COMPARE, "--out", "rep", "--json")
    finally:
        os.chdir(before)
