"""Benchmarks: each module measures one claim, prints a table and stores JSON with versions and machine."""
