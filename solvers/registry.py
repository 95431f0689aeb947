"""Which back ends there are and which are installed, found out without importing them."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module, metadata, util
from typing import TYPE_CHECKING

from solvers.errors import UnknownBackend

if TYPE_CHECKING:
    from solvers.backends.base import Backend

_PACKAGES = {"highs": "highspy", "scip": "pyscipopt", "cvxpy": "cvxpy"}
NAMES = tuple(_PACKAGES)
_MODULES = {"highs": "solvers.backends.highs", "scip": "solvers.backends.scip", "cvxpy": "solvers.backends.cvxpy_"}


def available() -> tuple[str, ...]:
    """Names of the back ends whose package is installed, in order of preference."""
    return tuple(name for name, package in _PACKAGES.items() if util.find_spec(package) is not None)


def backend(name: str) -> Backend:
    """The back end of a name; "auto" is the first that is installed.

    Raises:
        UnknownBackend: There is no such back end, or its package is not installed.
    """
    installed = available()
    if name == "auto" and installed:
        name = installed[0]
    if name not in _PACKAGES:
        raise UnknownBackend(f"expected solver to be one of auto, {', '.join(_PACKAGES)}, got {name!r}")
    if name not in installed:
        raise UnknownBackend(f"expected the package {_PACKAGES[name]} for solver {name!r}, but it is not installed")
    return import_module(_MODULES[name]).BACKEND


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed version of each package, sorted by name."""
    return {package: metadata.version(package) for package in sorted(packages)}
