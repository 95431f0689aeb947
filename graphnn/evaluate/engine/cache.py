"""Compiled programs on disk, so that a second run starts at once. Imports JAX.

JAX keeps its compiled programs under a key of program, compiler and options. The folder has the processor's features
in its name: a program compiled for another machine that shares the home directory is never loaded.
"""

from __future__ import annotations

import hashlib
import os
import platform
from importlib.util import find_spec
from pathlib import Path

import jax

VARIABLE = "GRAPHNN_CACHE"  # a folder, or "off"
VARIABLE_S = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
LEAST_S = 0.3  # programs that compile faster are not kept
LARGEST = 2**30  # bytes; the programs that were not used for longest go first


def use_compilation_cache() -> Path | None:
    """Let JAX keep compiled programs; a cache that the user has set up, or switched off, stays as it is.

    The folder is `GRAPHNN_CACHE`, else `graphnn` in the user's cache folder. Nothing is kept where it cannot be
    written. A compiled program is code: the folder is made for its owner alone, and should be shared with nobody.

    Returns:
        The folder that was set up by this call; None: none was.
    """
    chosen = os.environ.get(VARIABLE, "")
    if chosen.lower() == "off" or not jax.config.jax_enable_compilation_cache or jax.config.jax_compilation_cache_dir:
        return None
    try:
        folder = _base(chosen) / f"jax-{jax.__version__}-{_processor()}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # a user without a home directory is a RuntimeError
        return None
    if not os.access(folder, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if VARIABLE_S not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_S)
    if jax.config.jax_compilation_cache_max_size == -1 and find_spec("filelock"):  # without it JAX could not read
        jax.config.update("jax_compilation_cache_max_size", LARGEST)
    return folder


def _base(chosen: str) -> Path:
    if chosen:
        return Path(chosen).expanduser()
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else Path.home() / ".cache") / "graphnn"


def _processor() -> str:
    """A short digest of what the processor is and can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    features = sorted({line for line in lines if line.startswith(("flags", "model name", "Features", "CPU part"))})
    known = "\n".join([platform.machine(), platform.processor(), *features])
    return hashlib.sha256(known.encode()).hexdigest()[:12]
