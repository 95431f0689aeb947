"""The training benchmark: drawn networks and cells, the programs that take part, what is measured, what is kept.

Beside what `graphnn.evaluate` may import, `contest` and `record` use how `solvers.bench` runs a program and says on
which machine. Nothing here loads Keras but `own`, which is a program of its own.
"""
