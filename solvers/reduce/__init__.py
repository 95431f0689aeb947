"""Exact reductions: each removes work and keeps the optimum; the docstring says why."""
