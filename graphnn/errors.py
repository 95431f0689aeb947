"""Every error that graphnn raises on purpose.

Each message is one sentence in three parts: what was expected, what came, what to do. The evidence is
kept as attributes too, so that a program need not read the sentence. This module imports nothing of graphnn.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any


class GraphnnError(Exception):
    """Base of all errors of graphnn; catch this to catch them all."""

    exit_code = 1


class FormatError(GraphnnError, ValueError):
    """A file or a table cannot be read as what it should be; `path` and `line` say where (line 1 is the first)."""

    def __init__(self, message: str, *, path: str | Path | None = None, line: int | None = None) -> None:
        self.path = None if path is None else str(path)
        self.line = line
        self.reason = message
        where = "" if path is None else f"{path}: "
        where += "" if line is None else f"line {line}: "
        super().__init__(where + message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), (self.reason,), {"path": self.path, "line": self.line})


class MissingFileError(GraphnnError, FileNotFoundError):
    """A file that should be read is not there; `path` names it."""

    def __init__(self, path: str | Path, *, what: str = "a file") -> None:
        self.path = str(path)
        self.what = what
        super().__init__(f"expected {what} at {path}, found none; check the path")

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), (self.path,), {"what": self.what})


class OutputExistsError(GraphnnError, FileExistsError):
    """An output would overwrite something the user had; `path` names it."""

    exit_code = 2

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        super().__init__(
            f"expected {path} not to exist yet, but it does; name another output or pass --force (force=True)"
        )

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path,)


class OptionError(GraphnnError, ValueError):
    """An option has a value outside its range; `option` and `value` say which."""

    exit_code = 2

    def __init__(self, option: str, value: object, expected: str, *, do: str = "") -> None:
        self.option, self.value, self.expected, self.do = option, value, expected, do
        super().__init__(f"expected {option} to be {expected}, got {value!r}" + (f"; {do}" if do else ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), (self.option, self.value, self.expected), {"do": self.do})


class UnknownNodeError(GraphnnError, KeyError):
    """Names that should be vertices of a network are not; `names` lists them."""

    def __init__(self, names: Sequence[str], *, role: str = "vertices", do: str = "") -> None:
        self.names, self.role, self.do = tuple(names), role, do
        super().__init__(
            f"expected all {role} in the network, but {quoted(names)} {_are(names)} not" + (f"; {do}" if do else "")
        )

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), (self.names,), {"role": self.role, "do": self.do})


class NoNetworkError(GraphnnError, ValueError):
    """No network can do what was asked: an input without a way to an output, an output that nothing reaches, ...

    `inputs` and `outputs` list the vertices that cannot be served, `nodes` and `edges` (source, target) what was forced
    and cannot be in a network.
    """

    exit_code = 3

    def __init__(
        self,
        message: str,
        *,
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = (),
        nodes: Sequence[str] = (),
        edges: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)
        self.nodes, self.edges = tuple(nodes), tuple(edges)
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        evidence = {"inputs": self.inputs, "outputs": self.outputs, "nodes": self.nodes, "edges": self.edges}
        return _rebuild, (type(self), self.args, evidence)


class NoAnswerInTimeError(GraphnnError, TimeoutError):
    """A solver stopped at a limit before it had any network; `bound` is what it had proved by then."""

    exit_code = 3

    def __init__(self, *, time_limit_s: float | None, bound: float, method: str) -> None:
        self.time_limit_s, self.bound, self.method = time_limit_s, bound, method
        super().__init__(
            f"expected a network within time_limit_s={time_limit_s}, but {method} found none "
            f"(it had proved that the cost is at least {bound:g}); raise the limit or use method='auto'"
        )

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (
            type(self),
            (),
            {"time_limit_s": self.time_limit_s, "bound": self.bound, "method": self.method},
        )


class SolverFailedError(GraphnnError, RuntimeError):
    """An engine failed, or its answer did not pass the check; nothing of it is used."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"expected a network from the solver, got: {reason}; try another method or solver and report this"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason,)


class CycleError(GraphnnError, ValueError):
    """A graph that must be acyclic is not; `cycle` lists its nodes in order."""

    def __init__(self, cycle: Sequence[str]) -> None:
        self.cycle = tuple(cycle)
        path = " -> ".join((*self.cycle, self.cycle[0]))
        super().__init__(f"expected an acyclic graph, got the cycle {path}; call extract_dag() first")

    def __reduce__(self) -> tuple[Any, ...]:  # survives worker processes: args are not the message
        return type(self), (self.cycle,)


class VerificationError(GraphnnError, ValueError):
    """A network breaks a rule that it must keep; `rule` names it and `names` lists the culprits."""

    def __init__(self, rule: str, message: str, *, names: Sequence[str] = ()) -> None:
        self.rule, self.names = rule, tuple(names)
        self.reason = message
        super().__init__(f"{rule}: {message}")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), (self.rule, self.reason), {"names": self.names})


class DataError(GraphnnError, ValueError):
    """Cells or labels cannot be used as they are; `names` lists the columns or cells concerned."""

    def __init__(self, message: str, *, names: Sequence[str] = ()) -> None:
        self.names = tuple(names)
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, {"names": self.names})


class MismatchError(GraphnnError, ValueError):
    """A model meets names or wiring it was not built for; `expected` and `got` are fingerprints or names."""

    def __init__(self, message: str, *, expected: object = None, got: object = None) -> None:
        self.expected, self.got = expected, got
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, {"expected": self.expected, "got": self.got})


class BatchMemoryError(GraphnnError, MemoryError):
    """A batch does not fit in memory; `batch_size` is what was tried."""

    def __init__(self, batch_size: int, reason: str) -> None:
        self.batch_size, self.reason = batch_size, reason
        super().__init__(
            f"expected a batch of {batch_size:,} cells to fit in memory, but it does not ({reason}); "
            "use a smaller batch_size (--batch-size)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.batch_size, self.reason)


class MissingPackageError(GraphnnError, ImportError):
    """An optional package is needed; `package` and `extra` say which and how to get it."""

    def __init__(self, package: str, *, extra: str, purpose: str) -> None:
        self.package, self.extra, self.purpose = package, extra, purpose
        super().__init__(
            f"expected the package {package} for {purpose}, but it is not installed; pip install 'graphnn[{extra}]'"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), (self.package,), {"extra": self.extra, "purpose": self.purpose})


def quoted(names: Sequence[object], *, limit: int = 5) -> str:
    """List names for a message: the first `limit` in quotes, then how many more."""
    shown = ", ".join(repr(str(name)) for name in list(names)[:limit])
    rest = len(names) - limit
    return shown + (f" and {rest:,} more" if rest > 0 else "")


def did_you_mean(names: Sequence[str], known: Sequence[str]) -> str:
    """A question to end a message with, where the first of the wrong names is close to a known one; else nothing."""
    if not names:
        return ""
    folded = {other.casefold(): other for other in known}
    close = get_close_matches(names[0].casefold(), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]!r}?" if close else ""


def _are(names: Sequence[object]) -> str:
    return "is" if len(names) == 1 else "are"


def _rebuild(kind: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return kind(*args, **kwargs)
