"""Cross-validated comparison of networks: splits, preprocessing inside folds, training, metrics, statistics.

May import what lies below it (`graphnn.errors`, `graph`, `extract`, `compiler`) and `graphnn.data`; never `solvers`,
but for how `graphnn.evaluate.bench` runs programs.
"""
