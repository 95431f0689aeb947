"""Fake rivals: programs of a few lines that answer well, badly, late or not at all."""

from __future__ import annotations

import sys
from pathlib import Path

from solvers.bench.contest import Contestant

HEAD = """
import json, os, sys, time
import numpy as np
held = np.load(sys.argv[1])
given = dict(zip(sys.argv[3::2], sys.argv[4::2]))

def say(**said):
    with open(sys.argv[2], "w") as file:
        json.dump(said, file)

"""


def rival(folder: Path, name: str, body: str, *, options: tuple[str, ...] = ()) -> Contestant:
    """A contestant that is a program of its own, with `held`, `given` and `say` at hand."""
    path = folder / f"{name}.py"
    path.write_text(HEAD + body)
    return Contestant(name, (sys.executable, str(path)), options)
