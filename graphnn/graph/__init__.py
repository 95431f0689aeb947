"""The prior knowledge network: its type, its readers, pruning, order and pre-flight check.

May import `graphnn.errors` only; knows nothing of solvers, Keras or cells.
"""
