"""The fast exact path: every input must reach one root; reductions, dual ascent, path heuristics, cuts.

Used for costs >= 0. Several outputs are joined in one root first (a relaxation: it may leave an output unfed); where
the answer can be made to feed all outputs at the same cost it is optimal for the whole problem too.
"""
