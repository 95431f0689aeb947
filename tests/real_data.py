"""Where the real networks and cells are; tests that need them are skipped where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DEFAULT_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


def real_data(path: str) -> Path:
    """The file at `path` inside the folder of real data; skips the test where it is absent.

    The folder is named by the environment variable GRAPHNN_REAL_DATA, else it is ../shared/data beside the repository.
    """
    folder = Path(os.environ.get("GRAPHNN_REAL_DATA") or DEFAULT_FOLDER)
    file = folder / path
    if not file.exists():
        pytest.skip(f"no real data at {file}; set GRAPHNN_REAL_DATA to the folder that holds {path}")
    return file
