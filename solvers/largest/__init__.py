"""The largest acyclic network: leave out as few edges as possible (minimum feedback arc set with coverage)."""

from solvers.largest.solve import largest_acyclic

__all__ = ["largest_acyclic"]
