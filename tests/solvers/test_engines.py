"""The engines behind the programs, on programs of which they are known to have missed the optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

import solvers
from solvers import registry
from solvers.backends.base import BackendResult, EngineOptions, MixedIntegerProgram, Status
from solvers.milp.formulation import acyclic_flow, wants
from solvers.reduce.normal import normalise
from tests.solvers.test_rules import ONCE_WRONG

COUNT = 40


def small_program(number: int) -> MixedIntegerProgram:
    """Minimise x1 subject to x1 >= x2, x0 + x2 = x3, a x2 + x3 <= b, x2 and x3 >= 0, all but x2 integer: 0 for all."""
    draw = np.random.default_rng(number)
    weight = float(draw.integers(2, 80))
    room = float(draw.integers(1, weight)) if number else 12.0
    weight = weight if number else 68.0  # as it was reported
    return MixedIntegerProgram(
        cost=np.array([0.0, 1.0, 0.0, 0.0]),
        matrix=csr_array(np.array([[0.0, 1.0, -1.0, 0.0], [1.0, 0.0, 1.0, -1.0], [0.0, 0.0, -weight, -1.0]])),
        row_lower=np.array([0.0, 0.0, -room]),
        row_upper=np.array([np.inf, 0.0, np.inf]),
        lower=np.array([-9.0, -9.0, 0.0, 0.0]),
        upper=np.full(4, 99.0),
        integer=np.array([True, True, False, True]),
    )


def run(program: MixedIntegerProgram, backend: str) -> BackendResult:
    return registry.backend(backend).run(program, EngineOptions(np.inf, 0))


@pytest.mark.parametrize("backend", solvers.available())
def test_integer_columns_whose_bounds_are_no_whole_numbers(backend):
    for number in range(COUNT):
        result = run(small_program(number), backend)
        assert result.status is Status.OPTIMAL
        assert result.bound == pytest.approx(0.0, abs=1e-6), number


@pytest.mark.parametrize("backend", solvers.available())
def test_a_flow_program_of_which_presolve_cuts_off_the_optimum(backend):
    normal = normalise(ONCE_WRONG["cut off by presolve"]).problem
    result = run(acyclic_flow(normal, wants(normal))[0], backend)
    assert result.status is Status.OPTIMAL
    assert result.bound == pytest.approx(3.0, abs=1e-6)
