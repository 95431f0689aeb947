"""Errors survive the way through a worker process: type, sentence and evidence."""

from __future__ import annotations

import copy

import pytest

from graphnn import errors
from graphnn.graph.order import HasCycle
from solvers.errors import InfeasibleProblem, ProblemError, SolverError, UnknownBackend

SAMPLES = [
    errors.GraphnnError("x"),
    errors.FormatError("expected x, got y", path="net.sif", line=3),
    errors.FormatError("expected x, got y"),
    errors.MissingFileError("net.sif", what="a SIF file"),
    errors.OutputExistsError("out.html"),
    errors.OptionError("folds", 1, "at least 2", do="give more"),
    errors.UnknownNodeError(["a", "b"], role="inputs", do="check"),
    errors.NoNetworkError("expected a path", inputs=["a"], outputs=["b"]),
    errors.NoAnswerInTimeError(time_limit_s=1.5, bound=3.0, method="milp"),
    errors.SolverFailedError("an engine failed"),
    errors.CycleError(["a", "b"]),
    errors.VerificationError("cycle", "there is one", names=["a"]),
    errors.DataError("expected two classes", names=["y"]),
    errors.MismatchError("other wiring", expected="a", got="b"),
    errors.BatchMemoryError(4096, "out of memory"),
    errors.MissingPackageError("scanpy", extra="omics", purpose="10x files"),
    HasCycle([0, 1]),
    SolverError("x"),
    ProblemError("x"),
    UnknownBackend("x"),
    InfeasibleProblem([0], [1, 2]),
]


def test_every_error_is_sampled():
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert kinds == {type(sample) for sample in SAMPLES if type(sample).__module__ == "graphnn.errors"}


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_its_own_reduction(error):
    build, args = error.__reduce__()[:2]
    for again in (build(*args), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert vars(again) == vars(error)


@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_the_sentence_is_plain(error):
    assert str(error)
    assert not str(error).startswith(("'", '"', "("))  # KeyError and OSError would quote or number it


def test_exit_codes():
    codes = {type(sample): sample.exit_code for sample in SAMPLES if isinstance(sample, errors.GraphnnError)}
    assert {codes.pop(errors.NoNetworkError), codes.pop(errors.NoAnswerInTimeError)} == {3}
    assert {codes.pop(errors.OptionError), codes.pop(errors.OutputExistsError)} == {2}
    assert {*codes.values()} - {4} == {1}


def test_long_lists_of_names_are_cut():
    text = str(errors.UnknownNodeError([f"g{number}" for number in range(2000)]))
    assert "1,995 more" in text
    assert len(text) < 300
