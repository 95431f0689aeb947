"""The solver benchmark: instance families, contestants, checked results, performance profiles. Integers only."""
