"""From a prior knowledge network to an acyclic one: minimal, shortest-path or largest; with its proof.

May import `graphnn.graph`, `graphnn.errors` and, alone in this package, `solvers`.
"""
