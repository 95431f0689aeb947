"""Cells and labels by name, the demo network, simulation with a planted truth. May import `errors` and `graph`."""
