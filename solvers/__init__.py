"""Minimum-cost covering networks on integer vertices, exactly: problem, engines, checker. Imports nothing of graphnn.

problem = Problem(n_vertices=3, sources=[0, 1], targets=[1, 2], inputs=[0], outputs=[2])
solution = solve(problem)
solution.termination, solution.objective, violations(problem, solution.edges)
"""

from solvers.certificate import Certificate, checked_bound
from solvers.certify import certify
from solvers.check import violations
from solvers.errors import CertificateError, InfeasibleProblem, ProblemError, SolverError, UnknownBackend
from solvers.options import Options
from solvers.problem import Problem
from solvers.registry import available
from solvers.result import Progress, Solution, Termination
from solvers.solve import solve, solve_largest

__all__ = [
    "Certificate",
    "CertificateError",
    "InfeasibleProblem",
    "Options",
    "Problem",
    "ProblemError",
    "Progress",
    "Solution",
    "SolverError",
    "Termination",
    "UnknownBackend",
    "available",
    "certify",
    "checked_bound",
    "solve",
    "solve_largest",
    "violations",
]
